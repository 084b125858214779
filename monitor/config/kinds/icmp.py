"""`type: icmp`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host
from monitor.config.fields import Count, Duration, Number
from monitor.model import Category


class IcmpCheck(CheckBase):
    """Ping a host and judge loss and round trip time.

    No privileges are needed where the system allows pings to the group that Greenwall runs in:
    `sysctl -w net.ipv4.ping_group_range="0 2147483647"` (for IPv6 as well). Else root or CAP_NET_RAW will do, and
    without either the check is UNKNOWN/unconfigured.

    No answer at all is FAIL/timeout; a router that says that there is no way, FAIL/connect. A firewall may drop pings
    to a host that is well: check its services, too. Of a name with IPv4 and IPv6 addresses an IPv4 one is pinged.
    """

    example: ClassVar[str] = """\
- name: router
  type: icmp
  host: 127.0.0.1
  packets: 5
  warn_loss_percent: 0
  crit_loss_percent: 50
  warn_ms: 50
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["icmp"]
    host: Host = Field(description="name or address")
    packets: Count = Field(3, ge=1, le=100, description="how many pings")
    interval: Duration = Field(0.2, description="time between two of them")
    warn_loss_percent: Number | None = Field(None, ge=0, lt=100, description="more loss is WARN; 0: any loss")
    crit_loss_percent: Number | None = Field(
        None, ge=0, lt=100, description="more loss is FAIL; without it only the loss of all"
    )
    warn_ms: Number | None = Field(None, gt=0, description="a longer average round trip is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="a longer average round trip is FAIL")

    @model_validator(mode="after")
    def _has_time(self) -> IcmpCheck:
        if "timeout" in self.model_fields_set and self.needed_s >= self.timeout:
            text = f"expected a timeout of more than {self.needed_s:g} s for all packets, got {self.timeout:g} s"
            raise ValueError(text)
        return self

    @property
    def needed_s(self) -> float:
        """The time from the first ping to the last."""
        return (self.packets - 1) * self.interval

    @property
    def target(self) -> str:
        return self.host
