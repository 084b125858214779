"""Evidence as a numbered list of facts, which the page shows and the model reads.

    E1: The check "db-health" (http) asks GET "http://10.0.0.5/db/health" every 30 s, …
    E2: It is FAIL (content) since 2026-11-21 14:03:07 UTC, …

Owns how texts of a target are shown: on one line, cut, redacted, in straight double quotes that they cannot
close. Each kind of fact has a `Key`, by which `rules` cites the number that it got.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from monitor.diagnosis.target import shown_url
from monitor.model import Json, Kind, Result, Status
from monitor.units import format_duration, format_ms, plain, seconds_between

if TYPE_CHECKING:
    from monitor.diagnosis.evidence import Evidence, Incident
    from monitor.diagnosis.neighbours import Neighbour

LONGEST_BYTES = 6000
_SHOWN_FINDINGS = 3
_CUT = "…"

Redact = Callable[[str], str]


class Key(StrEnum):
    """What a fact is about."""

    TARGET = "target"
    STATUS = "status"
    COUNTS = "counts"
    FIRST_BAD = "first bad"
    LAST_BAD = "last bad"
    LAST_GOOD = "last good"
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
    left = LONGEST_BYTES
    for key, write in _WRITERS.items():
        fact = Fact(len(found) + 1, key, write(evidence, Quote(redact)))
        size = len(str(fact).encode()) + 1
        if fact.text and size <= left:
            found.append(fact)
            left -= size
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Quote:
    """Shows texts that are not ours."""

    redact: Redact

    def __call__(self, text: object, limit: int = 60) -> str:
        """Return the text in double quotes, in at most about `limit` bytes."""
        return '"' + self.bare(text, limit).replace('"', "'") + '"'

    def bare(self, text: object, limit: int = 60) -> str:
        """Return the text on one line, redacted and cut, for a place that cannot be closed from within."""
        # Redact before cutting: half a secret is not recognised.
        one_line = plain(self.redact(str(text)), limit)
        raw = one_line.encode()
        return one_line if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore") + _CUT


def at(time: datetime) -> str:
    """Return `2026-11-21 14:03:07 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def verdict(status: Status | None, kind: Kind | None) -> str:
    """Return `FAIL (content)`."""
    return f"{status or 'unknown'}" + (f" ({kind})" if kind else "")


def _ago(evidence: Evidence, time: datetime) -> str:
    return f"{format_duration(max(seconds_between(time, evidence.now), 0.0))} ago"


def _target(evidence: Evidence, quote: Quote) -> str:
    target, name = evidence.target, quote(evidence.subject, 120)
    if target is None:
        return f"The check {name} is not in the configuration."
    does = f"asks {target.method} {quote(target.url, 240)}" if target.url else f"measures {target.metric or 'a target'}"
    does += f" of {quote(target.path)}" if target.path else ""
    schedule = f"every {format_duration(target.every_s)}, deadline {format_duration(target.timeout_s)}"
    wants = f"; expected: {', '.join(target.expected)}" if target.expected else ""
    flags = f"; flags: {', '.join(sorted(evidence.flags))}" if evidence.flags else ""
    group = f"group {quote(target.group)}, severity {target.severity}"
    return f"The check {name} ({target.type}) {does} {schedule}; {group}{wants}{flags}."


def _status(evidence: Evidence, quote: Quote) -> str:
    if evidence.status is None or evidence.since is None or not evidence.has_verdicts:
        return "No verdict is known of it now."
    since = f"{at(evidence.since)}, {_ago(evidence, evidence.since)}"
    says = f": {quote(evidence.message, 300)}" if evidence.message else ""
    verdicts = f"{evidence.streak} verdict{'s' if evidence.streak != 1 else ''} in a row"
    return f"It is {verdict(evidence.status, evidence.kind)} since {since}, {verdicts}{says}."


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
    return f"{which}, {at(bad.at)}: {_sighting(bad, quote)}."


def _last_bad(evidence: Evidence, quote: Quote) -> str:
    first, last = evidence.first_bad, evidence.last_bad
    if first is None or last is None or first is last:
        return ""
    if _sighting(first, quote, brief=True) == _sighting(last, quote, brief=True):
        return f"Latest bad verdict, {at(last.at)}: the same in kind and findings, {_time_of(last)}."
    return f"Latest bad verdict, {at(last.at)}: {_sighting(last, quote, brief=True)}, {_time_of(last)}."


def _last_good(evidence: Evidence, quote: Quote) -> str:
    good = evidence.last_good
    if good is None:
        return ""
    which = "Last good verdict before it" if evidence.first_bad else "Latest verdict"
    return f"{which}, {at(good.at)}: {_sighting(good, quote)}."


def _sighting(result: Result, quote: Quote, brief: bool = False) -> str:
    seen = result.outcome
    parts = [verdict(seen.status, seen.kind), f"code {seen.code}" if seen.code else ""]
    parts += [
        f"{quote(f.what, 80)} expected {quote(f.expected, 80)} got {quote(f.got, 120)}"
        for f in seen.findings[:_SHOWN_FINDINGS]
    ]
    if brief:
        return ", ".join(part for part in parts if part)
    parts.insert(2, f"in {format_ms(seen.latency_ms)}" if seen.latency_ms is not None else "")
    parts.append(f"says {quote(seen.message, 160)}" if seen.message and not seen.findings else "")
    parts.append(f"phases {_phases(seen.phases_ms)}" if seen.phases_ms else "")
    parts.append(f"{result.attempts} attempts" if result.attempts > 1 else "")
    return ", ".join([*(part for part in parts if part), *_observed(seen.observed, quote)])


def _time_of(result: Result) -> str:
    ms = result.outcome.latency_ms
    return f"in {format_ms(ms)}" if ms is not None else "no latency measured"


def _phases(phases_ms: Mapping[str, float]) -> str:
    order = ("dns", "connect", "tls", "ttfb", "total")
    return " ".join(f"{phase}={format_ms(phases_ms[phase])}" for phase in order if phase in phases_ms)


_OBSERVED = {"address": 45, "final_url": 120, "body": 200, "job_id": 60, "job_state": 20, "percent": 10}
_OBSERVED |= {"free_gib": 12, "available_gib": 12, "top": 180}


def _observed(observed: Mapping[str, Json], quote: Quote) -> Iterator[str]:
    """Only facts that probes are known to leave are shown: a target cannot name its own."""
    for name, limit in _OBSERVED.items():
        value = observed.get(name)
        if value in (None, "", []):
            continue
        text = ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
        yield f"{name} {quote(shown_url(text) if name == 'final_url' else text, limit)}"


def _changes(evidence: Evidence, _quote: Quote) -> str:
    if not evidence.changes:
        return ""
    shown = ", ".join(f"{c.at.astimezone(UTC):%H:%M:%S} {c.before} to {c.after}" for c in evidence.changes)
    return f"Changes of status in that time: {evidence.changes_count}, the latest: {shown}."


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
    shown = "; ".join(_neighbour(n, quote) for n in evidence.neighbours)
    return f"Other checks that are or were not OK: {evidence.neighbours_count}: {shown}."


def _neighbour(one: Neighbour, quote: Quote) -> str:
    when = "began within 2 m of this" if one.together else "began at another time"
    shares = [word for word, holds in (("same host", one.same_host), ("same group", one.same_group)) if holds]
    facts = [verdict(one.status, one.kind), f"seen since {at(one.first_at)}", when, *shares]
    return f"{quote(one.name, 40)} {', '.join(facts)}"


def _past(evidence: Evidence, quote: Quote) -> str:
    if not evidence.incidents:
        return ""
    shown = "; ".join(_incident(incident, quote) for incident in evidence.incidents)
    return f"Past alerts of this check: {evidence.incidents_count}, the latest: {shown}."


def _incident(incident: Incident, quote: Quote) -> str:
    kind = f" {incident.kind}" if incident.kind else ""
    notes = "".join(f", note {quote(note, 140)}" for note in incident.notes)
    by = f", resolved by {quote(incident.resolved_by, 40)}" if incident.resolved_by else ""
    return f"{at(incident.opened_at)}{kind}, lasted {format_duration(incident.lasted_s)}{by}{notes}"


def _alert(evidence: Evidence, quote: Quote) -> str:
    alert = evidence.open_alert
    if alert is None:
        return ""
    holder = f"{quote(alert.holder, 60)} has it" if alert.holder else "nobody has acknowledged it"
    told = f"told: {', '.join(quote(channel, 30) for channel in alert.told[:4])}" if alert.told else "nobody was told"
    notes = "".join(f"; note {quote(note, 120)}" for note in alert.notes)
    opened = f"open since {at(alert.opened_at)}, {alert.severity}"
    return f"Alert {quote(alert.id, 30)} is {opened}; {holder}; {told}{notes}."


_WRITERS: dict[Key, Callable[[Evidence, Quote], str]] = {
    Key.TARGET: _target,
    Key.STATUS: _status,
    Key.COUNTS: _counts,
    Key.FIRST_BAD: _first_bad,
    Key.LAST_BAD: _last_bad,
    Key.LAST_GOOD: _last_good,
    Key.CHANGES: _changes,
    Key.GAP: _gap,
    Key.LATENCY: _latency,
    Key.NEIGHBOURS: _neighbours,
    Key.PAST: _past,
    Key.ALERT: _alert,
}
