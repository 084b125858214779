"""Reads a YAML file into plain values and remembers on which line each of them stands.

Only what people mean is accepted: `on`, `yes` and `23:59` are texts (YAML 1.2), a key that stands twice
is an error. What comes by a merge key (`<<: *base`) has the line where it is written. Knows nothing of checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

Path = tuple[str | int, ...]

# So many more values than characters may aliases make of a file: a few lines could else stand for billions.
MOST_COPIES = 200_000
# The parser in C would end the process on a hundred thousand open brackets.
MOST_LEVELS = 100

_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc, valid-type]
    """PyYAML's own loader with the scalar rules of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}
    _level = 0

    def descend_resolver(self, current_node: object, current_index: object) -> None:
        self._level += 1
        if self._level > MOST_LEVELS:
            raise RecursionError

    def ascend_resolver(self) -> None:
        self._level -= 1


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), ["" if c == "\0" else c for c in _first]
    )


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a file: the line (from 1) where it stands, in `file`, and of whom it is said."""

    line: int
    text: str
    file: str = ""
    owner: str = ""


@dataclass
class Document:
    """The plain values, the line of every key and item, and what was wrong on the way; `file` is its name."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    file: str = ""

    def line_of(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest block around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: Path, text: str, owner: str = "") -> Problem:
        """Return what is wrong at `path`."""
        return Problem(self.line_of(path), text, self.file, owner)


def not_text(error: UnicodeDecodeError, file: str) -> Problem:
    """Return where a file is no text, and what there is instead."""
    line = error.object.count(b"\n", 0, error.start) + 1
    got = f"byte 0x{error.object[error.start]:02x}"
    return Problem(line, f"cannot be read: expected utf-8, got {got}; save it in that encoding", file)


class _TooMany(Exception):
    """Aliases make more of the file than can be meant."""


def read_yaml(text: str, file: str = "") -> Document:
    """Return the document; what cannot be parsed is a problem, never an exception."""
    document = Document(file=file)
    loader = _Loader(text)
    walk = _Walk(document, MOST_COPIES + len(text))
    try:
        node = loader.get_single_node()
        if node is not None:
            walk.value(node, ())
            document.value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        why = error.problem or error.context or ""
        walk.stop(mark.line + 1 if mark else 1, why + (_help(why, text, mark) if mark else ""))
    except RecursionError:
        walk.stop(1, "nested too deep, or an alias that contains itself")
    except _TooMany:
        walk.stop(walk.line, "aliases make too much of it, more than can be meant")
    except (yaml.YAMLError, ValueError) as error:
        walk.stop(1, str(error).splitlines()[0])
    finally:
        loader.dispose()
    return document


def _help(why: str, text: str, mark: yaml.Mark) -> str:
    """Return what to do about it, begun by a semicolon, where the line tells."""
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    return next((f"; {do}" for says, shows, do in _HELP if says in why and re.search(shows, line)), "")


# What YAML says, what the line shows, and what to do.
_HELP = (
    ("", r"^\s*\t", "tabs are not allowed for indentation: use spaces"),
    ("", r"[:\-\[,]\s+\{\{", 'a text that begins with a brace needs quotes around it: "{{…}}"'),
    ("did not find expected", r"(:|-)\s+\{\w+\}", 'a text that begins with a brace needs quotes around it: "{NAME}…"'),
    ("did not find expected", r"[{\[].*[\s{\[]\$\{", 'a text with a brace needs quotes within { } and [ ]: "${NAME}"'),
    ("cannot start any token", r"(:|-)\s+@", "put a text that begins with @ in quotes"),
    ("cannot start any token", r"(:|-)\s+%", "put a text that begins with % in quotes"),
    ("cannot start any token", r"(:|-)\s+`", "put a text that begins with ` in quotes"),
    ("escape character", "", r"write \\ for a backslash in double quotes, or use single quotes"),
    ("mapping values", "", 'indent the keys of a block alike, and put a text with ": " in quotes'),
)


class _Walk:
    """Notes the line of each value, aliases and merged keys included, as long as there are not too many of them."""

    def __init__(self, into: Document, most: int) -> None:
        self._into = into
        self._left = most
        self.line = 1

    def stop(self, line: int, why: str) -> None:
        self._into.problems.append(Problem(line, f"not readable as YAML: {why}", self._into.file))

    def value(self, node: yaml.Node, path: Path) -> None:
        line = node.start_mark.line + 1
        self._count(line)
        self._into.lines.setdefault(path, line)
        if isinstance(node, yaml.SequenceNode):
            for index, item in enumerate(node.value):
                self.value(item, (*path, index))
        elif isinstance(node, yaml.MappingNode):
            self._mapping(node, path)

    def _count(self, line: int) -> None:
        self._left -= 1
        if self._left < 0:
            self.line = line
            raise _TooMany

    def _mapping(self, node: yaml.MappingNode, path: Path) -> None:
        seen: dict[str, int] = {}
        bases: list[yaml.Node] = []
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                hint = "; merge several by one list: `<<: [*a, *b]`" if bases and key == "<<" else ""
                text = f"key {key!r} stands twice, first on line {seen[key]}{hint}"
                self._into.problems.append(Problem(line, text, self._into.file))
            seen.setdefault(key, line)
            if key_node.tag.endswith(":merge"):
                bases.append(value_node)
                continue
            self._into.lines.setdefault((*path, key), line)
            self.value(value_node, (*path, key))
        for base in bases:
            self._merged(base, path, seen)

    def _merged(self, base: yaml.Node, path: Path, seen: dict[str, int]) -> None:
        """Note the keys of a mapping, or a list of them, that are not `seen` in what it is merged into."""
        self._count(base.start_mark.line + 1)
        if isinstance(base, yaml.SequenceNode):
            for one in base.value:
                self._merged(one, path, seen)
        if not isinstance(base, yaml.MappingNode):
            return
        for key_node, value_node in base.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            self._count(line)
            if not key_node.tag.endswith(":merge") and key not in seen:
                seen[key] = line
                self._into.lines.setdefault((*path, key), line)
                self.value(value_node, (*path, key))
        for key_node, value_node in base.value:
            if key_node.tag.endswith(":merge"):
                self._merged(value_node, path, seen)
