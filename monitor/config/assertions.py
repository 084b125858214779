"""Assertions on what a target answers, as the file writes them. `probes.jsonrules` and `httprules` judge by them."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal
from weakref import WeakValueDictionary

from pydantic import (
    BeforeValidator,
    Field,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    model_validator,
)

from monitor.config.fields import (
    TEXTS_SCHEMA,
    Block,
    Count,
    Duration,
    HeaderName,
    JsonPath,
    Many,
    Number,
    OrAlone,
    Regex,
    Regexes,
    Texts,
)

JsonType = Literal["string", "number", "integer", "boolean", "null", "array", "object"]
JSON_PREDICATES = (
    "equals",
    "not_equals",
    "lt",
    "le",
    "gt",
    "ge",
    "in",
    "not_in",
    "contains",
    "matches",
    "exists",
    "type",
    "length",
    "max_age",
    "changes_within",
)


def named(block: Block, names: tuple[str, ...]) -> dict[str, Any]:
    """Return those of the keys that the file names, `equals: null` included, in this order."""
    fields = {field.alias or name: name for name, field in type(block).model_fields.items()}
    return {key: getattr(block, fields[key]) for key in names if fields[key] in block.model_fields_set}


def _needs_one_of(block: Block, names: tuple[str, ...], beside: str) -> None:
    if not named(block, names):
        raise ValueError(f"expected one of {', '.join(names)}{beside}")


def _json_types(value: object) -> object:
    # YAML reads `type: null` as nothing at all.
    items = list(value) if isinstance(value, (list, tuple)) else [value]
    return tuple("null" if item is None else item for item in items)


def _exactly(value: object) -> object:
    return value if isinstance(value, (dict, Block)) else {"equals": value}


class LengthRule(Block):
    """How long a text is (characters), a list (entries) or an object (keys). A number alone is `equals`."""

    equals: Count | None = Field(None, description="exactly so many")
    lt: Count | None = Field(None, description="fewer than")
    le: Count | None = Field(None, description="at most")
    gt: Count | None = Field(None, description="more than")
    ge: Count | None = Field(None, description="at least")

    @cached_property
    def limits(self) -> dict[str, int]:
        return named(self, ("equals", "lt", "le", "gt", "ge"))

    @model_validator(mode="after")
    def _has_a_limit(self) -> LengthRule:
        if None in self.limits.values() or not self.limits:
            raise ValueError("expected a number of characters or entries, or one of equals, lt, le, gt, ge")
        return self


_TYPE_SCHEMA = {"enum": ["string", "number", "integer", "boolean", "null", "array", "object", None]}
_TYPES_SCHEMA = {"anyOf": [_TYPE_SCHEMA, {"type": "array", "minItems": 1, "items": _TYPE_SCHEMA}]}

JsonTypes = Annotated[tuple[JsonType, ...], BeforeValidator(_json_types), WithJsonSchema(_TYPES_SCHEMA)]
Length = Annotated[LengthRule, BeforeValidator(_exactly), OrAlone({"type": "integer", "minimum": 0}, LengthRule)]


class JsonRule(Block):
    """One JSONPath and what its value must be. No match, or a value of the wrong type, is a failure.

    Every value that the path matches must hold; with `each: false` one is enough. Numbers are numbers: `"12"` is
    not 12, and `true` is not 1. JSONPath as the package jsonpath-ng has it, with its extensions (filters). Paths of
    names, indices, slices and `*` work on documents of any size; a path that searches (`..`, filters) is a failure on
    one of more than 20,000 values: name the way instead.
    """

    path: JsonPath = Field(description="JSONPath, `$` is the root")
    each: bool = Field(True, description="every value that the path matches must hold; false: one of them is enough")
    equals: Any = Field(None, description="equal value of the same JSON type")
    not_equals: Any = Field(None, description="any other value; still needs a match")
    lt: Number | None = Field(None, description="less than")
    le: Number | None = Field(None, description="at most")
    gt: Number | None = Field(None, description="greater than")
    ge: Number | None = Field(None, description="at least")
    in_: Many[Any] = Field((), alias="in", description="one of these values")
    not_in: Many[Any] = Field((), description="none of these values; still needs a match")
    contains: Any = Field(None, description="a text that holds this text, or a list that holds this value; a list: all")
    matches: Regex | None = Field(None, description="a text in which this regular expression (RE2) is found")
    exists: bool | None = Field(None, description="true: the path matches (null too); false: it does not")
    type: JsonTypes = Field(
        (), description="string, number, integer, boolean, null, array or object, or a list of such"
    )
    length: Length | None = Field(None, description="length of a text, list or object: a number, or a block of limits")
    max_age: Duration | None = Field(
        None, description="a time (RFC 3339, or Unix seconds or milliseconds) no older than this, nor in the future"
    )
    changes_within: Duration | None = Field(
        None, description="a value that is another one than this long ago; remembered from probe to probe"
    )

    @cached_property
    def limits(self) -> dict[str, Any]:
        """Predicates that the file names, `equals: null` included."""
        return named(self, JSON_PREDICATES)

    @model_validator(mode="after")
    def _has_a_limit(self) -> JsonRule:
        _needs_one_of(self, JSON_PREDICATES, f" beside path {self.path!r}")
        if self.exists is False and len(self.limits) > 1:
            raise ValueError("expected no other condition beside exists: false, for there is nothing to compare")
        empty = [key for key in _NOT_EMPTY if key in self.limits and self.limits[key] in (None, "", (), [])]
        if empty:
            raise ValueError(f"{empty[0]}: expected something to compare with, got nothing")
        return self


_read_rules: WeakValueDictionary[str, JsonRule] = WeakValueDictionary()


def _read_once(values: object, read: ValidatorFunctionWrapHandler) -> JsonRule:
    # Thousands of checks say the same. By its spelling: to Python 1, 1.0 and true are equal, to a rule they are not.
    key = repr(values) if isinstance(values, dict) else ""
    rule = _read_rules.get(key) or read(values)
    if key:
        _read_rules[key] = rule
    return rule


JsonRules = Many[Annotated[JsonRule, WrapValidator(_read_once)]]

# `equals: null` means something; nothing to compare with does not.
_NOT_EMPTY = JSON_PREDICATES[2:]
_BODY_PREDICATES = ("contains", "not_contains", "matches", "not_matches")
_HEADER_PREDICATES = ("equals", "contains", "matches", "not_matches", "exists")
_URL_PREDICATES = ("equals", "starts_with", "matches")
_PHASES = ("dns_ms", "connect_ms", "tls_ms", "ttfb_ms", "total_ms")


class BodyRule(Block):
    """What the text of the body must hold: each a text, or a list of texts that must all be so. Alone it is `contains`.

    The text is read in the charset that the answer names (`Content-Type`, a byte order mark, `<meta charset>`), else in
    UTF-8. A body that is empty, cut or not in that charset is a failure, of `not_contains` too. Regular expressions
    are those of RE2: linear time, without look-around and back-references; `(?i)` in front ignores case, `(?s)` lets
    `.` match line ends.
    """

    contains: Texts = Field((), description="these texts stand in the body")
    not_contains: Texts = Field((), description="none of these does")
    matches: Regexes = Field((), description="these regular expressions are found")
    not_matches: Regexes = Field((), description="none of these is")

    @model_validator(mode="after")
    def _has_a_limit(self) -> BodyRule:
        _needs_one_of(self, _BODY_PREDICATES, "")
        return self


def _contained(value: object) -> object:
    return {"contains": value} if isinstance(value, (str, list)) else value


Body = Annotated[BodyRule, BeforeValidator(_contained), OrAlone(TEXTS_SCHEMA, BodyRule)]


class HeaderRule(Block):
    """What a header of the answer must be; a header that is not there is a failure.

    Names have no case. Of a header that comes several times one of its lines, or all of them joined by commas, must
    hold; `not_matches` must hold for all.
    """

    name: HeaderName = Field(description="the header's name")
    equals: str | None = Field(None, description="exactly this value")
    contains: Texts = Field((), description="these texts stand in it")
    matches: Regexes = Field((), description="these regular expressions (RE2) are found in it")
    not_matches: Regexes = Field((), description="none of these is")
    exists: bool | None = Field(None, description="true: it is there; false: it is not")

    @cached_property
    def limits(self) -> dict[str, Any]:
        return named(self, _HEADER_PREDICATES)

    @model_validator(mode="after")
    def _has_a_limit(self) -> HeaderRule:
        _needs_one_of(self, _HEADER_PREDICATES, f" beside header {self.name!r}")
        if self.exists is False and len(self.limits) > 1:
            raise ValueError("expected no other condition beside exists: false, for there is nothing to compare")
        if None in self.limits.values():
            raise ValueError(f"expected a value beside each key of header {self.name!r}")
        return self


class UrlRule(Block):
    """Where redirects must have led, without user, query and fragment. A text alone is `equals`."""

    equals: str | None = Field(None, description="exactly this URL")
    starts_with: str | None = Field(None, description="a URL that begins so; a host in it is a whole one")
    matches: Regex | None = Field(None, description="a URL in which this regular expression (RE2) is found")

    @cached_property
    def limits(self) -> dict[str, str]:
        return named(self, _URL_PREDICATES)

    @model_validator(mode="after")
    def _has_a_limit(self) -> UrlRule:
        if not self.limits or None in self.limits.values() or "" in self.limits.values():
            raise ValueError(f"expected a URL, or one of {', '.join(_URL_PREDICATES)}")
        for text in (self.equals or "", self.starts_with or ""):
            if "?" in text or "#" in text or "@" in text.partition("://")[2].partition("/")[0]:
                raise ValueError("expected a URL without user, query and fragment, which are not recorded")
        return self


FinalUrl = Annotated[UrlRule, BeforeValidator(_exactly), OrAlone({"type": "string", "minLength": 1}, UrlRule)]


class PhaseLimits(Block):
    """Limits of the parts of a request's time; more is FAIL. A phase that was not measured is a failure, too.

    With redirects the times of all hops are added up.
    """

    dns_ms: Number | None = Field(None, gt=0, description="name look-up")
    connect_ms: Number | None = Field(None, gt=0, description="TCP connection")
    tls_ms: Number | None = Field(None, gt=0, description="TLS handshake")
    ttfb_ms: Number | None = Field(None, gt=0, description="from the request to the first byte of the answer")
    total_ms: Number | None = Field(None, gt=0, description="all of it")

    @cached_property
    def limits(self) -> dict[str, float]:
        """Milliseconds by the name of the phase."""
        return {key.removesuffix("_ms"): ms for key, ms in named(self, _PHASES).items() if ms is not None}

    @model_validator(mode="after")
    def _has_a_limit(self) -> PhaseLimits:
        if not self.limits:
            raise ValueError(f"expected one of {', '.join(_PHASES)}")
        return self
