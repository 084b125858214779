"""The checker's own thread as a queue of things to do, now or later. Anybody may post; one thread runs them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import logging
import queue
import time
from collections.abc import Callable

log = logging.getLogger(__name__)
GATHER_S = 0.01
Job = Callable[[], None]


class Loop:
    """Posted jobs run in the order in which they came, timed ones when their time has come."""

    def __init__(self) -> None:
        self._posted: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._timers: list[tuple[float, int, Job]] = []
        self._count = itertools.count()
        self.faults = 0
        self.last_fault = ""

    def post(self, job: Job) -> None:
        """Have the job run by the loop's thread. Callable from any thread."""
        self._posted.put(job)

    def after(self, delay_s: float, job: Job) -> None:
        """Have the job run in `delay_s` seconds. Only from the loop's own thread."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._count), job))

    def run(self, longest_wait_s: float) -> None:
        """Wait for something to do, at most this long, then do all that is there."""
        wait_s = longest_wait_s
        if self._timers:
            wait_s = min(wait_s, self._timers[0][0] - time.monotonic())
        with contextlib.suppress(queue.Empty):
            first = self._posted.get(timeout=wait_s) if wait_s > 0 else self._posted.get_nowait()
            # What belongs together comes together: waking once for all of it costs a fraction of waking for each.
            time.sleep(GATHER_S)
            self._guard(first)
        self._drain()
        while self._timers and self._timers[0][0] <= time.monotonic():
            self._guard(heapq.heappop(self._timers)[2])

    def _drain(self) -> None:
        # Bounded by what is there now: jobs that post jobs must not keep the heartbeat waiting.
        for _ in range(self._posted.qsize()):
            try:
                self._guard(self._posted.get_nowait())
            except queue.Empty:
                return

    def _guard(self, job: Job) -> None:
        try:
            job()
        except Exception as error:  # the edge: one broken job must not end the checker
            self.faults += 1
            self.last_fault = f"{type(error).__name__}: {error}"
            log.exception("a job of the checker broke")
