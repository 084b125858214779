"""`type: steps`, and how a value that one step saved stands in a later one.

{{token}}    not {TOKEN} or ${TOKEN}, which the environment fills in when the file is read: a name here is in
             lower case
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Block, HeaderName, JsonPath, Name, Number, OneLine, OrAlone, Percent, Regex
from monitor.config.kinds.http import HttpCheck, HttpKeys
from monitor.model import Category
from monitor.units import did_you_mean

MOST_STEPS = 20
_PLACEHOLDER = re.compile(r"\{\{\s*([^{}\s]{1,80})\s*\}\}")
_VALUE_NAME = r"[a-z][a-z0-9_]{0,39}"
# Keys whose texts may hold placeholders, and keys below them whose texts may not: patterns, paths, names.
_SENT = ("url", "query", "headers", "body", "json", "form", "basic", "bearer")
_FILLED = (*_SENT, "expect_headers", "expect_body", "expect_jsonpath")
_AS_WRITTEN = {"expect_headers": ("name", "matches", "not_matches"), "expect_body": ("matches", "not_matches")}
_AS_WRITTEN |= {"expect_jsonpath": ("path", "matches", "type")}

Where = tuple[str, ...]
Fill = Callable[[Where, str], Any]


def placeholders(text: str) -> list[str]:
    """Return the names in double braces."""
    return _PLACEHOLDER.findall(text)


def with_values(text: str, value_of: Callable[[str], str]) -> str:
    """Return the text with its placeholders filled in."""
    return _PLACEHOLDER.sub(lambda match: value_of(match[1]), text)


@lru_cache(maxsize=1000)
def capturing(pattern: str) -> Any:
    """Return a pattern of RE2 whose groups can be read; it is one that `compile_pattern` took."""
    import re2

    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def _one_group(pattern: str) -> str:
    if capturing(pattern).groups > 1:
        raise ValueError(f"expected at most one group, got {pattern!r}; write the others as (?:…)")
    return pattern


def _saved(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


def _value_name(value: str) -> str:
    if not re.fullmatch(_VALUE_NAME, value):
        raise ValueError(f"expected a name in lower case such as token or order_id, got {value!r}")
    return value


def _without_blanks(value: object) -> object:
    return _PLACEHOLDER.sub(r"{{\1}}", value) if isinstance(value, str) else value


class SaveRule(Block):
    """Where a value comes from that later steps use. A text alone is a JSONPath.

    There must be exactly one: a text, a number, true or false, not empty, of at most 4 KiB. Otherwise the step is
    FAIL/content.
    """

    path: JsonPath | None = Field(None, description="JSONPath in the answer, such as `$.access_token`")
    header: HeaderName | None = Field(None, description="header of the answer")
    cookie: OneLine | None = Field(None, min_length=1, description="cookie that would be sent to the same address now")
    regex: Annotated[Regex, AfterValidator(_one_group)] | None = Field(
        None, description="regular expression (RE2) on the body, or on `header`: its group, or all that it finds"
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> SaveRule:
        found = [key for key in ("path", "header", "cookie", "regex") if getattr(self, key) is not None]
        if len(found) != 1 and found != ["header", "regex"]:
            raise ValueError(
                f"expected one of path, header, cookie, regex, or header and regex, got {' and '.join(found) or 'none'}"
            )
        return self

    def __str__(self) -> str:
        if self.cookie:
            return f"cookie {self.cookie}"
        return self.path or (f"header {self.header}" if self.header else f"regex {self.regex}")


Save = Annotated[SaveRule, BeforeValidator(_saved), OrAlone({"type": "string", "minLength": 1}, SaveRule)]
ValueName = Annotated[str, AfterValidator(_value_name)]


class _Named(Block):
    name: Annotated[Name, Field(max_length=60)] = Field(description="unique within the check; messages name it")


class Step(HttpKeys, _Named):
    """One request, with the keys and assertions of an http check, `oauth2` excepted.

    `{{name}}` stands for a value that an earlier step saved, in `url` (path and query only), `query`, `headers`,
    `body`, `json`, `form`, `basic`, `bearer`, and in what is expected of headers, body and JSON; not in regular
    expressions, paths and CEL. In a URL it is percent-encoded, in `query`, `form` and `json` encoded as they are, in
    `body` and headers it stands as it came; one with a line break fails the step in a header. In `json` and
    `expect_jsonpath` a `"{{name}}"` that is the whole text keeps its type: a number is a number.
    """

    always: bool = Field(False, description="clean-up: runs also when a step before it has failed")
    save: dict[ValueName, Save] = Field(
        default_factory=dict, description="values for later steps: a name, and the JSONPath or block that finds it"
    )

    @cached_property
    def template(self) -> dict[str, Any]:
        """The http keys as the file names them, placeholders unfilled."""
        own = {"name", "always", "save"}
        return self.model_dump(by_alias=True, exclude_unset=True, exclude=own)

    def http_check(self, fill: Fill | None = None) -> HttpCheck:
        """Return the step as an http check, each text of it as `fill` returns it; ValidationError when it is none."""
        keys = _mapped(self.template, (), fill) if fill else self.template
        return HttpCheck.model_validate({"type": "http", "name": self.name, **keys})

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        """Names of the values that it needs."""
        return tuple(dict.fromkeys(name for _, text in _texts(self.template, ()) for name in placeholders(text)))

    @field_validator("url", mode="before", check_fields=False)
    @classmethod
    def _no_blanks_in_it(cls, value: object) -> object:
        return _without_blanks(value)

    @model_validator(mode="after")
    def _is_an_http_check(self) -> Step:
        authority = re.split(r"[/?#]", str(self.template.get("url", "")).partition("://")[2])[0]
        if placeholders(authority):
            raise ValueError("url: expected a value of another step in path or query only, got one in the host")
        for where, text in _texts(self.template, ()):
            if placeholders(text) and not is_filled(where):
                raise ValueError(f"{where[0]}: expected no {{{{{placeholders(text)[0]}}}}} here; it is not filled in")
        try:
            self.http_check()
        except ValidationError as error:
            raise ValueError(error.errors()[0]["msg"].removeprefix("Value error, ")) from error
        return self


def is_filled(where: Where) -> bool:
    """Return whether placeholders are filled in at this place; keys of a mapping are places that end in `""`."""
    return where[0] in _FILLED and where[-1] != "" and not set(where[1:]) & set(_AS_WRITTEN.get(where[0], ()))


def _mapped(value: Any, where: Where, fill: Fill) -> Any:
    if isinstance(value, Mapping):
        return {key: _mapped(item, (*where, str(key)), fill) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_mapped(item, where, fill) for item in value]
    if isinstance(value, SecretStr):
        # As a text: a secret that is one already would not be looked at again, and may hold a line break now.
        return fill(where, value.get_secret_value()) if is_filled(where) else value
    return fill(where, value) if isinstance(value, str) and is_filled(where) else value


def _texts(value: Any, where: Where) -> Iterator[tuple[Where, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            if where:
                yield (*where, ""), str(key)
            yield from _texts(item, (*where, str(key)))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item, where)
    elif isinstance(value, (str, SecretStr)):
        yield where, value.get_secret_value() if isinstance(value, SecretStr) else value


def _not_too_many(steps: object) -> object:
    # By pydantic's own limits a list with a slip in one of its steps would be called empty, too.
    if isinstance(steps, (list, tuple)) and not 1 <= len(steps) <= MOST_STEPS:
        raise ValueError(f"expected 1 to {MOST_STEPS} steps, got {len(steps)}")
    return steps


class StepsCheck(CheckBase):
    """Walk through a web application by several requests, each with what the ones before it brought.

    Steps run in their order, within one deadline (`timeout`) over them all; the first that fails ends the walk, and the
    message names it. A step can save values of its answer, which later ones use as `{{name}}`. Cookies are kept from
    step to step and sent where they belong (RFC 6265: domain, path, `Secure`); each run begins without any.

    Steps with `always: true` clean up: they run even after a failure, as far as the values that they need were saved,
    in the share of the time that `reserve` keeps for them. A clean-up that fails is WARN when all else is well.

    Saved values and cookies are taken for secrets: they stand in no message and no evidence. Of an answer with status
    2xx from which values are saved the body is not shown.
    """

    example: ClassVar[str] = """\
