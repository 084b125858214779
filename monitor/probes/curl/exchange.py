"""One exchange on one handle, from its request to its answer. Whoever drives the handle is another matter.

Exchange(curl, request) ─▶ the transfer runs ─▶ ended(code, detail) ─▶ Answer │ FetchFailed │ None: one more hop
"""

from __future__ import annotations

import re
from dataclasses import replace

import pycurl

from monitor.probes.curl.failure import failure
from monitor.probes.curl.options import prepare
from monitor.probes.curl.reading import chain_of, harmless, phases_of, redirected_to, version_of
from monitor.probes.curl.request import Answer, FetchFailed, Request

# curl itself keeps Authorization and Cookie from another host; these it does not know to be secret.
_SECRET_HEADER = re.compile(r"key|token|secret|credential|passw|signature|session", re.IGNORECASE)


class Exchange:
    """A request on its way. Hops after a redirect that curl must not follow by itself are further transfers."""

    __slots__ = ("_before", "_chunks", "_curl", "_head", "_request", "_room")

    def __init__(self, curl: pycurl.Curl, request: Request) -> None:
        self._curl = curl
        self._before: list[Answer] = []
        self._prepare(request)

    def _prepare(self, request: Request) -> None:
        self._request = request
        self._chunks: list[bytes] = []
        self._head: list[bytes] = []
        self._room = request.max_body_bytes
        curl = self._curl
        prepare(curl, request)
        if _carries_secrets(request):
            curl.setopt(pycurl.FOLLOWLOCATION, 0)
        curl.setopt(pycurl.WRITEFUNCTION, self._keep)
        curl.setopt(pycurl.HEADERFUNCTION, self._keep_header)

    def _keep(self, chunk: bytes) -> int:
        self._chunks.append(chunk[: self._room])
        self._room -= len(chunk)
        return len(chunk) if self._room >= 0 else -1

    def _keep_header(self, line: bytes) -> None:
        # A head of its own comes before the last one: of each redirect, and of `100 Continue`.
        if line[:5] == b"HTTP/":
            self._head.clear()
        self._head.append(line)

    def ended(self, code: int = 0, detail: str = "") -> Answer | FetchFailed | None:
        """Return what came of it, `code` being curl's error; None when the handle is ready for the next hop."""
        # Refusing more body than allowed is our doing, and what came before it can be judged.
        if code and not (code == pycurl.E_WRITE_ERROR and self._room < 0):
            return failure(self._curl, self._request, code, detail, tuple(self._head))
        answer = self._answer()
        location = self._curl.getinfo(pycurl.REDIRECT_URL) if 300 <= answer.code <= 399 else None
        if location and _carries_secrets(self._request):
            return self._go_on(answer, location)
        return self._with_hops(answer) if self._before else answer

    def _answer(self) -> Answer:
        curl, request = self._curl, self._request
        phases = phases_of(curl, request)
        return Answer(
            code=curl.getinfo(pycurl.RESPONSE_CODE),
            body=b"".join(self._chunks),
            cut=self._room < 0,
            latency_ms=phases["total"],
            phases_ms=phases,
            address=curl.getinfo(pycurl.PRIMARY_IP) or "",
            redirected_to=redirected_to(curl) if request.follow_redirects else "",
            header_block=tuple(self._head),
            http_version=version_of(curl),
            chain=chain_of(curl) if request.wants_chain else (),
            redirects=curl.getinfo(pycurl.REDIRECT_COUNT) if request.follow_redirects else 0,
        )

    def _go_on(self, answer: Answer, location: str) -> FetchFailed | None:
        request = self._request
        left_s = request.timeout_s - answer.latency_ms / 1000
        if request.max_redirects < 1:
            said = f"Maximum ({len(self._before)}) redirects followed"
            return failure(self._curl, request, pycurl.E_TOO_MANY_REDIRECTS, said)
        if left_s <= 0:
            return failure(self._curl, request, pycurl.E_OPERATION_TIMEDOUT, "")
        self._before.append(answer)
        self._curl.reset()
        self._prepare(_next_hop(request, answer.code, location, left_s))
        return None

    def _with_hops(self, answer: Answer) -> Answer:
        latency_ms = answer.latency_ms + sum(hop.latency_ms for hop in self._before)
        return replace(
            answer,
            latency_ms=latency_ms,
            phases_ms=answer.phases_ms | {"total": latency_ms},
            redirected_to=harmless(self._request.url),
            redirects=len(self._before),
        )


def _carries_secrets(request: Request) -> bool:
    return request.follow_redirects and any(_SECRET_HEADER.search(name) for name in request.headers)


def _next_hop(request: Request, code: int, location: str, left_s: float) -> Request:
    """Return the request that follows a redirect: another host gets no secrets, and 303 (301, 302) asks by GET."""
    headers = request.headers
    if _origin(location) != _origin(request.url):
        headers = {
            name: value
            for name, value in headers.items()
            if not (_SECRET_HEADER.search(name) or name.lower() in ("authorization", "cookie"))
        }
    same_origin = len(headers) == len(request.headers)
    becomes_get = (code == 303 and request.method != "HEAD") or (code in (301, 302) and request.method == "POST")
    return replace(
        request,
        url=location,
        timeout_s=left_s,
        headers=headers,
        basic=request.basic if same_origin else None,
        method="GET" if becomes_get else request.method,
        body=None if becomes_get else request.body,
        max_redirects=request.max_redirects - 1,
    )


def _origin(url: str) -> str:
    return re.split(r"(?<!/)/(?!/)|[?#]", url, maxsplit=1)[0].lower()
