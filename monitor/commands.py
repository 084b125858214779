"""What people ask of the checker. Each function leaves a command in the inbox and returns its id.

Used by pages, CLI and HTTP, which never change anything themselves. `outcome` waits for what became of it.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.alerts import Report
from monitor.alerts.reports import Told, to_json
from monitor.config import Place
from monitor.history.inbox import Command, Verb, drop
from monitor.history.snapshot import Applied, read_snapshot
from monitor.model import Json, Result, Severity
from monitor.units import to_rfc3339, utc_now

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


def suppress(place: Place, alert: str, until: datetime, by: str, note: str = "") -> str:
    """Have nobody told of this alert until then; `alert` as in `acknowledge`."""
    return _leave(place, Verb.SUPPRESS, alert, by, until=to_rfc3339(until), note=note)


def silence(
    place: Place,
    match: Mapping[str, Json],
    until: datetime | None,
    by: str,
    note: str = "",
    begins_at: datetime | None = None,
    until_resolved: str = "",
    maintenance: bool = False,
) -> str:
    """Have nobody told of what opens for whom `match` means (the keys of `Match`).

    `until` None is for `until_resolved`, the id of an alert with which it ends. `maintenance`: its time counts as such.
    """
    options: dict[str, Json] = {"match": dict(match), "note": note, "maintenance": maintenance}
    options["until"] = to_rfc3339(until) if until else None
    options["from"] = to_rfc3339(begins_at) if begins_at else None
    options["until_resolved"] = until_resolved
    return _leave(place, Verb.SILENCE, "", by, **options)


def end_silence(place: Place, silence: str, by: str, note: str = "") -> str:
    return _leave(place, Verb.END_SILENCE, silence, by, note=note)


def test_channel(place: Place, channel: str, by: str) -> str:
    """Have a test message sent over a channel; its outcome is the receipt."""
    return _leave(place, Verb.TEST, channel, by)


def send_alert(place: Place, service: str, severity: Severity, message: str, channels: Sequence[str], by: str) -> str:
    """Without channels it goes by route, else to the console."""
    options = {"severity": severity.value, "message": message, "channels": list(channels)}
    return _leave(place, Verb.ALERT, service, by, **options)


def report(place: Place, told: Sequence[Told], by: str) -> str:
    """Open the alert of each report or count it up, and end those of each type and resource, in this order."""
    only = told[0] if len(told) == 1 else None
    target = only.resource if isinstance(only, Report) else f"{len(told)} reports"
    said: list[Json] = [to_json(one) if isinstance(one, Report) else list(one) for one in told]
    return _leave(place, Verb.REPORT, target, by, told=said)


def remedy(place: Place, name: str, index: int, by: str) -> str:
    """Have the remedy at this place of `on_fail.actions`, counted from 0, run once for a person."""
    return _leave(place, Verb.REMEDY, name, by, index=index)


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
