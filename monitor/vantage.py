"""Whether it is the targets that fail, or Greenwall that cannot see them. Pure.

    no sentinel answers, and of the others at least `share` got no answer at once ──▶ BLIND
    no sentinel answers, and so many may yet fail                                   ──▶ WAIT, at most `within`
    a sentinel answers, or too few others fail, or it took too long                 ──▶ SEES: the failure is believed

A sentinel that answers wrongly answers: something is seen. One that could not be judged shows nothing either way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from monitor.model import Json, Kind, Outcome, Status
from monitor.units import format_duration

# What a target is not to blame for when nothing can be reached. All other kinds need an answer from it.
_NO_ANSWER = frozenset({Kind.DNS, Kind.CONNECT, Kind.TLS, Kind.TIMEOUT, Kind.PROTOCOL})


class Eyesight(StrEnum):
    SEES = "sees"
    BLIND = "blind"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class View:
    """What is known of Greenwall's own eyesight, and why."""

    eyesight: Eyesight
    reason: str


@dataclass(frozen=True, slots=True)
class Others:
    """The checks of the network beside the sentinels, without those that have been failing for long.

    `failing` got no answer at their newest look; `unlooked` have not been looked at since the question came up.
    """

    count: int
    failing: int
    unlooked: int


def got_no_answer(outcome: Outcome) -> bool:
    """Return whether the outcome may be due to Greenwall's own network."""
    return outcome.status is Status.FAIL and outcome.kind in _NO_ANSWER


def answered(outcome: Outcome) -> bool | None:
    """Return whether a sentinel was seen; None when that could not be judged."""
    return None if outcome.status is Status.UNKNOWN else not got_no_answer(outcome)


def view_of(
    sentinels: Mapping[str, bool | None], others: Others, share: float, waited_s: float, within_s: float
) -> View:
    """Return whether Greenwall sees; `sentinels` by name are whether they answered, None where it is not known.

    `waited_s` is how long the oldest failure has been waiting for this answer.
    """
    seen = [name for name, answers in sentinels.items() if answers]
    if seen:
        return View(Eyesight.SEES, f"{seen[0]} answers")
    silent = [name for name, answers in sentinels.items() if answers is False]
    if len(silent) == len(sentinels) and others.count and others.failing >= share * others.count:
        return View(Eyesight.BLIND, _blind(silent, others))
    if waited_s >= within_s:
        return View(Eyesight.SEES, f"{_some(others)} within {format_duration(within_s)}")
    if len(silent) == len(sentinels) and others.failing + others.unlooked < share * others.count:
        return View(Eyesight.SEES, _some(others))
    if not others.count:
        return View(Eyesight.SEES, "there is no other check to compare with")
    return View(Eyesight.WAIT, f"no sentinel answers; {_some(others)} so far")


def unseen(outcome: Outcome, reason: str) -> Outcome:
    """Return the verdict in place of a failure that Greenwall's own blindness explains."""
    was: dict[str, Json] = {"seen": {"kind": outcome.kind.value if outcome.kind else None, "message": outcome.message}}
    return Outcome(
        Status.UNKNOWN,
        Kind.VANTAGE,
        f"Greenwall cannot see: {reason}",
        latency_ms=None,
        phases_ms=outcome.phases_ms,
        observed={**outcome.observed, **was},
    )


def _blind(silent: list[str], others: Others) -> str:
    names = ", ".join(silent[:5])
    return f"no answer from {names} and from {others.failing} of {others.count} other checks at once"


def _some(others: Others) -> str:
    return f"only {others.failing} of {others.count} other checks get no answer"
