"""The uptime of the last 24 hours of one check, kept up with each verdict. Pure.

By the accounting of `ledger`: OK and WARN are up, FAIL is down, all else is neither. Seconds are summed by the hour;
of the hour that is about to leave the window only the share counts that is still within it.
"""

from __future__ import annotations

from array import array
from datetime import datetime

from monitor.model import Flag, Result, Status

_HOURS, _HOUR_S = 25, 3600.0
# Less says nothing yet: an outage of three minutes after ten would be 70 %.
LEAST_WATCHED_S = 3600.0


class Uptime:
    """Seconds up and down by the hour; some 600 bytes."""

    __slots__ = ("_down", "_hour", "_up")

    def __init__(self) -> None:
        self._up, self._down = array("d", bytes(8 * _HOURS)), array("d", bytes(8 * _HOURS))
        self._hour = 0

    def add(self, result: Result) -> None:
        """Count the time that a verdict stands for."""
        if result.covers_s and result.status is not Status.UNKNOWN and Flag.MAINTENANCE not in result.flags:
            self.count(result.at, result.covers_s, is_up=result.status is not Status.FAIL)

    def count(self, until: datetime, seconds: float, is_up: bool) -> None:
        """Count seconds that ended at `until`, each in its hour; what is older than a day is left out."""
        end_s = until.timestamp()
        self._turn(int(end_s // _HOUR_S))
        sums, left_s = self._up if is_up else self._down, min(seconds, _HOURS * _HOUR_S)
        while left_s > 0:
            hour = int(end_s // _HOUR_S)
            part_s = min(left_s, end_s - hour * _HOUR_S) or min(left_s, _HOUR_S)
            if end_s == hour * _HOUR_S:
                hour -= 1
            if hour <= self._hour - _HOURS:
                return
            sums[hour % _HOURS] += part_s
            left_s, end_s = left_s - part_s, end_s - part_s

    def percent(self, now: datetime) -> float | None:
        """Return the percentage of the watched time of the last 24 hours that was up; None while that is too short."""
        now_s = now.timestamp()
        self._turn(int(now_s // _HOUR_S))
        oldest = (self._hour - _HOURS + 1) % _HOURS
        gone = now_s / _HOUR_S - self._hour
        up, down = (sum(sums) - sums[oldest] * gone for sums in (self._up, self._down))
        return up / (up + down) * 100 if up + down >= LEAST_WATCHED_S else None

    def _turn(self, hour: int) -> None:
        """Empty the hours that have come since the last look; a clock that was set back turns nothing back."""
        for passed in range(max(self._hour + 1, hour - _HOURS + 1), hour + 1):
            self._up[passed % _HOURS] = self._down[passed % _HOURS] = 0.0
        self._hour = max(self._hour, hour)
