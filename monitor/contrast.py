"""What differs between the last good verdict and the first bad one: often the cause, or next to it. Pure.

Facts are what a probe observed, as far as it is small and says what the target is rather than how it is doing: its
address, version, certificate, content type, code. Latencies, ages and counters differ each time and say nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from monitor.model import Json, Outcome, Result
from monitor.units import clip, from_rfc3339, plain, to_rfc3339

Fact: TypeAlias = "bool | int | str"
FACTS = 24
SHOWN = 6
_TEXT = 120
# What is different at every look, or is shown elsewhere.
_RESTLESS = re.compile(
    r"(^|[._])(body|exit_code|ttl|age|elapsed|uptime|percent|findings|changed|top|job_id|job_state|state|answer|head|cut|attempts)$"
    r"|_(ms|s|at|days|percent|ratio)$"
)
# Said only when there is something to say; that it is there now is news.
_APPEARING = frozenset({"final_url"})


@dataclass(frozen=True, slots=True)
class Sighting:
    """The facts of one verdict."""

    at: datetime
    facts: Mapping[str, Fact]

    @classmethod
    def of(cls, result: Result) -> Sighting:
        """Return the bounded facts of a verdict."""
        return cls(result.at, facts_of(result.outcome))

    def to_json(self) -> dict[str, Json]:
        return {"at": to_rfc3339(self.at), "facts": dict(self.facts)}

    @classmethod
    def from_json(cls, fields: Json) -> Sighting | None:
        """Return the sighting, None where there is none; KeyError or ValueError when it is no such thing."""
        if not isinstance(fields, Mapping):
            return None
        facts = fields.get("facts")
        kept = facts.items() if isinstance(facts, Mapping) else ()
        return cls(from_rfc3339(str(fields["at"])), {k: v for k, v in kept if isinstance(v, (bool, int, str))})


@dataclass(frozen=True, slots=True)
class Change:
    """One fact that is not what it was."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.what} {self.before} → {self.after}"


def facts_of(outcome: Outcome) -> dict[str, Fact]:
    """Return at most 24 facts of an outcome, by name; texts have at most 120 characters."""
    facts: dict[str, Fact] = {} if outcome.code is None else {"code": outcome.code}
    for name, value in _scalars(outcome.observed):
        if len(facts) >= FACTS:
            break
        if not _RESTLESS.search(name):
            facts[plain(name, 60)] = value if isinstance(value, (bool, int)) else plain(value, _TEXT)
    return facts


def _scalars(observed: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Fact]]:
    for name, value in observed.items():
        if isinstance(value, (bool, int, str)):
            yield prefix + name, value
        elif isinstance(value, Mapping) and not prefix:
            yield from _scalars(value, f"{name}.")
        elif isinstance(value, (list, tuple)) and value and all(isinstance(one, (int, str)) for one in value):
            yield prefix + name, ", ".join(sorted(map(str, value[:20])))


def changes(good: Sighting | None, bad: Sighting | None) -> tuple[Change, ...]:
    """Return the facts that both verdicts tell, each differently, at most six; code and address come first."""
    if good is None or bad is None:
        return ()
    first = {"code": 0, "address": 1}
    names = sorted(bad.facts, key=lambda name: first.get(name, 2))
    found = [
        Change(name, _shown(good.facts.get(name)), _shown(bad.facts[name]))
        for name in names
        if (name in good.facts or name in _APPEARING) and good.facts.get(name) != bad.facts[name]
    ]
    return tuple(found[:SHOWN])


def sentence(found: tuple[Change, ...]) -> str:
    """Return `changed since last good: code 200 → 502, …`, empty when nothing has changed."""
    return clip(f"changed since last good: {', '.join(map(str, found))}", 400) if found else ""


def _shown(fact: Fact | None) -> str:
    if isinstance(fact, bool):
        return str(fact).lower()
    return "none" if fact is None else clip(str(fact), 60)
