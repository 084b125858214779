"""`type: websocket`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import HeaderName, Number, OneLine, Regex
from monitor.model import Category

# What any connection takes in one go.
_LONGEST_BYTES = 16_000


def _websocket_url(value: str) -> str:
    if not re.fullmatch(r"wss?://[^\s/?#]+(?:[/?]\S*)?", value, re.IGNORECASE):
        raise ValueError(f"expected a URL such as wss://host/path, got {value!r}")
    return value


def _token(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", value):
        raise ValueError(f"expected the name of a subprotocol such as mqtt, got {value!r}")
    return value


class WebsocketCheck(CheckBase):
    """Open a WebSocket, say something, and judge what is said.

    The server must agree to the upgrade (RFC 6455) with the right `Sec-WebSocket-Accept`, and to `subprotocol` where
    one is asked for. Any other status is FAIL/status; 401, 403 and 407 are FAIL/auth.

    With `expect_contains` or `expect_matches` one of the messages that come before the deadline must hold, whatever
    stands before it; pings are answered. None at all is FAIL/timeout, only others FAIL/content; at most 1 MB of them
    are read. When the server closes instead, its code and reason are shown: FAIL/status, and FAIL/auth for 1008, 3000
    and 3003.
    """

    example: ClassVar[str] = """\
- name: live prices
  type: websocket
  url: wss://shop.example/live
  send: '{"op": "ping"}'
  expect_contains: pong
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["websocket"]
    url: Annotated[str, AfterValidator(_websocket_url)] = Field(description="`ws://` or `wss://`")
    headers: dict[HeaderName, OneLine] = Field(default_factory=dict, description="headers to send with the upgrade")
    subprotocol: Annotated[str, AfterValidator(_token)] | None = Field(
        None, description="subprotocol to ask for; the server must choose it"
    )
    send: str | None = Field(None, description="text message to send")
    expect_contains: str | None = Field(None, min_length=1, description="text that must be in a message")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in a message")
    verify: bool = Field(True, description="wss: the certificate must be valid")
    ca_file: str | None = Field(None, description="wss: trust this CA bundle instead of the system's")
    warn_ms: Number | None = Field(None, gt=0, description="slower, from look-up to the message, is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _can_be_sent(self) -> WebsocketCheck:
        if self.send is not None and len(self.send.encode()) > _LONGEST_BYTES:
            raise ValueError(f"expected at most {_LONGEST_BYTES} bytes to send, got {len(self.send.encode())}")
        for name in self.headers:
            if name.lower().startswith("sec-websocket-") or name.lower() in ("upgrade", "connection"):
                raise ValueError(f"expected headers beside those of the upgrade itself (subprotocol), got {name}")
        return self

    @property
    def wants_message(self) -> bool:
        return self.expect_contains is not None or self.expect_matches is not None

    @property
    def target(self) -> str:
        return self.url
