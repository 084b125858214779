"""Why was I told, and why not: the events of one alert in words, for its page and the command line. Pure.

alert, channels ──told──▶ one row a message, or why a channel has none
alert ──story──▶ what happened, in order, without the messages
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.alerts import CHECKER, Alert, AlertEvent, AlertStatus, Notification, UsedUp, What
from monitor.history.snapshot import ChannelInfo
from monitor.units import format_duration, from_rfc3339, seconds_between

_TOLD_AS = {
    "first_fail": "that it broke",
    "recovered": "that it is over",
    "deadline_miss": "that the deadline has passed",
    "warn": "the warning",
    "manual": "the message",
    "reported": "the report",
    "rule": "what the rule found",
    "acknowledged": "who has it",
}
_STILL = {"FAIL": ", though it still failed", "WARN": ", though it still warned"}
_NUMBERED = {
    "escalation": "escalation {}: nobody had acknowledged",
    "reminder": "reminder {}",
    "raised": "it is {} now",
}
# What was held back longer ago was another outage.
_HELD_BEFORE = timedelta(days=1)
_NOT_WANTED = re.compile(r"(\w+) is not in notify_on of (.+)", re.DOTALL)
_BY_ITSELF = frozenset({What.QUEUED, What.BATCHED, What.SENT, What.FAILED, What.GAVE_UP})


def _one_alert(_batch: str) -> int:
    return 1


def _no_limit(_channel: str) -> UsedUp | None:
    return None


def _in_utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one message to one channel, or why there is none; `sign` is `✓`, `✕`, `…` or `–`."""

    channel: str
    sign: str
    what: str
    outcome: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened; `times` of it until `until`, when it came again and again."""

    at: datetime
    what: str
    by: str = ""
    until: datetime | None = None


def event_words(event: str) -> str:
    """Return what a message tells, as people say it."""
    kind, _, number = event.partition("-")
    return _NUMBERED[kind].format(number) if kind in _NUMBERED and number else _TOLD_AS.get(event, event)


def reason_words(reason: str) -> str:
    """Return a named reason for not telling without the words of the configuration's insides."""
    found = _NOT_WANTED.fullmatch(reason)
    if not found:
        return reason
    return f"nobody wants to hear {event_words(found[1])}: notify_on of {found[2]} leaves out {found[1]}"


# ---- who was told


def told(
    alert: Alert,
    channels: Sequence[ChannelInfo],
    joined: Callable[[str], int] = _one_alert,
    show: Callable[[datetime], str] = _in_utc,
    limit: Callable[[str], UsedUp | None] = _no_limit,
) -> list[Told]:
    """Return a row for each message, channel by channel, then one for each channel that was not told, with the reason.

    `joined` says how many alerts a message told of, `limit` whether a channel's messages of this hour are used up.
    """
    messages = sorted(alert.notifications.values(), key=lambda one: (one.channel, one.queued_at))
    rows = [_message(alert, one, joined, show, limit) for one in messages]
    if reason := _nobody(alert):
        return [*rows, Told("nobody else" if rows else "nobody", "–", "not told", reason)]
    others = [one for one in channels if not any(n.channel == one.name for n in messages)]
    left_out = _left_out(alert)
    named = [one for one in others if one.configured or one.name in left_out]
    rows += [Told(one.name, "–", "not told", left_out.get(one.name) or _not_named(alert)) for one in named]
    if unconfigured := len(others) - len(named):
        rows.append(Told(f"{unconfigured} other{'s' if unconfigured != 1 else ''}", "–", "not told", "not configured"))
    return rows


def _message(
    alert: Alert,
    one: Notification,
    joined: Callable[[str], int],
    show: Callable[[datetime], str],
    limit: Callable[[str], UsedUp | None],
) -> Told:
    said, failed = [], [event for event in _events_of(alert, one) if event.what is What.FAILED]
    if one.ended is What.SENT and one.ended_at:
        sign, took_s = "✓", max(seconds_between(one.queued_at, one.ended_at), 0.0)
        said.append(f"sent after {format_duration(took_s)}" if took_s >= 0.0005 else "sent at once")
    elif one.ended is What.GAVE_UP:
        sign = "✕"
        said.append("not delivered, given up")
    else:
        sign = "…"
        said.append("waits until it is tried again" if failed else _waits(one, show, limit))
    others = joined(one.batch) - 1 if one.batch.startswith("joined-") else 0
    said += [f"in one message with {others} other{'s' if others != 1 else ''}"] if others > 0 else []
    said += [_queued_because(alert, one)]
    said += [f"failed {len(failed)} times before" if len(failed) > 1 else "failed once before"] if failed else []
    said += [one.detail] if one.detail else []
    return Told(one.channel, sign, event_words(one.event), "; ".join(filter(None, said)), one.ended_at or one.queued_at)


def _waits(one: Notification, show: Callable[[datetime], str], limit: Callable[[str], UsedUp | None]) -> str:
    if one.not_before:
        return f"waits for the end of quiet hours, {show(one.not_before)}"
    if one.batch:
        return "on its way"
    if spent := limit(one.channel):
        messages = "1 message" if spent.per_hour == 1 else f"{spent.per_hour:,} messages"
        return f"waits: the limit of {messages} an hour is used up; the next may go at about {show(spent.until)}"
    return "waits to be joined with what follows"


