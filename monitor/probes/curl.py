"""One HTTP exchange through libcurl: bounded in time and memory whatever the peer does.

The deadline stands over name look-up, connect, TLS, redirects and body together. Each exchange has a new
connection and a full handshake, so that a changed certificate or a dead listener is seen at once.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping
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
    """What came back. `cut`: the body was longer than allowed, and reading stopped there."""

    code: int
    body: bytes
    cut: bool
    latency_ms: float
    phases_ms: dict[str, float]
    address: str
    url: str


class FetchFailed(Exception):
    """There is no answer to judge: why, as a kind and a sentence, and how far it came."""

    def __init__(self, kind: Kind, message: str, phases_ms: Mapping[str, float], address: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phases_ms = dict(phases_ms)
        self.address = address


_TLS_ERRORS = {35, 51, 53, 54, 58, 59, 60, 64, 66, 77, 80, 82, 83, 90, 91, 98}
_KINDS = {
    5: Kind.DNS,
    6: Kind.DNS,
    7: Kind.CONNECT,
    28: Kind.TIMEOUT,
    67: Kind.AUTH,
    2: Kind.INTERNAL,
    27: Kind.INTERNAL,
}
_KINDS |= dict.fromkeys(_TLS_ERRORS, Kind.TLS)
# The machine that Greenwall runs on is exhausted: no fault of the target.
_OURS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
_AGENT = f"Greenwall/{__version__}"
_WEB = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
_local = threading.local()


def fetch(request: Request) -> Answer:
    """Return the answer to one request; raise FetchFailed when there is none by the deadline."""
    curl = _handle()
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
        url=curl.getinfo(pycurl.EFFECTIVE_URL),
    )


def _handle() -> pycurl.Curl:
    """Return this thread's handle, clean. A handle costs more than the request that it makes."""
    curl: pycurl.Curl | None = getattr(_local, "curl", None)
    if curl is None:
        curl = _local.curl = pycurl.Curl()
    else:
        curl.reset()
    return curl


def _prepare(curl: pycurl.Curl, request: Request) -> None:
    curl.setopt(pycurl.URL, request.url.encode())
    curl.setopt(pycurl.PROTOCOLS, _WEB)
    curl.setopt(pycurl.REDIR_PROTOCOLS, _WEB)
    curl.setopt(pycurl.TIMEOUT_MS, max(int(request.timeout_s * 1000), 1))
    curl.setopt(pycurl.NOSIGNAL, 1)
    curl.setopt(pycurl.FRESH_CONNECT, 1)
    curl.setopt(pycurl.FORBID_REUSE, 1)
    curl.setopt(pycurl.USERAGENT, _AGENT)
    curl.setopt(pycurl.ACCEPT_ENCODING, "")
    curl.setopt(pycurl.PROXY, "")
    if request.follow_redirects:
        curl.setopt(pycurl.FOLLOWLOCATION, 1)
        curl.setopt(pycurl.MAXREDIRS, MAX_REDIRECTS)
    if request.headers:
        curl.setopt(pycurl.HTTPHEADER, [f"{name}: {value}".encode() for name, value in request.headers.items()])
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


def _prepare_method(curl: pycurl.Curl, request: Request) -> None:
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
    elif request.method != "GET" or request.body is not None:
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)
        if request.body is not None:
            curl.setopt(pycurl.COPYPOSTFIELDS, request.body.encode())
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
    # curl sets the time of the first byte even when none came.
    if first > 0 and curl.getinfo(pycurl.RESPONSE_CODE):
        phases["ttfb"] = max(first - sent, 0.0)
    return phases


def _failed(curl: pycurl.Curl, request: Request, code: int, detail: str) -> FetchFailed:
    phases = _phases(curl)
    address = curl.getinfo(pycurl.PRIMARY_IP) or ""
    ours = curl.getinfo(pycurl.OS_ERRNO)
    if ours in _OURS:
        what = f"no socket for this probe: {errno.errorcode[ours]}; Greenwall's machine is exhausted"
        return FetchFailed(Kind.INTERNAL, what, phases, address)
    kind = _KINDS.get(code, Kind.PROTOCOL)
    if kind is Kind.TIMEOUT:
        return FetchFailed(kind, _stuck_at(phases, request), phases, address)
    return FetchFailed(kind, plain(detail or f"curl error {code}"), phases, address)


def _stuck_at(phases: Mapping[str, float], request: Request) -> str:
    """Return where a probe was when its time was up."""
    secure = request.url[:6].lower() == "https:"
    if "ttfb" in phases:
        where = "the answer began but did not end"
    elif "tls" in phases or ("connect" in phases and not secure):
        where = "connected, but no answer"
    elif "connect" in phases:
        where = "connected, but the TLS handshake did not end"
    else:
        where = "no connection" if phases["dns"] > 0 else "no name look-up or connection"
    return f"{where} within {format_duration(request.timeout_s)}"
