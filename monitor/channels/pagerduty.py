"""PagerDuty by Events API v2, through its own client. Imported when it is configured: the client takes its time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import httpx2
import pagerduty

from monitor.channels.channel import NotDelivered, hush
from monitor.channels.incidents import Incidents
from monitor.channels.message import Message
from monitor.channels.web import Answer, refusal
from monitor.channels.wording import Member, harmless
from monitor.model import Severity
from monitor.units import to_rfc3339

API = "https://events.pagerduty.com"
_SEVERITIES = {Severity.P1: "critical", Severity.P2: "error", Severity.P3: "warning", Severity.P4: "info"}


class _Once(pagerduty.EventsApiV2Client):
    """Asks once. The client itself would sleep and try again for as long as it is told to slow down, also when somebody
    has given up waiting for it: an incident would open that is over. Trying again is for the outbox."""

    max_network_attempts = 0

    def postprocess(self, response: httpx2.Response) -> None:
        if not response.is_success:
            raise refusal(Answer(response.status_code, response.content), response.headers.get("Retry-After", ""))


@dataclass(frozen=True)
class PagerDuty(Incidents):
    """One incident for each alert: its dedup key is the alert's id."""

    key: str = field(repr=False)
    api: str = API
    type: str = "pagerduty"

    def _open(self, member: Member, message: Message) -> None:
        alert = member.alert
        payload = {
            "timestamp": to_rfc3339(alert.opened_at),
            "component": harmless(alert.resource, 200),
            "group": harmless(alert.group, 200),
            "class": harmless(alert.type, 200),
        }
        self._call(
            "trigger",
            alert.id,
            payload={
                "summary": harmless(message.subject, 1024),
                "source": harmless(alert.resource, 200) or "Greenwall",
                "severity": _SEVERITIES[alert.severity],
                "custom_details": {"text": message.text, "alert": alert.id},
                **{name: value for name, value in payload.items() if value},
            },
            links=[{"href": message.alert_url, "text": "Greenwall"}] if message.alert_url else [],
        )

    def _acknowledge(self, member: Member, message: Message) -> None:
        self._call("acknowledge", member.alert.id)

    def _close(self, member: Member, message: Message) -> None:
        self._call("resolve", member.alert.id)

    def _call(self, action: str, dedup_key: str, **more: Any) -> None:
        hush("httpx2", "httpcore2", "pagerduty.api_client")
        with _Once(self.key, base_url=self.api) as client:
            client.timeout = self.edge.step_s  # type: ignore[assignment]  # whole seconds by its annotation only
            try:
                client.send_event(action, dedup_key=dedup_key, **more)
            except pagerduty.Error as error:
                cause = error.__cause__
                raise NotDelivered(f"{type(cause).__name__}: {cause}" if cause else str(error)) from error
            except httpx2.HTTPError as error:
                raise NotDelivered(f"{type(error).__name__}: {error}") from error
