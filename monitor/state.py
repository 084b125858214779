"""What is known of one check now, and how one more verdict changes it. Pure.

                 verdict                     since    streak
    status S  ── S again ───────────────▶   keeps    + 1
    status S  ── another status T ──────▶   = at     = 1      and a Transition S → T

A check that was never judged is UNKNOWN. Retries happen before a verdict exists, so a blip that they clear
never reaches this file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.model import Flag, Json, Kind, Result, Status
from monitor.units import from_rfc3339, seconds_between, to_rfc3339

TICKS = 48


@dataclass(frozen=True, slots=True)
class CheckState:
    """The present of one check.

    `ticks` are the letters of the last verdicts, oldest first; `streak` counts verdicts of this status in a row;
    `memory` is what its probe wants to know the next time.
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

    def flagged(self, flag: Flag, on: bool) -> CheckState:
        """Return this state with the flag set or cleared."""
        if (flag in self.flags) is on:
            return self
        return replace(self, flags=self.flags | {flag} if on else self.flags - {flag})

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


def advance(state: CheckState, result: Result) -> tuple[CheckState, Transition | None]:
    """Return the state after this verdict, and the change of status if it was one."""
    seen, same = result.outcome, state.status is result.status and state.checked_at is not None
    after = CheckState(
        status=result.status,
        since=state.since if same else min(seen.since or result.at, result.at),
        checked_at=result.at,
        streak=state.streak + 1 if same else 1,
        latency_ms=seen.latency_ms,
        kind=seen.kind,
        message=seen.message,
        ticks=(state.ticks + result.status.letter)[-TICKS:],
        flags=state.flags - {Flag.CONFIRMING},
        memory=state.memory if seen.memory is None else seen.memory,
    )
    changed = state.status is not result.status
    return after, Transition(result.at, state.status, result.status) if changed else None


def covered_s(state: CheckState, at: datetime, longest_gap_s: float) -> float:
    """Return the seconds before `at` that a verdict at `at` stands for.

    That is the time since the verdict before it. After a gap longer than `longest_gap_s` nobody was watching:
    the verdict stands for nothing before it, and the gap stays unwatched. So does a clock that stepped back.
    """
    if state.checked_at is None:
        return 0.0
    gap_s = seconds_between(state.checked_at, at)
    return gap_s if 0 <= gap_s <= longest_gap_s else 0.0
