"""Why there is no answer: curl's error as a kind, and a sentence that says where the probe was."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack

import pycurl

from monitor.model import Kind
from monitor.probes.curl.reading import chain_of, phases_of, redirected_to
from monitor.probes.curl.request import FetchFailed, Request
from monitor.units import format_duration, plain

_TLS_ERRORS = {35, 51, 53, 54, 58, 59, 60, 64, 66, 80, 82, 83, 90, 91, 98}
# 77: our own file of trusted certificates cannot be read, so that the target's cannot be judged.
_KINDS = {
    5: Kind.DNS,
    6: Kind.DNS,
    7: Kind.CONNECT,
    28: Kind.TIMEOUT,
    67: Kind.AUTH,
    2: Kind.INTERNAL,
    27: Kind.INTERNAL,
    77: Kind.INTERNAL,
}
_KINDS |= dict.fromkeys(_TLS_ERRORS, Kind.TLS)
# The machine that Greenwall runs on is exhausted: no fault of the target.
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# What a probe holds at once at most: the connection, a look-up and its wake-up pair, the file of certificates.
_DESCRIPTORS = 5


def kind_of_error(code: int) -> Kind:
    """Return the kind of failure that a `CURLE_…` code stands for."""
    return _KINDS.get(code, Kind.PROTOCOL)


def failure(
    curl: pycurl.Curl, request: Request, code: int, detail: str, header_block: tuple[bytes, ...] = ()
) -> FetchFailed:
    """Return why the exchange on this handle gave no answer."""
    phases = phases_of(curl, request)
    address = curl.getinfo(pycurl.PRIMARY_IP) or ""
    reason = curl.getinfo(pycurl.OS_ERRNO)
    ours = reason if reason in _OURS else exhausted()
    if ours:
        what = f"no socket for this probe: {errno.errorcode[ours]}; Greenwall's machine is exhausted"
        return FetchFailed(Kind.INTERNAL, what, phases, address)
    kind = kind_of_error(code)
    if kind is Kind.TIMEOUT:
        return FetchFailed(kind, _stuck_at(curl, phases, request), phases, address, header_block)
    because = f" ({os.strerror(reason)})" if kind is Kind.CONNECT and reason else ""
    chain = chain_of(curl) if kind is Kind.TLS and request.wants_chain else ()
    return FetchFailed(kind, plain(detail or f"curl error {code}") + because, phases, address, header_block, chain)


def exhausted() -> int:
    """Return why this process can open no sockets, or 0 when it can.

    curl does not always say so: a look-up without descriptors ends as an unknown name, and a connection without a free
    local port as one that cannot be made.
    """
    try:
        with ExitStack() as opened:
            for _ in range(_DESCRIPTORS):
                last = opened.enter_context(socket.socket())
            last.bind(("", 0))
    except OSError as error:
        return error.errno if error.errno in _OURS | {errno.EADDRINUSE, errno.EADDRNOTAVAIL} else 0
    return 0


def _stuck_at(curl: pycurl.Curl, phases: Mapping[str, float], request: Request) -> str:
    """Return where a probe was when its time was up."""
    within = f"within {format_duration(request.timeout_s)}"
    if "ttfb" in phases:
        return f"the answer began but did not end {within}"
    if curl.getinfo(pycurl.REDIRECT_COUNT):
        # The times of all hops are added up, so that they do not tell where the last one stands.
        return f"redirected to {plain(redirected_to(curl), 120)}, but no answer from there {within}"
    return f"{_before_the_answer(phases, request)} {within}"


def _before_the_answer(phases: Mapping[str, float], request: Request) -> str:
    if "tls" in phases or ("connect" in phases and not request.is_https):
        return "connected, but no answer"
    if "connect" in phases:
        return "connected, but the TLS handshake did not end"
    return "no connection" if phases["dns"] > 0 else "the name look-up did not end"
