"""Field types of `checks.yaml`: what a duration, a URL or a time of day may be, and the sentence for what it is not.

Every block of the file is a `Block`: unknown keys are errors, and values do not change once read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Self, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    SecretStr,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import CoreSchema

from monitor.config.expression import compile_expression
from monitor.config.jsonpath import compile_path
from monitor.config.limits import never_warns
from monitor.config.pattern import compile_pattern
from monitor.model import Severity
from monitor.occurrence import WEEK
from monitor.units import did_you_mean, parse_duration

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


def _wait(value: object) -> float:
    return 0.0 if not isinstance(value, bool) and value in (0, "0") else _duration(value)


def _severity(value: object) -> Severity:
    return value if isinstance(value, Severity) else Severity.parse(str(value))


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"expected an IANA time zone such as Asia/Kolkata or UTC, got {value!r}") from error
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, (int, float, str, dict, BaseModel)) else value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", value, re.IGNORECASE):
        raise ValueError(f"expected a URL such as http://host/path, got {value!r}")
    return value


def _clock_time(value: str) -> str:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f'expected a time of day such as "07:30", got {value!r}')
    return value


def _clock_times(value: object) -> tuple[str, ...]:
    """Return times of day in order, each once."""
    times = value if isinstance(value, (list, tuple)) else (value,)
    if not times:
        raise ValueError('expected a time of day such as "07:30", or a list of them, got an empty list')
    for time in times:
        if not isinstance(time, str):
            raise ValueError(f'expected a time of day such as "07:30", got {_shown(time)}')
    return tuple(sorted({_clock_time(time) for time in times}))


def _days(value: object) -> tuple[str, ...]:
    """Return days of the week in order, each once."""
    items = value if isinstance(value, (list, tuple)) else (value,)
    if not items:
        raise ValueError("expected days such as [mon, tue] or mon-fri, got an empty list")
    found = {day for item in items for day in _days_in(item)}
    return tuple(day for day in WEEK if day in found)


def _days_in(item: object) -> tuple[str, ...]:
    word = item.strip().lower() if isinstance(item, str) else ""
    if word in _SPANS:
        return _SPANS[word]
    first, dash, last = (part.strip() for part in word.partition("-"))
    if first not in WEEK or (dash and last not in WEEK):
        hint = did_you_mean(word, (*WEEK, "mon-fri", *_SPANS)) if word else ""
        raise ValueError(f"expected days such as mon, mon-fri, weekdays or weekend, got {_shown(item)}{hint}")
    begin, end = WEEK.index(first), WEEK.index(last or first)
    # From Friday to Monday goes over the end of the week.
    return tuple(WEEK[day % 7] for day in range(begin, end + (7 if end < begin else 0) + 1))


def _json_path(value: str) -> str:
    compile_path(value)
    return value


def _expression(value: str) -> str:
    compile_expression(value)
    return value


def _regex(value: str) -> str:
    compile_pattern(value)
    return value


def _secret(value: object) -> object:
    # pydantic's own sentence would say what it got.
    if isinstance(value, SecretStr):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("expected a text; write a secret as ${VARIABLE}")
    return _one_line(value)


def _wording(value: object) -> object:
    """Return numbers and truth values as the text that is sent."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else value


def _http_code(value: object) -> object:
    """Return a code as it is, and a range as `200-204` or `2xx`."""
    if isinstance(value, str) and re.fullmatch(r"\d{3}", value.strip()):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 100 <= value <= 599:
        return value
    if isinstance(value, str):
        text = value.strip().lower()
        parts = re.fullmatch(r"([1-5])xx|([1-5]\d\d)\s*-\s*([1-5]\d\d)", text)
        if parts and (parts[1] or parts[2] <= parts[3]):
            return text.replace(" ", "")
    raise ValueError(f"expected codes such as 200, 2xx or 200-204, got {_shown(value)}")


def _shown(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _http_header(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", value):
        raise ValueError(f"expected the name of a header such as X-Request-Id, got {value!r}")
    return value


def _texts(value: object) -> object:
    texts = _one_or_many(value)
    if isinstance(texts, (list, tuple)) and (not texts or "" in texts):
        raise ValueError("expected a text or a list of texts, got an empty one")
    return texts


def _one_line(value: str) -> str:
    if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", value):
        raise ValueError("expected a text on one line, got one with line breaks or control characters")
    return value


def _http_method(value: str) -> str:
    method = value.upper() if value.upper() in _METHODS else value
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,40}", method) or method == "CONNECT":
        raise ValueError(f"expected an HTTP method such as GET or PURGE, got {value!r}")
    return method


def _name(value: str) -> str:
    if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > 120:
        raise ValueError(f"expected 1 to 120 printable characters with no space around, got {value!r}")
    return value


class _OrOne:
    """Says in the JSON Schema that an item alone may stand for the list."""

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, object]:
        listed = handler(schema)
        return {"anyOf": [listed["items"], listed]}


