"""`type: udp`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import HexBytes, Host, Payload, Port, host_and_port, unescape
from monitor.config.fields import Number, Regex
from monitor.model import Category

# What fits into one datagram of IPv4.
_LARGEST_BYTES = 65507


class UdpCheck(CheckBase):
    r"""Send a datagram and judge the first one that comes back.

    With `expect_contains`, `expect_hex` or `expect_matches` an answer must come, and silence is FAIL/timeout; the
    datagram is sent again every 2 s, since one may get lost. Without them only a closed port is FAIL/connect, and only
    where no firewall swallows the refusal: the silence of UDP proves nothing, and such a check is OK after one second
    of it. Expect something wherever the service answers at all.

    `send` and `expect_contains` know `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH`. In an answer that is not UTF-8 a pattern
    finds a byte by `\xHH`. A name is looked up as the system does it: hosts file,
    search domains, name servers, mDNS.
    """

    example: ClassVar[str] = r"""- name: game server
  type: udp
  host: game.example
  port: 27015
  send: '\xff\xff\xff\xffTSource Engine Query\0'
  expect_contains: '\xff\xff\xff\xff'
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["udp"]
    host: Host = Field(description="name or address")
    port: Port = Field(description="port")
    send: Payload | None = Field(None, description="text to send, with escapes; an empty datagram without it")
    send_hex: HexBytes | None = Field(None, description='bytes to send, such as "ff ff 00", in place of `send`')
    expect_contains: Payload | None = Field(None, description="text with escapes that must be in the answer")
    expect_hex: HexBytes | None = Field(None, description="bytes that must be in the answer")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in the answer")
    warn_ms: Number | None = Field(None, gt=0, description="a slower answer is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="a slower answer is FAIL")

    @model_validator(mode="after")
    def _can_be_sent(self) -> UdpCheck:
        if self.send is not None and self.send_hex is not None:
            raise ValueError("expected one of `send` and `send_hex`, got both")
        if len(self.datagram) > _LARGEST_BYTES:
            raise ValueError(f"expected at most {_LARGEST_BYTES} bytes to send, got {len(self.datagram)}")
        if not self.wants_answer and (self.warn_ms is not None or self.crit_ms is not None):
            raise ValueError("expected an expectation such as expect_contains beside warn_ms or crit_ms, got none")
        return self

    @property
    def datagram(self) -> bytes:
        return bytes.fromhex(self.send_hex) if self.send_hex is not None else unescape(self.send or "")

    @property
    def wants_answer(self) -> bool:
        return any(e is not None for e in (self.expect_contains, self.expect_hex, self.expect_matches))

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port)
