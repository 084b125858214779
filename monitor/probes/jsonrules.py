"""Rules on a JSON document, fail closed: what cannot be evaluated is a finding, never a pass.

Numbers are strict: `"12"`, `true`, `null` and NaN are no numbers, and `true` does not equal 1.
"""

from __future__ import annotations

import gc
import hashlib
import math
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from monitor.config import JsonRule
from monitor.config.pattern import compile_pattern
from monitor.model import Finding, Json
from monitor.probes.jsonpaths import CannotJudge, is_absent, values_at
from monitor.units import clip, format_duration, from_rfc3339, plain, seconds_between, to_rfc3339, utc_now

_NUMERIC: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}
# Clocks of two machines differ by a little.
_FUTURE_S = 60.0
# In seconds that would be the year 5138.
_MILLISECONDS_FROM = 1e11
_LONG_BYTES = 200_000


@dataclass
class Remembered:
    """Values of rules that must change: what they were, and since when. `memory` is for the check's next probe."""

    before: Mapping[str, Json] = field(default_factory=dict)
    memory: dict[str, Json] = field(default_factory=dict)

    def unchanged_s(self, path: str, values: list[Any], now: datetime) -> float:
        """Note the values of this path; return for how many seconds they have been the same."""
        try:
            text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError as error:
            raise CannotJudge("not to be remembered (nested too deep)") from error
        digest = hashlib.sha256(text).hexdigest()[:32]
        known = self.before.get(path)
        since = now
        if isinstance(known, Mapping) and known.get("value") == digest:
            # A clock that was put back must not make it an age below zero.
            since = min(_time(known.get("since")) or now, now)
        self.memory[path] = {"value": digest, "since": to_rfc3339(since)}
        return seconds_between(since, now)

    def keep(self, path: str) -> None:
        """Keep what is known of a path that has no value now."""
        if path in self.before:
            self.memory[path] = self.before[path]


def parse_json(body: bytes) -> tuple[Any, Finding | None]:
    """Return the document, or the finding that the body is none. A byte order mark is let pass."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return None, Finding("body", "JSON", "empty")
    try:
        with _no_collection(len(text)):
            return orjson.loads(text), None
    except orjson.JSONDecodeError as error:
        start = plain(text[:80].decode(errors="replace"), 60)
        return None, Finding("body", "JSON", f"not JSON ({clip(str(error), 80)}): {start!r}")


@contextmanager
def _no_collection(size: int) -> Iterator[None]:
    """Keep Python from looking through all its objects again and again while a hundred thousand new ones come.

    Nothing else could run meanwhile. When two threads do this at once, the first one to end turns it on again.
    """
    if size < _LONG_BYTES or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def check_rules(
    document: Any, rules: Iterable[JsonRule], remembered: Remembered | None = None, now: datetime | None = None
) -> list[Finding]:
    """Return what is not as the rules want it; `changes_within` cannot hold where nothing is remembered."""
    at = now or utc_now()
    return [finding for rule in rules for finding in _check_rule(document, rule, remembered, at)]


def _check_rule(document: Any, rule: JsonRule, remembered: Remembered | None, now: datetime) -> list[Finding]:
    limits = rule.limits
    try:
        if limits.get("exists") is False:
            got = "" if is_absent(document, rule.path) else "there"
        else:
            values = values_at(document, rule.path)
            got = _wrong(values, rule, now) or _unchanged(values, rule, remembered, now)
    except CannotJudge as error:
        got = str(error)
    if not got:
        return []
    if remembered and "changes_within" in limits and rule.path not in remembered.memory:
        remembered.keep(rule.path)
    return [Finding(rule.path, " and ".join(_wanted(name, limit) for name, limit in limits.items()), got)]


def _wrong(values: list[Any], rule: JsonRule, now: datetime) -> str:
    """Return the value that is not as it should be, as it is shown; an empty text when all is well."""
    if not values:
        return "missing"
    limits = {name: _Values(limit) if name in _MEMBERSHIP else limit for name, limit in rule.limits.items()}
    enough = all if rule.each else any
    if enough(_holds(value, limits, now) for value in values):
        return ""
    worst = next(value for value in values if not _holds(value, limits, now))
    none_of = f"none of {len(values)} values, the first " if not rule.each and len(values) > 1 else ""
    return none_of + _got(worst, limits, now)


def _holds(value: Any, limits: Mapping[str, Any], now: datetime) -> bool:
    for name, limit in limits.items():  # noqa: SIM110 - a generator would cost as much again
        if not _PREDICATES[name](value, limit, now):
            return False
    return True


def _unchanged(values: list[Any], rule: JsonRule, remembered: Remembered | None, now: datetime) -> str:
    if rule.changes_within is None:
        return ""
    if remembered is None:
        return "not to be evaluated (no earlier value is remembered here)"
    unchanged_s = remembered.unchanged_s(rule.path, values, now)
    if unchanged_s <= rule.changes_within:
        return ""
    return f"{show(values[0])}, the same for {format_duration(unchanged_s)}"


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
    "contains": lambda limit: f"containing {_several(_as_list(limit))}",
    "matches": lambda limit: f"matching {plain(limit, 80)!r}",
    "exists": lambda limit: "there" if limit else "not there",
    "type": lambda limit: f"of type {' or '.join(limit)}",
    "length": lambda limit: f"of length {_length_wanted(limit.limits)}",
    "max_age": lambda limit: f"a time at most {format_duration(limit)} ago",
    "changes_within": lambda limit: f"another one within {format_duration(limit)}",
}


def _got(value: Any, limits: Mapping[str, Any], now: datetime) -> str:
    """Return the value with what it was measured by."""
    shown = show(value)
    if "length" in limits and isinstance(value, str):
        shown += f" of length {len(value)}"
    if "max_age" in limits:
        at = _time(value)
        age_s = seconds_between(at, now) if at else None
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


def _time(value: Any) -> datetime | None:
    """Return the time that a value names: RFC 3339 with an offset, or Unix seconds or milliseconds."""
    try:
        if isinstance(value, str):
            return from_rfc3339(value.strip().upper())
        if is_number(value):
            return datetime.fromtimestamp(value / 1000 if abs(value) >= _MILLISECONDS_FROM else value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def _is_fresh(value: Any, max_age_s: float, now: datetime) -> bool:
    at = _time(value)
    return at is not None and -_FUTURE_S <= seconds_between(at, now) <= max_age_s


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
    # Of these two the limit is `_Values`.
    "in": lambda value, limit, now: value in limit,
    "not_in": lambda value, limit, now: value not in limit,
    "contains": _contains,
    "matches": lambda value, limit, now: isinstance(value, str) and compile_pattern(limit).search(value) is not None,
    "exists": lambda value, limit, now: True,
    "type": lambda value, limit, now: any(_TYPES[name](value) for name in limit),
    "length": _has_length,
    "max_age": _is_fresh,
    # Judged by `_unchanged`, which knows what the value was before.
    "changes_within": lambda value, limit, now: True,
}


_MEMBERSHIP = ("in", "not_in")


def show(value: Any) -> str:
    """Return a JSON value as people read it, with its type where that is the point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if value is None or isinstance(value, (bool, str)):
        return plain(orjson.dumps(value).decode(), 80)
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} entries"
    return clip(str(value), 80)
