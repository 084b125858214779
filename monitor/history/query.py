"""Questions to the history: one SQL over the hour being written and the Parquet of closed hours and days.

Every function takes times as aware UTC and returns a pandas frame with aware UTC times. An empty history gives an
empty frame with the same columns.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import orjson

from monitor.model import Flag, Outcome, Result, Status
from monitor.units import from_rfc3339

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

_COLUMNS = {
    "at": "TIMESTAMP",
    "name": "VARCHAR",
    "status": "VARCHAR",
    "kind": "VARCHAR",
    "message": "VARCHAR",
    "latency_ms": "DOUBLE",
    "phases_ms": "MAP(VARCHAR, DOUBLE)",
    "code": "INTEGER",
    "attempts": "INTEGER",
    "covers_s": "DOUBLE",
    "flags": "VARCHAR[]",
    "observed": "JSON",
}


EPOCH = datetime.fromtimestamp(0, UTC)
_NAME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d\.jsonl|(T\d\d)?\.parquet)")
T = TypeVar("T")
# Quoted: `at` is a word of SQL.
_SELECT = ", ".join(f'"{column}"' for column in _COLUMNS)
IN_MAINTENANCE = f"list_contains(flags, '{Flag.MAINTENANCE.value}') AS in_maintenance"
SELECTED = f"{_SELECT}, in_maintenance"


class DamagedHistory(Exception):
    """A file of the history is not what it should be; the text says which and why."""


class _FileGone(DamagedHistory):
    """It cannot be opened."""


@contextlib.contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection in memory, with few threads and bounded memory: it runs beside the checker."""
    # 25 MB, for those who ask something.
    import duckdb

    db = duckdb.connect(
        ":memory:", config={"threads": 2, "memory_limit": "512MB", "autoinstall_known_extensions": False}
    )
    try:
        # It would go to the standard output of a program that has no script.
        db.execute("SET enable_progress_bar = false")
        yield db
    except duckdb.IOException as error:
        raise _FileGone(str(error)) from error
    except duckdb.Error as error:
        raise DamagedHistory(str(error)) from error
    finally:
        db.close()


def literal(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def source_of(paths: Sequence[Path]) -> str:
    """Return the SQL table of these files, all JSONL or all Parquet: the columns of a line, and `in_maintenance`."""
    names = "[" + ", ".join(literal(path.as_posix()) for path in paths) + "]"
    if paths[0].suffix == ".parquet":
        # Files from before there was maintenance do not have the column.
        column = "SELECT NULL::BOOLEAN AS in_maintenance WHERE false"
        return f"(SELECT * FROM read_parquet({names}, union_by_name=true) UNION ALL BY NAME {column})"
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in _COLUMNS.items())
    # A line that is torn or damaged is left out; the rest of the file is read.
    lines = f"read_json({names}, format='newline_delimited', columns={{{columns}}}, ignore_errors=true)"
    return f"(SELECT *, {IN_MAINTENANCE} FROM {lines})"


