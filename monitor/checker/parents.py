"""Holds back the opening of alerts whose cause is a parent, until a fresh look at the parents says otherwise.

    child FAIL ──▶ hold ── parents not looked at since ──▶ they are looked at ──▶ asked again at their verdict
                        ── a parent is down ─────────────▶ held until it is well, then the child is looked at anew

What was seen of the child before its parent was well says nothing: a probe that began before, a group whose members
were not looked at since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial

from monitor.checker.loop import Loop
from monitor.checker.watch import Watch
from monitor.config import CheckBase, ancestors_of
from monitor.dependencies import Hold, hold_of
from monitor.state import CheckState
from monitor.units import utc_now

# Beyond what the probes that are waited for may take at the longest.
_SLACK_S = 5.0


class Parents:
    """Answers whether an alert must wait for its parents. Belongs to the loop's thread."""

    def __init__(self, loop: Loop, watch: Watch, ask_again: Callable[[str], None]) -> None:
        """`ask_again` has the alert of a check judged anew."""
        self._loop = loop
        self._watch = watch
        self._ask_again = ask_again
        self._ancestors: dict[str, tuple[str, ...]] = {}
        # Whose opening waits for a look at whom, since when it fails.
        self._waiting: dict[str, tuple[datetime, tuple[str, ...]]] = {}
        self._held: set[str] = set()
        # Whose probe began before its parent was well: the verdicts until it is known how it is now, 2 or 1.
        self._too_early: dict[str, int] = {}
        self._well_since: dict[str, datetime] = {}
        self._given_up: dict[str, datetime] = {}

    def configure(self, checks: Mapping[str, CheckBase]) -> None:
        self._ancestors = {name: ancestors_of(name, checks) for name, check in checks.items() if check.depends_on}
        known = self._ancestors.keys()
        self._held &= known
        self._too_early = {name: left for name, left in self._too_early.items() if name in known}
        self._waiting = {name: wait for name, wait in self._waiting.items() if name in known}
        self._well_since = {name: at for name, at in self._well_since.items() if name in known}
        self._given_up = {name: at for name, at in self._given_up.items() if name in known}

    def hold(self, check: CheckBase, state: CheckState) -> str:
        """Return why the alert of a failing check must not open now, empty when it may."""
        name = check.name
        if name not in self._ancestors:
            return ""
        hold = self._hold(name, state)
        if hold.look_at and self._given_up.get(name) == state.since:
            hold = Hold()
        self._held.discard(name)
        if not hold.look_at:
            self._waiting.pop(name, None)
            if hold.reason:
                self._held.add(name)
        elif self._waiting.get(name) != (state.since, hold.look_at):
            self._wait(name, state.since, hold.look_at)
        return hold.reason

    def _hold(self, name: str, state: CheckState) -> Hold:
        watched = self._watch.watched
        parents = [(p, watched[p].state) for p in self._ancestors[name] if p in watched and watched[p].is_looked_at]
        hold = hold_of(state.since, parents)
        if hold.reason:
            return hold
        if self._too_early.get(name) == 2:
            return Hold("its parents are well now: it is looked at once more")
        members = self._old_members(name)
        return Hold(f"members are looked at first: {', '.join(members)}", members) if members else hold

    def _old_members(self, name: str) -> tuple[str, ...]:
        """Return the failing members of a group whose verdict is from before its parents were well."""
        since, watched = self._well_since.get(name), self._watch.watched
        if since is None:
            return ()
        failing = [m for m in self._watch.members(name) if m in watched and watched[m].state.is_down]
        return tuple(
            member
            for member in failing
            if watched[member].is_looked_at
            and (member in self._too_early or (watched[member].state.checked_at or since) < since)
        )

    def judged(self, name: str, state: CheckState) -> None:
        """Take note of a verdict: it may be the one that children wait for."""
        if name in self._too_early:
            self._too_early[name] -= 1
            if not self._too_early[name]:
                del self._too_early[name]
        if not self._waiting and not self._held:
            return
        for child in [child for child, (_, names) in self._waiting.items() if name in names]:
            # A group is what its members are: it has to be judged anew itself.
            if self._watch.watched[child].check.is_computed:
                self._watch.look(child, again=True)
            else:
                self._ask_again(child)
        if not state.is_down and not state.is_going_down:
            for child in [child for child in self._held if name in self._ancestors[child]]:
                self._look_anew(child)

    def _look_anew(self, child: str) -> None:
        """Look at a child whose parent is well again: whether it still fails is for a fresh look to say."""
        self._held.discard(child)
        self._well_since[child] = utc_now()
        if self._watch.watched[child].probes:
            self._too_early[child] = 2
        self._watch.look(child, again=True)

    def _wait(self, name: str, since: datetime, names: tuple[str, ...]) -> None:
        self._waiting[name] = (since, names)
        longest_s = 0.0
        for one in names:
            check = self._watch.watched[one].check
            confirm_s = check.retries * (check.retry_interval + check.timeout)
            longest_s = max(longest_s, check.timeout + confirm_s + _SLACK_S)
            self._watch.look(one)
        self._loop.after(longest_s, partial(self._give_up, name, since))

    def _give_up(self, name: str, since: datetime) -> None:
        """No alert waits for ever for a check that cannot be looked at."""
        if name in self._waiting and self._waiting[name][0] == since:
            del self._waiting[name]
            self._given_up[name] = since
            self._ask_again(name)
