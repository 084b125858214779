"""Rules at work: asked at each verdict, and what comes of them stored by the alert desk.

    verdict ──▶ uptime of the day ──▶ turns of the rules of its check ──▶ Fired, Cleared ──▶ decision ──▶ desk

The uptime before the start is read from the history in a thread; until it is there, rules that look at it wait.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from monitor.alerts import Alert
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.loop import Loop
from monitor.config import CheckBase, LoadedConfig
from monitor.history.snapshot import Notice
from monitor.ledger import MAINTENANCE
from monitor.model import Result, Status
from monitor.rules import (
    Cleared,
    Fired,
    Look,
    Rule,
    Turns,
    Unjudged,
    Uptime,
    on_cleared,
    on_fired,
    on_rule_removed,
    rules_of,
)
from monitor.state import CheckState
from monitor.units import plain, utc_now

log = logging.getLogger(__name__)
SOURCE = "rule"
# The start comes first: it has the machine for itself.
PAST_AFTER_S = 10.0
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_SHOWN = 20
_Rows = list[tuple[str, datetime, str, float]]


class Ruling:
    """Belongs to the loop's thread. `chores` is where the history is read."""

    def __init__(self, desk: AlertDesk, loop: Loop, chores: Executor, results: Path) -> None:
        self._desk = desk
        self._loop = loop
        self._turns = Turns()
        self._uptimes: dict[str, Uptime] = {}
        self._redact: Callable[[str], str] = str
        self._unfit: tuple[Rule, ...] = ()
        self._odd: dict[str, str] = {}
        self._knows_the_past = False
        self._began_at = utc_now()
        self._adopt()
        loop.after(PAST_AFTER_S, partial(self._read_past, chores, results))

    def configure(self, loaded: LoadedConfig) -> None:
        """Take in the rules and checks of the file; alerts whose rule or check is gone end, and who was told is told.

        Call it after the desk knows who is to be told.
        """
        self._redact = loaded.environment.redactor()
        checks = {name: check for name, check in loaded.checks.items() if check.enabled}
        self._unfit = self._turns.configure(rules_of(loaded.config.rules), checks)
        self._odd = {name: why for name, why in self._odd.items() if name in self._turns.rules}
        self._uptimes = {name: self._uptimes.get(name) or Uptime() for name in checks}
        now = utc_now()
        for alert in self._open_ones():
            if not self._turns.applies(alert.type, alert.resource):
                self._desk.take(on_rule_removed(alert, alert.type in self._turns.rules, now))

    def judge(self, check: CheckBase, state: CheckState, result: Result, now: datetime) -> None:
        """Ask the rules of this check about its verdict, after the desk has judged it."""
        uptime = self._uptimes.get(check.name)
        if uptime is None:
            return
        uptime.add(result)
        known = uptime.percent(now) if self._knows_the_past else None
        for said in self._turns.judge(Look(check, state, result, known, self._redact), now):
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

    def _adopt(self) -> None:
        self._turns.adopt(((alert.type, alert.resource) for alert in self._open_ones()), self._began_at)

    def _read_past(self, chores: Executor, results: Path) -> None:
        with contextlib.suppress(RuntimeError):  # the process is about to end
            past = chores.submit(_past, results, self._began_at)
            past.add_done_callback(lambda done: self._loop.post(partial(self._remember, done)))

    def _remember(self, past: Future[_Rows]) -> None:
        """Add the day before the start to what was counted since."""
        if past.cancelled():
            return
        for name, hour, status, seconds in past.result():
            known = self._uptimes.get(name)
            if known and status not in (Status.UNKNOWN, MAINTENANCE):
                known.count(min(hour + _HOUR, self._began_at), seconds, is_up=status != Status.FAIL)
        self._knows_the_past = True


def _past(results: Path, until: datetime) -> _Rows:
    # The database is loaded when it is first needed, in this thread.
    from monitor.history.query import DamagedHistory, seconds_rows

    since = until.replace(minute=0, second=0, microsecond=0) - _DAY
    try:
        return seconds_rows(results, since, until, _HOUR.total_seconds())
    except (DamagedHistory, OSError) as error:
        log.error("the last day cannot be read, uptime_24h counts from now on: %s", plain(str(error), 300))
        return []
