"""Who is on call: a rota of weeks, with exceptions. Pure.

The rota goes on by one person at each handover, such as Monday 09:00 in the zone of those who are on call; the week of
`begins` is the first one's. An exception puts somebody else in for a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

from monitor.occurrence import DayTimes
from monitor.windows import Stretch

_WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Instead:
    """Somebody else for a time."""

    person: str
    stretch: Stretch


@dataclass(frozen=True, slots=True)
class Shift:
    person: str
    stretch: Stretch
    is_exception: bool = False


@dataclass(frozen=True)
class OnCall:
    """`handover` is one time on one day of the week; `begins` a day of the first person's week."""

    name: str
    rota: tuple[str, ...]
    handover: DayTimes
    begins: date
    instead: tuple[Instead, ...] = ()

    def person(self, now: datetime) -> str:
        """Return who is on call now."""
        return next((one.person for one in self.instead if one.stretch.holds(now)), self._regular(now))

    def shifts(self, now: datetime, until: datetime) -> Iterator[Shift]:
        """Yield who is on call from now on, the present shift first."""
        at = now
        while at < until:
            change = self._next_change(at)
            exception = next((one for one in self.instead if one.stretch.holds(at)), None)
            person = exception.person if exception else self._regular(at)
            yield Shift(person, Stretch(at, change), exception is not None)
            at = change

    def _regular(self, now: datetime) -> str:
        last = self.handover.previous(now).astimezone(self.handover.zone).date()
        first = self._week_of(self.begins)
        return self.rota[((last - first).days // _WEEK_DAYS) % len(self.rota)]

    def _week_of(self, day: date) -> date:
        """Return the day of the handover in or before that day's week."""
        return date.fromordinal(day.toordinal() - (day.weekday() - self.handover.days[0]) % _WEEK_DAYS)

    def _next_change(self, now: datetime) -> datetime:
        edges = [self.handover.next(now)]
        for one in self.instead:
            edges += [at for at in (one.stretch.begins_at, one.stretch.ends_at) if at > now]
        return min(edges)


def together(shifts: Iterable[Shift]) -> list[Shift]:
    """Return shifts of one person that follow each other as one."""
    found: list[Shift] = []
    for one in shifts:
        last = found[-1] if found else None
        if last and (last.person, last.is_exception) == (one.person, one.is_exception):
            found[-1] = Shift(one.person, Stretch(last.stretch.begins_at, one.stretch.ends_at), one.is_exception)
        else:
            found.append(one)
    return found
