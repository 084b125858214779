"""What is known of one check now, and how one more verdict changes it. Pure.

                 verdict                        since            streak
    status S  ── S again ─────────────────────▶ keeps            + 1
    status S  ── another, not yet for long ───▶ keeps            + 1      confirming: a Turn counts the rounds
    status S  ── another, for long enough ────▶ = its first      = rounds and a Transition

A check that was never judged is UNKNOWN. Retries happen before a verdict exists, so a blip that they clear never
reaches this file. A verdict is one **round**: `fail_after` rounds in a row make the check FAIL, `recover_after`
rounds of OK or WARN end it. What lies between leaves the status as it was; the result lines say what was seen all the
same, and the ledger counts those: a round that failed is down time whether or not it came to an alert.

OK and WARN follow each other at once. So does UNKNOWN, which is never counted as a round of either: it neither
brings a turn forward nor ends it, and after it the check goes on from what it was (`settled`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.config import CheckBase
from monitor.contrast import Change, Sighting, changes
from monitor.flapping import FlapMarks, is_flapping
from monitor.model import Flag, Json, Kind, Outcome, Result, Status
from monitor.units import from_rfc3339, seconds_between, to_rfc3339

TICKS = 48
_LETTERS = {status: status.letter for status in Status}
_FAIL = _LETTERS[Status.FAIL]


@dataclass(frozen=True, slots=True)
class Rules:
    """How many rounds it takes, and when it counts as flapping; `flap` None: it is not looked for."""

    fail_after: int = 1
    recover_after: int = 1
    flap: FlapMarks | None = None

    @classmethod
    def of(cls, check: CheckBase) -> Rules:
        """Return the rules of a check as configured."""
        flap = FlapMarks(check.flap_low, check.flap_high) if check.flap_detection else None
        return cls(check.fail_after, check.recover_after, flap)


AT_ONCE = Rules()


@dataclass(frozen=True, slots=True)
class Turn:
    """Rounds in a row that say otherwise than the status does, too few yet: `toward` FAIL, or OK (also for WARN)."""

    toward: Status
    rounds: int
    since: datetime

    def to_json(self) -> dict[str, Json]:
        return {"toward": self.toward.value, "rounds": self.rounds, "since": to_rfc3339(self.since)}

    @classmethod
    def from_json(cls, fields: Json) -> Turn | None:
        """Return the turn, None where there is none; KeyError or ValueError when it is no such thing."""
        if not isinstance(fields, Mapping):
            return None
        toward, rounds, since = (str(fields[key]) for key in ("toward", "rounds", "since"))
        return cls(Status(toward), int(rounds), from_rfc3339(since))


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is to be remembered of a check that is not simply well.

    `turn` is under way. `settled` is the status before it could not be judged, while it cannot be. `note` says why the
    opening of its alert is held back. `last_good` has the facts of the last good verdict while there was another one
    since, `first_bad` those of the first bad one while it fails, and `last_bad` those of the latest where they are
    others than at first.
    """

    turn: Turn | None = None
    settled: Status | None = None
    note: str = ""
    last_good: Sighting | None = None
    first_bad: Sighting | None = None
    last_bad: Sighting | None = None

    def to_json(self) -> dict[str, Json]:
        """Return what there is to say; nothing for most checks."""
        fields: dict[str, Json] = {
            "turn": self.turn.to_json() if self.turn else None,
            "settled": self.settled.value if self.settled else None,
            "note": self.note or None,
            "last_good": self.last_good.to_json() if self.last_good else None,
            "first_bad": self.first_bad.to_json() if self.first_bad else None,
            "last_bad": self.last_bad.to_json() if self.last_bad else None,
        }
        return {key: value for key, value in fields.items() if value is not None}

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Trouble:
        settled = fields.get("settled")
        trouble = cls(
            turn=Turn.from_json(fields.get("turn")),
            settled=Status(str(settled)) if settled else None,
            note=str(fields.get("note") or ""),
            last_good=Sighting.from_json(fields.get("last_good")),
            first_bad=Sighting.from_json(fields.get("first_bad")),
            last_bad=Sighting.from_json(fields.get("last_bad")),
        )
        return NO_TROUBLE if trouble == NO_TROUBLE else trouble


# One for all, so that a check that is well costs a comparison.
NO_TROUBLE = Trouble()


