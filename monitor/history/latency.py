"""How fast checks answered: exactly for one check by time, within 1 % for each of all checks.

Exact quantiles hold every latency in memory. Over all checks these are counted in bins instead, each 2 % wider than
the one before it (as DDSketch does, Masson et al. 2019), which takes a few kilobytes a check however long the time is,
and can be added up from days to a month.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.history.query import ask, epoch_us, files_between, literal, results_of, within
from monitor.history.rollups import Rollup, rolled_up

if TYPE_CHECKING:
    import pandas as pd

# The middle of a bin is at most 1 % from what is in it.
_STEP = 1.02
# From a microsecond to eleven days: beyond that nothing is measured, and a logarithm needs a number above zero.
_BIN = f"round(ln(least(greatest(latency_ms, 1e-3), 1e9)) / ln({_STEP}))::INTEGER"


def latency_by_bucket(folder: Path, since: datetime, until: datetime, bucket_s: float, name: str) -> pd.DataFrame:
    """Return bucket (its begin), p50_ms, p95_ms of one check, exactly. Buckets without a latency have no row.

    Buckets count from `since`; a moment between two belongs to the earlier one.
    """
    low_us, bucket_us = epoch_us(since), round(bucket_s * 1e6)
    sql = f"""
        , binned AS (
            SELECT (epoch_us("at") - {low_us} - 1) // {bucket_us} AS n, quantile_cont(latency_ms, [0.5, 0.95]) AS ms
            FROM results WHERE {within(since, until)} AND name = ? AND latency_ms IS NOT NULL GROUP BY n)
        SELECT make_timestamp({low_us} + n * {bucket_us}) AS bucket, ms[1] AS p50_ms, ms[2] AS p95_ms
        FROM binned ORDER BY bucket"""
    return ask(lambda: f"WITH {results_of(files_between(folder, since, until))} {sql}", [name])


def latency_by_check(folder: Path, since: datetime, until: datetime) -> pd.DataFrame:
    """Return name, p50_ms, p95_ms of each check that has a latency in the time, within 1 %."""
    return ask(lambda: _by_check(folder, since, until))


def bins_sql(day: Path) -> str:
    """Return the SQL of a day's rollup: name, bin, verdicts."""
    return f"WITH {results_of([day])} {_counted('true')} ORDER BY name, bin"


def _by_check(folder: Path, since: datetime, until: datetime) -> str:
    paths = files_between(folder, since, until)
    rollups = rolled_up(paths, Rollup.LATENCIES, since, until)
    tables = [_counted(within(since, until))]
    if rollups:
        names = ", ".join(literal(path.as_posix()) for path in rollups.values())
        tables.append(f"SELECT name, bin, verdicts FROM read_parquet([{names}])")
    return f"""
        WITH {results_of([path for path in paths if path not in rollups])},
        bins AS (SELECT name, bin, sum(verdicts) AS verdicts FROM ({" UNION ALL ".join(tables)}) GROUP BY name, bin),
        ranked AS (
            SELECT name, {_STEP}::DOUBLE ** bin AS ms, sum(verdicts) OVER (PARTITION BY name ORDER BY bin) AS upto,
                   sum(verdicts) OVER (PARTITION BY name) AS counted FROM bins)
        SELECT name, min(ms) FILTER (upto >= 0.5 * counted) AS p50_ms, min(ms) FILTER (upto >= 0.95 * counted) AS p95_ms
        FROM ranked GROUP BY name ORDER BY name"""


def _counted(condition: str) -> str:
    return f"""SELECT name, {_BIN} AS bin, count(*) AS verdicts FROM results
        WHERE {condition} AND latency_ms IS NOT NULL GROUP BY name, bin"""
