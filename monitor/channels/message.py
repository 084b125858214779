"""What is said: one message, composed once, that every channel carries in its own form.

    alerts, events, now ──compose──▶ Message: subject ─▶ all   text ─▶ chats, mail   html ─▶ mail
                                              short ─▶ text messages   facts ─▶ webhook   members ─▶ threads, incidents

Pure. The words are of `wording`, their order of `templates`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.alerts import Alert, Notification
from monitor.channels.facts import facts_of
from monitor.channels.wording import Letterhead, Member, harmless, status_of, words_of_many, words_of_one
from monitor.model import Json, Severity

SHORT = 100
_SUBJECT = 150


@dataclass(frozen=True)
class Message:
    """One thing to tell, of one alert or of several, the worst first. `key` is the same whenever it is told again."""

    key: str
    event: str
    subject: str
    text: str
    html: str
    short: str
    severity: Severity
    status: str
    facts: Mapping[str, Json]
    members: tuple[Member, ...]
    alert_url: str = ""

    @property
    def is_end(self) -> bool:
        """Whether it says of all that they are over."""
        return all(member.is_end for member in self.members)


Told = tuple[Alert, Notification]


def compose(told: Sequence[Told], key: str, letterhead: Letterhead, now: datetime) -> Message:
    """Return the message that tells all this; ValueError when it is nothing.

    `key` is the idempotency key. `now` dates what is not over yet.
    """
    members = _members(told, key)
    if not members:
        raise ValueError("expected at least one alert to tell of")
    words = words_of_one(members[0], letterhead, now) if len(members) == 1 else words_of_many(members, letterhead, now)
    part = letterhead.templates.render
    return Message(
        key=key,
        event=str(words["event"]),
        subject=harmless(part("subject", words), _SUBJECT),
        text=part("text", words),
        html=part("html", words),
        short=harmless(part("short", words), SHORT),
        severity=members[0].alert.severity,
        status=str(words["status"]),
        facts=facts_of(members, key, str(words["heading"]), letterhead),
        members=members,
        alert_url=str(words["alert_url"]),
    )


def _members(told: Sequence[Told], key: str) -> tuple[Member, ...]:
    """Return each alert once, with the last of what is told of it; the worst first."""
    latest = {alert.id: (alert, notification) for alert, notification in told}
    held: dict[str, datetime] = {}
    for alert, notification in told:
        if notification.not_before:
            held[alert.id] = min(held.get(alert.id, notification.queued_at), notification.queued_at)
    members = [
        Member(a, n.event, status_of(a, n.event), _opening(a, n, key), held.get(a.id)) for a, n in latest.values()
    ]
    return tuple(sorted(members, key=lambda m: (m.is_end, m.alert.severity, m.alert.opened_at)))


def _opening(alert: Alert, notification: Notification, key: str) -> Notification | None:
    """Return what told this channel of the alert first, unless this message does."""
    there = (n for n in alert.notifications.values() if n.channel == notification.channel)
    first = next((n for n in there if n.batch and not n.is_end), None)
    return first if first and first.batch != key else None
