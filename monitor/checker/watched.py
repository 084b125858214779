"""One check as it is watched: its state, its turns, the probe of it that is on its way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime

from monitor.config import CheckBase
from monitor.groups import Member
from monitor.history.snapshot import CheckEntry
from monitor.model import Flag, Status
from monitor.occurrence import DayTimes
from monitor.state import CheckState, Rules
from monitor.units import after, seconds_between

# A check at a time of day has begun by then, even one of thousands.
_BEGUN_S = 60.0


@dataclass(eq=False)
class Watched:
    """One check and what is known of it. `probes` counts those of the verdict on its way; 0 when none is.

    `again`: once that verdict is there, it is looked at once more. `times`: when it runs, None for every so often.
    """

    check: CheckBase
    state: CheckState
    probes: int = 0
    by_hand: bool = False
    again: bool = False
    next_at: datetime | None = None
    times: DayTimes | None = None
    rules: Rules = field(init=False)

    def __post_init__(self) -> None:
        self.rules = Rules.of(self.check)

    @property
    def is_looked_at(self) -> bool:
        return self.check.enabled and Flag.PAUSED not in self.state.flags

    @property
    def longest_gap_s(self) -> float:
        """The longest time from its last verdict to the next one while it is being watched."""
        check = self.check
        confirm_s = check.retries * (check.retry_interval + check.timeout)
        if self.times is None:
            return 2 * check.every + check.timeout + confirm_s
        return seconds_between(self.seen_at, self.times.next(self.seen_at)) + _BEGUN_S + check.timeout + confirm_s

    @property
    def seen_at(self) -> datetime:
        """When there was the last verdict, or since when there is none."""
        return self.state.checked_at or self.state.since

    def has_missed(self, now: datetime) -> bool:
        """Return whether its last time of day passed without a verdict, and none is on its way."""
        return self.times is not None and not self.probes and self.times.previous(now) > self.seen_at

    def plan(self, times: DayTimes | None, now: datetime) -> None:
        """Have it run at these times of day; None: every so often."""
        if times and (times != self.times or self.next_at is None):
            self.next_at = times.next(now)
        self.times = times

    def turn(self, now: datetime, late_s: float) -> None:
        """Note that its turn has come, and when the next one is."""
        self.next_at = self.times.next(now) if self.times else after(now, self.check.every - late_s)

    def is_known(self, now: datetime) -> bool:
        """Whether its last verdict is no older than it may be while it is being watched."""
        checked_at = self.state.checked_at
        return checked_at is not None and seconds_between(checked_at, now) <= self.longest_gap_s

    def was_judged(self, since: datetime) -> bool:
        return self.state.checked_at is not None and self.state.checked_at >= since

    def as_member(self, now: datetime) -> Member:
        """Return what a group may know of it: nothing when it rests or was not looked at in time."""
        name, state = self.check.name, self.state
        if not self.is_known(now) or not self.is_looked_at:
            return Member(name, Status.UNKNOWN)
        return Member(name, state.status, state.kind, state.message)


def entries(watched: Iterable[Watched]) -> Iterable[CheckEntry]:
    """Yield the snapshot's entries."""
    for one in watched:
        check, state = one.check, one.state
        if not check.enabled:
            state = replace(state.flagged(Flag.PAUSED, True), message="not enabled in checks.yaml")
        yield CheckEntry(
            name=check.name,
            type=check.type,
            group=check.group,
            tags=check.tags,
            severity=check.severity,
            every_s=check.interval_s,
            stale_after_s=one.longest_gap_s,
            state=state,
            next_at=one.next_at if one.is_looked_at else None,
            runbook=check.runbook,
            owner=check.owner,
            at=str(one.times or ""),
        )
