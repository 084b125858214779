"""The book: all alerts as their events tell them. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from datetime import datetime

from monitor.alerts.alert import Alert, Notification, changed, opened
from monitor.alerts.record import AlertEvent, What


class AlertBook:
    """All alerts, the newest last. Changed only by `apply` and `forget`; other threads may read meanwhile."""

    def __init__(self, events: Iterable[AlertEvent] = ()) -> None:
        self._alerts: dict[str, Alert] = {}
        self._open: dict[str, Alert] = {}
        self._of: dict[str, dict[str, Alert]] = {}
        self._latest: dict[tuple[str, str], str] = {}
        self._last: dict[tuple[str, str], str] = {}
        self._held: dict[str, AlertEvent] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: AlertEvent) -> Alert | None:
        """Fold one event in; return the alert it belongs to, or None when nobody knows that alert.

        KeyError, TypeError or ValueError, and nothing changed, when nothing can be made of it.
        """
        if event.what is What.HELD:
            self._held[str(event.data.get("resource"))] = event
            return None
        known = self._alerts.get(event.alert)
        if event.what is What.OPENED:
            alert = opened(event)
            self._latest[alert.source, alert.resource] = self._last[alert.type, alert.resource] = alert.id
        elif known is None:
            return None
        else:
            alert = changed(known, event)
        self._alerts[alert.id] = alert
        self._index(alert)
        return alert

    def forget(self, alerts: Container[str]) -> None:
        """Let go of these alerts, which are over."""
        self._alerts = {key: alert for key, alert in self._alerts.items() if key not in alerts}
        self._latest = {key: alert for key, alert in self._latest.items() if alert not in alerts}
        self._last = {key: alert for key, alert in self._last.items() if alert not in alerts}

    def _index(self, alert: Alert) -> None:
        of_resource = self._of.setdefault(alert.resource, {})
        if alert.is_open:
            self._open[alert.id] = of_resource[alert.id] = alert
            return
        self._open.pop(alert.id, None)
        of_resource.pop(alert.id, None)
        if not of_resource:
            del self._of[alert.resource]

    def get(self, identifier: str) -> Alert | None:
        return self._alerts.get(identifier)

    def all(self) -> list[Alert]:
        return list(self._alerts.values())

    def open(self) -> list[Alert]:
        """Open alerts in the order in which they opened."""
        return sorted(self._open.values(), key=lambda alert: alert.opened_at)

    def latest(self, resource: str, source: str = "check") -> Alert | None:
        """Return the alert that this check opened last, open or not; those of other sources are not the check's."""
        return self._alerts.get(self._latest.get((source, resource), ""))

    def last(self, type_: str, resource: str) -> Alert | None:
        """Return the newest alert of this type for this resource, open or not."""
        return self._alerts.get(self._last.get((type_, resource), ""))

    def same(self, type_: str, resource: str) -> Alert | None:
        """Return the open alert of this type for this resource."""
        return next((alert for alert in self.of(resource) if alert.type == type_), None)

    def of(self, resource: str) -> list[Alert]:
        """Return the open alerts of this resource."""
        return list(self._of.get(resource, {}).values())

    def ended_before(self, at: datetime) -> list[Alert]:
        """Return alerts that ended before that time."""
        return [alert for alert in self.all() if alert.resolved_at and alert.resolved_at < at]

    def ended_since(self, at: datetime) -> list[Alert]:
        """Return alerts that ended after that time."""
        return [alert for alert in self.all() if alert.resolved_at and alert.resolved_at >= at]

    def held(self, resource: str) -> AlertEvent | None:
        """Return the last record of why this check's failure opened no alert."""
        return self._held.get(resource)

    def blindness(self) -> Alert | None:
        """Return the open alert that Greenwall itself cannot see, if there is one."""
        return next((alert for alert in self.open() if alert.source == "vantage"), None)

    def outbox(self) -> list[Notification]:
        """Notifications that were queued and have not ended, oldest first."""
        return sorted(self._waiting(), key=lambda n: n.queued_at)

    def _waiting(self) -> Iterator[Notification]:
        for alert in self.all():
            yield from (n for n in alert.notifications.values() if n.ended is None)
