"""Field types of `checks.yaml`: what a duration, a URL or a time of day may be, and the sentence for what it is not.

Every block of the file is a `Block`: unknown keys are errors, and values do not change once read.
"""

from __future__ import annotations

import re
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from monitor.config.jsonpath import compile_path
from monitor.model import Severity
from monitor.units import parse_duration

# Nothing is waited for longer than a year.
LONGEST_S = 366 * 86400.0


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


def _duration(value: object) -> float:
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"expected a duration such as 30s or 5m, got {value!r}")
    seconds = parse_duration(value)
    if not seconds <= LONGEST_S:
        raise ValueError(f"expected at most 366 days, got {value!r}")
    return seconds


def _severity(value: object) -> Severity:
    return value if isinstance(value, Severity) else Severity.parse(str(value))


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"expected an IANA time zone such as Asia/Kolkata or UTC, got {value!r}") from error
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, (int, str)) else value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", value, re.IGNORECASE):
        raise ValueError(f"expected a URL such as http://host/path, got {value!r}")
    return value


def _clock_time(value: str) -> str:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f'expected a time of day such as "07:30", got {value!r}')
    return value


def _json_path(value: str) -> str:
    compile_path(value)
    return value


def _name(value: str) -> str:
    if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > 120:
        raise ValueError(f"expected 1 to 120 printable characters with no space around, got {value!r}")
    return value


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)?\s*)+$"},
    ],
    "examples": ["30s", "5m", 30],
}
_SEVERITY_SCHEMA = {
    "type": "string",
    "enum": ["P1", "P2", "P3", "P4", "critical", "high", "medium", "low"],
}

Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0), WithJsonSchema(_DURATION_SCHEMA)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=0)]
Percent = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, le=100)]
SeverityField = Annotated[Severity, BeforeValidator(_severity), WithJsonSchema(_SEVERITY_SCHEMA)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
Name = Annotated[str, AfterValidator(_name)]
JsonPath = Annotated[str, AfterValidator(_json_path)]
HttpCode = Annotated[int, BeforeValidator(_not_bool), Field(ge=100, le=599)]


_CODES_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "array", "items": {"type": "integer", "minimum": 100, "maximum": 599}},
    ]
}
HttpCodes = Annotated[tuple[HttpCode, ...], BeforeValidator(_one_or_many), WithJsonSchema(_CODES_SCHEMA)]


class Block(BaseModel):
    """A block of the file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)