- name: order
  type: steps
  timeout: 20s
  steps:
    - name: login
      url: https://shop.example/api/login
      method: POST
      json: {user: monitor, password: "${SHOP_PASSWORD:-secret}"}
      save: {token: $.access_token}
    - name: list
      url: https://shop.example/api/orders
      bearer: "{{token}}"
      expect_jsonpath:
        - {path: $.orders, type: array}
    - name: logout
      url: https://shop.example/api/logout
      method: POST
      bearer: "{{token}}"
      always: true
"""
    trouble: ClassVar[Category] = Category.BUSINESS

    type: Literal["steps"]
    steps: Annotated[
        tuple[Step, ...],
        BeforeValidator(_not_too_many),
        Field(json_schema_extra={"minItems": 1, "maxItems": MOST_STEPS}),
    ] = Field(description="the requests, in their order; at most 20")
    reserve: Percent = Field(20.0, le=80, description="percent of the time that is kept for steps with `always`")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN; without the steps that clean up")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL; without the steps that clean up")

    @property
    def target(self) -> str:
        return str(self.steps[0].template["url"])

    @field_validator("steps")
    @classmethod
    def _fit_together(cls, steps: tuple[Step, ...]) -> tuple[Step, ...]:
        problems: list[str] = []
        names: set[str] = set()
        known: dict[str, None] = {}
        for step in steps:
            if step.name in names:
                problems.append(f"step {step.name!r} stands twice; names are unique")
            problems += [
                f"step {step.name!r}: no step before it saves {{{{{name}}}}}{did_you_mean(name, known)}"
                for name in step.wanted
                if name not in known
            ]
            names.add(step.name)
            known |= dict.fromkeys(step.save)
        if problems:
            raise ValueError("; ".join(problems))
        return steps
