"""SQLite through the standard library: the file is opened to read, and never created."""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from pathlib import Path
from urllib.parse import quote

from monitor.model import Kind
from monitor.probes.database.session import MOST_BYTES, DatabaseFailed, Rows, Value
from monitor.probes.exhaustion import EXHAUSTED
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration

_STEPS = 1000
_KINDS = {
    sqlite3.SQLITE_BUSY: Kind.TIMEOUT,
    sqlite3.SQLITE_LOCKED: Kind.TIMEOUT,
    sqlite3.SQLITE_NOTADB: Kind.PROTOCOL,
    sqlite3.SQLITE_CORRUPT: Kind.CONTENT,
    sqlite3.SQLITE_CANTOPEN: Kind.CONNECT,
    sqlite3.SQLITE_IOERR: Kind.RESOURCE,
    sqlite3.SQLITE_TOOBIG: Kind.CONTENT,
    sqlite3.SQLITE_PERM: Kind.AUTH,
}


class Sqlite:
    """A file, open to read."""

    version = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._timeout_s, self._give_up_at = timeout_s, time.monotonic() + timeout_s
        _check_readable(path)
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        try:
            # What waits for a lock sleeps in C: a little less than the deadline, so that it ends by it.
            self._connection = sqlite3.connect(uri, uri=True, timeout=timeout_s * 0.9, isolation_level=None)
        except sqlite3.Error as error:
            refusal = self._refusal(error)
            raise ProbeFailed(refusal.kind, f"{path}: {refusal.message}") from error
        self._connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
        self._connection.set_progress_handler(self._is_over, _STEPS)

    def query(self, sql: str, most_rows: int) -> Rows:
        """Return the rows of one statement, broken off after `most_rows`."""
        try:
            self._connection.execute("PRAGMA query_only = ON")
            cursor = self._connection.execute(sql)
            columns = tuple(str(column[0]) for column in cursor.description or ())
            first, count = cursor.fetchone(), 0
            if first is not None:
                count = 1
                while count < most_rows and cursor.fetchone() is not None:
                    count += 1
            cursor.close()
        except sqlite3.Error as error:
            raise self._refusal(error) from error
        return Rows(columns, None if first is None else tuple(map(_value, first)), count, cut=count >= most_rows)

    def connections(self) -> None:
        return None

    def lag_s(self) -> float:
        raise DatabaseFailed(Kind.CONTENT, "a file is no replica")

    def close(self) -> None:
        self._connection.close()

    def _is_over(self) -> bool:
        return time.monotonic() > self._give_up_at

    def _refusal(self, error: sqlite3.Error) -> DatabaseFailed:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_INTERRUPT:
            return DatabaseFailed(Kind.TIMEOUT, f"the query did not end within {format_duration(self._timeout_s)}")
        return DatabaseFailed(_KINDS.get(code, Kind.STATUS), str(error), getattr(error, "sqlite_errorname", ""))


def _check_readable(path: Path) -> None:
    """Raise ProbeFailed unless it is a file that can be read: to open anything else (a pipe) could wait for ever."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProbeFailed(Kind.CONNECT, f"expected a file, got a folder or a device: {path}")
        with path.open("rb"):
            pass
    except PermissionError as error:
        raise ProbeFailed(Kind.AUTH, f"Greenwall may not read {path}") from error
    except OSError as error:
        if error.errno in EXHAUSTED:
            raise
        why = "no such file" if error.errno == errno.ENOENT else os.strerror(error.errno or 0)
        raise ProbeFailed(Kind.CONNECT, f"{why}: {path}") from error


def _value(value: object) -> Value:
    if value is None or isinstance(value, (int, float, str)):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
