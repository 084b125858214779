"""A webhook: the message's facts as JSON, or a body of one's own, POSTed to a URL, signed.

Idempotency-Key           the same whenever the same is told again
X-Greenwall-Timestamp     seconds since 1970, when this request was made
X-Greenwall-Signature     sha256=HEX, the HMAC-SHA256 by the secret of `TIMESTAMP.BODY`; only with a secret
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import quote

from jinja2 import Template
from markupsafe import Markup

from monitor.channels.channel import Delivering, NotDelivered, Receipt
from monitor.channels.facts import more_about
from monitor.channels.message import Message, compose
from monitor.channels.preview import sample
from monitor.channels.templates import rendered, sandbox
from monitor.channels.web import bearer, post
from monitor.channels.wording import Letterhead
from monitor.units import did_you_mean, utc_now


@dataclass(frozen=True)
class Webhook(Delivering):
    """POSTs to `url`, with `token` as a bearer token, signed with `secret`, the body by `template`: when there are."""

    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    template: str = field(default="", repr=False)
    now: Callable[[], datetime] = utc_now
    type: str = "webhook"

    def _deliver(self, message: Message) -> Receipt:
        body = self.body(message)
        stamp = str(int(self.now().timestamp()))
        # The key may hold the name of a channel in any script; a header holds Latin-1 without line ends.
        headers = {"Idempotency-Key": quote(message.key, safe=":-._~"), "X-Greenwall-Timestamp": stamp}
        headers["Content-Type"] = "application/json" if is_json(body) else "text/plain; charset=utf-8"
        if self.secret:
            headers["X-Greenwall-Signature"] = signature(self.secret, stamp, body)
        answer = post(self.edge, self.url, body, bearer(self.token), headers, reads=False)
        return self._taken(f"accepted with {answer.code}")

    def body(self, message: Message) -> bytes:
        """Return what is sent; NotDelivered where the template breaks."""
        if not self.template:
            return json.dumps(dict(message.facts)).encode()
        try:
            return _rendered(self.template, message)
        except Exception as error:  # whoever wrote it may divide by zero, and would again at the next try
            raise NotDelivered(f"template: {type(error).__name__}: {error}", permanent=True) from error


def _rendered(source: str, message: Message) -> bytes:
    return rendered(body_template(source), _words(message)).encode("utf-8", "replace")


def _words(message: Message) -> dict[str, Any]:
    """Return what a template may name; all of it is always there, so that one serves messages of one and of several."""
    parts = {"subject": message.subject, "text": message.text, "html": message.html, "short": message.short}
    told: dict[str, Any] = {"alerts": (), "summary": message.subject} | dict(message.facts)
    if "alert" not in told:
        first = dict(told["alerts"][0]["alert"]) | more_about(message.members[0].alert)
        told["alert"] = _Worst(first | {"title": f"{first['title']}, and {len(message.members) - 1} more"})
    return told | parts


class _Worst(dict[str, Any]):
    """The worst alert of several. `{% if alert %}` asks whether it is the only one."""

    def __bool__(self) -> bool:
        return False


def template_problem(source: str, now: datetime) -> str:
    """Return why this template gives no body, tried on messages of one and of several alerts; empty when it does."""
    for told in (sample(now), sample(now, "recovered"), sample(now, count=3)):
        message = compose(told, "preview", Letterhead("https://wall.example.org"), now)
        try:
            body = _rendered(source, message)
        except Exception as error:  # noqa: BLE001 - whoever wrote it may divide by zero
            return f"template: {type(error).__name__}: {_plainly(str(error), _words(message))}"
        if _is_object(source) and not is_json(body):
            return "template: it begins like JSON, and what it gives is none"
    return ""


def _plainly(said: str, words: Mapping[str, Any]) -> str:
    """Return Jinja's sentence about a name that is not there, with the nearest that is."""
    if unknown := re.fullmatch(r"'(\w+)' is undefined", said):
        return f"{said}{did_you_mean(unknown[1], words)}; it may name {', '.join(sorted(words))}"
    if unknown := re.fullmatch(r"'.* object' has no attribute '(\w+)'", said):
        return f"{said}{did_you_mean(unknown[1], words['alert'])}"
    return said


def signature(secret: str, stamp: str, body: bytes) -> str:
    """Return the value of X-Greenwall-Signature, for whoever sends and whoever checks."""
    return "sha256=" + hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()


@cache
def body_template(source: str) -> Template:
    """Return the template of a body; jinja2.TemplateSyntaxError when it is none.

    In one that begins with a brace or a bracket, values stand between quotes and are escaped for JSON by themselves;
    `| tojson` gives a value with its quotes.
    """
    return sandbox(finalize=_within_quotes if _is_object(source) else None).from_string(source)


def _is_object(source: str) -> bool:
    return source.lstrip()[:1] in ("{", "[") and source.lstrip()[:2] not in ("{{", "{%", "{#")


def _within_quotes(value: Any) -> Any:
    return json.dumps(value)[1:-1] if isinstance(value, str) and not isinstance(value, Markup) else value


def is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True
