"""Rules on a JSON document, fail closed: what cannot be evaluated is a finding, never a pass.

Numbers are strict: `"12"`, `true`, `null` and NaN are no numbers, and `true` does not equal 1.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from monitor.config import JsonRule
from monitor.config.jsonpath import compile_path
from monitor.model import Finding
from monitor.units import clip, plain

_NUMERIC: dict[str, tuple[str, Callable[[float, float], bool]]] = {
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}
# What a path can raise on a document of another shape than it was written for.
_CANNOT = (RecursionError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


def parse_json(body: bytes) -> tuple[Any, Finding | None]:
    """Return the document, or the finding that the body is none. A byte order mark is let pass."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return None, Finding("body", "JSON", "empty")
    try:
        return orjson.loads(text), None
    except orjson.JSONDecodeError as error:
        start = plain(text[:80].decode(errors="replace"), 60)
        return None, Finding("body", "JSON", f"not JSON ({clip(str(error), 80)}): {start!r}")


def check_rules(document: Any, rules: Iterable[JsonRule]) -> list[Finding]:
    """Return what is not as the rules want it; every value that a path matches must hold."""
    return [finding for rule in rules for finding in _check_rule(document, rule)]


def _check_rule(document: Any, rule: JsonRule) -> list[Finding]:
    try:
        values = [match.value for match in compile_path(rule.path).find(document)]
    except _CANNOT as error:
        got = f"not to be evaluated ({type(error).__name__})"
    else:
        if values and all(_holds(value, rule) for value in values):
            return []
        got = show(next(value for value in values if not _holds(value, rule))) if values else "missing"
    wanted = " and ".join(_wanted(name, limit) for name, limit in rule.limits.items())
    return [Finding(rule.path, wanted, got)]


def _holds(value: Any, rule: JsonRule) -> bool:
    return all(_PREDICATES[name](value, limit) for name, limit in rule.limits.items())


def _wanted(name: str, limit: Any) -> str:
    if name == "equals":
        return show(limit)
    if name == "not_equals":
        return f"not {show(limit)}"
    return f"{_NUMERIC[name][0]} {show(limit)}"


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


def _numeric(compare: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    return lambda value, limit: is_number(value) and compare(value, limit)


_PREDICATES: dict[str, Callable[[Any, Any], bool]] = {
    "equals": same,
    "not_equals": lambda value, limit: not same(value, limit),
    **{name: _numeric(compare) for name, (_, compare) in _NUMERIC.items()},
}


def show(value: Any) -> str:
    """Return a JSON value as people read it, with its type where that is the point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        value = int(value)
    if value is None or isinstance(value, (bool, str)):
        return plain(orjson.dumps(value).decode(), 80)
    if isinstance(value, (dict, list)):
        return f"{'an object' if isinstance(value, dict) else 'a list'} with {len(value)} entries"
    return str(value)