Item = TypeVar("Item")
# A list; a value alone is a list of one.
Many = Annotated[tuple[Item, ...], BeforeValidator(_one_or_many), _OrOne()]

_SPANS = {"weekdays": WEEK[:5], "weekend": WEEK[5:]}
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)?\s*)+$"},
    ],
    "examples": ["30s", "5m", 30],
}
_WAIT_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0}, _DURATION_SCHEMA["anyOf"][1]], "examples": ["10s", 0]}
_SEVERITY_SCHEMA = {
    "type": "string",
    "enum": ["P1", "P2", "P3", "P4", "critical", "high", "medium", "low"],
}

Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0), WithJsonSchema(_DURATION_SCHEMA)]
# A duration that may be none at all.
Wait = Annotated[float, BeforeValidator(_wait), WithJsonSchema(_WAIT_SCHEMA)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=0)]
Percent = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, le=100)]
SeverityField = Annotated[Severity, BeforeValidator(_severity), WithJsonSchema(_SEVERITY_SCHEMA)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
_CLOCK_SCHEMA = {"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"}
_CLOCKS_SCHEMA = {"anyOf": [_CLOCK_SCHEMA, {"type": "array", "minItems": 1, "items": _CLOCK_SCHEMA}]}
ClockTimes = Annotated[tuple[str, ...], BeforeValidator(_clock_times), WithJsonSchema(_CLOCKS_SCHEMA)]
_DAY = "|".join(WEEK)
_DAY_SCHEMA = {"type": "string", "pattern": rf"^(weekdays|weekend|({_DAY})(-({_DAY}))?)$"}
_DAYS_SCHEMA = {"anyOf": [_DAY_SCHEMA, {"type": "array", "minItems": 1, "items": _DAY_SCHEMA}]}
Days = Annotated[tuple[str, ...], BeforeValidator(_days), WithJsonSchema(_DAYS_SCHEMA)]
Name = Annotated[str, AfterValidator(_name)]
JsonPath = Annotated[str, AfterValidator(_json_path)]

_CODE_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": r"^\s*([1-5][xX]{2}|[1-5]\d\d(\s*-\s*[1-5]\d\d)?)\s*$"},
    ]
}
HttpCodes = Many[Annotated[int | str, BeforeValidator(_http_code), WithJsonSchema(_CODE_SCHEMA)]]
HttpMethod = Annotated[str, AfterValidator(_http_method)]
HeaderName = Annotated[str, AfterValidator(_http_header)]
OneLine = Annotated[str, AfterValidator(_one_line)]
Regex = Annotated[str, AfterValidator(_regex)]
Expression = Annotated[str, AfterValidator(_expression)]
Secret = Annotated[SecretStr, BeforeValidator(_secret)]
Wording = Annotated[str, BeforeValidator(_wording)]

TEXTS_SCHEMA = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}},
    ]
}
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), WithJsonSchema(TEXTS_SCHEMA)]
Regexes = Annotated[tuple[Regex, ...], BeforeValidator(_texts), WithJsonSchema(TEXTS_SCHEMA)]


class Block(BaseModel):
    """A block of the file: unknown keys are errors, values do not change once read.

    Its validator is built when a first file is read, not with the module. So a default that is a block is made by
    `model_construct`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, defer_build=True)

    @model_validator(mode="after")
    def _can_warn(self) -> Self:
        if wrong := never_warns(self):
            raise ValueError(f"{wrong.key}: {wrong.text}")
        return self


@dataclass(frozen=True, eq=False)
class OrAlone:
    """Says in the JSON Schema that a value alone, of this schema, may stand for the block."""

    alone: dict[str, object]
    block: type[Block]

    def __get_pydantic_json_schema__(self, _schema: object, _handler: object) -> dict[str, object]:
        # When it is asked for: an import would pay for it otherwise.
        return {"anyOf": [self.alone, self.block.model_json_schema()]}
