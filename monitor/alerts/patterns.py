"""What the alerts of some days have in common: types, hours, reaction, the noisiest, what comes again. Pure.

    alerts opened within `days` before now ──▶ Patterns ──insights──▶ sentences

Accounting: an alert counts where it opened, in the hour and on the weekday of the given zone. Mean time to acknowledge:
alerts that somebody acknowledged, from opening to that. Mean time to resolve: alerts that a person, the checker or an
application ended, from opening to end; not those that expired, because nobody knows when they were over, nor those
whose check was taken out of the configuration. What is still open counts in neither.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from statistics import median
from typing import TypeAlias

from monitor.alerts.alert import Alert
from monitor.alerts.noise import Noise, noise_of
from monitor.alerts.record import CONFIGURATION
from monitor.model import Severity

# Seven days, Monday first, of 24 hours.
Week: TypeAlias = tuple[tuple[int, ...], ...]
LONGEST_DAYS = 3660
_NOISIEST = 5
_RECURRING = 10


@dataclass(frozen=True, slots=True)
class Recurring:
    """One type of one resource that opened more than once; `every_s` is the median from one opening to the next."""

    type: str
    resource: str
    alerts: int
    every_s: float
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Patterns:
    """`hourly` has 24 counts, `weekly` one such row for each weekday, Monday first; `by_type` the most common first.

    Means are minutes, None when there is nothing to take them of. `resolved_by` counts ends by who made them,
    without those that `expired`.
    """

    since: datetime
    until: datetime
    total: int
    still_open: int
    by_type: Mapping[str, int]
    by_severity: Mapping[Severity, int]
    hourly: tuple[int, ...]
    weekly: Week
    weekly_of_type: Mapping[str, Week]
    mean_to_acknowledge_min: float | None
    mean_to_resolve_min: float | None
    acknowledged_by: Mapping[str, int]
    resolved_by: Mapping[str, int]
    expired: int
    noisiest: tuple[Noise, ...]
    recurring: tuple[Recurring, ...]

    @property
    def days(self) -> int:
        return (self.until - self.since).days

    @property
    def most_common_type(self) -> str | None:
        return next(iter(self.by_type), None)

    @property
    def peak_hour(self) -> int | None:
        """The hour in which most alerts opened, of several the first; None without alerts."""
        return self.hourly.index(max(self.hourly)) if self.total else None


def patterns(alerts: Iterable[Alert], now: datetime, days: int = 7, zone: tzinfo = UTC) -> Patterns:
    """Return what the alerts that opened in the last `days` days until now have in common; their order does not matter.

    ValueError when `days` is not 1 to 3660.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"days: expected 1 to {LONGEST_DAYS}, got {days}")
    since = now - timedelta(days=days)
    known = sorted((one for one in alerts if since < one.opened_at <= now), key=lambda one: (one.opened_at, one.id))
    ended = [one for one in known if one.resolved_at]
    acknowledged = [one for one in known if one.acknowledged_at]
    mended = [one for one in ended if not one.has_expired and one.resolved_by != CONFIGURATION]
    week = _week(known, zone)
    return Patterns(
        since=since,
        until=now,
        total=len(known),
        still_open=len(known) - len(ended),
        by_type=_counted(one.type for one in known),
        by_severity={severity: sum(one.severity is severity for one in known) for severity in Severity},
        hourly=tuple(map(sum, zip(*week, strict=True))),
        weekly=week,
        weekly_of_type={type_: _week(of, zone) for type_, of in sorted(_of_each(known, "type").items())},
        mean_to_acknowledge_min=_mean_min([_between(one, one.acknowledged_at) for one in acknowledged]),
        mean_to_resolve_min=_mean_min([_between(one, one.resolved_at) for one in mended]),
        acknowledged_by=_counted(one.acknowledged_by for one in acknowledged),
        resolved_by=_counted(one.resolved_by for one in ended if not one.has_expired),
        expired=sum(one.has_expired for one in ended),
        noisiest=_noisiest(known, now, zone),
        recurring=_recurring(known),
    )


def _week(alerts: Sequence[Alert], zone: tzinfo) -> Week:
    opened = [one.opened_at.astimezone(zone) for one in alerts]
    found = Counter((at.weekday(), at.hour) for at in opened)
    return tuple(tuple(found[day, hour] for hour in range(24)) for day in range(7))


def _counted(names: Iterable[str]) -> dict[str, int]:
    """Return how often each comes, the most common first, equals by name."""
    return dict(sorted(Counter(names).items(), key=lambda item: (-item[1], item[0])))


def _between(alert: Alert, end: datetime | None) -> timedelta:
    # A clock that was set back makes no negative time.
    return max((end or alert.opened_at) - alert.opened_at, timedelta())


def _mean_min(times: Sequence[timedelta]) -> float | None:
    """Return the mean in minutes. Times are whole microseconds: their sum is exact, in any order."""
    return round(sum(times, timedelta()) / len(times) / timedelta(minutes=1), 1) if times else None


def _of_each(alerts: Iterable[Alert], key: str) -> dict[str, list[Alert]]:
    found: dict[str, list[Alert]] = {}
    for one in alerts:
        found.setdefault(getattr(one, key), []).append(one)
    return found


def _noisiest(alerts: Sequence[Alert], now: datetime, zone: tzinfo) -> tuple[Noise, ...]:
    """Return the resources with most alerts, of equals those with most messages; a single alert is none."""
    noises = [noise_of(resource, of, now, zone) for resource, of in _of_each(alerts, "resource").items()]
    loud = [noise for noise in noises if noise.alerts > 1 or noise.hints]
    return tuple(sorted(loud, key=lambda n: (-n.alerts, -n.messages, -n.seen, n.resource))[:_NOISIEST])


def _recurring(alerts: Sequence[Alert]) -> tuple[Recurring, ...]:
    found = []
    for resource, of in _of_each(alerts, "resource").items():
        for type_, same in _of_each(of, "type").items():
            gaps = [(b.opened_at - a.opened_at).total_seconds() for a, b in pairwise(same)]
            if gaps:
                found.append(Recurring(type_, resource, len(same), median(gaps), same[-1].opened_at))
    return tuple(sorted(found, key=lambda one: (-one.alerts, one.resource, one.type))[:_RECURRING])
