"""The words of a message: what is known of one alert, or of many, as texts that are safe to put anywhere.

    Alert, event ──▶ status: FAIL   heading: "orders-db answers with an error"   rows: Where, Since, How bad, Why, …

Pure. Titles, messages, notes and names came from targets and people: here they become plain, bounded and one line
each. Templates only put them in order; channels only cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

from monitor.alerts import CHECKER, Alert, Notification, What, hears_again
from monitor.channels.templates import BUILT_IN, Templates
from monitor.model import Event, Kind, Severity, Status
from monitor.units import format_duration, plain, seconds_between, to_rfc3339

MANUAL, ACKNOWLEDGED, TEST = "manual", "acknowledged", "test"
# Short enough that the links below it survive the 1000 characters of the tightest chat.
_SHOWN = 400
_STEPS, _STEP, _LOG_LINES = 5, 300, 10
_REASON = 120
# So many alerts stand in one message; the others are counted, and are on the wall.
LISTED = 20
_COLOURS = {
    Severity.P1: ("#b71c1c", "#ffffff"),
    Severity.P2: ("#d84315", "#ffffff"),
    Severity.P3: ("#ffb300", "#212121"),
    Severity.P4: ("#1565c0", "#ffffff"),
}
_GREEN = ("#2e7d32", "#ffffff")
_TEXTS = (
    *("where", "since", "how_bad", "affected", "why", "message", "again", "last_time", "ended", "acknowledged_by"),
    *("remedy", "from_now_on"),
    *("sent_by", "check_url", "silence_url", "runbook", "owner"),
)
# What sentences say for the kind's own word.
_SAID_AS = {
    Kind.TIMEOUT: ("timeout", "timed out", " within ", " hangs "),
    Kind.DNS: ("dns", "resolve"),
    Kind.TLS: ("tls", "ssl", "certificate"),
    Kind.UNCONFIGURED: ("not configured", "not set"),
}
# Whoever is told by these was told before, or should know by now.
_OF_WHAT_IS_KNOWN = frozenset({"reminder", "escalation"})
_DAY = timedelta(days=1)
_STATUS = {"manual": "ALERT", "reported": "ALERT", "rule": "ALERT", "warn": "WARN", "flaps": "FLAPS", TEST: "TEST"}


@dataclass(frozen=True)
class Letterhead:
    """What is the same for all messages: where people reach the wall (no links without it), the zone of times, and
    the templates."""

    wall_url: str | None = None
    timezone: str = "UTC"
    templates: Templates = field(default=BUILT_IN, repr=False)

    def link(self, page: str, **query: str) -> str:
        """Return the address of a page of the wall; empty when nobody knows where the wall is."""
        if not self.wall_url:
            return ""
        asked = "&".join(f"{name}={quote(_encodable(value), safe='')}" for name, value in query.items())
        return f"{self.wall_url.rstrip('/')}/{page}" + (f"?{asked}" if asked else "")

    def show(self, at: datetime) -> str:
        return show_time(at, self.timezone)


@dataclass(frozen=True, slots=True)
class Member:
    """One alert in a message: what is told of it, in a word (`status`), and what told this channel of it first.

    `status` is FAIL, WARN, FLAPS, ALERT (not from a check), ACK, OK, CLOSED (ended by somebody or by time, which says
    nothing of the target) or TEST. `opening` is None when this message is the first. `held_since`: from then until now
    quiet hours held it back.
    """

    alert: Alert
    event: str
    status: str
    opening: Notification | None = None
    held_since: datetime | None = None

    @property
    def is_end(self) -> bool:
        return self.event == Event.RECOVERED

    @property
    def colours(self) -> tuple[str, str]:
        """Background and text."""
        return _GREEN if self.is_end else _COLOURS[self.alert.severity]


class Line(NamedTuple):
    """One thing that is known. `steps` are several; `is_link`: the value is an address that may be clicked."""

    label: str
    value: str
    steps: tuple[str, ...] = ()
    is_link: bool = False


def harmless(text: str, limit: int = _SHOWN) -> str:
    """Return `units.plain` of the text, and without lone surrogates, which no encoder accepts."""
    return plain(text[: limit * 4].encode("utf-8", "replace").decode(), limit)


def show_time(at: datetime, timezone: str = "UTC") -> str:
    """Return `2026-11-21 14:03:07Z`, and of another zone `2026-11-21 15:03:07 CET`."""
    if timezone == "UTC":
        return to_rfc3339(at)[:19].replace("T", " ") + "Z"
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S %Z}"


def status_of(alert: Alert, event: str) -> str:
    """Return the word of the subject."""
    if event == Event.RECOVERED:
        return "OK" if alert.resolved_by == CHECKER and not alert.has_expired else "CLOSED"
    if event in (ACKNOWLEDGED, TEST):
        return "ACK" if event == ACKNOWLEDGED else "TEST"
    # A reminder or an escalation is of what the alert opened as.
    return _STATUS.get(event) or _STATUS.get(alert.opening, "FAIL")


def heading_of(member: Member, now: datetime) -> str:
    """Return in one line what this is."""
    alert, event = member.alert, member.event
    if event == Event.RECOVERED:
        return _heading_of_the_end(member, now)
    title = harmless(alert.title, 120)
    if event == ACKNOWLEDGED:
        return f"{harmless(alert.acknowledged_by, 40) or 'somebody'} has it: {title}"
    if event.startswith("escalation-"):
        return f"not acknowledged for {format_duration(_lasted_s(alert.opened_at, alert, now))}: {title}"
    if event.startswith("reminder-"):
        return f"still open after {format_duration(_lasted_s(alert.opened_at, alert, now))}: {title}"
    # Whoever hears of it for the first time knows of no severity that it had before.
    is_news = event.startswith("raised-") and member.opening is not None
    return f"now {alert.severity.value}: {title}" if is_news else title


def _heading_of_the_end(member: Member, now: datetime) -> str:
    alert = member.alert
    lasted = format_duration(_lasted_s(alert.began_at, alert, now))
    verb = "recovered" if member.status == "OK" else f"closed by {harmless(alert.resolved_by, 40)}"
    if alert.has_expired:
        verb = "expired: not reported again,"
    still = f": it still {'warns' if alert.still == Status.WARN else 'fails'}" if alert.still else ""
    action, _, _ = _helped(member)
    helped = f", {harmless(action, 40)} helped" if action else ""
    return f"{harmless(alert.resource, 60)} {verb} after {lasted}{helped}{still}"


def _lasted_s(since: datetime, alert: Alert, now: datetime) -> float:
    return max(seconds_between(since, alert.resolved_at or now), 0.0)


def _helped(member: Member) -> tuple[str, str, str]:
    """Return action, target and verdict of the remedy that helped; empty where none did."""
    for event in reversed(member.alert.events if member.is_end and member.status == "OK" else ()):
        if event.what is What.REMEDY and event.data.get("effect") == "helped":
            return str(event.data.get("action")), str(event.data.get("target")), event.note
    return "", "", ""


def words_of_one(member: Member, letterhead: Letterhead, now: datetime) -> dict[str, Any]:
    """Return what templates may name of a message about one alert."""
    alert = member.alert
    said: dict[str, Any] = {
        "where": harmless(alert.resource, 120),
        "since": _since(member, letterhead, now),
        "how_bad": f"{alert.severity.value} ({alert.severity.word}), {alert.category.value}",
        "affected": _affected(alert),
        "why": _why(alert),
        "message": harmless(alert.message),
        "again": f"seen {alert.count:,} times, last {letterhead.show(alert.seen_at)}" if alert.count > 1 else "",
        "last_time": harmless(alert.previous),
        "ended": harmless(alert.resolution) if member.is_end else "",
        "remedy": harmless(" ".join(_helped(member)).strip()),
        "from_now_on": _from_now_on(member),
        "acknowledged_by": harmless(alert.acknowledged_by, 80),
        "sent_by": harmless(alert.by, 80) if alert.source == MANUAL else "",
        "check_url": letterhead.link("check", name=alert.resource),
        "alert_url": letterhead.link("alerts", alert=alert.id),
        "silence_url": "" if member.is_end else letterhead.link("silences", alert=alert.id),
        "runbook": harmless(alert.runbook or "", 1000),
        "owner": harmless(alert.owner or "", 120),
        "steps": () if member.is_end else tuple(harmless(one, _STEP) for one in alert.recommendations[:_STEPS]),
        "logs": () if member.is_end else _log_lines(alert),
    }
    held = _held_back((member,), letterhead, now)
    heading = f"{heading_of(member, now)} ({held})" if held else heading_of(member, now)
    return _frame((member,), heading, letterhead, now) | said | {"rows": _rows(said)}


def _from_now_on(member: Member) -> str:
    still = member.alert.still if member.is_end else ""
    return f"nobody is told of it until {hears_again(still)}" if still else ""


def _held_back(members: Sequence[Member], letterhead: Letterhead, now: datetime) -> str:
    """Return since when quiet hours held these back, such as `held back in quiet hours since 22:14`; empty if none."""
    held = [member.held_since for member in members if member.held_since]
    if not held:
        return ""
    since = min(held)
    form = "%H:%M" if now - since < _DAY else "%a %H:%M"
    return f"held back in quiet hours since {since.astimezone(ZoneInfo(letterhead.timezone)):{form}}"


def _why(alert: Alert) -> str:
    """Return what is wrong, with its kind before it where the sentence itself does not name it."""
    message = harmless(alert.message)
    if alert.kind is None or any(word in message.lower() for word in _SAID_AS.get(alert.kind, (alert.kind.value,))):
        return message
    return f"{alert.kind.value}: {message}"


def words_of_many(members: Sequence[Member], letterhead: Letterhead, now: datetime) -> dict[str, Any]:
    """Return the same names for a message about several alerts: what there is only of one is empty."""
    texts = dict.fromkeys(_TEXTS, "")
    said: dict[str, Any] = {**texts, "steps": (), "logs": (), "rows": (), "alert_url": letterhead.link("alerts")}
    return _frame(members, _heading_of_many(members, letterhead, now), letterhead, now) | said


def _frame(members: Sequence[Member], heading: str, letterhead: Letterhead, now: datetime) -> dict[str, Any]:
    worst = members[0]
    back, front = worst.colours
    return {
        "heading": heading,
        "status": worst.status,
        "severity": worst.alert.severity.value,
        "severity_word": worst.alert.severity.word,
        "category": worst.alert.category.value,
        "event": worst.event if len(members) == 1 else "joined",
        "is_end": all(member.is_end for member in members),
        "colour": back,
        "text_colour": front,
        "wall_url": letterhead.link(""),
        "now": letterhead.show(now),
        "many": len(members) > 1,
        "total": len(members),
        "alerts": [_listed(member, letterhead, now) for member in members[:LISTED]],
        "more": max(len(members) - LISTED, 0),
    }


def _listed(member: Member, letterhead: Letterhead, now: datetime) -> Mapping[str, Any]:
    return {
        "id": member.alert.id,
        "heading": heading_of(member, now),
        "status": member.status,
        "severity": member.alert.severity.value,
        "where": harmless(member.alert.resource, 120),
        "message": "" if member.is_end else harmless(member.alert.message, _REASON),
        "since": letterhead.show(member.alert.began_at),
        "colour": member.colours[0],
        "is_end": member.is_end,
        "alert_url": letterhead.link("alerts", alert=member.alert.id),
    }


def _heading_of_many(members: Sequence[Member], letterhead: Letterhead, now: datetime) -> str:
    """Return `300 alerts: 298 open, 2 recovered`, of which some may be `still open`."""
    over = [member for member in members if member.is_end]
    verb = "recovered" if all(member.status == "OK" for member in over) else "over"
    kinds = {member.event.partition("-")[0] for member in members}
    known = sum(member.event.partition("-")[0] in _OF_WHAT_IS_KNOWN for member in members)
    fresh = len(members) - len(over) - known
    told = ((fresh, "new" if known else "open"), (known, "still open"), (len(over), verb))
    counts = ", ".join(f"{count:,} {word}" for count, word in told if count)
    held = _held_back(members, letterhead, now)
    part = sum(member.held_since is not None for member in members)
    some = held and (f" {held}" if part == len(members) else f", {part:,} of them {held}")
    heading = f"{len(members):,} alerts{some}: {counts}"
    return f"not acknowledged: {heading}" if kinds == {"escalation"} else heading


def _rows(said: Mapping[str, Any]) -> list[Line]:
    """Return what is known, the most urgent first; rows with nothing to say are left out."""
    rows = [
        Line("Where", said["where"]),
        Line("Since", said["since"]),
        Line("How bad", said["how_bad"]),
        Line("Affected", said["affected"]),
        Line("Why", said["why"]),
        Line("Again", said["again"]),
        Line("Last time", said["last_time"]),
        Line("How it ended", said["ended"]),
        Line("Remedy", said["remedy"]),
        Line("From now on", said["from_now_on"]),
        Line("Acknowledged by", said["acknowledged_by"]),
        Line("Sent by", said["sent_by"]),
        Line("Details", said["check_url"], is_link=True),
        Line("Alert", said["alert_url"], is_link=True),
        Line("Silence", said["silence_url"], is_link=True),
        Line("Runbook", said["runbook"], is_link=_is_address(said["runbook"])),
        Line("Owner", said["owner"]),
        Line("What to do", "", said["steps"]),
        Line("Logs", "", said["logs"]),
    ]
    return [row for row in rows if row.value or row.steps]


def _is_address(text: str) -> bool:
    return text.startswith(("http://", "https://")) and " " not in text


def _affected(alert: Alert) -> str:
    users = f"{alert.affected_users:,} user{'' if alert.affected_users == 1 else 's'}" if alert.affected_users else ""
    impact = next((str(alert.metadata[key]) for key in ("impact", "business_impact") if alert.metadata.get(key)), "")
    return "; ".join(filter(None, (users, harmless(impact, 200))))


def _log_lines(alert: Alert) -> tuple[str, ...]:
    return tuple(harmless(one, 200) for one in (alert.related_logs or "")[:8000].splitlines()[:_LOG_LINES] if one)


def _since(member: Member, letterhead: Letterhead, now: datetime) -> str:
    alert = member.alert
    began, lasted_s = letterhead.show(alert.began_at), _lasted_s(alert.began_at, alert, now)
    if member.is_end:
        return f"{began} until {letterhead.show(alert.resolved_at or now)} ({format_duration(lasted_s)})"
    # A message that waited for a dead mail server must not read as if it had just happened.
    return began if lasted_s < 60 else f"{began} ({format_duration(lasted_s)} ago)"


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
