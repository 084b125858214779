"""What is known of one check's trouble, gathered from records that others keep. Pure.

    results, neighbours, state, alerts, check ──gather──▶ Evidence ──as_text──▶ E1: …  E2: …

Called for the page, the command line and the HTTP command that explain a failure. Holds facts only: what they
mean is for `rules` or a model to say. Texts of the target are kept as they came; `facts` quotes, cuts and redacts
them, so nothing else may show them to anybody.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from monitor import contrast
from monitor.alerts import CHECKER, CONFIGURATION, Alert, AlertEvent, What
from monitor.config import CheckBase
from monitor.contrast import Sighting
from monitor.diagnosis.facts import as_text
from monitor.diagnosis.latency import NOT_MEASURED, Latency, latency_of
from monitor.diagnosis.neighbours import (
    Around,
    Neighbour,
    Relative,
    address_of,
    answering,
    members_in,
    neighbours_of,
    parents_of,
)
from monitor.diagnosis.target import Target, endpoint, target_of
from monitor.model import Flag, Kind, Result, Status
from monitor.state import CheckState
from monitor.units import seconds_between

_SHOWN_CHANGES = 6
_SHOWN_INCIDENTS = 3
_OURS = frozenset({CHECKER, CONFIGURATION})


@dataclass(frozen=True, slots=True)
class Change:
    """A change of status between two verdicts that follow each other."""

    at: datetime
    before: Status
    after: Status


@dataclass(frozen=True, slots=True)
class Incident:
    """A past alert of the same check, and what people wrote about it."""

    opened_at: datetime
    lasted_s: float
    kind: Kind | None
    resolved_by: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """The alert that is open now. `holder` is who acknowledged it, or an empty text."""

    id: str
    opened_at: datetime
    severity: str
    holder: str
    told: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Bounded facts about one check.

    `first_bad` is the first verdict within the lookback of the present trouble, or of the latest one when it is
    over; `onset_at` is when that trouble began, which may be before the lookback. `differences` are between the last
    good verdict and the first bad one, `held_back` is why no alert opens for it. `answering_count` checks of other
    machines have been answered since. Times are shown in `timezone`.
    """

    subject: str
    now: datetime
    lookback_s: float
    target: Target | None = None
    status: Status | None = None
    kind: Kind | None = None
    message: str = ""
    since: datetime | None = None
    streak: int = 0
    flags: frozenset[Flag] = frozenset()
    statuses: Mapping[Status, int] | None = None
    kinds: Mapping[Kind, int] | None = None
    onset_at: datetime | None = None
    first_bad: Result | None = None
    last_bad: Result | None = None
    last_good: Result | None = None
    differences: tuple[contrast.Change, ...] = ()
    parents: tuple[Relative, ...] = ()
    members: tuple[Relative, ...] = ()
    held_back: str = ""
    changes: tuple[Change, ...] = ()
    changes_count: int = 0
    unwatched_before_s: float | None = None
    latency: Latency = NOT_MEASURED
    neighbours: tuple[Neighbour, ...] = ()
    answering_count: int = 0
    incidents: tuple[Incident, ...] = ()
    incidents_count: int = 0
    open_alert: OpenAlert | None = None
    runbook: str = ""
    ever_good: bool = False
    timezone: str = "UTC"

    @property
    def has_verdicts(self) -> bool:
        return bool(self.statuses) or (self.status is not None and self.streak > 0)

    @property
    def recovered(self) -> bool:
        """True when the check is OK now and was not within the lookback."""
        return self.status is Status.OK and self.last_bad is not None

    @property
    def trouble(self) -> Kind | None:
        """The kind to explain: that of now, or of the latest trouble when it is over."""
        if self.status is Status.OK:
            return self.last_bad.outcome.kind if self.last_bad else None
        return self.kind

    @property
    def parents_down(self) -> tuple[Relative, ...]:
        """Checks that this one depends on and that fail, the nearest first."""
        return tuple(parent for parent in self.parents if parent.status is Status.FAIL)

    def as_text(self, redact: Callable[[str], str]) -> str:
        """Return the facts as lines `E1: …`, at most about 6 kB; texts of the target quoted, cut and redacted."""
        return as_text(self, redact)


def gather(
    subject: str,
    now: datetime,
    results: Sequence[Result],
    neighbours: Sequence[Result],
    state: CheckState | None,
    alerts: Sequence[Alert],
    check: CheckBase | None,
    lookback_s: float,
    *,
    checks: Mapping[str, CheckBase] | None = None,
    states: Mapping[str, CheckState] | None = None,
    timezone: str = "UTC",
) -> Evidence:
    """Return what the records say of `subject`; with nothing recorded, an Evidence without verdicts.

    `results` are verdicts of the subject, oldest first; `neighbours` verdicts that are not OK of other checks in
    the same time. By name, `checks` tell what the subject depends on and which neighbours share its group or host, and
    `states` how they are and since when; without them the address that both answered from, and the verdicts given,
    have to do.
    """
    seen = [r for r in results if r.name == subject and 0 <= seconds_between(r.at, now) <= lookback_s]
    first, last = _latest_trouble(seen)
    first_bad, last_bad = (seen[first], seen[last]) if seen and last >= 0 else (None, None)
    known = _present(state, seen)
    target = target_of(check) if check else endpoint(subject)
    changes = _changes(seen)
    onset_at = _onset(known, first_bad)
    around = Around(onset_at, target, address_of(first_bad), checks or {}, states or {})
    near = neighbours_of(subject, check, around, neighbours)
    past = sorted((a for a in alerts if a.resource == subject and a.resolved_at), key=_opened_at, reverse=True)
    return Evidence(
        subject=subject,
        now=now,
        lookback_s=lookback_s,
        target=target,
        status=known.status if known else None,
        kind=known.kind if known else None,
        message=known.message if known else "",
        since=known.since if known else None,
        streak=known.streak if known else 0,
        flags=known.flags if known else frozenset(),
        statuses=Counter(r.status for r in seen),
        kinds=Counter(r.outcome.kind for r in seen if r.outcome.kind),
        onset_at=onset_at,
        first_bad=first_bad,
        last_bad=last_bad,
        last_good=_last_good(seen, first),
        differences=_differences(state, _last_good(seen, first), first_bad),
        parents=parents_of(check, around),
        members=members_in(check, around),
        held_back=state.note if state else "",
        changes=tuple(changes[-_SHOWN_CHANGES:]),
        changes_count=len(changes),
        unwatched_before_s=_unwatched_before(seen, first, check),
        latency=latency_of(seen, first),
        neighbours=tuple(near),
        answering_count=answering(subject, around) if onset_at else 0,
        incidents=tuple(_incident(alert) for alert in past[:_SHOWN_INCIDENTS]),
        incidents_count=len(past),
        open_alert=_open_alert(subject, alerts),
        runbook=(check.runbook or "") if check else "",
        ever_good=any(r.status is Status.OK for r in seen) or _was_good(state, past),
        timezone=timezone,
    )


