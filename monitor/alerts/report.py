"""Reports: trouble that a rule, an application or a person tells of, and the alert that comes of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from monitor.alerts.alert import Alert
from monitor.alerts.decision import Decision, last_time
from monitor.alerts.record import AlertEvent, What, alert_id
from monitor.model import Category, Json, Kind, Severity
from monitor.units import seconds_between

# An alert that is counted up says so at most this often, and the more rarely the older it is; what comes between is
# counted with the next line.
COUNTED_EVERY_S, COUNTED_SHARE = 10.0, 0.01
# Of the metadata of one alert, whatever its reports say.
MOST_KEYS = 200


@dataclass(frozen=True, slots=True)
class Report:
    """Trouble that somebody tells of: a rule, an application, a person. Texts are plain already.

    `channels` None is by route. `ttl_s`: it is over when it is not reported again for so long; None: when it is
    resolved. `opening` is what its opening is called.
    """

    type: str
    resource: str
    title: str
    message: str
    severity: Severity
    category: Category
    source: str = "api"
    opening: str = "reported"
    kind: Kind | None = None
    runbook: str | None = None
    owner: str | None = None
    group: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    recommendations: tuple[str, ...] = ()
    related_logs: str | None = None
    affected_users: int | None = None
    channels: tuple[str, ...] | None = None
    ttl_s: float | None = None


def on_report(
    report: Report,
    same: Alert | None,
    latest: Alert | None,
    by: str,
    now: datetime,
    times: int = 1,
    identifier: str = "",
) -> Decision:
    """Return the alert that a report opens, or that it counts up: `same` is the open one of its type and resource.

    `times` is how many reports this one stands for, `identifier` is for the alert that it opens. A report that is worse
    than the alert raises it.
    """
    if same is None:
        return _opened_by(report, latest, by, now, identifier)
    data: dict[str, Json] = {"message": report.message, "times": times, "affected_users": report.affected_users}
    data["metadata"] = _news(same.metadata, report.metadata)
    events = [AlertEvent(now, What.SEEN, same.id, by=by, data=data)]
    if report.severity < same.severity:
        note = f"it is {report.severity.value} now"
        events.append(AlertEvent(now, What.RAISED, same.id, by=by, note=note, data={"severity": report.severity.value}))
    return Decision(f"alert {same.id} is open already: counted up", tuple(events))


def _news(known: Mapping[str, Json], said: Mapping[str, Json]) -> dict[str, Json]:
    """Return what is not known yet: what is said again is not stored again, and there is an end to new keys."""
    new = [key for key in said if key not in known][: max(MOST_KEYS - len(known), 0)]
    return {key: value for key, value in said.items() if key in new or (key in known and known[key] != value)}


def counted_every_s(alert: Alert, now: datetime) -> float:
    """Return how often the reports that count an alert up are stored: some hundred times a day at most."""
    every_s = max(COUNTED_EVERY_S, COUNTED_SHARE * seconds_between(alert.opened_at, now))
    # What is stored too seldom would expire though it is reported.
    return min(every_s, alert.ttl_s) if alert.ttl_s else every_s


def _opened_by(report: Report, latest: Alert | None, by: str, now: datetime, identifier: str) -> Decision:
    data: dict[str, Json] = {
        "type": report.type,
        "resource": report.resource,
        "source": report.source,
        "title": report.title,
        "message": report.message,
        "severity": report.severity.value,
        "category": report.category.value,
        "kind": report.kind.value if report.kind else None,
        "event": report.opening,
        "runbook": report.runbook,
        "owner": report.owner,
        "group": report.group,
        "tags": list(report.tags),
        "metadata": dict(report.metadata),
        "recommendations": list(report.recommendations),
        "related_logs": report.related_logs,
        "affected_users": report.affected_users,
        "channels": None if report.channels is None else list(report.channels),
        "ttl_s": report.ttl_s,
        "previous": last_time(latest),
    }
    identifier = identifier or alert_id(f"{report.source}:{report.type}:{report.resource}:{by}:{report.title}", now)
    note = {"manual": "sent by hand", "rule": f"rule {report.type}"}.get(report.source, f"reported by {by}")
    return Decision(note, (AlertEvent(now, What.OPENED, identifier, by=by, note=note, data=data),))
