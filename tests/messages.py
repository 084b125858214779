"""Messages as the checker composes them, for tests of channels."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from monitor.alerts import Alert, Notification
from monitor.channels import Letterhead, Message, compose


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
