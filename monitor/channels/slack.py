"""Slack: by webhook, or as a bot, which keeps one thread for each alert and turns its first message to its state.

opening ──▶ chat.postMessage ──▶ reference "C123:1700000000.000100"
later   ──▶ chat.postMessage in that thread, then chat.update of the first message
"""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.alerts import Notification
from monitor.channels.channel import Delivering, NotDelivered, Receipt
from monitor.channels.message import Message
from monitor.channels.text import body_of, cut, no_pings
from monitor.channels.web import Answer, bearer, post_json
from monitor.channels.wording import Member
from monitor.model import Json

API = "https://slack.com/api"
# Slack takes more, but folds it away.
_TITLE, _TEXT = 250, 2700
# Errors that come with a 200 and pass by themselves: https://docs.slack.dev/reference/methods/chat.postMessage
_PASSING = frozenset(
    {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
    | {"message_limit_exceeded", "team_added_to_org"}
)


@dataclass(frozen=True)
class SlackWebhook(Delivering):
    """Posts to one incoming webhook; also what understands the same, such as Mattermost."""

    url: str = field(repr=False)
    type: str = "slack"

    def _deliver(self, message: Message) -> Receipt:
        post_json(self.edge, self.url, {"attachments": [attachment(message)]})
        return self._taken("accepted")


@dataclass(frozen=True)
class SlackBot(Delivering):
    """Posts to `channel` as the bot of this token."""

    token: str = field(repr=False)
    channel: str
    api: str = API
    type: str = "slack"

    @property
    def wants_acknowledged(self) -> bool:
        return True

    def _deliver(self, message: Message) -> Receipt:
        first = first_message(message)
        body: dict[str, Json] = {"text": _escaped(cut(message.subject, _TITLE)), "attachments": [attachment(message)]}
        channel, _, stamp = first.reference.partition(":") if first else ("", "", "")
        answer = self._call("chat.postMessage", {"channel": channel or self.channel, **body, **_thread(stamp)})
        reference = f"{answer.said.get('channel') or self.channel}:{answer.said.get('ts') or ''}"
        if not first:
            return self._taken("accepted", reference)
        return self._taken(f"accepted in its thread{self._turned(message, first, body)}", reference)

    def _turned(self, message: Message, first: Notification, body: dict[str, Json]) -> str:
        """Show the state in the first message; return what went wrong. What is told is told without it."""
        if len(message.members) > 1 or first.batch != first.key:
            # It tells of other alerts, too.
            return ""
        channel, _, stamp = first.reference.partition(":")
        try:
            self._call("chat.update", {"channel": channel, "ts": stamp, **body})
        except NotDelivered as error:
            return f"; its first message keeps its old state: {error.detail}"
        return ""

    def _call(self, method: str, body: dict[str, Json]) -> Answer:
        # Names and links that a target says shall not be unfolded.
        quiet: dict[str, Json] = {"unfurl_links": False, "unfurl_media": False} if method == "chat.postMessage" else {}
        answer = post_json(self.edge, f"{self.api}/{method}", {**body, **quiet}, bearer(self.token))
        if answer.said.get("ok") is not True:
            error = str(answer.said.get("error") or "no answer that Slack gives")
            raise NotDelivered(f"Slack: {error}", permanent=bool(answer.said) and error not in _PASSING)
        return answer


def first_message(message: Message) -> Notification | None:
    """Return the message that this one belongs below: the only first one of all its alerts."""
    firsts = {one.opening.reference: one.opening for one in message.members if one.opening}
    if len(firsts) != 1 or any(one.opening is None for one in message.members):
        return None
    reference, first = firsts.popitem()
    return first if reference.partition(":")[2] else None


def attachment(message: Message) -> dict[str, Json]:
    """Return the message with its colour and fields. Nothing in it is markup but what Slack makes of links."""
    title = cut(_escaped(message.subject), _TITLE)
    first = message.members[0]
    return {
        "color": first.colours[0],
        "fallback": title,
        "title": title,
        "text": cut(_escaped(body_of(message.text)), _TEXT),
        "fields": _fields(first) if len(message.members) == 1 else [],
        "footer": "Greenwall",
        "ts": int(first.alert.opened_at.timestamp()),
        "mrkdwn_in": [],
    }


def _fields(member: Member) -> list[Json]:
    alert = member.alert
    values = {
        "Severity": f"{alert.severity.value} ({alert.severity.word})",
        "Status": member.status,
        "Category": alert.category.value,
        "Alert": alert.id,
    }
    return [{"title": title, "value": value, "short": True} for title, value in values.items()]


def _thread(stamp: str) -> dict[str, Json]:
    return {"thread_ts": stamp} if stamp else {}


def _escaped(text: str) -> str:
    """Return the text as Slack shows it: https://docs.slack.dev/messaging/formatting-message-text#escaping"""
    return no_pings(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
