"""Who is to be told of an alert, and when: asked anew whenever something may have changed it. Pure.

    open ──▶ acknowledged, suppressed by a person ───────────▶ nothing more is said, but that it is worse
         ──▶ silenced, in maintenance, a worse alert is open ─▶ not told, why, and when to ask again
         ──▶ routes: opening now, or a digest after quiet hours; whom an edit has put in charge hears of it, too
         ──▶ escalations and reminders, while nobody has acknowledged it
    over ──▶ who was told, or will be, is told

It looks at levels, not at edges: what a crash, a restart or a change of the clock has left undone is done when it is
asked the next time, and nothing is done twice, because a notification has one key.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.alerts.alert import Alert, AlertStatus
from monitor.alerts.record import CHECKER, LAST_RESORT, AlertEvent, What
from monitor.model import Event, Json, Severity, Subject
from monitor.units import to_rfc3339
from monitor.windows import Stretch, Window, next_opening, open_stretch

ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Muted:
    """Why nobody is told now; `until` is None when it depends on something else than the time."""

    reason: str
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """An escalation: told after so long without an acknowledgement, within its hours."""

    after_s: float
    channels: tuple[str, ...]
    hours: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Who is told of which alerts, how they are joined, and what follows while nobody acknowledges.

    `covers` says which alerts; `hours` when it holds, always without; `goes_on`: the routes below it are asked, too.
    In `quiet` hours openings wait for their end, unless the severity is among `loud`.
    """

    name: str
    channels: tuple[str, ...]
    covers: Callable[[Subject], bool] = lambda _subject: True
    hours: tuple[Window, ...] = ()
    group_by: tuple[str, ...] = ()
    repeat_s: float | None = None
    steps: tuple[Step, ...] = ()
    quiet: tuple[Window, ...] = ()
    loud: tuple[Severity, ...] = (Severity.P1,)
    goes_on: bool = False


@dataclass(frozen=True)
class World:
    """What telling depends on, beside the alert. The two functions answer for now.

    `people` makes channels of a name in a route: a channel itself, or who is on call. `muted` says whether a silence
    or maintenance covers a subject; `open_of` names the open alerts of a resource; `fallback` is who is told when no
    route fits. `has` says whether a channel is there, `named` who is named for an alert in place of what its route
    names. `why_not` says why a channel does not take an alert, `keeps_incidents` that it wants to know who has one.
    """

    routes: Sequence[Route] = ()
    people: Callable[[str, datetime], tuple[str, ...]] = lambda name, _now: (name,)
    muted: Callable[[Alert, datetime], Muted | None] = lambda _alert, _now: None
    open_of: Callable[[str], Iterable[Alert]] = lambda _resource: ()
    why_not: Callable[[str, Alert], str] = lambda _channel, _alert: ""
    keeps_incidents: Callable[[str], bool] = lambda _channel: False
    has: Callable[[str], bool] = lambda _channel: True
    named: Callable[[Alert], tuple[str, ...] | None] = lambda alert: alert.channels
    fallback: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Telling:
    """Events to be stored, and when to ask again at the latest."""

    events: tuple[AlertEvent, ...] = ()
    again_at: datetime | None = None


NOTHING = Telling()


def tell(alert: Alert, world: World, now: datetime) -> Telling:
    """Return what is to be told of this alert now."""
    return _of_the_end(alert, now) if not alert.is_open else _while_open(alert, world, now)


def _of_the_end(alert: Alert, now: datetime) -> Telling:
    end = Event.RECOVERED.value
    missing = [channel for channel in alert.told if f"{alert.id}:{end}:{channel}" not in alert.notifications]
    reason = _not_wanted(alert)
    if missing and reason:
        return Telling(tuple(_noted(alert, reason, now)))
    return Telling(tuple(_queued(alert, end, channel, _bucket_of(alert, channel), now) for channel in missing))


