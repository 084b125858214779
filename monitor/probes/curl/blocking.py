"""An exchange in the calling thread."""

from __future__ import annotations

import threading

import pycurl

from monitor.probes.curl.exchange import Exchange
from monitor.probes.curl.request import Answer, FetchFailed, Request

_local = threading.local()


def fetch(request: Request) -> Answer:
    """Return the answer to one request; raise FetchFailed when there is none by the deadline."""
    exchange, ended = Exchange(request), None
    while ended is None:
        ended = _hop(exchange)
    if isinstance(ended, FetchFailed):
        raise ended
    return ended


def _hop(exchange: Exchange) -> Answer | FetchFailed | None:
    curl = _handle()
    try:
        exchange.prepare(curl)
        return exchange.ended(curl, *_perform(curl))
    finally:
        # Clean for the next request; what it holds, the last body with it, would stay in memory until then.
        curl.reset()


def _perform(curl: pycurl.Curl) -> tuple[int, str]:
    try:
        curl.perform()
    except pycurl.error as error:
        return error.args[0], error.args[1]
    return 0, ""


def _handle() -> pycurl.Curl:
    """Return this thread's handle. A handle costs more than the request that it makes."""
    curl: pycurl.Curl | None = getattr(_local, "curl", None)
    if curl is None:
        curl = _local.curl = pycurl.Curl()
    return curl
