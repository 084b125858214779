"""Webhooks of other programs, to the forms of `POST /api/v1/alerts`. Pure.

    Alertmanager   payload version 4: each alert by itself, `fingerprint` is its identity
    Sentry         issue alerts, metric alerts, and that an issue is resolved

What they say is untrusted and may be of any shape: a webhook is taken whole or not at all, so that nothing odd in one
alert may make a form that is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field

from monitor.model import Category, Severity
from monitor.units import plain
from monitor.web.reportbodies import URL

Form: TypeAlias = dict[str, Any]

# The label `source` of what Greenwall's own channel tells Alertmanager.
OWN_SOURCE = "greenwall"
# Labels that say where an alert is, the most telling first.
_WHERE = ("instance", "pod", "service", "container", "node", "host", "deployment", "job", "namespace", "cluster")
# Labels that an alert of ours has keys for, and how many of the others become its tags.
_OURS, _TAGS = ("alertname", "severity", "team", "owner"), 30
_SEVERITIES = {"page": Severity.P1, "fatal": Severity.P1, "emergency": Severity.P1, "none": Severity.P4}
_SEVERITIES |= {"debug": Severity.P4, "notice": Severity.P4, "warn": Severity.P3, "major": Severity.P2}
_SEVERITIES |= {"minor": Severity.P3, "sample": Severity.P4}
_LEVELS = {"fatal": "P1", "error": "P2", "warning": "P3", "info": "P4", "debug": "P4"}


def severity_of(word: object) -> Severity:
    """Return the severity that another program's word stands for; P3 for what nobody knows."""
    text = str(word or "").strip().lower()
    try:
        return _SEVERITIES.get(text) or Severity.parse(text)
    except ValueError:
        return Severity.P3


class ManagedAlert(BaseModel):
    """One alert of Alertmanager's."""

    status: Literal["firing", "resolved"]
    labels: dict[str, str] = Field(max_length=100)
    annotations: dict[str, str] = Field(default_factory=dict, max_length=100)
    startsAt: str = ""
    generatorURL: str = ""
    fingerprint: str = Field(pattern=r"^[0-9a-fA-F]{1,64}$")


class ManagerBody(BaseModel):
    """Alertmanager's webhook."""

    version: Literal["4"]
    alerts: list[ManagedAlert] = Field(max_length=500)
    externalURL: str = ""
    truncatedAlerts: int = 0


def of_alertmanager(body: ManagerBody) -> list[Form]:
    """Return a form for each of its alerts, but for those that a Greenwall told it of.

    Taken in, they would be told there again, each time as another alert, without end.
    """
    return [_managed(alert, body.externalURL) for alert in body.alerts if alert.labels.get("source") != OWN_SOURCE]


def _managed(alert: ManagedAlert, external_url: str) -> Form:
    labels, notes = alert.labels, alert.annotations
    name = _first(120, labels.get("alertname"), "alert")
    where = _first(90, *map(labels.get, _WHERE), name)
    title = _first(300, notes.get("summary"), f"{name}: {where}")
    owner = _first(120, labels.get("team"), labels.get("owner"))
    form: Form = {
        "title": title,
        "message": _first(4000, notes.get("description"), notes.get("message"), title),
        "type": name,
        # Two alerts of one name and place are two: its fingerprint is what tells them apart.
        "resource": f"{where} #{alert.fingerprint[:16]}",
        "severity": severity_of(labels.get("severity")),
        "metadata": {
            "labels": labels,
            "annotations": notes,
            "fingerprint": alert.fingerprint,
            "generator_url": alert.generatorURL,
            "alertmanager": external_url,
            "starts_at": alert.startsAt,
        },
        "status": alert.status,
        # What no key of ours is made of can be matched all the same.
        "tags": [_first(120, f"{key}={value}") for key, value in labels.items() if key not in _OURS][:_TAGS],
    }
    return form | _url("runbook", notes.get("runbook_url")) | ({"owner": owner} if owner else {})


class SentryBody(BaseModel):
    """Sentry's webhook: `action`, and `data` by the resource that the header Sentry-Hook-Resource names."""

    action: str = Field(max_length=100)
    data: dict[str, Any]


