"""`type: http`."""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from monitor.config.assertions import Body, FinalUrl, HeaderRule, JsonRules, PhaseLimits
from monitor.config.checkbase import CheckBase
from monitor.config.credentials import BasicAuth, OAuth2
from monitor.config.fields import (
    Block,
    Count,
    Expression,
    HeaderName,
    HttpCodes,
    HttpMethod,
    Many,
    Number,
    OneLine,
    Secret,
    WebUrl,
    Wording,
)
from monitor.model import Category

BODIES = ("body", "json", "form", "body_file")
CREDENTIALS = ("basic", "bearer", "oauth2")


def _http_version(value: object) -> object:
    # Unquoted, YAML reads 1.1 and 2 as numbers.
    return str(value).removesuffix(".0") if value in (2, 3, "2.0", "3.0") else str(value)


def _proxy(value: str) -> str:
    if not re.fullmatch(r"(?:https?|socks4a?|socks5h?)://\S+", value, re.IGNORECASE):
        raise ValueError("expected a proxy such as http://proxy:3128 or socks5h://proxy:1080")
    return value


HttpVersion = Annotated[
    Literal["1.0", "1.1", "2", "3"],
    BeforeValidator(_http_version),
    WithJsonSchema({"enum": ["1.0", "1.1", "2", "3", 1.0, 1.1, 2, 3]}),
]


class HttpKeys(Block):
    """What one request asks and expects: the keys that an http check shares with each step of a `steps` check."""

    url: WebUrl = Field(description="what to ask for")
    query: dict[str, Wording] = Field(default_factory=dict, description="parameters that are added to the URL")
    method: HttpMethod = Field("GET", description="HTTP method")
    headers: dict[HeaderName, OneLine] = Field(default_factory=dict, description="headers to send")
    body: str | None = Field(None, description="text to send")
    json_: Any = Field(None, alias="json", description="a value to send as JSON")
    form: dict[str, Wording] | None = Field(None, description="fields to send as a form")
    body_file: str | None = Field(None, min_length=1, description="file to send, beside the configuration")
    basic: BasicAuth | None = Field(None, description="user name and password")
    bearer: Secret | None = Field(None, description="token for `Authorization: Bearer`; write it as `${VARIABLE}`")
    client_cert: str | None = Field(None, min_length=1, description="https: file of our own certificate (PEM)")
    client_key: str | None = Field(None, min_length=1, description="file of its key, when it is not in the same file")
    proxy: Annotated[str, AfterValidator(_proxy)] | None = Field(
        None, description="`http://`, `https://` or `socks5h://` proxy to go through"
    )
    keep_alive: bool = Field(False, description="use the last probe's connection when it is still open")
    http_version: HttpVersion | None = Field(None, description="1.0, 1.1, 2 or 3: ask by it, and expect it")
    follow_redirects: bool = Field(True, description="go where a 3xx points")
    max_redirects: Count = Field(5, le=50, description="at most so many hops")
    verify: bool = Field(True, description="https: the certificate must be valid")
    ca_file: str | None = Field(None, description="https: trust this CA bundle instead of the system's")
    server_name: OneLine | None = Field(
        None, min_length=1, description="https: ask for this name and expect its certificate, instead of the URL's host"
    )
    expect_status: HttpCodes = Field(
        (), description="accepted status: a code, `2xx`, `200-204` or a list; without it any of 200 to 299"
    )
    final_url: FinalUrl | None = Field(None, description="where redirects must have led: a URL, or a block of rules")
    expect_headers: Many[HeaderRule] = Field((), description="rules on headers of the answer")
    expect_body: Body | None = Field(None, description="texts that stand in the body, or do not")
    expect_jsonpath: JsonRules = Field((), description="rules on the JSON answer, all must hold")
    expect: Expression | None = Field(
        None,
        description="condition in CEL that must be true; `map` or `filter` over more than about 500 objects is FAIL",
    )
    min_body_bytes: Count = Field(0, description="a shorter decoded body is FAIL")
    max_body_bytes: Count = Field(1_000_000, ge=1, description="a longer decoded body is cut; rules on it fail")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    phases: PhaseLimits | None = Field(None, description="limits of name look-up, connect, TLS and first byte")
    warn_days: Number | None = Field(
        21,
        ge=0,
        description="https: a certificate with fewer days left is WARN; unless a limit of days is named, at most a "
        "quarter of its life; an unverified one only if a limit is named",
    )
    crit_days: Number | None = Field(
        7, ge=0, description="https: fewer days left are FAIL; unless a limit of days is named, at most a twelfth"
    )


class HttpCheck(HttpKeys, CheckBase):
    """Ask a URL and judge the answer.

    A new connection and a full TLS handshake each time, unless `keep_alive`; one deadline over name look-up, connect,
    TLS, redirects and body. Proxy variables of the environment are not used. Credentials are not sent to another host
    when a redirect leads there.

    All that is expected must hold. What cannot be judged fails: a body that is cut or no JSON, a value that is missing
    or of another type, a charset that is not the text's. FAIL by status is `status` (401 and 407: `auth`), by anything
    in the answer `content`, by the certificate `tls`, by time `slow`.

    `expect` is a condition in CEL, such as `status == 200 && json.depth < json.limit`. It knows `status`, `headers`
    (a map; names in lower case), `body` (the text), `json` (the document), `latency_ms`, `phases` (a map of ms), `size`
    (bytes of the body), `cert_days`, `final_url`, `http_version` and `now`. Anything but true is FAIL: an error, a
    missing field or a number, too. `has(json.a)` asks whether a field is there.
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
    oauth2: OAuth2 | None = Field(None, description="client whose token is sent")

    @property
    def target(self) -> str:
        return self.url

    @cached_property
    def accepted(self) -> tuple[tuple[int, int], ...]:
        """First and last code of each accepted range."""
        return tuple(map(_range, self.expect_status)) or ((200, 299),)

    @property
    def wants_certificate(self) -> bool:
        """Whether the days of the certificate are judged: by default of those that are verified."""
        limits = {self.warn_days, self.crit_days} - {None}
        return bool(limits) and (self.verify or self.names_days)

    @property
    def names_days(self) -> bool:
        """Whether the file itself sets a limit of days."""
        return any(getattr(self, key) is not None for key in ("warn_days", "crit_days") if key in self.model_fields_set)

    @model_validator(mode="after")
    def _fits_together(self) -> HttpCheck:
        _at_most_one(self, BODIES)
        _at_most_one(self, CREDENTIALS)
        if any(name.lower() == "authorization" for name in self.headers) and self.model_fields_set & {*CREDENTIALS}:
            raise ValueError("expected credentials once, got the header Authorization beside basic, bearer or oauth2")
        if self.client_key and not self.client_cert:
            raise ValueError("expected client_cert beside client_key")
        if self.min_body_bytes > self.max_body_bytes:
            raise ValueError(f"expected min_body_bytes up to max_body_bytes ({self.max_body_bytes})")
        return self


def _at_most_one(check: HttpCheck, keys: tuple[str, ...]) -> None:
    fields = {"json": "json_"}
    found = [key for key in keys if fields.get(key, key) in check.model_fields_set]
    if len(found) > 1:
        raise ValueError(f"expected at most one of {', '.join(keys)}, got {' and '.join(found)}")


def _range(codes: int | str) -> tuple[int, int]:
    if isinstance(codes, int):
        return codes, codes
    if codes.endswith("xx"):
        return int(codes[0]) * 100, int(codes[0]) * 100 + 99
    first, _, last = codes.partition("-")
    return int(first), int(last)
