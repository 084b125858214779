"""The condition of `expect:` in CEL on what an answer holds. Only true is true: an error is a finding."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from monitor.config.expression import FUNCTIONS, VARIABLES, CompiledExpression, compile_expression
from monitor.model import Finding
from monitor.units import plain

# About what a quarter of a second is enough for: turns of a loop, each over a text of at most 200 characters.
_MOST_STEPS = 1_000_000
_CHARACTERS_PER_STEP = 200
# For each value of the document: to copy and compare it, and to copy it alone.
_STEPS_PER_READ, _STEPS_PER_COPY = 3.0, 2 / 3
_MOST_VALUES = 20_000
_TOKEN = re.compile(
    r"""'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?P<loop>\.\s*(?:all|exists|exists_one|(?P<builds>map|filter))\s*\()"""
    r"""|(?P<open>\()|(?P<close>\))|(?<![\w.])(?P<root>json|headers)\b"""
)


def check_condition(text: str, known: Mapping[str, Any], variables: tuple[str, ...] = VARIABLES) -> Finding | None:
    """Return the finding that the condition is not true, or None. `known` holds the variables that it looks at.

    Those that are not known are left out: to look at them is an error, and so a finding. `variables` are all that it
    may look at.
    """
    condition = compile_expression(text, variables)
    known = {name: known[name] for name in condition.variables if name in known}
    document = known.get("json")
    if condition.members is not None and isinstance(document, dict):
        known["json"] = {name: document[name] for name in condition.members if name in document}
    what = plain(text, 120)
    too_long = _too_long(text, condition, known)
    if too_long:
        return Finding(what, "true", too_long)
    try:
        value = condition.program.execute(known)
    except Exception as error:  # noqa: BLE001 - CEL raises what it likes, and none of it is true
        return Finding(what, "true", f"not to be evaluated ({_why(error)})")
    if value is True:
        return None
    return Finding(what, "true", "false" if value is False else f"no truth value but {plain(repr(value), 60)}")


def _why(error: Exception) -> str:
    text = str(error)
    if isinstance(error, KeyError):
        return f"there is no {plain(text, 80)}"
    if text.startswith("Undefined variable"):
        name = text.split("'")[1]
        return f"{name}() does not take this value" if name in FUNCTIONS else f"{name} is not known of this answer"
    return plain(text.partition(". ")[0], 120)


def _too_long(expression: str, condition: CompiledExpression, known: Mapping[str, Any]) -> str:
    """Return why the condition could run for too long on this answer; it cannot be stopped once it runs."""
    body = len(known.get("body", "")) if "body" in condition.variables else 0
    values, longest, text = (0, 0, 0)
    if "json" in condition.variables and "json" in known:
        values, longest, text = _extent(known["json"])
    if values > _MOST_VALUES:
        return f"not evaluated: the document has more than {_MOST_VALUES} values"
    turns = max(longest, 1) ** condition.loops
    steps = turns * (1 + max(body, text) // _CHARACTERS_PER_STEP)
    copied = values + len(known.get("headers", ()))
    around_root, around_list = _copying_loops(expression)
    steps += _STEPS_PER_READ * copied * longest**around_root if around_root else 0
    steps += _STEPS_PER_COPY * copied * longest**around_list if around_list else 0
    if condition.loops and steps > _MOST_STEPS:
        return "not evaluated: its loops over this answer would take too long"
    return ""


@lru_cache(maxsize=10_000)
def _copying_loops(expression: str) -> tuple[int, int]:
    """Return how many loops stand around a look at the whole document, and around a list that is made, at most.

    At each turn CEL copies what `json.…` names, and `map` and `filter` copy the list that they have made so far.
    """
    around_root = around_list = 0
    loops: list[bool] = []
    for token in _TOKEN.finditer(expression):
        if token["loop"] or token["open"]:
            loops.append(bool(token["loop"]))
        elif token["close"] and loops:
            loops.pop()
        if token["root"]:
            around_root = max(around_root, sum(loops))
        elif token["builds"]:
            around_list = max(around_list, sum(loops))
    return around_root, around_list


def _extent(document: Any) -> tuple[int, int, int]:
    """Return how many values a document has, how many its longest list or object has, and its longest text."""
    count, longest, text = 1, 0, 0
    level = [document]
    while level and count <= _MOST_VALUES:
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                text = max(text, len(value))
            elif isinstance(value, (dict, list)):
                longest = max(longest, len(value))
                below += value.values() if isinstance(value, dict) else value
        level = below
        count += len(below)
    return count, longest, text
