"""One HTTP exchange through libcurl: bounded in time and memory whatever the peer does.

The deadline stands over name look-up, connect, TLS, redirects and body together. Each exchange has a new
connection and a full handshake, so that a changed certificate or a dead listener is seen at once.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pycurl

from monitor import __version__
from monitor.model import Kind
from monitor.units import format_duration, plain

MAX_REDIRECTS = 5


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask. `max_body_bytes` bounds the decoded body that is kept."""

    url: str
    timeout_s: float
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    follow_redirects: bool = True
    verify: bool = True
    ca_file: str | None = None
    max_body_bytes: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `cut`: the body was longer than allowed, and reading stopped there.

    `redirected_to` is where the answer came from when that is not where it was asked for, without what may be secret.
    """

    code: int
    body: bytes
    cut: bool
    latency_ms: float
    phases_ms: dict[str, float]
    address: str
    redirected_to: str = ""


class FetchFailed(Exception):
    """There is no answer to judge: why, as a kind and a sentence, and how far it came."""

    def __init__(self, kind: Kind, message: str, phases_ms: Mapping[str, float], address: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phases_ms = dict(phases_ms)
        self.address = address


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
# CURLFOLLOW_OBEYCODE: after a 303 a POST goes on as GET, as the code says. Plain 1 would repeat the method.
_FOLLOW_AS_THE_CODE_SAYS = 2
_BODY_EXPECTED = {"POST", "PUT", "PATCH"}
_AGENT = f"Greenwall/{__version__}"
_WEB = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_local = threading.local()


def fetch(request: Request) -> Answer:
    """Return the answer to one request; raise FetchFailed when there is none by the deadline."""
    curl = _handle()
    try:
        return _exchange(curl, request)
    finally:
        # Clean for the next request; what it holds, the last body with it, would stay in memory until then.
        curl.reset()


def _handle() -> pycurl.Curl:
    """Return this thread's handle. A handle costs more than the request that it makes."""
    curl: pycurl.Curl | None = getattr(_local, "curl", None)
    if curl is None:
        curl = _local.curl = pycurl.Curl()
    return curl


def _exchange(curl: pycurl.Curl, request: Request) -> Answer:
    chunks: list[bytes] = []
    room = request.max_body_bytes

    def keep(chunk: bytes) -> int:
        nonlocal room
        chunks.append(chunk[:room])
        room -= len(chunk)
        return len(chunk) if room >= 0 else -1

    _prepare(curl, request)
    curl.setopt(pycurl.WRITEFUNCTION, keep)
    try:
        curl.perform()
    except pycurl.error as error:
        # Refusing more body than allowed is our doing, and what came before it can be judged.
        if not (error.args[0] == pycurl.E_WRITE_ERROR and room < 0):
            raise _failed(curl, request, *error.args) from error
    return Answer(
        code=curl.getinfo(pycurl.RESPONSE_CODE),
        body=b"".join(chunks),
        cut=room < 0,
        latency_ms=curl.getinfo(pycurl.TOTAL_TIME) * 1000,
        phases_ms=_phases(curl),
        address=curl.getinfo(pycurl.PRIMARY_IP) or "",
        redirected_to=_redirected_to(curl),
    )


def _prepare(curl: pycurl.Curl, request: Request) -> None:
    curl.setopt(pycurl.URL, request.url.encode())
    curl.setopt(pycurl.PROTOCOLS, _WEB)
    curl.setopt(pycurl.REDIR_PROTOCOLS, _WEB)
    curl.setopt(pycurl.TIMEOUT_MS, max(int(request.timeout_s * 1000), 1))
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    # Names are looked up each time, too: a cached address would hide for a minute that the resolver is down.
    curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)
    curl.setopt(pycurl.USERAGENT, _AGENT)
    curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(pycurl.PROXY, "")
    if request.follow_redirects:
        curl.setopt(pycurl.FOLLOWLOCATION, _FOLLOW_AS_THE_CODE_SAYS)
        curl.setopt(pycurl.MAXREDIRS, MAX_REDIRECTS)
    curl.setopt(pycurl.HTTPHEADER, [line.encode() for line in _header_lines(request)])
    if request.url[:6].lower() == "https:":
        _prepare_tls(curl, request)
    _prepare_method(curl, request)


