"""Evidence as a numbered list of facts, which the page shows and the model reads.

    E1: The check "db-health" (http) asks GET "http://10.0.0.5/db/health" every 30 s, …
    E2: It is FAIL (content) since 2026-11-21 14:03:07 UTC, …
    E3: It depends on "db": FAIL (connect) since …

Each kind of fact has a `Key`, by which `rules` cites the number that it got. Texts of a target stand quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.contrast import Change
from monitor.diagnosis.quote import Quote, Redact, verdict
from monitor.diagnosis.sighting import sighting, time_of
from monitor.diagnosis.target import shown_url
from monitor.model import Status
from monitor.units import format_duration, format_ms, seconds_between

if TYPE_CHECKING:
    from monitor.diagnosis.evidence import Evidence, Incident
    from monitor.diagnosis.neighbours import Neighbour, Relative

LONGEST_BYTES = 6000
_SHOWN_RELATIVES = 6
_SHOWN_NEIGHBOURS = 6
_SHOWN_CLAUSES = 12


class Key(StrEnum):
    """What a fact is about."""

    TARGET = "target"
    STATUS = "status"
    PARENTS = "parents"
    MEMBERS = "members"
    COUNTS = "counts"
    FIRST_BAD = "first bad"
    LAST_BAD = "last bad"
    LAST_GOOD = "last good"
    DIFFERENCES = "differences"
    CHANGES = "changes"
    GAP = "gap"
    LATENCY = "latency"
    NEIGHBOURS = "neighbours"
    PAST = "past"
    ALERT = "alert"


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of the list; `number` counts from 1."""

    number: int
    key: Key
    text: str

    def __str__(self) -> str:
        return f"E{self.number}: {self.text}"


def as_text(evidence: Evidence, redact: Redact) -> str:
    """Return one line for each fact, at most `LONGEST_BYTES` of UTF-8."""
    return "\n".join(map(str, facts_of(evidence, redact)))


def facts_of(evidence: Evidence, redact: Redact) -> tuple[Fact, ...]:
    """Return the facts there are, numbered; one that does not fit is left out."""
    found: list[Fact] = []
    left, quote = LONGEST_BYTES, Quote(redact, evidence.timezone)
    for key, write in _WRITERS.items():
        fact = Fact(len(found) + 1, key, write(evidence, quote))
        size = len(str(fact).encode()) + 1
        if fact.text and size <= left:
            found.append(fact)
            left -= size
    return tuple(found)


def _ago(evidence: Evidence, time: datetime) -> str:
    return f"{format_duration(max(seconds_between(time, evidence.now), 0.0))} ago"


def _target(evidence: Evidence, quote: Quote) -> str:
    target, name = evidence.target, quote(evidence.subject, 120)
    if target is None:
        return f"The check {name} is not in the configuration."
    if not target.is_configured:
        return (
            f"{name} is no check of the configuration: it was asked by hand, {target.does} {quote(target.what, 240)}."
        )
    does = f"{target.does} {quote(target.what or 'a target', 240)}"
    schedule = f"{target.schedule}, deadline {format_duration(target.timeout_s)}"
    clauses = ", ".join(_clause(text, quote) for text in target.expected[:_SHOWN_CLAUSES])
    wants = f"; expected: {clauses}" if clauses else ""
    flags = f"; flags: {', '.join(sorted(evidence.flags))}" if evidence.flags else ""
    group = f"group {quote(target.group)}, severity {target.severity}"
    return f"The check {name} ({target.type}) {does} {schedule}; {group}{wants}{flags}."


def _clause(text: str, quote: Quote) -> str:
    return quote.bare(text, 120).replace('"', "'")


def _status(evidence: Evidence, quote: Quote) -> str:
    if evidence.status is None or evidence.since is None or not evidence.has_verdicts:
        return "No verdict is known of it now."
    since = f"{quote.at(evidence.since)}, {_ago(evidence, evidence.since)}"
    says = f": {quote(evidence.message, 300)}" if evidence.message else ""
    verdicts = f"{evidence.streak} verdict{'s' if evidence.streak != 1 else ''} in a row"
    return f"It is {verdict(evidence.status, evidence.kind)} since {since}, {verdicts}{says}."


