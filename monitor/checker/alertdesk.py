"""The alert desk: asks the policy what happens and `telling` who is told, stores it, and has the outbox send it.

    verdict, report, person, edit ──policy──▶ events ─┬─▶ alerts.jsonl ──▶ outbox
                         time, silence ──telling──────┘

Everything that telling depends on may change meanwhile: it is asked again when its time has come, when another alert
of the resource ends, and for all that is open when silences or the configuration change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from monitor.alerts import (
    GIVE_UP_AFTER,
    Alert,
    AlertEvent,
    Decision,
    Hold,
    Report,
    What,
    World,
    counted_every_s,
    due_at,
    ended_by_hand,
    on_blind,
    on_removed,
    on_report,
    on_sight,
    on_time,
    on_verdict,
    redacted,
    tell,
)
from monitor.checker.advice import advice_on
from monitor.checker.loop import Loop
from monitor.checker.outbox import Outbox
from monitor.config import CheckBase
from monitor.history.alertlog import forget, read_book
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.model import Severity
from monitor.state import CheckState
from monitor.units import seconds_between, utc_now
from monitor.vantage import Eyesight, View

log = logging.getLogger(__name__)
FORGOTTEN_TOGETHER = 100


@dataclass(frozen=True, slots=True)
class Judged:
    """What a verdict did: the alert that it opened or closed, or why the opening is held back."""

    alert: Alert | None = None
    held: str = ""


_NOTHING = Judged()


@dataclass(slots=True)
class _Counted:
    """Reports of an open alert that are not stored yet."""

    report: Report
    by: str
    times: int
    at: datetime


class AlertDesk:
    """Owns `alerts.jsonl` and the book that it tells. Belongs to the loop's thread."""

    def __init__(self, path: Path, loop: Loop, pool: Executor) -> None:
        self._writer = JsonlWriter(path, fsync=True)
        self.book = read_book(path)
        self.outbox = Outbox(loop, pool, self._on_delivery, self.book)
        self._world: World | None = None
        self._redact: Callable[[str], str] = str
        self._unstored: list[AlertEvent] = []
        self._again: dict[str, datetime] = {}
        self._counted: dict[str, _Counted] = {}
        self._ticked_at = utc_now()

    def configure(self, world: World, redact: Callable[[str], str], is_start: bool) -> None:
        """Take in who is to be told now: what is open is asked anew, and what a crash has left undone is done."""
        self._world, self._redact = world, redact
        self.look_again()
        # Older messages would have been given up by now.
        for alert in self.book.ended_since(utc_now() - GIVE_UP_AFTER) if is_start else ():
            self._tell(alert)

    def forget(self, before: datetime) -> None:
        """Forget alerts that ended before that time, once there are enough to be worth writing the file anew."""
        file, old = self._writer.path.name, {alert.id for alert in self.book.ended_before(before)}
        if len(old) < FORGOTTEN_TOGETHER:
            return
        try:
            forget(self._writer, old, before)
        except OSError as error:
            log.error("old alerts cannot be taken out of %s, they stay: %s", file, error)
            return
        self.book.forget(old)
        log.info("%s: %d alerts are forgotten: past retention_days", file, len(old))

    def look_again(self) -> None:
        """Ask anew for all that is open: silences or the configuration have changed."""
        for alert in self.book.open():
            self._tell(alert)

    def judge(self, check: CheckBase, state: CheckState, now: datetime, hold: Hold) -> Judged:
        """Act on a verdict; `hold` is asked only when an alert is about to open, and says why it must not yet."""
        latest = self.book.latest(check.name)
        decision = on_verdict(check, state, latest, now, hold, self.book.held(check.name), advice_on)
        # Almost every verdict is OK and has nobody to tell.
        if not decision.events and not decision.is_held:
            return Judged(held=why) if (why := ended_by_hand(state, latest)) else _NOTHING
        return Judged(self.take(decision), decision.reason if decision.is_held else "")

    def report(self, report: Report, by: str, now: datetime) -> Alert | None:
        """Open the alert of a report, or count it up: a flood of the same is stored now and then only."""
        same = self.book.same(report.type, report.resource)
        if same is None:
            return self.take(on_report(report, None, self.book.last(report.type, report.resource), by, now))
        times = self._counted[same.id].times if same.id in self._counted else 0
        self._counted[same.id] = _Counted(report, by, times + 1, now)
        is_news = report.severity < same.severity or seconds_between(same.seen_at, now) >= counted_every_s(same, now)
        return self._count(same) if is_news else same

    def count_of(self, alert: Alert) -> int:
        """Return how often it was seen, with what is not stored yet."""
        counted = self._counted.get(alert.id)
        return alert.count + (counted.times if counted else 0)

    def _count(self, alert: Alert) -> Alert | None:
        counted = self._counted.pop(alert.id)
        return self.take(on_report(counted.report, alert, None, counted.by, counted.at, counted.times))

    def see(self, view: View, severity: Severity) -> None:
        """Say once that Greenwall itself cannot see, and once that it sees again."""
        alert, now = self.book.blindness(), utc_now()
        if view.eyesight is Eyesight.BLIND:
            log.error("Greenwall cannot see: %s", view.reason)
            self.take(on_blind(alert, severity, view.reason, now))
        else:
            log.info("Greenwall sees again: %s", view.reason)
            self.take(on_sight(alert, view.reason, now))

    def removed(self, name: str, is_disabled: bool = False) -> None:
        """Close the alert of a check that is no longer configured, or not enabled, and tell who was told of it."""
        alert = self.book.latest(name)
        if alert and alert.is_open:
            what = "is not enabled in the configuration" if is_disabled else "was removed from the configuration"
            self.take(on_removed(alert, utc_now(), f"the check {what}"))

    def take(self, decision: Decision) -> Alert | None:
        """Store what was decided and what is to be told of it; return the alert, or None when nothing happened."""
        alert = None
        for event in decision.events:
            if event.what in (What.RESOLVED, What.EXPIRED):
                self._count_last(event)
            alert = self.record(event)
        if alert is None:
            return None
        told = self._tell(alert)
        if not told.is_open:
            # What was less bad than this one may be told now.
            for other in self.book.of(told.resource):
                self._tell(other)
        return told

    def _count_last(self, event: AlertEvent) -> None:
        alert = self.book.get(event.alert)
        counted = self._counted.pop(event.alert, None)
        if alert and counted:
            for seen in on_report(counted.report, alert, None, counted.by, counted.at, counted.times).events:
                self.record(seen)

    def tick(self, now: datetime) -> None:
        """Do what is due: suppressions that end, alerts that expire, escalations, reminders, the end of a silence."""
        if now < self._ticked_at:
            # The clock was set back: what was to be asked by it may be years away.
            self.look_again()
        self._ticked_at = now
        for identifier in list(self._counted):
            alert = self.book.get(identifier)
            if alert and seconds_between(alert.seen_at, now) >= counted_every_s(alert, now):
                self._count(alert)
        for identifier in [one for one, at in self._again.items() if at <= now]:
            alert = self.book.get(identifier)
            # Telling one may have told another that was due, too.
            self._again.pop(identifier, None)
            if alert and alert.is_open and not self.take(on_time(alert, now)):
                self._tell(alert)

    @property
    def has_news(self) -> bool:
        """Whether something waits to be stored."""
        return bool(self._unstored)

    def commit(self) -> None:
        """Store new events, then send what they queued. OSError leaves them waiting, but the messages go out."""
        self.outbox.prepare()
        try:
            if self._unstored:
                self._writer.append(to_line(event.to_json()) for event in self._unstored)
                self._unstored.clear()
        finally:
            # A full disk must not silence an alert: it is sent unstored, and may be sent twice.
            self.outbox.send()

    def close(self) -> None:
        self._writer.close()

    def record(self, event: AlertEvent) -> Alert | None:
        """Store an event with the next commit; return its alert after it. What is secret is taken out of its texts."""
        event = redacted(event, self._redact)
        if event.what is What.QUEUED:
            event = self.outbox.stamped(event)
        self._unstored.append(event)
        alert = self.book.apply(event)
        for instead in self.outbox.take(event) if event.what is What.QUEUED else ():
            alert = self.record(instead) or alert
        return alert

    def _on_delivery(self, event: AlertEvent) -> Alert | None:
        alert = self.record(event)
        # Another channel has been told instead: if it is over by now, that one must hear it, too.
        return self._tell(alert) if alert and event.what is What.QUEUED and not alert.is_open else alert

    def _tell(self, alert: Alert) -> Alert:
        if self._world is None:
            # What is open is told once it is known whom.
            return alert
        telling = tell(alert, self._world, utc_now())
        for event in telling.events:
            alert = self.record(event) or alert
        again_at = min(filter(None, (telling.again_at, due_at(alert) if alert.is_open else None)), default=None)
        if again_at:
            self._again[alert.id] = again_at
        else:
            self._again.pop(alert.id, None)
        return alert