def _prepare_tls(curl: pycurl.Curl, request: Request) -> None:
    # A resumed session would hide a certificate that was changed or has expired since.
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if request.ca_file:
        curl.setopt(pycurl.CAINFO, request.ca_file)
    if not request.verify:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)


def _header_lines(request: Request) -> list[str]:
    """Return the headers as curl wants them: `Name;` is one without a value, `Name:` one that is not to be sent."""
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in request.headers.items()]
    named = {name.lower() for name in request.headers}
    # curl would call every body a form, and wait a second before it sends a long one.
    return lines + [f"{name}:" for name in ("Content-Type", "Expect") if name.lower() not in named]


def _prepare_method(curl: pycurl.Curl, request: Request) -> None:
    body = request.body
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
        return
    if body is None and request.method in _BODY_EXPECTED:
        # Without a body there must be a Content-Length of 0, or servers answer 411.
        body = ""
    if body is not None:
        curl.setopt(pycurl.COPYPOSTFIELDS, body.encode())
    if request.method != ("GET" if body is None else "POST"):
        # COPYPOSTFIELDS makes it a POST; the method that was asked for stands.
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _phases(curl: pycurl.Curl) -> dict[str, float]:
    """Return milliseconds of dns, connect, tls, ttfb and total; a phase that was not reached is left out."""
    dns, connect, tls, sent, first, total = (
        curl.getinfo(info) * 1000
        for info in (
            pycurl.NAMELOOKUP_TIME,
            pycurl.CONNECT_TIME,
            pycurl.APPCONNECT_TIME,
            pycurl.PRETRANSFER_TIME,
            pycurl.STARTTRANSFER_TIME,
            pycurl.TOTAL_TIME,
        )
    )
    phases = {"dns": dns, "total": total}
    if connect > 0:
        phases["connect"] = max(connect - dns, 0.0)
    if tls > 0:
        phases["tls"] = max(tls - connect, 0.0)
    if first > 0 and _answer_began(curl):
        phases["ttfb"] = max(first - sent, 0.0)
    return phases


def _answer_began(curl: pycurl.Curl) -> bool:
    """Return whether there is a first byte: curl has a time for it even when none came."""
    code = curl.getinfo(pycurl.RESPONSE_CODE)
    # Once it has gone on, a 3xx is the answer of the hop before.
    gone_on = curl.getinfo(pycurl.REDIRECT_COUNT) > 0 and 300 <= code <= 399
    return bool(code) and not gone_on


def _redirected_to(curl: pycurl.Curl) -> str:
    if not curl.getinfo(pycurl.REDIRECT_COUNT):
        return ""
    # The password and the query of a URL are not for the records.
    return re.sub(r"//[^/?#]*@", "//", re.split(r"[?#]", curl.getinfo(pycurl.EFFECTIVE_URL))[0])


def _failed(curl: pycurl.Curl, request: Request, code: int, detail: str) -> FetchFailed:
    phases = _phases(curl)
    address = curl.getinfo(pycurl.PRIMARY_IP) or ""
    reason = curl.getinfo(pycurl.OS_ERRNO)
    ours = reason if reason in _OURS else _exhausted()
    if ours:
        what = f"no socket for this probe: {errno.errorcode[ours]}; Greenwall's machine is exhausted"
        return FetchFailed(Kind.INTERNAL, what, phases, address)
    kind = _KINDS.get(code, Kind.PROTOCOL)
    if kind is Kind.TIMEOUT:
        return FetchFailed(kind, _stuck_at(curl, phases, request), phases, address)
    because = f" ({os.strerror(reason)})" if kind is Kind.CONNECT and reason else ""
    return FetchFailed(kind, plain(detail or f"curl error {code}") + because, phases, address)


def _exhausted() -> int:
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
        return f"redirected to {plain(_redirected_to(curl), 120)}, but no answer from there {within}"
    return f"{_before_the_answer(phases, request)} {within}"


def _before_the_answer(phases: Mapping[str, float], request: Request) -> str:
    secure = request.url[:6].lower() == "https:"
    if "tls" in phases or ("connect" in phases and not secure):
        return "connected, but no answer"
    if "connect" in phases:
        return "connected, but the TLS handshake did not end"
    return "no connection" if phases["dns"] > 0 else "the name look-up did not end"
