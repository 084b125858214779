"""Thousands of probes of peers that mean harm, through the real pool: `python -m benchmarks.soak [--probes 10000]`.

    checks_at(peers) ─▶ ProbePool, at most AT_ONCE on their way ─▶ Figures: late, OK, left behind

Every probe must end by its deadline, none may be OK, and nothing may be left: no thread, no descriptor, no memory. It
ends with 1 when one of these does not hold.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import psutil

from benchmarks.hostile import ANSWERS, MODES, SECRET, Peers, hostile_peers
from monitor.config import CHECK_MODELS, CheckBase
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, timed_probe
from monitor.probes.pool import ProbePool

ALLOWANCE_S = 0.5
# So many that they do not fill a core: whoever waits for the processor is late without a fault.
AT_ONCE, EACH_SECOND, WORKERS, CONNECTIONS = 100, 50.0, 48, 500
MOST_GROWTH_MB = 40.0
# Peers that flood are among them, and keep a processor busy.
MOST_WAITED_S = 1.5
_WELL_EVERY_S = 0.05
_M_ARENA_MAX = -8
_SETTING = Setting(Path())

_LOGIN = {"username": "monitor", "password": SECRET}
_URL = f"monitor:{SECRET}@127.0.0.1:{{port}}"
_HERE: dict[str, Any] = {"host": "127.0.0.1", "port": "{port}"}
_OPEN_TLS: dict[str, Any] = {"tls": True, "verify": False}
_JSON = {"expect_jsonpath": [{"path": "$.ok", "equals": True}]}
# What is asked of a peer, by a name for it: the protocol that the peer opens with, and the check's keys.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "http": ("http", {"type": "http", "url": f"http://{_URL}/", **_JSON}),
    "http search": ("http", {"type": "http", "url": "http://127.0.0.1:{port}/", "expect": "json.ok.all(v, v)"}),
    "https": ("tls", {"type": "http", "url": f"https://{_URL}/", **_JSON}),
    "https inside": ("tls:http", {"type": "http", "url": f"https://{_URL}/", "verify": False, **_JSON}),
    "queue rabbitmq": ("http", {"type": "queue", "url": f"http://{_URL}", "queue": "mail"}),
    "agents": ("http", {"type": "agents", "url": "http://127.0.0.1:{port}/", "headers": {"X-Api-Key": SECRET}}),
    "service": ("http", {"type": "service", "service": "openai", "url": "http://127.0.0.1:{port}", "key": SECRET}),
    "docker": ("http", {"type": "docker", "container": "shop", "socket": "{socket}"}),
    "dns tcp": ("dns", {"type": "dns", "query": "shop.example", "resolver": "127.0.0.1:{port}", "tcp": True}),
    "tcp": ("tcp", {"type": "tcp", **_HERE, "send": "hello", "expect_contains": "welcome"}),
    "tcp tls": ("tls", {"type": "tcp", **_HERE, "tls": True, "expect_contains": "welcome"}),
    "tcp inside tls": ("tls:tcp", {"type": "tcp", **_HERE, **_OPEN_TLS, "expect_matches": "^welcome"}),
    "tls": ("tls", {"type": "tls", **_HERE}),
    "tls starttls": ("smtp starttls", {"type": "tls", **_HERE, "starttls": "smtp"}),
    "ssh": ("ssh", {"type": "ssh", **_HERE}),
    "smtp": ("smtp", {"type": "smtp", **_HERE}),
    "smtp starttls": ("smtp starttls", {"type": "smtp", **_HERE, "starttls": "required", **_LOGIN}),
    "smtps": ("tls", {"type": "smtp", **_HERE, "tls": True, **_LOGIN}),
    "redis": ("redis", {"type": "redis", "url": f"redis://{_URL}", "warn_percent": 80}),
    "rediss": ("tls", {"type": "redis", "url": f"rediss://{_URL}"}),
    "redis inside tls": ("tls:redis", {"type": "redis", "url": f"rediss://{_URL}", "verify": False, "role": "master"}),
    "redis socket": ("redis", {"type": "redis", "url": f"unix://monitor:{SECRET}@{{socket}}", "role": "master"}),
    "queue redis": ("redis", {"type": "queue", "url": f"redis://{_URL}", "stream": "mail", "consumer_group": "g"}),
    "mqtt": ("mqtt", {"type": "mqtt", **_HERE, **_LOGIN, "topic": "t", "expect_contains": "yes"}),
    "mqtts": ("tls", {"type": "mqtt", **_HERE, **_LOGIN, "tls": True}),
    "mqtt inside tls": ("tls:mqtt", {"type": "mqtt", **_HERE, **_LOGIN, **_OPEN_TLS, "topic": "t", **_JSON}),
    "websocket": (
        "websocket",
        {
            "type": "websocket",
            "url": "ws://127.0.0.1:{port}/",
            "headers": {"X-Api-Key": SECRET},
            "send": "hello",
            "expect_contains": "welcome",
        },
    ),
    "wss": ("tls", {"type": "websocket", "url": "wss://127.0.0.1:{port}/"}),
    "websocket inside tls": (
        "tls:websocket",
        {"type": "websocket", "url": "wss://127.0.0.1:{port}/", "verify": False, "expect_contains": "welcome"},
    ),
    "postgres": ("postgres", {"type": "database", "url": f"postgresql://{_URL}/shop", "tls": "off", "max_rows": 10}),
    "postgres tls": ("postgres tls", {"type": "database", "url": f"postgresql://{_URL}/shop", "tls": "verify"}),
    "mysql": ("mysql", {"type": "database", "url": f"mysql://{_URL}/shop", "tls": "off", "max_rows": 10}),
    "mysql tls": ("mysql tls", {"type": "database", "url": f"mysql://{_URL}/shop", "tls": "verify"}),
    "grpc": ("grpc", {"type": "grpc", **_HERE}),
    "grpc tls": ("tls", {"type": "grpc", **_HERE, "tls": True}),
}
# UDP has no connection, and so modes of its own.
DATAGRAMS: dict[str, dict[str, Any]] = {
    "dns": {"type": "dns", "query": "shop.example", "resolver": "127.0.0.1:{port}"},
    "udp": {"type": "udp", **_HERE, "send": "hello", "expect_contains": "welcome"},
}
# For those answers that are whole, what is asked of them takes the longest way.
_SEARCHES: tuple[dict[str, Any], ...] = (
    _JSON,
    {"expect_jsonpath": [{"path": "$..x", "equals": "no"}]},
    {"expect_jsonpath": [{"path": "$[?(@.x > 5)]", "exists": True}]},
    {"expect": "json.map(v, v).size() == 0"},
)


def made(name: str, keys: dict[str, Any], port: int, socket: str = "", timeout: float = 0.5) -> CheckBase | None:
    """Return the check with the port and the socket in it; None when this version has no such kind."""
    model = CHECK_MODELS.get(keys["type"])
    text = json.dumps(keys).replace('"{port}"', str(port)).replace("{port}", str(port)).replace("{socket}", socket)
    whole = {"name": name, "timeout": timeout, **json.loads(text)}
    return model.model_validate(whole) if model else None


def variant_at(peers: Peers, name: str, protocol: str, mode: str, timeout: float = 0.5) -> CheckBase | None:
    """Return the check of a variant, aimed at this protocol's peer in this mode."""
    socket = str(peers.folder / f"{protocol}-{mode}.sock")
    keys = VARIANTS[name][1]
    return made(f"{name}: {protocol}/{mode}", keys, peers.ports[f"{protocol}/{mode}"], socket, timeout)


