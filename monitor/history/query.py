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

import duckdb
import orjson

from monitor.ledger import MAINTENANCE
from monitor.model import Flag, Outcome, Result, Status
from monitor.units import from_rfc3339, seconds_between

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


_EPOCH = datetime.fromtimestamp(0, UTC)
_EVER = datetime.max.replace(tzinfo=UTC)
_NAME = re.compile(r"\d{4}-\d\d-\d\d(T\d\d\.jsonl|(T\d\d)?\.parquet)")
DamagedHistory = duckdb.Error
T = TypeVar("T")
More = Callable[[Path, datetime], list[str]]
# Quoted: `at` is a word of SQL.
_SELECT = ", ".join(f'"{column}"' for column in _COLUMNS)
IN_MAINTENANCE = f"list_contains(flags, '{Flag.MAINTENANCE.value}') AS in_maintenance"
_SELECTED = f"{_SELECT}, in_maintenance"


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
    """Return seconds by check, bucket of time and status, which is MAINTENANCE for what was seen during maintenance.

    Columns: name, bucket (its begin), status, seconds, verdicts, p50_ms, p95_ms. Buckets count from `since`; a moment
    between two belongs to the earlier one.

    A verdict stands for the `covers_s` before it. They are split over the buckets that they lie in; what lies outside
    of the time asked for is left out, and of a verdict after `until` there may be a part inside. It counts as a
    verdict, with its latency, in the bucket in which it was reached.
    """
    return _ask(folder, since, until, _seconds_sql(since, until, bucket_s, with_latency=True), [], _after)


def totals(folder: Path, since: datetime, until: datetime) -> list[tuple[str, str, float]]:
    """Return check, status and seconds of the whole time, counted as in `seconds_frame`.

    Without latencies, which cost the most, and without pandas, which takes a process 100 MB.
    """
    rows = seconds_rows(folder, since, until, seconds_between(since, until))
    return [(name, status, seconds) for name, _, status, seconds in rows]


def seconds_rows(
    folder: Path, since: datetime, until: datetime, bucket_s: float
) -> list[tuple[str, datetime, str, float]]:
    """Return check, bucket, status and seconds as `totals` does, for each bucket of time."""
    sql = _seconds_sql(since, until, bucket_s, with_latency=False)
    rows = _run(lambda: _tables_of(folder, since, until, _after), sql, [], lambda db: db.fetchall())
    return [(name, bucket.replace(tzinfo=UTC), status, seconds) for name, bucket, status, seconds, *_ in rows]


def _seconds_sql(since: datetime, until: datetime, bucket_s: float, with_latency: bool) -> str:
    low_us, length_us, bucket_us = _epoch_us(since), _epoch_us(until) - _epoch_us(since), round(bucket_s * 1e6)
    latency = "CASE WHEN is_within THEN latency_ms END" if with_latency else "NULL"
    booked = f"CASE WHEN in_maintenance THEN '{MAINTENANCE}' ELSE results.status END"
    # Whole microseconds, so that the parts of a verdict add up to it. Few verdicts begin before their bucket: only
    # those are spread, from a list beside each sum, and the millions of others are read once.
    return f"""
        , spans AS (
            SELECT name, {booked} AS status, latency_ms,
                   epoch_us("at") - {low_us} AS at_us, at_us <= {length_us} AS is_within,
                   at_us - round(least(greatest(covers_s * 1e6, 0), at_us))::BIGINT AS begin_us,
                   least(at_us, {length_us}) AS end_us, (end_us - 1) // {bucket_us} AS n
            FROM results WHERE "at" > {_timestamp(since)}),
        own AS MATERIALIZED (
            SELECT name, n, status, sum(end_us - greatest(begin_us, n * {bucket_us})) AS us,
                   count(*) FILTER (is_within) AS verdicts,
                   quantile_cont(({latency})::FLOAT, [0.5, 0.95]) AS quantiles_ms,
                   list(begin_us) FILTER (begin_us < n * {bucket_us}) AS begins_us
            FROM spans WHERE is_within OR begin_us < {length_us} GROUP BY name, n, status),
        begun AS (SELECT name, n, status, unnest(begins_us) AS begin_us FROM own),
        spread AS (SELECT name, unnest(range(begin_us // {bucket_us}, n)) AS n, status, begin_us FROM begun),
        parts AS (
            SELECT name, n, status, us, verdicts, quantiles_ms FROM own UNION ALL
            SELECT name, n, status, (n + 1) * {bucket_us} - greatest(begin_us, n * {bucket_us}), 0, NULL FROM spread)
        SELECT name, make_timestamp({low_us} + n * {bucket_us}) AS bucket, status, sum(us)::DOUBLE / 1e6 AS seconds,
               sum(verdicts)::BIGINT AS verdicts,
               max(quantiles_ms[1])::DOUBLE AS p50_ms, max(quantiles_ms[2])::DOUBLE AS p95_ms
        FROM parts GROUP BY name, n, status ORDER BY name, bucket, status"""


