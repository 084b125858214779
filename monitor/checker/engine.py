"""The checker's life: take the lock, restore, loop (due, outcomes, commands, publish), stop.

    start() ─▶ thread ─▶ follower: lock is taken, wait ─▶ leader: configure ─ restore ─ loop ─▶ stop()

Writes state.json at least each second, which is its heartbeat: whoever reads an old one knows that nobody looks.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from functools import partial
from pathlib import Path

from filelock import FileLock, Timeout

from monitor import garbage, pings
from monitor.channels import build_channels
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.configuration import Configuration, turns
from monitor.checker.loop import Loop
from monitor.checker.orders import Orders
from monitor.checker.parents import Parents
from monitor.checker.publish import Publisher
from monitor.checker.restore import restored_states
from monitor.checker.timetable import Timetable
from monitor.checker.watch import Watch
from monitor.config import CheckBase, ConfigError, ConfigFile, LoadedConfig
from monitor.history.inbox import Command, waiting
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.history.results import ResultLog
from monitor.history.snapshot import (
    Applied,
    ChannelInfo,
    CheckerInfo,
    Notice,
    OpenAlert,
    Snapshot,
)
from monitor.model import Flag, Json, Result, Severity
from monitor.probes import Setting, redacted
from monitor.probes.pool import ProbePool
from monitor.state import CheckState, Transition
from monitor.units import to_rfc3339, utc_now
from monitor.vantage import Eyesight, View

log = logging.getLogger(__name__)

BEAT_S = 1.0
# A change of status is published this soon after the last publication, not each by itself.
SOON_S = 0.2
TICK_S = 0.2
LOCK_RETRY_S = 2.0
COMPACT_EVERY_S = 600.0
DELIVERY_WORKERS = 8
LAST_MESSAGES_S = 6.0
APPLIED_KEPT = 500


class Checker:
    """The one checker of a data folder. `start` and `stop` are for the owner; all else is its own thread's."""

    def __init__(
        self, file: ConfigFile, data: Path | None = None, start_demo: bool = True, deliver_only: bool = False
    ) -> None:
        """`deliver_only`: carry out commands and deliver messages, but start no check by its schedule."""
        self.file = file
        self.data = (data or file.path.parent / "data").resolve()
        self._start_demo = start_demo
        self._deliver_only = deliver_only
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.role = "starting"
        self.ready = threading.Event()

    def start(self) -> None:
        """Start the thread; ConfigError when there is no configuration to begin with."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.file.read()
        self._thread = threading.Thread(target=self._live, name="checker", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the thread to end and wait for it: what is known is on disk afterwards. Callable twice."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout_s)

    def _live(self) -> None:
        lock = FileLock(self.data / "checker.lock", timeout=0)
        while not self._stopping.is_set():
            try:
                lock.acquire()
            except Timeout:
                if self.role != "follower":
                    log.warning("another checker holds %s: this one follows and shows", lock.lock_file)
                self.role = "follower"
                self.ready.set()
                self._stopping.wait(LOCK_RETRY_S)
                continue
            except OSError:
                log.exception("the lock %s cannot be taken: check who owns the data folder", lock.lock_file)
                self.role = "locked out"
                self._stopping.wait(LOCK_RETRY_S)
                continue
            try:
                self.role = "leader"
                leader = Leader(self.file, self.data, self._start_demo, self._deliver_only)
                leader.run(self._stopping, self.ready.set)
            except Exception:  # the edge of the thread: say so, let go of the lock, try again
                log.exception("the checker broke and starts again")
                self._stopping.wait(LOCK_RETRY_S)
            finally:
                lock.release()


class Leader:
    """The checker that holds the lock."""

    def __init__(self, file: ConfigFile, data: Path, start_demo: bool, deliver_only: bool) -> None:
        self._data = data
        self._deliver_only = deliver_only
        self._started_at = utc_now()
        self._configuration = Configuration(file, start_demo)
        self._loop = Loop()
        general = self._configuration.loaded.config.general
        self._probes = ProbePool(general.workers, general.connections)
        self._deliveries = ThreadPoolExecutor(DELIVERY_WORKERS, thread_name_prefix="deliver")
        self._chores = ThreadPoolExecutor(2, thread_name_prefix="chore")
        self._results = ResultLog(data / "results")
        self._audit = JsonlWriter(data / "audit.jsonl", fsync=True)
        self._watch = Watch(self._loop, self._probes, self._on_verdict, on_view=self._on_view)
        self._parents = Parents(self._loop, self._watch, self._judge_again)
        self._desk = AlertDesk(data / "alerts.jsonl", self._loop, self._deliveries, self._chores, self._rerun)
        self._orders = Orders(self._watch, self._desk, self._results)
        self._timetable = Timetable(self._watch.start)
        self._publisher = Publisher(data / "state.json")
        self._applied: deque[Applied] = deque(maxlen=APPLIED_KEPT)
        self._carried_out: deque[str] = deque(maxlen=10 * APPLIED_KEPT)
        self._notices: dict[str, Notice] = {}
        self._urgent = True
        self._next_beat = 0.0
        self._next_inbox = 0.0
        self._next_compaction = time.monotonic() + 60.0

    def run(self, stopping: threading.Event, on_ready: Callable[[], None]) -> None:
        """Check until told to stop, then leave everything on disk."""
        self._configure(self._configuration.loaded, restored_states(self._data, self._configuration.loaded.checks))
        self._publish()
        self._publisher.settle()
        on_ready()
        try:
            while not stopping.is_set():
                self._loop.run(min(TICK_S, self._timetable.idle_s()))
                self._timetable.run_due()
                if time.monotonic() >= self._next_inbox:
                    self._take_commands()
                if self._urgent or self._desk.has_news:
                    self._commit()
                if time.monotonic() >= (self._next_beat - BEAT_S + SOON_S if self._urgent else self._next_beat):
                    self._beat()
        finally:
            self._end()

    # configuration

    def _configure(self, loaded: LoadedConfig, states: dict[str, CheckState] | None = None) -> None:
        redact = loaded.environment.redactor()
        setting = Setting.of(loaded, self._data)
        self._desk.configure(redact)
        self._desk.outbox.configure(build_channels(loaded), loaded.config.general.wall_url)
        self._parents.configure(loaded.checks)
        was_blind = states is not None and not self._deliver_only and self._desk.book.blindness() is not None
        gone = self._watch.configure(
            loaded.checks, setting, partial(redacted, redact), loaded.config.vantage, was_blind
        )
        if states is not None:
            self._watch.adopt(states)
            gone_names = {a.resource for a in self._desk.book.open() if a.source == "check"} - set(loaded.checks)
        else:
            gone_names = {watched.check.name for watched in gone}
        for name in gone_names:
            self._desk.removed(name)
        self._timetable.plan([] if self._deliver_only else turns(self._watch.watched.values(), utc_now()))
        self._notices.pop("config", None)
        self._urgent = True
        # Thousands of checks, which stay.
        garbage.settle()

    def _look_at_config(self) -> None:
        self._configuration.look(self._chores, lambda read: self._loop.post(partial(self._reloaded, read)))

    def _reloaded(self, read: Future[LoadedConfig]) -> None:
        self._urgent = True
        file = self._configuration.path.name
        try:
            loaded = self._configuration.outcome(read)
        except ConfigError as error:
            log.error("%s is invalid, the last good configuration goes on:\n%s", file, error)
            text = f"{file} is invalid; the last good configuration is running"
            self._notices["config"] = Notice("error", text, tuple(error.errors))
            return
        self._configure(loaded)
        log.info("%s is read: %d checks", file, len(loaded.checks))
        self._note("config", file, "checker", f"{len(loaded.checks)} checks, {loaded.digest}")

    # verdicts and commands

    def _on_verdict(self, check: CheckBase, state: CheckState, result: Result, change: Transition | None) -> None:
        self._results.add(result)
        self._judge(check, state, result.at)
        self._parents.judged(check.name, state)
        if change:
            self._urgent = True
            # A start is no news: thousands of checks go from unknown to OK.
            level = logging.DEBUG if state.ticks == "O" else logging.INFO
            log.log(
                level,
                "%s: %s -> %s%s",
                check.name,
                change.before,
                change.after,
                f" ({state.message})" if state.kind else "",
            )

    def _judge(self, check: CheckBase, state: CheckState, at: datetime) -> None:
        judged = self._desk.judge(check, state, at, self._parents.hold)
        if judged.alert and not judged.alert.is_open:
            self._watch.flag(check.name, Flag.ACKNOWLEDGED, False)
        self._watch.note(check.name, judged.held)

    def _judge_again(self, name: str) -> None:
        if watched := self._watch.watched.get(name):
            self._judge(watched.check, watched.state, utc_now())

    def _on_view(self, view: View) -> None:
        vantage = self._configuration.loaded.config.vantage
        self._desk.see(view, vantage.severity if vantage else Severity.P2)
        self._notices.pop("vantage", None)
        if view.eyesight is Eyesight.BLIND:
            self._notices["vantage"] = Notice("error", "Greenwall cannot see", (view.reason,))
        self._urgent = True

    def _rerun(self, name: str) -> None:
        self._watch.look(name)

    def _take_commands(self) -> None:
        self._next_inbox = time.monotonic() + TICK_S
        try:
            found = [one for one in waiting(self._data / "inbox") if one[1].id not in self._carried_out]
            for path, command in found:
                self._carry_out(command)
                # What it asked for is on disk before the asking is gone.
                self._commit()
                path.unlink(missing_ok=True)
        except OSError as error:
            self._own_trouble("inbox", "commands cannot be read or removed; who owns data/inbox?", error)
        else:
            self._notices.pop("inbox", None)

    def _carry_out(self, command: Command) -> None:
        self._carried_out.append(command.id)
        try:
            applied = self._orders.carry_out(command)
        except Exception as error:  # the edge: a command that breaks us is answered, once, and not tried for ever
            log.exception("command %s broke", command.verb)
            applied = Applied(command.id, False, f"Greenwall broke on this command: {type(error).__name__}")
        self._applied.append(applied)
        self._urgent = True
        # Nobody did it: a ping asks for a look as a schedule does, and may come each second.
        if command.by != pings.BY:
            self._note(command.verb.value, command.target, command.by, applied.detail, command.id, applied.ok)

    def _note(self, action: str, target: str, by: str, detail: str, command: str = "", ok: bool = True) -> None:
        line: dict[str, Json] = {
            "at": to_rfc3339(utc_now()),
            "by": by,
            "action": action,
            "target": target,
            "ok": ok,
            "detail": detail,
        }
        line["command"] = command
        try:
            self._audit.append([to_line(line)])
        except OSError as error:
            self._own_trouble("audit", "the audit file cannot be written", error)

    # disk

    def _commit(self) -> None:
        """Put on disk what has happened: results before the state that contains them."""
        try:
            try:
                self._results.flush()
            finally:
                # A disk that takes no results must not keep an alert from going out.
                self._desk.commit()
        except OSError as error:
            self._own_trouble("disk", "results cannot be written; they are kept in memory", error)
        else:
            if self._notices.pop("disk", None):
                log.warning("results can be written again")

    def _own_trouble(self, key: str, text: str, error: OSError) -> None:
        if key not in self._notices:
            log.error("%s: %s", text, error)
        self._notices[key] = Notice("error", f"Greenwall's own trouble: {text}", (str(error),))

    def _beat(self) -> None:
        self._next_beat = time.monotonic() + BEAT_S
        self._commit()
        self._look_at_config()
        if time.monotonic() >= self._next_compaction:
            self._next_compaction = time.monotonic() + COMPACT_EVERY_S
            self._chores.submit(
                _compact, self._data / "results", utc_now(), self._configuration.loaded.config.general.retention_days
            )
        if not self._publisher.is_busy:
            self._publish()

    def _publish(self) -> None:
        if error := self._publisher.trouble:
            self._own_trouble("state", "state.json cannot be written", error)
        else:
            self._notices.pop("state", None)
        self._urgent = False
        watched, now = self._watch.watched, utc_now()
        changed = [watched[name] for name in self._watch.dirty if name in watched]
        self._watch.dirty.clear()
        snapshot = Snapshot(
            updated_at=now,
            checker=self._info(now),
            alerts=tuple(OpenAlert.of(alert) for alert in self._desk.book.open()),
            notices=(*self._notices.values(), *self._fault_notice()),
            applied=tuple(self._applied),
            channels=tuple(ChannelInfo(c.name, c.type, c.problem) for c in self._desk.outbox.channels.values()),
        )
        self._publisher.publish(snapshot, watched, changed)

    def _info(self, now: datetime) -> CheckerInfo:
        return CheckerInfo(
            pid=os.getpid(),
            started_at=self._started_at,
            heartbeat_at=now,
            config_digest=self._configuration.loaded.digest,
            timezone=self._configuration.loaded.config.general.timezone,
            lateness_s=self._watch.lateness(),
            in_flight=self._watch.in_flight,
            queued=self._probes.queued,
            results=self._watch.results,
            overruns=self._watch.overruns,
            demo_url=self._configuration.demo_url,
        )

    def _fault_notice(self) -> tuple[Notice, ...]:
        if not self._loop.faults:
            return ()
        text = f"Greenwall's own trouble: {self._loop.faults} jobs of the checker broke; the log has the tracebacks"
        return (Notice("error", text, (self._loop.last_fault,)),)

    def _end(self) -> None:
        self._probes.shutdown(wait=False, cancel_futures=True)
        self._watch.sight.close()
        self._chores.shutdown(wait=False, cancel_futures=True)
        self._loop.run(0.1)
        self._commit()
        # Messages on their way get a moment, so that they are marked as sent and not sent again after the start;
        # what does not end in time is still in the outbox then.
        give_up_at = time.monotonic() + LAST_MESSAGES_S
        while self._desk.outbox.is_busy and time.monotonic() < give_up_at:
            self._loop.run(TICK_S)
        self._desk.outbox.stop()
        self._deliveries.shutdown(wait=False, cancel_futures=True)
        self._commit()
        self._publisher.settle()
        self._publish()
        self._publisher.close()
        self._results.close()
        self._desk.close()
        self._audit.close()
        self._configuration.stop_demo()
        garbage.release()


def _compact(results: Path, now: datetime, retention_days: int) -> None:
    # The database is loaded when it is first needed, a minute after the start.
    from monitor.history.compaction import compact

    compact(results, now, retention_days)
