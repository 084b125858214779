"""A rule for use: to which checks it applies, whether it holds for a verdict, and how bad that is. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from monitor.alerts.figures import number
from monitor.alerts.priority import by_overage, is_less_worse, overage_percent
from monitor.config import CheckBase, Match, RuleBlock
from monitor.config.ruleblock import BUILT_IN, PLACE, built_in_rules, compile_condition
from monitor.model import Category, Severity
from monitor.rules.facts import Fact, Look, expected_ms
from monitor.units import plain

# Conditions of the built-in rules as functions of what they name, in the order of `_NAMES`: CEL is loaded only by
# those who write rules. A test holds them against CEL.
_PLAIN: Mapping[str, tuple[tuple[str, ...], Callable[..., bool]]] = {
    str(BUILT_IN["high_response_time"]["condition"]): (
        ("response_time_ms", "expected_ms", "threshold"),
        lambda response_time_ms, expected_ms, threshold: response_time_ms > expected_ms * threshold,
    ),
    str(BUILT_IN["consecutive_failures"]["condition"]): (
        ("consecutive_failures", "threshold"),
        lambda consecutive_failures, threshold: consecutive_failures >= threshold,
    ),
    str(BUILT_IN["low_uptime"]["condition"]): (
        ("uptime_24h", "threshold"),
        lambda uptime_24h, threshold: uptime_24h < threshold,
    ),
}
# They say how long something lasts or lasted, not how bad it is.
_NO_MEASURE = ("consecutive_failures", "uptime_24h")
# What the past day, the file and the check itself say, whatever this verdict saw.
_NOT_OF_NOW = {"uptime_24h", "threshold", "critical", "severity", "name", "group", "type", "tags"}


class NotJudged(Exception):
    """The condition cannot be evaluated on this verdict. `is_odd`: it never can, rather than a fact is not known."""

    def __init__(self, why: str, is_odd: bool) -> None:
        super().__init__(why)
        self.is_odd = is_odd


@dataclass(frozen=True)
class Rule:
    """As the file has it, or built in. `is_own`: the file names it, so that it must fit some check."""

    name: str
    condition: str
    match: Match
    threshold: float | None = None
    value: str | None = None
    lasts_s: float = 0.0
    keeps_s: float = 0.0
    times: int = 1
    severity: Severity | None = None
    category: Category | None = None
    message: str = ""
    recommendations: tuple[str, ...] = ()
    is_own: bool = True

    @classmethod
    def of(cls, block: RuleBlock, is_own: bool = True) -> Rule:
        said: dict[str, Any] = dict(block.complete)
        del said["enabled"]
        return cls(block.name, lasts_s=said.pop("lasts"), keeps_s=said.pop("keep_firing_for"), is_own=is_own, **said)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """What its condition looks at."""
        known = _PLAIN.get(self.condition)
        return known[0] if known else tuple(sorted(compile_condition(self.condition).variables))

    @cached_property
    def all_names(self) -> tuple[str, ...]:
        """What its condition, its value and its message name."""
        value = (self.value,) if self.value else ()
        return tuple(dict.fromkeys((*self.names, *value, *PLACE.findall(self.message))))

    @cached_property
    def judges_status(self) -> bool:
        """Whether it is asked of verdicts that could not be judged, too."""
        return "status" in self.names

    @cached_property
    def is_of_the_past(self) -> bool:
        """Whether it looks at the past day only: an outage that was told of says it already."""
        return "uptime_24h" in self.names and _NOT_OF_NOW.issuperset(self.names)

    @cached_property
    def _takes_null(self) -> bool:
        return re.search(r"\bnull\b", self.condition) is not None

    def applies_to(self, check: CheckBase) -> bool:
        """Return whether it is asked of this check at all."""
        if "expected_ms" in self.names and expected_ms(check) is None and not self._takes_null:
            return False
        return self.match.covers(check.subject)

    def holds(self, look: Look) -> bool:
        """Return whether the condition is true of this verdict; NotJudged when that cannot be said."""
        facts = [self.threshold if name == "threshold" else look.fact(name) for name in self.names]
        if None in facts and not self._takes_null:
            raise NotJudged(f"{self.names[facts.index(None)]} is not known of this verdict", is_odd=False)
        return self._plainly(*facts) if self._plainly else self._asked(dict(zip(self.names, facts, strict=True)))

    @cached_property
    def _plainly(self) -> Callable[..., bool] | None:
        known = _PLAIN.get(self.condition)
        return known[1] if known else None

    @cached_property
    def _program(self) -> Any:
        return compile_condition(self.condition).program

    def _asked(self, known: Mapping[str, Fact]) -> bool:
        try:
            value = self._program.execute(dict(known))
        except Exception as error:  # CEL raises what it likes, and none of it is true or false
            why = plain(str(error).partition(". ")[0], 160)
            raise NotJudged(f"{why} ({figures(known)})", is_odd=True) from error
        if not isinstance(value, bool):
            raise NotJudged(f"expected true or false, got {plain(repr(value), 60)}", is_odd=True)
        return value

    def severity_of(self, look: Look) -> Severity | None:
        """Return how bad it is: as the file says, else by how far its figure is beyond the threshold, else None."""
        if self.severity or self.threshold is None or not self._measured:
            return self.severity
        name, less_is_worse = self._measured
        figure = look.fact(name)
        if isinstance(figure, bool) or not isinstance(figure, float):
            return None
        return by_overage(overage_percent(figure, self.threshold, less_is_worse=less_is_worse))

    @cached_property
    def _measured(self) -> tuple[str, bool] | None:
        """The fact whose overage counts, and whether less of it is worse: as its comparison with the threshold says."""
        name = re.escape(self.value) if self.value else r"[a-z_]\w*"
        found = re.search(rf"(?<![\w.])({name})\s*([<>])=?\s*threshold\b(?!\s*[*/+-])", self.condition)
        turned = re.search(rf"\bthreshold\s*([<>])=?\s*({name})\b(?!\s*[*/+-])", self.condition)
        if found and found[1] not in _NO_MEASURE:
            return found[1], found[2] == "<"
        if turned and turned[2] not in _NO_MEASURE:
            return turned[2], turned[1] == ">"
        return (self.value, is_less_worse(self.value)) if self.value else None

    def facts(self, look: Look) -> dict[str, Fact]:
        """Return what it names."""
        return {name: self.threshold if name == "threshold" else look.fact(name) for name in self.all_names}

    def message_of(self, facts: Mapping[str, Fact]) -> str:
        """Return what is said: the file's words with the facts filled in, else the condition and its facts."""
        if not self.message:
            return f"{plain(self.condition, 200)}: {figures(facts)}"
        return plain(PLACE.sub(lambda place: shown(facts.get(place[1])), self.message), 1000)


def shown(fact: Fact) -> str:
    """Return the fact as people read it; what is not known is `unknown`."""
    if fact is None:
        return "unknown"
    if isinstance(fact, bool):
        return str(fact).lower()
    if isinstance(fact, float):
        return number(fact)
    return plain(", ".join(fact) if isinstance(fact, list) else fact, 120)


def figures(facts: Mapping[str, Fact]) -> str:
    """Return what is known as a sentence: `response_time_ms is 412, expected_ms is 200`."""
    return ", ".join(f"{name} is {shown(fact)}" for name, fact in facts.items())


def rules_of(blocks: Iterable[RuleBlock]) -> tuple[Rule, ...]:
    """Return the rules that hold: built-in ones, those of the file in place of their namesakes, none not enabled."""
    own = {block.name: block for block in blocks}
    built_in = [Rule.of(block, is_own=False) for block in built_in_rules() if block.name not in own]
    return (*built_in, *(Rule.of(block) for block in own.values() if block.enabled))
