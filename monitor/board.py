"""What the wall shows, as one small JSON document. Pure: from a snapshot and a time.

The document changes only when something that is shown changes, so that its ETag spares the network. The age of the
checker's heartbeat is not in it: it goes into a header, and the browser counts on from there.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from monitor.alerts import AlertStatus
from monitor.history.snapshot import CheckEntry, OpenAlert, Snapshot
from monitor.ledger import Tally
from monitor.model import Flag, Kind, Status
from monitor.units import clip, format_ms, seconds_between, to_rfc3339

UPTIME_DAYS = 30
SHORTEST_STALE_S = 10.0
LONGEST_STALE_S = 60.0
_SHORT = {
    Kind.DNS: "no name",
    Kind.CONNECT: "unreachable",
    Kind.TLS: "TLS",
    Kind.TIMEOUT: "timeout",
    Kind.PROTOCOL: "garbage",
    Kind.CONTENT: "wrong answer",
    Kind.SLOW: "slow",
    Kind.DEADLINE: "late",
    Kind.AUTH: "refused",
    Kind.UNCONFIGURED: "not set up",
    Kind.VANTAGE: "not seen",
    Kind.INTERNAL: "our fault",
}
# Their latency says more than the same few words each time.
_TOLD_BY_LATENCY = frozenset(
    {"http", "tcp", "udp", "icmp", "websocket", "mqtt", "grpc", "redis", "ssh", "smtp", "service", "steps"}
)
# What they say of their failures is more than its kind tells.
_TOLD_BY_MESSAGE = frozenset({"group", "command"})
_IS_UP = frozenset({Status.OK, Status.WARN})


def board(
    snapshot: Snapshot,
    now: datetime,
    together: Tally | None = None,
    members: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Any]:
    """Return the board's document.

    `together` is how all checks spent the last 30 days; `members` names the checks that each group is made of.
    """
    members = members or {}
    # The check's own alert is told before what rules found of it, and of those first what nobody has.
    found = [one for one in snapshot.alerts if one.source in ("check", "rule")]
    found.sort(key=lambda one: (one.source == "check", one.status is AlertStatus.ACTIVE))
    alerts = {one.resource: one for one in found}
    checks = [
        _tile(entry, alerts.get(entry.name), now, up_of(snapshot, members.get(entry.name, ()), now))
        for entry in snapshot.checks.values()
    ]
    counts = dict.fromkeys(("OK", "WARN", "FAIL", "UNKNOWN", "PAUSED", "MAINTENANCE"), 0)
    for tile in checks:
        counts[_counted_as(tile)] += 1
    intervals = [entry.every_s for entry in snapshot.checks.values()]
    return {
        "version": 1,
        "title": "Greenwall",
        "timezone": snapshot.checker.timezone,
        "stale_after_s": min(max(2 * min(intervals, default=30.0), SHORTEST_STALE_S), LONGEST_STALE_S),
        "counts": counts,
        "uptime": _uptime(together),
        "notices": [{"level": n.level, "text": n.text, "more": list(n.more)} for n in snapshot.notices],
        "groups": list(dict.fromkeys(entry.group for entry in snapshot.checks.values())),
        "checks": checks,
        "alerts": [_news(alert) for alert in snapshot.alerts],
    }


def _news(alert: OpenAlert) -> dict[str, Any]:
    """Return what a browser announces of an alert; `quiet`: a silence, maintenance or a person keeps it back.

    `other`: no card tells it: it was found by a rule, or an application reported it.
    """
    return {
        "id": alert.id,
        "title": clip(alert.title, 120),
        "severity": alert.severity.value,
        "other": alert.source in ("rule", "api"),
        "quiet": bool(alert.untold) or alert.status is AlertStatus.SUPPRESSED,
    }


def _uptime(together: Tally | None) -> dict[str, Any] | None:
    """Return the uptime, and of how much time: of what was watched of a check, on average."""
    if together is None or together.uptime_ratio is None:
        return None
    watched_s = together.watched_s / together.period_s * UPTIME_DAYS * 86400
    return {"days": UPTIME_DAYS, "ratio": round(together.uptime_ratio, 6), "watched_s": round(watched_s)}


def _counted_as(tile: dict[str, Any]) -> str:
    if Flag.MAINTENANCE.value in tile["flags"]:
        return "MAINTENANCE"
    if Flag.PAUSED.value in tile["flags"]:
        return "PAUSED"
    return "UNKNOWN" if tile["stale"] else str(tile["status"])


def is_stale(entry: CheckEntry, now: datetime) -> bool:
    """Return whether a check that should be looked at has not been for longer than it may be."""
    if Flag.PAUSED in entry.state.flags or entry.state.checked_at is None:
        return False
    return seconds_between(entry.state.checked_at, now) > entry.stale_after_s


def up_of(snapshot: Snapshot, members: Sequence[str], now: datetime) -> tuple[int, int]:
    """Return how many of a group's members are up (OK or WARN), and how many there are.

    One that rests, or was not looked at in time, is not known to be up.
    """
    known = [snapshot.checks[name] for name in members if name in snapshot.checks]
    up = [one for one in known if one.state.status in _IS_UP and Flag.PAUSED not in one.state.flags]
    return sum(not is_stale(one, now) for one in up), len(known)


def _tile(entry: CheckEntry, alert: OpenAlert | None, now: datetime, up: tuple[int, int]) -> dict[str, Any]:
    state = entry.state
    tile = {
        "name": entry.name,
        "group": entry.group,
        "status": state.status.value,
        "flags": sorted(flag.value for flag in state.flags),
        "since": to_rfc3339(state.since),
        "checked_at": to_rfc3339(state.checked_at) if state.checked_at else None,
        "severity": entry.severity.value,
        "kind": state.kind.value if state.kind else None,
        "latency_ms": None if state.latency_ms is None else round(state.latency_ms, 1),
        "message": clip(state.message, 300),
        "held": clip(state.note, 120) or None,
        "summary": summary(entry, up),
        "ticks": state.ticks if state.status is not Status.OK else "",
        "alert": alert.status.value if alert else None,
        "taken_by": alert.acknowledged_by or None if alert else None,
        "untold": clip(alert.untold, 120) or None if alert else None,
        "tags": list(entry.tags),
        "stale": is_stale(entry, now),
        "interval_s": entry.every_s,
    }
    return tile | {"at": entry.at} if entry.at else tile


def summary(entry: CheckEntry, up: tuple[int, int] = (0, 0)) -> str:
    """Return the few words that fit on a small tile; `up`: of a group, how many members are, and of how many."""
    state = entry.state
    if Flag.PAUSED in state.flags:
        return "paused"
    if state.checked_at is None:
        return "not checked yet"
    if up[1]:
        return f"{up[0]} of {up[1]} {'known up' if state.status is Status.UNKNOWN else 'up'}"
    if state.kind is not None:
        return _trouble(entry)
    if state.latency_ms is not None and entry.type in _TOLD_BY_LATENCY:
        return format_ms(state.latency_ms)
    return clip(state.message, 24)


def _trouble(entry: CheckEntry) -> str:
    state = entry.state
    if state.is_down and state.trouble.turn:
        return "recovering"
    # That it flaps is told by its flag.
    if state.note and Flag.FLAPPING not in state.flags:
        return clip(state.note, 24)
    short = None if entry.type in _TOLD_BY_MESSAGE else _SHORT.get(state.kind) if state.kind else None
    return short or clip(state.message, 24)


@dataclass(frozen=True)
class Page:
    """The document as it goes over the wire: gzip bytes, and an ETag of what is in them."""

    body: bytes
    etag: str


def render(document: dict[str, Any]) -> Page:
    """Return the document compressed, with an ETag that is the same for the same content."""
    plain = orjson.dumps(document)
    return Page(gzip.compress(plain, compresslevel=5, mtime=0), f'"{hashlib.sha256(plain).hexdigest()[:20]}"')
