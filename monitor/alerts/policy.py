"""The policy: what a verdict, an edited configuration or Greenwall's own eyesight means for alerts. Pure.

It opens, counts, raises and ends. Who is told of that is for `telling` to say.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from monitor.alerts.alert import Alert
from monitor.alerts.decision import Decision, last_time
from monitor.alerts.people import hears_again
from monitor.alerts.record import CHECKER, CONFIGURATION, GREENWALL, AlertEvent, What, alert_id
from monitor.config import CheckBase, GroupCheck
from monitor.contrast import changes, sentence
from monitor.model import Category, Event, Flag, Json, Kind, Severity, Status
from monitor.state import CheckState
from monitor.units import seconds_between, to_rfc3339

# What is looked at less often than this has no second look soon.
SELDOM_S = 3600.0
# The text of an open alert follows its check at most this often.
REWORDED_EVERY_S = 60.0


Hold = Callable[[CheckBase, CheckState], str]
Advise = Callable[[CheckBase, CheckState], tuple[str, ...]]


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
    if latest and ended_by_hand(state, latest):
        return Decision(f"this outage had alert {latest.id}, resolved by {latest.resolved_by}")
    return None


def ended_by_hand(state: CheckState, latest: Alert | None) -> str:
    """Return why nobody is told any more of what is still bad: a person ended its alert; empty when that is not so."""
    # By hand only: what Greenwall itself resolved is over, also when the clock was set back since.
    if latest is None or latest.resolved_at is None or latest.resolved_by in (CHECKER, CONFIGURATION):
        return ""
    # What fails since before it was resolved is still that outage; `since` is later than its opening when a verdict
    # in between could not be judged.
    if state.status not in (Status.FAIL, Status.WARN) or latest.resolved_at < state.since:
        return ""
    return f"resolved by {latest.resolved_by}; nobody is told until {hears_again(state.status)}"


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
        "bad_since": to_rfc3339(state.since),
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
