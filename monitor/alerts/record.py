"""The record: events as lines, and the alerts that folding them gives. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from monitor.model import Category, Event, Json, Kind, Severity
from monitor.units import from_rfc3339, to_rfc3339

CHECKER = "checker"
CONFIGURATION = "configuration"
# What an alert of Greenwall's own is about.
GREENWALL = "Greenwall"


class AlertStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


class What(StrEnum):
    """What an event in `alerts.jsonl` says."""

    OPENED = "opened"
    HELD = "held"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"
    REMEDY = "remedy"
    NOT_TOLD = "not_told"
    QUEUED = "queued"
    SENT = "sent"
    FAILED = "failed"
    GAVE_UP = "gave_up"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of `alerts.jsonl`: what happened to which alert, when, by whom, why.

    `held` belongs to no alert: it says why a failure opened none; `data` names the resource.
    """

    at: datetime
    what: What
    alert: str
    by: str = CHECKER
    note: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        line: dict[str, Json] = {"at": to_rfc3339(self.at), "what": self.what.value, "alert": self.alert}
        return line | {"by": self.by, "note": self.note, "data": dict(self.data)}

    @classmethod
    def from_json(cls, line: Mapping[str, Json]) -> AlertEvent:
        """Return the event of a line; KeyError, TypeError or ValueError when it is none."""
        data = line.get("data")
        event = cls(
            at=from_rfc3339(str(line["at"])),
            what=What(str(line["what"])),
            alert=str(line["alert"]),
            by=str(line.get("by") or ""),
            note=str(line.get("note") or ""),
            data=data if isinstance(data, Mapping) else {},
        )
        if event.what is What.OPENED:
            # An opening that opens nothing is no event: better refused here than when it is folded in.
            _opened(event)
        return event


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one channel. `key` is its idempotency key: the same message again has the same key."""

    alert: str
    event: str
    channel: str
    queued_at: datetime
    attempts: int = 0
    ended: What | None = None
    detail: str = ""

    @property
    def key(self) -> str:
        return f"{self.alert}:{self.event}:{self.channel}"


@dataclass(frozen=True, slots=True)
class Alert:
    """One trouble from its opening to its end. `source` is `check`, `manual`, or `vantage`: Greenwall cannot see."""

    id: str
    resource: str
    source: str
    title: str
    message: str
    severity: Severity
    category: Category
    kind: Kind | None
    opened_at: datetime
    by: str = CHECKER
    runbook: str | None = None
    owner: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_at: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""
    notifications: Mapping[str, Notification] = field(default_factory=dict)
    events: tuple[AlertEvent, ...] = ()

    @property
    def status(self) -> AlertStatus:
        if self.resolved_at:
            return AlertStatus.RESOLVED
        return AlertStatus.ACKNOWLEDGED if self.acknowledged_at else AlertStatus.ACTIVE

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def told(self) -> tuple[str, ...]:
        """Channels that were, or still will be, told of the opening."""
        opened = [n for n in self.notifications.values() if n.event != Event.RECOVERED]
        return tuple(dict.fromkeys(n.channel for n in opened))


def alert_id(resource: str, at: datetime) -> str:
    """Return the id of the alert that opens for this resource at this time: the same for the same facts."""
    return "a-" + hashlib.sha256(f"{resource}|{to_rfc3339(at)}".encode()).hexdigest()[:10]


class AlertBook:
    """All alerts as their events tell them, the newest last. Changed only by `apply`."""

    def __init__(self, events: Iterable[AlertEvent] = ()) -> None:
        self._alerts: dict[str, Alert] = {}
        self._latest: dict[str, str] = {}
        self._held: dict[str, AlertEvent] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: AlertEvent) -> Alert | None:
        """Fold one event in; return the alert it belongs to, or None when nobody knows that alert."""
        if event.what is What.HELD:
            self._held[str(event.data.get("resource"))] = event
            return None
        if event.what is What.OPENED:
            alert = _opened(event)
            if alert.source == "check":
                self._latest[alert.resource] = alert.id
        else:
            known = self._alerts.get(event.alert)
            if known is None:
                return None
            alert = _changed(known, event)
        self._alerts[alert.id] = replace(alert, events=(*alert.events, event))
        return self._alerts[alert.id]

    def get(self, identifier: str) -> Alert | None:
        return self._alerts.get(identifier)

    def all(self) -> list[Alert]:
        return list(self._alerts.values())

    def open(self) -> list[Alert]:
        return [alert for alert in self._alerts.values() if alert.is_open]

    def latest(self, resource: str) -> Alert | None:
        """Return the alert that this check opened last, open or not; those sent by hand are not the check's."""
        return self._alerts.get(self._latest.get(resource, ""))

    def held(self, resource: str) -> AlertEvent | None:
        """Return the last record of why this check's failure opened no alert."""
        return self._held.get(resource)

    def blindness(self) -> Alert | None:
        """Return the open alert that Greenwall itself cannot see, if there is one."""
        return next((alert for alert in self.open() if alert.source == "vantage"), None)

    def outbox(self) -> list[Notification]:
        """Notifications that were queued and have not ended, oldest first."""
        waiting = [n for alert in self._alerts.values() for n in alert.notifications.values() if n.ended is None]
        return sorted(waiting, key=lambda n: n.queued_at)


def _opened(event: AlertEvent) -> Alert:
    data = event.data
    return Alert(
        id=event.alert,
        resource=str(data["resource"]),
        source=str(data["source"]),
        title=str(data["title"]),
        message=str(data["message"]),
        severity=Severity(str(data["severity"])),
        category=Category(str(data["category"])),
        kind=Kind(str(data["kind"])) if data.get("kind") else None,
        opened_at=event.at,
        by=event.by,
        runbook=str(data["runbook"]) if data.get("runbook") else None,
        owner=str(data["owner"]) if data.get("owner") else None,
    )


def _changed(alert: Alert, event: AlertEvent) -> Alert:
    if event.what is What.ACKNOWLEDGED:
        return replace(alert, acknowledged_at=event.at, acknowledged_by=event.by)
    if event.what is What.RESOLVED:
        return replace(alert, resolved_at=event.at, resolved_by=event.by, resolution=event.note)
    if event.what is What.QUEUED:
        queued = Notification(alert.id, str(event.data["event"]), str(event.data["channel"]), event.at)
        return replace(alert, notifications={**alert.notifications, queued.key: queued})
    if event.what in (What.SENT, What.FAILED, What.GAVE_UP):
        return _delivered(alert, event)
    return alert


def _delivered(alert: Alert, event: AlertEvent) -> Alert:
    key = str(event.data.get("key"))
    known = alert.notifications.get(key)
    if known is None:
        return alert
    ended = None if event.what is What.FAILED else event.what
    after = replace(known, attempts=known.attempts + 1, ended=ended, detail=event.note)
    return replace(alert, notifications={**alert.notifications, key: after})
