"""Rules on a JSON document, fail closed: what cannot be evaluated is a finding, never a pass."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from monitor import garbage
from monitor.config import JsonRule
from monitor.model import Finding, Json
from monitor.probes.jsonpaths import CannotJudge, is_absent, values_at
from monitor.probes.predicates import for_many, holds, measured, show, time_of, wanted
from monitor.units import clip, format_duration, plain, seconds_between, to_rfc3339, utc_now

_LONG_BYTES = 200_000


@dataclass
class Remembered:
    """Values of rules that must change: what they were, and since when. `memory` is for the check's next probe."""

    before: Mapping[str, Json] = field(default_factory=dict)
    memory: dict[str, Json] = field(default_factory=dict)

    def unchanged_s(self, path: str, values: list[Any], now: datetime) -> float:
        """Note the values of this path; return for how many seconds they have been the same."""
        try:
            text = orjson.dumps(values, option=orjson.OPT_SORT_KEYS)
        except orjson.JSONEncodeError as error:
            raise CannotJudge("not to be remembered (nested too deep)") from error
        digest = hashlib.sha256(text).hexdigest()[:32]
        known = self.before.get(path)
        since = now
        if isinstance(known, Mapping) and known.get("value") == digest:
            # A clock that was put back must not make it an age below zero.
            since = min(time_of(known.get("since")) or now, now)
        self.memory[path] = {"value": digest, "since": to_rfc3339(since)}
        return seconds_between(since, now)

    def keep(self, path: str) -> None:
        """Keep what is known of a path that has no value now."""
        if path in self.before:
            self.memory[path] = self.before[path]


def parse_json(body: bytes) -> tuple[Any, Finding | None]:
    """Return the document, or the finding that the body is none. A byte order mark is let pass."""
    text = body.removeprefix(b"\xef\xbb\xbf")
    if not text.strip():
        return None, Finding("body", "JSON", "empty")
    try:
        # Nothing else could run while a hundred thousand new objects are looked through again and again.
        with garbage.paused() if len(text) >= _LONG_BYTES else nullcontext():
            return orjson.loads(text), None
    except orjson.JSONDecodeError as error:
        start = plain(text[:80].decode(errors="replace"), 60)
        return None, Finding("body", "JSON", f"not JSON ({clip(str(error), 80)}): {start!r}")


def check_rules(
    document: Any, rules: Iterable[JsonRule], remembered: Remembered | None = None, now: datetime | None = None
) -> list[Finding]:
    """Return what is not as the rules want it; `changes_within` cannot hold where nothing is remembered."""
    at = now or utc_now()
    return [finding for rule in rules for finding in _check_rule(document, rule, remembered, at)]


def _check_rule(document: Any, rule: JsonRule, remembered: Remembered | None, now: datetime) -> list[Finding]:
    limits = rule.limits
    try:
        if limits.get("exists") is False:
            got = "" if is_absent(document, rule.path) else "there"
        else:
            values = values_at(document, rule.path)
            got = _wrong(values, rule, now) or _unchanged(values, rule, remembered, now)
    except CannotJudge as error:
        got = str(error)
    if not got:
        return []
    if remembered and "changes_within" in limits and rule.path not in remembered.memory:
        remembered.keep(rule.path)
    return [Finding(rule.path, wanted(limits), got)]


def _wrong(values: list[Any], rule: JsonRule, now: datetime) -> str:
    """Return the value that is not as it should be, as it is shown; an empty text when all is well."""
    if not values:
        return "missing"
    limits = for_many(rule.limits)
    enough = all if rule.each else any
    if enough(holds(value, limits, now) for value in values):
        return ""
    worst = next(value for value in values if not holds(value, limits, now))
    none_of = f"none of {len(values)} values, the first " if not rule.each and len(values) > 1 else ""
    return none_of + measured(worst, limits, now)


def _unchanged(values: list[Any], rule: JsonRule, remembered: Remembered | None, now: datetime) -> str:
    if rule.changes_within is None:
        return ""
    if remembered is None:
        return "not to be evaluated (no earlier value is remembered here)"
    unchanged_s = remembered.unchanged_s(rule.path, values, now)
    if unchanged_s <= rule.changes_within:
        return ""
    return f"{show(values[0])}, the same for {format_duration(unchanged_s)}"
