"""Why nobody is told of a group: its members fail for reasons for which nobody is told of them either."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from monitor.alerts import Alert, Muted
from monitor.checker.watch import Watch
from monitor.checker.watched import Watched
from monitor.model import Flag

# Members may be excused no longer, or another one may fail.
ASK_AGAIN = timedelta(seconds=5)
_NAMED = 3


def excused(alert: Alert, watch: Watch, now: datetime) -> Muted | None:
    """Return why nobody is told of a group's alert now; None for other checks, and when one of its members counts."""
    if alert.source != "check":
        return None
    reason = _of_members(alert.resource, watch)
    return Muted(reason, now + ASK_AGAIN) if reason else None


def _of_members(group: str, watch: Watch) -> str:
    """Return why none of the members that fail counts; empty when one does, or none fails."""
    members = [watch.watched[name] for name in watch.members(group) if name in watch.watched]
    alike: dict[str, list[str]] = {}
    for member in members:
        if member.state.is_down:
            alike.setdefault(_of_one(member, watch), []).append(member.check.name)
    return "" if "" in alike else "; ".join(f"{_listed(names)}: {reason}" for reason, names in alike.items())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _of_one(member: Watched, watch: Watch) -> str:
    if Flag.MAINTENANCE in member.state.flags:
        return "in maintenance"
    if Flag.MUTED in member.state.flags:
        return "silenced"
    return member.state.note or _of_members(member.check.name, watch)
