"""Hold what was measured of this machine to its limits."""

from __future__ import annotations

import errno
import os
from functools import partial

import psutil

from monitor.config import HostCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.bounded import Hanging, within
from monitor.probes.deadline import Deadline
from monitor.probes.host.processes import SHOWN, matching, top_by
from monitor.probes.host.usage import METRICS, NotMounted
from monitor.probes.setting import Setting
from monitor.probes.verdict import above, failed, unconfigured, verdict
from monitor.units import format_duration, plain

_MIB = 1024**2
# What a file system says that is broken itself; anything else is a wrong path, or trouble of ours.
_BROKEN = {errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENXIO}


def probe_host(check: HostCheck, _setting: Setting) -> Outcome:
    """Return the verdict on what was measured, by the deadline."""
    deadline = Deadline(check.timeout)
    judge = {"load": _judge_load, "process": _judge_process}.get(check.metric, _judge_percent)
    try:
        return judge(check, deadline)
    except Hanging as hanging:
        return failed(Kind.TIMEOUT, _silence(check, hanging))
    except NotMounted:
        path, got = plain(check.path, 120), "a folder of the file system above it"
        finding = Finding(path, "a mount point", got)
        observed: dict[str, Json] = {"path": check.path, "mounted": False}
        return failed(Kind.CONTENT, f"nothing is mounted at {path}: it is {got}", findings=[finding], observed=observed)
    except OSError as error:
        if check.metric not in ("disk", "inode"):
            raise
        return _no_figures(check, error)


def _no_figures(check: HostCheck, error: OSError) -> Outcome:
    path, observed = plain(check.path, 120), dict[str, Json](path=check.path)
    if error.errno in _BROKEN:
        return failed(Kind.RESOURCE, f"the file system of {path} does not work: {error.strerror}", observed=observed)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        # A mount point inside of what is no longer mounted goes with it.
        message = f"there is no {path}; is its file system mounted?"
        finding = Finding(path, "to be there", "missing")
        return failed(Kind.CONTENT, message, findings=[finding], observed=observed)
    if error.errno == errno.EACCES:
        return unconfigured(f"Greenwall may not look at {path} ({error.strerror})")
    raise error


def _silence(check: HostCheck, hanging: Hanging) -> str:
    is_path = check.metric in ("disk", "inode")
    what = f"the file system of {plain(check.path, 120)}" if is_path else f"the system, asked for {check.metric},"
    if hanging.since_s > check.timeout * 1.5:
        return f"{what} has not answered for {format_duration(hanging.since_s)}"
    return f"{what} did not answer within {format_duration(check.timeout)}"


def _resource(passed: tuple[Status, Finding], observed: dict[str, Json], top: list[Json]) -> Outcome:
    status, finding = passed
    return Outcome(status, Kind.RESOURCE, str(finding), findings=(finding,), observed=observed | {"top": top})


def _judge_percent(check: HostCheck, deadline: Deadline) -> Outcome:
    if check.metric == "inode" and not hasattr(os, "statvfs"):
        return unconfigured("this system has no inodes; use metric: disk")
    percent, observed = METRICS[check.metric](check)
    observed = {"percent": round(percent, 1), **observed}
    what, got = f"{check.metric} used", f"{percent:.1f} %"
    passed = above(percent, check.warn_percent, check.crit_percent, what, "{:g} %".format, got)
    if passed:
        return _resource(passed, observed, top_by(check.metric, deadline))
    return Outcome(Status.OK, None, f"{percent:.0f} % used", observed=observed)


def _judge_load(check: HostCheck, deadline: Deadline) -> Outcome:
    cores = psutil.cpu_count() or 1
    averages = dict(zip((1, 5, 15), psutil.getloadavg(), strict=True))
    load = averages[check.minutes] / cores
    observed: dict[str, Json] = {f"load{minutes}": round(average, 2) for minutes, average in averages.items()}
    observed |= {"cores": cores, "per_core": round(load, 2)}
    passed = above(load, check.warn, check.crit, f"load{check.minutes} per core", "{:.2f}".format)
    if passed:
        return _resource(passed, observed, top_by("cpu", deadline))
    return Outcome(Status.OK, None, f"load{check.minutes} is {load:.2f} per core", observed=observed)


def _judge_process(check: HostCheck, _deadline: Deadline) -> Outcome:
    found = within(("processes", check.name, check.target), partial(matching, check), check.timeout)
    found.sort(key=lambda process: process.rss_bytes, reverse=True)
    rss_mib = sum(process.rss_bytes for process in found) / _MIB
    observed: dict[str, Json] = {"count": len(found), "rss_mib": round(rss_mib, 1)}
    what = plain(check.process or check.command_line or "", 80)
    findings = []
    if len(found) < check.fewest:
        findings.append(Finding(f"number of processes {what!r}", f"at least {check.fewest}", str(len(found))))
    if check.max_count is not None and len(found) > check.max_count:
        findings.append(Finding(f"number of processes {what!r}", f"at most {check.max_count}", str(len(found))))
    top: list[Json] = [f"{plain(p.name, 40)} ({p.pid}): {p.rss_bytes / _MIB:.0f} MiB" for p in found[:SHOWN]]
    if findings:
        return verdict("", findings=findings, observed=observed | {"top": top})
    passed = above(
        rss_mib, check.warn_rss_mib, check.crit_rss_mib, f"memory of processes {what!r}", "{:.1f} MiB".format
    )
    if passed:
        return _resource(passed, observed, top)
    count = f"{len(found)} process{'' if len(found) == 1 else 'es'}"
    return verdict(f"{count}, {rss_mib:.0f} MiB" if found else count, observed=observed)