def _present(state: CheckState | None, seen: Sequence[Result]) -> CheckState | None:
    """Return the state as it is kept, else as the verdicts give it."""
    if state is not None or not seen:
        return state
    latest, streak = seen[-1], 0
    for result in reversed(seen):
        if result.status is not latest.status:
            break
        streak += 1
    outcome = latest.outcome
    since = seen[-streak].at
    flags = frozenset(latest.flags)
    return CheckState(
        latest.status, since, latest.at, streak, outcome.latency_ms, outcome.kind, outcome.message, flags=flags
    )


def _onset(known: CheckState | None, first_bad: Result | None) -> datetime | None:
    """Return when the trouble began: the state remembers further back than the lookback goes."""
    since = known.since if known and known.streak and known.status is not Status.OK else None
    times = [at for at in (since, first_bad.at if first_bad else None) if at]
    return min(times) if times else None


def _was_good(state: CheckState | None, past: Sequence[Alert]) -> bool:
    return bool(state and "O" in state.ticks) or any(alert.resolved_by == "checker" for alert in past)


def _latest_trouble(seen: Sequence[Result]) -> tuple[int, int]:
    """Return where the latest run of verdicts that are not OK begins and ends; (-1, -1) when there is none."""
    last = next((i for i in range(len(seen) - 1, -1, -1) if seen[i].status is not Status.OK), -1)
    first = last
    while first > 0 and seen[first - 1].status is not Status.OK:
        first -= 1
    return first, last


def _last_good(seen: Sequence[Result], first: int) -> Result | None:
    if first < 0:
        return seen[-1] if seen else None
    return seen[first - 1] if first > 0 else None


def _differences(
    state: CheckState | None, good: Result | None, first_bad: Result | None
) -> tuple[contrast.Change, ...]:
    """Return what is not what it was; the state remembers a good verdict from before the lookback."""
    if state is not None and state.trouble.first_bad is not None and state.trouble.last_good is not None:
        return state.changes
    if good is None or first_bad is None:
        return ()
    return contrast.changes(Sighting.of(good), Sighting.of(first_bad))


def _changes(seen: Sequence[Result]) -> list[Change]:
    return [Change(b.at, a.status, b.status) for a, b in pairwise(seen) if a.status is not b.status]


def _unwatched_before(seen: Sequence[Result], first: int, check: CheckBase | None) -> float | None:
    """Return the seconds that nobody looked before the trouble began, when they are unusually many."""
    gaps = [seconds_between(a.at, b.at) for a, b in pairwise(seen)]
    if first < 1 or not gaps:
        return None
    usual_s = check.interval_s if check else statistics.median(gaps)
    # Retries and a busy pool stretch one gap to about twice the interval; a pause is more than that.
    return gaps[first - 1] if gaps[first - 1] > 3 * usual_s else None


def _opened_at(alert: Alert) -> datetime:
    return alert.opened_at


def _incident(alert: Alert) -> Incident:
    ended_at = alert.resolved_at or alert.opened_at
    return Incident(
        opened_at=alert.opened_at,
        lasted_s=seconds_between(alert.opened_at, ended_at),
        kind=alert.kind,
        resolved_by=alert.resolved_by,
        notes=_notes(alert.events, (What.ACKNOWLEDGED, What.REMEDY, What.RESOLVED)),
    )


def _open_alert(subject: str, alerts: Sequence[Alert]) -> OpenAlert | None:
    found = [alert for alert in alerts if alert.resource == subject and alert.is_open]
    if not found:
        return None
    alert = max(found, key=_opened_at)
    return OpenAlert(
        id=alert.id,
        opened_at=alert.opened_at,
        severity=f"{alert.severity.value} {alert.severity.word}",
        holder=alert.acknowledged_by,
        told=alert.told,
        notes=_notes(alert.events, (What.ACKNOWLEDGED, What.REMEDY)),
    )


def _notes(events: Iterable[AlertEvent], kinds: tuple[What, ...]) -> tuple[str, ...]:
    """Return the last two notes; what Greenwall writes by itself at an end says nothing new."""
    wanted = [e for e in events if e.what in kinds and e.note]
    said = [e for e in wanted if e.what is not What.RESOLVED or e.by not in _OURS]
    return tuple(f"{e.by}: {e.note}" for e in said[-2:])
