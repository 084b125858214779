"""The outbox: sends what the lanes say in a pool, and records how each message ended.

    prepare: a message for each free lane, its make-up recorded ──▶ (stored) ──▶ send: pool ──▶ receipt ──▶ recorded

At least once: a crash between sending and recording sends the same again, under the same idempotency key.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial

from monitor.alerts import LAST_RESORT, Alert, AlertBook, AlertEvent, Dispatch, Joining, Lanes, Notification, Way
from monitor.channels import Channel, Letterhead, Message, Receipt, compose
from monitor.checker.loop import Loop
from monitor.units import seconds_between, utc_now

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Delivered:
    """What went over one channel since the start. `delay_s` is the sum of the times from queued to sent."""

    sent: int = 0
    failed: int = 0
    delay_s: float = 0.0
    trouble: str = ""


class Outbox:
    """Delivers queued notifications. `record` stores an event and folds it into the book. The loop's thread's."""

    def __init__(
        self, loop: Loop, pool: Executor, record: Callable[[AlertEvent], Alert | None], book: AlertBook
    ) -> None:
        self._loop, self._pool, self._record, self._book = loop, pool, record, book
        self._lanes = Lanes(book)
        self._ready: list[Dispatch] = []
        self._stopped = False
        self.letterhead = Letterhead()
        # Removed from the configuration, but somebody there has yet to be told that it is over.
        self._leaving: dict[str, Channel] = {}
        self.channels: Mapping[str, Channel] = {}
        self.delivered: dict[str, Delivered] = {}

    def configure(
        self,
        channels: Mapping[str, Channel],
        ways: Mapping[str, Way],
        joining: Mapping[str, Joining],
        letterhead: Letterhead,
    ) -> None:
        """`ways` by channel, `joining` by route."""
        before, owed = self._leaving | dict(self.channels), self._owed()
        self._leaving = {name: one for name, one in before.items() if name not in channels and name in owed}
        self.channels, self.letterhead = channels, letterhead
        leaving = {name: Way(one.problem, one.joins, None, LAST_RESORT) for name, one in self._leaving.items()}
        self._lanes.configure({**leaving, **ways}, joining)
        for event in self._lanes.cut_short(utc_now()):
            self._record(event)

    @property
    def is_busy(self) -> bool:
        return self._lanes.on_their_way > 0

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many notifications each channel still has to tell."""
        return self._lanes.waiting

    def stop(self) -> None:
        """Send nothing more: what is queued stays in the outbox for the next start."""
        self._stopped = True

    def stamped(self, event: AlertEvent) -> AlertEvent:
        return self._lanes.stamped(event, time.monotonic())

    def take(self, event: AlertEvent) -> list[AlertEvent]:
        return self._lanes.take(event)

    def prepare(self) -> None:
        """Record what makes up the messages that go out next; they are sent by `send`, once that is stored."""
        if self._stopped:
            return
        for dispatch, events in list(self._lanes.next(utc_now(), time.monotonic())):
            for event in events:
                self._record(event)
            self._ready.append(dispatch)

    def send(self) -> None:
        """Send what was prepared."""
        ready, self._ready = self._ready, []
        for dispatch in ready:
            channel = self.channels.get(dispatch.channel) or self._leaving.get(dispatch.channel)
            if channel is None or not channel.configured:
                self._loop.post(partial(self._unusable, dispatch, channel))
            else:
                self._send(channel, dispatch)

    def send_now(self, channel: Channel, message: Message, then: Callable[[Receipt], None]) -> None:
        """Send a message of no alert, such as a test; `then` is called in the loop's thread."""
        future = self._pool.submit(channel.send, message)
        future.add_done_callback(lambda done: self._loop.post(lambda: then(_receipt_of(channel.name, done))))

    def _send(self, channel: Channel, dispatch: Dispatch) -> None:
        told = [(alert, member) for member in dispatch.members if (alert := self._book.get(member.alert))]
        future = self._pool.submit(_write_and_send, channel, told, dispatch.key, self.letterhead)
        future.add_done_callback(partial(self._done, dispatch))

    def _done(self, dispatch: Dispatch, future: Future[Receipt]) -> None:
        """Runs in the pool's thread."""
        if not future.cancelled():
            self._loop.post(lambda: self._ended(dispatch, _receipt_of(dispatch.channel, future)))

    def _unusable(self, dispatch: Dispatch, channel: Channel | None) -> None:
        gone = f"channel {dispatch.channel!r} is no longer configured"
        reason = f"unconfigured: {channel.problem}" if channel else gone
        self._ended(dispatch, Receipt(dispatch.channel, ok=False, detail=reason, permanent=True))

    def _ended(self, dispatch: Dispatch, receipt: Receipt) -> None:
        now, clock_s = utc_now(), time.monotonic()
        count = self.delivered.setdefault(dispatch.channel, Delivered())
        if receipt.ok:
            count.sent += 1
            count.delay_s += max(seconds_between(dispatch.queued_at, now), 0.0)
            count.trouble = ""
            events = self._lanes.sent(dispatch, receipt.detail, receipt.reference, now, clock_s)
        else:
            count.failed += 1
            count.trouble = receipt.detail
            log.warning("channel %s: %s", dispatch.channel, receipt.detail)
            events = self._lanes.failed(
                dispatch, receipt.detail, receipt.permanent, receipt.retry_after_s, now, clock_s
            )
        for event in events:
            self._record(event)

    def _owed(self) -> set[str]:
        """Return channels that somebody has yet to hear from: an alert is open, or a message waits."""
        return {channel for alert in self._book.open() for channel in alert.told} | set(self.waiting)


def _write_and_send(
    channel: Channel, told: Sequence[tuple[Alert, Notification]], key: str, letterhead: Letterhead
) -> Receipt:
    return channel.send(compose(told, key, letterhead, utc_now()))


def _receipt_of(channel: str, future: Future[Receipt]) -> Receipt:
    error = future.exception()
    if error is None:
        return future.result()
    # The edge of delivering: a bug in a channel is a failed delivery, with its traceback in the log.
    log.error("channel %s broke", channel, exc_info=error)
    detail = f"Greenwall's channel broke: {type(error).__name__}"
    return Receipt(channel, ok=False, detail=detail, permanent=True)