def _not_wanted(alert: Alert) -> str:
    """Return why its end is not told: only a check's own recovery can be unwanted, never what a person ended."""
    if alert.resolved_by != CHECKER or alert.wanted is None or Event.RECOVERED.value in alert.wanted:
        return ""
    return f"recovered is not in notify_on of {alert.resource}"


def _while_open(alert: Alert, world: World, now: datetime) -> Telling:
    if alert.status is AlertStatus.SUPPRESSED:
        return Telling(again_at=alert.suppressed_until)
    if alert.status is AlertStatus.ACKNOWLEDGED and (alert.is_routed or not alert.raised_at):
        return Telling(tuple(_of_who_has_it(alert, world, now)))
    if alert.wanted is not None and alert.opening not in alert.wanted:
        return Telling(tuple(_noted(alert, f"{alert.opening} is not in notify_on of {alert.resource}", now)))
    muted = world.muted(alert, now) or _by_a_worse_one(alert, world)
    if muted:
        return Telling(tuple(_noted(alert, muted.reason, now)), muted.until)
    routes = _routes_of(alert, world, now)
    opening = _in_charge_now(alert, routes, world, now) if alert.is_routed else _opening(alert, routes, world, now)
    if alert.acknowledged_at:
        # That it is worse now is told all the same; whoever has it is not reminded.
        return opening
    told = {*alert.told, *(str(event.data["channel"]) for event in opening.events if event.what is What.QUEUED)}
    # One that is gone hears of the end alone.
    told = {channel for channel in told if world.has(channel)}
    return _both(opening, _later(alert, routes, sorted(told), world, now))


def _of_who_has_it(alert: Alert, world: World, now: datetime) -> Iterator[AlertEvent]:
    for channel in alert.told:
        if world.keeps_incidents(channel) and f"{alert.id}:{ACKNOWLEDGED}:{channel}" not in alert.notifications:
            yield _queued(alert, ACKNOWLEDGED, channel, _bucket_of(alert, channel), now)


def _both(one: Telling, other: Telling) -> Telling:
    return Telling((*one.events, *other.events), min(filter(None, (one.again_at, other.again_at)), default=None))


def _by_a_worse_one(alert: Alert, world: World) -> Muted | None:
    if alert.source == "manual":
        return None
    # What somebody sent by hand stays open until somebody resolves it: it must not hide what is found meanwhile.
    others = (a for a in world.open_of(alert.resource) if a.id != alert.id and a.source != "manual")
    # One that nobody was told of must not keep this one from being told.
    worse = [a for a in others if a.severity < alert.severity and a.told]
    if not worse:
        return None
    worst = min(worse, key=lambda a: a.severity)
    return Muted(f"alert {worst.id} of {alert.resource} is open and worse ({worst.severity.value})")


def _routes_of(alert: Alert, world: World, now: datetime) -> list[Route]:
    """Return the routes that this alert takes now, at least one; who is named for it is told instead of theirs."""
    found = []
    for route in world.routes:
        if route.covers(alert.subject) and (not route.hours or open_stretch(route.hours, now)):
            found.append(route)
            if not route.goes_on:
                break
    return _as_named(found or [Route("default", world.fallback)], alert, world)


def _as_named(routes: Sequence[Route], alert: Alert, world: World) -> list[Route]:
    channels = world.named(alert)
    if channels is None:
        return list(routes)
    # Who sends by hand waits for nothing.
    way = Route("by hand", ()) if alert.source == "manual" else routes[0]
    return [replace(way, channels=channels)]


def _in_charge_now(alert: Alert, routes: Sequence[Route], world: World, now: datetime) -> Telling:
    """Return its opening for whom an edit has put in charge since it was told.

    Only an edit: that other hours have come, or another shift, makes nobody hear of what others have.
    """
    unmuted = Telling(tuple(_noted(alert, "", now)))
    if not alert.named or alert.source == "manual":
        return unmuted
    taken = [route for route in world.routes if route.name in alert.routes]
    taken = _as_named(taken or routes, alert, world)
    new = [replace(route, channels=tuple(n for n in route.channels if n not in alert.named)) for route in taken]
    new = [route for route in new if route.channels]
    return _opening(alert, new, world, now) if new else unmuted


