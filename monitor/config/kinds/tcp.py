"""`type: tcp`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host, Payload, Port, host_and_port
from monitor.config.fields import Number, Regex
from monitor.model import Category


class TcpCheck(CheckBase):
    r"""Connect to a TCP port; send something and judge what comes back, if you like.

    Without an expectation a connection (with `tls` a handshake) is enough, and nothing is read. With
    `expect_contains` or `expect_matches` it reads until both hold: at most 64 KiB, and at most until the deadline or
    the peer's close. Silence is FAIL/timeout, an answer in which they do not hold FAIL/content.

    `send` and `expect_contains` know `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH`. In an answer that is not UTF-8 a pattern
    finds a byte by `\xHH`. Days of a certificate are judged by `type: tls`.
    """

    example: ClassVar[str] = r"""- name: memcached
  type: tcp
  host: cache.example
  port: 11211
  send: 'version\r\n'
  expect_contains: VERSION
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["tcp"]
    host: Host = Field(description="name or address")
    port: Port = Field(description="port")
    send: Payload | None = Field(None, description="text to send, with escapes")
    expect_contains: Payload | None = Field(None, min_length=1, description="text with escapes that must come")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in what comes")
    tls: bool = Field(False, description="make a TLS handshake first")
    verify: bool = Field(True, description="tls: the certificate must be valid")
    ca_file: str | None = Field(None, min_length=1, description="tls: trust this CA bundle instead of the system's")
    server_name: Host | None = Field(
        None, description="tls: ask for this name and expect its certificate, instead of the host's"
    )
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN: everything up to what is expected")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _tls_for_its_keys(self) -> TcpCheck:
        named = {"verify", "ca_file", "server_name"} & self.model_fields_set
        if named and not self.tls:
            raise ValueError(f"expected tls: true beside {' and '.join(sorted(named))}")
        return self

    @property
    def wants_answer(self) -> bool:
        return self.expect_contains is not None or self.expect_matches is not None

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port)
