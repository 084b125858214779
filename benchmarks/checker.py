"""What a check costs: the whole checker beside a bare pycurl loop and a bare requests loop, in one run.

    python benchmarks/checker.py [--checks 1000] [--every 30] [--rounds 3]

Needs nginx on the machine; serves a small JSON answer with it on loopback. CPU time is that of the measuring process
alone (user and system), without nginx. Compare ratios: milliseconds depend on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
ANSWER = '{"ok": true, "latency_ms": 12, "queue": {"depth": 3, "oldest_age_s": 1}}'


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[str]:
    """Serve the answer on a free loopback port; yield its URL."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        sys.exit("nginx is missing: install Debian's package nginx-light")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    conf = folder / "nginx.conf"
    conf.write_text(
        f"""
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.err;
        events {{ worker_connections 4096; }}
        http {{
          access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
          uwsgi_temp_path {folder}; scgi_temp_path {folder};
          server {{ listen 127.0.0.1:{port} backlog=4096;
                    location / {{ default_type application/json; return 200 '{ANSWER}'; }} }}
        }}"""
    )
    server = subprocess.Popen([program, "-c", str(conf), "-p", str(folder)], stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: can_connect(port), 10.0, "nginx")
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait(10)


def can_connect(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def wait_until(is_so: Callable[[], bool], longest_s: float, what: str) -> None:
    give_up_at = time.monotonic() + longest_s
    while not is_so():
        if time.monotonic() > give_up_at:
            sys.exit(f"{what} was not ready after {longest_s:.0f} s")
        time.sleep(0.05)


def cpu_ms_each(work: Callable[[], None], count: int) -> float:
    """Return CPU-ms of one of `count` pieces of work, best of three: other programs only ever add."""
    best = float("inf")
    for _ in range(3):
        before = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - before) * 1000 / count)
    return best


def paced_ms_each(work: Callable[[], None], pause_s: float, count: int = 300) -> float:
    """Return CPU-ms of one piece of work when there is a pause before each, as a checker has: caches are cold then."""
    before = time.process_time()
    for _ in range(count):
        time.sleep(pause_s)
        work()
    return (time.process_time() - before) * 1000 / count


def bare_pycurl(url: str) -> Callable[[], None]:
    import pycurl

    curl = pycurl.Curl()

    def ask() -> None:
        body: list[bytes] = []
        curl.reset()
        curl.setopt(pycurl.URL, url)
        curl.setopt(pycurl.TIMEOUT_MS, 10_000)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.FRESH_CONNECT, 1)
        curl.setopt(pycurl.FORBID_REUSE, 1)
        curl.setopt(pycurl.WRITEFUNCTION, body.append)
        curl.perform()
        assert curl.getinfo(pycurl.RESPONSE_CODE) == 200
        assert json.loads(b"".join(body))["ok"] is True

    return ask


def bare_requests(url: str) -> Callable[[], None]:
    import requests

    def ask() -> None:
        answer = requests.get(url, timeout=10)
        assert answer.status_code == 200
        assert answer.json()["ok"] is True

    return ask


def write_checks(path: Path, url: str, count: int, every_s: float) -> None:
    lines = [f"global: {{every: {every_s}s, retries: 0}}", "checks:"]
    for number in range(count):
        lines += [f"  - name: check-{number:05}", "    type: http", f"    url: {url}{number}", "    expect_status: 200"]
        lines += ["    expect_jsonpath: [{path: $.ok, equals: true}, {path: $.latency_ms, lt: 100}]"]
    path.write_text("\n".join(lines) + "\n")


def run_checker(folder: Path, url: str, count: int, every_s: float, rounds: int) -> dict[str, float]:
    """Run the headless checker for `rounds` intervals after its first and return its figures."""
    checks = folder / "checks.yaml"
    write_checks(checks, url, count, every_s)
    state = folder / "data" / "state.json"
    command = [sys.executable, "-m", "monitor", "--config", str(checks), "run"]
    started = time.monotonic()
    checker = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    process = psutil.Process(checker.pid)
    try:
        wait_until(state.exists, 60.0, "the checker")
        ready_s = time.monotonic() - started
        wait_until(lambda: verdicts(state) >= count, every_s + 30.0, f"the first round of {count} checks")
        all_checked_s = time.monotonic() - started
        first, cpu = verdicts(state), sum(process.cpu_times()[:2])
        time.sleep(every_s * rounds)
        done, spent = verdicts(state) - first, sum(process.cpu_times()[:2]) - cpu
        median_s, high_s, worst_s = json.loads(state.read_bytes())["checker"]["lateness_s"]
        rss_mb = process.memory_info().rss / 1e6
    finally:
        checker.terminate()
        checker.wait(20)
    gaps = sorted(result_gaps(folder / "data" / "results"))
    return {
        "ready_s": ready_s,
        "all_checked_s": all_checked_s,
        "verdicts": done,
        "cpu_ms": spent * 1000 / done,
        "late_p50_ms": median_s * 1000,
        "late_p99_ms": high_s * 1000,
        "late_max_ms": worst_s * 1000,
        "gap_p99_s": gaps[len(gaps) * 99 // 100],
        "rss_mb": rss_mb,
    }


def verdicts(state: Path) -> int:
    return int(json.loads(state.read_bytes())["checker"]["results"])


def result_gaps(results: Path) -> Iterator[float]:
    last: dict[str, datetime] = {}
    for path in sorted(results.glob("*.jsonl")):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            at = datetime.fromisoformat(row["at"])
            if row["name"] in last:
                yield (at - last[row["name"]]).total_seconds()
            last[row["name"]] = at


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--checks", type=int, default=1000)
    arguments.add_argument("--every", type=float, default=30.0)
    arguments.add_argument("--rounds", type=int, default=3)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory(prefix="greenwall-bench-") as name, nginx(Path(name)) as url:
        curl_ms, requests_ms = cpu_ms_each(bare_pycurl(url), 1000), cpu_ms_each(bare_requests(url), 300)
        paced_ms = paced_ms_each(bare_pycurl(url), asked.every / asked.checks)
        whole = run_checker(Path(name), url, asked.checks, asked.every, asked.rounds)
        curl_ms = min(curl_ms, cpu_ms_each(bare_pycurl(url), 1000))
    print(f"{asked.checks} http checks every {asked.every:g} s, {int(whole['verdicts'])} verdicts measured\n")
    print("| | CPU-ms per check | beside bare pycurl |\n|---|---|---|")
    costs = {
        "bare pycurl loop": curl_ms,
        "bare pycurl loop, at the checker's pace": paced_ms,
        "bare requests loop": requests_ms,
        "Greenwall": whole["cpu_ms"],
    }
    for label, cost in costs.items():
        print(f"| {label} | {cost:.3f} | {cost / curl_ms:.1f}x |")
    print(
        f"\nlateness of a probe's start: p50 {whole['late_p50_ms']:.1f} ms, p99 {whole['late_p99_ms']:.1f} ms, "
        f"worst of the last minute {whole['late_max_ms']:.1f} ms"
    )
    print(f"gap between two verdicts of a check: p99 {whole['gap_p99_s']:.3f} s")
    print(
        f"memory {whole['rss_mb']:.0f} MB; first state after {whole['ready_s']:.1f} s; "
        f"all {asked.checks} checked {whole['all_checked_s']:.1f} s after the start"
    )
    print(f"all within one interval of the start: {'yes' if whole['all_checked_s'] <= asked.every else 'NO'}")


if __name__ == "__main__":
    main()
