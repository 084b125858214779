"""`type: dns`."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import is_address
from monitor.config.fields import Count, Duration, Many, Number
from monitor.model import Category

Record = Literal[
    "A", "AAAA", "CAA", "CNAME", "DNSKEY", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "SSHFP", "SVCB",
    "TLSA", "TXT",
]  # fmt: skip
Rcode = Literal["NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP"]
Match = Literal["all", "any", "only", "exactly", "none"]
_HELP = "expected an address, with or without a port: 10.0.0.53, 10.0.0.53:5353 or [::1]:5353"


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def split_resolver(text: str) -> tuple[str, int]:
    """Return address and port of `10.0.0.53`, `10.0.0.53:5353`, `::1` or `[::1]:5353`; ValueError for anything else."""
    if is_address(text):
        return text, 53
    parts = re.fullmatch(r"(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?", text)
    if parts is None:
        raise ValueError(f"{_HELP}, got {text!r}")
    address, port = parts[1] or parts[2] or "", int(parts[3] or 53)
    if not is_address(address) or not 1 <= port <= 65535:
        raise ValueError(f"{_HELP}, got {text!r}")
    return address, port


def _resolver(value: str) -> str:
    split_resolver(value)
    return value


def _query(value: str) -> str:
    labels = value.rstrip(".").split(".")
    named = is_address(value) or value == "." or all(0 < len(label.encode()) <= 63 for label in labels)
    if not named or len(value.encode()) > 253 or not value.isprintable() or re.search(r"[\s/]", value):
        raise ValueError(f"expected a name to look up such as shop.example, got {value!r}")
    return value


class DnsCheck(CheckBase):
    """Ask a name server for a record and judge the answer.

    One deadline over all tries; a lost datagram is sent again, and a cut answer is asked for again over TCP. Without
    `resolver` the name servers of `/etc/resolv.conf` are asked in their order, the next one when one is silent or
    fails; its search list is not used: the name is asked for as it stands.

    Answers are compared as text in the form of zone files (`10 mail.example`); case and the dot at the end of names do
    not count, and the pieces of a TXT record are one text. CNAMEs on the way are followed. `match` says how `expect`
    is meant: `all` of it must be among the answers, `any` one of it, `only` it may be there, the answers are `exactly`
    it, or `none` of it. An answer without such a record is FAIL unless `min_answers: 0`.

    An error of the server (SERVFAIL, REFUSED, an unexpected NXDOMAIN) is FAIL/dns, silence FAIL/timeout. A resolver
    counts TTLs down: ask the zone's own server for `min_ttl`.
    """

    example: ClassVar[str] = """\
- name: shop's address
  type: dns
  query: shop.example
  record: A
  resolver: 127.0.0.53
  expect: [10.0.0.80, 10.0.0.81]
  match: only
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["dns"]
    query: Annotated[str, AfterValidator(_query)] = Field(
        description="name to look up; for PTR an address will do, too"
    )
    record: Annotated[Record, BeforeValidator(_upper)] = Field("A", description="record type: A, AAAA, MX, TXT, …")
    resolver: Annotated[str, AfterValidator(_resolver)] | None = Field(
        None, description="address, or address:port, of the server to ask; without it the system's"
    )
    rcode: Annotated[Rcode, BeforeValidator(_upper)] = Field("NOERROR", description="how the server must answer")
    expect: Many[str] = Field((), description="answers that are expected, as zone files write them")
    match: Match = Field("all", description="how `expect` is meant: all, any, only, exactly or none")
    min_answers: Count | None = Field(None, description="fewer is FAIL; 1 without it when the rcode is NOERROR")
    max_answers: Count | None = Field(None, description="more is FAIL")
    min_ttl: Duration | None = Field(None, description="a shorter time to live is FAIL")
    changed: bool = Field(False, description="true: WARN once when the answers are not those of the last verdict")
    tcp: bool = Field(False, description="true: ask over TCP at once")
    dnssec: bool = Field(False, description="true: the server must say that it validated the answer (AD flag)")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _can_hold(self) -> DnsCheck:
        if "match" in self.model_fields_set and not self.expect:
            raise ValueError(f"expected `expect` beside match: {self.match}, got none")
        if self.rcode != "NOERROR" and self.expect:
            raise ValueError(f"expected no `expect` beside rcode: {self.rcode}, which has no answers")
        if self.max_answers is not None and self.max_answers < self.fewest:
            raise ValueError(f"expected max_answers to be at least {self.fewest} (min_answers), got {self.max_answers}")
        if is_address(self.query) and self.record != "PTR":
            raise ValueError(f"expected record: PTR for the address {self.query}, got {self.record}")
        return self

    @property
    def fewest(self) -> int:
        """The least number of answers: `max_answers: 0` alone asks for none."""
        if self.min_answers is not None:
            return self.min_answers
        return int(self.rcode == "NOERROR" and self.max_answers != 0)

    @property
    def target(self) -> str:
        return f"{self.query} {self.record}" + (f" @{self.resolver}" if self.resolver else "")