def _events_of(alert: Alert, one: Notification) -> Iterator[AlertEvent]:
    for event in alert.events:
        if event.data.get("key") == one.key or (
            event.what is What.QUEUED
            and event.data.get("channel") == one.channel
            and event.data.get("event") == one.event
        ):
            yield event


def _queued_because(alert: Alert, one: Notification) -> str:
    return next((event.note for event in _events_of(alert, one) if event.what is What.QUEUED), "")


def _nobody(alert: Alert) -> str:
    """Return why nobody was asked to tell it; empty when somebody was."""
    if alert.routed_at:
        return ""
    if alert.untold:
        return reason_words(alert.untold)
    if alert.status is AlertStatus.SUPPRESSED:
        return f"suppressed by {alert.suppressed_by} before anybody was told"
    return "it was over, or somebody had it, before anybody was told"


def _not_named(alert: Alert) -> str:
    if alert.source == "manual":
        return "was not chosen"
    if alert.channels is not None:
        return f"{alert.resource} names its channels, and this is none of them"
    routes = dict.fromkeys(
        str(name) for event in alert.events if event.what is What.ROUTED for name in _listed(event.data.get("routes"))
    )
    if not routes or list(routes) == ["default"]:
        return "is none of those that are told without routes"
    return f"route {', '.join(routes)} does not name it"


def _left_out(alert: Alert) -> dict[str, str]:
    """Return the channels that a route names and that could not be used, and why."""
    found = [event.data.get("left_out") for event in alert.events if event.what is What.ROUTED]
    parts = [part for part in found if isinstance(part, Mapping)]
    return {str(name): f"left out: {reason}" for part in parts for name, reason in part.items()}


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, (list, tuple)) else ()


# ---- what happened


def held_before(alert: Alert, held: AlertEvent | None, alerts: Iterable[Alert]) -> AlertEvent | None:
    """Return `held`, the last record of why its check opened none, where it is of this outage; `alerts` are all."""
    if held is None or alert.source != "check" or not timedelta() <= alert.opened_at - held.at <= _HELD_BEFORE:
        return None
    ended = [one.resolved_at for one in alerts if one.resource == alert.resource and one.resolved_at]
    return None if any(held.at < at <= alert.opened_at for at in ended) else held


def story(alert: Alert, held: AlertEvent | None = None, show: Callable[[datetime], str] = _in_utc) -> list[Line]:
    """Return what happened, in order; `held` is why it did not open before. What came again and again is one line."""
    lines: list[Line] = []
    if held and held.at <= alert.opened_at:
        lines.append(Line(held.at, f"held back: {held.note}"))
    for event in alert.events:
        if event.what is What.SEEN and not event.data.get("title"):
            lines = _counted(lines, event)
        elif event.what not in _BY_ITSELF:
            lines.append(Line(event.at, _said(event, show), "" if event.by == CHECKER else event.by))
    return lines


def _counted(lines: list[Line], event: AlertEvent) -> list[Line]:
    times = int(str(event.data.get("times", 1)))
    last = lines[-1] if lines else None
    before = re.fullmatch(r"seen again, (\d+) times?", last.what) if last else None
    if last and before:
        times += int(before[1])
        lines = lines[:-1]
    begin = last.at if last and before else event.at
    said = f"seen again, {times} time{'s' if times != 1 else ''}"
    return [*lines, Line(begin, said, until=event.at if before else None)]


def _opened(event: AlertEvent) -> str:
    severity = event.data.get("severity")
    return f"opened as {severity}: {event.note}" if event.note else f"opened as {severity}"


def _said(event: AlertEvent, show: Callable[[datetime], str]) -> str:
    if event.what is not What.SUPPRESSED:
        return _WORDS.get(event.what, _plainly)(event)
    said = f"suppressed until {show(from_rfc3339(str(event.data['until'])))}: nobody is told of it meanwhile"
    return f"{said} ({event.note})" if event.note else said


def _routed(event: AlertEvent) -> str:
    route = "no route fits: whoever is told without one" if event.note == "route default" else event.note
    left_out = event.data.get("left_out")
    if not isinstance(left_out, Mapping) or not left_out:
        return route
    return f"{route}; left out: {', '.join(f'{name} ({reason})' for name, reason in left_out.items())}"


def _with_note(word: str) -> Callable[[AlertEvent], str]:
    return lambda event: f"{word}: {event.note}" if event.note else word


def _plainly(event: AlertEvent) -> str:
    return _with_note(event.what.value.replace("_", " "))(event)


def _resolved(event: AlertEvent) -> str:
    return _with_note(f"resolved{_STILL.get(str(event.data.get('still')), '')}")(event)


_WORDS: dict[What, Callable[[AlertEvent], str]] = {
    What.OPENED: _opened,
    What.SEEN: _with_note("it fails otherwise"),
    What.NOTED: lambda event: event.note,
    What.RAISED: lambda event: f"raised to {event.data.get('severity')}" + (f": {event.note}" if event.note else ""),
    What.RESOLVED: _resolved,
    What.EXPIRED: _with_note("expired"),
    What.ACKNOWLEDGED: _with_note("acknowledged"),
    What.RESUMED: _with_note("may be told again"),
    What.REMEDY: _with_note("remedy"),
    What.ROUTED: _routed,
    What.NOT_TOLD: lambda event: f"nobody is told: {reason_words(event.note)}" if event.note else "may be told again",
}
