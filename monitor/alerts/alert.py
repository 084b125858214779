"""An alert: one trouble from its opening to its end, as its events tell it. Pure.

    ACTIVE ──▶ ACKNOWLEDGED ──▶ RESOLVED          by a verdict, a person, an application, an edited configuration
      │ ▲            │     └──▶ EXPIRED           nobody has seen it again within its time to live
      ▼ │            ▼
    SUPPRESSED (until)                            by a person: nobody is told of it meanwhile

The status is never stored: it follows from what has happened.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from monitor.alerts.record import CHECKER, AlertEvent, What
from monitor.model import Category, Event, Json, Kind, Severity, Subject
from monitor.units import from_rfc3339

LONGEST_TTL_S = 100 * 366 * 86_400.0


class AlertStatus(StrEnum):
    ACTIVE = "ACTIVE"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SUPPRESSED = "SUPPRESSED"
    RESOLVED = "RESOLVED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Notification:
    """One thing to be told to one channel: `event` is `recovered`, or what makes somebody know of the alert.

    `batch` is the idempotency key of the message that carries it, empty while it waits to be joined with others of
    its `bucket`. `ended` is SENT or GAVE_UP. `reference` is what the channel calls the message.
    """

    alert: str
    event: str
    channel: str
    queued_at: datetime
    bucket: str = ""
    batch: str = ""
    not_before: datetime | None = None
    attempts: int = 0
    ended: What | None = None
    ended_at: datetime | None = None
    detail: str = ""
    reference: str = ""

    @property
    def key(self) -> str:
        return f"{self.alert}:{self.event}:{self.channel}"

    @property
    def is_end(self) -> bool:
        return self.event == Event.RECOVERED


@dataclass(frozen=True, slots=True)
class Alert:
    """`source` is `check`, `rule`, `manual`, `api`, or `vantage`: Greenwall cannot see.

    `type` and `resource` together are what it is about: `http` and `shop`, `cpu_percent` and `web-01`. `count` is how
    often it was seen. `opening` is the event that its opening is told as, `wanted` which events are told at all (None:
    all of them), `channels` who was named for it (None: by route). `is_routed`: it was asked who is told of it, as bad
    as it is now; `routes` were taken, and `named` are the channels and rotas that they named. `bad_since` is when its
    check failed first, where that is known; `still` the status that the check had still when a person ended it.
    """

    id: str
    type: str
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
    group: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=dict)
    recommendations: tuple[str, ...] = ()
    related_logs: str | None = None
    affected_users: int | None = None
    previous: str = ""
    opening: str = Event.FIRST_FAIL.value
    wanted: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    ttl_s: float | None = None
    count: int = 1
    bad_since: datetime | None = None
    last_seen_at: datetime | None = None
    raised_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    suppressed_until: datetime | None = None
    suppressed_by: str = ""
    resumed_at: datetime | None = None
    resumed: int = 0
    resolved_at: datetime | None = None
    resolved_by: str = ""
    resolution: str = ""
    still: str = ""
    has_expired: bool = False
    routed_at: datetime | None = None
    is_routed: bool = False
    routes: tuple[str, ...] = ()
    named: tuple[str, ...] = ()
    untold: str = ""
    notifications: Mapping[str, Notification] = field(default_factory=dict)
    events: tuple[AlertEvent, ...] = ()

    @property
    def status(self) -> AlertStatus:
        if self.resolved_at:
            return AlertStatus.EXPIRED if self.has_expired else AlertStatus.RESOLVED
        if self.suppressed_until:
            return AlertStatus.SUPPRESSED
        return AlertStatus.ACKNOWLEDGED if self.acknowledged_at else AlertStatus.ACTIVE

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @property
    def seen_at(self) -> datetime:
        return self.last_seen_at or self.opened_at

    @property
    def began_at(self) -> datetime:
        """When the trouble began, as far as that is known: not later than the alert opened."""
        return min(self.bad_since or self.opened_at, self.opened_at)

    @property
    def expires_at(self) -> datetime | None:
        """When it is over if it is not seen again; None when only a verdict or a person ends it."""
        return self.seen_at + timedelta(seconds=self.ttl_s) if self.ttl_s and self.is_open else None

    @property
    def subject(self) -> Subject:
        return Subject(
            name=self.resource,
            type=self.type,
            group=self.group,
            tags=self.tags,
            severity=self.severity,
            category=self.category,
            owner=self.owner or "",
        )

    @property
    def told(self) -> tuple[str, ...]:
        """Channels that know of it, or will."""
        return tuple(dict.fromkeys(n.channel for n in self.notifications.values() if not n.is_end))


def opened(event: AlertEvent) -> Alert:
    """Return the alert that this event opens; KeyError, TypeError or ValueError when it opens none."""
    data = event.data
    return Alert(
        id=event.alert,
        type=str(data.get("type") or data["source"]),
        resource=str(data["resource"]),
        source=str(data["source"]),
        title=str(data["title"]),
        message=str(data["message"]),
        severity=Severity(str(data["severity"])),
        category=Category(str(data["category"])),
        kind=Kind(str(data["kind"])) if data.get("kind") else None,
        opened_at=event.at,
        by=event.by,
        runbook=_text(data, "runbook"),
        owner=_text(data, "owner"),
        group=_text(data, "group") or "",
        tags=_texts(data, "tags") or (),
        metadata=_mapping(data.get("metadata")),
        recommendations=_texts(data, "recommendations") or (),
        related_logs=_text(data, "related_logs"),
        affected_users=None if data.get("affected_users") is None else int(str(data["affected_users"])),
        previous=_text(data, "previous") or "",
        opening=_text(data, "event") or _opening_of(data),
        wanted=_texts(data, "wanted"),
        channels=_texts(data, "channels"),
        ttl_s=time_to_live(data.get("ttl_s")),
        bad_since=from_rfc3339(str(data["bad_since"])) if data.get("bad_since") else None,
        last_seen_at=event.at,
        events=(event,),
    )


def changed(alert: Alert, event: AlertEvent) -> Alert:
    """Return the alert after the event; KeyError, TypeError or ValueError when nothing can be made of it."""
    fold = _FOLDS.get(event.what)
    # One copy for each event: a file has hundreds of thousands.
    return replace(alert, **(fold(alert, event) if fold else {}), events=(*alert.events, event))


# What an event changes: names of fields of an Alert, and their values.
_Changes = dict[str, Any]


def _seen(alert: Alert, event: AlertEvent) -> _Changes:
    data = event.data
    return _Changes(
        count=alert.count + int(str(data.get("times", 1))),
        last_seen_at=event.at,
        title=_text(data, "title") or alert.title,
        message=_text(data, "message") or alert.message,
        kind=Kind(str(data["kind"])) if data.get("kind") else alert.kind,
        metadata={**alert.metadata, **_mapping(data.get("metadata"))},
        affected_users=max(filter(None, (alert.affected_users, _number(data.get("affected_users")))), default=None),
    )


def _raised(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(severity=Severity(str(event.data["severity"])), raised_at=event.at, is_routed=False)


def _ended(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(
        resolved_at=event.at,
        resolved_by=event.by,
        resolution=event.note,
        still=_text(event.data, "still") or "",
        has_expired=event.what is What.EXPIRED,
        suppressed_until=None,
    )


def _acknowledged(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(acknowledged_at=event.at, acknowledged_by=event.by)


def _suppressed(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(suppressed_until=from_rfc3339(str(event.data["until"])), suppressed_by=event.by)


def _resumed(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(suppressed_until=None, suppressed_by="", resumed_at=event.at, resumed=alert.resumed + 1)


def _routed(alert: Alert, event: AlertEvent) -> _Changes:
    routes, named = (_texts(event.data, key) or () for key in ("routes", "named"))
    return _Changes(
        routed_at=alert.routed_at or event.at,
        is_routed=True,
        routes=tuple(dict.fromkeys((*alert.routes, *routes))),
        named=tuple(dict.fromkeys((*alert.named, *named))),
        untold="",
    )


def _not_told(alert: Alert, event: AlertEvent) -> _Changes:
    return _Changes(untold=event.note)


def _queued(alert: Alert, event: AlertEvent) -> _Changes:
    data = event.data
    not_before = from_rfc3339(str(data["not_before"])) if data.get("not_before") else None
    queued = Notification(
        alert=alert.id,
        event=str(data["event"]),
        channel=str(data["channel"]),
        queued_at=event.at,
        bucket=_text(data, "bucket") or "",
        # Files from before messages were joined hold none: each message was its own.
        batch=str(data["batch"]) if "batch" in data else f"{alert.id}:{data['event']}:{data['channel']}",
        not_before=not_before,
    )
    # Files from before routes hold no other sign that all were told; since then ROUTED comes after the last of them.
    is_routed = alert.is_routed or "batch" not in data
    return _Changes(routed_at=alert.routed_at or event.at, is_routed=is_routed) | _with(alert, queued)


def _batched(alert: Alert, event: AlertEvent) -> _Changes:
    known = alert.notifications.get(str(event.data.get("key")))
    return _with(alert, replace(known, batch=str(event.data["batch"]))) if known else {}


def _delivered(alert: Alert, event: AlertEvent) -> _Changes:
    known = alert.notifications.get(str(event.data.get("key")))
    if known is None:
        return {}
    is_over = event.what is not What.FAILED
    after = replace(
        known,
        attempts=known.attempts + 1,
        ended=event.what if is_over else None,
        ended_at=event.at if is_over else None,
        detail=event.note,
        reference=_text(event.data, "reference") or known.reference,
    )
    return _with(alert, after)


def _with(alert: Alert, notification: Notification) -> _Changes:
    return _Changes(notifications={**alert.notifications, notification.key: notification})


_FOLDS: dict[What, Callable[[Alert, AlertEvent], _Changes]] = {
    What.SEEN: _seen,
    What.RAISED: _raised,
    What.RESOLVED: _ended,
    What.EXPIRED: _ended,
    What.ACKNOWLEDGED: _acknowledged,
    What.SUPPRESSED: _suppressed,
    What.RESUMED: _resumed,
    What.ROUTED: _routed,
    What.NOT_TOLD: _not_told,
    What.QUEUED: _queued,
    What.BATCHED: _batched,
    What.SENT: _delivered,
    What.FAILED: _delivered,
    What.GAVE_UP: _delivered,
}


def time_to_live(value: Json) -> float | None:
    """Return the seconds; ValueError for what is none, and for more than a century, whose end no calendar may have."""
    seconds = None if value is None else float(str(value))
    if seconds is None or 0 <= seconds <= LONGEST_TTL_S:
        return seconds
    raise ValueError(f"ttl_s: expected 0 to {LONGEST_TTL_S:.0f}, got {seconds}")


def _opening_of(data: Mapping[str, Json]) -> str:
    """Return what files from before it was written down leave to be guessed."""
    if data.get("source") == "manual":
        return "manual"
    return (Event.DEADLINE_MISS if data.get("kind") == Kind.DEADLINE else Event.FIRST_FAIL).value


def _text(data: Mapping[str, Json], key: str) -> str | None:
    value = data.get(key)
    return str(value) if value else None


def _texts(data: Mapping[str, Json], key: str) -> tuple[str, ...] | None:
    value = data.get(key)
    return tuple(map(str, value)) if isinstance(value, (list, tuple)) else None


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
