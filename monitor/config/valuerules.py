"""What a single value must be: a column of a row, a key. `probes.predicates` judges by it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, field_validator

from monitor.config.assertions import named
from monitor.config.fields import Block, Number

PREDICATES = ("equals", "not_equals", "lt", "le", "gt", "ge")


class ValueRule(Block):
    """Predicates on one value, all must hold; a value of the wrong type fails."""

    equals: Any = Field(None, description="equal value of the same type; `null` for no value")
    not_equals: Any = Field(None, description="any other value; there must be one, or `null`")
    lt: Number | None = Field(None, description="less than")
    le: Number | None = Field(None, description="at most")
    gt: Number | None = Field(None, description="greater than")
    ge: Number | None = Field(None, description="at least")

    @field_validator("equals", "not_equals")
    @classmethod
    def _is_simple(cls, value: object) -> object:
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        raise ValueError(
            f"expected a number, a text, true, false or null, got {str(value)[:60]!r}; put a date or a time in quotes"
        )

    @cached_property
    def limits(self) -> dict[str, Any]:
        """Predicates that the file names, `equals: null` included."""
        return named(self, PREDICATES)
