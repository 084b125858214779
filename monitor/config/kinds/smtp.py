"""`type: smtp`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from monitor.config.endpoint import Host, Port, host_and_port
from monitor.config.fields import Number, OneLine, Regex, Secret
from monitor.config.kinds.tls import CertificateCheck
from monitor.model import Category


def _off(value: object) -> object:
    # Unquoted, YAML reads off as false.
    return "off" if value is False else value


class SmtpCheck(CertificateCheck):
    """Greet a mail server, with TLS if you like, and log in if you like. No mail is sent.

    A greeting other than 220 and a reply of 4xx or 5xx are FAIL/status, a refused login is FAIL/auth. With TLS the
    certificate is judged as `type: tls` does, its days too; for a server that shows one of its own making, as many do
    on port 25, say `verify: false`.

    The password is only sent over TLS (PLAIN or LOGIN).
    """

    example: ClassVar[str] = """\
- name: mail submission
  type: smtp
  host: mail.example
  port: 587
  starttls: required
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["smtp"]
    host: Host = Field(description="name or address")
    port: Port = Field(25, description="port; 587 for submission, 465 with `tls`")
    starttls: Annotated[Literal["off", "required", "if_offered"], BeforeValidator(_off)] = Field(
        "off", description="whether to go over to TLS: `off`, `required`, or `if_offered`"
    )
    tls: bool = Field(False, description="TLS from the first byte, as on port 465")
    verify: bool = Field(True, description="TLS: the certificate must be valid")
    ca_file: str | None = Field(None, min_length=1, description="TLS: trust this CA bundle instead of the system's")
    server_name: Host | None = Field(
        None, description="TLS: ask for this name and expect its certificate, instead of the host's"
    )
    warn_days: Number | None = Field(
        21,
        ge=0,
        description="TLS: a certificate with fewer days left is WARN; unless `warn_days` or `crit_days` is named, at "
        "most a quarter of its life",
    )
    crit_days: Number | None = Field(7, ge=0, description="TLS: fewer days left are FAIL; unnamed, at most a twelfth")
    username: OneLine | None = Field(None, min_length=1, description="log in as this user")
    password: Secret | None = Field(None, description="password; write it as `${VARIABLE}`")
    expect_contains: str | None = Field(None, min_length=1, description="text that must be in the greeting")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in the greeting")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN: everything together")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _fits_together(self) -> SmtpCheck:
        if self.tls and self.starttls != "off":
            raise ValueError(f"expected one of tls and starttls, got tls: true and starttls: {self.starttls}")
        if (self.username is None) != (self.password is None):
            raise ValueError("expected username and password together")
        if self.username is not None and not self.tls and self.starttls != "required":
            raise ValueError("expected starttls: required or tls: true beside username and password")
        return self

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.port)
