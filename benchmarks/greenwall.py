"""Greenwall's own figures: the whole pipeline of a checker, headless or with the app open in a browser."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from benchmarks.servers import can_connect, free_port, wait_until

ROOT = Path(__file__).resolve().parents[1]
HEADLESS = [sys.executable, "-m", "monitor", "run"]


@dataclass(frozen=True)
class Load:
    """What is checked. The first `hanging` checks ask `silent_url`, which never answers, with a deadline of 5 s."""

    url: str
    count: int
    every_s: float = 30.0
    ca_file: Path | None = None
    silent_url: str = ""
    hanging: int = 0


@dataclass(frozen=True)
class Figures:
    """`cpu_ms` is per verdict, `core` the share of one core; gaps leave out checks that hang."""

    verdicts: int
    cpu_ms: float
    core: float
    late_p50_ms: float
    late_p99_ms: float
    gap_p99_s: float
    rss_mb: float
    ready_s: float
    all_checked_s: float


def write_checks(path: Path, load: Load) -> None:
    lines = [f"global: {{every: {load.every_s}s, retries: 0}}", "checks:"]
    for number in range(load.count):
        hangs = number < load.hanging
        url = load.silent_url if hangs else f"{load.url}{number}"
        lines += [f"  - name: {'hangs' if hangs else 'check'}-{number:05}", "    type: http", f"    url: {url}"]
        lines += ["    timeout: 5s"] if hangs else []
        lines += [f"    ca_file: {load.ca_file}"] if load.ca_file else []
        lines += ["    expect_status: 200"]
        lines += ["    expect_jsonpath: [{path: $.ok, equals: true}, {path: $.latency_ms, lt: 100}]"]
    path.write_text("\n".join(lines) + "\n")


def measure(folder: Path, load: Load, rounds: int, browser: bool = False) -> Figures:
    """Run a checker on the load for `rounds` intervals after its first, and return its figures."""
    folder.mkdir()
    write_checks(folder / "checks.yaml", load)
    with _open_app(folder) if browser else _run(HEADLESS, folder) as process:
        started = time.monotonic()
        state = folder / "data" / "state.json"
        wait_until(state.exists, 90.0, "the checker")
        ready_s = time.monotonic() - started
        wait_until(lambda: _verdicts(state) >= load.count, load.every_s + 60.0, f"the first round of {load.count}")
        all_checked_s = time.monotonic() - started
        first, cpu, began = _verdicts(state), _cpu_s(process), time.monotonic()
        time.sleep(load.every_s * rounds)
        done, spent, took_s = _verdicts(state) - first, _cpu_s(process) - cpu, time.monotonic() - began
        median_s, high_s, _ = json.loads(state.read_bytes())["checker"]["lateness_s"]
        rss_mb = process.memory_info().rss / 1e6
    gaps = sorted(_gaps(folder / "data" / "results"))
    shutil.rmtree(folder, ignore_errors=True)
    return Figures(
        verdicts=done,
        cpu_ms=spent * 1000 / done,
        core=spent / took_s,
        late_p50_ms=median_s * 1000,
        late_p99_ms=high_s * 1000,
        gap_p99_s=gaps[len(gaps) * 99 // 100],
        rss_mb=rss_mb,
        ready_s=ready_s,
        all_checked_s=all_checked_s,
    )


@contextlib.contextmanager
def _run(command: list[str], folder: Path) -> Iterator[psutil.Process]:
    quiet = subprocess.DEVNULL
    place = {"GREENWALL_CONFIG": str(folder / "checks.yaml"), "GREENWALL_DATA": str(folder / "data")}
    checker = subprocess.Popen(command, cwd=ROOT, stdout=quiet, stderr=quiet, env=os.environ | place)
    try:
        yield psutil.Process(checker.pid)
    finally:
        checker.terminate()
        checker.wait(30)


@contextlib.contextmanager
def _open_app(folder: Path) -> Iterator[psutil.Process]:
    """Run the app with its board open in a browser."""
    from playwright.sync_api import sync_playwright

    port = free_port()
    command = [sys.executable, "-m", "streamlit", "run", "app.py", f"--server.port={port}", "--server.headless=true"]
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with _run(command, folder) as process, sync_playwright() as playwright:
        wait_until(lambda: can_connect(port), 60.0, "the app")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        page.goto(f"http://127.0.0.1:{port}/")
        yield process
        browser.close()


def _cpu_s(process: psutil.Process) -> float:
    """Return what it has used, with its children that have ended: they read the history for it."""
    return float(sum(process.cpu_times()[:4]))


def _verdicts(state: Path) -> int:
    return int(json.loads(state.read_bytes())["checker"]["results"])


def _gaps(results: Path) -> Iterator[float]:
    last: dict[str, datetime] = {}
    for path in sorted(results.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["name"].startswith("hangs"):
                continue
            at = datetime.fromisoformat(row["at"])
            if row["name"] in last:
                yield (at - last[row["name"]]).total_seconds()
            last[row["name"]] = at
