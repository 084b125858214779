"""`type: ssh`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host, Port, host_and_port
from monitor.config.fields import Number, Regex
from monitor.model import Category


class SshCheck(CheckBase):
    """Read the identification of an SSH server (RFC 4253); nobody logs in.

    Version 2.0 and 1.99 (both) are OK, any other is FAIL/protocol. Lines before the identification are passed over.
    OpenSSH from 9.8 on holds back addresses that connect often without logging in: leave `every` at 5 s or more, or
    name Greenwall's address in its `PerSourcePenaltyExemptList`.
    """

    example: ClassVar[str] = """\
- name: bastion
  type: ssh
  host: bastion.example
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["ssh"]
    host: Host = Field(description="name or address")
    port: Port = Field(22, description="port")
    expect_contains: str | None = Field(None, min_length=1, description="text that must be in the identification")
    expect_matches: Regex | None = Field(
        None, description="regular expression (RE2) that must match in the identification"
    )
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port)