def _opening(alert: Alert, routes: Sequence[Route], world: World, now: datetime) -> Telling:
    """Return the messages of its opening: once for each channel, whichever routes name it."""
    queued: dict[str, AlertEvent] = {}
    left_out: dict[str, str] = {}
    for route in routes:
        quiet = _quiet(alert, route, now)
        not_before = quiet.ends_at if quiet else None
        channels, unusable = _reachable(alert, route.channels, world, now)
        left_out |= unusable
        for channel in channels:
            knows = alert.raised_at is not None and channel in alert.told
            event = f"raised-{alert.severity.value}" if knows else alert.opening
            if channel not in queued and f"{alert.id}:{event}:{channel}" not in alert.notifications:
                queued[channel] = _queued(alert, event, channel, _bucket(alert, route), now, not_before)
    # In this order: a crash that leaves half of it must not leave somebody out.
    return Telling((*queued.values(), _routed(alert, routes, bool(queued), left_out, now)))


def _routed(
    alert: Alert, routes: Sequence[Route], is_told: bool, left_out: Mapping[str, str], now: datetime
) -> AlertEvent:
    names = ", ".join(route.name for route in routes)
    note = f"route {names}" if is_told else f"route {names} names nobody who is not told already"
    named = list(dict.fromkeys(name for route in routes for name in route.channels))
    data: dict[str, Json] = {"routes": [route.name for route in routes], "named": named, "left_out": dict(left_out)}
    return AlertEvent(now, What.ROUTED, alert.id, note=note, data=data)


