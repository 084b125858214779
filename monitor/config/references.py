"""What checks say of one another by name: `depends_on`, members of groups, sentinels. Called by `loading`. Pure.

members_of, parents_of ──▶ names        problems ──▶ unknown names, circles, counts and limits that cannot be, by place
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from monitor.config.checkbase import CheckBase
from monitor.config.kinds.group import GroupCheck
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.kinds.host import HostCheck
from monitor.config.kinds.icmp import IcmpCheck
from monitor.config.limits import never_warns
from monitor.config.models import Config
from monitor.config.remedies import not_allowed
from monitor.config.ruleblock import RuleBlock
from monitor.units import did_you_mean

Checks = Mapping[str, CheckBase]
Place = tuple[str | int, ...]
Step = Callable[[str], Iterable[str]]


def members_of(group: GroupCheck, checks: Iterable[CheckBase]) -> tuple[str, ...]:
    """Return the names of the group's members, in the order of the file; those named keep their own order."""
    if group.members:
        return group.members
    return tuple(check.name for check in checks if check.name != group.name and _belongs(group, check))


def _belongs(group: GroupCheck, check: CheckBase) -> bool:
    return group.members_tag in check.tags if group.members_tag else check.group == group.members_group


def ancestors_of(name: str, checks: Checks) -> tuple[str, ...]:
    """Return every check that this one depends on, directly or through others, the nearest first."""
    found: dict[str, None] = {}
    row = list(checks[name].depends_on)
    while row:
        found |= dict.fromkeys(row)
        parents = [parent for one in row if one in checks for parent in checks[one].depends_on]
        row = [parent for parent in dict.fromkeys(parents) if parent not in found]
    return tuple(found)


def problems(config: Config) -> Iterator[tuple[Place, str]]:
    """Yield the place in the file and what is wrong there; places are those of `yamlfile`."""
    checks = {check.name: check for check in config.checks}
    for index, check in enumerate(config.checks):
        yield from _unknown(("checks", index, "depends_on"), "check", check.depends_on, checks)
        for key, text in _cannot_hold(check, config.rules):
            yield ("checks", index, key), f"{key}: {text}"
        for at, text in not_allowed(check.on_fail.actions, config.general.remedies):
            yield ("checks", index, "on_fail", "actions", at, "type"), f"on_fail.actions.{at}: {text}"
        if isinstance(check, GroupCheck):
            yield from _unknown(("checks", index, "members"), "member", check.members, checks)
            members = members_of(check, config.checks)
            if not members:
                yield from _no_members(index, check, config.checks)
            yield from _too_few(index, check, members)
    yield from _keys_twice(config.checks)
    yield from _circles(config, "depends_on", lambda name: checks[name].depends_on)
    yield from _circles(config, "members", lambda name: _members(name, config, checks))
    if config.vantage:
        yield from _not_sentinels(config.vantage.sentinels, checks)


def _cannot_hold(check: CheckBase, rules: Iterable[RuleBlock]) -> Iterator[tuple[str, str]]:
    """Yield keys whose values do not fit to others, by what `global:` says, too."""
    if check.flap_low > check.flap_high:
        yield "flap_low", f"expected at most flap_high ({check.flap_high:g}), got {check.flap_low:g}"
    if wrong := never_warns(check):
        yield wrong
    if isinstance(check, IcmpCheck) and check.needed_s >= check.timeout:
        most = f"less than timeout ({check.timeout:g} s) for all packets"
        yield "interval", f"expected {most}, got {check.needed_s:g} s; how often a check runs is `every`"
    if isinstance(check, HostCheck) and (limits := _limits_that_lack(check, rules)):
        text = f"expected {' or '.join(limits)} beside {check.metric}, or it is always OK"
        yield "metric", f"{text}; a rule that names {check.measured[0]} will do, too"


def _limits_that_lack(check: HostCheck, rules: Iterable[RuleBlock]) -> tuple[str, ...]:
    """Return keys of which it lacks one; () where a rule judges what it measures. One that is off may be on again."""
    # One that is wrong in itself may have no metric.
    if not hasattr(check, "metric") or any(_judges(rule, check) for rule in rules):
        return ()
    return check.missing_limits


