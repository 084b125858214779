"""Values that go from an answer to the next request: found, bounded, and put in so that they change nothing else.

answer, save ─▶ find ─▶ values ─▶ filler ─▶ texts of the next step
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

import orjson

from monitor.config.kinds.steps import Fill, SaveRule, Where, capturing, placeholders, with_values
from monitor.model import Finding
from monitor.probes.bodytext import NoText, charset_of, codec_of, text_of
from monitor.probes.curl import Answer
from monitor.probes.httprules import values_of
from monitor.probes.jsonpaths import CannotJudge, values_at
from monitor.probes.jsonrules import parse_json
from monitor.probes.predicates import is_number
from monitor.probes.steps.cookies import Cookies
from monitor.units import plain

LONGEST_BYTES = 4096
_SEPARATOR = re.compile(r"[/\\]")
Value: TypeAlias = str | int | float | bool


class Unfit(Exception):
    """A saved value cannot stand where it is wanted; the text says where, and not the value."""


class _NoValue(Exception):
    """There is no value to save; the text says what is there instead, as `is …`."""


def find(
    save: Mapping[str, SaveRule], answer: Answer, url: str, cookies: Cookies
) -> tuple[dict[str, Value], list[Finding]]:
    """Return the values that an answer from this URL has, and a finding for each that it has not."""
    values: dict[str, Value] = {}
    findings: list[Finding] = []
    for name, rule in save.items():
        try:
            values[name] = _fit(_found(rule, answer, url, cookies))
        except _NoValue as error:
            what = f"value {name!r} to save ({plain(str(rule), 80)})"
            findings.append(Finding(what, "one text, number or truth value", str(error)))
    return values, findings


def _found(rule: SaveRule, answer: Answer, url: str, cookies: Cookies) -> Any:
    if rule.cookie:
        return _only([value for value in [cookies.value(url, rule.cookie)] if value is not None])
    if rule.header:
        text = str(_only(values_of(answer.headers, rule.header)))
        return _matched(rule.regex, text) if rule.regex else text
    if answer.cut:
        raise _NoValue("in a body that is longer than max_body_bytes")
    if rule.regex:
        return _matched(rule.regex, _text(answer))
    try:
        return _only(values_at(_document(answer), rule.path or ""))
    except CannotJudge as error:
        raise _NoValue(str(error)) from error


def _only(found: list[Any]) -> Any:
    if len(found) != 1:
        raise _NoValue(f"{len(found)} values" if found else "missing")
    return found[0]


def _matched(pattern: str, text: str) -> str:
    found = capturing(pattern).search(text)
    value = found and found.group(min(found.re.groups, 1))
    if value is None:
        raise _NoValue("missing")
    return str(value)


def _content_type(answer: Answer) -> str:
    return next(iter(values_of(answer.headers, "content-type")), "")


def _text(answer: Answer) -> str:
    try:
        return text_of(answer.body, _content_type(answer))
    except NoText as error:
        raise _NoValue(f"in a body that is {error}") from error


def _document(answer: Answer) -> Any:
    document, wrong = parse_json(answer.body)
    if wrong and codec_of(charset_of(_content_type(answer))) not in ("", "utf-8", "ascii"):
        document, wrong = parse_json(_text(answer).encode())
    if wrong:
        # Not what it is instead: a piece of it could be what is to be kept secret.
        raise _NoValue("in a body that is empty" if wrong.got == "empty" else "in a body that is not JSON")
    return document


def _fit(value: Any) -> Value:
    if isinstance(value, bool) or is_number(value):
        return value  # type: ignore[no-any-return]
    if not isinstance(value, str):
        raise _NoValue("null" if value is None else "an object" if isinstance(value, dict) else "a list")
    if not value.strip():
        raise _NoValue("empty")
    if len(value.encode()) > LONGEST_BYTES:
        raise _NoValue(f"longer than {LONGEST_BYTES} bytes")
    return value


def as_text(value: Value) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def filler(values: Mapping[str, Value]) -> Fill:
    """Return what fills placeholders in, encoded as each place needs it; it raises Unfit."""

    def text_of_value(name: str) -> str:
        return as_text(values[name])

    def fill(where: Where, text: str) -> Any:
        names = placeholders(text)
        if where[0] == "url":
            return _in_url(text, lambda name: quote(text_of_value(name), safe=""))
        is_whole = len(names) == 1 and with_values(text, lambda name: "") == ""
        if is_whole and where[0] in ("json", "expect_jsonpath"):
            return values[names[0]]
        return with_values(text, text_of_value)

    return fill


def _in_url(url: str, encoded: Callable[[str], str]) -> str:
    path, mark, query = url.partition("?")
    segments = [with_values(segment, encoded) for segment in path.split("/")]
    changed = (new for new, old in zip(segments, path.split("/"), strict=True) if new != old)
    if any(part in (".", "..") for segment in changed for part in _SEPARATOR.split(unquote(segment))):
        # `DELETE /orders/..` is another request than was meant, and so is `..%2Fusers` where a server decodes it first.
        raise Unfit("url: a saved value with . or .. as a part of its path cannot stand there")
    return "/".join(segments) + mark + with_values(query, encoded)
