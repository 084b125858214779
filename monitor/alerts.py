"""Alerts: when one opens and closes, who is told, and the record of it. Pure: takes facts and `now`.

    verdict FAIL, this outage has no alert ──▶ opened ──▶ acknowledged ──▶ resolved
    verdict OK or WARN, an alert is open   ──────────────────────────────▲
    verdict UNKNOWN                            changes nothing: it could not be judged

Everything that happens is an `AlertEvent`, appended to `data/alerts.jsonl` before it takes effect; an `Alert` is
what folding its events gives, and the outbox is every notification that was queued and has no end yet. The policy
looks at levels, not edges: a crash between a verdict and its alert is made good by the next verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from monitor.config import CheckBase
from monitor.model import Category, Event, Json, Kind, Severity, Status
from monitor.state import CheckState
from monitor.units import from_rfc3339, to_rfc3339

CHECKER = "checker"
CONFIGURATION = "configuration"


class AlertStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    RESOLVED = "RESOLVED"


class What(StrEnum):
    """What an event in `alerts.jsonl` says."""

    OPENED = "opened"
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
    """One line of `alerts.jsonl`: what happened to which alert, when, by whom, why."""

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
    """One trouble from its opening to its end. `source` is `check` or `manual`."""

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


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy wants, or does not want, and why. `events` are to be stored, in order."""

    reason: str
    events: tuple[AlertEvent, ...] = ()


def alert_id(resource: str, at: datetime) -> str:
    """Return the id of the alert that opens for this resource at this time: the same for the same facts."""
    return "a-" + hashlib.sha256(f"{resource}|{to_rfc3339(at)}".encode()).hexdigest()[:10]


class AlertBook:
    """All alerts as their events tell them, the newest last. Changed only by `apply`."""

    def __init__(self, events: Iterable[AlertEvent] = ()) -> None:
        self._alerts: dict[str, Alert] = {}
        self._latest: dict[str, str] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: AlertEvent) -> Alert | None:
        """Fold one event in; return the alert it belongs to, or None when nobody knows that alert."""
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


_CATEGORY = {"host": Category.SYSTEM, "http": Category.AVAILABILITY, "job": Category.BUSINESS}


def category_of(check: CheckBase, kind: Kind | None) -> Category:
    """Return the check's own category, else the one that its type and the kind of failure suggest."""
    if check.category:
        return check.category
    if kind is Kind.SLOW:
        return Category.PERFORMANCE
    return _CATEGORY.get(str(getattr(check, "type", "")), Category.APPLICATION)


def on_verdict(
    check: CheckBase, state: CheckState, latest: Alert | None, channels: tuple[str, ...], now: datetime
) -> Decision:
    """Return what this verdict means for the check's alert.

    `state` is after the verdict, `latest` the check's newest alert, `channels` who is to be told of an opening.
    """
    if state.status is Status.FAIL:
        return _on_fail(check, state, latest, channels, now)
    if latest is None or not latest.is_open or latest.source != "check":
        return Decision("no alert is open")
    if state.status is Status.UNKNOWN:
        return Decision("could not be judged: the alert stays open")
    return _on_recovery(check, state, latest, now)


def _on_fail(
    check: CheckBase, state: CheckState, latest: Alert | None, channels: tuple[str, ...], now: datetime
) -> Decision:
    if latest and latest.source == "check" and latest.is_open:
        return Decision(f"alert {latest.id} is open already")
    # By hand only: what Greenwall itself resolved is over, also when the clock was set back since.
    by_hand = latest is not None and latest.resolved_by not in (CHECKER, CONFIGURATION)
    if latest and latest.source == "check" and by_hand and latest.opened_at >= state.since:
        return Decision(f"this outage had alert {latest.id}, resolved by {latest.resolved_by}")
    identifier = alert_id(check.name, now)
    event = Event.DEADLINE_MISS if state.kind is Kind.DEADLINE else Event.FIRST_FAIL
    data: dict[str, Json] = {
        "resource": check.name,
        "source": "check",
        "title": _title(check.name, state.kind),
        "message": state.message,
        "severity": check.severity.value,
        "category": category_of(check, state.kind).value,
        "kind": state.kind.value if state.kind else None,
        "runbook": check.runbook,
    }
    opened = AlertEvent(now, What.OPENED, identifier, note="failure confirmed", data=data)
    if event not in check.events:
        reason = f"{event.value} is not in notify_on of {check.name}"
        return Decision(reason, (opened, AlertEvent(now, What.NOT_TOLD, identifier, note=reason)))
    return Decision("failure confirmed", (opened, *_queue(identifier, event, channels, now)))


