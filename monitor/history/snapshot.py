"""`state.json`: everything now. Written by the checker, read by everybody.

Replaced atomically (write beside, rename), so that a reader sees the old or the new one, never a part.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from monitor.alerts import Alert, AlertStatus
from monitor.model import Json, Severity
from monitor.state import CheckState
from monitor.units import format_duration, from_rfc3339, to_rfc3339

VERSION = 1


@dataclass(frozen=True, slots=True)
class CheckEntry:
    """One check as the snapshot holds it: what it is, how it is, when it is looked at next.

    `at` says at which times of day it runs, and is empty when it runs every `every_s`; else that is the longest time
    between two of them. It is stale `stale_after_s` after its last verdict.
    """

    name: str
    type: str
    group: str
    tags: tuple[str, ...]
    severity: Severity
    every_s: float
    stale_after_s: float
    state: CheckState
    next_at: datetime | None = None
    runbook: str | None = None
    owner: str | None = None
    at: str = ""

    @property
    def is_group(self) -> bool:
        """Whether it is made of other checks: totals have those, and not it beside them."""
        return self.type == "group"

    @property
    def schedule(self) -> str:
        """When it runs, as people say it: `every 30 s`, `at 07:30 mon-fri, Europe/Berlin`."""
        return self.at or f"every {format_duration(self.every_s)}"

    def flag_names(self) -> list[str]:
        return sorted(flag.value for flag in self.state.flags)

    def to_json(self) -> dict[str, Json]:
        fields: dict[str, Json] = {
            "type": self.type,
            "group": self.group,
            "tags": list(self.tags),
            "severity": self.severity.value,
            "every_s": self.every_s,
            "stale_after_s": self.stale_after_s,
            "next_at": to_rfc3339(self.next_at) if self.next_at else None,
            "runbook": self.runbook,
            "owner": self.owner,
        }
        if self.at:
            fields["at"] = self.at
        return self.state.to_json() | fields

    @classmethod
    def from_json(cls, name: str, fields: Mapping[str, Any]) -> CheckEntry:
        next_at = fields.get("next_at")
        return cls(
            name=name,
            type=str(fields["type"]),
            group=str(fields["group"]),
            tags=tuple(map(str, fields.get("tags") or ())),
            severity=Severity(fields["severity"]),
            every_s=float(fields["every_s"]),
            stale_after_s=float(fields["stale_after_s"]),
            state=CheckState.from_json(fields),
            next_at=from_rfc3339(next_at) if next_at else None,
            runbook=fields.get("runbook"),
            owner=fields.get("owner"),
            at=str(fields.get("at") or ""),
        )


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """What the snapshot says of an open alert; `untold` is why nobody is told of it, empty when somebody was."""

    id: str
    resource: str
    source: str
    title: str
    severity: Severity
    status: AlertStatus
    opened_at: datetime
    acknowledged_by: str
    untold: str = ""

    def to_json(self) -> dict[str, Json]:
        return {
            "resource": self.resource,
            "source": self.source,
            "title": self.title,
            "severity": self.severity.value,
            "status": self.status.value,
            "opened_at": to_rfc3339(self.opened_at),
            "acknowledged_by": self.acknowledged_by,
            "untold": self.untold,
        }

    @classmethod
    def of(cls, alert: Alert) -> OpenAlert:
        return cls(
            alert.id,
            alert.resource,
            alert.source,
            alert.title,
            alert.severity,
            alert.status,
            alert.opened_at,
            alert.acknowledged_by,
            alert.untold,
        )

    @classmethod
    def from_json(cls, identifier: str, fields: Mapping[str, Any]) -> OpenAlert:
        return cls(
            identifier,
            str(fields["resource"]),
            str(fields["source"]),
            str(fields["title"]),
            Severity(fields["severity"]),
            AlertStatus(fields["status"]),
            from_rfc3339(fields["opened_at"]),
            str(fields.get("acknowledged_by") or ""),
            str(fields.get("untold") or ""),
        )


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel; `problem` says in one sentence why it is not configured, and is empty when it is.

    `sent` and `failed` count messages since the checker's start, `waiting` those that still have to go out;
    `delay_s` is the sum of the times from queued to sent; `trouble` is why the last one failed, empty when it did not.
    """

    name: str
    type: str
    problem: str = ""
    sent: int = 0
    failed: int = 0
    waiting: int = 0
    delay_s: float = 0.0
    trouble: str = ""

    @property
    def configured(self) -> bool:
        return not self.problem

    def to_json(self) -> dict[str, Json]:
        return {
            "type": self.type,
            "problem": self.problem,
            "sent": self.sent,
            "failed": self.failed,
            "waiting": self.waiting,
            "delay_s": round(self.delay_s, 3),
            "trouble": self.trouble,
        }

    @classmethod
    def from_json(cls, name: str, fields: Mapping[str, Any]) -> ChannelInfo:
        return cls(
            name,
            str(fields["type"]),
            str(fields["problem"]),
            sent=int(fields.get("sent") or 0),
            failed=int(fields.get("failed") or 0),
            waiting=int(fields.get("waiting") or 0),
            delay_s=float(fields.get("delay_s") or 0),
            trouble=str(fields.get("trouble") or ""),
        )


