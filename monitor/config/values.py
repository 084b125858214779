"""Plain values as a YAML file has them: what they are in words, what stands where, whose they are. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.config.yamlfile import Path


def shape(value: object) -> str:
    """Return what a value is, in a reader's words."""
    names = {list: "a list", dict: "a block of keys", str: "a text", type(None): "nothing"}
    return names.get(type(value), "a number")


def value_at(value: Any, path: Path) -> Any:
    """Return what stands at `path`, or None."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        elif part != 0 or value is None:
            # A value alone is a list of one.
            return None
    return value


def owner_of(values: Mapping[str, Any], path: Path) -> str:
    """Return `check 'db'`, or its number in the file when it has no name."""
    name = values.get("name")
    return f"check {name if name is not None else f'#{int(path[-1]) + 1}'!r}"


def texts(value: object) -> list[str]:
    """Return the texts of a list, whatever else is in it, or a text alone."""
    items = value if isinstance(value, list) else [value]
    return [one for one in items if isinstance(one, str)]
