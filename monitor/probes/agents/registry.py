"""A registry as JSON: its agents by name, or numbers by state. What cannot be read is a finding, never left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitor.config.kinds.agents import STATES, AgentsCheck, AgentState, folded
from monitor.model import Finding
from monitor.probes.jsonpaths import CannotJudge, values_at
from monitor.probes.jsonrules import parse_json
from monitor.probes.predicates import FUTURE_S, age_of, is_number, show
from monitor.units import format_duration, plain

_HOMES = ("agents", "workers", "registry", "agent_breakdown")


@dataclass(frozen=True, slots=True)
class Agent:
    """`told` is its status as the registry has it, where that is not the state's own word."""

    name: str
    state: AgentState
    told: str = ""
    depth: object = None
    has_depth: bool = False


@dataclass
class Registry:
    """What was read; `problems` are what could not be."""

    counts: dict[AgentState, int] = field(default_factory=lambda: dict.fromkeys(STATES, 0))
    agents: list[Agent] = field(default_factory=list)
    unknown_words: list[str] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    depth: float | None = None


def read_registry(check: AgentsCheck, body: bytes, now: datetime) -> Registry | Finding:
    document, wrong = parse_json(body)
    if wrong:
        return Finding("registry", wrong.expected, wrong.got)
    try:
        found = _agents_in(check, document)
        registry = Registry()
        if _are_counts(found):
            _read_counts(check, found, registry)
        else:
            for number, (key, entry) in enumerate(_entries(check, found), 1):
                _read_agent(check, key or f"#{number}", entry, now, registry)
            registry.problems += _missing_agents(check, registry)
        _read_depth(check, document, registry)
    except CannotJudge as error:
        return Finding("registry", "one of agents", str(error))
    return registry


def _agents_in(check: AgentsCheck, document: Any) -> Any:
    if check.agents_path:
        values = values_at(document, check.agents_path)
        if not values:
            raise CannotJudge(f"without agents at {check.agents_path}")
        return values[0] if len(values) == 1 else [item for v in values for item in (v if isinstance(v, list) else [v])]
    if isinstance(document, list):
        return document
    if not isinstance(document, dict):
        raise CannotJudge(f"{show(document)}, no list and no object")
    home = next((document[name] for name in _HOMES if isinstance(document.get(name), (list, dict))), None)
    if home is not None:
        return home
    if _are_counts(document) or (document and all(_is_agent(check, value) for value in document.values())):
        return document
    raise CannotJudge("without agents; say where they are by agents_path")


def _are_counts(found: object) -> bool:
    numbers = (int, float)
    return (
        isinstance(found, dict)
        and bool(found)
        and all(isinstance(value, numbers) and not isinstance(value, bool) for value in found.values())
    )


def _is_agent(check: AgentsCheck, value: object) -> bool:
    return isinstance(value, dict) and isinstance(_first(value, check.status_field)[0], str)


