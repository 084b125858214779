"""Mail through SendGrid's API: for where no SMTP goes out. The same mail as `mail` sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.headerregistry import Address

from monitor.channels.channel import Delivering, Receipt
from monitor.channels.mail import to_mail
from monitor.channels.message import Message
from monitor.channels.web import bearer, post_json
from monitor.model import Json

API = "https://api.sendgrid.com"
_HEADERS = ("In-Reply-To", "References", "Auto-Submitted", "Message-ID")


@dataclass(frozen=True)
class SendGrid(Delivering):
    """Sends one mail to all recipients."""

    key: str = field(repr=False)
    sender: Address
    to: tuple[Address, ...]
    api: str = API
    type: str = "email"

    def _deliver(self, message: Message) -> Receipt:
        mail = to_mail(message, self.sender, self.to)
        headers: dict[str, Json] = {name: str(mail[name]) for name in _HEADERS if mail[name]}
        off: dict[str, Json] = {"enable": False}
        body: dict[str, Json] = {
            "personalizations": [{"to": [_address(one) for one in self.to]}],
            "from": _address(self.sender),
            "subject": str(mail["Subject"]),
            "content": [{"type": "text/plain", "value": message.text}, {"type": "text/html", "value": message.html}],
            "headers": headers,
            # Links shall lead where they say, and pages shall not be fetched to see who reads.
            "tracking_settings": {"click_tracking": off, "open_tracking": off},
        }
        post_json(self.edge, f"{self.api}/v3/mail/send", body, bearer(self.key))
        return self._taken(f"accepted for {len(self.to)} recipients", str(mail["Message-ID"]))


def _address(address: Address) -> dict[str, Json]:
    named: dict[str, Json] = {"email": address.addr_spec}
    return named | ({"name": address.display_name} if address.display_name else {})
