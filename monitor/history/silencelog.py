"""`data/silences.jsonl` read back: the silences that people made, and their ends."""

from __future__ import annotations

import logging
from pathlib import Path

from monitor.history.jsonl import read_lines
from monitor.silences import SilenceEvent

log = logging.getLogger(__name__)


def read_silences(path: Path) -> list[SilenceEvent]:
    """Return the events of the file; lines that are none are left out and logged, no file is no events."""
    events = []
    for line in read_lines(path):
        try:
            events.append(SilenceEvent.from_json(line))
        except (KeyError, TypeError, ValueError) as error:
            log.warning("%s: left out a line that is no silence: %s", path.name, error)
    return events
