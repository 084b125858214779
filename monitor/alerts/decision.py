"""What is decided about an alert, with its reason. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.alerts.alert import Alert
from monitor.alerts.record import CHECKER, CONFIGURATION, AlertEvent
from monitor.units import to_rfc3339


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy wants, or does not want, and why. `events` are to be stored, in order.

    `is_held`: a failure opens no alert for now; the reason says why, and it may open one later.
    """

    reason: str
    events: tuple[AlertEvent, ...] = ()
    is_held: bool = False


def last_time(latest: Alert | None) -> str:
    """Return what was noted when the same was resolved by a person the last time; empty when nothing was."""
    if latest is None or latest.is_open or latest.resolved_by in (CHECKER, CONFIGURATION) or not latest.resolution:
        return latest.previous if latest and not latest.is_open else ""
    return f"{to_rfc3339(latest.resolved_at or latest.opened_at)[:10]}, {latest.resolved_by}: {latest.resolution}"
