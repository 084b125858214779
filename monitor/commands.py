"""What people ask of the checker. Each function leaves a command in the inbox and returns its id.

Used by pages, CLI and HTTP, which never change anything themselves. `outcome` waits for what became of it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from monitor.config import Place
from monitor.history.inbox import Command, Verb, drop
from monitor.history.snapshot import Applied, read_snapshot
from monitor.model import Json, Result, Severity
from monitor.units import utc_now

_POLL_S = 0.05


def run_now(place: Place, name: str, by: str) -> str:
    return _leave(place, Verb.RUN, name, by)


def pause(place: Place, name: str, by: str) -> str:
    return _leave(place, Verb.PAUSE, name, by)


def resume(place: Place, name: str, by: str) -> str:
    return _leave(place, Verb.RESUME, name, by)


def acknowledge(place: Place, alert: str, by: str, note: str = "") -> str:
    """`alert` is an alert's id, or the name of a check with an open alert."""
    return _leave(place, Verb.ACKNOWLEDGE, alert, by, note=note)


def resolve(place: Place, alert: str, by: str, note: str = "") -> str:
    """`alert` is an alert's id, or the name of a check with an open alert."""
    return _leave(place, Verb.RESOLVE, alert, by, note=note)


def send_alert(place: Place, service: str, severity: Severity, message: str, channels: Sequence[str], by: str) -> str:
    """Without channels it goes to every configured one, else to the console."""
    options = {"severity": severity.value, "message": message, "channels": list(channels)}
    return _leave(place, Verb.ALERT, service, by, **options)


def record(place: Place, results: Sequence[Result], by: str) -> str:
    """Have verdicts on endpoints that are no checks appended to the history."""
    return _leave(place, Verb.RECORD, f"{len(results)} results", by, results=[r.to_json() for r in results])


def outcome(place: Place, command_id: str, timeout_s: float = 5.0) -> Applied | None:
    """Return what became of a command, or None when no checker has taken it in time."""
    give_up_at = time.monotonic() + timeout_s
    while True:
        try:
            snapshot = read_snapshot(place.state)
        except ValueError:
            snapshot = None
        found = next((a for a in snapshot.applied if a.id == command_id), None) if snapshot else None
        if found or time.monotonic() >= give_up_at:
            return found
        time.sleep(_POLL_S)


def _leave(place: Place, verb: Verb, target: str, by: str, **options: Json) -> str:
    command = Command(verb, target, by, utc_now(), options=options)
    drop(place.inbox, command)
    return command.id
