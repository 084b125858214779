"""The processes of this machine: those that a check names, and those that use most."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import psutil

from monitor.config import HostCheck
from monitor.config.pattern import compile_pattern
from monitor.model import Json
from monitor.probes.bounded import Hanging, within
from monitor.probes.deadline import Deadline
from monitor.units import plain

_TOP_SAMPLE_S = 0.2
_TOP_LONGEST_S = 5.0
SHOWN = 3
_LONGEST_COMMAND_LINE = 32 * 1024


class Process(NamedTuple):
    pid: int
    name: str
    rss_bytes: int


def matching(check: HostCheck) -> list[Process]:
    pattern = compile_pattern(check.command_line) if check.command_line is not None else None
    wanted = ["pid", "name", "status", "memory_info", *(["cmdline"] if pattern else [])]
    found = []
    for process in psutil.process_iter(wanted):
        seen = process.info
        if seen["pid"] == os.getpid() or seen["status"] == psutil.STATUS_ZOMBIE:
            continue
        if check.process is not None and seen["name"] != check.process:
            continue
        if pattern and not pattern.search(command_line(seen["cmdline"])):
            continue
        memory = seen["memory_info"]
        found.append(Process(seen["pid"], seen["name"] or "?", memory.rss if memory else 0))
    return found


def command_line(words: Sequence[str] | None) -> str:
    line = " ".join(words or ())[:_LONGEST_COMMAND_LINE]
    # Bytes that are no UTF-8 come as halves of surrogate pairs, which RE2 does not take.
    return line.encode(errors="surrogateescape").decode(errors="replace")


def top_by(metric: str, deadline: Deadline) -> list[Json]:
    """Return the three that use most of it; none when there is no time left to find out."""
    left_s = deadline.left_s
    if left_s < 2 * _TOP_SAMPLE_S:
        return []
    try:
        return within(("top", metric), partial(_top, metric), min(left_s, _TOP_LONGEST_S))
    except Hanging:
        return []


def _top(metric: str) -> list[Json]:
    # A file system has no such list.
    if metric in ("disk", "inode"):
        return []
    key = "memory_percent" if metric in ("memory", "swap") else "cpu_percent"
    if metric == "cpu":
        # psutil tells the share since its last look at a process: never for the first, or hours for the next failure.
        list(psutil.process_iter(["cpu_percent"]))
        time.sleep(_TOP_SAMPLE_S)
    found = [p.info for p in psutil.process_iter(["pid", "name", key])]
    found.sort(key=lambda info: info[key] or 0.0, reverse=True)
    return [f"{plain(info['name'] or '?', 40)} ({info['pid']}): {info[key] or 0:.0f} %" for info in found[:SHOWN]]
