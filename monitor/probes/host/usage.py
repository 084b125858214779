"""How much is used of cpu, memory, swap, disk and inodes, in percent, with the figures behind it."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import psutil

from monitor.config import HostCheck
from monitor.model import Json
from monitor.probes.bounded import within
from monitor.probes.host import cgroup

_SHORTEST_SAMPLE_S = 0.5
_GIB = 1024**3


class _Look(NamedTuple):
    """Processor seconds that were busy, and that there were, by the monotonic clock; `cores` is what they are of."""

    at: float
    busy_s: float
    all_s: float
    cores: float | None


class CpuSample:
    """The cpu times at the last look, so that the percentage is that of the time between two checks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def percent(self, name: str, longest_s: float = _SHORTEST_SAMPLE_S) -> float:
        """Return percent busy since this check's last look; the first look samples half a second."""
        cores = cgroup.quota_cores()
        with self._lock:
            before = self._looks.get(name)
        if before is None or before.cores != cores or time.monotonic() - before.at < _SHORTEST_SAMPLE_S:
            before = _cpu_now(cores)
            time.sleep(min(_SHORTEST_SAMPLE_S, longest_s))
        after = _cpu_now(cores)
        with self._lock:
            self._looks[name] = after
        busy_s, all_s = after.busy_s - before.busy_s, after.all_s - before.all_s
        return min(100.0 * max(busy_s, 0.0) / all_s, 100.0) if all_s > 0 else 0.0


def _cpu_now(cores: float | None) -> _Look:
    now = time.monotonic()
    if cores is not None:
        return _Look(now, (cgroup.field("cpu.stat", "usage_usec") or 0) / 1e6, now * cores, cores)
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guest time is counted in user already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return _Look(now, total - idle, total, None)


_cpu = CpuSample()


def _cpu_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    percent = _cpu.percent(check.name, check.timeout / 2)
    cores = cgroup.quota_cores()
    return percent, {"cores": psutil.cpu_count() or 1} if cores is None else {"cores": round(cores, 2), "limited": True}


def _memory_percent(_check: HostCheck) -> tuple[float, dict[str, Json]]:
    memory = psutil.virtual_memory()
    limit, current = cgroup.number("memory.max"), cgroup.number("memory.current")
    if limit is None or current is None or not 0 < limit < memory.total:
        return memory.percent, {"available_gib": round(memory.available / _GIB, 2)}
    # Of the cache, what was read once can be dropped at any time.
    used = max(current - (cgroup.field("memory.stat", "inactive_file") or 0), 0)
    observed: dict[str, Json] = {"available_gib": round(max(limit - used, 0) / _GIB, 2), "limited": True}
    return 100.0 * used / limit, observed


def _swap_percent(_check: HostCheck) -> tuple[float, dict[str, Json]]:
    swap = psutil.swap_memory()
    return swap.percent, {"used_gib": round(swap.used / _GIB, 2), "total_gib": round(swap.total / _GIB, 2)}


class NotMounted(Exception):
    """The path is there, and the file system that should be mounted at it is not."""


class _FileSystem(NamedTuple):
    disk_percent: float
    free_bytes: int
    inode_percent: float
    free_inodes: int
    is_mount_point: bool


def _file_system(check: HostCheck) -> _FileSystem:
    seen = within(("file system", check.path), partial(_ask_file_system, check.path), check.timeout)
    if check.mounted and not seen.is_mount_point:
        raise NotMounted
    return seen


def _ask_file_system(path: str) -> _FileSystem:
    disk, is_mount_point = psutil.disk_usage(path), os.path.ismount(os.path.realpath(path))
    if not hasattr(os, "statvfs"):
        return _FileSystem(disk.percent, disk.free, 0.0, 0, is_mount_point)
    inodes = os.statvfs(path)
    used = inodes.f_files - inodes.f_ffree
    # What only root may take is not there for others: as df counts.
    usable = used + inodes.f_favail
    percent = 100.0 * used / usable if usable > 0 else 0.0
    return _FileSystem(disk.percent, disk.free, percent, inodes.f_favail, is_mount_point)


def _disk_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    seen = _file_system(check)
    return seen.disk_percent, {"free_gib": round(seen.free_bytes / _GIB, 2), "path": check.path}


def _inode_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    seen = _file_system(check)
    return seen.inode_percent, {"free_inodes": seen.free_inodes, "path": check.path}


METRICS: dict[str, Callable[[HostCheck], tuple[float, dict[str, Json]]]] = {
    "cpu": _cpu_percent,
    "memory": _memory_percent,
    "swap": _swap_percent,
    "disk": _disk_percent,
    "inode": _inode_percent,
}
