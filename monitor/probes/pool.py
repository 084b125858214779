"""Where probes run: http checks in one event loop, everything else in threads. One executor, as the checker sees it.

submit(timed_probe, check, setting) ─▶ http ──▶ ExchangeLoop ─▶ judged there, long bodies in a thread of their own
                                    └▶ other ─▶ a thread, of `workers`
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from monitor.config import HttpCheck
from monitor.model import Outcome
from monitor.probes import Setting, broke, timed_probe
from monitor.probes.curl import Answer, ExchangeLoop, FetchFailed, raise_descriptor_limit
from monitor.probes.http import is_prompt, judge, request_of

# Judging a longer body would keep the loop from others for more than a millisecond.
_LONG_BODY_BYTES = 64 * 1024
_JUDGES = 2
T = TypeVar("T")
Timed = tuple[float, Outcome]


class ProbePool(Executor):
    """Runs `timed_probe` without a thread for each http check that is on its way; any other call in a thread."""

    def __init__(self, workers: int, connections: int) -> None:
        """At most `workers` threads, and `connections` exchanges at once; more of either wait their turn."""
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="probe")
        # What has its answer does not wait for those that hang.
        self._judges = ThreadPoolExecutor(_JUDGES, thread_name_prefix="probe-judge")
        at_once = min(connections, raise_descriptor_limit() // 2)
        self._loop = ExchangeLoop(max(at_once, 1)) if ExchangeLoop.is_supported else None

    @property
    def queued(self) -> int:
        """How many probes wait for a thread or for a place in the loop."""
        waiting = self._loop.queued if self._loop else 0
        return waiting + self._threads._work_queue.qsize()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """As `Executor.submit`."""
        if fn is timed_probe and self._loop is not None:
            check, setting = args
            if isinstance(check, HttpCheck) and is_prompt(check):
                return self._exchange(self._loop, check, setting)  # type: ignore[return-value]
        return self._threads.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As `Executor.shutdown`; exchanges on their way are dropped, their futures are cancelled."""
        if self._loop is not None:
            self._loop.close()
        for threads in (self._judges, self._threads):
            threads.shutdown(wait=wait, cancel_futures=cancel_futures)

    def _exchange(self, loop: ExchangeLoop, check: HttpCheck, setting: Setting) -> Future[Timed]:
        future: Future[Timed] = Future()
        try:
            asked = request_of(check, setting)
        except Exception as error:  # noqa: BLE001 - the edge, as in run_probe
            asked = broke(check, error)
        if isinstance(asked, Outcome):
            future.set_result((time.monotonic(), asked))
        else:
            loop.submit(asked, partial(self._answered, future, check, setting))
        return future

    def _answered(
        self, future: Future[Timed], check: HttpCheck, setting: Setting, began: float, answer: Answer | Exception
    ) -> None:
        if isinstance(answer, Answer) and len(answer.body) > _LONG_BODY_BYTES:
            self._judges.submit(_judge, future, check, setting, began, answer)
        else:
            _judge(future, check, setting, began, answer)


def _judge(future: Future[Timed], check: HttpCheck, setting: Setting, began: float, answer: Answer | Exception) -> None:
    try:
        if not isinstance(answer, (Answer, FetchFailed)):
            raise answer
        outcome = judge(check, setting, answer)
    except Exception as error:  # noqa: BLE001 - the edge, as in run_probe
        outcome = broke(check, error)
    future.set_result((began, outcome))
