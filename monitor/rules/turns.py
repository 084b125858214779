"""How long each rule has held for each check: when it fires, and when it is over. Pure.

    false ──true──▶ counting ──`times`, `for` long──▶ fired ──false `times`, `keep_firing_for` long──▶ cleared
                       └──false──▶ nothing was said

What cannot be judged neither brings a rule forward nor ends it. It starts anew with the process: what is still open
then is said by `adopt`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from monitor.config import CheckBase
from monitor.model import Status
from monitor.rules.facts import Look
from monitor.rules.rule import NotJudged, Rule
from monitor.units import seconds_between

Key: TypeAlias = "tuple[str, str]"


@dataclass(frozen=True, slots=True)
class Fired:
    """The rule holds for the check, and has for as long as it takes. Said at each verdict while it does.

    `since` is when it began; None when it held already at the first verdict since the start.
    """

    rule: Rule
    look: Look
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Cleared:
    """It holds no longer."""

    rule: Rule
    look: Look


@dataclass(frozen=True, slots=True)
class Unjudged:
    """It can never be judged on such a verdict."""

    rule: Rule
    why: str


@dataclass(slots=True)
class _Turn:
    began_at: datetime
    is_first: bool = False
    held: int = 0
    missed: int = 0
    missed_at: datetime | None = None
    has_fired: bool = False


class Turns:
    """Which rules are asked of which checks, and the turn of each that holds."""

    def __init__(self) -> None:
        self.rules: Mapping[str, Rule] = {}
        self._of: dict[str, tuple[Rule, ...]] = {}
        self._turns: dict[Key, _Turn] = {}
        self._judged: set[str] = set()

    def configure(self, rules: Iterable[Rule], checks: Mapping[str, CheckBase]) -> tuple[Rule, ...]:
        """Take in rules and checks; return the rules of the file that fit no check."""
        self.rules = {rule.name: rule for rule in rules}
        fitting = {
            name: tuple(rule for rule in self.rules.values() if rule.applies_to(check))
            for name, check in checks.items()
        }
        self._of = {name: of_check for name, of_check in fitting.items() if of_check}
        known = {(rule.name, name) for name, of_check in self._of.items() for rule in of_check}
        self._turns = {key: turn for key, turn in self._turns.items() if key in known}
        self._judged &= checks.keys()
        used = {rule for rule, _ in known}
        return tuple(rule for rule in self.rules.values() if rule.is_own and rule.name not in used)

    def applies(self, rule: str, check: str) -> bool:
        return any(one.name == rule for one in self._of.get(check, ()))

    def naming(self, fact: str) -> frozenset[str]:
        """Return the checks that have a rule which looks at this fact or tells it."""
        return frozenset(name for name, rules in self._of.items() if any(fact in rule.all_names for rule in rules))

    def adopt(self, keys: Iterable[Key], now: datetime) -> None:
        """Take in that these have fired before the start: `(rule, check)`."""
        for key in keys:
            self._turns.setdefault(key, _Turn(now, is_first=True, has_fired=True))

    def judge(self, look: Look, now: datetime) -> Iterator[Fired | Cleared | Unjudged]:
        """Yield what this verdict means for the rules of its check."""
        name = look.check.name
        is_unknown = look.result.status is Status.UNKNOWN
        for rule in self._of.get(name, ()):
            if is_unknown and not rule.judges_status:
                continue
            try:
                holds = rule.holds(look)
            except NotJudged as why:
                if why.is_odd:
                    yield Unjudged(rule, str(why))
                continue
            if holds:
                yield from self._held(rule, look, now)
            elif (rule.name, name) in self._turns:
                yield from self._missed(rule, look, now)
        if not is_unknown:
            self._judged.add(name)

    def _held(self, rule: Rule, look: Look, now: datetime) -> Iterator[Fired]:
        key = (rule.name, look.check.name)
        turn = self._turns.get(key)
        if turn is None:
            turn = self._turns[key] = _Turn(now, is_first=look.check.name not in self._judged)
        turn.held, turn.missed, turn.missed_at = turn.held + 1, 0, None
        lasted = seconds_between(turn.began_at, now) >= rule.lasts_s
        if turn.has_fired or (turn.held >= rule.times and lasted):
            turn.has_fired = True
            yield Fired(rule, look, None if turn.is_first else turn.began_at)

    def _missed(self, rule: Rule, look: Look, now: datetime) -> Iterator[Cleared]:
        key = (rule.name, look.check.name)
        turn = self._turns[key]
        turn.missed, turn.missed_at = turn.missed + 1, turn.missed_at or now
        is_over = turn.missed >= rule.times and seconds_between(turn.missed_at, now) >= rule.keeps_s
        if turn.has_fired and not is_over:
            return
        del self._turns[key]
        if turn.has_fired:
            yield Cleared(rule, look)
