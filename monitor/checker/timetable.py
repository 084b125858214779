"""Which checks are due: `schedule`, kept small and kept straight.

`schedule` looks at every job each time it is asked. So checks that are due in the same quarter of a second of the
same interval share one job, which only hands their names on: 20,000 checks every 30 s are 120 jobs. First runs are
spread over the interval. Times are put back on their grid after each run, so that being late once does not add up,
and all are moved when the clock is set or daylight saving begins: `schedule` counts in local time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import schedule

SLOT_S = 0.25
# Starts are this far apart when there is room: a handful of checks begins at once, a thousand over their interval.
SPREAD_S = 0.05
# The first round is over before the first interval is: the rest of it is for loading and for being late.
FIRST_ROUND = 0.8
_STEP_S = 0.5


@dataclass
class _Slot:
    """Checks that run together. `planned_at` is local time, as `schedule` has it."""

    every_s: float
    planned_at: datetime
    names: list[str] = field(default_factory=list)
    ran: bool = False


def spread(every_s: Mapping[str, float]) -> dict[str, float]:
    """Return by name the seconds from now to the first run: evenly over the interval, at most 50 ms apart."""
    counts: dict[float, int] = {}
    for interval in every_s.values():
        counts[interval] = counts.get(interval, 0) + 1
    seen: dict[float, int] = {}
    offsets: dict[str, float] = {}
    for name, interval in every_s.items():
        index = seen.get(interval, 0)
        seen[interval] = index + 1
        offsets[name] = index * min(FIRST_ROUND * interval / counts[interval], SPREAD_S)
    return offsets


class Timetable:
    """Calls `start(name, late_s)` for each check when it is due; `late_s` is how long it has been due."""

    def __init__(self, start: Callable[[str, float], object]) -> None:
        self._start = start
        self._scheduler = schedule.Scheduler()
        self._slots: list[_Slot] = []
        self._jobs: list[tuple[_Slot, schedule.Job]] = []
        self._next_at: datetime | None = None
        self._skew_s = _local_minus_monotonic()

    def plan(self, entries: Iterable[tuple[str, float, float]]) -> None:
        """Replace the whole plan by `(name, seconds to the first run, interval)` for each check."""
        now = _local_now()
        slots: dict[tuple[float, int], _Slot] = {}
        for name, first_s, every_s in entries:
            number = int(first_s / SLOT_S)
            at = now + timedelta(seconds=number * SLOT_S)
            slots.setdefault((every_s, number), _Slot(every_s, at)).names.append(name)
        self._scheduler.clear()
        self._jobs = [(slot, self._job(slot)) for slot in slots.values()]
        self._look_ahead()

    def run_due(self) -> None:
        """Start what is due."""
        self._follow_clock()
        # `schedule` looks at all of its jobs; asking it only when one is due spares most of the cost.
        if self.idle_s() > 0:
            return
        self._scheduler.run_pending()
        for slot, job in self._jobs:
            if slot.ran:
                slot.ran = False
                slot.planned_at = _next_on_grid(slot.planned_at, slot.every_s)
                job.next_run = slot.planned_at
        self._look_ahead()

    def idle_s(self) -> float:
        """Return the seconds until something is due, 0 when it is already, a minute when nothing is planned."""
        return 60.0 if self._next_at is None else max((self._next_at - _local_now()).total_seconds(), 0.0)

    def _look_ahead(self) -> None:
        self._next_at = self._scheduler.next_run

    def _job(self, slot: _Slot) -> schedule.Job:
        # A float is as good to `schedule` as the int that it asks for: it makes a timedelta of it.
        job: schedule.Job = self._scheduler.every(slot.every_s).seconds.do(self._fire, slot)  # type: ignore[arg-type]
        job.next_run = slot.planned_at
        return job

    def _fire(self, slot: _Slot) -> None:
        slot.ran = True
        late_s = (_local_now() - slot.planned_at).total_seconds()
        for name in slot.names:
            self._start(name, late_s)

    def _follow_clock(self) -> None:
        skew_s = _local_minus_monotonic()
        step_s = skew_s - self._skew_s
        if abs(step_s) < _STEP_S:
            # Slow drift is followed silently, or it would add up to a step.
            self._skew_s = skew_s
            return
        self._skew_s = skew_s
        for slot, job in self._jobs:
            slot.planned_at += timedelta(seconds=step_s)
            job.next_run = slot.planned_at
        self._look_ahead()


def _next_on_grid(planned_at: datetime, every_s: float) -> datetime:
    """Return the next time of the grid that lies ahead: what was missed is missed, not made up for."""
    every = timedelta(seconds=every_s)
    behind = max((_local_now() - planned_at) // every, 0)
    return planned_at + every * (behind + 1)


def _local_now() -> datetime:
    return datetime.now()  # noqa: DTZ005 - `schedule` compares with naive local time


def _local_minus_monotonic() -> float:
    now = _local_now()
    return (now - datetime(1970, 1, 1)).total_seconds() - time.monotonic()  # noqa: DTZ001