def of_sentry(resource: str, body: SentryBody) -> list[Form]:
    """Return a form for what happened; none for what is no trouble and no end of one."""
    make = _SENTRY.get(resource)
    return list(make(body.action, body.data)) if make else []


def _event_alert(_action: str, data: Mapping[str, Any]) -> Iterator[Form]:
    event = _mapping(data.get("event"))
    values = _mapping(event.get("exception")).get("values")
    thrown = _mapping(values[-1]) if isinstance(values, list) and values else {}
    title = _first(300, event.get("title"), thrown.get("value"), "an issue")
    yield {
        "title": title,
        "message": _first(4000, thrown.get("value"), event.get("message"), event.get("culprit"), title),
        **_issue(_first(100, event.get("issue_id"), event.get("event_id"))),
        "severity": _LEVELS.get(_first(20, event.get("level")), "P3"),
        "category": Category.APPLICATION,
        "metadata": {
            "error_type": _first(300, thrown.get("type")),
            "rule": _first(300, data.get("triggered_rule")),
            "culprit": _first(300, event.get("culprit")),
            "environment": _first(300, event.get("environment")),
            "stack_trace": _frames(thrown),
            "url": _first(2000, event.get("web_url")),
        },
    } | _url("runbook", event.get("web_url"))


def _metric_alert(action: str, data: Mapping[str, Any]) -> Iterator[Form]:
    alert = _mapping(data.get("metric_alert"))
    rule = _mapping(alert.get("alert_rule"))
    name = _first(300, rule.get("name"), alert.get("title"), "metric alert")
    projects = rule.get("projects")
    yield {
        "title": _first(300, data.get("description_title"), name),
        "message": _first(4000, data.get("description_text"), name),
        "type": f"sentry metric alert {_first(90, rule.get('id'), name)}",
        "resource": _first(120, *(projects[:1] if isinstance(projects, list) else ()), "sentry"),
        "severity": severity_of(action),
        "category": Category.PERFORMANCE,
        "metadata": {
            "rule": name,
            "aggregate": _first(300, rule.get("aggregate")),
            "query": _first(1000, rule.get("query")),
            "url": _first(2000, data.get("web_url")),
        },
        "status": "resolved" if action == "resolved" else "firing",
    } | _url("runbook", data.get("web_url"))


def _issue_event(action: str, data: Mapping[str, Any]) -> Iterator[Form]:
    """Yield the end of an issue; that there is a new one is told by its alert."""
    issue = _mapping(data.get("issue"))
    identifier = _first(100, issue.get("id"))
    if action in ("resolved", "archived", "ignored") and identifier:
        yield {"title": _first(300, issue.get("title"), "an issue"), **_issue(identifier), "status": "resolved"}


def _issue(identifier: str) -> Form:
    return {"type": "sentry issue", "resource": f"sentry issue {identifier or 'without id'}"}


_SENTRY: Mapping[str, Callable[[str, Mapping[str, Any]], Iterator[Form]]] = {
    "event_alert": _event_alert,
    "metric_alert": _metric_alert,
    "issue": _issue_event,
}


def _frames(thrown: Mapping[str, Any]) -> list[str]:
    """Return the last frames, the newest last, as `file:line in function`."""
    frames = _mapping(thrown.get("stacktrace")).get("frames")
    return [_frame(_mapping(frame)) for frame in frames[-20:]] if isinstance(frames, list) else []


def _frame(frame: Mapping[str, Any]) -> str:
    file, line, function = (_first(120, frame.get(key), "?") for key in ("filename", "lineno", "function"))
    return f"{file}:{line} in {function}"


def _url(key: str, value: object) -> Form:
    """Return the URL under that key; nothing when it is none that can be shown as a link."""
    return {key: value} if isinstance(value, str) and len(value) <= 2000 and re.fullmatch(URL, value) else {}


def _first(limit: int, *values: object) -> str:
    """Return the first text or number that says something, on one line; empty when none does."""
    said = (plain(str(value), limit) for value in values if isinstance(value, (str, int, float)))
    return next(filter(None, said), "")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
