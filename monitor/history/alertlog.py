"""`data/alerts.jsonl` read back: the events of every alert, in the order in which they happened."""

from __future__ import annotations

import logging
from pathlib import Path

from monitor.alerts import AlertEvent
from monitor.history.jsonl import read_lines

log = logging.getLogger(__name__)


def read_events(path: Path) -> list[AlertEvent]:
    """Return the events of the file; lines that are none are left out and logged, no file is no events."""
    events = []
    for line in read_lines(path):
        try:
            events.append(AlertEvent.from_json(line))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s: left out a line that is no event: %s", path.name, error)
    return events
