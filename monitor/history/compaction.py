"""Closed hours become Parquet, closed days one file, old days go. Called by the checker, in a thread of its own.

    2026-11-21T14.jsonl     the hour being written
    2026-11-21T13.jsonl ──▶ 2026-11-21T13.parquet          24 of them ──▶ 2026-11-20.parquet

A result is 109 bytes as JSON and 3 as Parquet, which has one column more: whether `flags` names maintenance, so that
sums over millions of rows need not read the lists. The new file is complete before the old ones go, and readers that
see both for a moment take the new one. After a kill in that moment the old ones are merged again: rows that are
there already are not added twice. Days that have no rollups get them, the newest first.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from monitor.history.latency import bins_sql
from monitor.history.query import IN_MAINTENANCE, connect, literal, source_of
from monitor.history.rollups import Rollup, discard, folder_of
from monitor.history.seconds import hours_sql

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger(__name__)
# An hour is closed when no verdict can be stamped with it any more, a set-back clock included.
_GRACE = timedelta(minutes=10)
# Days from before there were rollups get theirs ten in a turn: other work waits for this one.
ROLLED_UP_TOGETHER = 20
_ROLLUP_SQL = {Rollup.HOURS: hours_sql, Rollup.LATENCIES: bins_sql}


def compact(folder: Path, now: datetime, retention_days: int) -> None:
    """Compact every closed hour and day in `folder`, and delete days that are past keeping; errors are logged."""
    try:
        for one in (folder, folder_of(folder)):
            _forget(one, now - timedelta(days=retention_days))
        last_hour = f"{now - _GRACE:%Y-%m-%dT%H}"
        for path in sorted(folder.glob("????-??-??T??.jsonl")):
            if path.stem < last_hour:
                _merge([path], path.with_suffix(".parquet"))
        _merge_days(folder, f"{now - _GRACE:%Y-%m-%d}")
        _roll_up(folder)
    except Exception:  # the edge: a scheduled job; the hour files stay as they are and can be read
        log.exception("compaction broke; the files stay as they are")


def _merge_days(folder: Path, today: str) -> None:
    days: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("????-??-??T??.parquet")):
        days.setdefault(path.stem[:10], []).append(path)
    for day, paths in days.items():
        if day < today and not list(folder.glob(f"{day}T??.jsonl")):
            _merge(paths, folder / f"{day}.parquet")


def _merge(sources: list[Path], target: Path) -> None:
    """Write the rows of all sources to `target`, each once, ordered by check and time, then remove the sources."""
    if target.exists():
        sources = [target, *sources]
    with connect() as db:
        rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {source_of([path])}" for path in sources)
        rows = f"SELECT * EXCLUDE (in_maintenance), {IN_MAINTENANCE} FROM ({rows})"
        # A damaged line is read as a row without a time or a name.
        kept = f'SELECT DISTINCT * FROM ({rows}) WHERE "at" IS NOT NULL AND name IS NOT NULL ORDER BY name, "at"'
        part = _write(db, kept, target)
    discard(target)
    part.replace(target)
    for path in sources:
        if path != target:
            path.unlink()


def _write(db: duckdb.DuckDBPyConnection, sql: str, target: Path) -> Path:
    """Write the rows to a file beside the target, to be renamed."""
    part = target.with_suffix(".part")
    db.execute(f"COPY ({sql}) TO {literal(str(part))} (FORMAT parquet, COMPRESSION zstd)")
    # A power cut must not leave an empty new file and no old one.
    with part.open("rb") as file:
        os.fsync(file.fileno())
    return part


def _roll_up(folder: Path) -> None:
    days = sorted(folder.glob("????-??-??.parquet"), reverse=True)
    missing = [(day, rollup) for day in days for rollup in Rollup if not rollup.path(day).exists()]
    folder_of(folder).mkdir(exist_ok=True)
    for day, rollup in missing[:ROLLED_UP_TOGETHER]:
        with connect() as db:
            part = _write(db, _ROLLUP_SQL[rollup](day), rollup.path(day))
        part.replace(rollup.path(day))


def _forget(folder: Path, before: datetime) -> None:
    for path in folder.glob("????-??-??*"):
        if path.suffix in (".jsonl", ".parquet") and path.stem[:10] < f"{before:%Y-%m-%d}":
            log.info("deleting %s: past retention_days", path.name)
            path.unlink()
