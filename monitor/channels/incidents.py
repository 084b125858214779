"""Services that keep incidents: Opsgenie or Jira Service Management, Alertmanager, and what PagerDuty shares with them.

Each alert is one incident there under one key, the alert's id: what opens it, somebody who has it, and its end reach
the same one, however often they are told. A test is opened and closed at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

from monitor.alerts import Alert, What
from monitor.channels.channel import Delivering, Receipt
from monitor.channels.message import Message
from monitor.channels.text import body_of
from monitor.channels.web import Login, bearer, post_json
from monitor.channels.wording import ACKNOWLEDGED, TEST, Member, harmless
from monitor.model import Json, Severity
from monitor.units import to_rfc3339, utc_now

OPSGENIE = "https://api.opsgenie.com"


@dataclass(frozen=True)
class Incidents(Delivering):
    """Tells of each alert by itself: what opens, acknowledges and closes its incident."""

    @property
    def joins(self) -> bool:
        return False

    @property
    def wants_acknowledged(self) -> bool:
        return True

    def _deliver(self, message: Message) -> Receipt:
        for member in message.members:
            if member.is_end:
                self._close(member, message)
            elif member.event == ACKNOWLEDGED:
                self._acknowledge(member, message)
            else:
                self._open(member, message)
                if member.event == TEST:
                    self._close(member, message)
        return self._taken("accepted", reference=message.members[0].alert.id)

    def _open(self, member: Member, message: Message) -> None:
        raise NotImplementedError

    def _acknowledge(self, member: Member, message: Message) -> None:
        raise NotImplementedError

    def _close(self, member: Member, message: Message) -> None:
        raise NotImplementedError


@dataclass(frozen=True)
class Opsgenie(Incidents):
    """By the Alert API, each alert under its alias. `api` is Opsgenie's, its European one's, or that of JSM."""

    key: str = field(repr=False)
    api: str = OPSGENIE
    type: str = "opsgenie"

    def _open(self, member: Member, message: Message) -> None:
        alert = member.alert
        body: dict[str, Json] = {
            "message": harmless(message.subject, 130),
            "alias": alert.id,
            "description": message.text[:15_000],
            "priority": alert.severity.value,
            "source": "Greenwall",
            "entity": harmless(alert.resource, 512),
            "tags": [harmless(tag, 50) for tag in alert.tags[:20]],
            "details": {"alert": alert.id, "category": alert.category.value, "type": harmless(alert.type, 200)},
        }
        self._post("", body)

    def _acknowledge(self, member: Member, message: Message) -> None:
        self._post(self._of(member, "acknowledge"), {"source": "Greenwall", "note": harmless(message.subject)})

    def _close(self, member: Member, message: Message) -> None:
        self._post(self._of(member, "close"), {"source": "Greenwall", "note": harmless(body_of(message.text), 1000)})

    def _of(self, member: Member, action: str) -> str:
        return f"/{quote(member.alert.id, safe='')}/{action}?identifierType=alias"

    def _post(self, path: str, body: dict[str, Json]) -> None:
        post_json(self.edge, f"{self.api.rstrip('/')}/v2/alerts{path}", body, Login(f"GenieKey {self.key}"))


@dataclass(frozen=True)
class Alertmanager(Incidents):
    """By API v2. It forgets what it was told when it restarts, and hears of it again with the next reminder."""

    url: str
    token: str = field(default="", repr=False)
    type: str = "alertmanager"

    @property
    def wants_acknowledged(self) -> bool:
        # Alertmanager knows silences, but nobody who has an alert.
        return False

    def _open(self, member: Member, message: Message) -> None:
        self._post(member, message, is_over=False)

    def _acknowledge(self, member: Member, message: Message) -> None:
        """There is nothing to tell."""

    def _close(self, member: Member, message: Message) -> None:
        self._post(member, message, is_over=True)

    def _post(self, member: Member, message: Message, is_over: bool) -> None:
        one = partial(_to_alertmanager, member.alert, message)
        now = utc_now()
        # Labels are what an alert is there: one whose severity was raised is another one, and the old one is over.
        past = severities_of(member.alert) - {member.alert.severity}
        alerts = [one(severity, min(member.alert.resolved_at or now, now)) for severity in sorted(past)]
        alerts.append(one(member.alert.severity, (member.alert.resolved_at or now) if is_over else None))
        post_json(self.edge, f"{self.url.rstrip('/')}/api/v2/alerts", alerts, bearer(self.token))


def severities_of(alert: Alert) -> set[Severity]:
    """Return every severity that the alert has had."""
    said = (event.data.get("severity") for event in alert.events if event.what in (What.OPENED, What.RAISED))
    return {alert.severity, *(Severity(str(severity)) for severity in said if severity)}


def _to_alertmanager(alert: Alert, message: Message, severity: Severity, ends_at: datetime | None) -> dict[str, Json]:
    labels = {
        "alertname": harmless(alert.type, 200) or "greenwall",
        "resource": harmless(alert.resource, 200),
        "severity": severity.word,
        "priority": severity.value,
        "category": alert.category.value,
        "group": harmless(alert.group, 200),
        "owner": harmless(alert.owner or "", 200),
        "source": "greenwall",
        "alert_id": alert.id,
    }
    annotations = {
        "summary": harmless(alert.title, 1000),
        "description": message.text,
        "runbook_url": harmless(alert.runbook or "", 1000),
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": {name: value for name, value in annotations.items() if value},
        "startsAt": to_rfc3339(alert.opened_at),
        # Without an end it would be over by itself after Alertmanager's resolve_timeout.
        "endsAt": to_rfc3339(ends_at or _FAR),
        "generatorURL": message.alert_url,
    }


_FAR = datetime(2100, 1, 1, tzinfo=UTC)
