"""JSONPath, compiled once: parsing a path costs fifty times more than using it.

names, indices, `*`, slices        a `Way`: walked by us, linear in the document
`..`, filters, arithmetic, …       a search: jsonpath-ng, with what could run away taken out of it
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from jsonpath_ng import Child, Descendants, Fields, Index, JSONPath, Root, Slice
from jsonpath_ng.ext import parse
from jsonpath_ng.ext.arithmetic import Operation
from jsonpath_ng.ext.filter import OPERATOR_MAP, Expression, Filter
from jsonpath_ng.ext.string import Sub
from jsonpath_ng.jsonpath import Wildcard

from monitor.config.pattern import compile_pattern

Step = tuple[str, ...] | tuple[int, ...] | slice | None


@dataclass(frozen=True, slots=True)
class CompiledPath:
    """A path that can be used. `way` holds its steps when it needs no search: names, indices, a slice, None for `*`.

    `descents` counts its `..`, and `compares_with_root` is whether a filter looks at the whole document each time.
    """

    search: JSONPath
    way: tuple[Step, ...] | None
    descents: int = 0
    compares_with_root: bool = False


@lru_cache(maxsize=10_000)
def compiled(path: str) -> CompiledPath:
    """Return the path for use; ValueError that shows an example when it cannot be read."""
    search = compile_path(path)
    nodes = list(_nodes(search))
    return CompiledPath(
        search,
        _way(search),
        sum(isinstance(node, Descendants) for node in nodes),
        any(_searches_root(node) for node in nodes if isinstance(node, Filter)),
    )


def _searches_root(filter_: Filter) -> bool:
    inside = [node for expression in filter_.expressions for node in _nodes(expression)]
    searches = any(isinstance(node, (Descendants, Wildcard, Slice, Filter)) for node in inside)
    return searches and any(isinstance(node, Root) for node in inside)


@lru_cache(maxsize=10_000)
def compile_path(path: str) -> JSONPath:
    """Return the path as jsonpath-ng has it; ValueError that shows an example when it cannot be read."""
    try:
        search = parse(path)
    except Exception as error:
        raise ValueError(f"expected a JSONPath such as $.ok, got {path!r} ({error})") from error
    for node in _nodes(search):
        _tame(node)
    return search


def _nodes(path: object) -> Iterator[object]:
    """Yield every part of a path, those of its filters too."""
    waiting = [path]
    while waiting:
        node = waiting.pop()
        yield node
        for name in ("left", "right", "target", "value", "expressions", "operands"):
            part = getattr(node, name, None)
            waiting += [item for item in (part if isinstance(part, list) else [part]) if isinstance(item, JSONPath)]


def _tame(node: object) -> None:
    """Keep what a target answers from making this part of a path run for ever or fill the memory."""
    if isinstance(node, Expression) and node.op == "=~":
        compile_pattern(str(node.value))
    elif isinstance(node, Sub):
        node.regex = _LinearSub(node.expr)  # type: ignore[assignment]
    elif isinstance(node, Operation) and node.op_symbol == "*":
        node.op = _times


def _matches(value: object, pattern: str) -> bool:
    return isinstance(value, str) and compile_pattern(str(pattern)).search(value) is not None


# In place of the `re` of filters, which can take years for a text that means harm.
OPERATOR_MAP["=~"] = _matches


class _LinearSub:
    """`re.Pattern.sub`, in linear time."""

    def __init__(self, pattern: str) -> None:
        compile_pattern(pattern)
        self._pattern = pattern

    def sub(self, replacement: str, text: str) -> str:
        import re2  # beside `compile_pattern`, which captures nothing for `\1` to stand for

        return str(re2.sub(self._pattern, replacement, text))


def _times(left: object, right: object) -> Any:
    # A text times a number is that text a million times.
    if isinstance(left, (int, float)) and isinstance(right, (int, float)):
        return operator.mul(left, right)
    raise TypeError("only numbers can be multiplied")


def _way(path: object) -> tuple[Step, ...] | None:
    if isinstance(path, Root):
        return ()
    if isinstance(path, Child):
        # `$` within a path goes back to the start, which a walk does not.
        left, right = _way(path.left), None if isinstance(path.right, Root) else _way(path.right)
        return None if left is None or right is None else left + right
    step = next((make(path) for kind, make in _STEPS.items() if type(path) is kind), ())
    return None if step == () else (step,)


def _names(path: Any) -> Step:
    return tuple(path.fields) if "*" not in path.fields else ()


_STEPS: dict[type[JSONPath], Callable[[Any], Step]] = {
    Fields: _names,
    Index: lambda path: tuple(path.indices),
    Slice: lambda path: slice(path.start, path.end, path.step),
    Wildcard: lambda path: None,
}
