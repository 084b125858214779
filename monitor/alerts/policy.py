"""The policy: what a verdict, a person or an edited configuration means for alerts, each with a named reason. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from monitor.alerts.record import CHECKER, CONFIGURATION, GREENWALL, Alert, AlertEvent, What, alert_id
from monitor.config import CheckBase, GroupCheck
from monitor.contrast import changes, sentence
from monitor.model import Category, Event, Flag, Json, Kind, Severity, Status
from monitor.state import CheckState


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy wants, or does not want, and why. `events` are to be stored, in order.

    `is_held`: a failure opens no alert for now; the reason says why, and it may open one later.
    """

    reason: str
    events: tuple[AlertEvent, ...] = ()
    is_held: bool = False


def category_of(check: CheckBase, kind: Kind | None) -> Category:
    """Return the check's own category, else the one that its type and the kind of failure suggest."""
    if check.category:
        return check.category
    if kind is Kind.SLOW:
        return Category.PERFORMANCE
    return check.trouble


def on_verdict(
    check: CheckBase,
    state: CheckState,
    latest: Alert | None,
    channels: tuple[str, ...],
    now: datetime,
    hold: str = "",
    held: AlertEvent | None = None,
) -> Decision:
    """Return what this verdict means for the check's alert.

    `state` is after the verdict, `latest` the check's newest alert, `channels` who is to be told of an opening.
    `hold` says why it must not open now, such as "parent db is down"; `held` is the last record of such a reason.
    Nothing holds back that it is over.
    """
    if state.status is Status.FAIL:
        return (
            may_not_open(state, latest)
            or _held_back(check, state, hold, held, now)
            or _open(check, state, channels, now)
        )
    if latest is None or not latest.is_open or latest.source != "check":
        return Decision("no alert is open")
    if state.status is Status.UNKNOWN:
        return Decision("could not be judged: the alert stays open")
    return _on_recovery(check, state, latest, now)


def may_not_open(state: CheckState, latest: Alert | None) -> Decision | None:
    """Return why this outage opens no alert (any more), None when it is to have one."""
    if latest and latest.source == "check" and latest.is_open:
        return Decision(f"alert {latest.id} is open already")
    # By hand only: what Greenwall itself resolved is over, also when the clock was set back since.
    by_hand = latest is not None and latest.resolved_by not in (CHECKER, CONFIGURATION)
    # What fails since before it was resolved is still that outage; `since` is later than its opening when a verdict
    # in between could not be judged.
    ended_at = latest.resolved_at if latest else None
    if latest and latest.source == "check" and by_hand and ended_at and ended_at >= state.since:
        return Decision(f"this outage had alert {latest.id}, resolved by {latest.resolved_by}")
    return None


def _held_back(
    check: CheckBase, state: CheckState, hold: str, held: AlertEvent | None, now: datetime
) -> Decision | None:
    """Return the reason for not opening now; it is recorded once for each outage."""
    reason = hold or ("it flaps" if Flag.FLAPPING in state.flags else "")
    if not reason:
        return None
    if held and held.note == reason and held.at >= state.since:
        return Decision(reason, is_held=True)
    event = AlertEvent(now, What.HELD, "", note=reason, data={"resource": check.name})
    return Decision(reason, (event,), is_held=True)


def _open(check: CheckBase, state: CheckState, channels: tuple[str, ...], now: datetime) -> Decision:
    identifier = alert_id(check.name, now)
    event = Event.DEADLINE_MISS if state.kind is Kind.DEADLINE else Event.FIRST_FAIL
    data: dict[str, Json] = {
        "resource": check.name,
        "source": "check",
        "title": _title(check, state),
        "message": _message(check, state),
        "severity": check.severity.value,
        "category": category_of(check, state.kind).value,
        "kind": state.kind.value if state.kind else None,
        "runbook": check.runbook,
        "owner": check.owner,
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


def on_blind(
    alert: Alert | None, severity: Severity, reason: str, channels: tuple[str, ...], now: datetime
) -> Decision:
    """Return the one alert that Greenwall itself cannot see; `alert` is the one that is open already, if any."""
    if alert is not None:
        return Decision(f"alert {alert.id} is open already")
    identifier = alert_id(GREENWALL, now)
    data: dict[str, Json] = {
        "resource": GREENWALL,
        "source": "vantage",
        "title": "Greenwall cannot see",
        "message": f"{reason}; until it sees again, failures of the network are not judged and open no alerts",
        "severity": severity.value,
        "category": Category.SYSTEM.value,
        "kind": Kind.VANTAGE.value,
        "runbook": None,
    }
    opened = AlertEvent(now, What.OPENED, identifier, note="no sentinel answers", data=data)
    return Decision("no sentinel answers", (opened, *_queue(identifier, Event.FIRST_FAIL, channels, now)))


def on_sight(alert: Alert | None, reason: str, now: datetime) -> Decision:
    """Return the end of that alert."""
    if alert is None:
        return Decision("no such alert is open")
    resolved = AlertEvent(now, What.RESOLVED, alert.id, note=f"Greenwall sees again: {reason}")
    return Decision("Greenwall sees again", (resolved, *_queue(alert.id, Event.RECOVERED, alert.told, now)))


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


def _title(check: CheckBase, state: CheckState) -> str:
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
