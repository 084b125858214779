"""How long a check was up, degraded, down, in maintenance or not watched, in seconds. Pure.

    up + degraded + down + unknown + maintenance = the period, to the second

Accounting, named wherever the ratio is shown: OK and WARN count as up (WARN answers, slowly), FAIL as down,
UNKNOWN and time without a verdict as neither, planned maintenance as neither. Totals are of checks alone: the time of
a group is that of its members, which would count twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from monitor.model import Status

# What sums of seconds have instead of a status for verdicts during maintenance, whatever they said.
MAINTENANCE = "MAINTENANCE"
ACCOUNTING = (
    "OK and WARN are up, FAIL is down; UNKNOWN, unwatched time and maintenance count as neither; "
    "groups do not count beside their members"
)


@dataclass(frozen=True, slots=True)
class Tally:
    """Seconds of one period by what was known of them."""

    up_s: float = 0.0
    degraded_s: float = 0.0
    down_s: float = 0.0
    unknown_s: float = 0.0
    maintenance_s: float = 0.0

    @property
    def period_s(self) -> float:
        return self.up_s + self.degraded_s + self.down_s + self.unknown_s + self.maintenance_s

    @property
    def watched_s(self) -> float:
        return self.up_s + self.degraded_s + self.down_s

    @property
    def uptime_ratio(self) -> float | None:
        """Share of the watched time that was up, 0 to 1; None when nothing was watched."""
        return (self.up_s + self.degraded_s) / self.watched_s if self.watched_s > 0 else None

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.up_s + other.up_s,
            self.degraded_s + other.degraded_s,
            self.down_s + other.down_s,
            self.unknown_s + other.unknown_s,
            self.maintenance_s + other.maintenance_s,
        )


def tally(seconds: Mapping[Status, float], period_s: float, maintenance_s: float = 0.0) -> Tally:
    """Return the tally of a period from the summed `covers_s` of its verdicts by status.

    What no verdict covers is unknown. When verdicts cover more than the period (the clock was set back, so some time
    was watched twice), all parts shrink alike, so that the sum stays the period.
    """
    if period_s < 0:
        raise ValueError(f"expected a period of 0 s or more, got {period_s}")
    covered = sum(seconds.values()) + maintenance_s
    scale = period_s / covered if covered > period_s else 1.0
    up, degraded, down = (seconds.get(s, 0.0) * scale for s in (Status.OK, Status.WARN, Status.FAIL))
    maintenance = maintenance_s * scale
    return Tally(up, degraded, down, max(period_s - up - degraded - down - maintenance, 0.0), maintenance)