@dataclass(frozen=True, slots=True)
class CheckerInfo:
    """Who writes this snapshot, and how it is.

    `in_flight` are probes that run or wait, `queued` those of them that wait for a thread or a connection.
    `lateness_s`: how late probes began in the last minute: median, 99th percentile, worst. `overruns`: turns of checks
    whose probe of the turn before was still on its way.
    """

    pid: int
    started_at: datetime
    heartbeat_at: datetime
    config_digest: str = ""
    timezone: str = "UTC"
    lateness_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    in_flight: int = 0
    queued: int = 0
    results: int = 0
    overruns: int = 0
    demo_url: str | None = None

    @property
    def lag_s(self) -> float:
        """The worst lateness of the last minute."""
        return self.lateness_s[2]

    def to_json(self) -> dict[str, Json]:
        return {
            "pid": self.pid,
            "started_at": to_rfc3339(self.started_at),
            "heartbeat_at": to_rfc3339(self.heartbeat_at),
            "config_digest": self.config_digest,
            "timezone": self.timezone,
            "lag_s": round(self.lag_s, 4),
            "lateness_s": [round(late_s, 4) for late_s in self.lateness_s],
            "in_flight": self.in_flight,
            "queued": self.queued,
            "results": self.results,
            "overruns": self.overruns,
            "demo_url": self.demo_url,
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> CheckerInfo:
        return cls(
            pid=int(fields["pid"]),
            started_at=from_rfc3339(fields["started_at"]),
            heartbeat_at=from_rfc3339(fields["heartbeat_at"]),
            config_digest=str(fields.get("config_digest") or ""),
            timezone=str(fields.get("timezone") or "UTC"),
            lateness_s=_three(fields.get("lateness_s")),
            in_flight=int(fields.get("in_flight") or 0),
            queued=int(fields.get("queued") or 0),
            results=int(fields.get("results") or 0),
            overruns=int(fields.get("overruns") or 0),
            demo_url=fields.get("demo_url"),
        )


def _three(value: Any) -> tuple[float, float, float]:
    median, high, worst = value or (0.0, 0.0, 0.0)
    return float(median), float(high), float(worst)


@dataclass(frozen=True, slots=True)
class Notice:
    """Trouble of Greenwall's own that pages show: what, and its details one by one."""

    level: str
    text: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of a command; `count` is how often its alert was seen, with what is not stored yet."""

    id: str
    ok: bool
    detail: str
    alert: str | None = None
    count: int | None = None


@dataclass(frozen=True)
class Snapshot:
    """All of `state.json`. Checks are in the order of the configuration."""

    updated_at: datetime
    checker: CheckerInfo
    checks: Mapping[str, CheckEntry] = field(default_factory=dict)
    alerts: tuple[OpenAlert, ...] = ()
    notices: tuple[Notice, ...] = ()
    applied: tuple[Applied, ...] = ()
    channels: tuple[ChannelInfo, ...] = ()

    def alert_of(self, name: str) -> OpenAlert | None:
        """Return the open alert of a check, if there is one."""
        return next((a for a in self.alerts if a.resource == name and a.source == "check"), None)


def entry_json(entry: CheckEntry) -> bytes:
    """Return one check's `"name":{…}`, to be kept until the check changes."""
    return orjson.dumps(entry.name) + b":" + orjson.dumps(entry.to_json())


def snapshot_json(snapshot: Snapshot, entries: Iterable[bytes]) -> bytes:
    """Return the text of `state.json`; `entries` stand for its checks, each made by `entry_json`."""
    head = {
        "version": VERSION,
        "updated_at": to_rfc3339(snapshot.updated_at),
        "checker": snapshot.checker.to_json(),
        "alerts": {alert.id: alert.to_json() for alert in snapshot.alerts},
        "notices": [{"level": n.level, "text": n.text, "more": list(n.more)} for n in snapshot.notices],
        "applied": [
            {"id": a.id, "ok": a.ok, "detail": a.detail, "alert": a.alert, "count": a.count} for a in snapshot.applied
        ],
        "channels": {channel.name: channel.to_json() for channel in snapshot.channels},
    }
    return orjson.dumps(head)[:-1] + b',"checks":{' + b",\n".join(entries) + b"}}\n"


def replace_file(path: Path, content: bytes) -> None:
    """Put `content` in place of the file in one step; OSError leaves the old one as it was."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        _rename(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def _rename(source: Path, target: Path) -> None:
    for attempt in range(3):
        try:
            source.replace(target)
            return
        except PermissionError:
            # Windows refuses while a reader has the file open, which takes it a moment.
            if attempt == 2:
                raise
            time.sleep(0.02)


def read_snapshot(path: Path) -> Snapshot | None:
    """Return the snapshot, or None when there is none yet; ValueError when the file is damaged."""
    try:
        return parse_snapshot(path.read_bytes())
    except FileNotFoundError:
        return None


def parse_snapshot(text: bytes) -> Snapshot:
    """Return the snapshot in a text; ValueError says what is wrong with it."""
    try:
        fields = orjson.loads(text)
        return Snapshot(
            updated_at=from_rfc3339(fields["updated_at"]),
            checker=CheckerInfo.from_json(fields["checker"]),
            checks={name: CheckEntry.from_json(name, entry) for name, entry in fields["checks"].items()},
            alerts=tuple(OpenAlert.from_json(key, alert) for key, alert in fields["alerts"].items()),
            notices=tuple(Notice(n["level"], n["text"], tuple(n["more"])) for n in fields.get("notices", ())),
            applied=tuple(
                Applied(a["id"], a["ok"], a["detail"], a["alert"], a.get("count")) for a in fields.get("applied", ())
            ),
            channels=tuple(ChannelInfo.from_json(name, entry) for name, entry in fields.get("channels", {}).items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"state.json is damaged: {type(error).__name__}: {error}") from error