def _parents(evidence: Evidence, quote: Quote) -> str:
    return f"It depends on {_relatives(evidence.parents, quote)}." if evidence.parents else ""


def _members(evidence: Evidence, quote: Quote) -> str:
    if not evidence.members:
        return ""
    bad = [member for member in evidence.members if member.status is not Status.OK]
    shown = f"; not OK: {_relatives(bad, quote)}" if bad else ", all OK"
    return f"It has {len(evidence.members)} members{shown}."


def _relatives(relatives: Sequence[Relative], quote: Quote) -> str:
    shown = "; ".join(_relative(relative, quote) for relative in relatives[:_SHOWN_RELATIVES])
    more = len(relatives) - _SHOWN_RELATIVES
    return shown + (f"; and {more} more" if more > 0 else "")


def _relative(relative: Relative, quote: Quote) -> str:
    name = f"{quote(relative.name, 60)}{f' ({relative.type})' if relative.type else ''}"
    if relative.status is None or relative.since is None:
        return f"{name}, not judged yet"
    says = f", says {quote(relative.message, 100)}" if relative.is_bad and relative.message else ""
    return f"{name}: {verdict(relative.status, relative.kind)} since {quote.at(relative.since)}{says}"


def _counts(evidence: Evidence, _quote: Quote) -> str:
    span = format_duration(evidence.lookback_s)
    if not evidence.statuses:
        return f"There is no verdict in the last {span}."
    counts = ", ".join(f"{n} {status}" for status in Status if (n := evidence.statuses.get(status, 0)))
    kinds = ", ".join(f"{kind} {n}" for kind, n in sorted((evidence.kinds or {}).items(), key=lambda kn: -kn[1]))
    return f"Verdicts in the last {span}: {counts}{f'; kinds: {kinds}' if kinds else ''}."


def _first_bad(evidence: Evidence, quote: Quote) -> str:
    bad = evidence.first_bad
    if bad is None:
        return ""
    which = "First bad verdict" if evidence.last_good else "No good verdict in that time; the earliest bad one"
    return f"{which}, {quote.at(bad.at)}: {sighting(bad, quote)}."


def _last_bad(evidence: Evidence, quote: Quote) -> str:
    first, last = evidence.first_bad, evidence.last_bad
    if first is None or last is None or first is last:
        return ""
    if sighting(first, quote, brief=True) == sighting(last, quote, brief=True):
        return f"Latest bad verdict, {quote.at(last.at)}: the same in kind and findings, {time_of(last)}."
    return f"Latest bad verdict, {quote.at(last.at)}: {sighting(last, quote, brief=True)}, {time_of(last)}."


def _last_good(evidence: Evidence, quote: Quote) -> str:
    good = evidence.last_good
    if good is None:
        return ""
    which = "Last good verdict before it" if evidence.first_bad else "Latest verdict"
    return f"{which}, {quote.at(good.at)}: {sighting(good, quote)}."


def _differences(evidence: Evidence, quote: Quote) -> str:
    if not evidence.differences:
        return ""
    shown = "; ".join(
        f"{quote(one.what, 40)} from {quote(before, 80)} to {quote(after, 80)}"
        for one in evidence.differences
        for before, after in [shown_difference(one)]
    )
    return f"Changed since the last good verdict: {shown}."


def shown_difference(one: Change) -> tuple[str, str]:
    """Return what it was and what it is, URLs without what may be secret in them."""
    if one.what != "final_url":
        return one.before, one.after
    before, after = (shown_url(text) if "://" in text else text for text in (one.before, one.after))
    return before, after


def _changes(evidence: Evidence, quote: Quote) -> str:
    if not evidence.changes:
        return ""
    shown = ", ".join(f"{quote.local(c.at):%H:%M:%S} {c.before} to {c.after}" for c in evidence.changes)
    zone = f"{quote.local(evidence.changes[-1].at):%Z}"
    return f"Changes of status in that time: {evidence.changes_count}, the latest: {shown} ({zone})."


