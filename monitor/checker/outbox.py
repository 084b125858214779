"""The outbox: every message is stored before it is sent and marked after, so that a crash loses none.

    queued ──▶ send in a pool ──▶ sent
                  │ fails for now: wait (its own Retry-After, else 5 s, 30 s, 2 min) and again
                  └ fails for good, or too often, or is not configured ──▶ gave_up, and the console gets it

At least once: a crash between sending and marking sends again, with the same idempotency key.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from functools import partial

from monitor.alerts import Alert, AlertEvent, Notification, What
from monitor.channels import Channel, Receipt, compose
from monitor.checker.loop import Loop
from monitor.model import Event
from monitor.units import utc_now

log = logging.getLogger(__name__)
WAITS_S = (5.0, 30.0, 120.0)
CONSOLE = "console"


class Outbox:
    """Delivers queued notifications. `record` stores an event and folds it into the book."""

    def __init__(
        self,
        loop: Loop,
        pool: Executor,
        record: Callable[[AlertEvent], Alert | None],
        find: Callable[[str], Alert | None],
    ) -> None:
        self._find = find
        self._loop = loop
        self._pool = pool
        self._record = record
        self._on_its_way: set[str] = set()
        self._waits: set[str] = set()
        self._stopped = False
        self._wall_url: str | None = None
        self.channels: Mapping[str, Channel] = {}
        self.sent = 0
        self.failed = 0

    def configure(self, channels: Mapping[str, Channel], wall_url: str | None) -> None:
        self.channels = channels
        self._wall_url = wall_url

    @property
    def is_busy(self) -> bool:
        return bool(self._on_its_way)

    def stop(self) -> None:
        """Send nothing more: what is queued stays in the outbox for the next start."""
        self._stopped = True

    def deliver(self, alert: Alert, notification: Notification) -> None:
        """Send it unless it is on its way, waits for its next try, or is at its end. It must be stored already.

        That it is over is said on each channel after that it began.
        """
        if self._stopped or notification.ended or notification.key in self._on_its_way | self._waits:
            return
        if notification.event == Event.RECOVERED and _opening_is_open(alert, notification.channel):
            return
        channel = self.channels.get(notification.channel)
        if channel is None or not channel.configured:
            self._end(alert, notification, _unusable(notification.channel, channel))
            return
        self._on_its_way.add(notification.key)
        message = compose(alert, notification.event, self._wall_url, utc_now())
        future = self._pool.submit(channel.send, message)
        future.add_done_callback(lambda done: self._loop.post(partial(self._delivered, alert, notification, done)))

    def _delivered(self, alert: Alert, notification: Notification, future: Future[Receipt]) -> None:
        self._on_its_way.discard(notification.key)
        if future.cancelled():
            return
        error = future.exception()
        if error is not None:
            # The edge of delivering: a bug in a channel is a failed delivery, with its traceback in the log.
            log.error("channel %s broke", notification.channel, exc_info=error)
            self._end(alert, notification, f"Greenwall's channel broke: {type(error).__name__}")
            return
        receipt = future.result()
        if receipt.ok:
            self.sent += 1
            self._mark(alert, notification, What.SENT, receipt.detail)
            self._go_on(alert, notification.channel)
        elif receipt.permanent or notification.attempts >= len(WAITS_S):
            self._end(alert, notification, receipt.detail)
        else:
            self._again(alert, notification, receipt)

    def _again(self, alert: Alert, notification: Notification, receipt: Receipt) -> None:
        wait_s = receipt.retry_after_s or WAITS_S[notification.attempts]
        self._mark(alert, notification, What.FAILED, f"{receipt.detail}; again in {wait_s:.0f} s")
        self._waits.add(notification.key)
        self._loop.after(wait_s, partial(self._retry, alert.id, notification.key))

    def _retry(self, alert_id: str, key: str) -> None:
        self._waits.discard(key)
        alert = self._find(alert_id)
        if alert:
            self.deliver(alert, alert.notifications[key])

    def _go_on(self, alert: Alert, channel: str) -> None:
        """Send what waited on this channel for the message before it."""
        now = self._find(alert.id)
        for notification in now.notifications.values() if now else ():
            if now and notification.channel == channel:
                self.deliver(now, notification)

    def _end(self, alert: Alert, notification: Notification, detail: str) -> None:
        self.failed += 1
        after = self._mark(alert, notification, What.GAVE_UP, detail)
        self._go_on(alert, notification.channel)
        key = f"{alert.id}:{notification.event}:{CONSOLE}"
        if after is None or notification.channel == CONSOLE or key in after.notifications:
            return
        data = {"event": notification.event, "channel": CONSOLE}
        queued = self._record(AlertEvent(utc_now(), What.QUEUED, alert.id, note="fallback", data=data))
        if queued:
            self.deliver(queued, queued.notifications[key])

    def _mark(self, alert: Alert, notification: Notification, what: What, detail: str) -> Alert | None:
        data = {"key": notification.key, "channel": notification.channel, "event": notification.event}
        return self._record(AlertEvent(utc_now(), what, alert.id, note=detail, data=data))


def _opening_is_open(alert: Alert, channel: str) -> bool:
    return any(
        n.channel == channel and n.event != Event.RECOVERED and n.ended is None for n in alert.notifications.values()
    )


def _unusable(name: str, channel: Channel | None) -> str:
    if channel is None:
        return f"channel {name!r} is no longer configured"
    return f"unconfigured: {channel.problem}"
