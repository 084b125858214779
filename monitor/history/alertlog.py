"""`data/alerts.jsonl` read back: the book that its events tell."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from monitor.alerts import AlertBook, AlertEvent
from monitor.history.jsonl import objects, read_lines, to_line
from monitor.history.snapshot import replace_file
from monitor.model import Json
from monitor.units import from_rfc3339

log = logging.getLogger(__name__)
# So few old alerts are not worth writing the file anew.
FORGOTTEN_TOGETHER = 100


class BookReader:
    """The book of a file that grows: each `read` folds in the lines that are new. Safe for threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._begin(0)

    def _begin(self, inode: int) -> None:
        self._book, self._inode, self._offset = AlertBook(), inode, 0

    def read(self) -> AlertBook:
        """Return the book, which goes on growing. Lines that are no events are left out and logged."""
        with self._lock:
            try:
                with self._path.open("rb") as file:
                    stat = os.fstat(file.fileno())
                    # Written anew, or what did not fit on the disk was taken back.
                    if stat.st_ino != self._inode or stat.st_size < self._offset:
                        self._begin(stat.st_ino)
                    file.seek(self._offset)
                    self._fold(file)
            except FileNotFoundError:
                self._begin(0)
            return self._book

    def _fold(self, file: BinaryIO) -> None:
        for line in objects(self._finished(file), self._path.name):
            try:
                self._book.apply(AlertEvent.from_json(line))
            except (KeyError, TypeError, ValueError) as error:
                log.warning("%s: left out a line that is no event: %s", self._path.name, error)

    def _finished(self, file: BinaryIO) -> Iterator[bytes]:
        for line in file:
            if not line.endswith(b"\n"):
                return
            self._offset += len(line)
            yield line


def read_book(path: Path) -> AlertBook:
    """Return the book of the file; no file is an empty one."""
    return BookReader(path).read()


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
    try:
        return from_rfc3339(str(line.get("at"))) < before
    except ValueError:
        return False


def _is_old_hold(line: Mapping[str, Json], before: datetime) -> bool:
    return line.get("what") == "held" and _is_before(line, before)