@dataclass(frozen=True, slots=True)
class CheckState:
    """The present of one check.

    `ticks` are the letters of the last verdicts as they were seen, oldest first; `streak` counts verdicts since the
    status is what it is; `memory` is what its probe wants to know the next time; `good` is the last verdict if
    that was OK, in memory only: its result line has it. What is still needed of it later is in `trouble`.
    """

    status: Status
    since: datetime
    checked_at: datetime | None = None
    streak: int = 0
    latency_ms: float | None = None
    kind: Kind | None = None
    message: str = "not checked yet"
    ticks: str = ""
    flags: frozenset[Flag] = frozenset()
    memory: Mapping[str, Json] = field(default_factory=dict)
    trouble: Trouble = NO_TROUBLE
    good: Result | None = field(default=None, compare=False, repr=False)

    @property
    def is_down(self) -> bool:
        return self.status is Status.FAIL

    @property
    def is_going_down(self) -> bool:
        """Whether it fails, for fewer rounds than it takes."""
        turn = self.trouble.turn
        return turn is not None and turn.toward is Status.FAIL

    @property
    def good_at(self) -> datetime | None:
        """When its last verdict was reached, if that was a good one and is not known in full."""
        return self.checked_at if self.good is None and self.ticks[-1:] == _LETTERS[Status.OK] else None

    @property
    def note(self) -> str:
        """Why the opening of its alert is held back; empty when it is not."""
        return self.trouble.note

    @property
    def changes(self) -> tuple[Change, ...]:
        """What differs between the last good verdict and the first bad one; nothing while all is well."""
        return changes(self.trouble.last_good, self.trouble.first_bad)

    @property
    def bad(self) -> Sighting | None:
        """The latest bad verdict while it fails: the one that `message` is of."""
        return self.trouble.last_bad or self.trouble.first_bad

    def noted(self, note: str) -> CheckState:
        """Return this state with that reason why the opening of its alert is held back."""
        if note == self.trouble.note:
            return self
        trouble = replace(self.trouble, note=note)
        return replace(self, trouble=NO_TROUBLE if trouble == NO_TROUBLE else trouble)

    def flagged(self, flag: Flag, on: bool) -> CheckState:
        """Return this state with the flag set or cleared."""
        if (flag in self.flags) is on:
            return self
        return replace(self, flags=self.flags | {flag} if on else self.flags - {flag})

    def unhurried(self) -> CheckState:
        """Return this state without a probe on its way: it is confirming only if rounds are being counted."""
        return self.flagged(Flag.CONFIRMING, self.trouble.turn is not None)

    def to_json(self) -> dict[str, Json]:
        fields: dict[str, Json] = {
            "status": self.status.value,
            "since": to_rfc3339(self.since),
            "checked_at": to_rfc3339(self.checked_at) if self.checked_at else None,
            "streak": self.streak,
            "latency_ms": None if self.latency_ms is None else round(self.latency_ms, 2),
            "kind": self.kind.value if self.kind else None,
            "message": self.message,
            "ticks": self.ticks,
            "flags": sorted(flag.value for flag in self.flags),
        }
        if self.trouble is not NO_TROUBLE:
            fields |= self.trouble.to_json()
        return fields | {"memory": self.memory} if self.memory else fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> CheckState:
        """Return the state of an entry of `state.json`; KeyError, TypeError or ValueError when it is none."""
        checked_at, kind, latency, flags, memory = (
            fields.get(k) for k in ("checked_at", "kind", "latency_ms", "flags", "memory")
        )
        return cls(
            status=Status(str(fields["status"])),
            since=from_rfc3339(str(fields["since"])),
            checked_at=from_rfc3339(str(checked_at)) if checked_at else None,
            streak=int(str(fields["streak"])),
            latency_ms=None if latency is None else float(str(latency)),
            kind=Kind(str(kind)) if kind else None,
            message=str(fields.get("message") or ""),
            ticks=str(fields.get("ticks") or "")[-TICKS:],
            flags=frozenset(Flag(str(flag)) for flag in flags) if isinstance(flags, list) else frozenset(),
            memory=memory if isinstance(memory, Mapping) else {},
            trouble=Trouble.from_json(fields),
        )


@dataclass(frozen=True, slots=True)
class Transition:
    """A change of status at one verdict."""

    at: datetime
    before: Status
    after: Status


def unchecked(now: datetime) -> CheckState:
    """Return the state of a check that was never judged."""
    return CheckState(status=Status.UNKNOWN, since=now)


