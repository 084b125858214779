"""The `host` kind: what is used of this machine, or of the container's share of it, with who uses it as evidence.

    percent    cpu memory swap disk inode     against `warn_percent` and `crit_percent`
    load       per core                       against `warn` and `crit`
    process    number and memory              against `min_count`, `max_count`, `warn_rss_mib`, `crit_rss_mib`

What can hang in the kernel, a dead network mount above all, is asked in a helper thread that may be left behind.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

from monitor.config import HostCheck
from monitor.config.pattern import compile_pattern
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.bounded import Hanging, within
from monitor.probes.setting import Setting
from monitor.probes.verdict import failed, unconfigured, verdict
from monitor.units import format_duration, plain

_SHORTEST_SAMPLE_S = 0.5
_TOP_SAMPLE_S = 0.2
_TOP_LONGEST_S = 5.0
_SHOWN = 3
_GIB = 1024**3
_MIB = 1024**2
_LONGEST_COMMAND_LINE = 32 * 1024
_CGROUP = Path("/sys/fs/cgroup")
# What a file system says that is broken itself; anything else is a wrong path, or trouble of ours.
_BROKEN = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENXIO}


def probe_host(check: HostCheck, _setting: Setting) -> Outcome:
    """Return the verdict on what was measured, by the deadline."""
    give_up_at = time.monotonic() + check.timeout
    judge = {"load": _judge_load, "process": _judge_process}.get(check.metric, _judge_percent)
    try:
        return judge(check, give_up_at)
    except Hanging as hanging:
        return failed(Kind.TIMEOUT, _silence(check, hanging))
    except OSError as error:
        if error.errno not in _BROKEN or check.metric not in ("disk", "inode"):
            raise
        what = f"the file system of {plain(check.path, 120)} does not work: {error.strerror}"
        return failed(Kind.RESOURCE, what, observed={"path": check.path})


def _silence(check: HostCheck, hanging: Hanging) -> str:
    is_path = check.metric in ("disk", "inode")
    what = f"the file system of {plain(check.path, 120)}" if is_path else f"the system, asked for {check.metric},"
    if hanging.since_s > check.timeout * 1.5:
        return f"{what} has not answered for {format_duration(hanging.since_s)}"
    return f"{what} did not answer within {format_duration(check.timeout)}"


def _passed(
    value: float, limits: Sequence[tuple[float | None, Status]], what: str, show: Callable[[float], str]
) -> tuple[Status, Finding] | None:
    for limit, status in limits:
        if limit is not None and value > limit:
            return status, Finding(what, f"at most {show(limit)}", show(value))
    return None


# ---- percent


def _judge_percent(check: HostCheck, give_up_at: float) -> Outcome:
    if check.metric == "inode" and not hasattr(os, "statvfs"):
        return unconfigured("this system has no inodes; use metric: disk")
    percent, observed = _METRICS[check.metric](check)
    observed = {"percent": round(percent, 1), **observed}
    for limit, status in ((check.crit_percent, Status.FAIL), (check.warn_percent, Status.WARN)):
        if limit is not None and percent > limit:
            finding = Finding(f"{check.metric} used", f"at most {limit:g} %", f"{percent:.1f} %")
            observed["top"] = _top_by(check.metric, give_up_at)
            return Outcome(status, Kind.RESOURCE, str(finding), findings=(finding,), observed=observed)
    return Outcome(Status.OK, None, f"{percent:.0f} % used", observed=observed)


class _Look(NamedTuple):
    """Processor seconds that were busy, and that there were, by the monotonic clock; `cores` is what they are of."""

    at: float
    busy_s: float
    all_s: float
    cores: float | None


class _CpuSample:
    """The cpu times at the last look, so that the percentage is that of the time between two checks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looks: dict[str, _Look] = {}

    def percent(self, name: str, longest_s: float = _SHORTEST_SAMPLE_S) -> float:
        """Return percent busy since this check's last look; the first look samples half a second."""
        cores = _quota_cores()
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
        return _Look(now, (_cgroup_field("cpu.stat", "usage_usec") or 0) / 1e6, now * cores, cores)
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0)
    # Guest time is counted in user already.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return _Look(now, total - idle, total, None)


