"""Stretches of time that come again: business hours, quiet hours, maintenance. Pure.

    WeeklyWindow    mon-fri 09:00 to 17:00, Europe/Berlin      beyond midnight when the end is not after the beginning
    CronWindow      "0 3 * * 0" for 2 h, UTC                   each run of the cron expression begins one
    OnceWindow      from one moment until another

`open_at(now)` is the stretch that holds now, `next_after(now)` the first that begins later. Times of day are those of
the zone's clocks; one that a change of the clocks leaves out begins when the clock has passed it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim

from monitor.occurrence import WEEK
from monitor.units import in_zone

_DAY, _MINUTE = timedelta(days=1), timedelta(minutes=1)
_WEEK_DAYS = 8
# No zone sets its clocks back by more.
_FOLD = timedelta(hours=3)


@dataclass(frozen=True, slots=True, order=True)
class Stretch:
    """From `begins_at` until `ends_at`, which is no longer part of it. Both aware, in UTC."""

    begins_at: datetime
    ends_at: datetime

    def holds(self, now: datetime) -> bool:
        return self.begins_at <= now < self.ends_at

    def span(self, timezone: str) -> str:
        """Return it in the zone, as people say it: `Sat 21 Nov 22:00 – 23:30`."""
        begin, end = (in_zone(at, timezone) for at in (self.begins_at, self.ends_at))
        last = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%a %d %b %H:%M}"
        return f"{begin:%a %d %b %H:%M} – {last}"


class Window(Protocol):
    """Stretches of time, one after another."""

    def open_at(self, now: datetime) -> Stretch | None: ...

    def next_after(self, now: datetime) -> Stretch | None: ...


@dataclass(frozen=True, slots=True)
class OnceWindow:
    """One stretch."""

    stretch: Stretch

    def open_at(self, now: datetime) -> Stretch | None:
        return self.stretch if self.stretch.holds(now) else None

    def next_after(self, now: datetime) -> Stretch | None:
        return self.stretch if self.stretch.begins_at > now else None


@dataclass(frozen=True, slots=True)
class WeeklyWindow:
    """Each week on `days` (Monday is 0, of the beginning) from one time of day to another, in the zone's clocks."""

    days: tuple[int, ...]
    begins: time
    ends: time
    zone: ZoneInfo

    @classmethod
    def of(cls, days: Iterable[str], begins: str, ends: str, zone: str) -> WeeklyWindow:
        """Return it for texts such as `mon`, `22:00`, `07:00` and `Europe/Berlin`; no days are all of them."""
        numbers = tuple(sorted({WEEK.index(day) for day in days})) or tuple(range(7))
        return cls(numbers, time.fromisoformat(begins), time.fromisoformat(ends), ZoneInfo(zone))

    def open_at(self, now: datetime) -> Stretch | None:
        return next((one for one in self._around(now) if one.holds(now)), None)

    def next_after(self, now: datetime) -> Stretch | None:
        return next((one for one in self._around(now) if one.begins_at > now), None)

    def _around(self, now: datetime) -> Iterator[Stretch]:
        today = now.astimezone(self.zone).date()
        for day in (today + _DAY * n for n in range(-2, _WEEK_DAYS + 1)):
            if day.weekday() in self.days:
                # A stretch that a change of the clocks swallows whole is none.
                one = self._on(day)
                if one.begins_at < one.ends_at:
                    yield one

    def _on(self, day: date) -> Stretch:
        last = day if self.ends > self.begins else day + _DAY
        return Stretch(self._moment(day, self.begins), self._moment(last, self.ends))

    def _moment(self, day: date, at: time) -> datetime:
        clock = datetime.combine(day, at)
        while (moment := clock.replace(tzinfo=self.zone).astimezone(UTC)).astimezone(self.zone).replace(
            tzinfo=None
        ) != clock:
            clock += _MINUTE
        return moment


@dataclass(frozen=True, slots=True)
class CronWindow:
    """So long from each time that a cron expression names in the zone's clocks."""

    expression: str
    lasts: timedelta
    zone: ZoneInfo

    def open_at(self, now: datetime) -> Stretch | None:
        # The last run until now ends last: all runs last as long.
        last = self._last(now)
        found = self._from(last) if last else None
        return found if found and found.holds(now) else None

    def _last(self, now: datetime) -> datetime | None:
        """Return the last run until now."""
        # Whole seconds, or half a second before a run that one would be found instead of the one before it.
        local = (now.replace(microsecond=0) + timedelta(seconds=1)).astimezone(self.zone)
        if local.fold:
            # Looked back at from the second time, what began in the first of an hour that comes twice is not found.
            runs = (run.astimezone(UTC) for run in CronSim(self.expression, local - _FOLD))
            if latest := max(takewhile(lambda run: run <= now, runs), default=None):
                return latest
        return next(CronSim(self.expression, local, reverse=True), None)

    def next_after(self, now: datetime) -> Stretch | None:
        first = next(CronSim(self.expression, now.astimezone(self.zone)), None)
        return self._from(first) if first else None

    def _from(self, begins: datetime) -> Stretch:
        at = begins.astimezone(UTC)
        return Stretch(at, at + self.lasts)


def open_stretch(windows: Sequence[Window], now: datetime) -> Stretch | None:
    """Return the stretch of any of the windows that holds now, of several the one that ends last."""
    found = [one for window in windows if (one := window.open_at(now))]
    return max(found, key=lambda one: one.ends_at, default=None)


def next_opening(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the first of the windows opens after now."""
    return min((one.begins_at for window in windows if (one := window.next_after(now))), default=None)
