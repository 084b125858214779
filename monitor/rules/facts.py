"""What a condition may name, of one verdict: what the check is, how it is, what its probe observed. Pure.

Numbers are fractional, as in conditions. What is nested has names with underscores: `rtt_ms_avg`, `phases_dns`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from monitor.config import CheckBase, HostCheck
from monitor.model import Flag, Json, Result, Severity, Status
from monitor.state import CheckState

Fact: TypeAlias = "bool | float | str | list[str] | None"
_MOST, _DEEPEST, _LONGEST = 500, 4, 500
_NOT_A_WORD = re.compile(r"\W")


def _not_known() -> None:
    return None


@dataclass(slots=True)
class Look:
    """One verdict as conditions see it: `state` is after it; what nobody names is not worked out.

    `uptime` gives the percentage of the day, None while it is not known; `redact` takes secrets out of what the probe
    observed.
    """

    check: CheckBase
    state: CheckState
    result: Result
    uptime: Callable[[], float | None] = _not_known
    redact: Callable[[str], str] = str
    _observed: Mapping[str, Fact] | None = None

    def fact(self, name: str) -> Fact:
        """Return the fact, None when it is not known of this verdict."""
        known = _KNOWN.get(name)
        return known(self) if known else self.observed.get(name)

    @property
    def observed(self) -> Mapping[str, Fact]:
        if self._observed is None:
            self._observed = _observed(self.check, self.result, self.redact)
        return self._observed


def expected_ms(check: CheckBase) -> float | None:
    """Return the latency from which on the check warns, else fails; None when it has no such limit."""
    limit = getattr(check, "warn_ms", None) or getattr(check, "crit_ms", None)
    return float(limit) if limit else None


def consecutive_failures(state: CheckState) -> int:
    """Return how many verdicts in a row failed. Rounds that `fail_after` does not believe yet are none."""
    return state.streak if state.status is Status.FAIL else 0


_KNOWN: dict[str, Callable[[Look], Fact]] = {
    "status": lambda look: look.state.status.value,
    "kind": lambda look: look.state.kind.value if look.state.kind else "",
    "response_time_ms": lambda look: look.result.outcome.latency_ms,
    "expected_ms": lambda look: expected_ms(look.check),
    "consecutive_failures": lambda look: float(consecutive_failures(look.state)),
    "uptime_24h": lambda look: look.uptime(),
    "critical": lambda look: look.check.severity is Severity.P1,
    "severity": lambda look: look.check.severity.value,
    "name": lambda look: look.check.name,
    "group": lambda look: look.check.group,
    "type": lambda look: look.check.type,
    "tags": lambda look: list(look.check.tags),
    "code": lambda look: None if look.result.outcome.code is None else float(look.result.outcome.code),
    "flags": lambda look: sorted(flag.value for flag in look.state.flags),
    "paused": lambda look: Flag.PAUSED in look.state.flags,
    "maintenance": lambda look: Flag.MAINTENANCE in look.state.flags,
    "flapping": lambda look: Flag.FLAPPING in look.state.flags,
}


def _observed(check: CheckBase, result: Result, redact: Callable[[str], str]) -> dict[str, Fact]:
    facts = dict(_flat("phases", result.outcome.phases_ms, 1))
    for name, fact in _nested("", result.outcome.observed, 1):
        if len(facts) >= _MOST:
            break
        facts[name] = redact(fact) if isinstance(fact, str) else fact
    # What a host check measures is named by what it measures.
    if isinstance(check, HostCheck) and "percent" in facts:
        facts[f"{check.metric}_percent"] = facts["percent"]
    return facts


def _nested(prefix: str, values: Mapping[str, Json], depth: int) -> Iterator[tuple[str, Fact]]:
    for key, value in values.items():
        word = _NOT_A_WORD.sub("_", str(key))
        yield from _flat(f"{prefix}_{word}" if prefix else word, value, depth)


def _flat(name: str, value: Json | Mapping[str, float], depth: int) -> Iterator[tuple[str, Fact]]:
    if isinstance(value, bool):
        yield name, value
    elif isinstance(value, (int, float)):
        if abs(value) < 1e308 and not math.isnan(value):
            yield name, float(value)
    elif isinstance(value, str):
        yield name, value[:_LONGEST]
    elif isinstance(value, Mapping) and depth < _DEEPEST:
        yield from _nested(name, value, depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, Mapping):
        yield name, [str(item)[:_LONGEST] for item in value[:100]]