def advance(state: CheckState, result: Result, rules: Rules = AT_ONCE) -> tuple[CheckState, Transition | None]:
    """Return the state after this verdict, and the change of status if it was one."""
    seen, trouble = result.outcome, state.trouble
    status, since, streak, kind, message = seen.status, state.since, state.streak + 1, seen.kind, seen.message
    # Almost every verdict finds the check as it was, and well: that must cost next to nothing.
    if trouble is not NO_TROUBLE or status is not state.status or state.checked_at is None:
        status, since, streak, trouble = _settle(state, result, rules)
        if trouble.turn and seen.status is not Status.UNKNOWN:
            kind, message = state.kind, _turning(trouble.turn, rules, seen)
    ticks = (state.ticks + _LETTERS[seen.status])[-TICKS:]
    flags = state.flags
    if flags or trouble.turn or (rules.flap and _FAIL in ticks):
        flags = _flags(flags, trouble.turn, ticks, rules)
    after = CheckState(
        status=status,
        since=since,
        checked_at=result.at,
        streak=streak,
        latency_ms=seen.latency_ms,
        kind=kind,
        message=message,
        ticks=ticks,
        flags=flags,
        memory=state.memory if seen.memory is None else seen.memory,
        trouble=trouble,
        good=result if seen.status is Status.OK else None,
    )
    return after, None if state.status is status else Transition(result.at, state.status, status)


def _settle(state: CheckState, result: Result, rules: Rules) -> tuple[Status, datetime, int, Trouble]:
    """Return status, since, streak and trouble after a verdict that is not simply one more of the same."""
    seen, old = result.outcome, state.trouble
    before = old.settled or state.status
    first = result.at if seen.since is None else min(seen.since, result.at)
    status, turn, rounds = seen.status, old.turn, 1
    if status is not Status.UNKNOWN:
        turn = None
        is_down = status is Status.FAIL
        # What was never judged does not fail: its first good round is enough, its failing ones are counted.
        if is_down is not (before is Status.FAIL):
            needed = rules.fail_after if is_down else rules.recover_after
            rounds, first = (old.turn.rounds + 1, old.turn.since) if old.turn else (1, first)
            if rounds < needed:
                status, turn = state.status, Turn(Status.FAIL if is_down else Status.OK, rounds, first)
    contrast = _contrast(state, before, result, status, turn)
    settled = before if status is Status.UNKNOWN and before is not Status.UNKNOWN else None
    trouble = Trouble(turn, settled, old.note, *contrast)
    if status is state.status and state.checked_at is not None:
        first, rounds = state.since, state.streak + 1
    return status, first, rounds, NO_TROUBLE if trouble == NO_TROUBLE else trouble


def _contrast(
    state: CheckState, before: Status, result: Result, status: Status, turn: Turn | None
) -> tuple[Sighting | None, Sighting | None, Sighting | None]:
    """Return the facts at the last good, the first bad and the latest bad verdict: kept until it fails no more."""
    if turn is None and status is Status.OK:
        return None, None, None
    known = state.trouble
    bad = Sighting.of(result) if result.status is Status.FAIL else None
    if known.first_bad and (turn or status is not Status.WARN):
        is_as_first = bad is not None and bad.facts == known.first_bad.facts
        return known.last_good, known.first_bad, None if is_as_first else bad or known.last_bad
    first_bad = bad if before is not Status.FAIL else None
    return Sighting.of(state.good) if state.good else known.last_good, first_bad, None


def _flags(flags: frozenset[Flag], turn: Turn | None, ticks: str, rules: Rules) -> frozenset[Flag]:
    flags = flags | {Flag.CONFIRMING} if turn else flags - {Flag.CONFIRMING}
    was_flapping = Flag.FLAPPING in flags
    flaps = rules.flap is not None and is_flapping(ticks, was_flapping, rules.flap)
    return flags | {Flag.FLAPPING} if flaps else flags - {Flag.FLAPPING}


def _turning(turn: Turn, rules: Rules, seen: Outcome) -> str:
    fails = turn.toward is Status.FAIL
    of = rules.fail_after if fails else rules.recover_after
    return f"{'fails' if fails else 'is well'} in round {turn.rounds} of {of}: {seen.message}"


def covered_s(state: CheckState, at: datetime, longest_gap_s: float) -> float:
    """Return the seconds before `at` that a verdict at `at` stands for.

    That is the time since the verdict before it. After a gap longer than `longest_gap_s` nobody was watching:
    the verdict stands for nothing before it, and the gap stays unwatched. So does a clock that stepped back.
    """
    if state.checked_at is None:
        return 0.0
    gap_s = seconds_between(state.checked_at, at)
    return gap_s if 0 <= gap_s <= longest_gap_s else 0.0
