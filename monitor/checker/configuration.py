"""The configuration that the checker runs by: read at the start, read again when one of its files changes.

Also starts the demo service that the file may ask for, since checks follow it to the port that it got. Validating
thousands of checks takes a second, so an edit is read in another thread; what comes of it is the checker's to use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import Executor, Future
from datetime import datetime
from typing import TYPE_CHECKING

from monitor.channels import build_channels
from monitor.checker.timetable import AT_ROUND_S, Entry, spread
from monitor.checker.watched import Watched
from monitor.config import ConfigError, ConfigFile, LoadedConfig, load_config

if TYPE_CHECKING:
    from monitor.demo import DemoServer


class Configuration:
    """`loaded` is the last good configuration, which goes on while the file is invalid."""

    def __init__(self, file: ConfigFile, start_demo: bool) -> None:
        """Read the file; ConfigError when there is none to begin with."""
        self.path = file.path
        self._file = file
        self._start_demo = start_demo
        self._demo: DemoServer | None = None
        self._reading = False
        self.loaded = self._load()
        # What was read last, be it good or not: a change in it is a reason to read again.
        self._seen = self.loaded.sources

    @property
    def demo_url(self) -> str | None:
        return demo.base_url if (demo := self._demo) else None

    def look(self, readers: Executor, then: Callable[[Future[LoadedConfig]], None]) -> None:
        """Read the files again when one of them has changed; `then` is called with the outcome, in that thread."""
        if self._reading or not self._seen.have_changed():
            return
        self._reading = True
        readers.submit(self._load_again).add_done_callback(then)

    def outcome(self, read: Future[LoadedConfig]) -> LoadedConfig:
        """Return what was read, from now on the configuration to run by; ConfigError while it is invalid."""
        self._reading = False
        try:
            self.loaded = read.result()
        except ConfigError as error:
            if error.sources:
                self._seen = error.sources
            raise
        self._seen = self.loaded.sources
        return self.loaded

    def stop_demo(self) -> None:
        demo, self._demo = self._demo, None
        if demo:
            demo.stop()

    def _load_again(self) -> LoadedConfig:
        loaded = self._load()
        # What a new channel needs is loaded here: half a second for which the checker would stand still.
        build_channels(loaded)
        return loaded

    def _load(self) -> LoadedConfig:
        loaded = self._file.read()
        if not (loaded.config.demo and self._start_demo):
            self.stop_demo()
            return loaded
        if self._demo is None:
            # Its server is loaded only where it is asked for.
            from monitor.demo import DemoServer

            demo = DemoServer(self.path.parent / ".last_job_id", port=loaded.config.demo_port)
            demo.start()
            # Known to the other thread only once it serves, as it is unknown to it before it stops.
            self._demo = demo
        if loaded.environment.get("MOCKAPP_BASE") == self._demo.base_url:
            return loaded
        # The port may have been taken: the checks follow the demo to the one that it got.
        return load_config(self.path, demo_url=self._demo.base_url)


def turns(watched: Iterable[Watched], now: datetime) -> list[Entry]:
    """Return the timetable's entries: new checks spread, the others in turn.

    Checks at times of day wait for the next one; whose last one passed without a verdict runs at once.
    """
    active = {one.check.name: one for one in watched if one.check.enabled}
    firsts = spread({name: AT_ROUND_S if one.times else one.check.every for name, one in active.items()})
    rows: list[Entry] = []
    for name, one in active.items():
        if one.times:
            rows.append((name, firsts[name] if one.has_missed(now) else None, one.times))
            continue
        turn = (one.next_at - now).total_seconds() if one.next_at else None
        keeps = turn is not None and 0 <= turn <= one.check.every
        rows.append((name, turn if keeps else firsts[name], one.check.every))
    return rows
