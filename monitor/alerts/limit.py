"""The limit of a channel's messages an hour, as the record tells it: whether it is used up, and until when. Pure.

`lanes` decides by what it has sent itself; whoever only reads counts the receipts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitor.alerts.alert import Alert
from monitor.alerts.record import What

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class UsedUp:
    """A channel has sent as many messages as it may in an hour; the next one may go at about `until`."""

    per_hour: int
    until: datetime


def used_up(alerts: Iterable[Alert], channel: str, per_hour: int, since: datetime, now: datetime) -> UsedUp | None:
    """Return that the limit holds the channel's messages back, None while it does not.

    `since` is the start of the checker, which begins to count then. Several alerts in one message count once.
    """
    begin = max(since, now - _HOUR)
    sent = {
        n.batch: n.ended_at
        for alert in alerts
        for n in alert.notifications.values()
        if n.channel == channel and n.ended is What.SENT and n.ended_at and n.ended_at > begin
    }
    newest = sorted(sent.values())[-per_hour:]
    return UsedUp(per_hour, newest[0] + _HOUR) if len(newest) == per_hour else None