def _on_recovery(check: CheckBase, state: CheckState, alert: Alert, now: datetime) -> Decision:
    note = "recovered" if state.status is Status.OK else f"answers again, with a warning: {state.message}"
    resolved = AlertEvent(now, What.RESOLVED, alert.id, note=note)
    reason = ""
    if not alert.told:
        reason = "nobody was told of the opening"
    elif Event.RECOVERED not in check.events:
        reason = f"recovered is not in notify_on of {check.name}"
    if reason:
        return Decision(reason, (resolved, AlertEvent(now, What.NOT_TOLD, alert.id, note=reason)))
    return Decision("recovered", (resolved, *_queue(alert.id, Event.RECOVERED, alert.told, now)))


def on_removed(alert: Alert, now: datetime) -> Decision:
    """Return the end of an alert whose check is no longer in the configuration: who was told is told."""
    note = "the check was removed from the configuration"
    resolved = AlertEvent(now, What.RESOLVED, alert.id, by=CONFIGURATION, note=note)
    return Decision(note, (resolved, *_queue(alert.id, Event.RECOVERED, alert.told, now)))


def manual_alert(
    resource: str, severity: Severity, message: str, channels: tuple[str, ...], by: str, now: datetime
) -> Decision:
    """Return the opening of an alert that a person sends."""
    identifier = alert_id(f"manual:{by}:{resource}:{message}", now)
    data: dict[str, Json] = {
        "resource": resource,
        "source": "manual",
        "title": f"{resource}: {message.splitlines()[0][:80] if message else 'manual alert'}",
        "message": message,
        "severity": severity.value,
        "category": Category.APPLICATION.value,
        "kind": None,
        "runbook": None,
    }
    opened = AlertEvent(now, What.OPENED, identifier, by=by, note="sent by hand", data=data)
    return Decision("sent by hand", (opened, *_queue(identifier, "manual", channels, now)))


def acknowledge(alert: Alert, by: str, note: str, now: datetime) -> Decision:
    """Return that somebody has this alert now; nothing when it is over."""
    if not alert.is_open:
        return Decision(f"alert {alert.id} is resolved already")
    return Decision("acknowledged", (AlertEvent(now, What.ACKNOWLEDGED, alert.id, by=by, note=note),))


def resolve(alert: Alert, by: str, note: str, now: datetime) -> Decision:
    """Return the end of this alert by a person; who was told it broke is told that it is over."""
    if not alert.is_open:
        return Decision(f"alert {alert.id} is resolved already")
    resolved = AlertEvent(now, What.RESOLVED, alert.id, by=by, note=note or "resolved by hand")
    return Decision("resolved", (resolved, *_queue(alert.id, Event.RECOVERED, alert.told, now)))


def _queue(identifier: str, event: str, channels: Iterable[str], now: datetime) -> tuple[AlertEvent, ...]:
    return tuple(
        AlertEvent(now, What.QUEUED, identifier, data={"event": str(event), "channel": channel}) for channel in channels
    )


_TITLES = {
    Kind.DNS: "name does not resolve",
    Kind.CONNECT: "cannot be reached",
    Kind.TLS: "TLS problem",
    Kind.TIMEOUT: "does not answer in time",
    Kind.PROTOCOL: "answers garbage",
    Kind.STATUS: "answers with an error",
    Kind.CONTENT: "answers wrongly",
    Kind.SLOW: "too slow",
    Kind.DEADLINE: "missed its deadline",
    Kind.RESOURCE: "runs out of room",
    Kind.AUTH: "refuses the credentials",
}


def _title(name: str, kind: Kind | None) -> str:
    return f"{name} {_TITLES.get(kind, 'fails') if kind else 'fails'}"
