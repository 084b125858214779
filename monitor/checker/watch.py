"""All that is watched: starts probes and makes verdicts of what they saw.

start ──▶ probe in the pool ──▶ no worse than the last verdict, or UNKNOWN ──▶ verdict
                ▲                    │ worse: FAIL or WARN
                └── retry_interval ──┘ (confirming; no worker waits) ── retries used up ──▶ believed? ──▶ verdict

A failure is believed once `sight` has made sure that Greenwall itself can see. Groups are probed as all others are;
what is known of their members goes with them, and they are looked at again whenever a member changes.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import replace
from functools import partial

from monitor.checker.grouping import Grouping
from monitor.checker.loop import Loop
from monitor.checker.sight import Sight
from monitor.checker.watched import Watched
from monitor.config import CheckBase, VantageBlock
from monitor.groups import Member
from monitor.model import Flag, Json, Outcome, Result, Status
from monitor.probes import Setting, timed_probe
from monitor.state import CheckState, Transition, advance, covered_s, unchecked
from monitor.units import seconds_between, utc_now
from monitor.vantage import View

_LATENESS_KEPT = 5_000
# A group whose members change all the time gets its verdict all the same.
_LOOKS_AT_MEMBERS = 3
OnVerdict = Callable[[CheckBase, CheckState, Result, Transition | None], None]


class Watch:
    """Starts probes and turns their outcomes into verdicts. Belongs to the loop's thread."""

    def __init__(
        self,
        loop: Loop,
        pool: Executor,
        on_verdict: OnVerdict,
        redact: Callable[[Outcome], Outcome] | None = None,
        on_view: Callable[[View], None] | None = None,
    ) -> None:
        """`on_view` is told when Greenwall cannot see, and when it sees again."""
        self._loop = loop
        self._pool = pool
        self._on_verdict = on_verdict
        self._redact = redact or (lambda outcome: outcome)
        self._setting: Setting | None = None
        self.sight = Sight(loop, self, on_view or (lambda view: None))
        self._configured_at = utc_now()
        self._grouping = Grouping(loop, partial(self.look, again=True))
        self.watched: dict[str, Watched] = {}
        self.dirty: set[str] = set()
        self.in_flight = 0
        self.results = 0
        self.overruns = 0
        self._lateness: deque[tuple[float, float]] = deque(maxlen=_LATENESS_KEPT)

    @property
    def setting(self) -> Setting:
        assert self._setting is not None, "configure() comes before start()"
        return self._setting

    def configure(
        self,
        checks: Mapping[str, CheckBase],
        setting: Setting,
        redact: Callable[[Outcome], Outcome],
        vantage: VantageBlock | None = None,
        blind: bool = False,
    ) -> None:
        """Watch these checks from now on. `blind`: Greenwall could not see when the last checker ended."""
        now, before = utc_now(), self.watched
        self._setting, self._redact, self._configured_at = setting, redact, now
        self.watched = {}
        for name, check in checks.items():
            known = before.get(name)
            if known is None:
                known = Watched(check, unchecked(now))
            elif known.check != check:
                # A probe on its way was for the check as it was; its outcome is dropped.
                known = Watched(check, known.state.unhurried())
            known.plan(check.times(setting.timezone), now)
            self.watched[name] = known
        self.dirty.update(self.watched)
        self._grouping.configure(checks)
        self.sight.configure(vantage, blind)

    def adopt(self, states: Mapping[str, CheckState]) -> None:
        """Take over states from before a restart."""
        for name, state in states.items():
            if name in self.watched:
                self.watched[name].state = state.unhurried()

    def start(self, name: str, late_s: float = 0.0) -> None:
        """Probe a check whose turn it is, unless it rests or its probe of the turn before is still on its way."""
        watched = self.watched.get(name)
        if watched is None:
            return
        watched.turn(utc_now(), late_s)
        if not watched.is_looked_at:
            return
        self.dirty.add(name)
        if watched.probes:
            self.overruns += 1
        elif not self._must_wait(watched):
            self._probe(watched, time.monotonic() - late_s)

    def look(self, name: str, again: bool = False, by_hand: bool = False) -> bool:
        """Probe now, out of turn; return whether a probe was started.

        A check that rests is looked at only by hand. `again`: once more if a probe is on its way.
        """
        watched = self.watched.get(name)
        if watched is None or not (watched.is_looked_at or by_hand):
            return False
        if watched.probes:
            watched.again = watched.again or again
            return False
        if not by_hand and self._must_wait(watched):
            return False
        watched.by_hand = by_hand
        self.dirty.add(name)
        self._probe(watched, time.monotonic())
        return True

    def members(self, group: str) -> tuple[str, ...]:
        """Return the names of the checks that a group is made of; nothing for any other check."""
        return self._grouping.members.get(group, ())

    def flag(self, name: str, flag: Flag, on: bool) -> None:
        watched = self.watched[name]
        watched.state = watched.state.flagged(flag, on)
        self.dirty.add(name)
        if flag is Flag.PAUSED:
            self._grouping.changed(name)

    def note(self, name: str, note: str) -> None:
        """Say beside its status why the opening of its alert is held back; an empty note says nothing."""
        watched = self.watched[name]
        if watched.state.note != note:
            watched.state = watched.state.noted(note)
            self.dirty.add(name)

    def lateness(self, last_s: float = 60.0) -> tuple[float, float, float]:
        """Return how late probes began in the last `last_s` seconds: median, 99th percentile, worst. Seconds."""
        since = time.monotonic() - last_s
        while self._lateness and self._lateness[0][0] < since:
            self._lateness.popleft()
        late = sorted(late_s for _, late_s in self._lateness)
        return (late[len(late) // 2], late[len(late) * 99 // 100], late[-1]) if late else (0.0, 0.0, 0.0)

    def _probe(self, watched: Watched, planned: float) -> None:
        memory = watched.state.memory
        setting = replace(self.setting, memory=memory) if memory else self.setting
        if watched.check.is_computed:
            setting = replace(setting, members=self._known_members(watched.check.name))
        future = self._pool.submit(timed_probe, watched.check, setting)
        watched.probes += 1
        self.in_flight += 1
        future.add_done_callback(lambda done: self._loop.post(partial(self._done, watched, planned, done)))

    def _done(self, watched: Watched, planned: float, future: Future[tuple[float, Outcome]]) -> None:
        self.in_flight -= 1
        if future.cancelled() or self.watched.get(watched.check.name) is not watched:
            return
        began, outcome = future.result()
        self._lateness.append((began, max(began - planned, 0.0)))
        if watched.check.is_computed and self._is_outdated(watched):
            self._probe(watched, time.monotonic())
            return
        if self.sight.is_on:
            self.sight.saw(watched.check, began, outcome)
        if self._must_confirm(watched, outcome):
            watched.state = watched.state.flagged(Flag.CONFIRMING, True)
            self.dirty.add(watched.check.name)
            self._loop.after(watched.check.retry_interval, partial(self._retry, watched))
            return
        if outcome.status is Status.FAIL and self.sight.is_on:
            believed = self.sight.believed(watched, began, outcome)
            if believed is None:
                watched.state = watched.state.flagged(Flag.CONFIRMING, True)
                self.dirty.add(watched.check.name)
                return
            outcome = believed
        self.judge(watched, outcome)

    def _must_confirm(self, watched: Watched, outcome: Outcome) -> bool:
        if outcome.status not in (Status.FAIL, Status.WARN):
            return False
        # What is known to be this bad needs no confirming; getting worse does.
        if watched.state.status.badness <= outcome.status.badness:
            return False
        return watched.probes <= watched.check.retries and not watched.check.is_computed

    def _retry(self, watched: Watched) -> None:
        if self.watched.get(watched.check.name) is not watched:
            return
        if watched.is_looked_at or watched.by_hand:
            self._probe(watched, time.monotonic())
        else:
            watched.probes = 0
            watched.state = watched.state.unhurried()
            self.dirty.add(watched.check.name)

    def judge(self, watched: Watched, outcome: Outcome, held_s: float = 0.0) -> None:
        """Make a verdict of what was seen; `held_s` is how long it was held back until then."""
        check, before, now = watched.check, watched.state, utc_now()
        if outcome.status is not Status.OK or "final_url" in outcome.observed:
            outcome = self._redact(outcome)
        result = Result(
            at=now,
            name=check.name,
            outcome=outcome,
            attempts=watched.probes,
            covers_s=covered_s(before, now, watched.longest_gap_s + held_s),
        )
        again, watched.probes, watched.by_hand, watched.again = watched.again, 0, False, False
        if outcome.status is not Status.OK and before.good and not before.trouble.first_bad:
            # What was good is kept from now on, and shown beside what is bad.
            before = replace(before, good=replace(before.good, outcome=self._redact(before.good.outcome)))
        watched.state, transition = advance(before, result, watched.rules)
        if watched.state.flags or outcome.status is Status.FAIL:
            result = _completed(result, watched.state)
        self.results += 1
        self.dirty.add(check.name)
        self._on_verdict(check, watched.state, result, transition)
        if transition:
            self._grouping.changed(check.name)
        else:
            self._grouping.judged(check.name)
        if again:
            self.look(check.name)

    def _known_members(self, group: str) -> tuple[Member, ...]:
        watched = [self.watched[name] for name in self.members(group) if name in self.watched]
        now = utc_now()
        return tuple(one.as_member(now) for one in watched if one.check.enabled)

    def _must_wait(self, group: Watched) -> bool:
        """Return whether a group has members that are to get their first verdicts, since not long ago."""
        if not group.check.is_computed:
            return False
        name, now, since = group.check.name, utc_now(), self._configured_at
        members = [self.watched[member] for member in self.members(name) if member in self.watched]
        waits = seconds_between(since, now) < group.check.every and any(
            one.is_looked_at and not one.is_known(now) and not one.was_judged(since) for one in members
        )
        self._grouping.wait(name, waits)
        return waits

    def _is_outdated(self, group: Watched) -> bool:
        """Return whether a member has changed since the group was looked at: then that is no verdict of now."""
        name = group.check.name
        if not (group.again or self._grouping.is_stirred(name)) or group.probes > _LOOKS_AT_MEMBERS:
            return False
        group.again = False
        self._grouping.settle(name)
        return True


def _completed(result: Result, state: CheckState) -> Result:
    """Return the result line as it is written: with flags, and at the first bad verdict with what has changed."""
    outcome, first_bad = result.outcome, state.trouble.first_bad
    if first_bad and first_bad.at == result.at and state.changes:
        changed: list[Json] = [[one.what, one.before, one.after] for one in state.changes]
        outcome = replace(outcome, observed={**outcome.observed, "changed": changed})
    return replace(result, outcome=outcome, flags=tuple(sorted(state.flags)))
