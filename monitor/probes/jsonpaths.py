"""What a JSONPath finds in a document that may mean harm: bounded in time, whatever the document.

A path that only names its way is walked here, with the same result as jsonpath-ng. One that searches goes to
jsonpath-ng, which takes microseconds for each value: only on documents up to `MOST_VALUES`.
"""

from __future__ import annotations

from typing import Any

from monitor.config.jsonpath import CompiledPath, Step, compiled

MOST_VALUES = 20_000
# What a path can raise on a document of another shape than it was written for.
_CANNOT = (RecursionError, NotImplementedError, TypeError, ValueError, LookupError, AttributeError, ArithmeticError)


class CannotJudge(Exception):
    """The path cannot be used on this document; the text says why, as `is …`."""


def values_at(document: Any, path: str) -> list[Any]:
    """Return every value that the path matches; raise CannotJudge when that cannot be found out in time."""
    use = compiled(path)
    if use.way is not None:
        return _walk(document, use.way)
    _refuse_long_searches(document, use)
    try:
        return [match.value for match in use.search.find(document)]
    except _CANNOT as error:
        raise CannotJudge(f"not to be evaluated ({type(error).__name__})") from error


def is_absent(document: Any, path: str) -> bool:
    """Return whether the path matches nothing; raise CannotJudge where it could not match for another reason.

    That is a document, or a value on the way, of another type than the path asks for. null is a value with nothing in.
    """
    if not isinstance(document, (dict, list)):
        raise CannotJudge("not to be found: the document is no object and no list")
    use = compiled(path)
    if use.way is None or any(step is None or isinstance(step, slice) or len(step) > 1 for step in use.way):
        return not values_at(document, path)
    values = [document]
    for step in use.way:
        if values[0] is not None and not isinstance(values[0], _HOLDS[type(step[0])]):  # type: ignore[index]
            raise CannotJudge("not to be found: a value on the way is of another type")
        values = _walk(values[0], (step,))
        if not values:
            return True
    return False


_HOLDS: dict[type, type] = {str: dict, int: list}


def _walk(document: Any, way: tuple[Step, ...]) -> list[Any]:
    values = [document]
    for step in way:
        if step is None:
            values = [item for value in values for item in _children(value)]
        elif isinstance(step, slice):
            # jsonpath-ng finds nothing by a step of 0, of which Python would be an error.
            lists = [value for value in values if isinstance(value, list)] if step.step != 0 else []
            values = [item for value in lists for item in value[step]]
        elif isinstance(step[0], str):
            values = [value[name] for value in values if isinstance(value, dict) for name in step if name in value]
        else:
            lists = [value for value in values if isinstance(value, list)]
            values = [value[n] for value in lists for n in step if -len(value) <= n < len(value)]
    return values


def _children(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _refuse_long_searches(document: Any, use: CompiledPath) -> None:
    count, depth = measure(document, MOST_VALUES)
    # Each `..` after the first begins anew at every value, and so does a filter that looks at the root.
    steps = count * depth ** max(use.descents - 1, 0) * (count if use.compares_with_root else 1)
    if count > MOST_VALUES:
        raise CannotJudge(_TOO_MANY.format(f"more than {MOST_VALUES} values"))
    if steps > MOST_VALUES and (use.descents > 1 or use.compares_with_root):
        raise CannotJudge(_TOO_MANY.format(f"{count} values, {depth} deep"))


_TOO_MANY = "not searched for: the document has {}, too many for a path that searches; name the way to it"


def measure(document: Any, limit: int) -> tuple[int, int]:
    """Return how many values a document has, and how deep they are nested; counting ends past the limit."""
    count, depth = 1, 1
    level = [document]
    while level and count <= limit:
        level = [item for value in level for item in _children(value)]
        count += len(level)
        depth += 1
    return count, depth
