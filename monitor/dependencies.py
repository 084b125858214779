"""Whether a failure may be told, or is only what the failure of a parent brings with it. Pure.

    child is FAIL ── a parent is FAIL ──────────────────▶ held back: "parent db is down"
                  ── a parent fails, not confirmed yet ──▶ held back: "parent db fails and is being confirmed"
                  ── a parent not looked at since then ──▶ held back, and it is looked at now
                  ── all parents are well since then ────▶ told

Only the opening of an alert is held back. A parent that is not being looked at, or could not be judged, holds
nothing back: better told once too often.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.state import CheckState


@dataclass(frozen=True, slots=True)
class Hold:
    """Why an opening is held back, empty when it is not; `look_at` are parents that are to be looked at first."""

    reason: str = ""
    look_at: tuple[str, ...] = ()


def hold_of(since: datetime, parents: Sequence[tuple[str, CheckState]]) -> Hold:
    """Return whether the alert of a check that fails since then must wait for its parents, the nearest first.

    `parents` are those that are being looked at, direct ones and theirs.
    """
    for name, state in parents:
        if state.is_down:
            return Hold(f"parent {name} is down")
    for name, state in parents:
        if state.is_going_down:
            return Hold(f"parent {name} fails and is being confirmed")
    waiting = tuple(name for name, state in parents if state.checked_at is None or state.checked_at < since)
    if waiting:
        return Hold(f"parents are looked at first: {', '.join(waiting)}", waiting)
    return Hold()
