"""Predicates on one value, fail closed. Numbers are strict: text, true, NULL and NaN are no numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from monitor.config.valuerules import ValueRule
from monitor.model import Finding
from monitor.probes.jsonrules import is_number, same, show

_NUMERIC: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "lt": ("<", operator.lt),
    "le": ("<=", operator.le),
    "gt": (">", operator.gt),
    "ge": (">=", operator.ge),
}


def check_value(what: str, value: object, rule: ValueRule) -> list[Finding]:
    """Return the finding when the value is not as the rule wants it."""
    if all(_holds(name, value, limit) for name, limit in rule.limits.items()):
        return []
    return [Finding(what, wanted(rule), show(value))]


def wanted(rule: ValueRule) -> str:
    """Return what the rule wants, in words."""
    words = {"equals": "", "not_equals": "not "} | {name: f"{sign} " for name, (sign, _) in _NUMERIC.items()}
    return " and ".join(words[name] + show(limit) for name, limit in rule.limits.items())


def _holds(name: str, value: object, limit: object) -> bool:
    if name == "equals":
        return same(value, limit)
    if name == "not_equals":
        return not same(value, limit)
    return is_number(value) and _NUMERIC[name][1](value, limit)
