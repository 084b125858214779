"""Assertions on what a target answers, as the file writes them; `probes.jsonrules` judges by them."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, model_validator

from monitor.config.fields import Block, JsonPath, Number

JSON_PREDICATES = ("equals", "not_equals", "lt", "le", "gt", "ge")


class JsonRule(Block):
    """One JSONPath and what its value must be. No match, or a value of the wrong type, is a failure.

    Every value that the path matches must hold. JSONPath as the package jsonpath-ng has it, with its extensions
    (filters).
    """

    path: JsonPath = Field(description="JSONPath, `$` is the root")
    equals: Any = Field(None, description="equal value of the same JSON type")
    not_equals: Any = Field(None, description="any other value; still needs a match")
    lt: Number | None = Field(None, description="less than")
    le: Number | None = Field(None, description="at most")
    gt: Number | None = Field(None, description="greater than")
    ge: Number | None = Field(None, description="at least")

    @cached_property
    def limits(self) -> dict[str, Any]:
        """Predicates that the file names, `equals: null` included."""
        return {key: getattr(self, key) for key in JSON_PREDICATES if key in self.model_fields_set}

    @model_validator(mode="after")
    def _has_a_limit(self) -> JsonRule:
        if not self.limits:
            raise ValueError(f"expected one of {', '.join(JSON_PREDICATES)} beside path {self.path!r}")
        return self
