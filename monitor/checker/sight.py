"""Greenwall's own eyesight: before a failure of the network is believed, the sentinels are looked at.

    FAIL without an answer ──▶ held, sentinels asked ── one answers ──▶ believed: the verdict is FAIL
                                   │                ── none, few others fail ──▶ believed, after `within` at the latest
                                   └─ none, and most others get no answer ──▶ blind: UNKNOWN/vantage, until one answers

What to make of it is `monitor.vantage`'s to decide; this holds, asks and lets go. Sentinels are asked here beside
their own turns, in threads of their own: the probes' pool may be full of checks that wait for their timeouts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from monitor.checker.loop import Loop
from monitor.config import CheckBase, VantageBlock
from monitor.model import Kind, Outcome
from monitor.probes import run_probe
from monitor.units import seconds_between, utc_now
from monitor.vantage import Eyesight, Others, View, answered, got_no_answer, unseen, view_of

if TYPE_CHECKING:
    from monitor.checker.watch import Watch
    from monitor.checker.watched import Watched

# A sentinel is asked again this long after it answered, or did not.
ASK_AGAIN_S = 0.25
ASK_SILENT_AGAIN_S = 1.0
# While failures are held, what is known is weighed this often, however many checks fail.
TICK_S = 0.5
# What is looked at out of turn is spread by this much.
SPREAD_S = 0.005


@dataclass
class _Sentinel:
    """One sentinel: whether it is being asked, and what it said to the question of `asked_at` (monotonic)."""

    is_asked: bool = False
    asked_at: float = float("-inf")
    answers: bool | None = None


@dataclass(frozen=True, eq=False)
class _Held:
    watched: Watched
    outcome: Outcome
    at: float


class Sight:
    """Holds failures back until it is known whether Greenwall sees. Belongs to the loop's thread."""

    def __init__(
        self,
        loop: Loop,
        watch: Watch,
        on_view: Callable[[View], None],
        pool_of: Callable[[int], Executor] | None = None,
    ) -> None:
        """`on_view` is told when Greenwall goes blind and when it sees again."""
        self._loop = loop
        self._watch = watch
        self._on_view = on_view
        self._pool_of = pool_of or (lambda size: ThreadPoolExecutor(size, thread_name_prefix="sentinel"))
        self.is_on = False
        self._pool: Executor | None = None
        self._rules: VantageBlock | None = None
        self._sentinels: dict[str, _Sentinel] = {}
        self._held: dict[str, _Held] = {}
        self._silent: set[str] = set()
        self._looked: dict[str, float] = {}
        self._swept = False
        self._ticks = False
        self._sees_since = float("-inf")
        self._blind: View | None = None

    @property
    def is_blind(self) -> bool:
        return self._blind is not None

    def configure(self, rules: VantageBlock | None, blind: bool = False) -> None:
        """Take over what the file says; `blind`: it was when the last checker ended."""
        if rules != self._rules:
            self._rules, self.is_on = rules, rules is not None
            self._new_pool(len(rules.sentinels) if rules else 0)
            self._sentinels = {name: _Sentinel() for name in rules.sentinels} if rules else {}
        watched = self._watch.watched
        self._held = {name: held for name, held in self._held.items() if watched.get(name) is held.watched}
        self._silent &= watched.keys()
        self._looked = {name: began for name, began in self._looked.items() if name in watched}
        if blind and not self._blind:
            self._blind = View(Eyesight.BLIND, "no sentinel has answered since before the start")
            self._on_view(self._blind)
        if rules is None:
            self._let_go(self._held.values())
            if self._blind:
                self._see_again("vantage is no longer configured")
        elif self._blind or self._held:
            self._ask_all()

    def close(self) -> None:
        self._new_pool(0)

    def saw(self, check: CheckBase, began: float, outcome: Outcome) -> None:
        """Take note of what a probe saw, confirmed or not."""
        if not check.reaches_out or check.name in self._sentinels:
            return
        self._looked[check.name] = began
        if got_no_answer(outcome):
            self._silent.add(check.name)
        elif self._silent:
            self._silent.discard(check.name)

    def believed(self, watched: Watched, began: float, outcome: Outcome) -> Outcome | None:
        """Return the verdict to be made of a failure; None when it is held, and `Watch.judge` is called later."""
        check = watched.check
        if not check.reaches_out or not got_no_answer(outcome):
            return outcome
        if self._blind:
            return unseen(outcome, self._blind.reason)
        if began < self._sees_since:
            # It began while nothing could be seen: that says nothing, and it is looked at again.
            self._watch.look(check.name, again=True)
            return unseen(outcome, "the probe began before Greenwall saw again")
        if watched.state.is_down or not self._active():
            return outcome
        self._held[check.name] = _Held(watched, outcome, time.monotonic())
        if not self._ticks:
            self._ticks = True
            self._loop.after(TICK_S, self._tick)
        self._ask_all()
        return None

    # sentinels

    def _new_pool(self, size: int) -> None:
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)
        self._pool = self._pool_of(size) if size else None

    def _active(self) -> list[str]:
        """Return the sentinels that are being looked at: one that rests shows nothing."""
        watched = self._watch.watched
        return [name for name in self._sentinels if name in watched and watched[name].is_looked_at]

    def _ask_all(self) -> None:
        active = self._active()
        if not active:
            self._let_go(self._held.values())
            if self._blind:
                self._see_again("no sentinel is being looked at")
        for name in active:
            self._ask(name)

    def _ask(self, name: str) -> None:
        sentinel, watched = self._sentinels.get(name), self._watch.watched.get(name)
        if sentinel is None or watched is None or self._pool is None or sentinel.is_asked:
            return
        now = time.monotonic()
        wait_s = sentinel.asked_at + (ASK_AGAIN_S if sentinel.answers else ASK_SILENT_AGAIN_S) - now
        sentinel.is_asked = True
        if wait_s > 0:
            self._loop.after(wait_s, partial(self._ask_now, name, sentinel))
        else:
            self._ask_now(name, sentinel)

    def _ask_now(self, name: str, sentinel: _Sentinel) -> None:
        watched = self._watch.watched.get(name)
        if self._sentinels.get(name) is not sentinel or self._pool is None or watched is None:
            sentinel.is_asked = False
            return
        asked_at = time.monotonic()
        future = self._pool.submit(run_probe, watched.check, self._watch.setting)
        future.add_done_callback(lambda done: self._loop.post(partial(self._answered, name, sentinel, asked_at, done)))

    def _answered(self, name: str, sentinel: _Sentinel, asked_at: float, future: Future[Outcome]) -> None:
        sentinel.is_asked = False
        if future.cancelled() or self._sentinels.get(name) is not sentinel:
            return
        sentinel.asked_at, sentinel.answers = asked_at, answered(future.result())
        if self._blind and sentinel.answers:
            self._see_again(f"{name} answers")
        self._decide()
        if self._held or self._blind:
            self._ask_all()

    # decisions

    def _tick(self) -> None:
        self._decide()
        self._ticks = bool(self._held)
        if self._ticks:
            self._loop.after(TICK_S, self._tick)

    def _decide(self) -> None:
        if not self._held or self._rules is None or self._blind:
            return
        seen_at = max((s.asked_at for s in self._sentinels.values() if s.answers), default=float("-inf"))
        self._let_go(held for held in self._held.values() if held.at <= seen_at)
        if not self._held:
            return
        now, oldest = time.monotonic(), min(held.at for held in self._held.values())
        said = {name: self._said(name, oldest) for name in self._active()}
        view = view_of(said, self._others(oldest), self._rules.share, now - oldest, self._rules.within)
        if view.eyesight is Eyesight.BLIND:
            self._go_blind(view)
        elif view.eyesight is Eyesight.WAIT:
            self._sweep(said)
        elif now - oldest >= self._rules.within:
            within_s = self._rules.within
            self._let_go(held for held in self._held.values() if now - held.at >= within_s)
        else:
            self._let_go(self._held.values())

    def _said(self, name: str, since: float) -> bool | None:
        sentinel = self._sentinels[name]
        return sentinel.answers if sentinel.asked_at >= since else None

    def _candidates(self) -> list[str]:
        """Return the checks whose silence would show that Greenwall is blind: those that were not down for long."""
        now, within_s = utc_now(), self._rules.within if self._rules else 0.0
        return [
            name
            for name, watched in self._watch.watched.items()
            if watched.check.reaches_out
            and name not in self._sentinels
            and watched.is_looked_at
            and not (watched.state.is_down and seconds_between(watched.state.since, now) > within_s)
        ]

    def _others(self, since: float) -> Others:
        names = self._candidates()
        unlooked = [n for n in names if n not in self._silent and self._looked.get(n, float("-inf")) < since]
        return Others(len(names), sum(name in self._silent for name in names), len(unlooked))

    def _sweep(self, said: dict[str, bool | None]) -> None:
        """Look at all others once, now: with rare checks it would take long to see that most of them fail."""
        if self._swept or any(answers is not False for answers in said.values()):
            return
        self._swept = True
        self._look_at(name for name in self._candidates() if name not in self._silent)

    def _look_at(self, names: Iterable[str]) -> None:
        for index, name in enumerate(names):
            self._loop.after(index * SPREAD_S, partial(self._look, name))

    def _look(self, name: str) -> None:
        self._watch.look(name)

    def _let_go(self, chosen: Iterable[_Held]) -> None:
        """Make verdicts of failures that are believed."""
        for held in list(chosen):
            del self._held[held.watched.check.name]
            self._judge(held, held.outcome)
        self._swept = self._swept and bool(self._held)

    def _judge(self, held: _Held, outcome: Outcome) -> None:
        if self._watch.watched.get(held.watched.check.name) is held.watched:
            self._watch.judge(held.watched, outcome, time.monotonic() - held.at)

    def _go_blind(self, view: View) -> None:
        self._blind = view
        self._on_view(view)
        chosen, self._held = self._held, {}
        for held in chosen.values():
            self._judge(held, unseen(held.outcome, view.reason))

    def _see_again(self, reason: str) -> None:
        self._blind, self._swept = None, False
        self._sees_since = time.monotonic()
        self._silent.clear()
        self._on_view(View(Eyesight.SEES, reason))
        watched = self._watch.watched
        self._look_at([n for n, one in watched.items() if one.state.kind is Kind.VANTAGE and one.is_looked_at])
