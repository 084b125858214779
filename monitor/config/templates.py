"""What a check borrows, and how one becomes many: `defaults:`, `templates:` with `use:`, `for_each:`.

    check as written ─▶ its own keys > templates (the last first) > defaults.<type> > defaults.all ─▶ for_each ─▶ checks

A key counts whole: lists and blocks are not mixed. Works on plain values and their places in documents, before
variables of the environment are filled in; what the values mean is for the models. Called by `assembly`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from monitor.config.checkbase import CheckBase
from monitor.config.kinds import CHECK_MODELS
from monitor.config.yamlfile import Document, Path, Problem
from monitor.units import did_you_mean

MOST_ITEMS = 10_000
BORROWING = ("use", "for_each")
# `((name))`: legal without quotes everywhere in YAML; `$((name))` is left to shells.
_PLACEHOLDER = re.compile(r"(?<!\$)\(\(([A-Za-z_][A-Za-z0-9_]*)\)\)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Of keys that exclude each other, or are one under two names, the nearest to the check counts.
_RIVALS = (
    ({"retry_interval"}, {"retry_backoff_s"}),
    ({"every"}, {"at", "days"}),
    ({"period"}, {"cron"}),
    ({"body"}, {"json"}, {"form"}, {"body_file"}),
    ({"basic"}, {"bearer"}, {"oauth2"}),
    ({"members"}, {"members_tag"}, {"members_group"}),
)
_RIVALS_OF: dict[str, set[str]] = {
    key: set().union(*(other for other in sides if other is not side))
    for sides in _RIVALS
    for side in sides
    for key in side
}


class Borrowed(NamedTuple):
    """A value, and where it is written."""

    value: Any
    document: Document
    path: Path


Layer = Mapping[str, Borrowed]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a check comes from: its place, keys that are written elsewhere, and the items of `for_each` in it.

    `is_partial`: something is wrong in what it borrows, so that keys are missing and placeholders not filled in.
    """

    document: Document
    path: Path
    borrowed: Layer = field(default_factory=dict)
    variables: Mapping[str, Path] = field(default_factory=dict)
    is_partial: bool = False

    def place_of(self, rest: Path) -> tuple[Document, Path, bool]:
        """Return where the value at `rest` of the check is written, and whether it is the check's own.

        What an item of `for_each` is filled into stands where the item does.
        """
        borrowed = self.borrowed.get(str(rest[0])) if rest else None
        document, path = (borrowed.document, borrowed.path) if borrowed else (self.document, self.path + rest[:1])
        path += rest[1:]
        if self.variables:
            for name in _names_in(value_at(document.value, path), deep=False):
                if name in self.variables:
                    return self.document, self.variables[name], True
        return document, path, borrowed is None


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
            known = (
                f"{did_you_mean(str(name), ('all', *CHECK_MODELS))}; expected all or one of {', '.join(CHECK_MODELS)}"
            )
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
    return f"unknown key {key!r}{did_you_mean(key, sorted(known))}"


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
        else:
            return None
    return value


def expanded(
    check: dict[str, Any], document: Document, path: Path, scope: Scope, problems: list[Problem]
) -> Iterator[tuple[dict[str, Any], Origin]]:
    """Yield the checks that one written check stands for, complete with what it borrows."""
    before = len(problems)
    used = _used(check, document, path, scope, problems)
    values, borrowed = _with_layers(check, used, scope)
    rows = _rows(check["for_each"], document, (*path, "for_each"), problems) if "for_each" in check else None
    names = list(rows[0]) if rows else []
    if rows is None or rows:
        origin = Origin(document, path, borrowed)
        problems += _loose_ends(values, origin, names, written=rows is not None)
    if not rows:
        # Without a usable list it is still one check, so that all else that is wrong with it is said.
        yield values, Origin(document, path, borrowed, is_partial=len(problems) > before)
        return
    if missing := _not_in_name(check["for_each"], values.get("name"), rows):
        problems.append(document.problem((*path, "name"), f"name: {missing}", owner_of(values, path)))
        rows = rows[:1]
    is_partial = len(problems) > before
    for row in rows:
        fill = {name: item.value for name, item in row.items()}
        yield (
            {key: _filled(value, fill) for key, value in values.items()},
            Origin(document, path, borrowed, {name: item.path for name, item in row.items()}, is_partial),
        )


def owner_of(values: Mapping[str, Any], path: Path) -> str:
    """Return `check 'db'`, or its number in the file when it has no name."""
    name = values.get("name")
    return f"check {name if name is not None else f'#{int(path[-1]) + 1}'!r}"


def _used(check: dict[str, Any], document: Document, path: Path, scope: Scope, problems: list[Problem]) -> list[Layer]:
    """Return the templates that the check names, the strongest (last) first."""
    use = check.get("use", [])
    owner = owner_of(check, path)
    layers: list[Layer] = []
    for index, name in enumerate(use if isinstance(use, list) else [use]):
        at = (*path, "use", index) if isinstance(use, list) else (*path, "use")
        if not isinstance(name, str):
            problems.append(document.problem(at, f"use: expected the name of a template, got {shape(name)}", owner))
        elif name not in scope.templates:
            known = ", ".join(scope.templates) or "none; write them below templates:"
            hint = did_you_mean(name, scope.templates)
            problems.append(document.problem(at, f"use: unknown template {name!r}{hint}; known: {known}", owner))
        else:
            layers.insert(0, scope.templates[name])
    return layers


