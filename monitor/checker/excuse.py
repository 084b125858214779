"""Why nobody is told of a group: its members fail for reasons for which nobody is told of them either."""

from __future__ import annotations

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
    reasons = {one.check.name: _of_one(one, watch) for one in members if one.state.is_down}
    if not reasons or not all(reasons.values()):
        return ""
    named = [f"{name} ({reason})" for name, reason in list(reasons.items())[:_NAMED]]
    more = f" and {len(reasons) - _NAMED} more" if len(reasons) > _NAMED else ""
    return f"nobody is told of the members that fail either: {', '.join(named)}{more}"


def _of_one(member: Watched, watch: Watch) -> str:
    if Flag.MAINTENANCE in member.state.flags:
        return "in maintenance"
    if Flag.MUTED in member.state.flags:
        return "silenced"
    return member.state.note or _of_members(member.check.name, watch)
