"""One request over its redirects, with the cookies of the walk at each hop.

libcurl's own cookies would not do: a redirect to another host must neither carry ours nor lose what it sets.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import quote, urljoin

from monitor.model import Kind
from monitor.probes.curl import Answer, FetchFailed, Request, fetch, harmless

# The same rules of RFC 9110, 15.4, and of secrets, as for every other request.
from monitor.probes.curl.exchange import next_hop
from monitor.probes.httprules import values_of
from monitor.probes.steps.cookies import Cookies
from monitor.units import format_duration, plain

# What may stand in a URL as it is; `%` is kept, for what is escaped already.
_IN_URL = "!#$%&'()*+,/:;=?@[]~"


def visit(request: Request, cookies: Cookies) -> tuple[Answer, str]:
    """Return the final answer with the times of all hops, and its URL; raise FetchFailed when there is none in time."""
    ends_at = time.monotonic() + request.timeout_s
    hop, hops = request, 0
    phases: dict[str, float] = {}
    while True:
        try:
            answer = fetch(_alone(hop, cookies))
        except FetchFailed as error:
            raise _on_the_way(error, request, hop, hops, phases) from None
        phases = _sum(phases, answer.phases_ms)
        cookies.keep(hop.url, answer)
        location = next(iter(values_of(answer.headers, "location")), "")
        if not (request.follow_redirects and 300 <= answer.code <= 399 and location):
            redirected_to = harmless(hop.url) if hops else ""
            took_ms = phases.get("total", answer.latency_ms)
            whole = replace(answer, latency_ms=took_ms, phases_ms=phases, redirected_to=redirected_to, redirects=hops)
            return whole, hop.url
        if hops >= request.max_redirects:
            raise FetchFailed(Kind.PROTOCOL, f"Maximum ({hops}) redirects followed", phases, answer.address)
        hop, hops = _next(request, hop, answer, location, ends_at, phases), hops + 1


def _next(
    request: Request, hop: Request, answer: Answer, location: str, ends_at: float, phases: Mapping[str, float]
) -> Request:
    left_s = ends_at - time.monotonic()
    if left_s <= 0:
        within = format_duration(request.timeout_s)
        raise FetchFailed(Kind.TIMEOUT, f"the redirects did not end within {within}", phases, answer.address)
    try:
        following = next_hop(hop, answer.code, urljoin(hop.url, quote(location, safe=_IN_URL)), left_s)
    except ValueError:
        what = f"redirected to no URL: {plain(location, 120)}"
        raise FetchFailed(Kind.PROTOCOL, what, phases, answer.address) from None
    if not following.url.lower().startswith(("http://", "https://")):
        what = f"redirected to no web address: {plain(harmless(following.url), 120)}"
        raise FetchFailed(Kind.PROTOCOL, what, phases, answer.address)
    return following


def _alone(hop: Request, cookies: Cookies) -> Request:
    hop = replace(hop, follow_redirects=False)
    kept = cookies.header(hop.url)
    if not kept:
        return hop
    own = [value for name, value in hop.headers.items() if name.lower() == "cookie"]
    others = {name: value for name, value in hop.headers.items() if name.lower() != "cookie"}
    return replace(hop, headers={**others, "Cookie": "; ".join([*own, kept])})


def _on_the_way(
    error: FetchFailed, request: Request, hop: Request, hops: int, phases: Mapping[str, float]
) -> FetchFailed:
    message = error.message
    if hops and error.kind is Kind.TIMEOUT:
        within = format_duration(request.timeout_s)
        message = f"redirected to {plain(harmless(hop.url), 120)}, but no answer from there within {within}"
    elif hops:
        message = f"redirected to {plain(harmless(hop.url), 120)}: {message}"
    return FetchFailed(
        error.kind, message, _sum(phases, error.phases_ms), error.address, error.header_block, error.chain
    )


def _sum(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    return {phase: one.get(phase, 0.0) + other.get(phase, 0.0) for phase in {**one, **other}}
