"""`type: grpc`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host, Port, host_and_port
from monitor.config.fields import Number
from monitor.model import Category


class GrpcCheck(CheckBase):
    """Ask a gRPC server's health service (grpc.health.v1) whether it is serving.

    It needs `pip install -r requirements-extra.txt`; without it the check is UNKNOWN/unconfigured. SERVING is OK,
    anything else FAIL/status. A server without the health service is FAIL/protocol, one that does not know `service`
    FAIL/status. A new connection each time, to an IPv4 address where the name has one; proxy variables of the
    environment are not used. The certificate is always verified.
    """

    example: ClassVar[str] = """\
- name: orders api
  type: grpc
  host: orders.example
  port: 443
  tls: true
  service: shop.Orders
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["grpc"]
    host: Host = Field(description="name or address")
    port: Port = Field(description="port")
    service: str = Field("", max_length=500, description="service to ask about; without it the server as a whole")
    tls: bool = Field(False, description="true: encrypt, and verify the certificate")
    ca_file: str | None = Field(None, description="tls: trust this CA bundle instead of the system's")
    server_name: Host | None = Field(None, description="tls: ask for and expect this name instead of `host`")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port) + (f" {self.service}" if self.service else "")
