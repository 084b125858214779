"""The record: events as lines of `alerts.jsonl`. What has happened, never what should. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from monitor.model import Json
from monitor.units import from_rfc3339, to_rfc3339

CHECKER = "checker"
CONFIGURATION = "configuration"
# What an alert of Greenwall's own is about.
GREENWALL = "Greenwall"
# The channel that is told when nobody else can be.
LAST_RESORT = "console"


class What(StrEnum):
    """What an event in `alerts.jsonl` says."""

    # of the trouble
    OPENED = "opened"
    HELD = "held"
    SEEN = "seen"
    NOTED = "noted"
    RAISED = "raised"
    RESOLVED = "resolved"
    EXPIRED = "expired"
    # of people
    ACKNOWLEDGED = "acknowledged"
    SUPPRESSED = "suppressed"
    RESUMED = "resumed"
    # of remedies
    REMEDY = "remedy"
    # of telling
    ROUTED = "routed"
    NOT_TOLD = "not_told"
    QUEUED = "queued"
    BATCHED = "batched"
    SENT = "sent"
    FAILED = "failed"
    GAVE_UP = "gave_up"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One line of `alerts.jsonl`: what happened to which alert, when, by whom, why.

    `held` belongs to no alert: it says why a failure opened none; `data` names the resource.
    """

    at: datetime
    what: What
    alert: str
    by: str = CHECKER
    note: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        line: dict[str, Json] = {"at": to_rfc3339(self.at), "what": self.what.value, "alert": self.alert}
        return line | {"by": self.by, "note": self.note, "data": dict(self.data)}

    @classmethod
    def from_json(cls, line: Mapping[str, Json]) -> AlertEvent:
        """Return the event of a line; KeyError, TypeError or ValueError when it is none."""
        data = line.get("data")
        return cls(
            at=from_rfc3339(str(line["at"])),
            what=What(str(line["what"])),
            alert=str(line["alert"]),
            by=str(line.get("by") or ""),
            note=str(line.get("note") or ""),
            data=data if isinstance(data, Mapping) else {},
        )


# What people and targets say; the rest are names, which others refer to.
_TEXTS = ("title", "message", "recommendations", "related_logs", "metadata", "previous")


def redacted(event: AlertEvent, redact: Callable[[str], str]) -> AlertEvent:
    """Return the event with its texts as they may be stored and shown."""
    data = {key: _redacted(value, redact) if key in _TEXTS else value for key, value in event.data.items()}
    return replace(event, note=redact(event.note), data=data)


def _redacted(value: Json, redact: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(key): _redacted(one, redact) for key, one in value.items()}
    return [_redacted(one, redact) for one in value] if isinstance(value, (list, tuple)) else value


def alert_id(resource: str, at: datetime) -> str:
    """Return the id of the alert that opens for this resource at this time: the same for the same facts.

    To the microsecond: two that a program sends by hand within a millisecond are two.
    """
    return "a-" + hashlib.sha256(f"{resource}|{at.isoformat()}".encode()).hexdigest()[:10]
