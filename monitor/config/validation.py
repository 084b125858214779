"""Plain values to models, and what is wrong with them in the words and at the places of the files.

Called by `loading`, with all variables of the environment filled in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from monitor.config.assembly import Assembly, Written
from monitor.config.checkbase import CheckBase
from monitor.config.environment import Environment
from monitor.config.explain import Redact, meant_by, place_of, sentence
from monitor.config.kinds import CHECK_MODELS
from monitor.config.layers import Layer
from monitor.config.models import Config
from monitor.config.placeholders import has_placeholder
from monitor.config.values import value_at
from monitor.config.yamlfile import Path, Problem

# checks, its index, the key.
_KEY_OF_CHECK = 3


def validate(values: dict[str, Any], made: Assembly, problems: list[Problem], redact: Redact) -> Config | None:
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        unset = {(problem.file, problem.line) for problem in problems if "environment variable" in problem.text}
        details = error.errors(include_url=False)
        meant = {place for detail in details if (place := meant_by(detail, Config))}
        for detail in details:
            if _follows(detail, values, made) or (detail["type"] == "missing" and detail["loc"] in meant):
                continue
            problem = _explain(detail, values, made, redact)
            # A URL that still holds {NAME} is wrong only because the variable is missing: said once.
            if (problem.file, problem.line) not in unset:
                problems.append(problem)
        return None


def _follows(detail: ErrorDetails, values: dict[str, Any], made: Assembly) -> bool:
    """Return whether the error only follows from one in what a check borrows, which is said already."""
    path = place_of(detail["loc"], values)
    index = path[1] if len(path) >= 2 and path[0] == "checks" else None
    if not isinstance(index, int) or not made.origins[index].is_partial:
        return False
    return detail["type"] in ("missing", "union_tag_not_found") or has_placeholder(value_at(values, path))


def _explain(detail: ErrorDetails, values: dict[str, Any], made: Assembly, redact: Redact) -> Problem:
    path, text = place_of(detail["loc"], values), sentence(detail, Config, redact)
    written = made.written(path)
    if detail["type"] == "value_error":
        at_key = made.written((*path, *_key_of(text, value_at(values, path))))
        # What comes from elsewhere may be right there, and wrong only beside what the block says.
        return (at_key if at_key.owner == written.owner else written).problem(text, written.keys)
    if detail["type"] != "extra_forbidden" and detail["type"] != "missing":
        return written.problem(text)
    if detail["type"] == "extra_forbidden" and written.keys[:1] == ("templates",) and len(path) == _KEY_OF_CHECK:
        index = int(path[1])
        return _unfit(made, index, text, written)
    return written.problem(text, written.keys[:-1])


def _key_of(text: str, block: object) -> Path:
    """Return the key of the block that a sentence about all of it begins with, for its line."""
    key, colon, _ = text.partition(": ")
    return (key,) if colon and isinstance(block, dict) and key in block else ()


def _unfit(made: Assembly, index: int, text: str, written: Written) -> Problem:
    """Return that a template has a key which is none of the check that uses it: said of the check."""
    origin = made.origins[index]
    return origin.document.problem((*origin.path, "use"), f"use: {written.keys[1]}: {text}", made.owner(index))


def wrong_layers(made: Assembly, environment: Environment, redact: Redact) -> Iterator[Problem]:
    """Yield what is wrong in `defaults:` and `templates:` by itself, whether a check uses them or not."""
    for document, scope in made.documents:
        for kind, layer in scope.defaults.items():
            own = {key: item for key, item in layer.items() if item.document is document}
            yield from _wrong_values(own, CHECK_MODELS.get(kind, CheckBase), environment, redact)
        for layer in scope.templates.values():
            typed = layer.get("type")
            if typed and typed.document is document and str(typed.value) in CHECK_MODELS:
                yield from _wrong_values(layer, CHECK_MODELS[str(typed.value)], environment, redact)


def _wrong_values(layer: Layer, model: type[CheckBase], environment: Environment, redact: Redact) -> Iterator[Problem]:
    values = {}
    for key, item in layer.items():
        filled, missing = _filled_in(item.value, environment)
        if not missing and not has_placeholder(item.value):
            values[key] = filled
    try:
        model.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            place = place_of(detail["loc"], values)
            if not place or detail["loc"][0] not in values:
                continue
            item = layer[str(place[0])]
            path = (*item.path, *place[1:])
            shown = path[:-1] if detail["type"] in ("extra_forbidden", "missing") else path
            text = f"{'.'.join(map(str, shown))}: {sentence(detail, model, redact)}"
            yield item.document.problem(path, text)


def _filled_in(value: Any, environment: Environment) -> tuple[Any, bool]:
    """Return the value with variables filled in, and whether one is missing."""
    if isinstance(value, str):
        text, missing = environment.expand(value)
        return text, bool(missing)
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        filled = {key: _filled_in(one, environment) for key, one in pairs}
        values = {key: one for key, (one, _) in filled.items()}
        is_missing = any(missing for _, missing in filled.values())
        return (values if isinstance(value, dict) else list(values.values())), is_missing
    return value, False
