"""`type: service`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from monitor.config.checkbase import CheckBase
from monitor.config.fields import HttpCodes, Number, OneLine, WebUrl
from monitor.model import Category

ServiceName = Literal["anthropic", "openai", "hubspot", "sendgrid", "stripe", "github", "slack"]


def _base_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_base = bool(parts.hostname) and "@" not in parts.netloc and (parts.port or 1) > 0
    except ValueError:
        is_base = False
    if not is_base or "?" in value or "#" in value:
        # It is not repeated: it may hold a password.
        raise ValueError("expected a URL such as https://proxy.example/path, without user, query and fragment")
    return value.rstrip("/")


def _key(value: object) -> object:
    # pydantic's own sentence would say what it got. Empty is what `${VARIABLE:-}` makes of a variable that is not set.
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a text; write a key as ${VARIABLE}")
    return value.strip()


class ServiceCheck(CheckBase):
    """Ask a well-known outside service whether it works and takes our key.

    One request that costs nothing and changes nothing:

    | service | request | variable with its key |
    |---|---|---|
    | `anthropic` | `GET https://api.anthropic.com` `/v1/models?limit=1` | `ANTHROPIC_API_KEY` |
    | `openai` | `GET https://api.openai.com/v1` `/models` | `OPENAI_API_KEY` |
    | `hubspot` | `GET https://api.hubapi.com` `/account-info/v3/details` | `HUBSPOT_API_KEY`, `HUBSPOT_ACCESS_TOKEN` |
    | `sendgrid` | `GET https://api.sendgrid.com` `/v3/scopes` | `SENDGRID_API_KEY` |
    | `stripe` | `GET https://api.stripe.com` `/v1/balance` | `STRIPE_API_KEY`, `STRIPE_SECRET_KEY` |
    | `github` | `GET https://api.github.com` `/rate_limit` | `GITHUB_TOKEN`, not needed |
    | `slack` | `POST https://slack.com/api` `/auth.test`, without a key `/api.test` | `SLACK_BOT_TOKEN`, not needed |

    Without the key that it needs the check is UNKNOWN/unconfigured. A key that is refused, or may not ask for this
    (401, 403), is FAIL/auth: a restricted key needs the right to read models (OpenAI) or the balance (Stripe), or
    `expect_status: [200, 403]`. Asked too often (429) is WARN/resource, for the service is there. Any other status is
    FAIL/status, and so is a redirect, which is not followed: the key goes to no other host. An answer that is not that
    service's, as from a proxy's log-in page, is FAIL/content.

    `url` is asked in place of the service, and is sent the key: a proxy, a region such as
    `https://api.eu.sendgrid.com`, a GitHub Enterprise Server as `https://HOST/api/v3`.
    """

    example: ClassVar[str] = """\
- name: language model
  type: service
  service: anthropic
  every: 5m
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["service"]
    service: ServiceName = Field(description="anthropic, openai, hubspot, sendgrid, stripe, github or slack")
    url: Annotated[WebUrl, AfterValidator(_base_url)] | None = Field(
        None, description="address in place of the service's own, up to where the table has a gap"
    )
    key: Annotated[SecretStr, BeforeValidator(_key)] | None = Field(
        None, description="key in place of the variable's; write it as `${VARIABLE}`"
    )
    expect_status: HttpCodes = Field((), description="accepted status: a code, `2xx`, `200-204` or a list; or 200")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    verify: bool = Field(True, description="https: the certificate must be valid")
    ca_file: str | None = Field(None, description="https: trust this CA bundle instead of the system's")
    server_name: OneLine | None = Field(
        None, min_length=1, description="https: ask for this name and expect its certificate, instead of the URL's host"
    )

    @property
    def target(self) -> str:
        return f"{self.service} at {self.url}" if self.url else self.service
