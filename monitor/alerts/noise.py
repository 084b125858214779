"""Why a resource is noisy, and what would quieten it: named reasons, each with the figures that it rests on. Pure.

    SHORT            over by themselves before anybody could look     retries, fail_after, `for` of a rule
    FLAPPING         again soon after each end                        flap marks, or the cause
    UNACKNOWLEDGED   long, and nobody took one                        lower severity, another route
    SAME_HOUR        at the same time of day on several days          a maintenance window
    REPEATED         one alert that is reported again and again       a higher threshold

To teach one, write a function and add a row to `_REASONS`. Called by `patterns`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from monitor.alerts.alert import Alert
from monitor.alerts.record import CHECKER, CONFIGURATION, What
from monitor.units import format_duration

# Fewer prove nothing.
_ENOUGH = 3
_SHORT, _SOON, _LOOKED = timedelta(minutes=5), timedelta(minutes=15), timedelta(minutes=30)
_HOUR_MIN, _DAY_MIN = 60, 1440
_SAME_HOUR_SHARE = 0.75
_OFTEN = 10


class Reason(StrEnum):
    SHORT = "short"
    FLAPPING = "flapping"
    UNACKNOWLEDGED = "unacknowledged"
    SAME_HOUR = "same_hour"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Hint:
    """What would quieten a resource, as a sentence."""

    reason: Reason
    sentence: str


@dataclass(frozen=True, slots=True)
class Noise:
    """How much of a resource was heard: alerts, messages that went out for them, how often it was seen or reported."""

    resource: str
    alerts: int
    messages: int
    seen: int
    hints: tuple[Hint, ...]


@dataclass(frozen=True, slots=True)
class _Heard:
    """All alerts of a resource, the oldest first."""

    alerts: Sequence[Alert]
    now: datetime
    zone: tzinfo

    def lasted(self, alert: Alert) -> timedelta:
        return (alert.resolved_at or self.now) - alert.opened_at


def noise_of(resource: str, alerts: Sequence[Alert], now: datetime, zone: tzinfo) -> Noise:
    """Return what was heard of a resource and what would quieten it; `alerts` are all of its own, the oldest first."""
    heard = _Heard(alerts, now, zone)
    hints = ((reason, find(heard)) for reason, find in _REASONS)
    return Noise(
        resource=resource,
        alerts=len(alerts),
        messages=sum(n.ended is What.SENT for alert in alerts for n in alert.notifications.values()),
        seen=sum(alert.count for alert in alerts),
        hints=tuple(Hint(reason, sentence) for reason, sentence in hints if sentence),
    )


def _short(heard: _Heard) -> str:
    alerts = heard.alerts
    brief = [one for one in alerts if _ended_by_itself(one) and heard.lasted(one) < _SHORT]
    if len(brief) < _ENOUGH or len(brief) * 2 < len(alerts):
        return ""
    sources = {one.source for one in brief}
    fix = next((fix for source, fix in _PATIENCE.items() if source in sources), "report it only when it lasts")
    return f"{_of(brief, alerts)} were over by themselves within {format_duration(_SHORT.total_seconds())}: {fix}"


_PATIENCE = {"check": "more `retries` or a higher `fail_after`", "rule": "a longer `for` in the rule"}


def _ended_by_itself(alert: Alert) -> bool:
    """Whether the checker ended it, or the application that had reported it; expiring is no end that anybody saw."""
    who = (CHECKER, alert.by) if alert.source == "api" else (CHECKER,)
    return alert.resolved_at is not None and not alert.has_expired and alert.resolved_by in who


def _flapping(heard: _Heard) -> str:
    again = 0
    for type_ in {alert.type for alert in heard.alerts}:
        same = [alert for alert in heard.alerts if alert.type == type_]
        for before, after in pairwise(same):
            again += before.resolved_at is not None and after.opened_at - before.resolved_at < _SOON
    # Of many alerts some follow each other soon by chance.
    if again < _ENOUGH or again * 3 < len(heard.alerts):
        return ""
    is_checked = any(alert.source == "check" for alert in heard.alerts)
    marks = "lower `flap_low` and `flap_high` so that it counts as flapping, or " if is_checked else ""
    soon = format_duration(_SOON.total_seconds())
    return f"it was back within {soon} of its end {again} times: {marks}look for what makes it come and go"


def _unacknowledged(heard: _Heard) -> str:
    long = [one for one in heard.alerts if heard.lasted(one) >= _LOOKED]
    cared_for = any(one.acknowledged_at or _ended_by_a_person(one) for one in heard.alerts)
    if len(long) < _ENOUGH or cared_for:
        return ""
    lasted = format_duration(_LOOKED.total_seconds())
    return (
        f"none of the {len(long)} alerts that lasted {lasted} or longer was acknowledged: a lower severity, or a route "
        "to somebody who looks after it"
    )


def _ended_by_a_person(alert: Alert) -> bool:
    is_own_doing = alert.has_expired or alert.resolved_by == CONFIGURATION or _ended_by_itself(alert)
    return alert.resolved_at is not None and not is_own_doing


def _same_hour(heard: _Heard) -> str:
    """Return it when most alerts opened within one hour of the clock, which may begin at any minute."""
    opened = [alert.opened_at.astimezone(heard.zone) for alert in heard.alerts]
    minutes = [at.hour * 60 + at.minute for at in opened]
    at_minute = Counter(minutes)
    start = max(sorted(at_minute), key=lambda m: sum(at_minute[(m + more) % _DAY_MIN] for more in range(_HOUR_MIN)))
    within = [at for at, m in zip(opened, minutes, strict=True) if (m - start) % _DAY_MIN < _HOUR_MIN]
    days = {(at - timedelta(minutes=start)).date() for at in within}
    if len(days) < _ENOUGH or len(within) < _SAME_HOUR_SHARE * len(opened):
        return ""
    hours = f"{_clock(start)} and {_clock(start + _HOUR_MIN)}"
    return (
        f"{len(within)} of {len(opened)} alerts opened between {hours} on {len(days)} days: a maintenance window for "
        "that time, or a look at what runs then"
    )


def _repeated(heard: _Heard) -> str:
    seen = sum(alert.count for alert in heard.alerts)
    if seen < _OFTEN * len(heard.alerts):
        return ""
    alerts = "1 alert" if len(heard.alerts) == 1 else f"{len(heard.alerts)} alerts"
    return f"it was reported {seen:,} times in {alerts}: a higher threshold, or mend what is always beyond it"


def _of(some: Sequence[Alert], alerts: Sequence[Alert]) -> str:
    return f"all {len(alerts)} alerts" if len(some) == len(alerts) else f"{len(some)} of {len(alerts)} alerts"


def _clock(minute: int) -> str:
    hour, rest = divmod(minute % _DAY_MIN, 60)
    return f"{hour:02}:{rest:02}"


_REASONS: tuple[tuple[Reason, Callable[[_Heard], str]], ...] = (
    (Reason.SHORT, _short),
    (Reason.FLAPPING, _flapping),
    (Reason.UNACKNOWLEDGED, _unacknowledged),
    (Reason.SAME_HOUR, _same_hour),
    (Reason.REPEATED, _repeated),
)
