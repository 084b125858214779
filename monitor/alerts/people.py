"""What people do to an alert, and what the time alone does. Pure."""

from __future__ import annotations

from datetime import datetime

from monitor.alerts.alert import Alert
from monitor.alerts.decision import Decision
from monitor.alerts.record import AlertEvent, What
from monitor.model import Status
from monitor.units import to_rfc3339


def acknowledge(alert: Alert, by: str, note: str, now: datetime) -> Decision:
    """Return that somebody has this alert now; nothing when it is over."""
    if not alert.is_open:
        return _is_over(alert)
    return Decision("acknowledged", (AlertEvent(now, What.ACKNOWLEDGED, alert.id, by=by, note=note),))


def resolve(alert: Alert, by: str, note: str, now: datetime, still: str = "") -> Decision:
    """Return the end of this alert by a person; who was told it broke is told that it is over.

    `still` is the status of its check, FAIL or WARN, while that is not well: that is told, too.
    """
    if not alert.is_open:
        return _is_over(alert)
    data = {"still": still} if still else {}
    ended = AlertEvent(now, What.RESOLVED, alert.id, by=by, note=note or "resolved by hand", data=data)
    return Decision("resolved", (ended,))


def hears_again(still: str) -> str:
    """Return what must come before anybody is told again of a check whose alert a person ended."""
    return "it has been well again, or fails" if still == Status.WARN else "it has been well again"


def suppress(alert: Alert, until: datetime, by: str, note: str, now: datetime) -> Decision:
    """Return that nobody is told of this alert until then; if it is still open then, it is told."""
    if not alert.is_open:
        return _is_over(alert)
    data = {"until": to_rfc3339(until)}
    return Decision("suppressed", (AlertEvent(now, What.SUPPRESSED, alert.id, by=by, note=note, data=data),))


def on_time(alert: Alert, now: datetime) -> Decision:
    """Return what the time alone means for an open alert: its suppression is over, or nobody has seen it again."""
    if alert.suppressed_until and alert.suppressed_until <= now:
        note = f"suppressed by {alert.suppressed_by} until now, and still open"
        return Decision("the suppression is over", (AlertEvent(now, What.RESUMED, alert.id, note=note),))
    if alert.expires_at and alert.expires_at <= now:
        return Decision("expired", (AlertEvent(now, What.EXPIRED, alert.id, note="not reported again in its time"),))
    return Decision("nothing is due")


def due_at(alert: Alert) -> datetime | None:
    """Return when `on_time` has something to say at the earliest."""
    return min(filter(None, (alert.suppressed_until, alert.expires_at)), default=None)


def _is_over(alert: Alert) -> Decision:
    return Decision(f"alert {alert.id} is {alert.status.value.lower()} already")
