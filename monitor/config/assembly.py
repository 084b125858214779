"""One configuration from several files: `include:`, and every check with what it borrows, as plain values.

    main document + included documents ─▶ scopes (templates) ─▶ Assembly: values for the models, places for their errors

Called by `loading`. Reads the included files.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from monitor.config.environment import Environment
from monitor.config.include import Sources, find, label_of
from monitor.config.layers import Scope
from monitor.config.otherwords import key_hint
from monitor.config.templates import Origin, expanded
from monitor.config.values import owner_of, shape, value_at
from monitor.config.yamlfile import Document, Problem, not_text, read_yaml
from monitor.config.yamlfile import Path as KeyPath

_OF_INCLUDED = ("checks", "templates", "defaults")


class Written(NamedTuple):
    """Where a value is written, of whom errors in it are said, and the keys from there on."""

    document: Document
    path: KeyPath
    owner: str
    keys: KeyPath

    def problem(self, text: str, keys: KeyPath | None = None) -> Problem:
        where = ".".join(map(str, self.keys if keys is None else keys))
        return self.document.problem(self.path, f"{where}: {text}" if where else text, self.owner)


# Lists of blocks with names of their own, and what one of them is called.
NAMED_BLOCKS = {
    "channels": "channel",
    "routes": "route",
    "on_call": "rota",
    "maintenance": "maintenance",
    "rules": "rule",
}


@dataclass
class Assembly:
    """`values` are those of the file, checks complete; `origins` has one entry for each check."""

    main: Document
    sources: Sources
    digest: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    origins: list[Origin] = field(default_factory=list)
    documents: list[tuple[Document, Scope]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def written(self, path: KeyPath) -> Written:
        """Return where the value at `path` of `values` is written."""
        index = path[1] if len(path) >= 2 else None
        if path[:1] == ("checks",) and isinstance(index, int) and index < len(self.origins):
            rest = path[2:]
            document, place, is_own = self.origins[index].place_of(rest)
            return Written(document, place, self.owner(index), rest) if is_own else Written(document, place, "", place)
        word = NAMED_BLOCKS.get(str(path[0])) if path else None
        if word and isinstance(index, int):
            item = value_at(self.values, path[:2])
            name = item.get("name") if isinstance(item, dict) else None
            return Written(self.main, path, f"{word} {name if name is not None else f'#{index + 1}'!r}", path[2:])
        return Written(self.main, path, "", path)

    def owner(self, index: int) -> str:
        """Return `check 'db'` for the check at `index` of the values."""
        check, path = self.values["checks"][index], self.origins[index].path
        return owner_of(check if isinstance(check, dict) else {}, path)


def assemble(document: Document, text: str, sources: Sources, environment: Environment) -> Assembly:
    """Return what the main document and the files that it includes say together."""
    values: dict[str, Any] = {key: value for key, value in document.value.items() if not str(key).startswith("x-")}
    made = Assembly(document, sources, values=values, problems=list(document.problems))
    digest = hashlib.sha256(text.encode())
    scope = Scope.of(document, made.problems)
    made.documents.append((document, scope))
    for key in ("defaults", "templates"):
        # Said already; the models see only what has the right shape.
        if not isinstance(values.get(key, {}), dict):
            del values[key]
    # `checks:` with nothing below it, yet, holds none.
    checks = [] if values.get("checks") is None else values["checks"]
    found: list[Any] = []
    if isinstance(checks, list):
        found += _checks_of(checks, document, ("checks",), scope, made)
    for path in _included(made, environment):
        _take(path, scope, made, found, digest)
    if isinstance(checks, list):
        values["checks"] = found
    made.digest = digest.hexdigest()[:12]
    return made


def _checks_of(checks: list[Any], document: Document, path: KeyPath, scope: Scope, made: Assembly) -> list[Any]:
    found: list[Any] = []
    is_plain = not scope.defaults
    for index, check in enumerate(checks):
        at = (*path, index)
        if not isinstance(check, dict) or (is_plain and "use" not in check and "for_each" not in check):
            found.append(check)
            made.origins.append(Origin(document, at))
            continue
        for values, origin in expanded(check, document, at, scope, made.problems):
            found.append(values)
            made.origins.append(origin)
    return found


def _included(made: Assembly, environment: Environment) -> list[Path]:
    """Return the files to read, each once; the patterns without any are problems."""
    written = made.values.get("include", [])
    main = made.main
    patterns: list[str] = []
    for index, one in enumerate(written if isinstance(written, list) else [written]):
        at: KeyPath = ("include", index) if isinstance(written, list) else ("include",)
        if not isinstance(one, str) or not one.strip():
            got = "an empty text" if isinstance(one, str) else shape(one)
            made.problems.append(main.problem(at, f"include: expected a file, a folder or a pattern, got {got}"))
            continue
        pattern, missing = environment.expand(one)
        for name in missing:
            made.problems.append(main.problem(at, f"include: {not_set(name)}"))
        if missing:
            continue
        patterns.append(pattern)
        try:
            find(pattern, made.sources.main)
        except ValueError as error:
            made.problems.append(main.problem(at, f"include: {error}"))
        except OSError as error:
            made.problems.append(main.problem(at, f"include: {one!r} cannot be read: {error.strerror}"))
    if made.problems:
        made.values.pop("include", None)
    made.sources = made.sources.including(patterns)
    return list(made.sources.included)


def not_set(name: str) -> str:
    """Return what to say of a variable of the environment that is not there."""
    return f"environment variable {name} is not set; set it, or write it into .env beside the file"


def _take(path: Path, outer: Scope, made: Assembly, found: list[Any], digest: Any) -> None:
    """Add what an included file says."""
    label = label_of(path, made.sources.main)
    if not path.is_file():
        made.problems.append(Problem(1, "expected a file, got none behind this name (a link to nothing?)", label))
        return
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        made.problems.append(not_text(error, label))
        return
    except OSError as error:
        made.problems.append(Problem(1, f"cannot be read: {error}", label))
        return
    digest.update(f"\0{label}\0{text}".encode())
    document = read_yaml(text, label)
    made.problems += document.problems
    value, scope = document.value, outer
    if document.problems and value is None:
        return
    if isinstance(value, dict):
        scope = Scope.of(document, made.problems, outer)
        made.problems += _foreign(document)
        made.documents.append((document, scope))
        if "checks" not in value:
            return
    checks, at = (value.get("checks"), ("checks",)) if isinstance(value, dict) else (value, ())
    if not isinstance(checks, list):
        what = "checks: expected a list" if at else "expected a list of checks, or checks: with one"
        made.problems.append(document.problem(at, f"{what}, got {shape(checks)}"))
        return
    found += _checks_of(checks, document, at, scope, made)


def _foreign(document: Document) -> list[Problem]:
    problems = []
    for key in map(str, document.value):
        if key == "include":
            text = "include: expected no include in an included file; write it into the main one"
        elif key.startswith("x-") or key in _OF_INCLUDED:
            continue
        else:
            known = ", ".join(_OF_INCLUDED)
            text = f"unknown key {key!r}{key_hint(key, _OF_INCLUDED)}; an included file has {known}"
        problems.append(document.problem((key,), text))
    if "checks" not in document.value and not problems:
        known_values = [key for key in document.value if key in _OF_INCLUDED]
        if not known_values:
            problems.append(document.problem((), "expected a list of checks, or checks: with one, got neither"))
    return problems
