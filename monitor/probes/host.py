"""The `host` kind: percent used of this machine's cpu, memory or disk, with who uses it as evidence."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

from monitor.config import HostCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.setting import Setting
from monitor.units import plain

_SHORTEST_SAMPLE_S = 0.5
_TOP_SAMPLE_S = 0.2
_GIB = 1024**3


class _CpuSample:
    """The cpu times at the last look, so that the percentage is that of the time between two checks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._times: dict[str, tuple[float, float, float]] = {}

    def percent(self, name: str) -> float:
        """Return percent busy since this check's last look; the first look samples half a second."""
        with self._lock:
            before = self._times.get(name)
        if before is None or time.monotonic() - before[0] < _SHORTEST_SAMPLE_S:
            before = _cpu_now()
            time.sleep(_SHORTEST_SAMPLE_S)
        after = _cpu_now()
        with self._lock:
            self._times[name] = after
        busy, total = after[1] - before[1], after[2] - before[2]
        return 100.0 * max(busy, 0.0) / total if total > 0 else 0.0


def _cpu_now() -> tuple[float, float, float]:
    """Return monotonic seconds, busy cpu seconds, all cpu seconds."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guest time is counted in user already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return time.monotonic(), total - idle, total


_cpu = _CpuSample()


def probe_host(check: HostCheck, _setting: Setting) -> Outcome:
    """Return percent used against `warn_percent` and `crit_percent`."""
    percent, observed = _METRICS[check.metric](check)
    observed = {"percent": round(percent, 1), **observed}
    for limit, status in ((check.crit_percent, Status.FAIL), (check.warn_percent, Status.WARN)):
        if limit is not None and percent > limit:
            finding = Finding(f"{check.metric} used", f"at most {limit:g} %", f"{percent:.1f} %")
            observed["top"] = _top(check.metric)
            return Outcome(status, Kind.RESOURCE, str(finding), findings=(finding,), observed=observed)
    return Outcome(Status.OK, None, f"{percent:.0f} % used", observed=observed)


def _cpu_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    return _cpu.percent(check.name), {"cores": psutil.cpu_count() or 1}


def _memory_percent(_check: HostCheck) -> tuple[float, dict[str, Json]]:
    memory = psutil.virtual_memory()
    return memory.percent, {"available_gib": round(memory.available / _GIB, 2)}


def _disk_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    disk = psutil.disk_usage(check.path)
    return disk.percent, {"free_gib": round(disk.free / _GIB, 2), "path": check.path}


_METRICS: dict[str, Callable[[HostCheck], tuple[float, dict[str, Json]]]] = {
    "cpu": _cpu_percent,
    "memory": _memory_percent,
    "disk": _disk_percent,
}


def _top(metric: str) -> list[Json]:
    """Return the three processes that use most of it, for the evidence; disk has no such list."""
    if metric == "disk":
        return []
    key = "memory_percent" if metric == "memory" else "cpu_percent"
    if metric == "cpu":
        # psutil tells the share since its last look at a process: never for the first, or hours for the next failure.
        list(psutil.process_iter(["cpu_percent"]))
        time.sleep(_TOP_SAMPLE_S)
    found = [p.info for p in psutil.process_iter(["pid", "name", key])]
    found.sort(key=lambda info: info[key] or 0.0, reverse=True)
    return [f"{plain(info['name'] or '?', 40)} ({info['pid']}): {info[key] or 0:.0f} %" for info in found[:3]]
