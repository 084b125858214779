"""The uptime of the last 24 hours of one check, kept up with each verdict. Pure.

By the accounting of `ledger`: OK and WARN are up, FAIL is down, all else is neither. Seconds are summed by the hour;
of the hour that is about to leave the window only the share counts that is still within it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from datetime import datetime
from typing import TypeAlias

from monitor.ledger import MAINTENANCE
from monitor.model import Flag, Result, Status

# Hours since 1970, a status or MAINTENANCE, seconds.
HourRow: TypeAlias = "tuple[int, str, float]"
_HOURS, _HOUR_S = 25, 3600.0
# Less says nothing yet: an outage of three minutes after ten would be 70 %.
LEAST_WATCHED_S = 3600.0


class Uptime:
    """Seconds up and down by the hour, and their sums; some 700 bytes."""

    __slots__ = ("_down", "_down_s", "_hour", "_up", "_up_s")

    def __init__(self) -> None:
        self._up, self._down = array("d", bytes(8 * _HOURS)), array("d", bytes(8 * _HOURS))
        self._up_s = self._down_s = 0.0
        self._hour = 0

    @classmethod
    def of(cls, rows: Iterable[HourRow]) -> Uptime:
        """Return what a history tells of, oldest first."""
        uptime = cls()
        for hour, status, seconds in rows:
            if status not in (Status.UNKNOWN, MAINTENANCE):
                if hour != uptime._hour:
                    uptime._turn(hour)
                uptime._put(hour, seconds, is_up=status != Status.FAIL)
        return uptime

    def add(self, result: Result) -> None:
        """Count the time that a verdict stands for."""
        if result.covers_s and result.status is not Status.UNKNOWN and Flag.MAINTENANCE not in result.flags:
            self.count(result.at, result.covers_s, is_up=result.status is not Status.FAIL)

    def count(self, until: datetime, seconds: float, is_up: bool) -> None:
        """Count seconds that ended at `until`, each in its hour; what is older than a day is left out."""
        end_s = until.timestamp()
        hour = int(end_s // _HOUR_S)
        if hour != self._hour:
            self._turn(hour)
        left_s = min(seconds, _HOURS * _HOUR_S)
        while left_s > 0:
            part_s = min(left_s, end_s - hour * _HOUR_S)
            self._put(hour, part_s, is_up)
            left_s, end_s, hour = left_s - part_s, hour * _HOUR_S, hour - 1

    def include(self, other: Uptime) -> None:
        """Count what another one has counted."""
        if other._hour > self._hour:
            self._turn(other._hour)
        for hour in range(other._hour - _HOURS + 1, other._hour + 1):
            self._put(hour, other._up[hour % _HOURS], is_up=True)
            self._put(hour, other._down[hour % _HOURS], is_up=False)

    def percent(self, now: datetime) -> float | None:
        """Return the percentage of the watched time of the last 24 hours that was up; None while that is too short."""
        now_h = now.timestamp() / _HOUR_S
        if now_h // 1 != self._hour:
            self._turn(int(now_h))
        oldest, gone = (self._hour + 1) % _HOURS, max(now_h - self._hour, 0.0)
        up_s = self._up_s - self._up[oldest] * gone
        watched_s = up_s + self._down_s - self._down[oldest] * gone
        return up_s / watched_s * 100 if watched_s >= LEAST_WATCHED_S else None

    def _put(self, hour: int, seconds: float, is_up: bool) -> None:
        if not self._hour - _HOURS < hour <= self._hour:
            return
        if is_up:
            self._up[hour % _HOURS] += seconds
            self._up_s += seconds
        else:
            self._down[hour % _HOURS] += seconds
            self._down_s += seconds

    def _turn(self, hour: int) -> None:
        """Empty the hours that have come since the last look; a clock that is set back turns nothing back.

        Unless by more than a day: then all that was counted lies ahead, and counting begins anew.
        """
        if hour <= self._hour - _HOURS:
            self._hour = hour - _HOURS
        for passed in range(max(self._hour + 1, hour - _HOURS + 1), hour + 1):
            self._up[passed % _HOURS] = self._down[passed % _HOURS] = 0.0
        self._hour = max(self._hour, hour)
        self._up_s, self._down_s = sum(self._up), sum(self._down)
