"""What goes out next on each channel: joined, in order, again after a failure, and never two at once. Pure.

    queued ─┬─ its bucket is quiet ────────────▶ goes at once, as a message of its own
            └─ one went a moment ago ──▶ waits ─▶ joins what came meanwhile: one message
    on its way ──▶ sent
               ──▶ failed for now: the lane waits (Retry-After, else 5 s doubling to 5 min) and tries again;
               │   after the third time, or when it asks for longer than that, the next channel is told, too, also of
               │   what waits behind it
               └─▶ failed for good, or for a day: given up, the next channel is told

One lane a channel: the oldest first, so that after an outage everything arrives in its order, and a channel that is
down is asked with one message, not with all of them. What makes up a message is recorded before it is sent: after a
crash the same goes out again under the same key.

Times of waiting are seconds of a clock that only goes forward (`clock_s`), so that a clock that is set moves nothing.
"""

from __future__ import annotations

import hashlib
import random
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice

from monitor.alerts.alert import Notification
from monitor.alerts.book import AlertBook
from monitor.alerts.record import LAST_RESORT, AlertEvent, What
from monitor.model import Json, Severity

FIRST_WAIT_S, LONGEST_WAIT_S = 5.0, 300.0
FALLBACK_AFTER = 3
# One message that a channel never takes must not hold up all that come after it.
STUCK_AFTER = 8
GIVE_UP_AFTER = timedelta(hours=24)
JOINED_AT_MOST = 1000
# Nothing could go: what waits for a time is looked at again after this long.
LOOK_AGAIN_S = 0.25
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Joining:
    """What follows the first message of a bucket within `wait_s` is joined, then again every `interval_s`."""

    wait_s: float = 10.0
    interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Way:
    """What is known of a channel: why it cannot send (`problem`), whether it takes several alerts in one message,
    how many messages an hour, who is told instead, and of which severities it is told (empty: all of them)."""

    problem: str = ""
    joins: bool = True
    per_hour: int | None = None
    fallback: str | None = None
    severities: tuple[Severity, ...] = ()


@dataclass(frozen=True, slots=True)
class Dispatch:
    """One message: its idempotency key and what it tells, the oldest first."""

    channel: str
    key: str
    members: tuple[Notification, ...]

    @property
    def attempts(self) -> int:
        return max(member.attempts for member in self.members)

    @property
    def queued_at(self) -> datetime:
        return min(member.queued_at for member in self.members)


@dataclass(slots=True)
class _Lane:
    """`waiting`: keys of notifications, with their alerts; `loose`: those that no message carries yet, by bucket."""

    waiting: dict[str, str] = field(default_factory=dict)
    loose: dict[str, set[str]] = field(default_factory=dict)
    on_its_way: Dispatch | None = None
    blocked_until_s: float = 0.0
    idle_until_s: float = 0.0
    failures: int = 0
    released: dict[str, tuple[int, float]] = field(default_factory=dict)
    sent_s: deque[float] = field(default_factory=deque)

    def add(self, key: str, alert: str, bucket: str, is_loose: bool) -> None:
        self.waiting[key] = alert
        if is_loose:
            self.loose.setdefault(bucket, set()).add(key)
        else:
            self.idle_until_s = 0.0

    def hold_together(self, bucket: str, keys: Iterable[str]) -> None:
        """Take note that a message carries these now."""
        left = self.loose.get(bucket, set()).difference(keys)
        if left:
            self.loose[bucket] = left
        else:
            self.loose.pop(bucket, None)


