"""`state.json`, read again and again: a check whose line is as it was is not parsed again.

The checker writes the file each second with a line for each check, of which few have changed. Parsing thousands of
them anew, in the process that also checks, would hold the checks up.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson

from monitor.history.snapshot import CheckEntry, Snapshot, parse_snapshot

_CHECKS = b',"checks":{'
_END = b"}}\n"


class StateFile:
    """The file and its checks by their lines. Safe for threads, which at worst parse a line twice."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[bytes, CheckEntry] = {}

    def read(self) -> Snapshot | None:
        """Return the snapshot, or None when there is none yet; ValueError when the file is damaged."""
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return None
        head, found, rest = text.partition(_CHECKS)
        if not found or not rest.endswith(_END):
            return parse_snapshot(text)
        lines = rest.removesuffix(_END).split(b",\n") if rest != _END else []
        known = self._entries
        try:
            entries = {line: known.get(line) or _entry(line) for line in lines}
        except (KeyError, TypeError, ValueError, AttributeError):
            # Somebody has formatted it, or it is damaged: the whole of it tells.
            return parse_snapshot(text)
        self._entries = entries
        return replace(parse_snapshot(head + _CHECKS + _END), checks={one.name: one for one in entries.values()})


def _entry(line: bytes) -> CheckEntry:
    [(name, fields)] = orjson.loads(b"{" + line + b"}").items()
    return CheckEntry.from_json(name, fields)
