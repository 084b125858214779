"""The shape of what a request sends, as words of a curl command: each value of it is a variable of the shell. Pure.

    json: {user: me, pin: 12}, of "login"    ──▶    -d '{"user": "'"$LOGIN_USER"'", "pin": '"$LOGIN_PIN"'}'

No value is kept: any of them may be secret.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

# Text and names of variables in turn, beginning with a text.
Word: TypeAlias = tuple[str, ...]
_MOST_VALUES = 12
_LONGEST = 200
_BODIES = frozenset({"-d", "--data-binary", "--data-urlencode"})
_PLACEHOLDER = re.compile(r"\{\{([^{}\s]{1,80})\}\}")
_HARMLESS_HEADERS = frozenset({"accept", "content-type"})


def sent(keys: Mapping[str, Any], of: str) -> tuple[Word, ...]:
    """Return the words for the keys of an http check or of a step; variables are named after `of` and their key."""
    names = _Names(of)
    return (*_credentials(keys, names), *_headers(keys, names), *_body(keys, names))


def variables(words: tuple[Word, ...]) -> tuple[str, ...]:
    """Return the names of the variables in these words."""
    return tuple(dict.fromkeys(name for word in words for name in word[1::2]))


def has_body(words: tuple[Word, ...]) -> bool:
    """Return whether curl would ask by POST with these words."""
    return any(word[0] in _BODIES for word in words)


def in_shell(words: tuple[Word, ...], arg: Callable[[str], str]) -> str:
    """Return the words as a shell reads them; `arg` quotes a text."""
    return " ".join(
        "".join(f'"${part}"' if at % 2 else arg(part) for at, part in enumerate(word) if part) for word in words
    )


def filled(url: str) -> Word:
    """Return a URL with what earlier steps save as variables."""
    parts = _PLACEHOLDER.split(url)
    return tuple(_variable(part) if at % 2 else part for at, part in enumerate(parts))


@dataclass(slots=True)
class _Names:
    """Gives out names of variables, each of them once. With `of` in front, none is one that the shell itself uses."""

    of: str
    given: list[str] = field(default_factory=list)

    def __call__(self, key: str) -> str:
        base = _variable(f"{_variable(self.of)}_{_variable(key)}")
        name = next(name for n in range(1, 10_000) if (name := f"{base}_{n}" if n > 1 else base) not in self.given)
        self.given.append(name)
        return name


def _variable(text: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")[:50]
    return f"V{name}" if name[:1].isdigit() else name or "VALUE"


def _credentials(keys: Mapping[str, Any], names: _Names) -> Iterator[Word]:
    if keys.get("bearer") is not None:
        yield from (("--oauth2-bearer",), ("", names("token")))
    if keys.get("basic") is not None:
        yield from (("-u",), ("", names("username"), ":", names("password")))


def _headers(keys: Mapping[str, Any], names: _Names) -> Iterator[Word]:
    headers = keys.get("headers") or {}
    for name, value in headers.items():
        is_harmless = name.lower() in _HARMLESS_HEADERS
        yield from (("-H",), (f"{name}: {value}",) if is_harmless else (f"{name}:", names(name)))
    if keys.get("json") is not None and "content-type" not in map(str.lower, headers):
        yield from (("-H",), ("Content-Type: application/json",))


def _body(keys: Mapping[str, Any], names: _Names) -> Iterator[Word]:
    if keys.get("body") is not None:
        yield from (("-d",), ("", names("body")))
    if keys.get("body_file") is not None:
        yield from (("--data-binary",), (f"@{keys['body_file']}",))
    for name in keys.get("form") or {}:
        yield from (("--data-urlencode",), (f"{name}=", names(name)))
    if keys.get("json") is not None:
        parts = _joined(_json(keys["json"], "value", names))
        fits = len(parts) <= 2 * _MOST_VALUES + 1 and max(map(len, parts)) <= _LONGEST
        yield from (("-d",), parts if fits else ("@body.json",))


def _json(value: Any, key: str, names: _Names) -> Iterator[tuple[bool, str]]:
    """Yield the pieces of a document, each with whether it is a variable's name."""
    if value is None or isinstance(value, bool):
        yield False, json.dumps(value)
    elif isinstance(value, Mapping):
        for at, (name, one) in enumerate(value.items()):
            yield False, f"{', ' if at else '{'}{json.dumps(str(name), ensure_ascii=False)}: "
            yield from _json(one, str(name), names)
        yield False, "}" if value else "{}"
    elif isinstance(value, (list, tuple)):
        for at, one in enumerate(value):
            yield False, ", " if at else "["
            yield from _json(one, key, names)
        yield False, "]" if value else "[]"
    else:
        mark = "" if isinstance(value, (int, float)) else '"'
        yield from ((False, mark), (True, names(key)), (False, mark))


def _joined(pieces: Iterator[tuple[bool, str]]) -> Word:
    parts = [""]
    for is_name, text in pieces:
        if is_name:
            parts += [text, ""]
        else:
            parts[-1] += text
    return tuple(parts)