def _with_layers(check: dict[str, Any], used: list[Layer], scope: Scope) -> tuple[dict[str, Any], dict[str, Borrowed]]:
    values = {key: value for key, value in check.items() if key not in BORROWING}
    kind = values.get("type") or next((layer["type"].value for layer in used if "type" in layer), None)
    layers = [*used, scope.defaults.get(str(kind), {}), _not_its_own(scope.defaults.get("all", {}), str(kind))]
    borrowed: dict[str, Borrowed] = {}
    for layer in layers:
        taken = {rival for key in values if key in _RIVALS_OF for rival in _RIVALS_OF[key]}
        fresh = {key: item for key, item in layer.items() if key not in values and key not in taken}
        borrowed |= fresh
        values |= {key: item.value for key, item in fresh.items()}
    return values, borrowed


def _not_its_own(layer: Layer, kind: str) -> Layer:
    """Return what holds for all but for keys where this kind has an own default, as against `global:`."""
    model = CHECK_MODELS.get(kind)
    if not layer or model is None:
        return layer
    of_all = CheckBase.model_fields
    return {
        key: item
        for key, item in layer.items()
        if key not in of_all or key in ("group", "tags") or model.model_fields[key].default == of_all[key].default
    }


# for_each


def _rows(written: Any, document: Document, path: Path, problems: list[Problem]) -> list[dict[str, Borrowed]]:
    """Return the variables of each check, or nothing when there is a problem with them."""
    before = len(problems)
    check = value_at(document.value, path[:-1])
    owner = owner_of(check, path[:-1])

    def wrong(at: Path, text: str) -> None:
        problems.append(document.problem(at, f"for_each: {text}", owner))

    rows: list[dict[str, Borrowed]] = []
    if isinstance(written, dict) and written:
        columns = [_column(str(name), items, document, (*path, str(name)), wrong) for name, items in written.items()]
        count = _product(columns)
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


def _product(columns: list[list[Borrowed]]) -> int:
    count = 1
    for column in columns:
        count *= len(column)
    return count


def _column(name: str, items: Any, document: Document, path: Path, wrong: Any) -> list[Borrowed]:
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


def _row(item: Any, first: Any, document: Document, path: Path, wrong: Any) -> dict[str, Borrowed]:
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


def _loose_ends(values: dict[str, Any], origin: Origin, names: list[str], written: bool) -> Iterator[Problem]:
    """Yield placeholders without a variable, and variables without a placeholder.

    A check that borrows nothing and has no `for_each` may hold `((…))`: in a regular expression, for one.
    """
    owner = owner_of(values, origin.path)
    used: set[str] = set()
    for key, value in values.items():
        found = _names_in(value)
        used |= set(found)
        borrowed = origin.borrowed.get(key)
        for name in [n for n in found if n not in names] if written or borrowed else []:
            document, path = (borrowed.document, borrowed.path) if borrowed else (origin.document, (*origin.path, key))
            where = ".".join(map(str, path)) if borrowed else key
            text = f"{where}: unknown variable (({name})){did_you_mean(name, names)}; "
            text += f"for_each has {', '.join(names)}" if names else "the check has no for_each"
            yield (document.problem(_place_in(value, path, name), text, owner))
    for name in names:
        if name not in used:
            at = (*origin.path, "for_each", name)
            text = f"for_each: variable {name!r} is not used; write (({name})) where it belongs"
            yield origin.document.problem(at, text, owner)


def _not_in_name(written: Any, name: Any, rows: list[dict[str, Borrowed]]) -> str:
    """Return what the name must hold so that each of the checks has its own, if it does not."""
    wanted = [str(key) for key, items in written.items() if len(items) > 1] if isinstance(written, dict) else []
    found = _names_in(name)
    missing = [key for key in wanted if key not in found]
    if isinstance(written, list) and len(rows) > 1 and not found:
        missing = list(rows[0])[:1]
    if not missing or name is None:
        return ""
    return (
        f"expected {' and '.join(f'(({key}))' for key in missing)} in it, so that each check has its own, got {name!r}"
    )


def has_placeholder(value: Any) -> bool:
    """Return whether a value waits for a variable of `for_each`."""
    return bool(_names_in(value))


def _names_in(value: Any, deep: bool = True) -> list[str]:
    """Return the names of the placeholders in a text, or in all texts of a block."""
    if isinstance(value, str):
        return [m[1] for m in _PLACEHOLDER.finditer(value)] if "((" in value else []
    if deep and isinstance(value, dict):
        return [name for pair in value.items() for one in pair for name in _names_in(one)]
    if deep and isinstance(value, list):
        return [name for one in value for name in _names_in(one)]
    return []


def _place_in(value: Any, path: Path, name: str) -> Path:
    """Return the place of the first text with this placeholder, for its line."""
    items: Iterator[tuple[str | int, Any]] = iter(())
    if isinstance(value, dict):
        items = ((str(key), one) for key, one in value.items())
    elif isinstance(value, list):
        items = ((index, one) for index, one in enumerate(value))
    for key, one in items:
        if name in _names_in(one) or name in _names_in(key):
            return _place_in(one, (*path, key), name)
    return path


def _filled(value: Any, fill: Mapping[str, Any]) -> Any:
    """Return the value with its placeholders filled in; one that is the whole text keeps the type of its item."""
    if isinstance(value, str):
        if "((" not in value:
            return value
        whole = _PLACEHOLDER.fullmatch(value)
        if whole:
            return fill.get(whole[1], value)
        return _PLACEHOLDER.sub(lambda m: _as_text(fill[m[1]]) if m[1] in fill else m[0], value)
    if isinstance(value, dict):
        return {_filled(key, fill) if isinstance(key, str) else key: _filled(one, fill) for key, one in value.items()}
    if isinstance(value, list):
        return [_filled(one, fill) for one in value]
    return value


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
