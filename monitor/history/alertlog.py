"""`data/alerts.jsonl` read back: the events of every alert, in the order in which they happened."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from monitor.alerts import AlertEvent, What, changed, opened
from monitor.history.jsonl import read_lines, to_line
from monitor.history.snapshot import replace_file
from monitor.model import Json

log = logging.getLogger(__name__)
# So few old alerts are not worth writing the file anew.
FORGOTTEN_TOGETHER = 100
_OPENING: dict[str, Json] = {"resource": "", "source": "", "title": "", "message": "", "severity": "P1"}
_ANY = opened(AlertEvent(datetime(2026, 1, 1, tzinfo=UTC), What.OPENED, "", data=_OPENING | {"category": "SYSTEM"}))


def read_events(path: Path) -> list[AlertEvent]:
    """Return the events of the file; lines that are none are left out and logged, no file is no events."""
    return [event for line in read_lines(path) if (event := _event(line, path.name))]


def _event(line: Mapping[str, Json], file: str) -> AlertEvent | None:
    try:
        event = AlertEvent.from_json(line)
        # What cannot be folded in is no event: better refused here than there.
        if event.what is What.OPENED:
            opened(event)
        elif event.what is not What.HELD:
            changed(_ANY, event)
    except (KeyError, TypeError, ValueError) as error:
        log.warning("%s: left out a line that is no event: %s", file, error)
        return None
    return event


def forget(path: Path, before: datetime) -> None:
    """Take alerts that ended before that time out of the file, once there are many; lines that are none stay.

    Only for whoever alone writes the file. OSError leaves it as it was.
    """
    lines = list(read_lines(path))
    ended = {
        str(line.get("alert"))
        for line in lines
        if line.get("what") in ("resolved", "expired") and _is_before(line, before)
    }
    if len(ended) < FORGOTTEN_TOGETHER:
        return
    log.info("%s: %d alerts are forgotten: past retention_days", path.name, len(ended))
    kept = [line for line in lines if not (line.get("alert") in ended or _is_old_hold(line, before))]
    replace_file(path, b"".join(to_line(line) for line in kept))


def _is_before(line: Mapping[str, Json], before: datetime) -> bool:
    event = _event(line, "alerts.jsonl")
    return event is not None and event.at < before


def _is_old_hold(line: Mapping[str, Json], before: datetime) -> bool:
    return line.get("what") == "held" and _is_before(line, before)
