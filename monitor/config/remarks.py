"""What is said of a file that holds: what in it can never work, and what may be meant all the same.

    circles of fallbacks, routes that are never asked, rules that never fire ─▶ faults
    maintenance of no check ─▶ notes

Such a file is used: a wall that runs today runs tomorrow, too. Called by `loading`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from monitor.config.alerting import RouteBlock
from monitor.config.channelblock import ChannelBlock
from monitor.config.matching import Match, misses
from monitor.config.models import Config
from monitor.config.names import BUILT_IN_CHANNELS
from monitor.config.references import Place
from monitor.config.ruleblock import EXAMPLE, RuleBlock, is_truth
from monitor.units import did_you_mean

_DOUBLE_BRACES = re.compile(r"\{\{\s*([a-z_]\w*)\s*\}\}")
# Keys of a match whose values are patterns.
_PATTERNS = ("name", "group", "type", "owner")


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said of a line of the main file.

    `is_fault`: it can never do what it is written for; else it may be meant, or only the environment lacks something.
    """

    line: int
    text: str
    is_fault: bool


def faults_in(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield the place in the file and what there can never work; places are those of `yamlfile`."""
    yield from _fallbacks_in_circles(config.channels)
    yield from _never_asked(config.routes)
    yield from _steps_to_nobody(config)
    for index, rule in enumerate(config.rules):
        for key, text in _slips_of(rule):
            yield ("rules", index, key), text


def notes_on(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield the place in the file and what there may be meant, but by few."""
    subjects = [check.subject for check in config.checks]
    for index, block in enumerate(config.maintenance):
        for miss in misses(block.match, subjects):
            yield ("maintenance", index, "match"), f"{miss}; it holds for reported alerts only"


def _fallbacks_in_circles(channels: Sequence[ChannelBlock]) -> Iterator[tuple[Place, str]]:
    """Yield each circle once, at its first channel in the file."""
    following = {block.name: block.fallback for block in channels}
    said: set[str] = set()
    for index, block in enumerate(channels):
        walk = [block.name]
        while (after := following.get(walk[-1])) and after not in walk:
            walk.append(after)
        if after == block.name and after not in said:
            said.update(walk)
            circle = " → ".join([*walk, after])
            what = "leave it out of one of them, or in the end nobody is told, where else the console is"
            yield ("channels", index, "fallback"), f"goes round in a circle: {circle}; {what}"


def _never_asked(routes: Sequence[RouteBlock]) -> Iterator[tuple[Place, str]]:
    for index, route in enumerate(routes):
        above = (one for one in routes[:index] if not one.goes_on and not one.hours)
        if first := next((one for one in above if _takes_all(one.match, route.match)), None):
            what = f"{first.name!r} above it takes all of it and has no `continue: true`"
            yield ("routes", index), f"it is never asked: {what}; put the narrower one first"


def _takes_all(wide: Match, narrow: Match) -> bool:
    """Return whether the wide match covers whatever the narrow one does, as far as their words tell."""
    for key in Match.model_fields:
        those, these, are_patterns = getattr(wide, key), getattr(narrow, key), key in _PATTERNS
        is_open = not those or (are_patterns and "*" in those)
        if not is_open and not (these and all(_is_in(one, those, are_patterns) for one in these)):
            return False
    return True


def _is_in(value: str, those: Sequence[str], are_patterns: bool) -> bool:
    if not are_patterns:
        return value in those
    return any(value.lower() == one.lower() or _covers(one.lower(), value.lower()) for one in those)


def _covers(wide: str, narrow: str) -> bool:
    """Return whether a pattern covers another one: a `?` or a `[` in it would take a `*` for one character."""
    return not set("?[") & set(wide) and fnmatchcase(narrow, wide)


def _steps_to_nobody(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield unknown channels in a step that stands alone; those in a list of steps are errors."""
    known = [*BUILT_IN_CHANNELS, *(one.name for one in config.channels), *(one.name for one in config.on_call)]
    for index, route in enumerate(config.routes):
        for name in (name for step in route.escalate for name in step.channels if name not in known):
            text = f"unknown channel {name!r}{did_you_mean(name, known)}; it is left out"
            yield ("routes", index, "escalate"), text


def _slips_of(rule: RuleBlock) -> Iterator[tuple[str, str]]:
    if rule.condition and not is_truth(rule.condition):
        what = "is neither true nor false, so that it never fires"
        yield "condition", f"{rule.condition!r} {what}; compare it, such as {EXAMPLE}"
    for found in _DOUBLE_BRACES.finditer(rule.message):
        yield "message", f"expected {{{found[1]}}}, got {found[0]}, whose braces are sent as they are"
