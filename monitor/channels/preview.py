"""Messages before there is trouble: samples, what a test of a channel says, and whether templates of one's own work.

messages/subject.txt, text.txt, html.txt, short.txt beside checks.yaml ──read_templates──▶ Templates, problems
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from jinja2 import Template, TemplateSyntaxError

from monitor.alerts import CHECKER, Alert, Notification
from monitor.channels.message import Message, Told, compose
from monitor.channels.templates import NAMES, Templates, compiled, rendered
from monitor.channels.wording import ACKNOWLEDGED, MANUAL, TEST, Letterhead
from monitor.model import Category, Event, Kind, Severity

FOLDER = "messages"
FORMATS = NAMES
_LONGEST_BYTES = 100_000


def sample(now: datetime, event: str = Event.FIRST_FAIL.value, count: int = 1) -> list[Told]:
    """Return what `compose` takes for so many made-up alerts; `event` is what is told of the first one."""
    alerts = [_sample(now, number) for number in range(count)]
    if event == Event.RECOVERED:
        alerts[0] = replace(alerts[0], resolved_at=now, resolved_by=CHECKER, resolution="recovered")
    if event == ACKNOWLEDGED:
        alerts[0] = replace(alerts[0], acknowledged_at=now, acknowledged_by="ann")
    return [_told(alert, event if alert is alerts[0] else alert.opening) for alert in alerts]


def told_of(alert: Alert, event: str = "") -> list[Told]:
    """Return what `compose` takes for this alert; without an event for its opening, or its end when it is over."""
    return [_told(alert, event or (alert.opening if alert.is_open else Event.RECOVERED.value))]


def preview(told: Sequence[Told], letterhead: Letterhead, now: datetime) -> Mapping[str, str]:
    """Return the message in each of FORMATS, as channels get it; nothing is sent."""
    message = compose(told, "preview", letterhead, now)
    return {"subject": message.subject, "text": message.text, "html": message.html, "short": message.short}


def trial_message(channel: str, by: str, letterhead: Letterhead, now: datetime) -> Message:
    """Return what the `test` button of a channel sends."""
    alert = Alert(
        id=f"test-{now:%Y%m%dT%H%M%S}",
        type=TEST,
        resource="Greenwall",
        source=MANUAL,
        title=f"This is a test of channel {channel}, sent by {by}",
        message="Nothing is broken, and there is nothing to do.",
        severity=Severity.P4,
        category=Category.SYSTEM,
        kind=None,
        opened_at=now,
        by=by,
        opening=TEST,
    )
    return compose([_told(alert, TEST, channel)], f"{alert.id}:{channel}", letterhead, now)


def read_templates(folder: Path) -> tuple[Templates, tuple[str, ...]]:
    """Return the templates of `folder/messages`, and a sentence for each that cannot be used: the built-in one is then.

    Each is tried on messages of every kind, so that a wrong name is said when it is written, not when it is needed.
    """
    own: dict[str, Template] = {}
    problems = []
    for path in sorted((folder / FOLDER).glob("*.txt")):
        if path.stem not in NAMES:
            problems.append(f"{FOLDER}/{path.name}: expected one of {', '.join(f'{name}.txt' for name in NAMES)}")
            continue
        try:
            own[path.stem] = _tried(path)
        except (OSError, ValueError) as error:
            problems.append(f"{FOLDER}/{path.name}: {error}")
    return Templates(own), tuple(problems)


def _tried(path: Path) -> Template:
    """Return the template of this file; ValueError or OSError when it cannot be used."""
    with path.open("rb") as file:
        raw = file.read(_LONGEST_BYTES + 1)
    if len(raw) > _LONGEST_BYTES:
        raise ValueError(f"expected at most {_LONGEST_BYTES} bytes")
    try:
        template = compiled(path.stem, raw.decode("utf-8"))
    except TemplateSyntaxError as error:
        raise ValueError(f"line {error.lineno}: {error.message}") from error
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error
    now = datetime.fromisoformat("2026-11-21T14:03:07+00:00")
    for told in (*(sample(now, event) for event in _EVENTS), sample(now, count=30)):
        _try(template, path.stem, told, now)
    return template


_EVENTS = ("first_fail", "recovered", "acknowledged", "escalation-1", "reminder-1", "raised-P1")


def _try(template: Template, name: str, told: Sequence[Told], now: datetime) -> None:
    letterhead = Letterhead("https://wall.example.org", templates=_Strict({name: template}))
    try:
        written = preview(told, letterhead, now)[name]
    except Exception as error:  # whoever wrote it may divide by zero
        raise ValueError(f"{type(error).__name__}: {error}") from error
    if not written:
        raise ValueError(f"it is empty for {told[0][1].event}")


class _Strict(Templates):
    """Lets a template of one's own break."""

    def render(self, name: str, words: Mapping[str, object]) -> str:
        own = self.own.get(name)
        return rendered(own, words).strip() if own else super().render(name, words)


def _told(alert: Alert, event: str, channel: str = "preview") -> Told:
    notification = Notification(alert.id, event, channel, alert.opened_at, batch="preview")
    return alert, notification


def _sample(now: datetime, number: int) -> Alert:
    return Alert(
        id=f"a-{number:010x}",
        type="http",
        resource="orders-db" if number == 0 else f"shop-{number}",
        source="check",
        title=f"{'orders-db' if number == 0 else f'shop-{number}'} answers with an error",
        message="status is 503, expected 200; it was 200 until 14:02:35Z",
        severity=Severity.P1 if number == 0 else Severity.P3,
        category=Category.DATABASE,
        kind=Kind.STATUS,
        opened_at=now - timedelta(minutes=12),
        runbook="https://wiki.example.org/orders-db",
        owner="team-orders",
        tags=("storefront",),
        metadata={"impact": "nobody can pay"},
        recommendations=("See what the database logs: `journalctl -u postgresql -n 100`", "Restart the pool"),
        related_logs="FATAL: sorry, too many clients already",
        affected_users=1200,
        previous="2026-11-02, ann: raised max_connections",
        count=3,
        last_seen_at=now,
    )
