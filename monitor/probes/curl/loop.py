"""All exchanges in one thread: libcurl waits for a thousand of them at once, for a fraction of a thread each.

    submit(request, done) ─▶ queue ─▶ wake ─▶ start (at most `at_once`) ─▶ epoll ◀─▶ libcurl ─▶ done(began, answer)

`done` runs in the loop's thread, so it is short; what takes long, it hands on.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

import pycurl

from monitor.probes.curl.exchange import Exchange
from monitor.probes.curl.request import Answer, Request

log = logging.getLogger(__name__)

Done = Callable[[float, "Answer | Exception"], None]
_SPARE_HANDLES = 64
_LONGEST_WAIT_S = 60.0
# `selectors` would cost a third more for each check. Where there is no epoll, probes run in threads.
IS_SUPPORTED = hasattr(select, "epoll")
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


class ExchangeLoop:
    """Runs exchanges, at most `at_once` of them; more wait in the order in which they came."""

    def __init__(self, at_once: int) -> None:
        self._at_once = at_once
        self._waiting: deque[tuple[Request, Done]] = deque()
        self._running: dict[pycurl.Curl, tuple[Exchange, Done, float]] = {}
        self._spare: list[pycurl.Curl] = []
        self._closing = False
        self._asleep = threading.Event()
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
        self._waiting.append((request, done))
        if self._asleep.is_set():
            self._asleep.clear()
            with contextlib.suppress(BlockingIOError):
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
                self._asleep.set()
                # Whoever submitted before this line did not wake us.
                events = self._epoll.poll(0 if self._waiting else self._wait_s())
                self._asleep.clear()
                self._handle(events)
                self._collect()
                self._start()
        finally:
            self._end()

    def _wait_s(self) -> float:
        if self._timer_at is None:
            return _LONGEST_WAIT_S
        return min(max(self._timer_at - time.monotonic(), 0.0), _LONGEST_WAIT_S)

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

    def _start(self) -> None:
        while self._waiting and len(self._running) < self._at_once:
            request, done = self._waiting.popleft()
            curl = self._spare.pop() if self._spare else pycurl.Curl()
            began = time.monotonic()
            try:
                exchange = Exchange(curl, request)
                self._multi.add_handle(curl)
            except Exception as error:  # noqa: BLE001 - handed on: a request that curl does not take must not end the loop
                curl.close()
                self._tell(done, began, error)
                continue
            self._running[curl] = (exchange, done, began)

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
        exchange, done, began = self._running.pop(curl)
        try:
            result: Answer | Exception | None = exchange.ended(code, detail)
        except Exception as error:  # noqa: BLE001 - as above
            result = error
        if result is None:
            self._running[curl] = (exchange, done, began)
            self._multi.add_handle(curl)
            return
        curl.reset()
        if len(self._spare) < _SPARE_HANDLES:
            self._spare.append(curl)
        else:
            curl.close()
        self._tell(done, began, result)

    def _tell(self, done: Done, began: float, result: Answer | Exception) -> None:
        try:
            done(began, result)
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
