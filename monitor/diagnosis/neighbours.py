"""Other checks that are not OK, and what they have to do with the one that is explained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitor.config import CheckBase, GroupCheck, ancestors_of, members_of
from monitor.diagnosis.silence import Silence, silence_of
from monitor.diagnosis.target import Target, target_of
from monitor.diagnosis.target.look import is_loopback
from monitor.model import Kind, Result, Status
from monitor.state import CheckState
from monitor.units import seconds_between

SAME_TIME_S = 120.0
LOOPBACK = "localhost"


class Tie(StrEnum):
    """What the configuration says of two checks."""

    NONE = ""
    PARENT = "this check depends on it"
    CHILD = "it depends on this check"
    MEMBER = "a member of this group"
    GROUP = "a group with this check in it"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another check that is not OK. `together`: its trouble began, as far as seen, at the same time as this one's.

    `hosts` are the name and the address of where it looks, LOOPBACK for all of our own machine. `same_port`: of the
    same host, too. `is_over`: it is OK by now.
    """

    name: str
    status: Status
    kind: Kind | None
    first_at: datetime
    together: bool
    same_host: bool
    same_group: bool
    tie: Tie = Tie.NONE
    type: str = ""
    silence: Silence | None = None
    hosts: frozenset[str] = frozenset()
    same_port: bool = False
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Relative:
    """A check that this one is judged by or cannot do without, whatever it is like now. `status` None: not known."""

    name: str
    type: str
    status: Status | None
    kind: Kind | None = None
    message: str = ""
    since: datetime | None = None
    every_s: float = 0.0

    @property
    def is_bad(self) -> bool:
        return self.status is not None and self.status is not Status.OK


@dataclass(frozen=True, slots=True)
class Around:
    """What neighbours are compared with: the subject's onset, target and address, and what is known of them."""

    onset_at: datetime | None
    target: Target | None
    address: str
    checks: Mapping[str, CheckBase]
    states: Mapping[str, CheckState]


def parents_of(check: CheckBase | None, around: Around) -> tuple[Relative, ...]:
    """Return every check that this one depends on, directly or through others: those that are not OK, the nearest."""
    if check is None:
        return ()
    known = {**around.checks, check.name: check}
    return _bad_first(_relative(name, around) for name in ancestors_of(check.name, known))


def members_in(check: CheckBase | None, around: Around) -> tuple[Relative, ...]:
    """Return the members of a group that are enabled, the worst first; of any other check none."""
    if not isinstance(check, GroupCheck):
        return ()
    names = members_of(check, around.checks.values())
    enabled = [name for name in names if name not in around.checks or around.checks[name].enabled]
    return _bad_first(_relative(name, around) for name in enabled)


def _bad_first(found: Iterable[Relative]) -> tuple[Relative, ...]:
    return tuple(sorted(found, key=lambda r: r.status.badness if r.status else len(Status)))


def _relative(name: str, around: Around) -> Relative:
    check, state = around.checks.get(name), around.states.get(name)
    kind, every_s = (check.type, check.interval_s) if check else ("", 0.0)
    if state is None or not state.streak:
        return Relative(name, kind, None, every_s=every_s)
    return Relative(name, kind, state.status, state.kind, state.message, state.since, every_s)


def neighbours_of(subject: str, check: CheckBase | None, around: Around, verdicts: Iterable[Result]) -> list[Neighbour]:
    """Return other checks that are not OK, those that may share the cause first."""
    by_name: dict[str, list[Result]] = {}
    for result in verdicts:
        if result.name != subject and result.status is not Status.OK:
            by_name.setdefault(result.name, []).append(result)
    ties = _ties(subject, check, by_name, around.checks)
    found = [_neighbour(group, around, ties[name]) for name, group in by_name.items()]
    return sorted(
        found, key=lambda n: (not n.together, not n.tie, not n.same_host, not n.same_group, n.first_at, n.name)
    )


def answering(subject: str, around: Around) -> int:
    """Return how many checks of other machines have been answered since the trouble began."""

    def answers(name: str, check: CheckBase) -> bool:
        state, target = around.states.get(name), target_of(check)
        if name == subject or state is None or state.status not in (Status.OK, Status.WARN) or not target.reaches_out:
            return False
        is_new = state.checked_at is not None and around.onset_at is not None and state.checked_at > around.onset_at
        return is_new and LOOPBACK not in hosts_of(target, "")

    return sum(answers(name, check) for name, check in around.checks.items())


def _ties(
    subject: str, check: CheckBase | None, names: Iterable[str], checks: Mapping[str, CheckBase]
) -> dict[str, Tie]:
    known = {**checks, subject: check} if check else dict(checks)
    parents = ancestors_of(subject, known) if check else ()
    members = members_of(check, checks.values()) if isinstance(check, GroupCheck) else ()

    def tie(name: str) -> Tie:
        other = checks.get(name)
        if name in members or name in parents:
            return Tie.MEMBER if name in members else Tie.PARENT
        if other is not None and subject in known and subject in ancestors_of(name, known):
            return Tie.CHILD
        is_in = isinstance(other, GroupCheck) and subject in members_of(other, known.values())
        return Tie.GROUP if is_in else Tie.NONE

    return {name: tie(name) for name in names}


def _neighbour(verdicts: Sequence[Result], around: Around, tie: Tie) -> Neighbour:
    first, latest = min(verdicts, key=_at), max(verdicts, key=_at)
    other, state, target = around.checks.get(first.name), around.states.get(first.name), around.target
    there = target_of(other) if other else None
    hosts = hosts_of(there, address_of(first))
    same_host = bool(hosts & hosts_of(target, around.address))
    not_ok_since = state.since if state and state.status is not Status.OK else first.at
    first_at = min(first.at, not_ok_since)
    return Neighbour(
        name=first.name,
        status=latest.status,
        kind=latest.outcome.kind,
        first_at=first_at,
        together=around.onset_at is not None and abs(seconds_between(around.onset_at, first_at)) <= SAME_TIME_S,
        same_host=same_host,
        same_group=bool(target and there and target.group == there.group),
        tie=tie,
        type=other.type if other else "",
        silence=silence_of(latest.outcome, there),
        hosts=hosts,
        is_over=state is not None and state.status is Status.OK,
        same_port=bool(same_host and target and there and target.port and target.port == there.port),
    )


def hosts_of(target: Target | None, address: str) -> frozenset[str]:
    """Return the name and the address of where a check looks, LOOPBACK for our own machine; nothing where unknown."""
    # A program that runs here may look anywhere.
    is_here = target is not None and target.is_here and target.type != "command"
    names = (LOOPBACK if is_here else "", target.host if target else "", address)
    return frozenset(LOOPBACK if is_loopback(name) else name.rstrip(".").lower() for name in names if name)


def address_of(result: Result | None) -> str:
    return str(result.outcome.observed.get("address") or "") if result else ""


def _at(result: Result) -> datetime:
    return result.at
