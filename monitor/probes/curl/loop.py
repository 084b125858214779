"""All exchanges in one thread: libcurl waits for a thousand of them at once, for a fraction of a thread each.

    submit(request, done) ─▶ queue ─▶ start (at most `at_once`) ─▶ name ─▶ libcurl ◀─▶ epoll ─▶ done(began, answer)
                                                                    ▲                     │
                                                                    └── one more hop ◀────┘

A body that comes in many small pieces is taken some at a time, and the others have their turn in between.
`done` runs in the loop's thread, so it is short; what takes long, it hands on.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import math
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar
from urllib.parse import urlsplit

import pycurl

from monitor.probes.curl.exchange import Exchange
from monitor.probes.curl.failure import late_name, no_name
from monitor.probes.curl.names import Names, is_name
from monitor.probes.curl.request import Answer, Request

log = logging.getLogger(__name__)

Done = Callable[[float, "Answer | Exception"], None]
_SPARE_HANDLES = 64
_LONGEST_WAIT_S = 60.0
_IN, _OUT, _ERR, _HUP = 0x1, 0x4, 0x8, 0x10
_INTERESTS = {pycurl.POLL_IN: _IN, pycurl.POLL_OUT: _OUT, pycurl.POLL_INOUT: _IN | _OUT}


def _action(events: int) -> int:
    """Return epoll's events in libcurl's bits; it finds out by itself what a closed or broken connection is."""
    action = 0
    if events & (_IN | _HUP):
        action = pycurl.CSELECT_IN
    if events & _OUT:
        action |= pycurl.CSELECT_OUT
    if events & _ERR:
        action |= pycurl.CSELECT_ERR
    return action


@dataclass(eq=False, slots=True)
class _Trip:
    """An exchange in the loop. `host` is the name that is being looked up, empty when none is."""

    exchange: Exchange
    done: Done
    began: float = 0.0
    host: str = ""
    asked_at: float = 0.0


# The same URLs come again with each round.
@lru_cache(maxsize=50_000)
def _name_in(url: str) -> str | None:
    host = urlsplit(url).hostname or ""
    return host if host and is_name(host) else None


class ExchangeLoop:
    """Runs exchanges, at most `at_once` of them; more wait in the order in which they came."""

    # `selectors` would cost a third more for each check. Where there is no epoll, probes run in threads.
    is_supported: ClassVar[bool] = hasattr(select, "epoll")

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: deque[_Trip] = deque()
        self._found: deque[tuple[_Trip, list[str] | OSError]] = deque()
        self._running: dict[pycurl.Curl, _Trip] = {}
        self._paused: set[pycurl.Curl] = set()
        # Names that are being looked up, by the time at which they are given up; a trip that left is found by `host`.
        self._looking: list[tuple[float, int, _Trip]] = []
        self._count = itertools.count()
        self._names = Names()
        self._on_way = 0
        self._spare: list[pycurl.Curl] = []
        self._closing = False
        self._is_asleep = False
        self._timer_at: float | None = None
        self._watched: set[int] = set()
        self._epoll = select.epoll()
        self._wake_up, self._alarm = socket.socketpair()
        for end in (self._wake_up, self._alarm):
            end.setblocking(False)
        self._epoll.register(self._wake_up.fileno(), _IN)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._on_timer)
        self._thread = threading.Thread(target=self._live, name="exchanges", daemon=True)
        self._thread.start()

    @property
    def queued(self) -> int:
        """How many requests wait for a place."""
        return len(self._waiting)

    def submit(self, request: Request, done: Done) -> None:
        """Have the exchange made; `done` gets when it began (monotonic seconds) and its answer or why there is none."""
        self._waiting.append(_Trip(Exchange(request), done))
        self._wake()

    def _wake(self) -> None:
        if self._is_asleep:
            self._is_asleep = False
            with contextlib.suppress(OSError):
                self._alarm.send(b"!")

    def close(self) -> None:
        """Drop what is on its way and end the thread. `done` of what is dropped is not called."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._alarm.send(b"!")
        if self._thread is not threading.current_thread():
            self._thread.join(5.0)

    # the thread

    def _live(self) -> None:
        try:
            while not self._closing:
                self._is_asleep = True
                # Whoever submitted before this line did not wake us.
                events = self._epoll.poll(self._wait_s())
                self._is_asleep = False
                # Before the events: what begins here makes its connection in this turn.
                self._take_names()
                self._start()
                self._resume()
                self._handle(events)
                self._collect()
        finally:
            self._end()

    def _wait_s(self) -> float:
        if self._found or self._paused or (self._waiting and self._on_way < self._at_once):
            return 0.0
        next_at = min(self._timer_at or math.inf, self._looking[0][0] if self._looking else math.inf)
        return min(max(next_at - time.monotonic(), 0.0), _LONGEST_WAIT_S)

    def _handle(self, events: list[tuple[int, int]]) -> None:
        for fd, happened in events:
            if fd in self._watched:
                self._multi.socket_action(fd, _action(happened))
            else:
                with contextlib.suppress(BlockingIOError):
                    self._wake_up.recv(4096)
        if self._timer_at is not None and self._timer_at <= time.monotonic():
            self._timer_at = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _pause(self, curl: pycurl.Curl) -> None:
        self._paused.add(curl)

    def _resume(self) -> None:
        paused, self._paused = self._paused, set()
        for curl in paused:
            try:
                curl.pause(pycurl.PAUSE_CONT)
            except pycurl.error as error:
                # That its body is too long is told here, and not to whom collects what has ended.
                self._ended(curl, *error.args)

    def _start(self) -> None:
        while self._waiting and self._on_way < self._at_once:
            trip = self._waiting.popleft()
            trip.began = time.monotonic()
            self._on_way += 1
            self._go(trip)

    def _go(self, trip: _Trip) -> None:
        """Begin the trip's next hop: with its name, or at once where there is none to look up."""
        request = trip.exchange.request
        host = None if request.unix_socket else _name_in(request.url)
        if host is None:
            self._transfer(trip)
            return
        trip.host, trip.asked_at = host, time.monotonic()
        give_up_at = trip.asked_at + request.timeout_s
        heapq.heappush(self._looking, (give_up_at, next(self._count), trip))
        self._names.look_up(host, partial(self._name_found, trip))

    def _name_found(self, trip: _Trip, found: list[str] | OSError) -> None:
        # In a thread of the look-ups.
        self._found.append((trip, found))
        self._wake()

    def _take_names(self) -> None:
        now = time.monotonic()
        while self._found:
            trip, found = self._found.popleft()
            if not trip.host:
                continue  # It was given up.
            host, trip.host = trip.host, ""
            took_ms = (now - trip.asked_at) * 1000
            if isinstance(found, OSError):
                self._finish(trip, no_name(host, found, took_ms))
            else:
                self._transfer(trip, found, took_ms)
        while self._looking and (self._looking[0][0] <= now or not self._looking[0][2].host):
            _, _, trip = heapq.heappop(self._looking)
            if trip.host:
                trip.host = ""
                self._finish(trip, late_name((now - trip.asked_at) * 1000, trip.exchange.journey))

    def _transfer(self, trip: _Trip, addresses: Sequence[str] = (), looked_up_ms: float = 0.0) -> None:
        curl = self._spare.pop() if self._spare else pycurl.Curl()
        try:
            trip.exchange.prepare(curl, addresses, looked_up_ms, partial(self._pause, curl))
            self._multi.add_handle(curl)
        except Exception as error:  # noqa: BLE001 - handed on: a request that curl does not take must not end the loop
            curl.close()
            self._finish(trip, error)
            return
        self._running[curl] = trip

    def _collect(self) -> None:
        left = 1
        while left:
            left, good, bad = self._multi.info_read()
            for curl in good:
                self._ended(curl, 0, "")
            for curl, code, detail in bad:
                self._ended(curl, code, detail)

    def _ended(self, curl: pycurl.Curl, code: int, detail: str) -> None:
        self._multi.remove_handle(curl)
        trip = self._running.pop(curl)
        # Or else whatever has the handle next would be resumed, before it has a connection.
        self._paused.discard(curl)
        try:
            result: Answer | Exception | None = trip.exchange.ended(curl, code, detail)
        except Exception as error:  # noqa: BLE001 - as above
            result = error
        curl.reset()
        if len(self._spare) < _SPARE_HANDLES:
            self._spare.append(curl)
        else:
            curl.close()
        if result is None:
            self._go(trip)
        else:
            self._finish(trip, result)

    def _finish(self, trip: _Trip, result: Answer | Exception) -> None:
        self._on_way -= 1
        try:
            trip.done(trip.began, result)
        except Exception:  # the edge: as above
            log.exception("an exchange's answer could not be handed on")

    def _end(self) -> None:
        for curl in self._running:
            self._multi.remove_handle(curl)
            curl.close()
        self._running.clear()
        for curl in self._spare:
            curl.close()
        self._multi.close()
        self._epoll.close()
        self._wake_up.close()
        self._alarm.close()

    # what libcurl asks for

    def _on_socket(self, what: int, fd: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(fd)
            # One that is closed already is out of it by itself.
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)
        elif fd in self._watched:
            self._epoll.modify(fd, _INTERESTS[what])
        else:
            self._watched.add(fd)
            self._epoll.register(fd, _INTERESTS[what])

    def _on_timer(self, timeout_ms: int) -> None:
        self._timer_at = None if timeout_ms < 0 else time.monotonic() + timeout_ms / 1000
