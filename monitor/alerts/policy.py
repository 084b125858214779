"""The policy: what a verdict, a report, a person or an edited configuration means for alerts, each with a reason. Pure.

It opens, counts, raises and ends. Who is told of that is for `telling` to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from monitor.alerts.alert import Alert
from monitor.alerts.record import CHECKER, CONFIGURATION, GREENWALL, AlertEvent, What, alert_id
from monitor.config import CheckBase, GroupCheck
from monitor.contrast import changes, sentence
from monitor.model import Category, Event, Flag, Json, Kind, Severity, Status
from monitor.state import CheckState
from monitor.units import seconds_between, to_rfc3339

# An alert that is counted up says so at most this often, and the more rarely the older it is; what comes between is
# counted with the next line.
COUNTED_EVERY_S, COUNTED_SHARE = 10.0, 0.01
# What is looked at less often than this has no second look soon.
SELDOM_S = 3600.0
# The text of an open alert follows its check at most this often.
REWORDED_EVERY_S = 60.0


Hold = Callable[[CheckBase, CheckState], str]
Advise = Callable[[CheckBase, CheckState], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy wants, or does not want, and why. `events` are to be stored, in order.

    `is_held`: a failure opens no alert for now; the reason says why, and it may open one later.
    """

    reason: str
    events: tuple[AlertEvent, ...] = ()
    is_held: bool = False


def nothing_holds(_check: CheckBase, _state: CheckState) -> str:
    return ""


def no_advice(_check: CheckBase, _state: CheckState) -> tuple[str, ...]:
    return ()


def category_of(check: CheckBase, kind: Kind | None) -> Category:
    """Return the check's own category, else the one that its type and the kind of failure suggest."""
    if check.category:
        return check.category
    if kind is Kind.SLOW:
        return Category.PERFORMANCE
    return check.trouble


# ---- verdicts


def on_verdict(
    check: CheckBase,
    state: CheckState,
    latest: Alert | None,
    now: datetime,
    hold: Hold = nothing_holds,
    held: AlertEvent | None = None,
    advise: Advise = no_advice,
) -> Decision:
    """Return what this verdict means for the check's alert.

    `state` is after the verdict, `latest` the check's newest alert. `hold` is asked when one is about to open,
    and says why it must not yet, such as "parent db is down"; `held` is the last record of such a reason. `advise` is
    asked what to do. Nothing holds back that it is over, but that it flaps: then it is over when it is stable.
    """
    if latest and latest.is_open and state.status is Status.FAIL:
        return _still_fails(check, state, latest, hold, now)
    if state.status is Status.FAIL or _warns(check, state, latest):
        return (
            may_not_open(state, latest)
            or _held_back(check, state, hold, held, now)
            or _open(check, state, latest, advise, now)
        )
    if latest is None or not latest.is_open:
        return Decision("no alert is open")
    if state.status is Status.UNKNOWN:
        return Decision("could not be judged: the alert stays open")
    if Flag.FLAPPING in state.flags:
        return Decision("it flaps: the alert stays open until it is stable")
    if state.status is Status.WARN and Event.WARN in check.events:
        return Decision("it warns: the alert stays open")
    note = "recovered" if state.status is Status.OK else f"answers again, with a warning: {state.message}"
    return Decision("recovered", (AlertEvent(now, What.RESOLVED, latest.id, note=note),))


def _warns(check: CheckBase, state: CheckState, latest: Alert | None) -> bool:
    """Return whether a warning is to be an alert: it is wanted, is not known, and has stood long enough."""
    if state.status is not Status.WARN or Event.WARN not in check.events or (latest and latest.is_open):
        return False
    # One slow answer is no news; what is looked at once an hour or a day has no second look soon.
    rounds = check.fail_after if check.at or check.every >= SELDOM_S else max(check.fail_after, 2)
    return state.streak >= rounds


def _still_fails(check: CheckBase, state: CheckState, alert: Alert, hold: Hold, now: datetime) -> Decision:
    """Return what is new about a failure that is known: it fails otherwise than before, or only warned before."""
    known = f"alert {alert.id} is open already"
    is_worse = alert.opening == Event.WARN and alert.raised_at is None and not hold(check, state)
    is_other = state.kind is not alert.kind and seconds_between(alert.seen_at, now) >= REWORDED_EVERY_S
    if not (is_worse or is_other):
        return Decision(known)
    title = _title(check, state)
    data: dict[str, Json] = {"title": title, "message": _message(check, state), "times": 0}
    data["kind"] = state.kind.value if state.kind else None
    events = [AlertEvent(now, What.SEEN, alert.id, note=f"now: {title}", data=data)]
    if is_worse:
        said = {"severity": check.severity.value}
        events.append(AlertEvent(now, What.RAISED, alert.id, note="it fails now", data=said))
    return Decision(f"{known}: it fails otherwise now", tuple(events))