def _entries(check: AgentsCheck, found: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(found, list):
        return (("", item) for item in found)
    if not isinstance(found, dict):
        raise CannotJudge(f"{show(found)} in place of agents")
    return [("", found)] if _is_agent(check, found) else found.items()


def _first(entry: Mapping[str, Any], names: Iterable[str]) -> tuple[Any, bool]:
    """Return the value of the first of these fields, and whether any is there."""
    return next(((entry[name], True) for name in names if name in entry), (None, False))


def _read_counts(check: AgentsCheck, found: Mapping[str, Any], registry: Registry) -> None:
    for word, count in found.items():
        if not isinstance(count, int) or count < 0:
            registry.problems.append(Finding(f"agents {plain(word, 40)!r}", "a count", show(count)))
            continue
        state = check.words.get(folded(word))
        if state is None:
            registry.unknown_words.append(plain(word, 40))
        registry.counts[state or "error"] += count
    needs_agents = (
        ("stale_after", check.stale_after is not None),
        ("expect_agents", bool(check.expect_agents)),
        ("warn_agent_depth, crit_agent_depth", check.limits_agent_depth),
    )
    wanted = [name for name, is_needed in needs_agents if is_needed]
    if wanted:
        registry.problems.append(Finding("registry", f"one of agents, for {', '.join(wanted)}", "one of counts alone"))


def _read_agent(check: AgentsCheck, key: str, entry: Any, now: datetime, registry: Registry) -> None:
    if isinstance(entry, str) and not key.startswith("#"):
        entry = {check.status_field[0]: entry}
    if not isinstance(entry, dict):
        registry.problems.append(Finding(f"agent {plain(key, 60)}", "an object", show(entry)))
        return
    named, _ = _first(entry, check.name_field)
    is_name = key.startswith("#") and isinstance(named, (str, int)) and not isinstance(named, bool)
    name = str(named) if is_name else key
    word, _ = _first(entry, check.status_field)
    if not isinstance(word, str):
        got = "missing" if word is None else show(word)
        registry.problems.append(Finding(f"status of agent {plain(name, 60)}", "a text", got))
        return
    state: AgentState = check.words.get(folded(word), "error")
    told = "" if folded(word) in check.words else f"{plain(word, 30)!r}"
    if told:
        registry.unknown_words.append(plain(word, 30))
    if check.stale_after is not None and state != "offline":
        value, is_there = _first(entry, check.seen_field)
        unseen = _unseen(value, is_there, check.stale_after, now)
        if isinstance(unseen, Finding):
            registry.problems.append(Finding(f"{unseen.what} of agent {plain(name, 60)}", unseen.expected, unseen.got))
        elif unseen:
            state, told = "offline", unseen
    depth, has_depth = _first(entry, check.depth_field)
    registry.counts[state] += 1
    registry.agents.append(Agent(name, state, told, depth, has_depth))


def _unseen(value: Any, is_there: bool, stale_after: float, now: datetime) -> str | Finding:
    """Return for how long it was not seen, an empty text when it was seen of late, or why that is not known."""
    if is_there and value is None:
        return "never seen"
    age_s = age_of(value, now)
    if age_s is None or age_s < -FUTURE_S:
        got = "missing" if not is_there else show(value) + (" in the future" if age_s else "")
        return Finding("last seen", "a time with an offset from UTC", got)
    return f"last seen {format_duration(age_s)} ago" if age_s > stale_after else ""


def _missing_agents(check: AgentsCheck, registry: Registry) -> Iterator[Finding]:
    there = {agent.name for agent in registry.agents}
    for name in check.expect_agents:
        if name not in there:
            yield Finding(f"agent {plain(name, 60)}", "in the registry", "missing")


def _read_depth(check: AgentsCheck, document: Any, registry: Registry) -> None:
    """Note how much waits; where a limit needs it, what is no number is a problem."""
    depths: list[tuple[str, object]] = []
    if check.depth_path:
        values = values_at(document, check.depth_path)
        depths = [(f"queue depth {check.depth_path}", value) for value in values[:2]]
        if len(values) > 1:
            registry.problems.append(Finding(f"queue depth {check.depth_path}", "one number", f"{len(values)} values"))
            return
    elif any(agent.has_depth for agent in registry.agents):
        depths = [(f"queue depth of agent {plain(a.name, 60)}", a.depth) for a in registry.agents]
    elif isinstance(document, dict):
        depth, is_there = _first(document, check.depth_field)
        depths = [("queue depth", depth)] if is_there else []
    wrong = [(what, depth) for what, depth in depths if not is_depth(depth)]
    if depths and not wrong:
        registry.depth = sum(depth for _, depth in depths)  # type: ignore[misc]
    elif check.depth_path or check.limits_depth:
        missing = [("queue depth", None)] if not depths else []
        registry.problems += [
            Finding(what, "a number", "missing" if depth is None else show(depth)) for what, depth in (wrong or missing)
        ]


def is_depth(value: object) -> bool:
    return is_number(value) and value >= 0  # type: ignore[operator]
