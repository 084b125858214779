"""The uptime of the last day of each check whose rules look at it: read from the history once, then counted.

new check ──▶ counted from now on ── a moment later: a child process reads the day before ──▶ known
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Set
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from monitor.checker.loop import Loop
from monitor.history import child
from monitor.model import Result
from monitor.rules import Uptime
from monitor.units import utc_now

log = logging.getLogger(__name__)
# The start comes first: it has the machine for itself.
READ_AFTER_S = 10.0
_DAY = timedelta(days=1)
_Past = dict[str, Uptime]


class Uptimes:
    """Belongs to the loop's thread. `chores` is where the history is waited for."""

    def __init__(self, loop: Loop, chores: Executor, results: Path) -> None:
        self._loop, self._chores, self._results = loop, chores, results
        self._of: dict[str, Uptime] = {}
        # Whose day before is still to be read: it ended then.
        self._unread: dict[str, datetime] = {}

    def configure(self, names: Set[str]) -> None:
        """Count for these checks and no others; what is new is not known until the history has told of it."""
        now, new = utc_now(), names - self._of.keys()
        self._of = {name: self._of.get(name) or Uptime() for name in names}
        self._unread = {name: at for name, at in self._unread.items() if name in names} | dict.fromkeys(new, now)
        if new:
            self._loop.after(READ_AFTER_S, partial(self._read, new, now))

    def add(self, result: Result) -> None:
        """Count the time that a verdict stands for."""
        if uptime := self._of.get(result.name):
            uptime.add(result)

    def percent(self, name: str, now: datetime) -> float | None:
        """Return the percentage, None while it is not known or too short a time."""
        uptime = self._of.get(name)
        return None if uptime is None or name in self._unread else uptime.percent(now)

    def _read(self, names: Set[str], until: datetime) -> None:
        with contextlib.suppress(RuntimeError):  # the process is about to end
            past = self._chores.submit(_past, self._results, names, until)
            past.add_done_callback(lambda done: self._loop.post(partial(self._remember, until, done)))

    def _remember(self, until: datetime, past: Future[_Past]) -> None:
        """Add what was before `until` to what was counted since."""
        if past.cancelled():
            return
        try:
            known = past.result()
        except OSError as error:
            log.error("the last day cannot be read, uptime_24h counts from now on: %s", error)
            known = {}
        for name in [name for name, at in self._unread.items() if at == until]:
            del self._unread[name]
            if name in known:
                self._of[name].include(known[name])


def _past(results: Path, names: Set[str], until: datetime) -> _Past:
    since = until.replace(minute=0, second=0, microsecond=0) - _DAY
    rows = child.seconds_by_hour(results, since, until)
    return {name: Uptime.of(of_name) for name, of_name in rows if name in names}
