"""Other checks that are not OK, and what they share with the one that is explained. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from monitor.config import CheckBase
from monitor.diagnosis.target import Target, target_of
from monitor.model import Kind, Result, Status
from monitor.state import CheckState
from monitor.units import seconds_between

SAME_TIME_S = 120.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another check that is not OK. `together`: its trouble began, as far as seen, at the same time as this one's."""

    name: str
    status: Status
    kind: Kind | None
    first_at: datetime
    together: bool
    same_host: bool
    same_group: bool


@dataclass(frozen=True, slots=True)
class Around:
    """What neighbours are compared with: the subject's onset, target and address, and what is known of them."""

    onset_at: datetime | None
    target: Target | None
    address: str
    checks: Mapping[str, CheckBase]
    states: Mapping[str, CheckState]


def neighbours_of(subject: str, around: Around, verdicts: Iterable[Result]) -> list[Neighbour]:
    """Return other checks that are not OK, those that may share the cause first."""
    by_name: dict[str, list[Result]] = {}
    for result in verdicts:
        if result.name != subject and result.status is not Status.OK:
            by_name.setdefault(result.name, []).append(result)
    found = [_neighbour(group, around) for group in by_name.values()]
    return sorted(found, key=lambda n: (not n.together, not n.same_host, not n.same_group, n.first_at, n.name))


def _neighbour(verdicts: Sequence[Result], around: Around) -> Neighbour:
    first, latest = min(verdicts, key=_at), max(verdicts, key=_at)
    other, state, target = around.checks.get(first.name), around.states.get(first.name), around.target
    there = target_of(other) if other else None
    not_ok_since = state.since if state and state.status is not Status.OK else first.at
    first_at = min(first.at, not_ok_since)
    return Neighbour(
        name=first.name,
        status=latest.status,
        kind=latest.outcome.kind,
        first_at=first_at,
        together=around.onset_at is not None and abs(seconds_between(around.onset_at, first_at)) <= SAME_TIME_S,
        same_host=_same_host(target, there) or bool(around.address and around.address == address_of(first)),
        same_group=bool(target and there and target.group == there.group),
    )


def _same_host(one: Target | None, other: Target | None) -> bool:
    return bool(one and other and one.host and one.host == other.host)


def address_of(result: Result | None) -> str:
    return str(result.outcome.observed.get("address") or "") if result else ""


def _at(result: Result) -> datetime:
    return result.at
