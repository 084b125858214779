"""What a check borrows, and how one becomes many: `defaults:`, `templates:` with `use:`, `for_each:`.

    check as written ─▶ its own keys > templates (the last first) > defaults.<type> > defaults.all ─▶ for_each ─▶ checks

A key counts whole: lists and blocks are not mixed. Works on plain values and their places in documents, before
variables of the environment are filled in; what the values mean is for the models. Called by `assembly`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from monitor.config.checkbase import CheckBase
from monitor.config.foreach import rows_of
from monitor.config.kinds import CHECK_MODELS
from monitor.config.layers import BORROWING, Borrowed, Layer, Scope
from monitor.config.placeholders import filled, names_in, place_in
from monitor.config.values import owner_of, shape, value_at
from monitor.config.yamlfile import Document, Path, Problem
from monitor.units import did_you_mean

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
            for name in names_in(value_at(document.value, path), deep=False):
                if name in self.variables:
                    return self.document, self.variables[name], True
        return document, path, borrowed is None


def expanded(
    check: dict[str, Any], document: Document, path: Path, scope: Scope, problems: list[Problem]
) -> Iterator[tuple[dict[str, Any], Origin]]:
    """Yield the checks that one written check stands for, complete with what it borrows."""
    before = len(problems)
    used = _used(check, document, path, scope, problems)
    values, borrowed = _with_layers(check, used, scope)
    rows = rows_of(check["for_each"], document, (*path, "for_each"), problems) if "for_each" in check else None
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
            {key: filled(value, fill) for key, value in values.items()},
            Origin(document, path, borrowed, {name: item.path for name, item in row.items()}, is_partial),
        )


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


def _loose_ends(values: dict[str, Any], origin: Origin, names: list[str], written: bool) -> Iterator[Problem]:
    """Yield placeholders without a variable, and variables without a placeholder.

    A check that borrows nothing and has no `for_each` may hold `((…))`: in a regular expression, for one.
    """
    owner = owner_of(values, origin.path)
    used: set[str] = set()
    for key, value in values.items():
        found = names_in(value)
        used |= set(found)
        borrowed = origin.borrowed.get(key)
        for name in [n for n in found if n not in names] if written or borrowed else []:
            document, path = (borrowed.document, borrowed.path) if borrowed else (origin.document, (*origin.path, key))
            where = ".".join(map(str, path)) if borrowed else key
            text = f"{where}: unknown variable (({name})){did_you_mean(name, names)}; "
            text += f"for_each has {', '.join(names)}" if names else "the check has no for_each"
            yield (document.problem(place_in(value, path, name), text, owner))
    for name in names:
        if name not in used:
            at = (*origin.path, "for_each", name)
            text = f"for_each: variable {name!r} is not used; write (({name})) where it belongs"
            yield origin.document.problem(at, text, owner)


def _not_in_name(written: Any, name: Any, rows: list[dict[str, Borrowed]]) -> str:
    """Return what the name must hold so that each of the checks has its own, if it does not."""
    wanted = [str(key) for key, items in written.items() if len(items) > 1] if isinstance(written, dict) else []
    found = names_in(name)
    missing = [key for key in wanted if key not in found]
    if isinstance(written, list) and len(rows) > 1 and not found:
        missing = list(rows[0])[:1]
    if not missing or name is None:
        return ""
    return (
        f"expected {' and '.join(f'(({key}))' for key in missing)} in it, so that each check has its own, got {name!r}"
    )
