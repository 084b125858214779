"""Conditions in CEL (Common Expression Language), compiled once and checked when the file is read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from monitor.units import did_you_mean

LONGEST_EXPRESSION = 2000
_SHOWN = 24
VARIABLES = (
    "status",
    "headers",
    "body",
    "json",
    "latency_ms",
    "phases",
    "size",
    "cert_days",
    "final_url",
    "http_version",
    "now",
)
FUNCTIONS = (
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "bytes",
    "int",
    "uint",
    "double",
    "type",
    "dyn",
    "timestamp",
    "duration",
    "getFullYear",
    "getMonth",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getHours",
    "getMinutes",
    "getSeconds",
    "getMilliseconds",
)
_TYPES = {
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "timestamp",
    "duration",
}
# A text or a comment; for `re.DOTALL`.
STRING = r"[rRbB]*(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:\\.|[^'\\\n])*'|\"(?:\\.|[^\"\\\n])*\")|//[^\n]*"
_STRING = re.compile(STRING, re.DOTALL)
_LOOP = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
# What Python, SQL and templates write, and what CEL does. Looked for where no text stands.
_OTHER_OPERATORS = (
    (r"\band\b", "&&"),
    (r"\bor\b", "||"),
    (r"\bnot\b", "!"),
    (r"(?<![=!<>])=(?!=)", "=="),
)
_MISTAKE = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")


@dataclass(frozen=True, slots=True)
class CompiledExpression:
    """A condition for use: what it looks at, and how many of its loops (`all`, `map`, …) stand in one another.

    `members` are the keys of the document that it looks at, None when it may be any: handing over a whole document
    costs more than the rest.
    """

    program: Any
    variables: frozenset[str]
    loops: int
    members: frozenset[str] | None


@lru_cache(maxsize=10_000)
def compile_expression(
    text: str, known: tuple[str, ...] = VARIABLES, example: str = "status == 200"
) -> CompiledExpression:
    """Return the condition for use; ValueError that says what is wrong and where. `known` is what it may look at."""
    # It costs a quarter of a second and twenty megabytes, which only those pay who write expressions.
    import cel

    if len(text) > LONGEST_EXPRESSION:
        raise ValueError(f"expected an expression of at most {LONGEST_EXPRESSION} characters, got {len(text)}")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ValueError(f"expected an expression in CEL such as {example}, got {_mistake(text, error)}") from error
    bare = _STRING.sub("''", text)
    loops = [match[1] for match in _LOOP.finditer(bare)]
    variables = set(program.variables()) - (set(loops) - set(known)) - _TYPES
    _refuse_unknown("variable", variables, known)
    _refuse_unknown("function", {name for name in program.functions() if re.fullmatch(r"[A-Za-z]\w*", name)}, FUNCTIONS)
    if not variables:
        raise ValueError(f"expected an expression that looks at {_listed(known)}, got {text[:60]!r}")
    members = None if "json" in loops else _members(bare)
    return CompiledExpression(program, frozenset(variables), _nesting(bare), members)


def _members(bare: str) -> frozenset[str] | None:
    uses = re.findall(r"(?<![\w.])json\b(?:\s*\.\s*([A-Za-z_]\w*)\b(?!\s*\())?", bare)
    return frozenset(uses) if all(uses) else None


def _mistake(text: str, error: ValueError) -> str:
    found = _MISTAKE.search(str(error))
    if not found:
        return f"{text[:60]!r}"
    line, column, what = found.groups()
    where = f"column {column}" if "\n" not in text else f"line {line}, column {column}"
    return f"{text[:60]!r} ({where}: {what.partition(' expecting ')[0]}){_operators(text)}"


def _operators(text: str) -> str:
    """Return `; write && for and` for what is an operator elsewhere, or an empty text."""
    bare = _STRING.sub("''", text)
    found = [(re.search(pattern, bare, re.IGNORECASE), ours) for pattern, ours in _OTHER_OPERATORS]
    said = [f"{ours} for {match[0]}" for match, ours in found if match]
    return f"; write {', '.join(said)}" if said else ""


def _refuse_unknown(what: str, names: set[str], known: tuple[str, ...]) -> None:
    for name in sorted(names - set(known)):
        raise ValueError(f"unknown {what} {name!r}{did_you_mean(name, known)}; known: {_listed(known)}")


def _listed(known: tuple[str, ...]) -> str:
    return ", ".join(known[:_SHOWN]) + (", …" if len(known) > _SHOWN else "")


def _nesting(bare: str) -> int:
    """Return how many loops stand in one another at most."""
    starts = {match.end() for match in re.finditer(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(", bare)}
    open_now: list[bool] = []
    deepest = 0
    for position, char in enumerate(bare, 1):
        if char == "(":
            open_now.append(position in starts)
            deepest = max(deepest, sum(open_now))
        elif char == ")" and open_now:
            open_now.pop()
    return deepest