def checks_at(peers: Peers) -> list[CheckBase]:
    """Return a check of each kind for each peer that it may meet."""
    checks: list[CheckBase | None] = []
    for number, (name, (own, _)) in enumerate(VARIANTS.items()):
        timeout = (0.3, 0.5, 1.0)[number % 3]
        checks += [variant_at(peers, name, protocol, mode, timeout) for protocol in ("raw", own) for mode in MODES]
        checks.append(variant_at(peers, name, "garbage", "cut", timeout))
    for name, keys in DATAGRAMS.items():
        checks += [
            made(f"{name}: {mode}", keys, peers.ports[f"udp/{mode}"]) for mode in ("stall", "flood", "cut", "echo")
        ]
    for name in (*ANSWERS, "zip bomb"):
        url = {"type": "http", "url": "http://127.0.0.1:{port}/", "max_redirects": 50}
        checks += [made(f"http: {name}", url | more, peers.ports[name]) for more in _SEARCHES if name != "well"]
    return [check for check in checks if check]


@dataclass
class Figures:
    """`late_s` are the worst overruns by check, beyond the deadline; `well_late_s` that of the probes that are well."""

    allowance_s: float = ALLOWANCE_S
    probes: int = 0
    took_s: float = 0.0
    late_s: dict[str, float] = field(default_factory=dict)
    were_ok: list[str] = field(default_factory=list)
    were_internal: dict[str, str] = field(default_factory=dict)
    kinds: Counter[str] = field(default_factory=Counter)
    well_late_s: list[float] = field(default_factory=list)
    well_failed: list[str] = field(default_factory=list)
    threads: tuple[int, int, int] = (0, 0, 0)
    descriptors: tuple[int, int, int] = (0, 0, 0)
    rss_mb: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @property
    def worst_late_s(self) -> float:
        return max(self.late_s.values(), default=0.0)

    @property
    def wrong(self) -> list[str]:
        """What does not hold, in sentences."""
        late = {name: f"{late_s:.2f} s" for name, late_s in self.late_s.items() if late_s > self.allowance_s}
        grown = {
            "threads": self.threads[1] - self.threads[0] - 1,
            "descriptors": self.descriptors[1] - self.descriptors[0] - 3,
            "MB": self.rss_mb[1] - self.rss_mb[0] - MOST_GROWTH_MB,
        }
        told = [f"ended too late: {late}"] if late else []
        told += [f"were OK: {sorted(set(self.were_ok))}"] if self.were_ok else []
        told += [f"broke in Greenwall: {self.were_internal}"] if self.were_internal else []
        told += [f"a peer that is well was not: {self.well_failed[:3]}"] if self.well_failed else []
        waited_s = max(self.well_late_s, default=0.0)
        told += (
            [f"a peer that is well waited {waited_s:.2f} s"] if waited_s > max(MOST_WAITED_S, self.allowance_s) else []
        )
        return told + [f"{what} were left behind" for what, count in grown.items() if count > 0]


