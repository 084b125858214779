"""Times of day on days of the week in a time zone: which one comes next, which one was last. Pure.

    07:30 mon-fri, Europe/Berlin    the clock is put forward: a time that is left out runs at the first minute after
                                    the clock is put back: a time that comes twice runs the first time

A day that a zone leaves out altogether (Samoa had no 30 December 2011) has no times.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_MINUTE = timedelta(minutes=1)
_WEEK_S = 7 * 86400.0
# A week has one of its days; another one when that is a day that was left out.
_FAR_DAYS = 15


@dataclass(frozen=True)
class DayTimes:
    """When something happens: `times` in order, `days` with Monday as 0, in order; neither is empty."""

    times: tuple[time, ...]
    days: tuple[int, ...]
    zone: ZoneInfo

    @classmethod
    def of(cls, times: Iterable[str], days: Iterable[str], zone: str) -> DayTimes:
        """Return it for texts such as `07:30`, `mon` and `Europe/Berlin`; no days are all of them."""
        numbers = sorted({WEEK.index(day) for day in days}) or range(7)
        return cls(tuple(sorted({time.fromisoformat(one) for one in times})), tuple(numbers), ZoneInfo(zone))

    def next(self, after: datetime) -> datetime:
        """Return the first one after that moment, in UTC."""
        today = after.astimezone(self.zone).date()
        # Yesterday's last ones may have been put off beyond midnight.
        days = (today + timedelta(days=n) for n in range(-1, _FAR_DAYS))
        return next(at for day in days for at in self._on(day) if at > after)

    def previous(self, until: datetime) -> datetime:
        """Return the last one that is not after that moment, in UTC."""
        today = until.astimezone(self.zone).date()
        days = (today - timedelta(days=n) for n in range(_FAR_DAYS))
        return next(at for day in days for at in reversed(list(self._on(day))) if at <= until)

    @property
    def longest_s(self) -> float:
        """The longest time from one to the next by the face of the clock, in seconds."""
        row = [86400.0 * day + 3600.0 * one.hour + 60.0 * one.minute for day in self.days for one in self.times]
        return max(later - one for one, later in zip(row, [*row[1:], row[0] + _WEEK_S], strict=True))

    @property
    def words(self) -> str:
        """Without the zone: `at 07:30 and 12:00 mon-fri`."""
        days = "" if len(self.days) == len(WEEK) else f" {_joined(_spans(self.days))}"
        return f"at {_joined([f'{one:%H:%M}' for one in self.times])}{days}"

    def __str__(self) -> str:
        """Return `at 07:30 and 12:00 mon-fri, Europe/Berlin`."""
        return f"{self.words}, {self.zone.key}"

    def _on(self, day: date) -> Iterator[datetime]:
        """Yield those of this day, in order."""
        if day.weekday() not in self.days or self._is_left_out(day):
            return
        for one in self.times:
            clock = datetime.combine(day, one)
            while not self._exists(clock):
                clock += _MINUTE
            yield clock.replace(tzinfo=self.zone).astimezone(UTC)

    def _exists(self, clock: datetime) -> bool:
        back = clock.replace(tzinfo=self.zone).astimezone(UTC).astimezone(self.zone)
        return back.replace(tzinfo=None) == clock

    def _is_left_out(self, day: date) -> bool:
        midnight = datetime.combine(day, time())
        return not self._exists(midnight) and not self._exists(midnight + timedelta(days=1) - _MINUTE)


def _spans(days: Sequence[int]) -> list[str]:
    """Return the days as `mon-fri` where three or more follow each other, else one by one."""
    runs: list[list[int]] = []
    for day in days:
        if runs and runs[-1][-1] == day - 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    spans: list[str] = []
    for run in runs:
        names = [WEEK[day] for day in run]
        spans += [f"{names[0]}-{names[-1]}"] if len(run) > 2 else names
    return spans


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
