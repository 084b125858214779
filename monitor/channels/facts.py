"""The facts of a message as JSON: the body of webhooks. Names are a contract; texts are plain and bounded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from monitor.alerts import Alert
from monitor.channels.wording import Letterhead, Member, harmless
from monitor.model import Json
from monitor.units import to_rfc3339

_KEPT = 4000
# Of many alerts each is told in a few words: whoever wants more has the link.
_KEPT_OF_MANY = 400


def facts_of(members: Sequence[Member], key: str, heading: str, letterhead: Letterhead) -> dict[str, Json]:
    """Return `{version, key, event, status, alert}`, and for several alerts `alerts` and a `summary` instead."""
    worst = members[0]
    if len(members) == 1:
        alert = _about(worst.alert, letterhead) | more_about(worst.alert)
        return {"version": 1, "key": key, "event": worst.event, "status": worst.status, "alert": alert}
    told: list[Json] = [
        {"event": one.event, "status": one.status, "alert": _about(one.alert, letterhead, _KEPT_OF_MANY)}
        for one in members
    ]
    return {"version": 1, "key": key, "event": "joined", "status": worst.status, "summary": heading, "alerts": told}


def _about(alert: Alert, letterhead: Letterhead, limit: int = _KEPT) -> dict[str, Json]:
    return {
        "id": alert.id,
        "type": harmless(alert.type, 120),
        "title": harmless(alert.title, limit),
        "message": harmless(alert.message, limit),
        "resource": harmless(alert.resource, limit),
        "severity": alert.severity.value,
        "category": alert.category.value,
        "kind": alert.kind.value if alert.kind else None,
        "source": alert.source,
        "count": alert.count,
        "opened_at": to_rfc3339(alert.opened_at),
        "resolved_at": to_rfc3339(alert.resolved_at) if alert.resolved_at else None,
        "url": letterhead.link("alerts", alert=alert.id) or None,
    }


def more_about(alert: Alert) -> dict[str, Json]:
    """Return what is told of an alert by itself, beside what is told of each of several."""
    return {
        "last_seen_at": to_rfc3339(alert.seen_at),
        "group": harmless(alert.group) or None,
        "tags": [harmless(tag, 80) for tag in alert.tags[:50]],
        "affected_users": alert.affected_users,
        "recommendations": [harmless(one, 1000) for one in alert.recommendations[:10]],
        "last_time": harmless(alert.previous) or None,
        "acknowledged_by": harmless(alert.acknowledged_by) or None,
        "resolved_by": harmless(alert.resolved_by) or None,
        "resolution": harmless(alert.resolution) or None,
        "runbook": harmless(alert.runbook or "", _KEPT) or None,
        "owner": harmless(alert.owner or "", _KEPT) or None,
        "metadata": _bounded(alert.metadata),
    }


def _bounded(metadata: Mapping[str, Json]) -> Json:
    """Return it whole, or nothing: a half would be another thing."""
    try:
        return dict(metadata) if len(json.dumps(metadata, allow_nan=False)) <= _KEPT else None
    except (TypeError, ValueError):
        return None
