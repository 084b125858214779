"""Text messages by Twilio: the shortest form, to each number by itself, and what became of each."""

from __future__ import annotations

import base64
from collections import OrderedDict
from dataclasses import dataclass, field

from monitor.channels.channel import Delivering, NotDelivered, Receipt
from monitor.channels.message import Message
from monitor.channels.web import Login, post

API = "https://api.twilio.com"
# Messages of which it is remembered who has them already.
_REMEMBERED = 200


@dataclass(frozen=True)
class Sms(Delivering):
    """Sends from one number to several. What could be sent to some of them only is sent again to the others only."""

    account: str
    token: str = field(repr=False)
    sender: str
    to: tuple[str, ...]
    api: str = API
    type: str = "sms"
    _has: OrderedDict[str, set[str]] = field(default_factory=OrderedDict, repr=False, compare=False)

    def _deliver(self, message: Message) -> Receipt:
        has = self._has.setdefault(message.key, set())
        while len(self._has) > _REMEMBERED:
            self._has.popitem(last=False)
        failed: dict[str, NotDelivered] = {}
        for number in self.to:
            if number not in has:
                try:
                    self._send_to(number, message.short)
                    has.add(number)
                except NotDelivered as error:
                    failed[number] = error
        return self._receipt(len(has), failed)

    def _send_to(self, number: str, text: str) -> None:
        login = base64.b64encode(f"{self.account}:{self.token}".encode()).decode()
        url = f"{self.api}/2010-04-01/Accounts/{self.account}/Messages.json"
        form = {"To": number, "Body": _in_gsm(text)} | {_sender_key(self.sender): self.sender}
        post(self.edge, url, form, Login(f"Basic {login}"))

    def _receipt(self, accepted: int, failed: dict[str, NotDelivered]) -> Receipt:
        detail = f"accepted for {accepted} of {len(self.to)} numbers"
        if not failed:
            return self._taken(detail)
        detail = "; ".join([detail, *(f"{number}: {error.detail}" for number, error in failed.items())])
        passing = [error for error in failed.values() if not error.permanent]
        if not passing and accepted:
            return self._taken(detail)
        waits = [error.retry_after_s for error in passing if error.retry_after_s is not None]
        raise NotDelivered(detail, permanent=not passing, retry_after_s=max(waits, default=None))


def _in_gsm(text: str) -> str:
    """Return the text without the one letter that would make the network count 70 to a message instead of 160."""
    return f"{text[:-3]}..." if text.endswith("…") else text


def _sender_key(sender: str) -> str:
    return "MessagingServiceSid" if sender.startswith("MG") else "From"
