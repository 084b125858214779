"""Prints every figure: `python -m benchmarks [cost] [https] [scale] [hanging] [reading] [telling] [storm]
[uptime]`, all of them without a word.

CPU time is that of the measured processes alone, without nginx. Compare ratios: milliseconds depend on the machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import alerts, history, prometheus
from benchmarks.bare import cpu_ms_each, pycurl_loop, requests_loop
from benchmarks.greenwall import ROOT, Figures, Load, measure, write_checks
from benchmarks.servers import Web, nginx, silent_server

Rows = dict[str, float]


def table(title: str, costs: Rows, unit: str) -> None:
    print(f"\n## {title}\n\n| | CPU-ms per check | beside {unit} |\n|---|---|---|")
    for label, cost in costs.items():
        print(f"| {label} | {cost:.3f} | {cost / costs[unit]:.1f}x |")
    print(flush=True)


def tell(label: str, seen: Figures) -> None:
    print(f"{label}: {seen.verdicts} verdicts, {seen.cpu_ms:.3f} CPU-ms each, {seen.core:.3f} of a core;")
    print(f"  lateness p50 {seen.late_p50_ms:.1f} ms, p99 {seen.late_p99_ms:.1f} ms; gap p99 {seen.gap_p99_s:.3f} s;")
    print(
        f"  {seen.rss_mb:.0f} MB; first state after {seen.ready_s:.1f} s, all checked after {seen.all_checked_s:.1f} s"
    )
    sys.stdout.flush()


def cost(web: Web, folder: Path) -> None:
    """5,000 http checks every 30 s, beside loops and beside the Go pair."""
    loop = cpu_ms_each(pycurl_loop(web.http), 2000)
    seen = measure(folder / "cost", Load(web.http, 5000), 3)
    pair_ms, pair_mb = prometheus.cpu_ms_each(web.http, 5000, 30.0, 2)
    loop = min(loop, cpu_ms_each(pycurl_loop(web.http), 2000))
    requests = cpu_ms_each(requests_loop(web.http), 300)
    rows = {"bare pycurl loop": loop, "bare requests loop": requests, "Greenwall": seen.cpu_ms}
    table("5,000 http checks every 30 s", rows | {"prometheus + blackbox_exporter": pair_ms}, "bare pycurl loop")
    tell("Greenwall, headless", seen)
    print(f"prometheus + blackbox_exporter: {pair_mb:.0f} MB")


def https(web: Web, folder: Path) -> None:
    """1,000 https checks every 10 s, verified, full handshake."""
    loop = cpu_ms_each(pycurl_loop(web.https, web.ca_file), 300)
    seen = measure(folder / "https", Load(web.https, 1000, 10.0, web.ca_file), 4)
    loop = min(loop, cpu_ms_each(pycurl_loop(web.https, web.ca_file), 300))
    requests = cpu_ms_each(requests_loop(web.https, web.ca_file), 50)
    rows = {"bare pycurl loop": loop, "bare requests loop": requests, "Greenwall": seen.cpu_ms}
    table("https, verified, a full handshake each", rows, "bare pycurl loop")


def scale(web: Web, folder: Path) -> None:
    """5,000 every 30 s with the app open in a browser, and 20,000 headless."""
    print("\n## Many checks\n")
    tell(
        "5,000 every 30 s, the app with its board open in a browser",
        measure(folder / "app", Load(web.http, 5000), 3, True),
    )
    tell("20,000 every 30 s, headless", measure(folder / "many", Load(web.http, 20_000), 3))


def hanging(web: Web, folder: Path) -> None:
    """200 of 5,000 hang until their deadline."""
    print("\n## 200 of 5,000 hang until their deadline of 5 s\n")
    with silent_server() as silent_url:
        load = Load(web.http, 5000, silent_url=silent_url, hanging=200)
        tell("the other 4,800", measure(folder / "hanging", load, 2))


def reading(web: Web, folder: Path) -> None:
    """Importing the package, and validating a file of 5,000 checks."""
    (folder / "reading").mkdir()
    write_checks(folder / "reading" / "checks.yaml", Load(web.http, 5000))
    validate = ["-m", "monitor", "--config", str(folder / "reading" / "checks.yaml"), "validate"]
    print("\n## Reading\n\n| | CPU-s |\n|---|---|")
    for label, arguments in {
        "import monitor.checker": ["-c", "import monitor.checker"],
        "validate 5,000 checks": validate,
    }.items():
        print(f"| {label} | {_cpu_s_of(arguments, folder / 'bytecode'):.2f} |", flush=True)


def _cpu_s_of(arguments: list[str], bytecode: Path) -> float:
    """Return the least of some runs, compiled as everything is from the second start on."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(bytecode)
    script = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, *sys.argv[1:]], check=True, stdout=subprocess.DEVNULL)\n"
        "print(sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]))"
    )
    command = [sys.executable, "-c", script, *arguments]
    runs = [subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=True) for _ in range(6)]
    return min(float(run.stdout) for run in runs)


def telling(web: Web, folder: Path) -> None:
    """From a failing answer to the webhook, alone and while 5,000 other checks run."""
    print("\n## From a failing answer to the webhook\n\n| | median | p99 |\n|---|---|---|")
    for label, others in {"alone": 0, "while 5,000 others run every 30 s": 5000}.items():
        took_ms = alerts.telling_ms(folder / f"telling-{others}", others, web.http)
        median, high = took_ms[len(took_ms) // 2], took_ms[len(took_ms) * 99 // 100]
        print(f"| {label} | {median:.0f} ms | {high:.0f} ms |", flush=True)


def storm(_web: Web, folder: Path) -> None:
    """1,000 checks fail within 10 s; two channels are told of all."""
    seen = alerts.storm(folder / "storm")
    print("\n## 1,000 checks fail within 10 s\n\n| | first message | all are told | messages |\n|---|---|---|---|")
    for name, count in seen.messages.items():
        print(f"| {name} | {seen.first_s[name] * 1000:.0f} ms | {seen.all_s[name]:.1f} s | {count} |")
    print(f"\nlateness p99 {seen.late_before_s * 1000:.1f} ms before it, {seen.late_s * 1000:.1f} ms after", flush=True)


def uptime(_web: Web, folder: Path) -> None:
    """What the Uptime page asks, of 500 checks every 30 s."""
    print("\n## Uptime and latencies of 500 checks every 30 s\n\n| | | s | CPU-s | MB |\n|---|---|---|---|---|")
    for span, label, (took_s, cpu_s, memory_mb) in history.figures(folder / "history"):
        print(f"| {span} | {label} | {took_s:.1f} | {cpu_s:.1f} | {memory_mb:.0f} |", flush=True)


ORDER = (cost, https, scale, hanging, reading, telling, storm, uptime)
PARTS: dict[str, Callable[[Web, Path], None]] = {part.__name__: part for part in ORDER}


def main() -> None:
    unknown = [name for name in sys.argv[1:] if name not in PARTS]
    if unknown:
        sys.exit(f"unknown part {unknown[0]!r}; known: {', '.join(PARTS)}")
    with tempfile.TemporaryDirectory(prefix="greenwall-bench-") as name, nginx(Path(name)) as web:
        for part in sys.argv[1:] or PARTS:
            PARTS[part](web, Path(name))


if __name__ == "__main__":
    main()
