"""A name to addresses within a deadline, as the system looks it up: hosts file, search domains, mDNS, NIS, everything.

`getaddrinfo` cannot be ended: it runs in the threads of `Names`, which are bounded, and is not waited for any longer.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future

from monitor.config.endpoint import is_address
from monitor.model import Kind
from monitor.probes.curl import exhausted_by
from monitor.probes.curl.names import Names, is_name
from monitor.probes.deadline import Deadline
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration, plain

_names = Names()
_NO_SUCH_NAME = {socket.EAI_NONAME: "does not exist", getattr(socket, "EAI_NODATA", None): "has no address"}


def look_up(host: str, deadline: Deadline) -> list[str]:
    """Return the addresses in the order in which to try them, IPv6 in brackets; OSError when there are none.

    Raises ProbeFailed with Kind.TIMEOUT when the look-up has not ended by the deadline.
    """
    answer: Future[list[str] | OSError] = Future()
    _names.look_up(host, answer.set_result)
    try:
        found = answer.result(deadline.left_s)
    except TimeoutError as error:
        what = f"the name look-up did not end within {format_duration(deadline.timeout_s)}"
        raise ProbeFailed(Kind.TIMEOUT, what) from error
    if isinstance(found, OSError):
        raise found
    return found


def resolve(host: str, deadline: Deadline) -> str:
    """Return an address of the host, IPv4 if it has one that can be reached from here; ProbeFailed without one."""
    if is_address(host):
        return host
    found = sorted((address.strip("[]") for address in _found(host, deadline)), key=lambda address: ":" in address)
    return next((address for address in found if _has_route(address)), found[0])


def _found(host: str, deadline: Deadline) -> list[str]:
    if not is_name(host):
        return ["127.0.0.1", "[::1]"]  # localhost
    try:
        return look_up(host, deadline)
    except OSError as error:
        ours = exhausted_by(error)
        if ours:
            raise OSError(ours, os.strerror(ours)) from error
        name = plain(host, 100)
        why = _NO_SUCH_NAME.get(error.errno)
        what = f"the name {name} {why}" if why else f"{name} cannot be looked up: {plain(str(error.strerror), 100)}"
        raise ProbeFailed(Kind.DNS, what) from error


def _has_route(address: str) -> bool:
    """Return whether this machine knows a way there. Connecting a datagram socket sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as way:
            way.connect((address, 9))
    except OSError:
        return False
    return True
