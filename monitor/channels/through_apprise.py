"""Chats and the long tail: Telegram, Slack, Discord, Teams, and whatever else has an Apprise URL.

Apprise takes half a second to import, so it is imported when the first such channel is configured. A fresh object for
each message: its objects wait seconds between two calls, and are not made for several threads.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType
from typing import Any
from urllib.parse import quote

from monitor.channels.channel import Delivering, Edge, Receipt, hush
from monitor.channels.message import Message
from monitor.channels.text import cut, no_pings, units
from monitor.channels.web import is_permanent
from monitor.model import Severity

# Which of Apprise's services may stand behind a type: a Discord URL in SLACK_WEBHOOK_URL is a mistake.
_SCHEMES = {"telegram": "tgram", "slack": "slack", "discord": "discord", "teams": "workflows"}
_SCHEMES |= {"ntfy": "ntfy", "pushover": "pover", "gotify": "gotify", "matrix": "matrix"}
_EXAMPLES = {"slack": "https://hooks.slack.com/services/T…/B…/…", "discord": "https://discord.com/api/webhooks/…/…"}
_IMITATION = """`type: webhook` with `template: '{"text": {{ text | tojson }}}'`"""
# Slack takes more, but folds it away; the others' limits are Apprise's own figures.
_LIMITS = {"slack": 3000}
# Apprise opens an incident there, but finds it again only by a text that a recovery does not have. Sending anyway
# would open a second one, or report a success that did nothing.
_CANNOT_CLOSE = frozenset(
    {"betterstack", "firehydrant", "goalerts", "ilert", "incidentio", "jira"}
    | {"opsgenie", "pagertree", "signl4", "splunk", "squadcast"}
)
_NOTIFY_TYPES = {Severity.P1: "failure", Severity.P2: "failure", Severity.P3: "warning", Severity.P4: "info"}
_TITLE_MAX = 250
_CODE = re.compile(r"error=(\d{3})\b")
_MARKS = re.compile(r"[\\`*_{}\[\]<>#|~]")
_URL_SAFE = ":/?#[]@!$&'*+,;=%~"


@dataclass(frozen=True)
class ThroughApprise(Delivering):
    """Sends to one Apprise URL, which `check_url` accepts."""

    type: str
    url: str = field(repr=False)

    def _deliver(self, message: Message) -> Receipt:
        target = target_of(self.url, self.edge, incident=message.members[0].alert.id)
        if target is None:
            return Receipt(self.name, ok=False, detail="Apprise does not accept the URL", permanent=True)
        cannot = sorted({scheme for service in target for scheme in _schemes(service)} & _CANNOT_CLOSE)
        if message.is_end and cannot:
            detail = f"{cannot[0]} cannot be told of a recovery through Apprise: close the incident there"
            return Receipt(self.name, ok=False, detail=detail, permanent=True)
        title, body = fit(message, min(_limit(service) for service in target))
        body_format = "text"
        if all("workflows" in _schemes(service) for service in target):
            body, body_format = to_teams(body), "markdown"
        with target.notify(body, title, _notify_type(message), body_format=body_format) as result:
            said = [entry.message for entry in result.logs()]
            return self._receipt(bool(result), said)

    def _receipt(self, ok: bool, said: list[str]) -> Receipt:
        if ok:
            return Receipt(self.name, ok=True, detail="accepted")
        # Apprise hands out no status code, only this sentence. A sentence that changes costs a few vain retries.
        codes = [int(code) for text in said for code in _CODE.findall(text)[-1:]]
        permanent = bool(codes) and all(map(is_permanent, codes))
        return Receipt(self.name, ok=False, detail="; ".join(said) or "not delivered", permanent=permanent)


def check_url(url: str, channel_type: str, edge: Edge) -> str:
    """Return why Apprise cannot use this URL for this type of channel, without quoting it; empty when it can."""
    target = target_of(url, edge)
    if target is None:
        return f"malformed URL: it is no {channel_type} URL that Apprise knows{_instead_of(channel_type)}"
    wanted = _SCHEMES.get(channel_type)
    if wanted and not all(wanted in _schemes(service) for service in target):
        return f"wrong URL: expected one for {channel_type}, got one for {target[0].service_name}"
    return ""


def _instead_of(channel_type: str) -> str:
    """Return what to write for a type whose URLs other services imitate: proxies, Mattermost, Rocket.Chat."""
    example = _EXAMPLES.get(channel_type)
    return f", such as {example}; for what only takes the same JSON write {_IMITATION}" if example else ""


def fit(message: Message, limit: int) -> tuple[str, str]:
    """Return the title and the body so that both together, with a line end and bold marks, are within the limit."""
    title = cut(no_pings(message.subject), min(_TITLE_MAX, limit * 2 // 3))
    said = message.text.partition("\n\n")[2] or message.text
    return title, cut(no_pings(said), limit - units(title) - len("<b></b>\r\n"))


def to_teams(body: str) -> str:
    """Return the body in the Markdown of Teams: a line stays a line, text stays text, our own links can be clicked.

    Apprise's conversion escapes the dots in URLs too, which Teams then does not take for links.
    """
    return "\n\n".join(_link(line) or _MARKS.sub(r"\\\g<0>", line) for line in body.splitlines())


def _link(line: str) -> str:
    found = re.fullmatch(r"(Details|Alert|Silence|Runbook|All of them): (https?://[^\s\\<>…]+)", line)
    return f"[{found[1]}]({quote(found[2], safe=_URL_SAFE)})" if found else ""


def _notify_type(message: Message) -> str:
    return "success" if message.is_end else _NOTIFY_TYPES[message.severity]


def _limit(service: Any) -> int:
    own = int(service.body_maxlen)
    return min([own, *(limit for scheme, limit in _LIMITS.items() if scheme in _schemes(service))])


def _schemes(service: Any) -> frozenset[str]:
    names: Iterable[str | Iterable[str] | None] = (service.protocol, service.secure_protocol)
    return frozenset(name for part in names if part for name in ([part] if isinstance(part, str) else part))


def target_of(url: str, edge: Edge, incident: str = "") -> Any | None:
    """Return Apprise's object for this URL, or None when it accepts none of it, or only a part."""
    apprise = _apprise()
    asset = apprise.AppriseAsset(
        app_id="Greenwall",
        app_desc="Greenwall",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        async_mode=False,
        http_redirects=False,
        pgp_autogen=False,
        pem_autogen=False,
        service_timeout=edge.limit_s,
        storage_mode="memory",
    )
    target = apprise.Apprise(asset=asset)
    if not target.add(_that_resolves(url, incident)) or not len(target):
        return None
    for service in target:
        # Between the recipients of one message it would wait for up to 5.5 s each, past any limit.
        service.request_rate_per_sec = min(service.request_rate_per_sec, 1.0)
    return target


def _that_resolves(url: str, incident: str) -> str:
    """Return a PagerDuty URL that closes on recovery what it opened: by default Apprise only ever opens."""
    if not incident or not url.lower().startswith("pagerduty://") or "action=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}action=map&dedup={quote(incident, safe='')}"


@cache
def _apprise() -> ModuleType:
    # What goes wrong comes back with each result and goes, redacted, into the receipt. Its log is not needed, and
    # holds tokens: at DEBUG the URLs that it posts to, at ERROR those that it does not like.
    logger = logging.getLogger("apprise")
    logger.propagate = False
    logger.addHandler(logging.NullHandler())
    hush("apprise", "urllib3.connectionpool")
    with warnings.catch_warnings():
        # Its plugins load on first use, and one of them asks for a module that Python 3.13 no longer has.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        apprise.Apprise.instantiate("json://localhost")
    return apprise
