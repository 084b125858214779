"""What a rule that fires or ends means for alerts, each with a reason. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from monitor.alerts import (
    CHECKER,
    CONFIGURATION,
    Alert,
    AlertEvent,
    Decision,
    Report,
    What,
    category_of,
    on_removed,
    on_report,
)
from monitor.alerts.recommend import advised
from monitor.model import Json
from monitor.rules.rule import figures
from monitor.rules.turns import Cleared, Fired
from monitor.units import plain

_DAY = timedelta(days=1)


def on_fired(fired: Fired, same: Alert | None, latest: Alert | None, of_check: Alert | None, now: datetime) -> Decision:
    """Return what a rule that holds means: `same` is its open alert for this check, `latest` the one before it,
    `of_check` the check's own newest alert.

    While the check's own alert is open, the rule is noted there, once, and raises it if it is worse. While a check is
    down without one, because its opening is held back or a person resolved it, a rule says nothing either.
    """
    name, state = fired.rule.name, fired.look.state
    if same:
        return _raised(fired, same, now)
    if of_check and of_check.is_open:
        return _noted(fired, of_check, now)
    if state.is_down or state.note:
        return Decision(f"it is down, and its own alert is not open: {state.note or 'it was resolved'}", is_held=True)
    if fired.rule.is_of_the_past and of_check and _says_it(of_check, name, now):
        return Decision(f"alert {of_check.id} told of it already")
    if _is_known(fired, latest):
        return Decision(f"rule {name} had an alert for this, which was resolved by hand")
    return on_report(_report(fired), None, latest, CHECKER, now)


def on_cleared(cleared: Cleared, alert: Alert, now: datetime) -> Decision:
    """Return the end of the rule's alert."""
    rule = cleared.rule
    note = f"{plain(rule.condition, 200)} holds no longer: {figures(rule.facts(cleared.look))}"
    return Decision(f"rule {rule.name} is over", (AlertEvent(now, What.RESOLVED, alert.id, note=note),))


def on_rule_removed(alert: Alert, has_rule: bool, now: datetime) -> Decision:
    """Return the end of an alert whose rule, or whose check, is not asked any more."""
    if has_rule:
        return on_removed(alert, now, f"rule {alert.type} does not apply to {alert.resource} any more")
    return on_removed(alert, now, f"rule {alert.type} was removed from the configuration")


def _raised(fired: Fired, same: Alert, now: datetime) -> Decision:
    report = _report(fired)
    if report.severity < same.severity:
        return on_report(report, same, None, CHECKER, now)
    return Decision(f"alert {same.id} is open already")


def _noted(fired: Fired, alert: Alert, now: datetime) -> Decision:
    name = fired.rule.name
    if _notes(alert, name):
        return Decision(f"rule {name} is noted on alert {alert.id} already")
    said = fired.rule.message_of(fired.rule.facts(fired.look))
    data: dict[str, Json] = {"rule": name}
    events = [AlertEvent(now, What.NOTED, alert.id, note=f"rule {name}: {said}", data=data)]
    severity = fired.rule.severity_of(fired.look)
    if severity and severity < alert.severity:
        note = f"rule {name}: it is {severity.value} now"
        events.append(AlertEvent(now, What.RAISED, alert.id, note=note, data={"severity": severity.value}))
    return Decision(f"noted on alert {alert.id}", tuple(events))


def _notes(alert: Alert, rule: str) -> bool:
    return any(event.what is What.NOTED and event.data.get("rule") == rule for event in alert.events)


def _says_it(alert: Alert, rule: str, now: datetime) -> bool:
    return alert.resolved_at is not None and alert.resolved_at > now - _DAY and _notes(alert, rule)


def _is_known(fired: Fired, latest: Alert | None) -> bool:
    """Whether a person has resolved its alert since it began to hold."""
    if latest is None or latest.type != fired.rule.name or latest.resolved_at is None:
        return False
    by_hand = latest.resolved_by not in (CHECKER, CONFIGURATION)
    return by_hand and (fired.since is None or latest.resolved_at >= fired.since)


def _report(fired: Fired) -> Report:
    rule, check, state = fired.rule, fired.look.check, fired.look.state
    facts = rule.facts(fired.look)
    said: dict[str, Json] = {"rule": rule.name, "condition": rule.condition, **facts}
    words = rule.name.replace("_", " ").replace("-", " ")
    report = Report(
        type=rule.name,
        resource=check.name,
        title=f"{check.name}: {words}",
        message=rule.message_of(facts),
        severity=rule.severity_of(fired.look) or check.severity,
        category=rule.category or category_of(check, state.kind),
        source="rule",
        opening="rule",
        kind=state.kind,
        runbook=check.runbook,
        owner=check.owner,
        group=check.group,
        tags=check.tags,
        metadata=said,
        recommendations=rule.recommendations,
        channels=check.channels,
    )
    return advised(report)