def soak(count: int, peers: Peers, well: Peers, allowance_s: float = ALLOWANCE_S) -> Figures:
    """Run so many probes against the first peers, and some all the while against the second, which are idle."""
    _share_memory()
    checks = checks_at(peers)
    random.Random(0).shuffle(checks)
    # What is loaded with the first probe of each kind is not left behind by it.
    with ProbePool(WORKERS, CONNECTIONS) as pool:
        for started in [pool.submit(timed_probe, check, _SETTING) for check in checks]:
            started.result(60)
    figures = Figures(allowance_s)
    with _measured(figures), ProbePool(WORKERS, CONNECTIONS) as pool:
        run = _Run(pool, figures)
        healthy = threading.Thread(target=run.watch, args=(made("well", _WELL, well.ports["well"], timeout=5.0),))
        healthy.start()
        for number, check in enumerate(islice(cycle(checks), count)):
            run.start(check, number / EACH_SECOND)
        run.wait()
        healthy.join()
    return figures


_WELL = {"type": "http", "url": "http://127.0.0.1:{port}/", **_JSON}


class _Run:
    def __init__(self, pool: ProbePool, figures: Figures) -> None:
        self._pool, self._figures = pool, figures
        self._room = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._is_over = threading.Event()
        self._began = time.monotonic()

    def start(self, check: CheckBase, after_s: float) -> None:
        time.sleep(max(self._began + after_s - time.monotonic(), 0.0))
        self._room.acquire()
        self._pool.submit(timed_probe, check, _SETTING).add_done_callback(partial(self._ended, check))

    def wait(self) -> None:
        for _ in range(AT_ONCE):
            self._room.acquire()
        self._is_over.set()

    def watch(self, check: CheckBase) -> None:
        while not self._is_over.wait(_WELL_EVERY_S):
            asked = time.monotonic()
            outcome = self._pool.submit(timed_probe, check, _SETTING).result(30)[1]
            self._figures.well_late_s.append(time.monotonic() - asked)
            if outcome.status is not Status.OK:
                self._figures.well_failed.append(outcome.message)

    def _ended(self, check: CheckBase, future: Future[tuple[float, Outcome]]) -> None:
        now = time.monotonic()
        began, outcome = future.result()
        figures = self._figures
        with self._lock:
            figures.probes += 1
            figures.kinds[str(outcome.kind)] += 1
            late_s = now - began - check.timeout
            figures.late_s[check.name] = max(late_s, figures.late_s.get(check.name, late_s))
            if outcome.status is Status.OK:
                figures.were_ok.append(check.name)
            if outcome.kind is Kind.INTERNAL:
                figures.were_internal[check.name] = outcome.message
        self._room.release()


