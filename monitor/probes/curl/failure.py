"""Why there is no answer: curl's error as a kind, and a sentence that says where the probe was."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass

import pycurl

try:
    import resource
except ImportError:  # Windows, where sockets are not counted among files
    resource = None  # type: ignore[assignment]

from monitor.model import Kind
from monitor.probes.curl.reading import chain_of, phases_of
from monitor.probes.curl.request import FetchFailed, Request
from monitor.probes.exhaustion import EXHAUSTED, EXHAUSTED_CONNECTING
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
# What the peer's first bytes look like to a handshake when they are the greeting of something else.
_PLAIN_TEXT = re.compile("wrong version number|packet length too long|unexpected message|record layer failure")
# What a probe holds at once at most: the connection, a look-up and its wake-up pair, the file of certificates.
_DESCRIPTORS = 5
_MANY_DESCRIPTORS = 65_536


def kind_of_error(code: int) -> Kind:
    """Return the kind of failure that a `CURLE_…` code stands for."""
    return _KINDS.get(code, Kind.PROTOCOL)


def tls_words(text: str) -> str:
    """Return why a handshake failed, and what that most often means where OpenSSL does not say it."""
    found = _PLAIN_TEXT.search(text)
    return f"no TLS came back ({found[0]}): the port does not seem to speak TLS" if found else text


@dataclass(frozen=True, slots=True)
class Journey:
    """What a failure's sentence needs to know of the whole exchange: its deadline, and where it was redirected to."""

    timeout_s: float
    redirected_to: str = ""


def failure(
    curl: pycurl.Curl,
    request: Request,
    journey: Journey,
    code: int,
    detail: str,
    header_block: tuple[bytes, ...] = (),
) -> FetchFailed:
    """Return why the hop on this handle gave no answer."""
    phases = phases_of(curl, request)
    address = curl.getinfo(pycurl.PRIMARY_IP) or ""
    reason = curl.getinfo(pycurl.OS_ERRNO)
    if ours := (reason if reason in EXHAUSTED else exhausted()):
        return no_socket(ours, phases, address)
    kind = kind_of_error(code)
    if code == pycurl.E_RECV_ERROR and request.is_https and "SSL_read" in detail and "alert" in detail:
        # TLS 1.3: the peer refuses the handshake (a client certificate is missing) only after our half of it.
        kind = Kind.TLS
    if kind is Kind.TIMEOUT:
        return FetchFailed(kind, _stuck_at(phases, request, journey), phases, address, header_block)
    because = f" ({os.strerror(reason)})" if kind is Kind.CONNECT and reason else ""
    chain = chain_of(curl) if kind is Kind.TLS and request.wants_chain else ()
    text = plain(detail or f"curl error {code}")
    text = tls_words(text) if kind is Kind.TLS else text + because
    return FetchFailed(kind, text, phases, address, header_block, chain)


def no_socket(reason: int, phases_ms: Mapping[str, float], address: str = "") -> FetchFailed:
    """Return the failure of a machine, ours, that has no descriptor, port or memory left."""
    what = f"no socket for this probe: {errno.errorcode[reason]}; Greenwall's machine is exhausted"
    return FetchFailed(Kind.INTERNAL, what, phases_ms, address)


def no_name(host: str, error: OSError, looked_up_ms: float) -> FetchFailed:
    """Return the failure of a name look-up of our own."""
    phases = {"dns": looked_up_ms, "total": looked_up_ms}
    if ours := exhausted_by(error):
        return no_socket(ours, phases)
    because = f" ({error.strerror})" if error.strerror and error.errno != socket.EAI_NONAME else ""
    return FetchFailed(Kind.DNS, plain(f"Could not resolve host: {host}{because}"), phases)


def exhausted_by(error: OSError) -> int:
    """Return why a look-up that failed is our own trouble, or 0 when it is not."""
    # Numbers of a resolver's errors are of another family.
    if error.errno in EXHAUSTED and not isinstance(error, socket.gaierror):
        return error.errno
    return exhausted()


def exhausted() -> int:
    """Return why this process can open no sockets, or 0 when it can.

    curl does not always say so: a look-up without descriptors ends as an unknown name, and a connection without a free
    local port as one that cannot be made.
    """
    try:
        with ExitStack() as opened:
            for _ in range(_DESCRIPTORS):
                last = opened.enter_context(socket.socket())
            last.bind(("0.0.0.0", 0))
    except OSError as error:
        return error.errno if error.errno in EXHAUSTED_CONNECTING | {errno.EADDRINUSE} else 0
    return 0


def raise_descriptor_limit() -> int:
    """Let this process open as many files and sockets as it may; return how many that is."""
    if resource is None:
        return 512
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MANY_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        return wanted
    return _MANY_DESCRIPTORS if soft == resource.RLIM_INFINITY else soft


def _stuck_at(phases: Mapping[str, float], request: Request, journey: Journey) -> str:
    """Return where a probe was when its time was up."""
    within = f"within {format_duration(journey.timeout_s)}"
    if "ttfb" in phases:
        return f"the answer began but did not end {within}"
    if journey.redirected_to:
        return f"redirected to {plain(journey.redirected_to, 120)}, but no answer from there {within}"
    return f"{_before_the_answer(phases, request)} {within}"


def late_name(looked_up_ms: float, journey: Journey) -> FetchFailed:
    """Return the failure of a name look-up that did not end by the deadline."""
    phases = {"dns": 0.0, "total": looked_up_ms}
    return FetchFailed(
        Kind.TIMEOUT, f"the name look-up did not end within {format_duration(journey.timeout_s)}", phases
    )


def _before_the_answer(phases: Mapping[str, float], request: Request) -> str:
    if "tls" in phases or ("connect" in phases and not request.is_https):
        return "connected, but no answer"
    if "connect" in phases:
        return "connected, but the TLS handshake did not end"
    return "no connection" if phases["dns"] > 0 else "the name look-up did not end"
