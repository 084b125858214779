"""Questions to the history: one SQL over the hour being written and the Parquet of closed hours and days.

Every function takes times as aware UTC and returns a pandas frame with aware UTC times. An empty history gives an
empty frame with the same columns.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from monitor.model import Status
from monitor.units import from_rfc3339, to_rfc3339

if TYPE_CHECKING:
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


_NAME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d\.jsonl|(T\d\d)?\.parquet)")
DamagedHistory = duckdb.Error
# Quoted: `at` is a word of SQL.
_SELECT = ", ".join(f'"{column}"' for column in _COLUMNS)


@contextlib.contextmanager
def connect() -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection in memory, with few threads and bounded memory: it runs beside the checker."""
    db = duckdb.connect(
        ":memory:", config={"threads": 2, "memory_limit": "512MB", "autoinstall_known_extensions": False}
    )
    try:
        yield db
    finally:
        db.close()


def literal(text: str) -> str:
    """Return the text as an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def source_of(paths: Sequence[Path]) -> str:
    """Return the SQL table of these files, all JSONL or all Parquet."""
    names = "[" + ", ".join(literal(path.as_posix()) for path in paths) + "]"
    if paths[0].suffix == ".parquet":
        return f"read_parquet({names}, union_by_name=true)"
    columns = ", ".join(f"{literal(name)}: {literal(kind)}" for name, kind in _COLUMNS.items())
    # A line that is torn or damaged is left out; the rest of the file is read.
    return f"read_json({names}, format='newline_delimited', columns={{{columns}}}, ignore_errors=true)"


def files_between(folder: Path, since: datetime, until: datetime) -> list[Path]:
    """Return the files that can hold verdicts of this time.

    Where an hour stands twice, its Parquet; where a whole day is there, none of its hours.
    """
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("????-??-??*")):
        if not _NAME.fullmatch(path.name):
            continue
        is_within = _begin(path.stem) <= until and _end(path.stem) >= since
        # Sorted: a day comes before its hours, JSONL before Parquet.
        if is_within and path.stem[:10] not in found:
            found[path.stem] = path
    return list(found.values())


def _begin(stem: str) -> datetime:
    return from_rfc3339(f"{stem}:00:00Z" if "T" in stem else f"{stem}T00:00:00Z")


def _end(stem: str) -> datetime:
    return _begin(stem) + (timedelta(hours=1) if "T" in stem else timedelta(days=1))


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
    return _ask(folder, since, until, sql, values)


def seconds_frame(folder: Path, since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
    """Return seconds by check, bucket of time and status.

    Columns: name, bucket (its begin), status, seconds, verdicts, p50_ms, p95_ms. Buckets count from `since`.
    """
    where, values = _where(since, until, None, ())
    bucket = f"""time_bucket(INTERVAL '{float(bucket_s)} seconds', "at", TIMESTAMP {literal(_plain(since))})"""
    sql = f"""
        SELECT name, {bucket} AS bucket,
               status, sum(covers_s) AS seconds, count(*) AS verdicts,
               quantile_cont(latency_ms, 0.5) AS p50_ms, quantile_cont(latency_ms, 0.95) AS p95_ms
        FROM results WHERE {where} GROUP BY ALL ORDER BY name, bucket, status"""
    return _ask(folder, since, until, sql, values)


def changes_frame(folder: Path, since: datetime, until: datetime, name: str | None = None) -> pd.DataFrame:
    """Return the verdicts that changed a check's status, the newest first: at, name, before, status, kind, message."""
    where, values = _where(since, until, name, ())
    sql = f"""
        SELECT "at", name, before, status, kind, message FROM (
            SELECT *, lag(status) OVER (PARTITION BY name ORDER BY "at") AS before FROM results WHERE {where})
        WHERE before IS NULL OR before <> status ORDER BY "at" DESC LIMIT 1000"""
    return _ask(folder, since, until, sql, values)


def _plain(at: datetime) -> str:
    return to_rfc3339(at).replace("T", " ").removesuffix("Z")


def _where(since: datetime, until: datetime, name: str | None, statuses: Sequence[Status]) -> tuple[str, list[str]]:
    terms = ['"at" > ?::TIMESTAMP', '"at" <= ?::TIMESTAMP']
    values = [_plain(since), _plain(until)]
    if name is not None:
        terms.append("name = ?")
        values.append(name)
    if statuses:
        terms.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += [status.value for status in statuses]
    return " AND ".join(terms), values


def _ask(folder: Path, since: datetime, until: datetime, sql: str, values: list[str]) -> pd.DataFrame:
    frame = _run(folder, since, until, sql, values)
    for column in ("at", "bucket"):
        if column in frame:
            frame[column] = frame[column].dt.tz_localize("UTC")
    return frame


def _run(folder: Path, since: datetime, until: datetime, sql: str, values: list[str], tries: int = 3) -> pd.DataFrame:
    paths = files_between(folder, since, until)
    by_kind = [[p for p in paths if p.suffix == suffix] for suffix in (".parquet", ".jsonl")]
    tables = [f"SELECT {_SELECT} FROM {source_of(group)}" for group in by_kind if group] or [_no_rows()]
    try:
        with connect() as db:
            return db.execute(f"WITH results AS ({' UNION ALL '.join(tables)}) {sql}", values).df()
    except duckdb.IOException:
        if tries == 1:
            raise
        # Compaction took a file between its listing and its reading; its rows are in another one now.
        return _run(folder, since, until, sql, values, tries - 1)


def _no_rows() -> str:
    columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in _COLUMNS.items())
    return f"SELECT {columns} WHERE false"