def may_not_open(state: CheckState, latest: Alert | None) -> Decision | None:
    """Return why this outage opens no alert (any more), None when it is to have one."""
    if latest and latest.is_open:
        return Decision(f"alert {latest.id} is open already")
    # By hand only: what Greenwall itself resolved is over, also when the clock was set back since.
    by_hand = latest is not None and latest.resolved_by not in (CHECKER, CONFIGURATION)
    # What fails since before it was resolved is still that outage; `since` is later than its opening when a verdict
    # in between could not be judged.
    ended_at = latest.resolved_at if latest else None
    if latest and by_hand and ended_at and ended_at >= state.since:
        return Decision(f"this outage had alert {latest.id}, resolved by {latest.resolved_by}")
    return None


def _held_back(
    check: CheckBase, state: CheckState, hold: Hold, held: AlertEvent | None, now: datetime
) -> Decision | None:
    """Return the reason for not opening now; it is recorded once for each outage."""
    reason = hold(check, state)
    if not reason:
        return None
    if held and held.note == reason and held.at >= state.since:
        return Decision(reason, is_held=True)
    event = AlertEvent(now, What.HELD, "", note=reason, data={"resource": check.name})
    return Decision(reason, (event,), is_held=True)


def _open(check: CheckBase, state: CheckState, latest: Alert | None, advise: Advise, now: datetime) -> Decision:
    flaps, warns = Flag.FLAPPING in state.flags, state.status is Status.WARN
    event = Event.DEADLINE_MISS if state.kind is Kind.DEADLINE else Event.FIRST_FAIL
    event = Event.WARN if warns else event
    severity = check.severity.milder if warns else check.severity
    data: dict[str, Json] = {
        "type": check.type,
        "resource": check.name,
        "source": "check",
        "title": _title(check, state),
        "message": _message(check, state),
        "severity": severity.value,
        "category": category_of(check, state.kind).value,
        "kind": state.kind.value if state.kind else None,
        "runbook": check.runbook,
        "owner": check.owner,
        "group": check.group,
        "tags": list(check.tags),
        "event": event.value,
        "wanted": [wanted.value for wanted in check.events],
        "channels": None if check.channels is None else list(check.channels),
        "recommendations": list(advise(check, state)),
        "previous": last_time(latest),
    }
    note = "it warns" if warns else "failure confirmed"
    note = "it fails and recovers again and again: told once, until it is stable" if flaps else note
    return Decision(note, (AlertEvent(now, What.OPENED, alert_id(check.name, now), note=note, data=data),))


def last_time(latest: Alert | None) -> str:
    """Return what was noted when the same was resolved by a person the last time; empty when nothing was."""
    if latest is None or latest.is_open or latest.resolved_by in (CHECKER, CONFIGURATION) or not latest.resolution:
        return latest.previous if latest and not latest.is_open else ""
    return f"{to_rfc3339(latest.resolved_at or latest.opened_at)[:10]}, {latest.resolved_by}: {latest.resolution}"


def on_removed(alert: Alert, now: datetime, note: str = "the check was removed from the configuration") -> Decision:
    """Return the end of an alert whose check is no longer looked at: who was told is told."""
    return Decision(note, (AlertEvent(now, What.RESOLVED, alert.id, by=CONFIGURATION, note=note),))


# ---- Greenwall's own eyesight


def on_blind(alert: Alert | None, severity: Severity, reason: str, now: datetime) -> Decision:
    """Return the one alert that Greenwall itself cannot see; `alert` is the one that is open already, if any."""
    if alert is not None:
        return Decision(f"alert {alert.id} is open already")
    data: dict[str, Json] = {
        "resource": GREENWALL,
        "source": "vantage",
        "title": "Greenwall cannot see",
        "message": f"{reason}; until it sees again, failures of the network are not judged and open no alerts",
        "severity": severity.value,
        "category": Category.SYSTEM.value,
        "kind": Kind.VANTAGE.value,
    }
    opened = AlertEvent(now, What.OPENED, alert_id(GREENWALL, now), note="no sentinel answers", data=data)
    return Decision("no sentinel answers", (opened,))


def on_sight(alert: Alert | None, reason: str, now: datetime) -> Decision:
    """Return the end of that alert."""
    if alert is None:
        return Decision("no such alert is open")
    event = AlertEvent(now, What.RESOLVED, alert.id, note=f"Greenwall sees again: {reason}")
    return Decision("Greenwall sees again", (event,))


