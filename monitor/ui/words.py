"""How the pages say things: the same signs, words and colours everywhere, never by colour alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.alerts import AlertStatus
from monitor.model import Flag, Severity, Status
from monitor.units import format_duration, in_zone, seconds_between, utc_now
from monitor.units import local as local
from monitor.units import short as short

SIGNS = {Status.OK: "✓", Status.WARN: "!", Status.FAIL: "✕", Status.UNKNOWN: "?"}
_COLOURS = {Status.OK: "green", Status.WARN: "orange", Status.FAIL: "red", Status.UNKNOWN: "gray"}
_ALERT_COLOURS = {
    AlertStatus.ACTIVE: "red",
    AlertStatus.ACKNOWLEDGED: "orange",
    AlertStatus.SUPPRESSED: "blue",
    AlertStatus.RESOLVED: "green",
    AlertStatus.EXPIRED: "gray",
}
_FLAG_SIGNS = {
    Flag.PAUSED: "‖",
    Flag.MAINTENANCE: "‖",
    Flag.CONFIRMING: "…",
    Flag.ACKNOWLEDGED: "☑",
    Flag.FLAPPING: "↕",
    Flag.MUTED: "⊘",
}
# Markdown makes links of bare addresses, escaped or not. A joiner of no width ends the address; nothing else is seen.
_ADDRESS = re.compile(r"(?i)\b(?:https?:(?=//)|www(?=\.))")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])")


def md(text: str) -> str:
    """Return untrusted text so that Markdown shows it as it is: no links, images, HTML, maths or colours."""
    return _MARKDOWN.sub(r"\\\1", _ADDRESS.sub("\\g<0>\u2060", " ".join(text.split())))


def status_badge(status: Status) -> str:
    """Return the chip of a status, as Markdown."""
    return f":{_COLOURS[status]}-badge[{SIGNS[status]} {status.value}]"


def alert_badge(status: AlertStatus) -> str:
    return f":{_ALERT_COLOURS[status]}-badge[{status.value}]"


def severity_badge(severity: Severity) -> str:
    return f":gray-badge[{severity.value} {severity.word}]"


def flag_badges(flags: Iterable[Flag]) -> str:
    colours = {Flag.FLAPPING: "orange"}
    return " ".join(
        f":{colours.get(flag, 'blue')}-badge[{_FLAG_SIGNS.get(flag, '')} {flag.value}]" for flag in sorted(flags)
    )


def ago(at: datetime) -> str:
    """Return how long ago that was: `12 m ago`."""
    return f"{format_duration(max(seconds_between(at, utc_now()), 0))} ago"


def until(at: datetime, timezone: str) -> str:
    """Return a time to come as briefly as it is told: `16:58`, on another day `Sun 22 Nov 16:58`."""
    there, now = in_zone(at, timezone), utc_now().astimezone(ZoneInfo(timezone))
    return f"{there:%H:%M}" if there.date() == now.date() else f"{there:%a %d %b %H:%M}"
