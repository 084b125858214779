"""What a queue says of itself, whichever it is."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.model import Json


@dataclass
class Depth:
    """What a queue says of itself. A figure that it does not tell is None, or not a number as it came."""

    messages: object
    consumers: object = None
    oldest_age_s: object = None
    latency_ms: float = 0.0
    phases_ms: dict[str, float] = field(default_factory=dict)
    observed: dict[str, Json] = field(default_factory=dict)


def is_count(value: object) -> bool:
    """Return whether the value is a whole number, 0 or more."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
