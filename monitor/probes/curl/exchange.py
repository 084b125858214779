"""One exchange: from its request, over the hops of its redirects, to its answer. Others drive the handle.

    Exchange(request) ─▶ prepare(curl) ─▶ the transfer runs ─▶ ended(curl, code, detail) ─▶ Answer │ FetchFailed
                            ▲                                           │
                            └──────────── None: one more hop ◀──────────┘

Redirects are followed here and not by libcurl: it would hand a header such as X-Api-Key to any host that it is sent to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import pycurl

from monitor.probes.curl.failure import Journey, failure
from monitor.probes.curl.options import prepare
from monitor.probes.curl.reading import chain_of, harmless, phases_of, version_of
from monitor.probes.curl.request import Answer, FetchFailed, Request

# A body may come byte by byte, and each piece takes as long as a long one. What is left of it by then comes joined.
_PIECES_AT_ONCE = 100
_SECRET_HEADER = re.compile(r"key|token|secret|auth|cookie|credential|passw|signature|session", re.IGNORECASE)


class Exchange:
    """A request on its way; `request` is that of the hop that is next or running."""

    __slots__ = (
        "_body",
        "_head",
        "_hops",
        "_pause",
        "_pieces",
        "_room",
        "_spent_ms",
        "_timeout_s",
        "_waited_ms",
        "request",
    )

    def __init__(self, request: Request) -> None:
        self.request = request
        self._timeout_s = request.timeout_s
        self._hops = 0
        self._spent_ms = 0.0
        self._waited_ms = 0.0
        self._body = bytearray()
        self._pieces = 0
        self._pause: Callable[[], None] | None = None
        self._head: list[bytes] = []
        self._room = request.max_body_bytes

    @property
    def journey(self) -> Journey:
        return Journey(self._timeout_s, harmless(self.request.url) if self._hops else "")

    def prepare(
        self,
        curl: pycurl.Curl,
        addresses: Sequence[str] = (),
        looked_up_ms: float = 0.0,
        pause: Callable[[], None] | None = None,
    ) -> None:
        """Set the next hop on a clean handle. Its name took `looked_up_ms` to become these addresses.

        Where there is a `pause`, a body of many pieces pauses the handle and calls it: whoever gave it resumes it.
        """
        if looked_up_ms:
            left_s = max(self.request.timeout_s - looked_up_ms / 1000, 0.001)
            self.request = replace(self.request, timeout_s=left_s)
        self._waited_ms, self._pause = looked_up_ms, pause
        prepare(curl, self.request, addresses)
        curl.setopt(pycurl.WRITEFUNCTION, self._keep)
        curl.setopt(pycurl.HEADERFUNCTION, self._keep_header)

    def _keep(self, piece: bytes) -> int:
        self._pieces += 1
        if self._pause and self._pieces % _PIECES_AT_ONCE == 0:
            self._pause()
            return int(pycurl.WRITEFUNC_PAUSE)
        self._body += piece[: self._room]
        self._room -= len(piece)
        return len(piece) if self._room >= 0 else -1

    def _keep_header(self, line: bytes) -> None:
        # `100 Continue` and `103 Early Hints` have a head of their own before the last one.
        if line[:5] == b"HTTP/":
            self._head.clear()
        self._head.append(line)

    def ended(self, curl: pycurl.Curl, code: int = 0, detail: str = "") -> Answer | FetchFailed | None:
        """Return what came of it, `code` being curl's error; None when `request` is now that of one more hop."""
        # Refusing more body than allowed is our doing, and what came before it can be judged.
        if code and not (code == pycurl.E_WRITE_ERROR and self._room < 0):
            return failure(curl, self.request, self.journey, code, detail, tuple(self._head))
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if 300 <= status <= 399 and self.request.follow_redirects:
            # As bytes: what a peer names as its next place need not be text.
            location = curl.getinfo_raw(pycurl.REDIRECT_URL)
            if location:
                return self._go_on(curl, status, location.decode("utf-8", "surrogateescape"))
        return self._answer(curl, status)

    def _answer(self, curl: pycurl.Curl, status: int) -> Answer:
        request, phases = self.request, phases_of(curl, self.request)
        if self._waited_ms or self._hops:
            phases["dns"] += self._waited_ms
            phases["total"] += self._waited_ms + self._spent_ms
        return Answer(
            code=status,
            body=bytes(self._body),
            cut=self._room < 0,
            latency_ms=phases["total"],
            phases_ms=phases,
            address=curl.getinfo(pycurl.PRIMARY_IP) or "",
            redirected_to=harmless(request.url) if self._hops else "",
            header_block=tuple(self._head),
            http_version=version_of(curl),
            chain=chain_of(curl) if request.wants_chain else (),
            redirects=self._hops,
        )

    def _go_on(self, curl: pycurl.Curl, status: int, location: str) -> FetchFailed | None:
        request, took_ms = self.request, curl.getinfo(pycurl.TOTAL_TIME) * 1000
        if self._hops >= request.max_redirects:
            said = f"Maximum ({self._hops}) redirects followed"
            return failure(curl, request, self.journey, pycurl.E_TOO_MANY_REDIRECTS, said)
        left_s = request.timeout_s - took_ms / 1000
        if left_s <= 0:
            return failure(curl, request, self.journey, pycurl.E_OPERATION_TIMEDOUT, "")
        try:
            self.request = next_hop(request, status, location, left_s)
        except ValueError:
            return failure(curl, request, self.journey, pycurl.E_URL_MALFORMAT, f"redirected to no URL: {location}")
        self._hops += 1
        self._spent_ms += took_ms + self._waited_ms
        self._body, self._room = bytearray(), request.max_body_bytes
        return None


def next_hop(request: Request, status: int, location: str, left_s: float) -> Request:
    """Return the request that follows a redirect: another origin gets no secrets, and 303 (POST: 301, 302) asks by GET.

    RFC 9110, section 15.4.
    """
    headers, basic, server_name = request.headers, request.basic, request.server_name
    if _origin(location) == _origin(request.url):
        location = _with_user(location, request.url)
    else:
        headers = {name: value for name, value in headers.items() if not _SECRET_HEADER.search(name)}
        headers = {name: value for name, value in headers.items() if name.lower() != "host"}
        basic = server_name = None
    becomes_get = (status == 303 and request.method != "HEAD") or (status in (301, 302) and request.method == "POST")
    return replace(
        request,
        url=location,
        timeout_s=left_s,
        headers=headers,
        basic=basic,
        server_name=server_name,
        method="GET" if becomes_get else request.method,
        body=None if becomes_get else request.body,
    )


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def _with_user(location: str, url: str) -> str:
    """Return the location with the user and password of the URL, where it names none itself."""
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    parts = urlsplit(location)
    return parts._replace(netloc=f"{user}@{parts.netloc}").geturl() if at and "@" not in parts.netloc else location
