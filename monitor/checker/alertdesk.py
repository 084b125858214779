"""The alert desk: asks the policy, stores what it decides, hands messages to the outbox and remedies to a pool."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from monitor.alerts import (
    Alert,
    AlertBook,
    AlertEvent,
    Decision,
    What,
    may_not_open,
    on_blind,
    on_removed,
    on_sight,
    on_verdict,
)
from monitor.channels import default_route
from monitor.checker.loop import Loop
from monitor.checker.outbox import Outbox
from monitor.config import CheckBase, HttpPost, make_redactor
from monitor.history.alertlog import read_events
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.model import Json, Severity, Status
from monitor.remedy import Tried, cooling_down, run_action
from monitor.state import CheckState
from monitor.units import utc_now
from monitor.vantage import Eyesight, View

log = logging.getLogger(__name__)
Hold = Callable[[CheckBase, CheckState], str]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a verdict did: the alert that it opened or closed, or why the opening is held back."""

    alert: Alert | None = None
    held: str = ""


_NOTHING = Judged()


class AlertDesk:
    """Owns `alerts.jsonl` and the book that it tells. Belongs to the loop's thread."""

    def __init__(self, path: Path, loop: Loop, pool: Executor, chores: Executor, rerun: Callable[[str], None]) -> None:
        self._writer = JsonlWriter(path, fsync=True)
        self.book = AlertBook(read_events(path))
        self.outbox = Outbox(loop, pool, self._record, self.book.get)
        self._loop = loop
        self._chores = chores
        self._rerun = rerun
        self._redact: Callable[[str], str] = make_redactor(())
        self._unstored: list[AlertEvent] = []
        self._undelivered: set[str] = {n.alert for n in self.book.outbox()}
        self._last_remedy = _last_remedies(self.book)

    def configure(self, redact: Callable[[str], str]) -> None:
        """`redact` takes secrets out of what remedies say: an exception's text can hold the URL that it was for."""
        self._redact = redact

    def judge(self, check: CheckBase, state: CheckState, now: datetime, hold: Hold) -> Judged:
        """Act on a verdict; `hold` is asked only when an alert is about to open, and says why it must not yet."""
        latest = self.book.latest(check.name)
        # Almost every verdict is OK and has nobody to tell.
        if state.status is not Status.FAIL:
            decision = on_verdict(check, state, latest, (), now)
            return Judged(self.take(decision)) if decision.events else _NOTHING
        reason = "" if may_not_open(state, latest) else hold(check, state)
        route = default_route(self.outbox.channels, check.channels)
        decision = on_verdict(check, state, latest, route, now, reason, self.book.held(check.name))
        alert = self.take(decision)
        if alert and decision.events[0].what is What.OPENED:
            self._try_remedies(check, alert, now)
        return Judged(alert, decision.reason if decision.is_held else "")

    def see(self, view: View, severity: Severity) -> None:
        """Say once that Greenwall itself cannot see, and once that it sees again."""
        alert, now = self.book.blindness(), utc_now()
        if view.eyesight is Eyesight.BLIND:
            log.error("Greenwall cannot see: %s", view.reason)
            route = default_route(self.outbox.channels, None)
            self.take(on_blind(alert, severity, view.reason, route, now))
        else:
            log.info("Greenwall sees again: %s", view.reason)
            self.take(on_sight(alert, view.reason, now))

    def removed(self, name: str) -> None:
        """Close the alert of a check that is no longer configured, and tell who was told of it."""
        alert = self.book.latest(name)
        if alert and alert.is_open and alert.source == "check":
            self.take(on_removed(alert, utc_now()))

    def take(self, decision: Decision) -> Alert | None:
        """Store what was decided; return the alert it is about, or None when nothing happened."""
        alert = None
        for event in decision.events:
            alert = self._record(event)
        return alert

    @property
    def has_news(self) -> bool:
        """Whether something waits to be stored or sent."""
        return bool(self._unstored or self._undelivered)

    def commit(self) -> None:
        """Store new events, then send what they queued. OSError leaves them waiting, but the messages go out."""
        try:
            if self._unstored:
                self._writer.append(to_line(event.to_json()) for event in self._unstored)
                self._unstored.clear()
        finally:
            # A full disk must not silence an alert: it is sent unstored, and may be sent twice.
            self._deliver()

    def close(self) -> None:
        self._writer.close()

    def _deliver(self) -> None:
        waiting, self._undelivered = self._undelivered, set()
        for identifier in waiting:
            alert = self.book.get(identifier)
            if alert:
                for notification in alert.notifications.values():
                    self.outbox.deliver(alert, notification)

    def _record(self, event: AlertEvent) -> Alert | None:
        self._unstored.append(event)
        alert = self.book.apply(event)
        if event.what is What.QUEUED:
            self._undelivered.add(event.alert)
        return alert

    def _try_remedies(self, check: CheckBase, alert: Alert, now: datetime) -> None:
        for index, action in enumerate(check.on_fail.actions):
            key = f"{check.name}#{index}"
            rests = cooling_down(action, self._last_remedy.get(key), now)
            if rests:
                self._note_remedy(alert, key, action, Tried(False, f"not run: {rests}"))
                continue
            self._last_remedy[key] = now
            self._start_remedy(alert, key, action)

    def _start_remedy(self, alert: Alert, key: str, action: HttpPost) -> None:
        future = self._chores.submit(run_action, action)
        future.add_done_callback(lambda done: self._loop.post(partial(self._remedied, alert, key, action, done)))

    def _remedied(self, alert: Alert, key: str, action: HttpPost, future: Future[Tried]) -> None:
        if future.cancelled():
            return
        self._note_remedy(alert, key, action, future.result())
        # Whether it helped is for the check to say, now rather than at its next turn.
        self._rerun(alert.resource)

    def _note_remedy(self, alert: Alert, key: str, action: HttpPost, tried: Tried) -> None:
        data: dict[str, Json] = {
            "key": key,
            "action": action.type,
            "ok": tried.ok,
            "ran": not tried.detail.startswith("not run"),
        }
        note = self._redact(tried.detail)
        log.info("remedy for %s: %s", alert.resource, note)
        self._record(AlertEvent(utc_now(), What.REMEDY, alert.id, note=note, data=data))


def _last_remedies(book: AlertBook) -> dict[str, datetime]:
    """Return when each action ran last, so that a restart does not end its cool-down."""
    events = (event for alert in book.all() for event in alert.events)
    return {str(e.data["key"]): e.at for e in events if e.what is What.REMEDY and e.data.get("ran")}
