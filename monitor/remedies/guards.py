"""Why a remedy must not run now: each guard is one function that returns a named reason, or None. Pure.

    its own past     stopped · attempts · cool-down
    the situation    maintenance · blind · parent · flapping · precondition
    the others       locked · check budget · global budget · blast cap
    the file         dry run

A person who runs one by hand is held back by the others and by the file only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.config import Action
from monitor.config.remedies import FACTS
from monitor.model import Flag, Json
from monitor.probes.conditions import check_condition
from monitor.remedies.past import Effect, Past, Remedy, Run
from monitor.state import CheckState
from monitor.units import format_duration, seconds_between

_HOUR = timedelta(hours=1)
_SHOWN = 3


class Reason(StrEnum):
    STOPPED = "stopped"
    ATTEMPTS = "attempts"
    COOL_DOWN = "cool-down"
    MAINTENANCE = "maintenance"
    BLIND = "blind"
    PARENT = "parent"
    FLAPPING = "flapping"
    PRECONDITION = "precondition"
    LOCKED = "locked"
    CHECK_BUDGET = "check budget"
    GLOBAL_BUDGET = "global budget"
    BLAST_CAP = "blast cap"
    DRY_RUN = "dry run"


@dataclass(frozen=True, slots=True)
class Refusal:
    reason: Reason
    text: str

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.text}"


@dataclass(frozen=True, slots=True)
class Limits:
    """What `global:` allows in an hour: runs in all, and different targets of one group."""

    per_hour: int = 20
    per_group: int = 3


@dataclass(frozen=True, slots=True)
class Situation:
    """All that guards look at. `alert` is the id of the alert that it is for, empty when there is none; `parent` one of
    those that its check depends on and that is down, empty when none is."""

    remedy: Remedy
    state: CheckState
    alert: str
    past: Past
    limits: Limits
    now: datetime
    is_blind: bool = False
    parent: str = ""

    @property
    def last_hour(self) -> list[Run]:
        return self.past.since(self.now - _HOUR)


Guard = Callable[[Situation], Refusal | None]


def first_refusal(situation: Situation, guards: Sequence[Guard]) -> Refusal | None:
    """Return why it must not run now, None when it may."""
    return next((refusal for guard in guards if (refusal := guard(situation))), None)


def _stopped(at: Situation) -> Refusal | None:
    limit, failures = at.remedy.action.stop_after, _without_help(at.past.of(at.remedy))
    if failures < limit:
        return None
    text = f"{failures} runs in a row did not help; run it by hand to let Greenwall try it again"
    return Refusal(Reason.STOPPED, text)


def _without_help(runs: Sequence[Run]) -> int:
    count = 0
    for run in reversed(runs):
        if run.effect is Effect.HELPED or not run.is_automatic:
            break
        count += run.effect in (Effect.NO_EFFECT, Effect.HARMFUL)
    return count


def _attempts(at: Situation) -> Refusal | None:
    limit, runs = at.remedy.action.attempts, at.past.of_alert(at.remedy, at.alert)
    if runs and runs[-1].effect is Effect.HARMFUL:
        return Refusal(Reason.ATTEMPTS, "its last run for this alert was harmful")
    if len(runs) < limit:
        return None
    return Refusal(Reason.ATTEMPTS, f"{len(runs)} of {limit} for this alert are made")


def _cool_down(at: Situation) -> Refusal | None:
    runs = at.past.of(at.remedy)
    rests = cooling_down(at.remedy.action, runs[-1].started_at if runs else None, at.now)
    return Refusal(Reason.COOL_DOWN, rests.removeprefix(f"{Reason.COOL_DOWN.value}: ")) if rests else None


def cooling_down(action: Action, last_run_at: datetime | None, now: datetime) -> str | None:
    """Return why the action may not run yet, or None when it may."""
    if last_run_at is None:
        return None
    left_s = action.cooldown - seconds_between(last_run_at, now)
    return f"cool-down: {format_duration(left_s)} left of {format_duration(action.cooldown)}" if left_s > 0 else None


def _maintenance(at: Situation) -> Refusal | None:
    is_on = Flag.MAINTENANCE in at.state.flags
    return Refusal(Reason.MAINTENANCE, "somebody is working on it") if is_on else None


def _blind(at: Situation) -> Refusal | None:
    return Refusal(Reason.BLIND, "Greenwall itself cannot see") if at.is_blind else None


def _parent(at: Situation) -> Refusal | None:
    # Its alert may have opened before the parent failed.
    return Refusal(Reason.PARENT, f"{at.parent} is down, which it depends on") if at.parent else None


def _flapping(at: Situation) -> Refusal | None:
    flaps = Flag.FLAPPING in at.state.flags and not at.remedy.action.flapping
    return (
        Refusal(Reason.FLAPPING, "it fails and recovers by itself; `flapping: true` would let it run")
        if flaps
        else None
    )


def _precondition(at: Situation) -> Refusal | None:
    when = at.remedy.action.when
    found = check_condition(when, facts(at), FACTS) if when else None
    return Refusal(Reason.PRECONDITION, f"`{found.what}` is {found.got}") if found else None


def facts(at: Situation) -> dict[str, Json]:
    """Return what `when` may look at. No text of a target is among it."""
    check, state = at.remedy.check, at.state
    return {
        "status": state.status.value,
        "kind": state.kind.value if state.kind else "",
        "code": state.bad.facts.get("code", 0) if state.bad else 0,
        "latency_ms": state.latency_ms or 0.0,
        "consecutive_failures": state.streak,
        "down_s": max(seconds_between(state.since, at.now), 0.0),
        "attempt": len(at.past.of_alert(at.remedy, at.alert)) + 1,
        "severity": check.severity.value,
        "group": check.group,
        "tags": list(check.tags),
    }


def _locked(at: Situation) -> Refusal | None:
    remedy = at.remedy
    for run in at.past.pending.values():
        if run.lock == remedy.lock or run.check == remedy.check.name:
            since = format_duration(max(seconds_between(run.started_at, at.now), 0.0))
            text = f"{run.deed}, for {run.check}, began {since} ago and is not judged yet"
            return Refusal(Reason.LOCKED, text)
    return None


def _check_budget(at: Situation) -> Refusal | None:
    limit = at.remedy.check.on_fail.hourly_budget
    spent = sum(run.check == at.remedy.check.name for run in at.last_hour)
    return Refusal(Reason.CHECK_BUDGET, f"{spent} of {limit} runs in the last hour") if spent >= limit else None


def _global_budget(at: Situation) -> Refusal | None:
    limit, spent = at.limits.per_hour, len(at.last_hour)
    text = f"{spent} of {limit} runs of all remedies in the last hour"
    return Refusal(Reason.GLOBAL_BUDGET, text) if spent >= limit else None


def _blast_cap(at: Situation) -> Refusal | None:
    group, limit = at.remedy.check.group, at.limits.per_group
    touched = dict.fromkeys(run.deed for run in at.last_hour if run.group == group)
    if at.remedy.deed in touched or len(touched) < limit:
        return None
    shown = ", ".join(list(touched)[:_SHOWN]) + (", …" if len(touched) > _SHOWN else "")
    return Refusal(Reason.BLAST_CAP, f"{len(touched)} targets of group {group} in the last hour: {shown}")


def _dry_run(at: Situation) -> Refusal | None:
    return Refusal(Reason.DRY_RUN, f"would do {at.remedy.deed}") if at.remedy.action.dry_run else None


_OTHERS: tuple[Guard, ...] = (_locked, _check_budget, _global_budget, _blast_cap)
AUTOMATIC: tuple[Guard, ...] = (
    _stopped, _attempts, _maintenance, _blind, _parent, _flapping, _precondition, _cool_down, *_OTHERS, _dry_run,
)  # fmt: skip
BY_HAND: tuple[Guard, ...] = (*_OTHERS, _dry_run)
