"""What a queue says of itself, whichever it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.model import Json, Kind


@dataclass
class Depth:
    """What a queue says of itself. A figure that it does not tell is None, or not a number as it came."""

    messages: object
    consumers: object = None
    oldest_age_s: object = None
    latency_ms: float = 0.0
    phases_ms: dict[str, float] = field(default_factory=dict)
    observed: dict[str, Json] = field(default_factory=dict)


class QueueFailed(Exception):
    """There are no figures: the kind of failure, and why."""

    def __init__(
        self, kind: Kind, message: str, phases_ms: Mapping[str, float] | None = None, address: str = ""
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phases_ms = dict(phases_ms or {})
        self.address = address


def is_count(value: object) -> bool:
    """Return whether the value is a whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
