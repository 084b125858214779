"""Loops that only ask and parse: the least that a check can cost in Python."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

Work = Callable[[], None]


def cpu_ms_each(work: Work, count: int) -> float:
    """Return CPU-ms of one of `count` pieces of work, best of three: other programs only ever add."""
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - before) * 1000 / count)
    return best


def pycurl_loop(url: str, ca_file: Path | None = None) -> Work:
    """Ask on a new connection each time; over https with a full handshake, verified."""
    import pycurl

    curl = pycurl.Curl()

    def ask() -> None:
        body: list[bytes] = []
        curl.reset()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.TIMEOUT_MS, 10_000)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.FRESH_CONNECT, 1)
        curl.setopt(pycurl.FORBID_REUSE, 1)
        if ca_file:
            curl.setopt(pycurl.CAINFO, str(ca_file))
            curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
        curl.setopt(pycurl.WRITEFUNCTION, body.append)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        assert json.loads(b"".join(body))["ok"] is True

    return ask


def requests_loop(url: str, ca_file: Path | None = None) -> Work:
    import requests

    def ask() -> None:
        answer = requests.get(url, timeout=10, verify=str(ca_file) if ca_file else True)
        assert answer.status_code == 200
        assert answer.json()["ok"] is True

    return ask