def files_between(folder: Path, since: datetime, until: datetime) -> list[Path]:
    """Return the files that can hold verdicts of this time.

    Where an hour stands twice, its Parquet; where a whole day is there, none of its hours.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("????-??-??*")):
        if not _NAME.fullmatch(path.name):
            continue
        is_within = begin_of(path) <= until and end_of(path) >= since
        # Sorted: a day comes before its hours, JSONL before Parquet.
        if is_within and path.stem[:10] not in found:
            found[path.stem] = path
    return list(found.values())


def begin_of(path: Path) -> datetime:
    """Return when the hour or day of a file of results begins."""
    return from_rfc3339(f"{path.stem}:00:00Z" if "T" in path.stem else f"{path.stem}T00:00:00Z")


def end_of(path: Path) -> datetime:
    return begin_of(path) + (timedelta(hours=1) if "T" in path.stem else timedelta(days=1))


def results_frame(
    folder: Path,
    since: datetime,
    until: datetime,
    name: str | None = None,
    statuses: Sequence[Status] = (),
    newest: int = 50_000,
) -> pd.DataFrame:
    """Return verdicts, the newest first, at most `newest` rows, with the columns of a result line."""
    where, values = _where(since, until, name, statuses)
    sql = f'SELECT {_SELECT} FROM results WHERE {where} ORDER BY "at" DESC LIMIT {int(newest)}'
    return ask(lambda: f"WITH {results_of(files_between(folder, since, until))} {sql}", values)


def good_verdicts(folder: Path, times: Mapping[str, datetime]) -> list[Result]:
    """Return these checks' verdicts of these times, as far as they are there and OK, with code and `observed` alone."""
    hours = {at.replace(minute=0, second=0, microsecond=0) for at in times.values()}
    paths = sorted({path for hour in hours for path in files_between(folder, hour, hour)})
    sql = """SELECT "at", name, code, observed FROM results
        WHERE "at" IN (SELECT unnest(?::TIMESTAMP[])) AND name IN (SELECT unnest(?::VARCHAR[])) AND status = 'OK'"""
    with connect() as db:
        values = [[at.replace(tzinfo=None) for at in times.values()], list(times)]
        rows = db.execute(f"WITH {results_of(paths)} {sql}", values).fetchall()
    return [
        Result(at.replace(tzinfo=UTC), name, Outcome(Status.OK, code=code, observed=orjson.loads(observed or "{}")))
        for at, name, code, observed in rows
        if at.replace(tzinfo=UTC) == times[name]
    ]


def changes_frame(folder: Path, since: datetime, until: datetime, name: str | None = None) -> pd.DataFrame:
    """Return the verdicts that changed a check's status, the newest first: at, name, before, status, kind, message."""
    where, values = _where(since, until, name, ())
    sql = f"""
        SELECT "at", name, before, status, kind, message FROM (
            SELECT *, lag(status) OVER (PARTITION BY name ORDER BY "at") AS before FROM results WHERE {where})
        WHERE before IS NULL OR before <> status ORDER BY "at" DESC LIMIT 1000"""
    return ask(lambda: f"WITH {results_of(files_between(folder, since, until))} {sql}", values)


def epoch_us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def timestamp(at: datetime) -> str:
    """Return the time as SQL."""
    return f"make_timestamp({epoch_us(at)})"


def _where(since: datetime, until: datetime, name: str | None, statuses: Sequence[Status]) -> tuple[str, list[str]]:
    terms, values = [within(since, until)], []
    if name is not None:
        terms.append("name = ?")
        values.append(name)
    if statuses:
        terms.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += [status.value for status in statuses]
    return " AND ".join(terms), values


def within(since: datetime, until: datetime) -> str:
    """Return the SQL condition that a verdict was reached in this time."""
    return f'"at" > {timestamp(since)} AND "at" <= {timestamp(until)}'


def ask(make_sql: Callable[[], str], values: Sequence[str] = ()) -> pd.DataFrame:
    """Return the rows as a frame with aware times; see `run`."""
    frame = run(make_sql, values, lambda db: db.df())
    for column in ("at", "bucket"):
        if column in frame:
            frame[column] = frame[column].dt.tz_localize("UTC")
    return frame


def run(
    make_sql: Callable[[], str], values: Sequence[str], fetch: Callable[[duckdb.DuckDBPyConnection], T], tries: int = 3
) -> T:
    """Return what `fetch` takes of the answer. `make_sql` lists the files, anew where one went meanwhile."""
    try:
        with connect() as db:
            return fetch(db.execute(make_sql(), list(values)))
    except _FileGone:
        if tries == 1:
            raise
        # Compaction took a file between its listing and its reading; its rows are in another one now.
        return run(make_sql, values, fetch, tries - 1)


def results_of(paths: Sequence[Path], *more: str) -> str:
    """Return the SQL of the table `results`, for a WITH: the rows of these files, and of the SELECTs in `more`."""
    by_kind = [[p for p in paths if p.suffix == suffix] for suffix in (".parquet", ".jsonl")]
    tables = [f"SELECT {SELECTED} FROM {source_of(group)}" for group in by_kind if group]
    return f"results AS ({' UNION ALL '.join([*tables, *more]) or _no_rows()})"


def _no_rows() -> str:
    columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in _COLUMNS.items())
    return f"SELECT {columns}, NULL::BOOLEAN AS in_maintenance WHERE false"
