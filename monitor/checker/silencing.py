"""Silences and maintenance as they are kept: `data/silences.jsonl`, and what `checks.yaml` plans.

Belongs to the loop's thread. The rules are in `monitor.silences`; here are the file, the flags of checks that follow
from them, and that somebody notices when one begins or ends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from monitor.alerts import Alert, Muted
from monitor.checker.watch import Watch
from monitor.config import CheckBase, LoadedConfig
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.history.silencelog import read_silences
from monitor.model import Flag
from monitor.silences import Silence, SilenceBook, SilenceEvent, planned, quiet
from monitor.units import seconds_between

log = logging.getLogger(__name__)
# What has ended is shown for so long.
ENDED_SHOWN_S = 900.0


class Silencing:
    """Who is meant by a silence or by maintenance now."""

    def __init__(self, path: Path) -> None:
        self._writer = JsonlWriter(path, fsync=True)
        self.book = SilenceBook(read_silences(path))
        self._planned: tuple[Silence, ...] = ()
        self._holding: dict[str, Silence] = {}
        self._ended: list[tuple[datetime, Silence]] = []

    def configure(self, loaded: LoadedConfig) -> None:
        self._planned = planned(loaded)

    def close(self) -> None:
        self._writer.close()

    def store(self, event: SilenceEvent) -> Silence | None:
        """Store an event, then let it hold; OSError when the disk takes none, and then it does not."""
        self._writer.append([to_line(event.to_json())])
        return self.book.apply(event)

    def standing(self, now: datetime) -> list[Silence]:
        """Return all that hold now or will."""
        return [*self.book.standing(now), *(one for one in self._planned if not one.is_over(now))]

    def muted(self, alert: Alert, now: datetime) -> Muted | None:
        """Return why nobody is told of this alert's opening now, if so."""
        found = quiet(alert.subject, self._holding.values(), now) if alert.source != "manual" else None
        return Muted(found.reason, found.until) if found else None

    def turned(self, now: datetime) -> bool:
        """Take note of what holds now; return whether that is another than a moment ago."""
        holding = {one.id: one for one in self.standing(now) if one.stretch(now)}
        if holding == self._holding:
            return False
        for identifier, silence in self._holding.items():
            if identifier not in holding:
                log.info("%s %s has ended", silence.word, identifier)
                self._ended.append((now, silence))
        self._holding = holding
        return True

    def just_ended(self, now: datetime) -> list[Silence]:
        """Return what has ended in the last minutes, for pages to say so."""
        self._ended = [(at, one) for at, one in self._ended if 0 <= seconds_between(at, now) < ENDED_SHOWN_S]
        return [silence for _, silence in self._ended]

    def flags_of(self, check: CheckBase, now: datetime) -> frozenset[Flag]:
        """Return the flags that a check has by what holds now."""
        if not self._holding:
            return frozenset()
        subject = check.subject
        found = [one for one in self._holding.values() if one.match.covers(subject)]
        return frozenset(Flag.MAINTENANCE if one.is_maintenance else Flag.MUTED for one in found)

    def flag(self, watch: Watch, now: datetime) -> None:
        """Give every check the flags that it has by what holds now."""
        for watched in watch.watched.values():
            flags = self.flags_of(watched.check, now)
            for flag in (Flag.MAINTENANCE, Flag.MUTED):
                if (flag in flags) != (flag in watched.state.flags):
                    watch.flag(watched.check.name, flag, flag in flags)

    def outlived(self, find: Callable[[str], Alert | None]) -> list[Silence]:
        """Return silences that were to hold until an alert is over, which it is; `find` returns the alert of an id."""
        waiting = [one for one in self.book.all() if one.until_resolved and not one.ended_at]
        return [one for one in waiting if not ((alert := find(one.until_resolved)) and alert.is_open)]
