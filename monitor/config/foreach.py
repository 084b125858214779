"""`for_each:`: the rows of variables by which one written check becomes many.

    {host: [a, b], port: [80, 443]} ─▶ four rows, each with each
    [{host: a, port: 80}, …]        ─▶ the rows as they are listed

Called by `templates`. Pure.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable
from typing import Any

from monitor.config.layers import Borrowed
from monitor.config.values import owner_of, shape, value_at
from monitor.config.yamlfile import Document, Path, Problem

MOST_ITEMS = 10_000
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Wrong = Callable[[Path, str], None]


def rows_of(written: Any, document: Document, path: Path, problems: list[Problem]) -> list[dict[str, Borrowed]]:
    """Return the variables of each check, or nothing when there is a problem with them."""
    before = len(problems)
    check = value_at(document.value, path[:-1])
    owner = owner_of(check, path[:-1])

    def wrong(at: Path, text: str) -> None:
        problems.append(document.problem(at, f"for_each: {text}", owner))

    rows: list[dict[str, Borrowed]] = []
    if isinstance(written, dict) and written:
        columns = [_column(str(name), items, document, (*path, str(name)), wrong) for name, items in written.items()]
        count = math.prod(map(len, columns))
        if count > MOST_ITEMS:
            wrong(path, f"expected at most {MOST_ITEMS} checks, got {count}")
        elif len(problems) == before:
            rows = [dict(zip(map(str, written), row, strict=True)) for row in itertools.product(*columns)]
    elif isinstance(written, list) and written:
        if len(written) > MOST_ITEMS:
            wrong(path, f"expected at most {MOST_ITEMS} checks, got {len(written)}")
        rows = [_row(item, written[0], document, (*path, index), wrong) for index, item in enumerate(written)]
    else:
        got = "an empty one" if isinstance(written, (dict, list)) else shape(written)
        wrong(path, f"expected lists by name such as {{host: [a, b]}}, or a list of blocks, got {got}")
    return rows if len(problems) == before else []


def _column(name: str, items: Any, document: Document, path: Path, wrong: Wrong) -> list[Borrowed]:
    if not _VARIABLE.fullmatch(name):
        wrong(path, f"expected a variable of letters, digits and _, got {name!r}")
    if not isinstance(items, list) or not items:
        wrong(path, f"{name}: expected a list of values, got {'an empty one' if items == [] else shape(items)}")
        return []
    seen: dict[str, int] = {}
    for index, item in enumerate(items):
        at = (*path, index)
        if not _is_plain(item):
            wrong(at, f"{name}: expected a text or a number, got {shape(item)}")
        elif str(item) in seen:
            wrong(at, f"{name}: {item!r} stands twice, first on line {seen[str(item)]}")
        seen.setdefault(str(item), document.line_of(at))
    return [Borrowed(item, document, (*path, index)) for index, item in enumerate(items)]


def _row(item: Any, first: Any, document: Document, path: Path, wrong: Wrong) -> dict[str, Borrowed]:
    if not isinstance(item, dict) or not item:
        wrong(path, f"expected a block of variables such as {{host: a, port: 80}}, got {shape(item)}")
        return {}
    if isinstance(first, dict) and set(item) != set(first):
        wrong(
            path,
            f"expected the variables of the first item, {', '.join(map(str, first))}, got {', '.join(map(str, item))}",
        )
    for name, value in item.items():
        if not _VARIABLE.fullmatch(str(name)):
            wrong((*path, str(name)), f"expected a variable of letters, digits and _, got {str(name)!r}")
        if not _is_plain(value):
            wrong((*path, str(name)), f"{name}: expected a text or a number, got {shape(value)}")
    return {str(name): Borrowed(value, document, (*path, str(name))) for name, value in item.items()}


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float))
