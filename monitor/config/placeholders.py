"""`((name))`: where a value of `for_each` goes. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from monitor.config.yamlfile import Path

# `((name))`: legal without quotes everywhere in YAML; `$((name))` is left to shells.
_PLACEHOLDER = re.compile(r"(?<!\$)\(\(([A-Za-z_][A-Za-z0-9_]*)\)\)")


def has_placeholder(value: Any) -> bool:
    """Return whether a value waits for a variable of `for_each`."""
    return bool(names_in(value))


def names_in(value: Any, deep: bool = True) -> list[str]:
    """Return the names of the placeholders in a text, or in all texts of a block."""
    if isinstance(value, str):
        return [m[1] for m in _PLACEHOLDER.finditer(value)] if "((" in value else []
    if deep and isinstance(value, dict):
        return [name for pair in value.items() for one in pair for name in names_in(one)]
    if deep and isinstance(value, list):
        return [name for one in value for name in names_in(one)]
    return []


def place_in(value: Any, path: Path, name: str) -> Path:
    """Return the place of the first text with this placeholder, for its line."""
    items: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        items = ((str(key), one) for key, one in value.items())
    elif isinstance(value, list):
        items = ((index, one) for index, one in enumerate(value))
    for key, one in items:
        if name in names_in(one) or name in names_in(key):
            return place_in(one, (*path, key), name)
    return path


def filled(value: Any, fill: Mapping[str, Any]) -> Any:
    """Return the value with its placeholders filled in; one that is the whole text keeps the type of its item."""
    if isinstance(value, str):
        if "((" not in value:
            return value
        whole = _PLACEHOLDER.fullmatch(value)
        if whole:
            return fill.get(whole[1], value)
        return _PLACEHOLDER.sub(lambda m: _as_text(fill[m[1]]) if m[1] in fill else m[0], value)
    if isinstance(value, dict):
        return {filled(key, fill) if isinstance(key, str) else key: filled(one, fill) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, fill) for one in value]
    return value


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
