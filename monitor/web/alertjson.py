"""Alerts as JSON for programs: one as a whole, and what became of what somebody has told. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from monitor.alerts import Alert, Report
from monitor.alerts.reports import Told
from monitor.model import Json
from monitor.units import to_rfc3339


def alert_json(alert: Alert) -> dict[str, Json]:
    texts = ("id", "type", "resource", "source", "title", "message", "by", "owner", "group", "runbook", "related_logs")
    times = ("opened_at", "last_seen_at", "acknowledged_at", "suppressed_until", "resolved_at")
    words = ("acknowledged_by", "suppressed_by", "resolved_by", "resolution", "previous")
    fields: dict[str, Json] = {key: getattr(alert, key) for key in (*texts, *words)}
    fields |= {key: to_rfc3339(at) if (at := getattr(alert, key)) else None for key in times}
    return fields | {
        "severity": alert.severity.value,
        "category": alert.category.value,
        "kind": alert.kind.value if alert.kind else None,
        "status": alert.status.value,
        "count": alert.count,
        "affected_users": alert.affected_users,
        "tags": list(alert.tags),
        "recommendations": list(alert.recommendations),
        "metadata": dict(alert.metadata),
        "told": list(alert.told),
        "untold": alert.untold,
    }


def rows_of(told: Sequence[Told], alerts: Iterable[Alert], asked_at: datetime) -> list[dict[str, Json]]:
    """Return what became of each: opened, counted up, resolved or not open. `alerts` are the newest first."""
    # Times are stored in milliseconds: what was opened within the same one must not look older than the asking.
    asked_at = asked_at.replace(microsecond=asked_at.microsecond // 1000 * 1000)
    known: dict[tuple[str, str], list[Alert]] = {}
    for alert in alerts:
        known.setdefault((alert.type, alert.resource), []).append(alert)
    rows = []
    for one in told:
        type_, resource = (one.type, one.resource) if isinstance(one, Report) else one
        found = known.get((type_, resource), [])
        row: dict[str, Json] = {"type": type_, "resource": resource, "id": found[0].id if found else None}
        rows.append(row | (_reported if isinstance(one, Report) else _ended)(found, asked_at))
    return rows


def _reported(found: Sequence[Alert], asked_at: datetime) -> dict[str, Json]:
    is_new = bool(found) and found[0].opened_at >= asked_at
    return {"result": "opened" if is_new else "counted up", "count": found[0].count if found else 1}


def _ended(found: Sequence[Alert], asked_at: datetime) -> dict[str, Json]:
    is_done = any(one.resolved_at is not None and one.resolved_at >= asked_at for one in found)
    return {"result": "resolved" if is_done else "not open"}
