"""`defaults:` and `templates:`: the blocks of keys that the checks of a file may borrow, each key with its place.

Says what is wrong with their shape and with the names of their keys; what values mean is for the models (`validation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor.config.checkbase import CheckBase
from monitor.config.kinds import CHECK_MODELS
from monitor.config.otherwords import key_hint, type_hint
from monitor.config.values import shape
from monitor.config.yamlfile import Document, Path, Problem

# Keys that a check borrows by; they are gone once it is read.
BORROWING = ("use", "for_each")


class Borrowed(NamedTuple):
    """A value, and where it is written."""

    value: Any
    document: Document
    path: Path


Layer = Mapping[str, Borrowed]


@dataclass(frozen=True)
class Scope:
    """What the checks of one file may borrow."""

    defaults: Mapping[str, Layer] = field(default_factory=dict)
    templates: Mapping[str, Layer] = field(default_factory=dict)

    @classmethod
    def of(cls, document: Document, problems: list[Problem], outer: Scope | None = None) -> Scope:
        """Return what the document defines, on top of `outer`."""
        outer = outer or cls()
        defaults = dict(outer.defaults)
        for kind, layer in _layers(document, "defaults", problems).items():
            defaults[kind] = {**defaults.get(kind, {}), **layer}
        return cls(defaults, {**outer.templates, **_layers(document, "templates", problems)})


def _layers(document: Document, block: str, problems: list[Problem]) -> dict[str, Layer]:
    written = document.value.get(block, {})
    if not isinstance(written, dict):
        problems.append(document.problem((block,), f"{block}: expected a block of keys, got {shape(written)}"))
        return {}
    layers: dict[str, Layer] = {}
    for name, keys in written.items():
        path: Path = (block, str(name))
        if block == "defaults" and name not in ("all", *CHECK_MODELS):
            known = f"{type_hint(str(name), ('all', *CHECK_MODELS))}; expected all or one of {', '.join(CHECK_MODELS)}"
            problems.append(document.problem(path, f"defaults: unknown type {str(name)!r}{known}"))
            continue
        layers[str(name)] = {}
        if not isinstance(keys, dict):
            problems.append(document.problem(path, f"{block}.{name}: expected a block of keys, got {shape(keys)}"))
            continue
        known_keys = _keys_for(block, str(name), keys)
        layers[str(name)] = {
            str(key): Borrowed(value, document, (*path, str(key))) for key, value in keys.items() if key in known_keys
        }
        for key in map(str, keys):
            if key not in known_keys:
                text = f"{block}.{name}: {_not_known(block, str(name), key, known_keys)}"
                problems.append(document.problem((*path, key), text))
    return layers


def _keys_for(block: str, name: str, keys: Mapping[str, Any]) -> set[str]:
    """Return the keys that a block of `defaults:` or `templates:` may have."""
    if block == "defaults":
        return _keys_of(CHECK_MODELS.get(name, CheckBase)) - {"name", "type"}
    if str(keys.get("type")) in CHECK_MODELS:
        return _keys_of(CHECK_MODELS[str(keys["type"])])
    return set().union(*map(_keys_of, CHECK_MODELS.values()))


def _keys_of(model: type[CheckBase]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()} | {"retry_backoff_s"}


def _not_known(block: str, name: str, key: str, known: set[str]) -> str:
    if key in BORROWING:
        return f"expected no {key} here; it belongs to a check"
    if block == "defaults" and key in ("name", "type"):
        return f"expected no {key} here; each check has its own"
    kinds = [kind for kind, model in CHECK_MODELS.items() if key in _keys_of(model)]
    if name == "all" and kinds:
        return f"key {key!r} is not one of every check; write it below {', '.join(f'defaults.{k}' for k in kinds)}"
    return f"unknown key {key!r}{key_hint(key, sorted(known))}"
