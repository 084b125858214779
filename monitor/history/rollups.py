"""`data/rollups/`: sums over closed days, so that a month is answered without reading each of its verdicts.

    2026-11-20.hours.parquet        seconds by check, hour and status       seconds
    2026-11-20.latencies.parquet    verdicts by check and latency           latency

Compaction makes them from `results/2026-11-20.parquet` and takes them away before it writes that anew. A day that has
none is read verdict by verdict and gives the same answer: they may be deleted at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

from monitor.history.query import begin_of, end_of

# A verdict of midnight itself belongs to the hour before it, so that a day's sums begin there.
_BEFORE = timedelta(hours=1)


class Rollup(StrEnum):
    HOURS = "hours"
    LATENCIES = "latencies"

    def path(self, day: Path) -> Path:
        """Return where this rollup of a day's file is, or would be."""
        return folder_of(day.parent) / f"{day.stem}.{self.value}.parquet"


def folder_of(results: Path) -> Path:
    return results.with_name("rollups")


def rolled_up(paths: Sequence[Path], rollup: Rollup, since: datetime, until: datetime) -> dict[Path, Path]:
    """Return the rollups that can stand for files of results: those of days that lie within the time whole."""
    days = [p for p in paths if "T" not in p.stem and since <= begin_of(p) - _BEFORE and end_of(p) <= until]
    return {day: path for day in days if (path := rollup.path(day)).is_file()}


def discard(day: Path) -> None:
    """Delete the rollups of a day whose rows are about to change."""
    for rollup in Rollup:
        if (path := rollup.path(day)).exists():
            path.unlink()
