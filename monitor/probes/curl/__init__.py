"""HTTP exchanges through libcurl: bounded in time and memory whatever the peer does.

The deadline stands over name look-up, connect, TLS, redirects and body together. Each exchange has a new
connection and a full handshake, so that a changed certificate or a dead listener is seen at once.

    fetch(request)                   in the calling thread
    ExchangeLoop.submit(request, …)  thousands at once in one thread
"""

from monitor.probes.curl.blocking import fetch
from monitor.probes.curl.failure import exhausted, exhausted_by, kind_of_error, raise_descriptor_limit
from monitor.probes.curl.loop import ExchangeLoop
from monitor.probes.curl.reading import harmless
from monitor.probes.curl.request import MAX_REDIRECTS, Answer, FetchFailed, Request

__all__ = [
    "MAX_REDIRECTS",
    "Answer",
    "ExchangeLoop",
    "FetchFailed",
    "Request",
    "exhausted",
    "exhausted_by",
    "fetch",
    "harmless",
    "kind_of_error",
    "raise_descriptor_limit",
]
