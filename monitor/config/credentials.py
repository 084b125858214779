"""Who a check says that it is. Secrets are written as `${VARIABLE}`: they come from the environment."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from monitor.config.fields import Block, OneLine, Secret, WebUrl


class BasicAuth(Block):
    """User name and password, sent with the first request."""

    username: OneLine = Field(description="user name")
    password: Secret = Field(description="password; write it as `${VARIABLE}`")

    @field_validator("username")
    @classmethod
    def _no_colon(cls, value: str) -> str:
        if ":" in value:
            raise ValueError(f"expected a user name without a colon, got {value!r}")
        return value


class OAuth2(Block):
    """A token by client credentials (RFC 6749, 4.4), fetched within the check's own deadline.

    It is kept until half a minute before it expires; a 401 with a kept token fetches one anew, once. Checks with the
    same client share it.
    """

    token_url: WebUrl = Field(description="the token endpoint")
    client_id: OneLine = Field(description="the client")
    client_secret: Secret = Field(description="its secret; write it as `${VARIABLE}`")
    scope: OneLine | None = Field(None, description="scopes to ask for, separated by blanks")
    audience: OneLine | None = Field(None, description="audience to ask for")
    credentials: Literal["header", "body"] = Field(
        "header", description="where the endpoint wants id and secret: Basic authentication, or the form"
    )
