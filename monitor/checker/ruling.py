"""Rules at work: asked at each verdict, and what comes of them stored by the alert desk.

    verdict ──▶ turns of the rules of its check ──▶ Fired, Cleared ──▶ decision ──▶ desk

Until the uptime of the day before the start is there, rules that look at it wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import datetime
from functools import partial
from pathlib import Path

from monitor.alerts import Alert
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.loop import Loop
from monitor.checker.uptimes import Uptimes
from monitor.config import CheckBase, LoadedConfig
from monitor.history.snapshot import Notice
from monitor.model import Result
from monitor.rules import (
    Cleared,
    Fired,
    Look,
    Rule,
    Turns,
    Unjudged,
    on_cleared,
    on_fired,
    on_rule_removed,
    rules_of,
)
from monitor.state import CheckState
from monitor.units import utc_now

log = logging.getLogger(__name__)
SOURCE = "rule"
_SHOWN = 20


class Ruling:
    """Belongs to the loop's thread. `chores` is where the history is read."""

    def __init__(self, desk: AlertDesk, loop: Loop, chores: Executor, results: Path) -> None:
        self._desk = desk
        self._turns = Turns()
        self._uptimes = Uptimes(loop, chores, results)
        self._redact: Callable[[str], str] = str
        self._unfit: tuple[Rule, ...] = ()
        self._odd: dict[str, str] = {}
        self._turns.adopt(((alert.type, alert.resource) for alert in self._open_ones()), utc_now())

    def configure(self, loaded: LoadedConfig) -> None:
        """Take in the rules and checks of the file; alerts whose rule or check is gone end, and who was told is told.

        Call it after the desk knows who is to be told.
        """
        self._redact = loaded.environment.redactor()
        checks = {name: check for name, check in loaded.checks.items() if check.enabled}
        self._unfit = self._turns.configure(rules_of(loaded.config.rules), checks)
        self._odd = {name: why for name, why in self._odd.items() if name in self._turns.rules}
        self._uptimes.configure(self._turns.naming("uptime_24h"))
        now = utc_now()
        for alert in self._open_ones():
            if not self._turns.applies(alert.type, alert.resource):
                self._desk.take(on_rule_removed(alert, alert.type in self._turns.rules, now))

    def judge(self, check: CheckBase, state: CheckState, result: Result, now: datetime) -> None:
        """Ask the rules of this check about its verdict, after the desk has judged it."""
        self._uptimes.add(result)
        uptime = partial(self._uptimes.percent, check.name, now)
        for said in self._turns.judge(Look(check, state, result, uptime, self._redact), now):
            if isinstance(said, Fired):
                self._fired(said, now)
            elif isinstance(said, Cleared):
                self._cleared(said, now)
            else:
                self._not_judged(said)

    def notice(self) -> Notice | None:
        """Return what is wrong with rules, for the pages; None when nothing is."""
        lines = [f"rule {rule.name} applies to no check" for rule in self._unfit]
        lines += [f"rule {name} cannot be judged: {why}" for name, why in self._odd.items()]
        return Notice("warn", "rules that never fire", tuple(lines[:_SHOWN])) if lines else None

    def _fired(self, fired: Fired, now: datetime) -> None:
        name, book = fired.look.check.name, self._desk.book
        same = book.same(fired.rule.name, name)
        decision = on_fired(fired, same, book.latest(name, SOURCE), book.latest(name), now)
        if decision.events:
            self._desk.take(decision)

    def _cleared(self, cleared: Cleared, now: datetime) -> None:
        alert = self._desk.book.same(cleared.rule.name, cleared.look.check.name)
        if alert and alert.source == SOURCE:
            self._desk.take(on_cleared(cleared, alert, now))

    def _not_judged(self, said: Unjudged) -> None:
        if self._odd.setdefault(said.rule.name, said.why) is said.why:
            log.warning("rule %s cannot be judged: %s", said.rule.name, said.why)

    def _open_ones(self) -> list[Alert]:
        return [alert for alert in self._desk.book.open() if alert.source == SOURCE]
