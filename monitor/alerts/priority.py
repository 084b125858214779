"""Automatic priority: how far a figure is beyond its threshold, and whom an error hits. Pure.

    more than 50 % beyond ──▶ P1        more than 20 % ──▶ P2        else ──▶ P3

Beyond means above; where less is worse (free space, throughput, success, conversion) it means below. Called by
`reports`, rules and whoever takes in alerts without a severity.

The document that this follows gives this rule, and two examples against it: 95 against 80 as CRITICAL "(>50% over
threshold)" in a test, 92 against 80 as HIGH. They are 18.75 and 15 % over: the rule holds here, and both are P3.
"""

from __future__ import annotations

import math
import re

from monitor.model import Severity

CRITICAL_PERCENT, HIGH_PERCENT = 50.0, 20.0
MANY_USERS, MANY_ERRORS = 10, 5

# Words of a metric's name: `disk_free_percent`, `conversion_rate`, `cache_hit_ratio`. To teach a metric, add a word.
_LESS_IS_WORSE = re.compile(
    "availability|available|bookings|conversions?|free|headroom|healthy|hit|left|orders|remaining|revenue|sales|signups|"
    "success|throughput|uptime"
)
# They turn the meaning of a word above around: `revenue_loss`, `conversion_drop`, `orders_failed`.
_MORE_IS_WORSE = re.compile(
    "declined|drop|dropped|drops|duration|errors?|failed|failures?|latency|loss|lost|ms|pending|response|unavailable|"
    "usage|used|waiting"
)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")


def is_less_worse(metric: str) -> bool:
    """Return whether a lower value of the metric is the worse one, by the words of its name."""
    words = [word.lower() for word in _WORD.findall(metric)]
    return any(map(_LESS_IS_WORSE.fullmatch, words)) and not any(map(_MORE_IS_WORSE.fullmatch, words))


def overage_percent(current: float, threshold: float, *, less_is_worse: bool = False) -> float:
    """Return by how many percent of the threshold it is beyond it; negative on the good side.

    Of a threshold of 0 anything beyond it is infinitely far; a negative threshold counts by its size: -5 is 50 %
    above -10. ValueError for what is no finite number.
    """
    current, threshold = _finite("current value", current), _finite("threshold", threshold)
    beyond = threshold - current if less_is_worse else current - threshold
    if beyond == 0 or threshold == 0:
        return math.copysign(math.inf, beyond) if beyond else 0.0
    # Rounded: 3.6 is 20 % above 3, not 20.000000000000004.
    return round(beyond / abs(threshold) * 100, 6)


def by_overage(percent: float) -> Severity:
    """Return the severity of what is so many percent beyond its threshold."""
    if percent > CRITICAL_PERCENT:
        return Severity.P1
    return Severity.P2 if percent > HIGH_PERCENT else Severity.P3


def of_error(error_type: str, affected_users: int | None = None, error_count: int = 1) -> Severity:
    """Return the severity of an application's error, by whom it hits and how often it came.

    P1: the database, or more than 10 users. P2: more than 5 errors. ValueError for counts that are none.
    """
    users, errors = _count("affected users", affected_users or 0), _count("error count", error_count)
    if "database" in error_type.lower() or users > MANY_USERS:
        return Severity.P1
    return Severity.P2 if errors > MANY_ERRORS else Severity.P3


def _finite(what: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{what}: expected a number below 1e308, got one that is larger") from error
    if not math.isfinite(number):
        raise ValueError(f"{what}: expected a finite number, got {number}")
    return number


def _count(what: str, value: float) -> float:
    number = _finite(what, value)
    if number < 0:
        raise ValueError(f"{what}: expected 0 or more, got {value}")
    return number