_cpu = _CpuSample()


def _cpu_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    percent = _cpu.percent(check.name, check.timeout / 2)
    cores = _quota_cores()
    return percent, {"cores": psutil.cpu_count() or 1} if cores is None else {"cores": round(cores, 2), "limited": True}


def _memory_percent(_check: HostCheck) -> tuple[float, dict[str, Json]]:
    memory = psutil.virtual_memory()
    limit, current = _cgroup_number("memory.max"), _cgroup_number("memory.current")
    if limit is None or current is None or not 0 < limit < memory.total:
        return memory.percent, {"available_gib": round(memory.available / _GIB, 2)}
    # Of the cache, what was read once can be dropped at any time.
    used = max(current - (_cgroup_field("memory.stat", "inactive_file") or 0), 0)
    observed: dict[str, Json] = {"available_gib": round(max(limit - used, 0) / _GIB, 2), "limited": True}
    return 100.0 * used / limit, observed


def _swap_percent(_check: HostCheck) -> tuple[float, dict[str, Json]]:
    swap = psutil.swap_memory()
    return swap.percent, {"used_gib": round(swap.used / _GIB, 2), "total_gib": round(swap.total / _GIB, 2)}


class _FileSystem(NamedTuple):
    disk_percent: float
    free_bytes: int
    inode_percent: float
    free_inodes: int


def _file_system(check: HostCheck) -> _FileSystem:
    return within(("file system", check.path), partial(_ask_file_system, check.path), check.timeout)


def _ask_file_system(path: str) -> _FileSystem:
    disk = psutil.disk_usage(path)
    if not hasattr(os, "statvfs"):
        return _FileSystem(disk.percent, disk.free, 0.0, 0)
    inodes = os.statvfs(path)
    used = inodes.f_files - inodes.f_ffree
    # What only root may take is not there for others: as df counts.
    usable = used + inodes.f_favail
    return _FileSystem(disk.percent, disk.free, 100.0 * used / usable if usable > 0 else 0.0, inodes.f_favail)


def _disk_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    seen = _file_system(check)
    return seen.disk_percent, {"free_gib": round(seen.free_bytes / _GIB, 2), "path": check.path}


def _inode_percent(check: HostCheck) -> tuple[float, dict[str, Json]]:
    seen = _file_system(check)
    return seen.inode_percent, {"free_inodes": seen.free_inodes, "path": check.path}


_METRICS: dict[str, Callable[[HostCheck], tuple[float, dict[str, Json]]]] = {
    "cpu": _cpu_percent,
    "memory": _memory_percent,
    "swap": _swap_percent,
    "disk": _disk_percent,
    "inode": _inode_percent,
}


# ---- the container's limits: cgroup v2. In a container its own group is the root; the machine's root has no limits.


def _cgroup_text(file: str) -> str:
    try:
        return (_CGROUP / file).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def _cgroup_number(file: str) -> int | None:
    text = _cgroup_text(file).strip()
    return int(text) if text.isdecimal() else None


def _cgroup_field(file: str, name: str) -> int | None:
    for line in _cgroup_text(file).splitlines():
        key, _, number = line.partition(" ")
        if key == name and number.isdecimal():
            return int(number)
    return None


def _quota_cores() -> float | None:
    """Return how many cores the container may use, or None when nothing limits it."""
    quota, _, period = _cgroup_text("cpu.max").strip().partition(" ")
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    cores = int(quota) / int(period)
    return cores if cores < (psutil.cpu_count() or 1) and _cgroup_field("cpu.stat", "usage_usec") is not None else None


# ---- load


def _judge_load(check: HostCheck, give_up_at: float) -> Outcome:
    cores = psutil.cpu_count() or 1
    averages = dict(zip((1, 5, 15), psutil.getloadavg(), strict=True))
    load = averages[check.minutes] / cores
    observed: dict[str, Json] = {f"load{minutes}": round(average, 2) for minutes, average in averages.items()}
    observed |= {"cores": cores, "per_core": round(load, 2)}
    limits = ((check.crit, Status.FAIL), (check.warn, Status.WARN))
    passed = _passed(load, limits, f"load{check.minutes} per core", "{:.2f}".format)
    if passed:
        status, finding = passed
        observed["top"] = _top_by("cpu", give_up_at)
        return Outcome(status, Kind.RESOURCE, str(finding), findings=(finding,), observed=observed)
    return Outcome(Status.OK, None, f"load{check.minutes} is {load:.2f} per core", observed=observed)


