"""Reads a YAML file into plain values and remembers on which line each of them stands.

Only what people mean is accepted: `on`, `yes` and `23:59` are texts (YAML 1.2), a key that stands twice
is an error. Knows nothing of checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, ClassVar

import yaml

Path = tuple[str | int, ...]

_Base: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Base):  # type: ignore[misc, valid-type]
    """PyYAML's own loader with the scalar rules of YAML 1.2's core schema."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


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
    """One thing wrong with the file, and the line (from 1) where it stands."""

    line: int
    text: str


@dataclass
class Document:
    """The plain values, the line of every key and item, and what was wrong on the way."""

    value: Any = None
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line_of(self, path: Path) -> int:
        """Return the line of `path`, or of the nearest block around it."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)


def read_yaml(text: str) -> Document:
    """Return the document; what cannot be parsed is a problem, never an exception."""
    document = Document()
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is not None:
            _walk(loader, node, (), document)
            document.value = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        document.problems.append(Problem(line, f"not readable as YAML: {error.problem or error.context}"))
    except RecursionError:
        document.problems.append(Problem(1, "not readable as YAML: nested too deep, or an alias that contains itself"))
    except (yaml.YAMLError, ValueError) as error:
        document.problems.append(Problem(1, f"not readable as YAML: {str(error).splitlines()[0]}"))
    finally:
        loader.dispose()
    return document


def _walk(loader: yaml.SafeLoader, node: yaml.Node, path: Path, into: Document) -> None:
    into.lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _walk(loader, item, (*path, index), into)
    elif isinstance(node, yaml.MappingNode):
        _walk_mapping(loader, node, path, into)


def _walk_mapping(loader: yaml.SafeLoader, node: yaml.MappingNode, path: Path, into: Document) -> None:
    seen: dict[str, int] = {}
    for key_node, value_node in node.value:
        if key_node.tag.endswith(":merge"):
            continue
        key, line = str(key_node.value), key_node.start_mark.line + 1
        if key in seen:
            into.problems.append(Problem(line, f"key {key!r} stands twice, first on line {seen[key]}"))
        seen.setdefault(key, line)
        into.lines.setdefault((*path, key), line)
        _walk(loader, value_node, (*path, key), into)
