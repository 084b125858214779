"""Predicates on one value, fail closed; rules on JSON, rows, keys and registries judge by them.

Numbers are strict: `"12"`, `true`, `null` and NaN are no numbers, and `true` does not equal 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from monitor.config.pattern import compile_pattern
from monitor.model import Finding
from monitor.units import clip, format_duration, from_rfc3339, plain, seconds_between, utc_now

# Clocks of two machines differ by a little.
FUTURE_S = 60.0
# In seconds that would be the year 5138.
_MILLISECONDS_FROM = 1e11
_NUMERIC: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}


def check_value(what: str, value: object, limits: Mapping[str, Any]) -> list[Finding]:
    """Return the finding when the value is not as the limits want it."""
    return [] if holds(value, limits, utc_now()) else [Finding(what, wanted(limits), show(value))]


def holds(value: Any, limits: Mapping[str, Any], now: datetime) -> bool:
    """Return whether the value is as all the limits want it; `exists` and `changes_within` are not judged here."""
    for name, limit in limits.items():  # noqa: SIM110 - a generator would cost as much again
        if not _PREDICATES[name](value, limit, now):
            return False
    return True


def for_many(limits: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same limits, quick to hold many values to."""
    return {name: _values(limit) if name in ("in", "not_in") else limit for name, limit in limits.items()}


def wanted(limits: Mapping[str, Any]) -> str:
    """Return what the limits want, in words."""
    return " and ".join(_wanted(name, limit) for name, limit in limits.items())


def _wanted(name: str, limit: Any) -> str:
    if name in _NUMERIC:
        return f"{_NUMERIC[name][0]} {show(limit)}"
    return _WANTED[name](limit)


def _several(values: Iterable[Any]) -> str:
    shown = [show(value) for value in values]
    return ", ".join(shown[:5]) + (", …" if len(shown) > 5 else "")


def _length_wanted(limits: Mapping[str, int]) -> str:
    return " and ".join(str(n) if name == "equals" else f"{_NUMERIC[name][0]} {n}" for name, n in limits.items())


_WANTED: dict[str, Callable[[Any], str]] = {
    "equals": lambda limit: show(limit),
    "not_equals": lambda limit: f"not {show(limit)}",
    "in": lambda limit: f"one of {_several(limit)}",
    "not_in": lambda limit: f"none of {_several(limit)}",
    "contains": lambda limit: f"to contain {_several(_as_list(limit))}",
    "matches": lambda limit: f"to match {plain(limit, 80)!r}",
    "exists": lambda limit: "to be there" if limit else "not to be there",
    "type": lambda limit: f"to be of type {' or '.join(limit)}",
    "length": lambda limit: f"to be of length {_length_wanted(limit.limits)}",
    "max_age": lambda limit: f"a time at most {format_duration(limit)} ago",
    "changes_within": lambda limit: f"another one within {format_duration(limit)}",
}


def measured(value: Any, limits: Mapping[str, Any], now: datetime) -> str:
    """Return the value with what it was measured by."""
    shown = show(value)
    if "length" in limits and isinstance(value, str):
        shown += f" of length {len(value)}"
    if "max_age" in limits:
        age_s = age_of(value, now)
        if age_s is None:
            shown += " (no time with an offset from UTC)"
        else:
            shown += f" ({format_duration(age_s)} ago)" if age_s >= 0 else f" ({format_duration(-age_s)} in the future)"
    return shown


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def same(left: Any, right: Any) -> bool:
    """Return whether two JSON values are equal and of the same JSON type, all the way down."""
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[Any, Any, datetime], bool]:
    return lambda value, limit, now: is_number(value) and compare(value, limit)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


class _Values:
    """Values to be found by what is the `same`: a list may hold half a million, and a rule a hundred."""

    def __init__(self, values: Iterable[Any]) -> None:
        self._scalars: set[Any] = set()
        self._others: list[Any] = []
        for value in values:
            if isinstance(value, _SCALARS):
                self._scalars.add(_key(value))
            else:
                self._others.append(value)

    def __contains__(self, value: object) -> bool:
        if isinstance(value, _SCALARS):
            return _key(value) in self._scalars
        return any(same(value, other) for other in self._others)


def _values(limit: Any) -> _Values:
    return limit if isinstance(limit, _Values) else _Values(limit)


_SCALARS = (str, int, float, type(None))


def _key(value: object) -> object:
    # 1 and 1.0 are the same, true is not.
    return (value,) if isinstance(value, bool) else value


def _contains(value: Any, wanted: Any, _now: datetime) -> bool:
    parts = _as_list(wanted)
    if isinstance(value, str):
        return all(isinstance(part, str) and part in value for part in parts)
    if not isinstance(value, list):
        return False
    held = _Values(value)
    return all(part in held for part in parts)


def _has_length(value: Any, rule: Any, _now: datetime) -> bool:
    if not isinstance(value, (str, list, dict)):
        return False
    size = len(value)
    return all(size == n if name == "equals" else _NUMERIC[name][1](size, n) for name, n in rule.limits.items())


def time_of(value: Any) -> datetime | None:
    """Return the time that a value names: RFC 3339 with an offset, or Unix seconds or milliseconds."""
    try:
        if isinstance(value, str):
            return from_rfc3339(value.strip().upper())
        if is_number(value):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def age_of(value: Any, now: datetime) -> float | None:
    """Return the seconds since the time that a value names, below 0 in the future; None when it names none."""
    at = time_of(value)
    return seconds_between(at, now) if at else None


def _is_fresh(value: Any, max_age_s: float, now: datetime) -> bool:
    age_s = age_of(value, now)
    return age_s is not None and -FUTURE_S <= age_s <= max_age_s


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": is_number,
    "integer": lambda value: is_number(value) and value == int(value),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}
_PREDICATES: dict[str, Callable[[Any, Any, datetime], bool]] = {
    "equals": lambda value, limit, now: same(value, limit),
    "not_equals": lambda value, limit, now: not same(value, limit),
    **{name: _numeric(compare) for name, (_, compare) in _NUMERIC.items()},
    "in": lambda value, limit, now: value in _values(limit),
    "not_in": lambda value, limit, now: value not in _values(limit),
    "contains": _contains,
    "matches": lambda value, limit, now: isinstance(value, str) and compile_pattern(limit).search(value) is not None,
    "exists": lambda value, limit, now: True,
    "type": lambda value, limit, now: any(_TYPES[name](value) for name in limit),
    "length": _has_length,
    "max_age": _is_fresh,
    # Judged by who knows what the value was before.
    "changes_within": lambda value, limit, now: True,
}


def show(value: Any) -> str:
    """Return a JSON value as people read it, with its type where that is the point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if value is None or isinstance(value, (bool, str)):
        return plain(orjson.dumps(value).decode(), 80)
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} entries"
    return clip(str(value), 80)