def _gap(evidence: Evidence, _quote: Quote) -> str:
    gap_s = evidence.unwatched_before_s
    return f"Before the first bad verdict nobody looked for {format_duration(gap_s)}." if gap_s else ""


def _latency(evidence: Evidence, _quote: Quote) -> str:
    seen = evidence.latency
    if seen.usual_ms is None:
        return ""
    now = f"the latest verdict took {format_ms(seen.now_ms)}" if seen.now_ms is not None else "the latest has none"
    before = f"; the last good ones before the trouble {format_ms(seen.just_before_ms)}" if seen.just_before_ms else ""
    return f"Usual latency of good verdicts is {format_ms(seen.usual_ms)} (median); {now}{before}."


def _neighbours(evidence: Evidence, quote: Quote) -> str:
    if not evidence.neighbours:
        return ""
    count = len(evidence.neighbours)
    shown = "; ".join(_neighbour(n, quote) for n in evidence.neighbours[:_SHOWN_NEIGHBOURS])
    more = f"; and {count - _SHOWN_NEIGHBOURS} more" if count > _SHOWN_NEIGHBOURS else ""
    return f"Other checks that are or were not OK: {count}: {shown}{more}."


def _neighbour(one: Neighbour, quote: Quote) -> str:
    when = "began within 2 m of this" if one.together else "began at another time"
    shares = [word for word, holds in _shared(one) if holds]
    ties = [one.tie.value] if one.tie else []
    now = ["OK now"] if one.is_over else []
    facts = [verdict(one.status, one.kind), f"seen since {quote.at(one.first_at)}", when, *shares, *ties, *now]
    return f"{quote(one.name, 40)} {', '.join(facts)}"


def _shared(one: Neighbour) -> tuple[tuple[str, bool], ...]:
    return ("same host", one.same_host), ("same port", one.same_port), ("same group", one.same_group)


def _past(evidence: Evidence, quote: Quote) -> str:
    if not evidence.incidents:
        return ""
    shown = "; ".join(_incident(incident, quote) for incident in evidence.incidents)
    return f"Past alerts of this check: {evidence.incidents_count}, the latest: {shown}."


def _incident(incident: Incident, quote: Quote) -> str:
    kind = f" {incident.kind}" if incident.kind else ""
    notes = "".join(f", note {quote(note, 140)}" for note in incident.notes)
    by = f", resolved by {quote(incident.resolved_by, 40)}" if incident.resolved_by else ""
    return f"{quote.at(incident.opened_at)}{kind}, lasted {format_duration(incident.lasted_s)}{by}{notes}"


def _alert(evidence: Evidence, quote: Quote) -> str:
    alert = evidence.open_alert
    if alert is None:
        return f"No alert is open for it: {quote(evidence.held_back, 120)}." if evidence.held_back else ""
    holder = f"{quote(alert.holder, 60)} has it" if alert.holder else "nobody has acknowledged it"
    told = f"told: {', '.join(quote(channel, 30) for channel in alert.told[:4])}" if alert.told else "nobody was told"
    notes = "".join(f"; note {quote(note, 120)}" for note in alert.notes)
    opened = f"opened at {quote.at(alert.opened_at)}, {alert.severity}"
    return f"Alert {quote(alert.id, 30)} was {opened}; {holder}; {told}{notes}."


_WRITERS: dict[Key, Callable[[Evidence, Quote], str]] = {
    Key.TARGET: _target,
    Key.STATUS: _status,
    Key.PARENTS: _parents,
    Key.MEMBERS: _members,
    Key.COUNTS: _counts,
    Key.FIRST_BAD: _first_bad,
    Key.LAST_BAD: _last_bad,
    Key.LAST_GOOD: _last_good,
    Key.DIFFERENCES: _differences,
    Key.CHANGES: _changes,
    Key.GAP: _gap,
    Key.LATENCY: _latency,
    Key.NEIGHBOURS: _neighbours,
    Key.PAST: _past,
    Key.ALERT: _alert,
}
