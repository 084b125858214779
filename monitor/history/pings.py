"""`data/pings/`: one file of JSON lines for each heartbeat. Whoever receives a ping appends it, in any process.

A lock over the folder makes a line whole or not there at all, and keeps pruning and appending apart. A file never
grows beyond MAX_FILE_BYTES: before that it is written anew with the newest pings.
"""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from monitor.history.jsonl import to_line
from monitor.pings import FOLDER, Ping, file_name, parse, worth_keeping

MAX_FILE_BYTES = 128 * 1024
KEPT = 100
LOCK_WAIT_S = 5.0
_NEWEST_BYTES = MAX_FILE_BYTES // 2


def append(data: Path, check: str, ping: Ping) -> None:
    """Append the ping to the check's file; OSError when it cannot be kept (a full disk, no permission, no lock)."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    line = to_line(ping.to_json())
    try:
        with FileLock(folder / ".lock", timeout=LOCK_WAIT_S, poll_interval=0.01):
            _append(folder / file_name(check), line)
    except Timeout as error:
        raise OSError(f"the lock {error.lock_file} was not free within {LOCK_WAIT_S:.0f} s") from error


def _append(path: Path, line: bytes) -> None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
    try:
        size = os.fstat(file).st_size
        if size and not _ends_a_line(file, size):
            # What a kill has left unfinished stays a line of its own, that is none.
            line = b"\n" + line
        if size + len(line) <= MAX_FILE_BYTES:
            _write(file, size, line)
            return
    finally:
        os.close(file)
    _rewrite(path, line.lstrip(b"\n"))


def _ends_a_line(file: int, size: int) -> bool:
    os.lseek(file, size - 1, os.SEEK_SET)
    return os.read(file, 1) == b"\n"


def _write(file: int, size: int, line: bytes) -> None:
    try:
        written = 0
        while written < len(line):
            written += os.write(file, line[written:])
    except OSError:
        os.ftruncate(file, size)
        raise


def _rewrite(path: Path, line: bytes) -> None:
    pings = parse(path.read_bytes())
    newest, bytes_ = 0, len(line)
    for ping in pings[: -KEPT - 1 : -1]:
        bytes_ += len(to_line(ping.to_json()))
        if bytes_ > _NEWEST_BYTES:
            break
        newest += 1
    part = path.with_suffix(".part")
    part.write_bytes(b"".join(to_line(ping.to_json()) for ping in worth_keeping(pings, newest)) + line)
    part.replace(path)
