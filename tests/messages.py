"""Messages as the checker composes them, for tests of channels."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from monitor.alerts import Alert, Notification
from monitor.channels import Letterhead, Message, compose
from monitor.model import Category, Kind, Severity

# What the tests of channels tell of; each has what it needs beside it.
DATABASE = Alert(
    id="a-0123456789",
    type="http",
    resource="orders-db",
    source="check",
    title="orders-db answers with an error",
    message="status is 503, expected 200",
    severity=Severity.P1,
    category=Category.DATABASE,
    kind=Kind.STATUS,
    opened_at=datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC),
)


def notified(alert: Alert, event: str, channel: str = "webhook", reference: str = "") -> tuple[Alert, Notification]:
    """Return the alert with this notification, and for anything but its opening with the opening that went before."""
    queued = [Notification(alert.id, event, channel, alert.opened_at)]
    if event != alert.opening and not alert.notifications:
        queued.insert(0, Notification(alert.id, alert.opening, channel, alert.opened_at, reference=reference))
    queued = [replace(one, batch=one.key) for one in queued]
    known = {**alert.notifications, **{one.key: one for one in queued}}
    return replace(alert, notifications=known), queued[-1]


def message_of(
    alert: Alert, event: str, wall_url: str | None, now: datetime, channel: str = "webhook", reference: str = ""
) -> Message:
    told = notified(alert, event, channel, reference)
    return compose([told], told[1].key, Letterhead(wall_url), now)
