"""What is being watched: every check with its state, and the probe of it that is on its way.

start ──▶ probe in the pool ──▶ no worse than the last verdict, or UNKNOWN ──▶ verdict
                ▲                    │ worse: FAIL or WARN
                └── retry_backoff_s ─┘ (confirming; no worker waits) ── retries used up ──▶ verdict
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from monitor.checker.loop import Loop
from monitor.config import CheckBase
from monitor.history.snapshot import CheckEntry
from monitor.model import Flag, Outcome, Result, Status
from monitor.probes import Setting, run_probe
from monitor.state import CheckState, Transition, advance, covered_s, unchecked
from monitor.units import after, utc_now

_LATENESS_KEPT = 5_000
OnVerdict = Callable[[CheckBase, CheckState, Result, Transition | None], None]


@dataclass(eq=False)
class Watched:
    """One check and what is known of it. `probes` counts those of the verdict on its way; 0 when none is."""

    check: CheckBase
    state: CheckState
    probes: int = 0
    by_hand: bool = False
    next_at: datetime | None = None

    @property
    def is_looked_at(self) -> bool:
        return self.check.enabled and Flag.PAUSED not in self.state.flags


def _timed_probe(check: CheckBase, setting: Setting) -> tuple[float, Outcome]:
    """Return when the probe began (monotonic seconds) and what it saw."""
    return time.monotonic(), run_probe(check, setting)


def longest_gap_s(check: CheckBase) -> float:
    """Return the longest time between two verdicts of a check that is being watched."""
    confirm_s = check.retries * (check.retry_backoff_s + check.timeout)
    return 2 * check.every + check.timeout + confirm_s


class Watch:
    """Starts probes and turns their outcomes into verdicts. Belongs to the loop's thread."""

    def __init__(
        self, loop: Loop, pool: Executor, on_verdict: OnVerdict, redact: Callable[[Outcome], Outcome] | None = None
    ) -> None:
        self._loop = loop
        self._pool = pool
        self._on_verdict = on_verdict
        self._redact = redact or (lambda outcome: outcome)
        self._setting: Setting | None = None
        self.watched: dict[str, Watched] = {}
        self.dirty: set[str] = set()
        self.in_flight = 0
        self.results = 0
        self.overruns = 0
        self._lateness: deque[tuple[float, float]] = deque(maxlen=_LATENESS_KEPT)

    def configure(
        self, checks: Mapping[str, CheckBase], setting: Setting, redact: Callable[[Outcome], Outcome]
    ) -> list[Watched]:
        """Watch these checks from now on; return those that are no longer watched."""
        now, before = utc_now(), self.watched
        self._setting, self._redact = setting, redact
        self.watched = {}
        for name, check in checks.items():
            known = before.get(name)
            if known is None:
                known = Watched(check, unchecked(now))
            elif known.check != check:
                # A probe on its way was for the check as it was; its outcome is dropped.
                known = Watched(check, known.state.flagged(Flag.CONFIRMING, False))
            self.watched[name] = known
        self.dirty.update(self.watched)
        return [gone for name, gone in before.items() if name not in checks]

    def adopt(self, states: Mapping[str, CheckState]) -> None:
        """Take over states from before a restart."""
        for name, state in states.items():
            if name in self.watched:
                self.watched[name].state = state.flagged(Flag.CONFIRMING, False)

    def start(self, name: str, late_s: float = 0.0, by_hand: bool = False) -> bool:
        """Probe now unless a probe is on its way or the check rests; return whether one was started."""
        watched = self.watched.get(name)
        if watched is None or not (watched.is_looked_at or by_hand):
            return False
        watched.next_at = after(utc_now(), watched.check.every - late_s)
        self.dirty.add(name)
        if watched.probes:
            self.overruns += 1
            return False
        watched.by_hand = by_hand
        self._probe(watched, time.monotonic() - late_s)
        return True

    def flag(self, name: str, flag: Flag, on: bool) -> None:
        watched = self.watched[name]
        watched.state = watched.state.flagged(flag, on)
        self.dirty.add(name)

    def lateness(self, last_s: float = 60.0) -> tuple[float, float, float]:
        """Return how late probes began in the last `last_s` seconds: median, 99th percentile, worst. Seconds."""
        since = time.monotonic() - last_s
        while self._lateness and self._lateness[0][0] < since:
            self._lateness.popleft()
        late = sorted(late_s for _, late_s in self._lateness)
        return (late[len(late) // 2], late[len(late) * 99 // 100], late[-1]) if late else (0.0, 0.0, 0.0)

    def _probe(self, watched: Watched, planned: float) -> None:
        assert self._setting is not None, "configure() comes before start()"
        memory = watched.state.memory
        setting = replace(self._setting, memory=memory) if memory else self._setting
        future = self._pool.submit(_timed_probe, watched.check, setting)
        watched.probes += 1
        self.in_flight += 1
        future.add_done_callback(lambda done: self._loop.post(partial(self._done, watched, planned, done)))

    def _done(self, watched: Watched, planned: float, future: Future[tuple[float, Outcome]]) -> None:
        self.in_flight -= 1
        if future.cancelled() or self.watched.get(watched.check.name) is not watched:
            return
        began, outcome = future.result()
        self._lateness.append((began, max(began - planned, 0.0)))
        if self._must_confirm(watched, outcome):
            watched.state = watched.state.flagged(Flag.CONFIRMING, True)
            self.dirty.add(watched.check.name)
            self._loop.after(watched.check.retry_backoff_s, partial(self._retry, watched))
            return
        self._verdict(watched, outcome)

    def _must_confirm(self, watched: Watched, outcome: Outcome) -> bool:
        if outcome.status not in (Status.FAIL, Status.WARN):
            return False
        # What is known to be this bad needs no confirming; getting worse does.
        if watched.state.status.badness <= outcome.status.badness:
            return False
        return watched.probes <= watched.check.retries

    def _retry(self, watched: Watched) -> None:
        if self.watched.get(watched.check.name) is not watched:
            return
        if watched.is_looked_at or watched.by_hand:
            self._probe(watched, time.monotonic())
        else:
            watched.probes = 0
            self.flag(watched.check.name, Flag.CONFIRMING, False)

    def _verdict(self, watched: Watched, outcome: Outcome) -> None:
        check, now = watched.check, utc_now()
        if outcome.status is not Status.OK or "final_url" in outcome.observed:
            outcome = self._redact(outcome)
        result = Result(
            at=now,
            name=check.name,
            outcome=outcome,
            attempts=watched.probes,
            covers_s=covered_s(watched.state, now, longest_gap_s(check)),
            flags=tuple(sorted(watched.state.flags - {Flag.CONFIRMING})),
        )
        watched.probes, watched.by_hand = 0, False
        watched.state, transition = advance(watched.state, result)
        self.results += 1
        self.dirty.add(check.name)
        self._on_verdict(check, watched.state, result, transition)


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
            every_s=check.every,
            stale_after_s=longest_gap_s(check),
            state=state,
            next_at=one.next_at if one.is_looked_at else None,
            runbook=check.runbook,
        )
