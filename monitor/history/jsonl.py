"""Append-only files of JSON lines: a line is there whole or not at all.

A kill between the bytes of a line leaves a torn tail; opening the file for writing cuts it off. A full disk
leaves a part of a batch; it is taken back, and the caller keeps the batch.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from monitor.model import Json

log = logging.getLogger(__name__)
_TAIL_BYTES = 1 << 20


def to_line(fields: Mapping[str, Json]) -> bytes:
    """Return the JSON of one line with its newline. A text that is no Unicode loses its odd parts only."""
    try:
        return orjson.dumps(fields) + b"\n"
    except TypeError:
        return orjson.dumps(_readable(fields)) + b"\n"


def _readable(value: Any) -> Any:
    """Return the value with lone surrogates and numbers beyond 64 bits made writable."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_readable(str(key)): _readable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_readable(item) for item in value]
    is_writable = value is None or isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
    return value if is_writable else str(value)


class JsonlWriter:
    """Appends batches of lines to one file. Not for two writers: the checker's lock sees to that.

    Closed, it opens the file again for the next batch.
    """

    def __init__(self, path: Path, fsync: bool = False) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._fsync = fsync
        self._file = self._open()
        self._cut_torn_tail()

    def append(self, lines: Iterable[bytes]) -> None:
        """Append all lines, or none and raise OSError (a full disk)."""
        batch = b"".join(lines)
        if self._file < 0:
            self._file = self._open()
        size = os.fstat(self._file).st_size
        try:
            written = 0
            while written < len(batch):
                written += os.write(self._file, batch[written:])
            if self._fsync:
                os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, size)
            raise

    def close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _open(self) -> int:
        return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)

    def _cut_torn_tail(self) -> None:
        size = os.fstat(self._file).st_size
        os.lseek(self._file, max(size - _TAIL_BYTES, 0), os.SEEK_SET)
        tail = os.read(self._file, _TAIL_BYTES)
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            log.warning(
                "%s: cut %d bytes of a line that was not finished: %r", self.path.name, torn, tail[-torn:][:200]
            )
            os.ftruncate(self._file, size - torn)


def read_lines(path: Path, offset: int = 0) -> Iterator[dict[str, Any]]:
    """Yield the objects of a file of JSON lines from `offset` on; lines that are none are counted and logged."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            yield from objects(file, path.name)
    except FileNotFoundError:
        return


def objects(lines: Iterable[bytes], file: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of JSON lines; those that are none are counted and logged as of this file."""
    bad = 0
    for line in lines:
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError:
            value = None
        if isinstance(value, dict):
            yield value
        else:
            bad += 1
    if bad:
        log.warning("%s: left out %d lines that are no JSON objects", file, bad)