class _measured:
    """Notes threads, descriptors and memory before, after, and at most in between."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures
        self._is_over = threading.Event()
        self._most = self._now()
        self._sampler = threading.Thread(target=self._sample)

    def __enter__(self) -> None:
        _give_back()
        self._began, self._before = time.monotonic(), self._now()
        self._sampler.start()

    def __exit__(self, *_: object) -> None:
        self._figures.took_s = time.monotonic() - self._began
        self._is_over.set()
        self._sampler.join()
        after = self._settled()
        columns = list(zip(self._before, after, self._most, strict=True))
        self._figures.threads, self._figures.descriptors, self._figures.rss_mb = columns  # type: ignore[assignment]

    def _settled(self) -> tuple[int, int, float]:
        # What closes by itself is given a moment.
        for _ in range(50):
            _give_back()
            now = self._now()
            if now[0] <= self._before[0] and now[1] <= self._before[1]:
                break
            time.sleep(0.1)
        return now

    def _sample(self) -> None:
        while not self._is_over.wait(0.1):
            self._most = tuple(map(max, self._most, self._now()))  # type: ignore[assignment]

    @staticmethod
    def _now() -> tuple[int, int, float]:
        process = psutil.Process()
        return threading.active_count(), process.num_fds(), process.memory_info().rss / 1e6


def _share_memory() -> None:
    """Have all threads take memory from one place; the GNU C library would keep some megabytes of each thread's own."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _give_back() -> None:
    """Have free memory given back to the system, so that what is left is in use."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _rows(figures: Figures) -> Iterator[str]:
    yield f"{figures.probes} hostile probes in {figures.took_s:.0f} s: {dict(figures.kinds.most_common())}"
    yield f"worst overrun {figures.worst_late_s:.3f} s, of {figures.allowance_s} s allowed"
    for name, late_s in sorted(figures.late_s.items(), key=lambda one: -one[1])[:5]:
        yield f"  {late_s:6.3f} s  {name}"
    waits = sorted(figures.well_late_s)
    yield f"{len(waits)} probes of a peer that is well: p50 {waits[len(waits) // 2]:.3f} s, worst {waits[-1]:.3f} s"
    for label, values in (("threads", figures.threads), ("descriptors", figures.descriptors), ("MB", figures.rss_mb)):
        yield "{}: {:.0f} before, {:.0f} after, {:.0f} at most".format(label, *values)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--probes", type=int, default=10_000, help="how many (10000)")
    text = f"seconds that one may end too late ({ALLOWANCE_S}); more on a machine that is busy with other work"
    parser.add_argument("--allowance", type=float, default=ALLOWANCE_S, help=text)
    asked = parser.parse_args()
    with hostile_peers() as peers, hostile_peers() as well:
        figures = soak(asked.probes, peers, well, asked.allowance)
    print("\n".join(_rows(figures)))
    sys.exit("\n".join(figures.wrong) or None)


if __name__ == "__main__":
    main()
