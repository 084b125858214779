"""Which checks are due: `schedule`, kept small and kept straight.

`schedule` looks at every job each time it is asked. So checks that are due in the same quarter of a second of the
same interval share one job, which only hands their names on: 20,000 checks every 30 s are 120 jobs. First runs are
spread over the interval. Times are put back on their grid after each run, so that being late once does not add up,
and all are moved when the clock is set or daylight saving begins: `schedule` counts in local time.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import schedule

from monitor.occurrence import DayTimes
from monitor.units import after, utc_now

SLOT_S = 0.25
# Starts are this far apart when there is room: a handful of checks begins at once, a thousand over their interval.
SPREAD_S = 0.05
# The first round is over before the first interval is: the rest of it is for loading and for being late.
FIRST_ROUND = 0.7
# Checks of the same time of day have all begun by then.
AT_ROUND_S = 20.0
_STEP_S = 0.5
# A clock that was set back by less runs no time of day twice.
_SET_S = 60.0
# Name, seconds to the first run (None: at its time), interval or times of day.
Entry = tuple[str, float | None, float | DayTimes]


@dataclass
class _Slot:
    """Checks that run together. `planned_at` is local time, as `schedule` has it."""

    every_s: float
    planned_at: datetime
    names: list[str] = field(default_factory=list)
    ran: bool = False

    def go_on(self) -> None:
        """Plan the next run after one."""
        self.planned_at = _next_on_grid(self.planned_at, self.every_s)

    def follow(self, step_s: float) -> None:
        """Stay as far ahead as it was when the clock is set."""
        self.planned_at += timedelta(seconds=step_s)


@dataclass
class _TimesSlot:
    """Checks that run together at times of day, `delay_s` after each; `due` is the next run, in UTC.

    `is_extra`: that run is for a time that was missed.
    """

    times: DayTimes
    delay_s: float
    due: datetime
    is_extra: bool
    names: list[str] = field(default_factory=list)
    ran: bool = False

    @property
    def planned_at(self) -> datetime:
        return _local(self.due)

    def go_on(self) -> None:
        # `schedule` never starts it before its time by the same clock, but that may be set between the two looks.
        last = utc_now() if self.is_extra else max(utc_now(), self.due)
        self.due, self.is_extra = self._next(last), False

    def follow(self, step_s: float) -> None:
        now = utc_now()
        if self.is_extra or self.due <= now:
            self.due = now
        elif abs(step_s) >= _SET_S:
            # Those that wait out their delay have not begun.
            self.due = self._next(after(now, -self.delay_s))

    def _next(self, last: datetime) -> datetime:
        return after(self.times.next(last), self.delay_s)


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
        self._jobs: list[tuple[_Slot | _TimesSlot, schedule.Job]] = []
        self._next_at: datetime | None = None
        self._skew_s = _local_minus_monotonic()

    def plan(self, entries: Iterable[Entry]) -> None:
        """Replace the whole plan by these entries, one for each check."""
        rows = list(entries)
        slots: list[_Slot | _TimesSlot] = [
            *_slots_every((name, first_s or 0.0, one) for name, first_s, one in rows if not isinstance(one, DayTimes)),
            *_slots_at([(name, first_s, one) for name, first_s, one in rows if isinstance(one, DayTimes)]),
        ]
        self._scheduler.clear()
        self._jobs = [(slot, self._job(slot)) for slot in slots]
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
                slot.go_on()
                job.next_run = slot.planned_at
        self._look_ahead()

    def idle_s(self) -> float:
        """Return the seconds until something is due, 0 when it is already, a minute when nothing is planned."""
        return 60.0 if self._next_at is None else max((self._next_at - _local_now()).total_seconds(), 0.0)

    def _look_ahead(self) -> None:
        self._next_at = self._scheduler.next_run

    def _job(self, slot: _Slot | _TimesSlot) -> schedule.Job:
        # A float is as good to `schedule` as the int that it asks for: it makes a timedelta of it. Of times of day it
        # knows too little (a zone's lost and doubled hours): the interval is never used, each run says the next.
        every_s = slot.every_s if isinstance(slot, _Slot) else 86400.0
        job: schedule.Job = self._scheduler.every(every_s).seconds.do(self._fire, slot)  # type: ignore[arg-type]
        job.next_run = slot.planned_at
        return job

    def _fire(self, slot: _Slot | _TimesSlot) -> None:
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
            slot.follow(step_s)
            job.next_run = slot.planned_at
        self._look_ahead()


def _slots_every(entries: Iterable[tuple[str, float, float]]) -> Iterable[_Slot]:
    now = _local_now()
    slots: dict[tuple[float, int], _Slot] = {}
    for name, first_s, every_s in entries:
        number = int(first_s / SLOT_S)
        at = now + timedelta(seconds=number * SLOT_S)
        slots.setdefault((every_s, number), _Slot(every_s, at)).names.append(name)
    return slots.values()


def _slots_at(entries: Sequence[tuple[str, float | None, DayTimes]]) -> Iterable[_TimesSlot]:
    now = utc_now()
    counts = Counter(times for _, _, times in entries)
    seen: Counter[DayTimes] = Counter()
    slots: dict[tuple[DayTimes, int, int | None], _TimesSlot] = {}
    for name, first_s, times in entries:
        delay = int(seen[times] * min(AT_ROUND_S / counts[times], SPREAD_S) / SLOT_S)
        seen[times] += 1
        first = None if first_s is None else int(first_s / SLOT_S)
        key = (times, delay, first)
        if key not in slots:
            due = after(times.next(now), delay * SLOT_S) if first is None else after(now, first * SLOT_S)
            slots[key] = _TimesSlot(times, delay * SLOT_S, due, is_extra=first is not None)
        slots[key].names.append(name)
    return slots.values()


def _next_on_grid(planned_at: datetime, every_s: float) -> datetime:
    """Return the next time of the grid that lies ahead: what was missed is missed, not made up for."""
    every = timedelta(seconds=every_s)
    behind = max((_local_now() - planned_at) // every, 0)
    return planned_at + every * (behind + 1)


def _local_now() -> datetime:
    return datetime.now()  # noqa: DTZ005 - `schedule` compares with naive local time


def _local(at: datetime) -> datetime:
    """Return a time of UTC as the local clock counts now: when that is put forward or back, all are moved."""
    offset = utc_now().astimezone().utcoffset()
    return (at.astimezone(UTC) + (offset or timedelta())).replace(tzinfo=None)


def _local_minus_monotonic() -> float:
    now = _local_now()
    return (now - datetime(1970, 1, 1)).total_seconds() - time.monotonic()  # noqa: DTZ001
