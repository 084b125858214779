"""The history asked in a child process, which gives its memory back when it ends.

    ["seconds_by_hour", folder, since, until] ──stdin──▶ child: database ──stdout──▶ a JSON line for each row

For whoever needs the database a few times a day, as the checker does: in its own process it would stay for good, some
60 MB of it. The child ends with its parent, however that ends: it watches its stdin, which is open for as long.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from monitor.model import Json, Result
from monitor.units import from_rfc3339, plain, to_rfc3339

log = logging.getLogger("monitor.history.child")
_ROOT = Path(__file__).parents[2]
_HOUR_S = 3600.0


def seconds_by_hour(
    folder: Path, since: datetime, until: datetime
) -> Iterator[tuple[str, list[tuple[int, str, float]]]]:
    """Yield each check with its rows, oldest first: hour since 1970, status or MAINTENANCE, seconds.

    Verdicts after `until` are left out, and with them the time before it that they stand for. OSError when the
    history cannot be read.
    """
    return _ask("seconds_by_hour", str(folder), to_rfc3339(since), to_rfc3339(until))


def good_verdicts(folder: Path, times: Mapping[str, datetime]) -> Iterator[Result]:
    """Yield what `query.good_verdicts` returns; OSError when the history cannot be read."""
    times_as_text = {name: to_rfc3339(at) for name, at in times.items()}
    return map(Result.from_json, _ask("good_verdicts", str(folder), times_as_text))


def compact(folder: Path, now: datetime, retention_days: int) -> None:
    """Do as `compaction.compact` does; OSError when it could not be begun or ended."""
    for _ in _ask("compact", str(folder), to_rfc3339(now), retention_days):
        pass


def _ask(*request: Json) -> Iterator[Any]:
    # A Ctrl-C in the terminal is for the parent to hear.
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=_ROOT,
        start_new_session=True,
    ) as child:
        assert child.stdin and child.stdout
        child.stdin.write(_line(request))
        child.stdin.flush()
        for line in child.stdout:
            row = orjson.loads(line)
            if isinstance(row, dict) and "error" in row:
                raise OSError(row["error"])
            yield row
    if child.returncode:
        raise OSError(f"the process that reads the history ended with code {child.returncode}")


def _line(value: Json) -> bytes:
    return orjson.dumps(value) + b"\n"


# in the child


def _seconds_by_hour(folder: str, since: str, until: str) -> Iterator[Json]:
    from monitor.history.seconds import seconds_rows

    rows = seconds_rows(Path(folder), from_rfc3339(since), from_rfc3339(until), _HOUR_S, later=False)
    for name, of_name in groupby(rows, key=lambda row: row[0]):
        yield [name, [[int(at.timestamp() // _HOUR_S), status, seconds] for _, at, status, seconds in of_name]]


def _good_verdicts(folder: str, times: Mapping[str, str]) -> Iterator[Json]:
    from monitor.history import query

    for result in query.good_verdicts(Path(folder), {name: from_rfc3339(at) for name, at in times.items()}):
        yield result.to_json()


def _compact(folder: str, now: str, retention_days: int) -> Iterator[Json]:
    from monitor.history import compaction

    compaction.compact(Path(folder), from_rfc3339(now), retention_days)
    return iter(())


_WORK: Mapping[str, Callable[..., Iterator[Json]]] = {
    "seconds_by_hour": _seconds_by_hour,
    "good_verdicts": _good_verdicts,
    "compact": _compact,
}


def main() -> None:
    """Do what the line on stdin asks for."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    if hasattr(os, "nice"):
        # Checks come first.
        os.nice(10)
    work, *arguments = orjson.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        for row in _WORK[work](*arguments):
            sys.stdout.buffer.write(_line(row))
    except Exception as error:  # the edge: a process of its own has no other way to say why
        log.exception("%s broke", work)
        sys.stdout.buffer.write(_line({"error": plain(f"{type(error).__name__}: {error}", 300)}))


def _end_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


if __name__ == "__main__":
    main()