class Lanes:
    """Decides what is sent next. Whoever calls it stores the events that it returns before anything is sent."""

    def __init__(self, book: AlertBook, jitter: Callable[[], float] = random.random) -> None:
        self._book = book
        self._jitter = jitter
        self._lanes: dict[str, _Lane] = {}
        self._ways: Mapping[str, Way] = {}
        self._joining: Mapping[str, Joining] = {}
        for notification in book.outbox():
            lane = self._lane(notification.channel)
            lane.add(notification.key, notification.alert, notification.bucket, not notification.batch)

    def configure(self, ways: Mapping[str, Way], joining: Mapping[str, Joining]) -> None:
        """`ways` by channel, `joining` by route. What waits after a failure is tried at once: it may be mended."""
        self._ways, self._joining = ways, joining
        for lane in self._lanes.values():
            lane.blocked_until_s = lane.idle_until_s = 0.0

    def cut_short(self, now: datetime) -> Iterator[AlertEvent]:
        """Yield the receipts that a crash left out: a message arrives whole, so all of it was sent if a part was."""
        known = [n for alert in self._book.all() for n in alert.notifications.values() if n.batch]
        arrived = {(n.channel, n.batch): n for n in known if n.ended is What.SENT}
        for member in known:
            if member.ended is None and (told := arrived.get((member.channel, member.batch))):
                yield _told(member, What.SENT, told.detail, now, told.reference)

    @property
    def on_their_way(self) -> int:
        return sum(lane.on_its_way is not None for lane in self._lanes.values())

    @property
    def waiting(self) -> dict[str, int]:
        """How many notifications each channel still has to tell."""
        return {channel: len(lane.waiting) for channel, lane in self._lanes.items() if lane.waiting}

    def stamped(self, event: AlertEvent, clock_s: float) -> AlertEvent:
        """Return the QUEUED event with the message that carries it, when it goes at once."""
        channel, bucket = str(event.data["channel"]), str(event.data.get("bucket") or "")
        batch = ""
        if not event.data.get("not_before") and self._goes_at_once(self._lane(channel), channel, bucket, clock_s):
            batch = f"{event.alert}:{event.data['event']}:{channel}"
        return replace(event, data={**event.data, "batch": batch})

    def take(self, event: AlertEvent) -> list[AlertEvent]:
        """Take note of a QUEUED event that is in the book now; return who is told, too, while its channel is down."""
        data, channel = event.data, str(event.data["channel"])
        key, lane = f"{event.alert}:{data['event']}:{channel}", self._lane(channel)
        lane.add(key, event.alert, str(data.get("bucket") or ""), not data.get("batch"))
        if lane.failures < FALLBACK_AFTER:
            return []
        alert = self._book.get(event.alert)
        notification = alert.notifications.get(key) if alert else None
        if notification is None or not self._may_be_told(notification, event.at):
            return []
        return list(self._instead(channel, [notification], event.at))

    def next(self, now: datetime, clock_s: float) -> Iterator[tuple[Dispatch, tuple[AlertEvent, ...]]]:
        """Yield a message for each lane that is free, with the events that must be stored before it is sent."""
        for channel, lane in self._lanes.items():
            if lane.on_its_way or not lane.waiting or clock_s < max(lane.blocked_until_s, lane.idle_until_s):
                continue
            lane.on_its_way = self._pick(channel, lane, now, clock_s)
            if lane.on_its_way:
                yield lane.on_its_way, _batched(lane.on_its_way, now)
            else:
                lane.idle_until_s = clock_s + LOOK_AGAIN_S

    def sent(self, dispatch: Dispatch, detail: str, reference: str, now: datetime, clock_s: float) -> list[AlertEvent]:
        """Return the end of a message that arrived."""
        lane = self._lane(dispatch.channel)
        lane.on_its_way, lane.blocked_until_s, lane.idle_until_s, lane.failures = None, 0.0, 0.0, 0
        lane.sent_s.append(clock_s)
        return self._end(dispatch, What.SENT, detail, now, reference)

    def failed(
        self,
        dispatch: Dispatch,
        detail: str,
        permanent: bool,
        retry_after_s: float | None,
        now: datetime,
        clock_s: float,
    ) -> list[AlertEvent]:
        """Return what follows from a message that did not arrive."""
        lane = self._lane(dispatch.channel)
        lane.on_its_way = None
        if permanent or now - dispatch.queued_at >= GIVE_UP_AFTER:
            lane.idle_until_s = 0.0
            # In this order: half of it, which is what a crash may leave, must not lose who is told instead.
            instead = self._instead(dispatch.channel, dispatch.members, now)
            return [*instead, *self._end(dispatch, What.GAVE_UP, detail, now)]
        wait_s = retry_after_s or self._wait_s(dispatch.attempts)
        lane.blocked_until_s = clock_s + wait_s
        # Who asks to be left alone for longer than we would wait by ourselves is away for now.
        is_away = retry_after_s is not None and retry_after_s > LONGEST_WAIT_S
        lane.failures = max(lane.failures + 1, FALLBACK_AFTER if is_away else 0)
        note = f"{detail}; again in {wait_s:.0f} s"
        # A channel that is down for a day must not fill the record: after a while one of a message speaks for all.
        members = dispatch.members if dispatch.attempts < STUCK_AFTER else dispatch.members[:1]
        events = [_told(member, What.FAILED, note, now) for member in members]
        if max(lane.failures, dispatch.attempts + 1) < FALLBACK_AFTER:
            return events
        # What waits behind it is told there, too: nobody knows how long this channel stays away.
        behind = [one for one in self._notifications(lane) if self._may_be_told(one, now)]
        return [*events, *self._instead(dispatch.channel, behind, now)]

    def _wait_s(self, attempts: int) -> float:
        return min(FIRST_WAIT_S * 2.0 ** min(attempts, 20), LONGEST_WAIT_S) * (0.75 + 0.5 * self._jitter())

    def _end(self, dispatch: Dispatch, what: What, detail: str, now: datetime, reference: str = "") -> list[AlertEvent]:
        lane = self._lane(dispatch.channel)
        for member in dispatch.members:
            lane.waiting.pop(member.key, None)
        return [_told(member, what, detail, now, reference) for member in dispatch.members]

    def _instead(self, of: str, members: Iterable[Notification], now: datetime) -> Iterator[AlertEvent]:
        """Yield the same for the next channel, unless it is told already."""
        for member in members:
            alert = self._book.get(member.alert)
            channel = self._fallback(of, alert.severity) if alert else None
            if channel and alert and f"{member.alert}:{member.event}:{channel}" not in alert.notifications:
                note = f"instead of {of}"
                data: dict[str, Json] = {"event": member.event, "channel": channel, "bucket": note}
                yield AlertEvent(now, What.QUEUED, member.alert, note=note, data=data)

    def _fallback(self, channel: str, severity: Severity) -> str | None:
        """Return the next channel that can send and is told of what is as bad; the console comes last."""
        seen = {channel}
        while (following := self._way(channel).fallback) and following not in seen:
            way = self._way(following)
            if not way.problem and (not way.severities or severity in way.severities):
                return following
            seen.add(following)
            channel = following
        return None

    def _goes_at_once(self, lane: _Lane, channel: str, bucket: str, clock_s: float) -> bool:
        if not self._way(channel).joins:
            return True
        waits_s = max(self._released_at(lane, bucket), lane.blocked_until_s)
        if clock_s < waits_s or bucket in lane.loose or self._is_over_the_limit(lane, channel, clock_s):
            return False
        self._release(lane, bucket, 1, clock_s)
        return True

    def _release(self, lane: _Lane, bucket: str, count: int, clock_s: float) -> None:
        lane.released.pop(bucket, None)
        lane.released[bucket] = (count, clock_s)
        # The oldest come first. Two for each that comes: there are never more than hold something back.
        for oldest in list(islice(lane.released, 2)):
            if clock_s >= self._released_at(lane, oldest):
                del lane.released[oldest]

    def _released_at(self, lane: _Lane, bucket: str) -> float:
        """Return when the bucket may send next."""
        if bucket not in lane.released:
            return 0.0
        count, last_s = lane.released[bucket]
        joining = self._joining.get(bucket.partition("|")[0], Joining())
        return last_s + (joining.wait_s if count == 1 else joining.interval_s)

    def _is_over_the_limit(self, lane: _Lane, channel: str, clock_s: float) -> bool:
        limit = self._way(channel).per_hour
        while lane.sent_s and lane.sent_s[0] <= clock_s - _HOUR_S:
            lane.sent_s.popleft()
        return limit is not None and len(lane.sent_s) >= limit

    def _pick(self, channel: str, lane: _Lane, now: datetime, clock_s: float) -> Dispatch | None:
        """Return the message of the oldest that may go; what is tried in vain again and again goes behind others."""
        waiting = sorted(self._notifications(lane), key=lambda n: (n.attempts >= STUCK_AFTER, n.queued_at, n.is_end))
        is_over = self._is_over_the_limit(lane, channel, clock_s)
        for first in waiting:
            if first.batch:
                members = [] if self._waits_for_others(first, ()) else [n for n in waiting if n.batch == first.batch]
            elif is_over or clock_s < self._released_at(lane, first.bucket) or not self._may_go(first, now):
                continue
            else:
                alike = [n for n in waiting if not n.batch and n.bucket == first.bucket and self._may_go(n, now)]
                members = self._joined(alike if self._way(channel).joins else [first])
            if members:
                return self._dispatch(channel, lane, members, clock_s)
        return None

    def _may_go(self, notification: Notification, now: datetime) -> bool:
        """Return whether what no message carries yet may be told now: nothing of an alert that somebody suppresses."""
        alert = self._book.get(notification.alert)
        return _is_due(notification, now) and not (alert and alert.suppressed_until)

    def _joined(self, alike: Iterable[Notification]) -> list[Notification]:
        """Return what makes one message: an end is in it when its opening is, or was told before."""
        members: dict[str, Notification] = {}
        for notification in sorted(alike, key=lambda n: n.is_end):
            if len(members) < JOINED_AT_MOST and not self._waits_for_others(notification, members):
                members[notification.key] = notification
        return list(members.values())

    def _dispatch(self, channel: str, lane: _Lane, members: list[Notification], clock_s: float) -> Dispatch:
        first = members[0]
        if not first.batch:
            count, _ = lane.released.get(first.bucket, (0, 0.0))
            self._release(lane, first.bucket, count + 1, clock_s)
            lane.hold_together(first.bucket, (member.key for member in members))
        return Dispatch(channel, first.batch or _key(members), tuple(sorted(members, key=lambda n: n.is_end)))

    def _waits_for_others(self, notification: Notification, together: Container[str]) -> bool:
        """Return whether what it is the end of was not told yet, and is not told with it."""
        alert = self._book.get(notification.alert) if notification.is_end else None
        return any(
            n.channel == notification.channel
            and not n.is_end
            and n.ended is None
            and n.key not in together
            and not (n.batch and n.batch == notification.batch)
            for n in (alert.notifications.values() if alert else ())
        )

    def _notifications(self, lane: _Lane) -> list[Notification]:
        found = []
        for key, identifier in list(lane.waiting.items()):
            alert = self._book.get(identifier)
            notification = alert.notifications.get(key) if alert else None
            if notification and notification.ended is None:
                found.append(notification)
            else:
                del lane.waiting[key]
        return found

    def _may_be_told(self, notification: Notification, now: datetime) -> bool:
        """Return whether it is due, and what it is the end of, too: of that, nobody has heard in quiet hours."""
        alert = self._book.get(notification.alert) if notification.is_end else None
        mine = [n for n in alert.notifications.values() if n.channel == notification.channel] if alert else []
        return all(_is_due(one, now) for one in (notification, *mine) if one.ended is None)

    def _lane(self, channel: str) -> _Lane:
        return self._lanes.setdefault(channel, _Lane())

    def _way(self, channel: str) -> Way:
        gone = Way(problem=f"channel {channel!r} is no longer configured", fallback=LAST_RESORT)
        return self._ways.get(channel, gone)


def _is_due(notification: Notification, now: datetime) -> bool:
    return notification.not_before is None or notification.not_before <= now


def _key(members: Iterable[Notification]) -> str:
    keys = sorted(member.key for member in members)
    return keys[0] if len(keys) == 1 else "joined-" + hashlib.sha256("\n".join(keys).encode()).hexdigest()[:16]


def _batched(dispatch: Dispatch, now: datetime) -> tuple[AlertEvent, ...]:
    return tuple(
        AlertEvent(now, What.BATCHED, member.alert, data={"key": member.key, "batch": dispatch.key})
        for member in dispatch.members
        if not member.batch
    )


def _told(member: Notification, what: What, note: str, now: datetime, reference: str = "") -> AlertEvent:
    data: dict[str, Json] = {"key": member.key, "channel": member.channel, "event": member.event}
    return AlertEvent(now, what, member.alert, note=note, data=data | ({"reference": reference} if reference else {}))
