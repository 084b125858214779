"""Seconds by check, time and status: what uptime is made of.

A verdict stands for the `covers_s` before it. They are split over the buckets of time that they lie in; what lies
outside of the time asked for is left out, and of a verdict after `until` there may be a part inside. It counts as a
verdict in the bucket in which it was reached; a moment between two buckets belongs to the earlier one. The status is
MAINTENANCE for what was seen during maintenance.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.history.query import (
    EPOCH,
    SELECTED,
    ask,
    begin_of,
    epoch_us,
    files_between,
    literal,
    results_of,
    run,
    source_of,
    timestamp,
)
from monitor.history.rollups import Rollup, rolled_up
from monitor.ledger import MAINTENANCE
from monitor.units import seconds_between

if TYPE_CHECKING:
    import pandas as pd

_EVER = datetime.max.replace(tzinfo=UTC)
_HOUR_US = 3_600_000_000


def seconds_frame(folder: Path, since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
    """Return name, bucket (its begin), status, seconds, verdicts. Buckets count from `since`.

    Days that have a rollup are answered from it when all buckets begin with an hour.
    """
    return ask(lambda: _sql(folder, since, until, bucket_s))


def totals(folder: Path, since: datetime, until: datetime) -> list[tuple[str, str, float]]:
    """Return check, status and seconds of the whole time.

    Without pandas, which takes a process 100 MB.
    """
    rows = seconds_rows(folder, since, until, seconds_between(since, until))
    return [(name, status, seconds) for name, _, status, seconds in rows]


def seconds_rows(
    folder: Path, since: datetime, until: datetime, bucket_s: float, later: bool = True
) -> list[tuple[str, datetime, str, float]]:
    """Return check, bucket, status and seconds as `totals` does, for each bucket of time.

    Not `later`: without what verdicts after `until` say of the time before it, for whoever counts those whole.
    """
    rows = run(lambda: _sql(folder, since, until, bucket_s, later), (), lambda db: db.fetchall())
    return [(name, bucket.replace(tzinfo=UTC), status, seconds) for name, bucket, status, seconds, _ in rows]


def hours_sql(day: Path) -> str:
    """Return the SQL of a day's rollup: name, hour_us, status, us, verdicts, begins_us, times as UTC since 1970."""
    own = _own(EPOCH, _EVER, _HOUR_US)
    columns = f"name, n * {_HOUR_US} AS hour_us, status, us::BIGINT AS us, verdicts, begins_us"
    return f"WITH {results_of([day])}, {own} SELECT {columns} FROM own ORDER BY name, hour_us, status"


def _sql(folder: Path, since: datetime, until: datetime, bucket_s: float, later: bool = True) -> str:
    low_us, length_us, bucket_us = epoch_us(since), epoch_us(until) - epoch_us(since), round(bucket_s * 1e6)
    paths = files_between(folder, since, until)
    holds_hours = bucket_us >= length_us or not (low_us % _HOUR_US or bucket_us % _HOUR_US)
    rollups = rolled_up(paths, Rollup.HOURS, since, until) if holds_hours else {}
    read = [path for path in paths if path not in rollups]
    return f"""
        WITH {results_of(read, *(_after(folder, until) if later else ()))}, {_own(since, until, bucket_us, later)},
        hours AS (
            SELECT name, (hour_us - {low_us}) // {bucket_us} AS n, status, us, verdicts, begins_us,
                   hour_us - {low_us} AS from_us
            FROM {_hours(rollups.values())} WHERE hour_us >= {low_us}),
        begun AS (
            SELECT name, status, unnest(begins_us) AS begin_us, n * {bucket_us} AS end_us FROM own UNION ALL
            SELECT name, status, greatest(unnest(begins_us) - {low_us}, 0), from_us FROM hours),
        spread AS (
            SELECT name, status, begin_us, end_us,
                   unnest(range(begin_us // {bucket_us}, (end_us - 1) // {bucket_us} + 1)) AS n
            FROM begun WHERE begin_us < end_us),
        parts AS (
            SELECT name, n, status, us, verdicts FROM own UNION ALL
            SELECT name, n, status, us, verdicts FROM hours UNION ALL
            SELECT name, n, status, least(end_us, (n + 1) * {bucket_us}) - greatest(begin_us, n * {bucket_us}), 0
            FROM spread)
        SELECT name, make_timestamp({low_us} + n * {bucket_us}) AS bucket, status, sum(us)::DOUBLE / 1e6 AS seconds,
               sum(verdicts)::BIGINT AS verdicts
        FROM parts GROUP BY name, n, status ORDER BY name, bucket, status"""


def _own(since: datetime, until: datetime, bucket_us: int, later: bool = True) -> str:
    """Return the SQL of `own`: what verdicts cover of the bucket in which they end.

    Few begin before their bucket: only those are spread, from a list beside each sum, and the millions of others are
    read once. Whole microseconds, so that the parts of a verdict add up to it.
    """
    low_us, length_us = epoch_us(since), epoch_us(until) - epoch_us(since)
    counted = f"is_within OR begin_us < {length_us}" if later else "is_within"
    booked = f"CASE WHEN in_maintenance THEN '{MAINTENANCE}' ELSE results.status END"
    return f"""
        spans AS (
            SELECT name, {booked} AS status, epoch_us("at") - {low_us} AS at_us, at_us <= {length_us} AS is_within,
                   at_us - round(least(greatest(covers_s * 1e6, 0), at_us))::BIGINT AS begin_us,
                   least(at_us, {length_us}) AS end_us, (end_us - 1) // {bucket_us} AS n
            FROM results WHERE "at" > {timestamp(since)}),
        own AS MATERIALIZED (
            SELECT name, n, status, sum(end_us - greatest(begin_us, n * {bucket_us})) AS us,
                   count(*) FILTER (is_within) AS verdicts,
                   list(begin_us) FILTER (begin_us < n * {bucket_us}) AS begins_us
            FROM spans WHERE {counted} GROUP BY name, n, status)"""


def _hours(paths: Iterable[Path]) -> str:
    names = ", ".join(literal(path.as_posix()) for path in paths)
    columns = "''::VARCHAR AS name, 0 AS hour_us, '' AS status, 0 AS us, 0 AS verdicts, []::BIGINT[] AS begins_us"
    return f"read_parquet([{names}])" if names else f"(SELECT {columns} WHERE false)"


def _after(folder: Path, until: datetime) -> list[str]:
    """Return what can reach back to `until` of the files that begin after it: of Parquet, hardly a row is read."""
    later = [path for path in files_between(folder, until, _EVER) if begin_of(path) > until]
    gaps_s = {path: seconds_between(until, begin_of(path)) for path in later}
    return [f"SELECT {SELECTED} FROM {source_of([path])} WHERE covers_s > {gap_s}" for path, gap_s in gaps_s.items()]
