"""A name to addresses within a deadline, for probes that open their own datagram sockets.

    an address ─▶ itself     localhost ─▶ 127.0.0.1     /etc/hosts     A, then AAAA, from the system's name servers

`getaddrinfo` cannot be ended: a resolver that says nothing would hold the probe's thread beyond every deadline. What
only the C library knows (NIS, mDNS, names of containers from nss modules) is not found here.
"""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import dns.exception
import dns.resolver

from monitor.config.endpoint import is_address
from monitor.model import Kind
from monitor.probes.curl import exhausted
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration, plain

_HOSTS = Path("/etc/hosts") if os.name != "nt" else Path(os.environ["SYSTEMROOT"], "System32/drivers/etc/hosts")


def resolve(host: str, timeout_s: float) -> str:
    """Return an address of the host, IPv4 if it has one that can be reached from here; ProbeFailed without one.

    Ends within `timeout_s`.
    """
    found = _known(host) or _asked(host, timeout_s)
    return next((address for address in found if _has_route(address)), found[0])


def _known(host: str) -> list[str]:
    """Return what is known without asking: in the order IPv4, IPv6."""
    if is_address(host):
        return [host]
    name = host.rstrip(".").lower()
    listed = _from_hosts_file(name)
    if not listed and (name == "localhost" or name.endswith(".localhost")):
        return ["127.0.0.1", "::1"]
    return sorted(listed, key=lambda address: ":" in address)


def _from_hosts_file(name: str) -> list[str]:
    try:
        text = _HOSTS.read_text("utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows = (line.partition("#")[0].split() for line in text.splitlines())
    return [row[0] for row in rows if name in (alias.lower() for alias in row[1:]) and is_address(row[0])]


def _asked(host: str, timeout_s: float) -> list[str]:
    give_up_at = time.monotonic() + timeout_s
    try:
        resolver = dns.resolver.Resolver()
        for record in ("A", "AAAA"):
            left_s = give_up_at - time.monotonic()
            answer = resolver.resolve(host, record, search=True, lifetime=left_s, raise_on_no_answer=False)
            if answer.rrset:
                return [str(row) for row in answer]
    except dns.resolver.NoResolverConfiguration as error:
        raise ProbeFailed(Kind.DNS, "no name server is configured (/etc/resolv.conf)") from error
    except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN) as error:
        raise ProbeFailed(Kind.DNS, f"the name {plain(host, 100)} does not exist") from error
    except dns.exception.Timeout as error:
        what = f"the name look-up did not end within {format_duration(timeout_s)}"
        raise ProbeFailed(Kind.TIMEOUT, what) from error
    except dns.resolver.NoNameservers as error:
        ours = exhausted()
        if ours:
            raise OSError(ours, os.strerror(ours)) from error
        raise ProbeFailed(Kind.DNS, f"no name server could look up {plain(host, 100)}") from error
    except dns.exception.DNSException as error:
        raise ProbeFailed(Kind.DNS, f"{plain(host, 100)} cannot be looked up: {plain(str(error), 100)}") from error
    raise ProbeFailed(Kind.DNS, f"the name {plain(host, 100)} has no address")


def _has_route(address: str) -> bool:
    """Return whether this machine knows a way there. Connecting a datagram socket sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((address, 9))
    except OSError:
        return False
    return True
