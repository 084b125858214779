"""`data/results/`: one JSONL file an hour (UTC), appended by the checker, read back after a restart."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson

from monitor.history.jsonl import JsonlWriter, read_lines, to_line
from monitor.model import Result
from monitor.units import from_rfc3339

log = logging.getLogger(__name__)
# About 30 MB of lines: what is kept in memory while the disk is full.
MAX_WAITING = 200_000
_STRIDE_BYTES = 1 << 20


def hour_file(folder: Path, at: datetime) -> Path:
    return folder / f"{at:%Y-%m-%dT%H}.jsonl"


class ResultLog:
    """Collects result lines and appends them in batches. `flush` raises OSError when the disk refuses."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.glob("*.jsonl"):
            # Opening one mends the tail that a kill may have torn.
            JsonlWriter(path).close()
        self._folder = folder
        self._waiting: dict[str, list[bytes]] = {}
        self._writer: JsonlWriter | None = None
        self.lost = 0

    def add(self, result: Result) -> None:
        line = result.to_json()
        self._waiting.setdefault(str(line["at"])[:13], []).append(to_line(line))

    def flush(self) -> None:
        """Append what waits. On OSError it goes on waiting, up to a bound; beyond that the oldest are lost."""
        try:
            for hour in list(self._waiting):
                self._open(self._folder / f"{hour}.jsonl").append(self._waiting[hour])
                del self._waiting[hour]
        except OSError:
            self._bound()
            raise

    def close(self) -> None:
        if self._writer:
            self._writer.close()
            self._writer = None

    def _open(self, path: Path) -> JsonlWriter:
        if self._writer is None or self._writer.path != path or not path.exists():
            self.close()
            self._writer = JsonlWriter(path)
        return self._writer

    def _bound(self) -> None:
        for lines in self._waiting.values():
            surplus = len(lines) - MAX_WAITING
            if surplus > 0:
                del lines[:surplus]
                self.lost += surplus


def results_since(folder: Path, since: datetime, until: datetime) -> Iterator[Result]:
    """Yield the verdicts after `since` from the hour files, in file order. Lines that are none are left out."""
    first, last = hour_file(folder, since).name, hour_file(folder, until).name
    for path in sorted(folder.glob("*.jsonl")):
        if not first <= path.name <= last:
            continue
        for line in read_lines(path, _offset(path, since)):
            try:
                result = Result.from_json(line)
            except (KeyError, TypeError, ValueError) as error:
                log.warning("%s: left out a line that is no result: %s", path.name, error)
                continue
            if result.at > since:
                yield result


def _offset(path: Path, since: datetime) -> int:
    """Return where to begin: at a line that is no newer than `since`, or at the first.

    Lines are in the order of time, so what is wanted after a restart is at the end of a file of hundreds of megabytes.
    """
    with path.open("rb") as file:
        for place in range(file.seek(0, os.SEEK_END) - _STRIDE_BYTES, 0, -_STRIDE_BYTES):
            file.seek(place)
            begin = place + len(file.readline())
            if (at := _time_of(file.readline())) and at <= since:
                return begin
    return 0


def _time_of(line: bytes) -> datetime | None:
    try:
        return from_rfc3339(orjson.loads(line)["at"])
    except (KeyError, TypeError, ValueError):
        return None
