"""The same work by Debian's prometheus with prometheus-blackbox-exporter: ask, compare the body, keep the result."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.servers import free_port, program, running

_MODULE = """
modules:
  answer:
    prober: http
    timeout: 10s
    http:
      valid_status_codes: [200]
      preferred_ip_protocol: ip4
      fail_if_body_not_matches_regexp: ['"ok": true']
"""


def cpu_ms_each(url: str, count: int, every_s: float, rounds: int) -> tuple[float, float]:
    """Return CPU-ms of one check, and the memory in MB, of both processes together."""
    with tempfile.TemporaryDirectory(prefix="greenwall-bench-") as name:
        folder, exporter_port, port = Path(name), free_port(), free_port()
        (folder / "blackbox.yml").write_text(_MODULE)
        (folder / "targets.json").write_text(json.dumps([{"targets": [f"{url}{n}" for n in range(count)]}]))
        (folder / "prometheus.yml").write_text(_scrape(folder, exporter_port, every_s))
        exporter_command = [
            program("prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
            f"--config.file={folder}/blackbox.yml",
            f"--web.listen-address=127.0.0.1:{exporter_port}",
        ]
        command = [
            program("prometheus", "prometheus"),
            f"--config.file={folder}/prometheus.yml",
            f"--storage.tsdb.path={folder}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(exporter_command, exporter_port) as exporter, running(command, port) as server:
            pair = [psutil.Process(exporter.pid), psutil.Process(server.pid)]
            # Targets are found and spread over the first interval.
            time.sleep(every_s + 10)
            before = _cpu_s(pair)
            time.sleep(every_s * rounds)
            spent, rss = _cpu_s(pair) - before, sum(one.memory_info().rss for one in pair)
    return spent * 1000 / (count * rounds), rss / 1e6


def _cpu_s(processes: list[psutil.Process]) -> float:
    return float(sum(sum(process.cpu_times()[:2]) for process in processes))


def _scrape(folder: Path, exporter_port: int, every_s: float) -> str:
    return f"""
global: {{scrape_interval: {every_s:g}s, scrape_timeout: {min(every_s, 10):g}s}}
scrape_configs:
  - job_name: blackbox
    metrics_path: /probe
    params: {{module: [answer]}}
    file_sd_configs: [{{files: ["{folder}/targets.json"]}}]
    relabel_configs:
      - {{source_labels: [__address__], target_label: __param_target}}
      - {{source_labels: [__param_target], target_label: instance}}
      - {{target_label: __address__, replacement: "127.0.0.1:{exporter_port}"}}
"""
