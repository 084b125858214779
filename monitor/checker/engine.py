"""The checker that leads: restore, loop (due, outcomes, commands, publish), leave everything on disk.

    configure ─ restore ─▶ loop: verdicts ─▶ alerts, rules, remedies ─▶ disk ─▶ messages ─▶ state.json

Writes state.json at least each second, which is its heartbeat: whoever reads an old one knows that nobody looks.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from monitor import garbage
from monitor.alerts import CHECKER, Alert, Muted
from monitor.channels import Channel, Letterhead, build_channels, read_templates, remarks_on
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.audit import Audit, Troubles
from monitor.checker.commanding import Commanding
from monitor.checker.configuration import Configuration, turns
from monitor.checker.excuse import excused
from monitor.checker.loop import Loop
from monitor.checker.orders import Orders
from monitor.checker.outbox import Delivered
from monitor.checker.parents import Parents
from monitor.checker.publish import Publisher
from monitor.checker.remedying import Remedies
from monitor.checker.restore import restored_states
from monitor.checker.ruling import Ruling
from monitor.checker.silencing import Silencing
from monitor.checker.timetable import Timetable
from monitor.checker.watch import Watch
from monitor.checker.whom import Whom
from monitor.config import CheckBase, ConfigError, ConfigFile, LoadedConfig
from monitor.history import child
from monitor.history.results import ResultLog
from monitor.history.snapshot import ChannelInfo, CheckerInfo, Notice, OpenAlert, Snapshot
from monitor.model import Flag, Result, Severity
from monitor.probes import Setting, redacted
from monitor.probes.pool import ProbePool
from monitor.silences import end
from monitor.state import CheckState, Transition
from monitor.units import utc_now
from monitor.vantage import Eyesight, View

log = logging.getLogger(__name__)

BEAT_S = 1.0
# A change of status is published this soon after the last publication, not each by itself.
SOON_S = 0.2
TICK_S = 0.2
COMPACT_EVERY_S = 600.0
# A channel sends one message at a time: so many may hang and none waits. Threads begin when they are needed.
DELIVERY_WORKERS = 64
LAST_MESSAGES_S = 6.0


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
        self._troubles = Troubles()
        self._audit = Audit(data / "audit.jsonl", self._troubles)
        self._watch = Watch(self._loop, self._probes, self._on_verdict, on_view=self._on_view)
        self._parents = Parents(self._loop, self._watch, self._judge_again)
        self._silencing = Silencing(data / "silences.jsonl")
        self._desk = AlertDesk(data / "alerts.jsonl", self._loop, self._deliveries)
        self._ruling = Ruling(self._desk, self._loop, self._chores, data / "results")
        self._remedies = Remedies(self._loop, self._watch, self._desk.book, self._desk.record, self._audit.note)
        self._orders = Orders(self._watch, self._desk, self._silencing, self._remedies, self._results)
        self._commanding = Commanding(data / "inbox", self._orders, self._audit, self._troubles, self._commit)
        self._timetable = Timetable(self._watch.start)
        self._publisher = Publisher(data / "state.json")
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
                    self._next_inbox = time.monotonic() + TICK_S
                    self._urgent |= self._commanding.take()
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
        self._orders.configure(loaded.config)
        self._parents.configure(loaded.checks)
        was_blind = states is not None and not self._deliver_only and self._desk.book.blindness() is not None
        self._watch.configure(loaded.checks, setting, partial(redacted, redact), loaded.config.vantage, was_blind)
        if states is not None:
            self._watch.adopt(states)
        enabled = {name for name, check in loaded.checks.items() if check.enabled}
        for name in {alert.resource for alert in self._desk.book.open() if alert.source == "check"} - enabled:
            self._desk.removed(name, name in loaded.checks)
        self._configure_telling(loaded, states is not None)
        self._timetable.plan([] if self._deliver_only else turns(self._watch.watched.values(), utc_now()))
        self._troubles.over("config")
        self._urgent = True
        # Thousands of checks, which stay.
        garbage.settle()

    def _configure_telling(self, loaded: LoadedConfig, is_start: bool) -> None:
        channels = build_channels(loaded)
        for remark in () if self._deliver_only else remarks_on(loaded, channels):
            log.warning("%s:%d: %s", loaded.path.name, remark.line, remark.text)
        whom = Whom.of(loaded, channels, self._muted, self._desk.book.of)
        general = loaded.config.general
        templates, problems = read_templates(loaded.folder)
        self._troubles.over("messages")
        if problems:
            text = "templates that cannot be used: the built-in ones are"
            self._troubles.say("messages", Notice("warn", text, problems))
        letterhead = Letterhead(general.wall_url, general.timezone, templates)
        self._desk.outbox.configure(channels, whom.ways, whom.joining, letterhead)
        self._silencing.configure(loaded)
        self._silencing.turned(utc_now())
        self._silencing.flag(self._watch, utc_now())
        self._desk.configure(whom.world, loaded.environment.redactor(), is_start)
        self._ruling.configure(loaded)
        self._remedies.configure(loaded)

    def _muted(self, alert: Alert, now: datetime) -> Muted | None:
        return self._silencing.muted(alert, now) or excused(alert, self._watch, now)

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
            self._troubles.say("config", Notice("error", text, tuple(error.errors)))
            return
        self._configure(loaded)
        log.info("%s is read: %d checks", file, len(loaded.checks))
        self._audit.note("config", file, "checker", f"{len(loaded.checks)} checks, {loaded.digest}")

    # verdicts and commands

    def _on_verdict(self, check: CheckBase, state: CheckState, result: Result, change: Transition | None) -> None:
        self._results.add(result)
        self._judge(check, state, result.at)
        self._ruling.judge(check, state, result, result.at)
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
        self._remedies.judged(check, state, self._desk.book.latest(check.name), at)

    def _judge_again(self, name: str) -> None:
        if watched := self._watch.watched.get(name):
            self._judge(watched.check, watched.state, utc_now())

    def _on_view(self, view: View) -> None:
        vantage = self._configuration.loaded.config.vantage
        self._desk.see(view, vantage.severity if vantage else Severity.P2)
        self._troubles.over("vantage")
        if view.eyesight is Eyesight.BLIND:
            self._troubles.say("vantage", Notice("error", "Greenwall cannot see", (view.reason,)))
        self._urgent = True

    # silences and time

    def _look_at_the_clock(self) -> None:
        now = utc_now()
        self._end_silences(now)
        if self._silencing.turned(now):
            self._silencing.flag(self._watch, utc_now())
            self._desk.look_again()
            self._urgent = True
        self._desk.tick(now)

    def _end_silences(self, now: datetime) -> None:
        """End those that were to hold until an alert is over: looked at each time, for a crash may come between."""
        for silence in self._silencing.outlived(self._desk.book.get):
            try:
                self._silencing.store(end(silence, CHECKER, f"alert {silence.until_resolved} is over", now))
            except OSError as error:
                self._troubles.own("silences", "silences.jsonl cannot be written", error)

    # disk

    def _commit(self) -> bool:
        """Put on disk what has happened, results before the state that contains them; return whether it is there."""
        try:
            try:
                self._results.flush()
            finally:
                # A disk that takes no results must not keep an alert from going out.
                self._desk.commit()
        except OSError as error:
            self._troubles.own("disk", "results cannot be written; they are kept in memory", error)
            return False
        self._remedies.start()
        if self._troubles.over("disk"):
            log.warning("results can be written again")
        return True

    def _beat(self) -> None:
        self._next_beat = time.monotonic() + BEAT_S
        self._look_at_the_clock()
        self._commit()
        self._look_at_config()
        if time.monotonic() >= self._next_compaction:
            self._next_compaction = time.monotonic() + COMPACT_EVERY_S
            days = self._configuration.loaded.config.general.retention_days
            self._chores.submit(_compact, self._data / "results", utc_now(), days)
            self._desk.forget(utc_now() - timedelta(days=days))
        if not self._publisher.is_busy:
            self._publish()

    def _publish(self) -> None:
        if error := self._publisher.trouble:
            self._troubles.own("state", "state.json cannot be written", error)
        else:
            self._troubles.over("state")
        self._urgent = False
        watched, now = self._watch.watched, utc_now()
        changed = [watched[name] for name in self._watch.dirty if name in watched]
        self._watch.dirty.clear()
        snapshot = Snapshot(
            updated_at=now,
            checker=self._info(now),
            alerts=tuple(OpenAlert.of(alert) for alert in self._desk.book.open()),
            notices=(*self._troubles.notices, *self._fault_notice(), *self._ended_notices(now), *self._rule_notice()),
            applied=tuple(self._commanding.applied),
            channels=tuple(self._channel_info(channel) for channel in self._desk.outbox.channels.values()),
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

    def _channel_info(self, channel: Channel) -> ChannelInfo:
        outbox = self._desk.outbox
        known = outbox.delivered.get(channel.name, Delivered())
        waiting = outbox.waiting.get(channel.name, 0)
        return ChannelInfo(
            channel.name, channel.type, channel.problem, known.sent, known.failed, waiting, known.delay_s, known.trouble
        )

    def _rule_notice(self) -> tuple[Notice, ...]:
        notice = self._ruling.notice()
        return (notice,) if notice else ()

    def _ended_notices(self, now: datetime) -> Iterator[Notice]:
        for silence in self._silencing.just_ended(now):
            note = f", {silence.note}" if silence.note else ""
            covered = [a for a in self._desk.book.open() if not a.untold and silence.match.covers(a.subject)]
            became = ": what is open was told" if covered else ""
            yield Notice("info", f"{silence.word} {silence.id} ({silence.match}{note}) has ended{became}")

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
        self._silencing.close()
        self._audit.close()
        self._configuration.stop_demo()
        garbage.release()


def _compact(results: Path, now: datetime, retention_days: int) -> None:
    try:
        child.compact(results, now, retention_days)
    except OSError as error:
        log.error("compaction broke; the files stay as they are: %s", error)
