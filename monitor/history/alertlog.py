"""`data/alerts.jsonl` read back: the book that its events tell."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import orjson

from monitor.alerts import AlertBook, AlertEvent, What
from monitor.history.jsonl import JsonlWriter, objects
from monitor.history.snapshot import replace_file
from monitor.units import from_rfc3339

log = logging.getLogger(__name__)


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


def forget(writer: JsonlWriter, alerts: Container[str], before: datetime) -> None:
    """Take these alerts out of the writer's file, and what was held before that time; lines that are none stay.

    OSError leaves it as it was.
    """
    with writer.path.open("rb") as file:
        kept = [line for line in file if not _is_of(line, alerts, before)]
    writer.close()
    replace_file(writer.path, b"".join(kept))


def _is_of(line: bytes, alerts: Container[str], before: datetime) -> bool:
    try:
        known = orjson.loads(line)
        is_old_hold = known["what"] == What.HELD and from_rfc3339(str(known["at"])) < before
        return is_old_hold or known["alert"] in alerts
    except (ValueError, LookupError, TypeError):
        return False
