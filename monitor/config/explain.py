"""What pydantic found wrong, in the words and at the place of the file: `expected …, got …`, the nearest name.

Called by `loading`. Knows the models, not the files.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from monitor.config.channelblock import CHANNEL_KEYS
from monitor.config.kinds import CHECK_MODELS
from monitor.config.layers import BORROWING
from monitor.config.otherwords import channel_hint, key_hint, our_key, type_hint
from monitor.config.remedies import ACTION_MODELS
from monitor.config.values import shape
from monitor.config.yamlfile import Path
from monitor.units import did_you_mean, plain

Redact = Callable[[str], str]
Place = tuple[int | str, ...]
# checks, its index, and then the type that told which model it is.
_TAG = 2
_LONGEST = 400
# So few keys of a block are listed, where none of them is near.
_FEW = 8


def place_of(loc: Place, values: Any) -> Path:
    """Return the error's place as the values have it: without the tags that pydantic adds for unions."""
    path: Path = ()
    for position, part in enumerate(loc):
        if _named_by_tag(loc, position):
            continue
        inner = _step(values, part)
        if inner is not _NOTHING:
            path, values = (*path, part), inner
        elif position == len(loc) - 1 and isinstance(part, str) and not _is_tag(part):
            path = (*path, part)
    return path


_NOTHING = object()


def _step(values: Any, part: int | str) -> Any:
    if isinstance(values, dict):
        return next((value for key, value in values.items() if str(key) == str(part)), _NOTHING)
    if isinstance(values, (list, tuple)) and isinstance(part, int) and part < len(values):
        return values[part]
    return _NOTHING


def _named_by_tag(loc: Place, position: int) -> type[BaseModel] | None:
    """Return the check or action whose type stands at this position: it told which model it is, and is no key."""
    tag = str(loc[position])
    if position == _TAG and loc[0] == "checks" and isinstance(loc[1], int):
        return CHECK_MODELS.get(tag)
    is_of_action = position > 1 and loc[position - 2] == "actions" and isinstance(loc[position - 1], int)
    return ACTION_MODELS.get(tag) if is_of_action else None


def _is_tag(part: str) -> bool:
    return part in CHECK_MODELS or "[" in part or part in ("int", "str", "float")


def sentence(detail: ErrorDetails, root: type[BaseModel], redact: Redact) -> str:
    """Return what is wrong, without secrets. The error's place is one in `root`."""
    said, value = _sentence(detail, root), detail["input"]
    if isinstance(value, str):
        # `got …` spells a secret with a quote or a line break in it otherwise than it is.
        said = said.replace(repr(value), repr(redact(value)))
    return redact(said)


def faults(error: ValidationError, root: type[BaseModel], most: int = 100) -> list[str]:
    """Return what is wrong with what somebody has sent: `key: expected …, got …`, each on one bounded line."""
    found = error.errors(include_url=False)[:most]
    return [plain(f"{'.'.join(map(str, one['loc'])) or 'body'}: {_sentence(one, root)}", _LONGEST) for one in found]


def _sentence(detail: ErrorDetails, root: type[BaseModel]) -> str:
    error, leaf = detail["type"], str(detail["loc"][-1]) if detail["loc"] else ""
    if error == "extra_forbidden":
        return _unknown_key(leaf, keys_around(detail["loc"], root))
    if error == "missing":
        return f"missing key {leaf!r}"
    if error == "union_tag_not_found":
        types = ACTION_MODELS if "actions" in detail["loc"] else CHECK_MODELS
        return f"missing key 'type'; expected one of {', '.join(types)}"
    if error == "union_tag_invalid":
        got = str(detail["input"].get("type"))
        if "actions" in detail["loc"]:
            return f"unknown type {got!r}{did_you_mean(got, ACTION_MODELS)}; expected one of {', '.join(ACTION_MODELS)}"
        return f"unknown type {got!r}{type_hint(got, CHECK_MODELS)}; expected one of {', '.join(CHECK_MODELS)}"
    if error == "value_error":
        return detail["msg"].removeprefix("Value error, ")
    is_channel = detail["loc"][:1] == ("channels",) and leaf == "type"
    hint = channel_hint(str(detail["input"]), CHANNEL_KEYS) if is_channel else ""
    return f"{_standard(detail)}, got {_got(detail['input'])}{hint}"


def meant_by(detail: ErrorDetails, root: type[BaseModel]) -> Place | None:
    """Return the place of the key that an unknown one was probably meant to be."""
    if detail["type"] != "extra_forbidden":
        return None
    loc = detail["loc"]
    ours = our_key(str(loc[-1]), keys_around(loc, root))
    return (*loc[:-1], ours.partition(":")[0]) if ours else None


def _unknown_key(key: str, known: list[str]) -> str:
    hint = key_hint(key, known)
    listed = f"; expected {', '.join(known)}" if not hint and 0 < len(known) <= _FEW else ""
    return f"unknown key {key!r}{hint}{listed}"


def _standard(detail: ErrorDetails) -> str:
    """Return pydantic's own sentence as `expected …`."""
    known = {
        "int_parsing": "a whole number",
        "int_type": "a whole number",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "float_type": "a number",
        "string_type": "a text (put it in quotes)",
        "tuple_type": "a list",
        "bool_parsing": "true or false",
        "bool_type": "true or false",
        "dict_type": "a block of keys",
        "model_type": "a block of keys",
        "model_attributes_type": "a block of keys",
        "invalid_key": "a text (put it in quotes)",
    }
    return "expected " + known.get(detail["type"], _expectation(detail["msg"]))


def _expectation(said: str) -> str:
    """Return pydantic's sentence without the words before what it expects."""
    return said.removeprefix("Input should be ").removeprefix("String should have ")


def _got(value: object) -> str:
    return repr(value) if isinstance(value, (str, int, float, type(None))) else shape(value)


def keys_around(loc: Place, root: type[BaseModel]) -> list[str]:
    """Return the keys that the block around the last part of the place has."""
    kinds: list[object] = [root]
    for position, part in enumerate(loc[:-1]):
        if model := _named_by_tag(loc, position):
            kinds = [model]
        else:
            # A part that leads nowhere is a tag of a union.
            kinds = [leaf for kind in kinds for leaf in _inside(kind, part)] or kinds
    models = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
    borrowing = BORROWING if any(model in CHECK_MODELS.values() for model in models) and root not in models else ()
    return [*dict.fromkeys(key for model in models for key in keys_of(model)), *borrowing]


def keys_of(model: type[BaseModel]) -> list[str]:
    """Return the model's keys as a file has them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _inside(kind: object, part: int | str) -> list[object]:
    """Return the types of what stands at `part` of a block, list or mapping of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        field = next((f for name, f in kind.model_fields.items() if part in (name, f.alias)), None)
        return _leaves(field.annotation) if field else []
    inner = typing.get_args(kind)
    if isinstance(part, int) and inner:
        return _leaves(inner[0])
    return _leaves(inner[1]) if len(inner) == 2 and isinstance(part, str) else []


def _leaves(annotation: object) -> list[object]:
    """Return the types that an annotation allows, unions and `Annotated` taken apart."""
    if typing.get_origin(annotation) is typing.Annotated:
        return _leaves(typing.get_args(annotation)[0])
    if _is_union(annotation):
        return [leaf for part in typing.get_args(annotation) for leaf in _leaves(part)]
    return [annotation]


def _is_union(annotation: object) -> bool:
    return typing.get_origin(annotation) in (typing.Union, types.UnionType)
