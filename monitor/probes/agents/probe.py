"""Hold what a registry says to its limits."""

from __future__ import annotations

from collections.abc import Iterator

from monitor.config.kinds.agents import AgentsCheck, AgentState
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.agents.registry import Registry, is_depth, read_registry
from monitor.probes.agents.source import LONGEST_BYTES, Source, ask, http_check_of, read
from monitor.probes.httpsecrets import without_secrets
from monitor.probes.predicates import show
from monitor.probes.setting import Setting
from monitor.probes.verdict import above, too_slow, verdict
from monitor.units import clip, format_duration, format_ms, plain, utc_now

_SHOWN_NAMES = 5
# A registry may have thousands, all wrong in the same way.
_MOST_FINDINGS = 20

Problem = tuple[Kind, Finding]


def probe_agents(check: AgentsCheck, setting: Setting) -> Outcome:
    """Return the verdict on the agents as their registry tells of them now."""
    source = ask(check, setting) if check.url else read(check, setting)
    outcome = source if isinstance(source, Outcome) else _judge(check, source)
    return without_secrets(http_check_of(check), outcome) if check.url else outcome


def _judge(check: AgentsCheck, source: Source) -> Outcome:
    registry: Registry | Finding
    if source.is_cut:
        registry = Finding("registry", f"at most {LONGEST_BYTES} bytes", "longer")
    else:
        registry = read_registry(check, source.body, utc_now())
    if isinstance(registry, Finding):
        return verdict(
            "",
            source.latency_ms,
            findings=[registry],
            phases_ms=source.phases_ms,
            code=source.code,
            observed=source.observed,
        )
    found = [*_too_old(check, source), *_findings(check, registry)]
    slow = too_slow(source.latency_ms, check.warn_ms, check.crit_ms)
    if slow:
        found.append((slow[0], (Kind.SLOW, slow[1])))
    failures = [problem for status, problem in found if status is Status.FAIL]
    warnings = [problem for status, problem in found if status is Status.WARN]
    return verdict(
        f"{_available(registry)} of {_total(registry)} agents available, in {format_ms(source.latency_ms)}",
        source.latency_ms,
        findings=[finding for _, finding in failures[:_MOST_FINDINGS]],
        kind=failures[0][0] if failures else Kind.CONTENT,
        warnings=[finding for _, finding in warnings[:_MOST_FINDINGS]],
        warning_kind=warnings[0][0] if warnings else Kind.RESOURCE,
        phases_ms=source.phases_ms,
        code=source.code,
        observed={**source.observed, **_observed(registry)},
    )


def _available(registry: Registry) -> int:
    return registry.counts["idle"] + registry.counts["busy"]


def _total(registry: Registry) -> int:
    return sum(registry.counts.values())


def _too_old(check: AgentsCheck, source: Source) -> Iterator[tuple[Status, Problem]]:
    if check.max_age is not None and source.age_s > check.max_age:
        expected, got = f"at most {format_duration(check.max_age)}", format_duration(source.age_s)
        yield Status.FAIL, (Kind.CONTENT, Finding("age of the file", expected, got))


def _findings(check: AgentsCheck, registry: Registry) -> Iterator[tuple[Status, Problem]]:
    for finding in registry.problems:
        yield Status.FAIL, (Kind.CONTENT, finding)
    available = _available(registry)
    got = f"{available} of {_total(registry)}"
    for least, status in ((check.min_available, Status.FAIL), (check.warn_available, Status.WARN)):
        if least is not None and available < least:
            yield status, (Kind.STATUS, Finding("number of available agents", f"at least {least}", got))
            break
    limits: tuple[tuple[AgentState, int | None, int | None], ...] = (
        ("error", check.crit_error, check.warn_error),
        ("offline", check.crit_offline, check.warn_offline),
    )
    for state, crit, warn in limits:
        count = registry.counts[state]
        who = _who(registry, state)
        got = f"{count} ({who})" if who else str(count)
        where = "in error" if state == "error" else "offline"
        yield from _above(f"number of agents {where}", Kind.STATUS, count, crit, warn, got)
    if registry.depth is not None:
        yield from _above("queue depth", Kind.RESOURCE, registry.depth, check.crit_depth, check.warn_depth)
    if check.limits_agent_depth:
        yield from _deep_agents(check, registry)


def _deep_agents(check: AgentsCheck, registry: Registry) -> Iterator[tuple[Status, Problem]]:
    for agent in registry.agents:
        what = f"queue depth of agent {plain(agent.name, 60)}"
        if isinstance(agent.depth, (int, float)) and is_depth(agent.depth):
            yield from _above(what, Kind.RESOURCE, agent.depth, check.crit_agent_depth, check.warn_agent_depth)
        else:
            got = "missing" if agent.depth is None else show(agent.depth)
            yield Status.FAIL, (Kind.CONTENT, Finding(what, "a number", got))


def _above(
    what: str, kind: Kind, value: float, crit: float | None, warn: float | None, got: str = ""
) -> Iterator[tuple[Status, Problem]]:
    passed = above(value, warn, crit, what, show, got)
    if passed:
        yield passed[0], (kind, passed[1])


def _who(registry: Registry, state: AgentState, most: int = _SHOWN_NAMES) -> str:
    """Return the names of those in this state, with why where that is not the word itself; bounded."""
    names = [plain(a.name, 60) + (f": {a.told}" if a.told else "") for a in registry.agents if a.state == state]
    if not registry.agents and state == "error":
        names = [f"unknown status {word!r}" for word in registry.unknown_words]
    more = len(names) - most
    return clip(", ".join(names[:most]), 400) + (f" and {more} more" if more > 0 else "")


def _observed(registry: Registry) -> dict[str, Json]:
    observed: dict[str, Json] = {"agents": _total(registry)}
    observed |= {str(state): count for state, count in registry.counts.items()}
    if registry.depth is not None:
        observed["depth"] = registry.depth
    bad: tuple[AgentState, ...] = ("error", "offline")
    for state in bad:
        who = _who(registry, state, 10)
        if who:
            observed[f"{state}_agents"] = who
    return observed
