"""What the JSON Schema of `checks.yaml` says beyond the models: keys that are gone once a file is read. Pure.

`use` and `for_each` on every check, `defaults:` and `templates:` with the keys of the kinds, and `x-` keys for anchors.
"""

from __future__ import annotations

from typing import Any

from monitor.config.checkbase import CheckBase
from monitor.config.kinds import CHECK_MODELS

Schema = dict[str, Any]

_VALUE: Schema = {"type": ["string", "number", "boolean"]}
_VARIABLE = "^[A-Za-z_][A-Za-z0-9_]*$"
_USE: Schema = {
    "description": "names of templates whose keys it takes over; the last one counts most",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
}
_FOR_EACH: Schema = {
    "description": "one check for each value; ((name)) stands for it",
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {_VARIABLE: {"type": "array", "minItems": 1, "items": _VALUE}},
            "additionalProperties": False,
        },
        {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "minProperties": 1,
                "patternProperties": {_VARIABLE: _VALUE},
                "additionalProperties": False,
            },
        },
    ],
}
_PLACEHOLDER: Schema = {"type": "string", "pattern": r"\(\([A-Za-z_][A-Za-z0-9_]*\)\)"}


def with_borrowing(schema: Schema) -> Schema:
    """Return the schema of the file with the keys by which checks borrow; one that uses a template needs no more."""
    definitions, properties = schema["$defs"], schema["properties"]
    refs = {kind: {"$ref": f"#/$defs/{model.__name__}"} for kind, model in CHECK_MODELS.items()}
    required = {kind: _opened(definitions[model.__name__]) for kind, model in CHECK_MODELS.items()}
    checks: list[Schema] = [{"allOf": [refs[kind]], "required": required[kind]} for kind in CHECK_MODELS]
    properties["checks"]["items"] = {
        "if": {"type": "object", "required": ["use"]},
        "then": {"anyOf": list(refs.values())},
        "else": {"oneOf": checks},
    }
    of_all = {key: definitions["HostCheck"]["properties"][key] for key in _keys_of_all(definitions["HostCheck"])}
    properties["defaults"] |= {
        "properties": {"all": {"type": "object", "properties": of_all, "additionalProperties": False}, **refs},
        "additionalProperties": False,
    }
    properties["templates"]["additionalProperties"] = {"anyOf": list(refs.values())}
    schema["patternProperties"] = {"^x-": {}}
    return schema


def _keys_of_all(host: Schema) -> list[str]:
    names = {*CheckBase.model_fields, "retry_backoff_s"} - {"name", "type"}
    return [key for key in host["properties"] if key in names]


def _opened(definition: Schema) -> list[str]:
    """Let a kind's schema borrow, and return what it required; that depends on whether it borrows."""
    properties = definition["properties"]
    for key, keys in properties.items():
        if key not in ("name", "type") and (keys.get("type") != "string" or {"enum", "pattern"} & set(keys)):
            outer = {k: keys[k] for k in ("default", "description", "title") if k in keys}
            properties[key] = outer | {"anyOf": [{k: v for k, v in keys.items() if k not in outer}, _PLACEHOLDER]}
    properties |= {"use": _USE, "for_each": _FOR_EACH}
    required: list[str] = definition.pop("required", [])
    return required