# ---- reports: rules, applications, people


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
    report: Report, same: Alert | None, latest: Alert | None, by: str, now: datetime, times: int = 1
) -> Decision:
    """Return the alert that a report opens, or that it counts up: `same` is the open one of its type and resource.

    `times` is how many reports this one stands for. A report that is worse than the alert raises it.
    """
    if same is None:
        return _opened_by(report, latest, by, now)
    data: dict[str, Json] = {"message": report.message, "times": times, "affected_users": report.affected_users}
    events = [AlertEvent(now, What.SEEN, same.id, by=by, data=data | {"metadata": dict(report.metadata)})]
    if report.severity < same.severity:
        note = f"it is {report.severity.value} now"
        events.append(AlertEvent(now, What.RAISED, same.id, by=by, note=note, data={"severity": report.severity.value}))
    return Decision(f"alert {same.id} is open already: counted up", tuple(events))


def counted_every_s(alert: Alert, now: datetime) -> float:
    """Return how often the reports that count an alert up are stored: some hundred times a day at most."""
    every_s = max(COUNTED_EVERY_S, COUNTED_SHARE * seconds_between(alert.opened_at, now))
    # What is stored too seldom would expire though it is reported.
    return min(every_s, alert.ttl_s) if alert.ttl_s else every_s


def _opened_by(report: Report, latest: Alert | None, by: str, now: datetime) -> Decision:
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
    identifier = alert_id(f"{report.source}:{report.type}:{report.resource}:{by}:{report.title}", now)
    note = {"manual": "sent by hand", "rule": f"rule {report.type}"}.get(report.source, f"reported by {by}")
    return Decision(note, (AlertEvent(now, What.OPENED, identifier, by=by, note=note, data=data),))


# ---- people and time


def acknowledge(alert: Alert, by: str, note: str, now: datetime) -> Decision:
    """Return that somebody has this alert now; nothing when it is over."""
    if not alert.is_open:
        return _is_over(alert)
    return Decision("acknowledged", (AlertEvent(now, What.ACKNOWLEDGED, alert.id, by=by, note=note),))


def resolve(alert: Alert, by: str, note: str, now: datetime) -> Decision:
    """Return the end of this alert by a person; who was told it broke is told that it is over."""
    if not alert.is_open:
        return _is_over(alert)
    return Decision("resolved", (AlertEvent(now, What.RESOLVED, alert.id, by=by, note=note or "resolved by hand"),))


def suppress(alert: Alert, until: datetime, by: str, note: str, now: datetime) -> Decision:
    """Return that nobody is told of this alert until then; if it is still open then, it is told."""
    if not alert.is_open:
        return _is_over(alert)
    data = {"until": to_rfc3339(until)}
    return Decision("suppressed", (AlertEvent(now, What.SUPPRESSED, alert.id, by=by, note=note, data=data),))


def on_time(alert: Alert, now: datetime) -> Decision:
    """Return what the time alone means for an open alert: its suppression is over, or nobody has seen it again."""
    if alert.suppressed_until and alert.suppressed_until <= now:
        note = f"suppressed by {alert.suppressed_by} until now, and still open"
        return Decision("the suppression is over", (AlertEvent(now, What.RESUMED, alert.id, note=note),))
    if alert.expires_at and alert.expires_at <= now:
        return Decision("expired", (AlertEvent(now, What.EXPIRED, alert.id, note="not reported again in its time"),))
    return Decision("nothing is due")


def due_at(alert: Alert) -> datetime | None:
    """Return when `on_time` has something to say at the earliest."""
    return min(filter(None, (alert.suppressed_until, alert.expires_at)), default=None)


def _is_over(alert: Alert) -> Decision:
    return Decision(f"alert {alert.id} is {alert.status.value.lower()} already")


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


def _title(check: CheckBase, state: CheckState) -> str:
    if Flag.FLAPPING in state.flags:
        return f"{check.name} flaps"
    if state.status is Status.WARN:
        return f"{check.name} warns"
    facts = state.bad.facts if state.bad else {}
    # The kind of a group is that of a member, and so would be its verb.
    if isinstance(check, GroupCheck) and (down := facts.get("members_down")):
        return f"{check.name}: {down} of {facts.get('members_in_all')} members are down"
    return f"{check.name} {_TITLES.get(state.kind, 'fails') if state.kind else 'fails'}"


def _message(check: CheckBase, state: CheckState) -> str:
    found = changes(state.trouble.last_good, state.bad)
    if isinstance(check, GroupCheck):
        # Which members they are is said already.
        found = tuple(one for one in found if not one.what.startswith("members"))
    return "; ".join(filter(None, (state.message, sentence(found))))