def good_verdicts(folder: Path, times: Mapping[str, datetime]) -> list[Result]:
    """Return these checks' verdicts of these times, as far as they are there and OK, with code and `observed` alone."""
    hours = {at.replace(minute=0, second=0, microsecond=0) for at in times.values()}
    paths = sorted({path for hour in hours for path in files_between(folder, hour, hour)})
    sql = """SELECT "at", name, code, observed FROM results
        WHERE "at" IN (SELECT unnest(?::TIMESTAMP[])) AND name IN (SELECT unnest(?::VARCHAR[])) AND status = 'OK'"""
    with connect() as db:
        values = [[at.replace(tzinfo=None) for at in times.values()], list(times)]
        rows = db.execute(f"WITH results AS ({' UNION ALL '.join(_tables(paths))}) {sql}", values).fetchall()
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
    return _ask(folder, since, until, sql, values)


def _epoch_us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _timestamp(at: datetime) -> str:
    return f"make_timestamp({_epoch_us(at)})"


def _where(since: datetime, until: datetime, name: str | None, statuses: Sequence[Status]) -> tuple[str, list[str]]:
    terms, values = [f'"at" > {_timestamp(since)}', f'"at" <= {_timestamp(until)}'], []
    if name is not None:
        terms.append("name = ?")
        values.append(name)
    if statuses:
        terms.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += [status.value for status in statuses]
    return " AND ".join(terms), values


def _ask(
    folder: Path,
    since: datetime,
    until: datetime,
    sql: str,
    values: list[str],
    more: More = lambda folder, until: [],
) -> pd.DataFrame:
    frame = _run(lambda: _tables_of(folder, since, until, more), sql, values, lambda db: db.df())
    for column in ("at", "bucket"):
        if column in frame:
            frame[column] = frame[column].dt.tz_localize("UTC")
    return frame


def _run(
    tables: Callable[[], list[str]],
    sql: str,
    values: list[str],
    fetch: Callable[[duckdb.DuckDBPyConnection], T],
    tries: int = 3,
) -> T:
    try:
        with connect() as db:
            return fetch(db.execute(f"WITH results AS ({' UNION ALL '.join(tables())}) {sql}", values))
    except duckdb.IOException:
        if tries == 1:
            raise
        # Compaction took a file between its listing and its reading; its rows are in another one now.
        return _run(tables, sql, values, fetch, tries - 1)


def _tables_of(folder: Path, since: datetime, until: datetime, more: More) -> list[str]:
    return [*_tables(files_between(folder, since, until)), *more(folder, until)]


def _tables(paths: Sequence[Path]) -> list[str]:
    by_kind = [[p for p in paths if p.suffix == suffix] for suffix in (".parquet", ".jsonl")]
    return [f"SELECT {_SELECTED} FROM {source_of(group)}" for group in by_kind if group] or [_no_rows()]


def _after(folder: Path, until: datetime) -> list[str]:
    """Return what can reach back to `until` of the files that begin after it: of Parquet, hardly a row is read."""
    later = [path for path in files_between(folder, until, _EVER) if _begin(path.stem) > until]
    gaps_s = {path: seconds_between(until, _begin(path.stem)) for path in later}
    return [f"SELECT {_SELECTED} FROM {source_of([path])} WHERE covers_s > {gap_s}" for path, gap_s in gaps_s.items()]


def _no_rows() -> str:
    columns = ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in _COLUMNS.items())
    return f"SELECT {columns}, NULL::BOOLEAN AS in_maintenance WHERE false"
