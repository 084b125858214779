"""What a verdict after a run says of it: the blame and the merit, on the record. Pure.

helped      it failed before and does not any more, at a verdict within `verify`
no effect   it still fails when that time is over; or the action itself failed
harmful     it fails worse than before (it answered wrongly, now it cannot be reached), or other checks of its group
            have begun to fail since; a failure that spreads by itself looks the same
not known   it could not be judged, or did not fail before
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model import Kind, Status
from monitor.remedies.past import Effect, Run
from monitor.state import CheckState
from monitor.units import format_duration, seconds_between

# How far one gets: an answer that is wrong, no answer, no way there.
_NO_ANSWER = {Kind.TIMEOUT, Kind.PROTOCOL, Kind.TLS}
_NO_WAY = {Kind.DNS, Kind.CONNECT}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Judgement:
    effect: Effect
    text: str


def effect_of(run: Run, state: CheckState, broken: Sequence[str], is_over: bool) -> Judgement | None:
    """Return what is to be said of a run by now, None when that is not clear yet.

    `broken` are other checks of the group that were well and fail since; `is_over`: its time to help has passed.
    """
    if run.ended_at is None:
        return None
    if run.ok is False:
        return Judgement(Effect.NO_EFFECT, "it failed")
    if state.checked_at is None or state.checked_at <= run.ended_at:
        return None
    if state.status is Status.UNKNOWN:
        return Judgement(Effect.NOT_KNOWN, "the check could not be judged") if is_over else None
    if state.status is Status.FAIL:
        return _still_failing(run, state, broken) if is_over else None
    if broken:
        return Judgement(Effect.HARMFUL, f"{run.check} is well, but {_listed(broken)} since")
    if not run.kind:
        return Judgement(Effect.NOT_KNOWN, "it did not fail before")
    after = format_duration(seconds_between(run.started_at, state.checked_at))
    return Judgement(Effect.HELPED, f"well {after} after it began")


def _still_failing(run: Run, state: CheckState, broken: Sequence[str]) -> Judgement:
    kind = state.kind.value if state.kind else "unknown"
    if not run.kind:
        return Judgement(Effect.HARMFUL, f"it did not fail before, and does now ({kind})")
    if _distance(kind) > _distance(run.kind):
        return Judgement(Effect.HARMFUL, f"it failed with {run.kind} before, now with {kind}")
    if broken:
        return Judgement(Effect.HARMFUL, f"it still fails ({kind}), and {_listed(broken)} since")
    return Judgement(Effect.NO_EFFECT, f"it still fails ({kind}) after {format_duration(run.verify_s)}")


def _distance(kind: str) -> int:
    return 2 if kind in _NO_WAY else 1 if kind in _NO_ANSWER else 0


def _listed(broken: Sequence[str]) -> str:
    more = f" and {len(broken) - _SHOWN} more" if len(broken) > _SHOWN else ""
    return f"{', '.join(broken[:_SHOWN])}{more} {'fails' if len(broken) == 1 else 'fail'}"
