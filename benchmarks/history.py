"""What the Uptime page asks of a month of 500 checks every 30 s, 43 million verdicts, with rollups and without."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import duckdb

from benchmarks.greenwall import ROOT
from monitor.history.compaction import compact
from monitor.history.rollups import folder_of
from monitor.units import from_rfc3339

LAST = date(2026, 11, 20)
SPANS = {"24 hours": (1, 1800), "7 days": (7, 14_400), "30 days": (30, 43_200)}
_ASK = """
import json, sys, time
from datetime import timedelta
from pathlib import Path
import pandas
from monitor.history.latency import latency_by_bucket, latency_by_check
from monitor.history.seconds import seconds_frame
from monitor.units import from_rfc3339
folder, days, bucket_s = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
until = from_rfc3339("2026-11-20T23:41:00Z")
since = until - timedelta(days=days)
since = since.replace(minute=0) if days > 1 else since
def peak_kb():
    return int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
before, began, cpu = peak_kb(), time.perf_counter(), time.process_time()
seconds_frame(folder, since, until, bucket_s)
latency_by_check(folder, since, until)
latency_by_bucket(folder, since, until, bucket_s, "check-0007")
print(json.dumps([time.perf_counter() - began, time.process_time() - cpu, (peak_kb() - before) / 1024]))
"""

# `at` in milliseconds of the day.
_DAY = """
CREATE TABLE verdicts AS
SELECT 30000 * turn + (61 * c) % 30000 AS "at", 'check-' || lpad(c::VARCHAR, 4, '0') AS name,
       if(chance < 0.998, 'OK', 'FAIL') AS status, if(chance < 0.998, NULL, 'timeout') AS kind, '' AS message,
       if(chance < 0.998, exp(3 + c % 20 / 10 + chance), NULL)::DOUBLE AS latency_ms,
       MAP {'total': 1.5::DOUBLE} AS phases_ms, 200 AS code, 1 AS attempts, 30::DOUBLE AS covers_s,
       []::VARCHAR[] AS flags, '{}'::JSON AS observed, false AS in_maintenance
FROM (SELECT c, turn, random() AS chance FROM range(500) AS of_c(c), range(2880) AS of_turn(turn))
ORDER BY name, "at"
"""


def figures(folder: Path) -> Iterator[tuple[str, str, list[float]]]:
    """Yield for each span, without rollups and with them: seconds, CPU-seconds, MB beyond those of pandas."""
    results = folder / "results"
    results.mkdir(parents=True)
    _write_month(results)
    for label in ("without rollups", "with rollups"):
        for span, (days, bucket_s) in SPANS.items():
            command = [sys.executable, "-c", _ASK, str(results), str(days), str(bucket_s)]
            answer = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
            yield span, label, json.loads(answer.stdout)
        _roll_up(results)
    shutil.rmtree(folder)


def _roll_up(results: Path) -> None:
    # Days that are there already get their rollups in turns.
    while len(list(folder_of(results).glob("*.parquet"))) < 60:
        compact(results, from_rfc3339("2026-11-21T01:00:00Z"), 90)


def _write_month(results: Path) -> None:
    with duckdb.connect(config={"threads": 2}) as db:
        db.execute(_DAY)
        for ago in range(30):
            day = LAST - timedelta(days=ago)
            rows = f'SELECT * REPLACE (TIMESTAMP \'{day}\' + to_milliseconds("at") AS "at") FROM verdicts'  # noqa: S608
            db.execute(f"COPY ({rows}) TO '{results / str(day)}.parquet' (FORMAT parquet, COMPRESSION zstd)")