# ---- processes


class _Process(NamedTuple):
    pid: int
    name: str
    rss_bytes: int


def _judge_process(check: HostCheck, _give_up_at: float) -> Outcome:
    found = within(("processes", check.name, check.target), partial(_matching, check), check.timeout)
    found.sort(key=lambda process: process.rss_bytes, reverse=True)
    rss_mib = sum(process.rss_bytes for process in found) / _MIB
    observed: dict[str, Json] = {"count": len(found), "rss_mib": round(rss_mib, 1)}
    what = plain(check.process or check.command_line or "", 80)
    findings = []
    if len(found) < check.fewest:
        findings.append(Finding(f"number of processes {what!r}", f"at least {check.fewest}", str(len(found))))
    if check.max_count is not None and len(found) > check.max_count:
        findings.append(Finding(f"number of processes {what!r}", f"at most {check.max_count}", str(len(found))))
    limits = ((check.crit_rss_mib, Status.FAIL), (check.warn_rss_mib, Status.WARN))
    passed = _passed(rss_mib, limits, f"memory of processes {what!r}", "{:.1f} MiB".format)
    if findings or passed:
        observed["top"] = [f"{plain(p.name, 40)} ({p.pid}): {p.rss_bytes / _MIB:.0f} MiB" for p in found[:_SHOWN]]
    if passed and not findings:
        status, finding = passed
        return Outcome(status, Kind.RESOURCE, str(finding), findings=(finding,), observed=observed)
    count = f"{len(found)} process{'' if len(found) == 1 else 'es'}"
    return verdict(f"{count}, {rss_mib:.0f} MiB" if found else count, findings=findings, observed=observed)


def _matching(check: HostCheck) -> list[_Process]:
    pattern = compile_pattern(check.command_line) if check.command_line is not None else None
    wanted = ["pid", "name", "status", "memory_info", *(["cmdline"] if pattern else [])]
    found = []
    for process in psutil.process_iter(wanted):
        seen = process.info
        if seen["pid"] == os.getpid() or seen["status"] == psutil.STATUS_ZOMBIE:
            continue
        if check.process is not None and seen["name"] != check.process:
            continue
        if pattern and not pattern.search(_command_line(seen["cmdline"])):
            continue
        memory = seen["memory_info"]
        found.append(_Process(seen["pid"], seen["name"] or "?", memory.rss if memory else 0))
    return found


def _command_line(words: Sequence[str] | None) -> str:
    line = " ".join(words or ())[:_LONGEST_COMMAND_LINE]
    # Bytes that are no UTF-8 come as halves of surrogate pairs, which RE2 does not take.
    return line.encode(errors="surrogateescape").decode(errors="replace")


# ---- who uses it


def _top_by(metric: str, give_up_at: float) -> list[Json]:
    left_s = give_up_at - time.monotonic()
    if left_s < 2 * _TOP_SAMPLE_S:
        return []
    try:
        return within(("top", metric), partial(_top, metric), min(left_s, _TOP_LONGEST_S))
    except Hanging:
        return []


def _top(metric: str) -> list[Json]:
    """Return the three processes that use most of it, for the evidence; a file system has no such list."""
    if metric in ("disk", "inode"):
        return []
    key = "memory_percent" if metric in ("memory", "swap") else "cpu_percent"
    if metric == "cpu":
        # psutil tells the share since its last look at a process: never for the first, or hours for the next failure.
        list(psutil.process_iter(["cpu_percent"]))
        time.sleep(_TOP_SAMPLE_S)
    found = [p.info for p in psutil.process_iter(["pid", "name", key])]
    found.sort(key=lambda info: info[key] or 0.0, reverse=True)
    return [f"{plain(info['name'] or '?', 40)} ({info['pid']}): {info[key] or 0:.0f} %" for info in found[:_SHOWN]]