def _reachable(
    alert: Alert, names: Iterable[str], world: World, now: datetime
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    """Return the channels of these names that can be used, or the last resort, and why others cannot.

    Who sends by hand to a channel has its answer, also that it is not configured.
    """
    channels = _people(names, world, now)
    if alert.source == "manual":
        return channels, {}
    reasons = {channel: world.why_not(channel, alert) for channel in channels}
    usable = tuple(channel for channel, reason in reasons.items() if not reason)
    return usable or (LAST_RESORT,), {channel: reason for channel, reason in reasons.items() if reason}


def _later(alert: Alert, routes: Sequence[Route], told: Sequence[str], world: World, now: datetime) -> Telling:
    """Return escalations and reminders that are due, and when the next one may be."""
    telling = Telling(tuple(_still_open(alert, world, now)))
    for route in routes:
        if quiet := _quiet(alert, route, now):
            telling = _both(telling, Telling(again_at=quiet.ends_at))
            continue
        for number, step in enumerate(route.steps, 1):
            telling = _both(telling, _escalation(alert, route, number, step, world, now))
        if route.repeat_s:
            telling = _both(telling, _reminder(alert, route, route.repeat_s, told, now))
    seen: dict[str, AlertEvent] = {}
    for event in telling.events:
        seen.setdefault(f"{event.data['event']}:{event.data['channel']}", event)
    return Telling(tuple(seen.values()), telling.again_at)


def _still_open(alert: Alert, world: World, now: datetime) -> Iterator[AlertEvent]:
    """Yield what is told once a suppression is over, to those who were told before."""
    event, resumed_at = f"reminder-resumed-{alert.resumed}", alert.resumed_at
    for channel in filter(world.has, alert.told if resumed_at else ()):
        own = [n for n in alert.notifications.values() if n.channel == channel]
        if resumed_at and not any(n.event == event for n in own) and any(n.queued_at < resumed_at for n in own):
            yield _queued(alert, event, channel, _bucket_of(alert, channel), now)


def _quiet(alert: Alert, route: Route, now: datetime) -> Stretch | None:
    """Return the quiet hours of the route that hold now for an alert that is as bad."""
    return None if alert.severity in route.loud else open_stretch(route.quiet, now)


def _told_from(alert: Alert, route: Route, since: datetime) -> datetime:
    """Return `since`, or the end of the quiet hours that have put its opening off."""
    own = (n for n in alert.notifications.values() if n.bucket.partition("|")[0] == route.name)
    put_off = [] if alert.severity in route.loud else [n.not_before for n in own if n.not_before]
    return max([since, *put_off])


def _escalation(alert: Alert, route: Route, number: int, step: Step, world: World, now: datetime) -> Telling:
    due_at = _told_from(alert, route, alert.opened_at) + timedelta(seconds=step.after_s)
    if now < due_at:
        return Telling(again_at=due_at)
    event = f"escalation-{number}"
    mine = [n for n in alert.notifications.values() if n.event == event and n.bucket.partition("|")[0] == route.name]
    if mine:
        # Whoever was meant then: a crash may have left the others out, and those of now have other shifts.
        channels, _ = _reachable(alert, step.channels, world, min(n.queued_at for n in mine))
        return Telling(tuple(_steps(alert, event, channels, route, now)))
    if step.hours and not open_stretch(step.hours, now):
        return Telling(again_at=next_opening(step.hours, now))
    channels, _ = _reachable(alert, step.channels, world, now)
    return Telling(tuple(_steps(alert, event, channels, route, now)))


def _steps(alert: Alert, event: str, channels: Iterable[str], route: Route, now: datetime) -> Iterator[AlertEvent]:
    for channel in channels:
        if f"{alert.id}:{event}:{channel}" not in alert.notifications:
            yield _queued(alert, event, channel, _bucket(alert, route), now)


def _reminder(alert: Alert, route: Route, repeat_s: float, told: Sequence[str], now: datetime) -> Telling:
    first_at = _told_from(alert, route, alert.routed_at or now)
    number = int((now - first_at).total_seconds() // repeat_s)
    again_at = first_at + timedelta(seconds=max(number + 1, 1) * repeat_s)
    if number < 1 or any(n.event == f"reminder-{number}" for n in alert.notifications.values()):
        return Telling(again_at=again_at)
    bucket = _bucket(alert, route)
    return Telling(tuple(_queued(alert, f"reminder-{number}", channel, bucket, now) for channel in told), again_at)


def _people(names: Iterable[str], world: World, now: datetime) -> tuple[str, ...]:
    return tuple(dict.fromkeys(channel for name in names for channel in world.people(name, now)))


def _bucket(alert: Alert, route: Route) -> str:
    """Return what is joined with each other: alerts of one route that are alike in `group_by`."""
    if alert.source == "manual":
        # Who sends by hand waits for nothing.
        return alert.id
    subject = alert.subject
    values = (",".join(subject.tags) if key == "tag" else str(getattr(subject, key)) for key in route.group_by)
    return "|".join((route.name, *values))


def _bucket_of(alert: Alert, channel: str) -> str:
    return next((n.bucket for n in alert.notifications.values() if n.channel == channel), "")


def _noted(alert: Alert, reason: str, now: datetime) -> Iterator[AlertEvent]:
    """Yield the reason for telling nobody, once as long as it is the same; empty when there is none any more."""
    if alert.untold != reason:
        yield AlertEvent(now, What.NOT_TOLD, alert.id, note=reason)


def _queued(
    alert: Alert, event: str, channel: str, bucket: str, now: datetime, not_before: datetime | None = None
) -> AlertEvent:
    data: dict[str, Json] = {"event": event, "channel": channel, "bucket": bucket}
    if not_before:
        data["not_before"] = to_rfc3339(not_before)
    return AlertEvent(now, What.QUEUED, alert.id, note="after quiet hours" if not_before else "", data=data)
