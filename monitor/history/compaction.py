"""Closed hours become Parquet, closed days one file, old days go. Called by the checker, in a thread of its own.

    2026-11-21T14.jsonl     the hour being written
    2026-11-21T13.jsonl ──▶ 2026-11-21T13.parquet          24 of them ──▶ 2026-11-20.parquet

A result is 109 bytes as JSON and 3 as Parquet, which has one column more: whether `flags` names maintenance, so that
sums over millions of rows need not read the lists. The new file is complete before the old ones go, and readers that
see both for a moment take the new one. After a kill in that moment the old ones are merged again: rows that are
there already are not added twice.
"""

from __future__ import annotations

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from monitor.history.query import IN_MAINTENANCE, connect, literal, source_of

log = logging.getLogger(__name__)
# An hour is closed when no verdict can be stamped with it any more, a set-back clock included.
_GRACE = timedelta(minutes=10)


def compact(folder: Path, now: datetime, retention_days: int) -> None:
    """Compact every closed hour and day in `folder`, and delete days that are past keeping; errors are logged."""
    try:
        _forget(folder, now - timedelta(days=retention_days))
        last_hour = f"{now - _GRACE:%Y-%m-%dT%H}"
        for path in sorted(folder.glob("????-??-??T??.jsonl")):
            if path.stem < last_hour:
                _merge([path], path.with_suffix(".parquet"))
        _merge_days(folder, f"{now - _GRACE:%Y-%m-%d}")
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
    part = target.with_suffix(".part")
    if target.exists():
        sources = [target, *sources]
    with connect() as db:
        rows = " UNION ALL BY NAME ".join(f"SELECT * FROM {source_of([path])}" for path in sources)
        rows = f"SELECT * EXCLUDE (in_maintenance), {IN_MAINTENANCE} FROM ({rows})"
        # A damaged line is read as a row without a time or a name.
        kept = f'SELECT DISTINCT * FROM ({rows}) WHERE "at" IS NOT NULL AND name IS NOT NULL ORDER BY name, "at"'
        db.execute(f"COPY ({kept}) TO {literal(str(part))} (FORMAT parquet, COMPRESSION zstd)")
    # A power cut must not leave an empty new file and no old one.
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.replace(target)
    for path in sources:
        if path != target:
            path.unlink()


def _forget(folder: Path, before: datetime) -> None:
    for path in folder.glob("????-??-??*"):
        if path.suffix in (".jsonl", ".parquet") and path.stem[:10] < f"{before:%Y-%m-%d}":
            log.info("deleting %s: past retention_days", path.name)
            path.unlink()
