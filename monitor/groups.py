"""How a group is, from how its members are. Pure; called by the probe of `type: group`.

UNKNOWN is taken for what it is: it may be up or down. A group is OK or FAIL only when that is so either way; where
it depends on a member that could not be judged, the group could not be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.config import GroupCheck
from monitor.model import Finding, Json, Kind, Outcome, Status

_LISTED = 50
_SHOWN = 5
_IS_UP = frozenset({Status.OK, Status.WARN})


@dataclass(frozen=True, slots=True)
class Member:
    """One member as it is known now. Picklable."""

    name: str
    status: Status
    kind: Kind | None = None
    message: str = ""


def judged(group: GroupCheck, members: Sequence[Member]) -> Outcome:
    """Return the verdict on a group: by its worst member, or by how many are up."""
    if not members:
        return Outcome(Status.UNKNOWN, Kind.UNCONFIGURED, f"no check is a member: {group.target}")
    status = _worst(members) if group.at_least is None else _by_count(group, group.at_least, members)
    counts = {one: sum(member.status is one for member in members) for one in Status}
    troubled = sorted((m for m in members if m.status is not Status.OK), key=lambda m: m.status.badness)
    listed: Json = {m.name: m.status.value for m in [*troubled, *_well(members)][:_LISTED]}
    observed: dict[str, Json] = {"members": listed}
    if status is Status.OK:
        return Outcome(status, None, _up(counts, len(members)), observed=observed)
    observed = {"members_down": counts[Status.FAIL], "members_in_all": len(members), **observed}
    found = tuple(Finding(m.name, "OK", m.status.value) for m in troubled[:_LISTED])
    return Outcome(
        status, _kind(group, status, troubled), _message(group, counts, troubled), findings=found, observed=observed
    )


def _worst(members: Sequence[Member]) -> Status:
    return min((member.status for member in members), key=lambda status: _ORDER.index(status))


# Not that of `Status.badness`: a member that could not be judged may be worse than WARN.
_ORDER = (Status.FAIL, Status.UNKNOWN, Status.WARN, Status.OK)


def _by_count(group: GroupCheck, at_least: int, members: Sequence[Member]) -> Status:
    up = sum(member.status in _IS_UP for member in members)
    unknown = sum(member.status is Status.UNKNOWN for member in members)
    if up + unknown < at_least:
        return Status.FAIL
    if up < at_least:
        return Status.UNKNOWN
    return Status.WARN if group.warn_below is not None and up < group.warn_below else Status.OK


def _kind(group: GroupCheck, status: Status, troubled: Sequence[Member]) -> Kind:
    """Return the kind of the member that made it so: of the same status if there is one, else of the worst."""
    # Where members are counted, it is not those with a warning that are missing.
    are_counted = group.at_least is not None and status is Status.WARN
    alike = [] if are_counted else [member for member in troubled if member.status is status]
    return next((member.kind for member in [*alike, *troubled] if member.kind), Kind.INTERNAL)


def _message(group: GroupCheck, counts: dict[Status, int], troubled: Sequence[Member]) -> str:
    wanted = "" if group.at_least is None else f", expected at least {group.at_least}"
    if group.warn_below is not None and sum(counts[one] for one in _IS_UP) >= (group.at_least or 0):
        wanted = f", expected at least {group.warn_below}"
    names = ", ".join(f"{member.name} {member.status.value}" for member in troubled[:_SHOWN])
    more = f" and {len(troubled) - _SHOWN} more" if len(troubled) > _SHOWN else ""
    return f"{_up(counts, sum(counts.values()))}{wanted}: {names}{more}"


def _up(counts: dict[Status, int], total: int) -> str:
    return f"{sum(counts[one] for one in _IS_UP)} of {total} members are up"


def _well(members: Sequence[Member]) -> list[Member]:
    return [member for member in members if member.status is Status.OK]
