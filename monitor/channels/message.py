"""What is said: one message, composed once, that every channel carries in its own form.

    Alert, event, now ──compose──▶ Message: subject ─▶ all   text ─▶ chats and mail   html ─▶ mail   facts ─▶ webhook

Pure. Title, message, notes and names came from targets and people: here they become plain, bounded and escaped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from html import escape
from urllib.parse import quote

from monitor.alerts import Alert
from monitor.model import Event, Json, Kind, Severity
from monitor.units import format_duration, plain, seconds_between, to_rfc3339

MANUAL = "manual"
# Short enough that the link below it survives the 1000 characters of the tightest chat.
_SHOWN = 400
_KEPT = 4000
_COLOURS = {
    Severity.P1: ("#b71c1c", "#ffffff"),
    Severity.P2: ("#d84315", "#ffffff"),
    Severity.P3: ("#ffb300", "#212121"),
    Severity.P4: ("#1565c0", "#ffffff"),
}
_GREEN = ("#2e7d32", "#ffffff")


@dataclass(frozen=True)
class Message:
    """One thing to tell. `key` is the same whenever the same thing is told again.

    `status` is the word of the subject: FAIL, ALERT (sent by hand), OK, CLOSED (ended by a person, which says
    nothing of the target). `opening_key` is the key of the message that opened the alert, empty when this is it.
    """

    key: str
    event: str
    subject: str
    text: str
    html: str
    severity: Severity
    status: str
    facts: Mapping[str, Json]
    opening_key: str = ""

    @property
    def is_end(self) -> bool:
        return self.event == Event.RECOVERED

    @property
    def alert(self) -> Mapping[str, Json]:
        """The part of `facts` that describes the alert; empty when there is none."""
        alert = self.facts.get("alert")
        return alert if isinstance(alert, Mapping) else {}


def compose(alert: Alert, event: str, wall_url: str | None, now: datetime) -> Message:
    """Return the message for `first_fail`, `deadline_miss`, `recovered` or `manual`.

    `wall_url` is where people reach the wall; without it there is no link. `now` dates what is not over yet.
    """
    is_end = event == Event.RECOVERED
    status = _status(alert, event)
    heading = _heading(alert, event, status, now)
    rows = _rows(alert, is_end, wall_url, now)
    return Message(
        key=f"{alert.id}:{event}",
        event=str(event),
        subject=harmless(f"[{alert.severity.value} {status}] {heading}", 150),
        text="\n".join([heading, "", *(f"{label}: {value}" for label, value in rows)]),
        html=_html(heading, rows, _GREEN if is_end else _COLOURS[alert.severity]),
        severity=alert.severity,
        status=status,
        facts=_facts(alert, event, status),
        opening_key=f"{alert.id}:{_opening_event(alert)}" if is_end else "",
    )


def harmless(text: str, limit: int = _SHOWN) -> str:
    """Return `units.plain` of the text, and without lone surrogates, which no encoder accepts."""
    return plain(text[: limit * 4].encode("utf-8", "replace").decode(), limit)


def _status(alert: Alert, event: str) -> str:
    if event == MANUAL:
        return "ALERT"
    if event != Event.RECOVERED:
        return "FAIL"
    return "OK" if alert.resolved_by == "checker" else "CLOSED"


def _opening_event(alert: Alert) -> str:
    queued = [n.event for n in alert.notifications.values() if n.event != Event.RECOVERED]
    if queued:
        return queued[0]
    if alert.source == MANUAL:
        return MANUAL
    return Event.DEADLINE_MISS.value if alert.kind is Kind.DEADLINE else Event.FIRST_FAIL.value


def _heading(alert: Alert, event: str, status: str, now: datetime) -> str:
    if event != Event.RECOVERED:
        return harmless(alert.title, 120)
    lasted = format_duration(_lasted_s(alert, now))
    verb = "recovered" if status == "OK" else f"closed by {harmless(alert.resolved_by, 40)}"
    return f"{harmless(alert.resource, 60)} {verb} after {lasted}"


def _lasted_s(alert: Alert, now: datetime) -> float:
    return max(seconds_between(alert.opened_at, alert.resolved_at or now), 0.0)


def _rows(alert: Alert, is_end: bool, wall_url: str | None, now: datetime) -> list[tuple[str, str]]:
    """Return what is known, the most urgent first; rows with nothing to say are left out."""
    rows = [
        ("Where", harmless(alert.resource, 120)),
        ("Since", _since(alert, is_end, now)),
        ("How bad", f"{alert.severity.value} ({alert.severity.word}), {alert.category.value}"),
        ("Why", f"{alert.kind.value}: {harmless(alert.message)}" if alert.kind else harmless(alert.message)),
        ("How it ended", harmless(alert.resolution) if is_end else ""),
        ("Acknowledged by", harmless(alert.acknowledged_by, 80)),
        ("Sent by", harmless(alert.by, 80) if alert.source == MANUAL else ""),
        (
            "Details",
            f"{wall_url.rstrip('/')}/check?name={quote(_encodable(alert.resource), safe='')}" if wall_url else "",
        ),
        ("Runbook", harmless(alert.runbook or "", 1000)),
        ("Owner", harmless(alert.owner or "", 120)),
    ]
    return [(label, value) for label, value in rows if value]


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _since(alert: Alert, is_end: bool, now: datetime) -> str:
    opened, lasted_s = show_time(alert.opened_at), _lasted_s(alert, now)
    if is_end:
        return f"{opened} until {show_time(alert.resolved_at or now)} ({format_duration(lasted_s)})"
    # A message that waited for a dead mail server must not read as if it had just happened.
    return opened if lasted_s < 60 else f"{opened} ({format_duration(lasted_s)} ago)"


def show_time(at: datetime) -> str:
    """Return `2026-11-21 14:03:07Z`."""
    return to_rfc3339(at)[:19].replace("T", " ") + "Z"


def _facts(alert: Alert, event: str, status: str) -> dict[str, Json]:
    about: dict[str, Json] = {
        "id": alert.id,
        "title": harmless(alert.title, _KEPT),
        "message": harmless(alert.message, _KEPT),
        "resource": harmless(alert.resource, _KEPT),
        "severity": alert.severity.value,
        "category": alert.category.value,
        "kind": alert.kind.value if alert.kind else None,
        "source": alert.source,
        "opened_at": to_rfc3339(alert.opened_at),
        "resolved_at": to_rfc3339(alert.resolved_at) if alert.resolved_at else None,
        "acknowledged_by": harmless(alert.acknowledged_by) or None,
        "runbook": harmless(alert.runbook or "", _KEPT) or None,
        "owner": harmless(alert.owner or "", _KEPT) or None,
    }
    return {"version": 1, "key": f"{alert.id}:{event}", "event": str(event), "status": status, "alert": about}


_FONT = "font-family:-apple-system,Segoe UI,Roboto,Helvetica,Arial,sans-serif;font-size:15px;line-height:1.45"


def _html(heading: str, rows: list[tuple[str, str]], colours: tuple[str, str]) -> str:
    """Return a page of tables and inline styles: mail programs drop style sheets, and some know no other layout."""
    back, front = colours
    lines = "".join(
        f'<tr><td style="padding:4px 16px 4px 0;color:#616161;vertical-align:top;white-space:nowrap">{label}</td>'
        f'<td style="padding:4px 0;color:#212121;word-break:break-word">{_cell(value)}</td></tr>'
        for label, value in rows
    )
    return (
        '<!doctype html><html><head><meta charset="utf-8"></head><body style="margin:0;padding:0;background:#f5f5f5">'
        f'<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="{_FONT}">'
        '<tr><td align="center" style="padding:16px">'
        '<table role="presentation" width="600" cellpadding="0" cellspacing="0" '
        'style="max-width:600px;width:100%;background:#ffffff">'
        f'<tr><td bgcolor="{back}" style="padding:14px 20px;background:{back};color:{front};font-size:18px;'
        f'font-weight:bold">{escape(heading)}</td></tr>'
        '<tr><td style="padding:14px 20px">'
        f'<table role="presentation" cellpadding="0" cellspacing="0" style="{_FONT}">{lines}</table>'
        "</td></tr></table></td></tr></table></body></html>"
    )


def _cell(value: str) -> str:
    shown = escape(value)
    is_link = value.startswith(("http://", "https://")) and " " not in value
    return f'<a href="{shown}" style="color:#1565c0">{shown}</a>' if is_link else shown
