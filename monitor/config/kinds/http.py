"""`type: http`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.assertions import JsonRule
from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, HttpCodes, Number, WebUrl
from monitor.model import Category


class HttpCheck(CheckBase):
    """Ask a URL and judge the answer.

    A new connection and a full TLS handshake each time; one deadline over name look-up, connect, TLS, redirects and
    body. Proxy variables of the environment are not used.
    """

    example: ClassVar[str] = """\
- name: shop
  type: http
  url: https://shop.example/health
  expect_jsonpath:
    - {path: $.status, equals: ok}
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["http"]
    url: WebUrl = Field(description="what to ask for")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="HTTP method"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="headers to send")
    body: str | None = Field(None, description="body to send")
    expect_status: HttpCodes = Field((), description="accepted status code or codes; without it any of 200 to 299")
    expect_jsonpath: tuple[JsonRule, ...] = Field((), description="rules on the JSON answer, all must hold")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    follow_redirects: bool = Field(True, description="go where a 3xx points, at most 5 hops")
    verify: bool = Field(True, description="https: the certificate must be valid")
    ca_file: str | None = Field(None, description="https: trust this CA bundle instead of the system's")
    max_body_bytes: Count = Field(1_000_000, ge=1, description="a longer decoded body is cut; rules on it fail")

    @property
    def target(self) -> str:
        return self.url