def _judges(rule: RuleBlock, check: HostCheck) -> bool:
    words = re.findall(r"[a-z_]\w*", rule.condition or "")
    return rule.match.covers(check.subject) and not set(words).isdisjoint(check.measured)


def _keys_twice(checks: Iterable[CheckBase]) -> Iterator[tuple[Place, str]]:
    """Yield heartbeats whose key is another's: a ping could be of either. The key itself is not said."""
    first: dict[str, str] = {}
    for index, check in enumerate(checks):
        # One that is wrong in itself may have no key.
        if isinstance(check, HeartbeatCheck) and hasattr(check, "key"):
            key = check.key.get_secret_value()
            if key in first:
                yield ("checks", index, "key"), f"key: expected one of its own, got that of {first[key]!r}"
            first.setdefault(key, check.name)


def _unknown(place: Place, what: str, names: Iterable[str], checks: Checks) -> Iterator[tuple[Place, str]]:
    where = f"{place[-1]}: " if place[0] == "checks" else ""
    for index, name in enumerate(names):
        if name not in checks:
            yield (*place, index), f"{where}unknown {what} {name!r}{did_you_mean(name, checks)}"


def _no_members(index: int, group: GroupCheck, checks: Iterable[CheckBase]) -> Iterator[tuple[Place, str]]:
    others = [check for check in checks if check is not group]
    if group.members_tag:
        near = did_you_mean(group.members_tag, {tag: None for check in others for tag in check.tags})
        text = f"members_tag: unknown tag {group.members_tag!r}{near}; no other check has it"
        yield ("checks", index, "members_tag"), text
    elif group.members_group:
        near = did_you_mean(group.members_group, {check.group: None for check in others})
        text = f"members_group: unknown group {group.members_group!r}{near}; no other check is in it"
        yield ("checks", index, "members_group"), text


def _too_few(index: int, group: GroupCheck, members: tuple[str, ...]) -> Iterator[tuple[Place, str]]:
    for key, count in (("at_least", group.at_least), ("warn_below", group.warn_below)):
        if members and count is not None and count > len(members):
            yield ("checks", index, key), f"{key}: expected at most {len(members)} (its members), got {count}"


def _members(name: str, config: Config, checks: Checks) -> tuple[str, ...]:
    check = checks[name]
    return members_of(check, config.checks) if isinstance(check, GroupCheck) else ()


def _circles(config: Config, key: str, step: Step) -> Iterator[tuple[Place, str]]:
    """Yield each circle once, at its first check in the file."""
    order = {check.name: index for index, check in enumerate(config.checks)}
    # What refers to a name that stands twice may mean either.
    twice = {name for name, count in Counter(check.name for check in config.checks).items() if count > 1}
    done: set[str] = set()
    for name in order:
        circle = _circle_from(name, step, done, order)
        if circle and twice.isdisjoint(circle):
            first = min(circle, key=order.__getitem__)
            turned = [*circle[circle.index(first) :], *circle[: circle.index(first)], first]
            yield ("checks", order[first], key), f"{key}: goes round in a circle: {' → '.join(turned)}"


def _circle_from(name: str, step: Step, done: set[str], known: Mapping[str, int]) -> list[str]:
    """Return the first circle that is reached from `name`, and mark as done all that was walked."""
    path: list[str] = []
    # Not recursive: a chain may be as long as the file.
    stack: list[tuple[str, Iterator[str]]] = []

    def enter(one: str) -> None:
        path.append(one)
        stack.append((one, iter([n for n in step(one) if n in known])))

    if name not in done:
        enter(name)
    circle: list[str] = []
    while stack:
        one, following = stack[-1]
        after = next(following, None)
        if after is None:
            done.add(one)
            stack.pop()
            path.pop()
        elif after in path:
            circle = circle or path[path.index(after) :]
        elif after not in done:
            enter(after)
    return circle


def _not_sentinels(names: Iterable[str], checks: Checks) -> Iterator[tuple[Place, str]]:
    place: Place = ("vantage", "sentinels")
    yield from _unknown(place, "check", names, checks)
    for index, name in enumerate(names):
        check = checks.get(name)
        if check and not check.reaches_out:
            text = f"expected a check that looks out into the network, got {name!r} (type {check.type})"
            yield (*place, index), text
