"""`type: tls`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host, Port, host_and_port
from monitor.config.fields import Many, Number, OneLine
from monitor.model import Category


def _fingerprint(value: str) -> str:
    digits = value.lower().replace(":", "").replace(" ", "").removeprefix("sha256")
    if not re.fullmatch(r"[0-9a-f]{64}", digits):
        raise ValueError(f"expected a SHA-256 fingerprint of 64 hexadecimal digits, got {value!r}")
    return digits


Fingerprint = Annotated[str, AfterValidator(_fingerprint)]


class CertificateCheck(CheckBase):
    """A check with `warn_days` and `crit_days` of a certificate."""

    @property
    def has_default_days(self) -> bool:
        """Whether the limits of days are nobody's choice for this certificate."""
        return not {"warn_days", "crit_days"} & self.model_fields_set


class TlsCheck(CertificateCheck):
    """Make a TLS handshake and judge the certificates: trust, name, days left, issuer, fingerprint.

    The days are those of the certificate that ends first on the way from the server's own to a trusted root. Roots,
    certificates that belong to no other one, and cross-signed ones of a root that is trusted itself do not count,
    whatever the server sends. Unless the file names `warn_days` or `crit_days`, they are at most a quarter and a
    twelfth of a certificate's life, so that one of a few days is not WARN all the time.

    `starttls` talks in plain text first. With `verify: false` neither trust nor name is looked at, but the days are.
    """

    example: ClassVar[str] = """\
- name: certificate of the shop
  type: tls
  host: shop.example
  warn_days: 21
  crit_days: 7
"""
    trouble: ClassVar[Category] = Category.SECURITY

    type: Literal["tls"]
    host: Host = Field(description="name or address")
    port: Port = Field(443, description="port; must be named beside `starttls`")
    server_name: Host | None = Field(
        None, description="ask for this name and expect its certificate, instead of the host's"
    )
    starttls: Literal["smtp", "imap", "pop3", "postgres", "ftp"] | None = Field(
        None, description="protocol in which to ask for TLS first"
    )
    verify: bool = Field(True, description="the certificate must be valid")
    ca_file: str | None = Field(None, min_length=1, description="trust this CA bundle instead of the system's")
    warn_days: Number | None = Field(
        21, ge=0, description="fewer days left are WARN; unnamed, at most a quarter of its life"
    )
    crit_days: Number | None = Field(7, ge=0, description="fewer days left are FAIL; unnamed, at most a twelfth of it")
    issuer: OneLine | None = Field(None, min_length=1, description="text that must be in the name of an issuer")
    fingerprint: Many[Fingerprint] = Field(
        (), description="SHA-256 fingerprint that it must have; several: one of them"
    )
    fingerprint_change: bool = Field(False, description="a certificate that was not seen before is WARN, once")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN: look-up, connect and handshake together")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _has_its_port(self) -> TlsCheck:
        if self.starttls and "port" not in self.model_fields_set:
            raise ValueError(f"expected port beside starttls: {self.starttls}, got none")
        return self

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port)
