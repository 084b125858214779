"""Calls of the system that nothing can interrupt, held to a deadline: statvfs on a dead mount, a program's start.

    within(key, work, timeout_s) ─▶ a helper thread ─▶ the result
                                      └ not in time: it is left behind, and remembered under its key

As long as one that was left behind still hangs, the next call with its key says so at once: there is never more than
one thread for a key. Calls with one key at one time share the work and its result.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

T = TypeVar("T")


class Hanging(Exception):
    """The work did not end in time; `since_s` is how long it has been hanging."""

    def __init__(self, since_s: float) -> None:
        super().__init__(f"still hanging after {since_s:.1f} s")
        self.since_s = since_s


class _Flight:
    def __init__(self) -> None:
        self.future: Future[Any] = Future()
        self.began = time.monotonic()
        self.is_left_behind = False


_lock = threading.Lock()
_flights: dict[Hashable, _Flight] = {}


def within(key: Hashable, work: Callable[[], T], timeout_s: float) -> T:
    """Return what `work` returns, or raise what it raises; raise Hanging when it does not end in time."""
    with _lock:
        flight = _flights.get(key)
        if flight is None:
            flight = _Flight()
            threading.Thread(target=_fly, args=(key, flight, work), name="bounded", daemon=True).start()
            _flights[key] = flight
        elif flight.is_left_behind:
            raise Hanging(time.monotonic() - flight.began)
    if not wait([flight.future], timeout_s).done:
        flight.is_left_behind = True
        raise Hanging(time.monotonic() - flight.began)
    result: T = flight.future.result()
    return result


def _fly(key: Hashable, flight: _Flight, work: Callable[[], object]) -> None:
    result, error = None, None
    try:
        result = work()
    except BaseException as broke:  # noqa: BLE001 - raised again, in the thread that waits for it
        error = broke
    with _lock:
        del _flights[key]
    if error is not None:
        flight.future.set_exception(error)
    else:
        flight.future.set_result(result)
