"""The container's limits: cgroup v2. In a container its own group is the root; the machine's root has no limits."""

from __future__ import annotations

from pathlib import Path

import psutil

FOLDER = Path("/sys/fs/cgroup")


def _text(file: str) -> str:
    try:
        return (FOLDER / file).read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""


def number(file: str) -> int | None:
    text = _text(file).strip()
    return int(text) if text.isdecimal() else None


def field(file: str, name: str) -> int | None:
    for line in _text(file).splitlines():
        key, _, number = line.partition(" ")
        if key == name and number.isdecimal():
            return int(number)
    return None


def quota_cores() -> float | None:
    """Return how many cores the container may use, or None when nothing limits it."""
    quota, _, period = _text("cpu.max").strip().partition(" ")
    if not (quota.isdecimal() and period.isdecimal() and int(quota) and int(period)):
        return None
    cores = int(quota) / int(period)
    return cores if cores < (psutil.cpu_count() or 1) and field("cpu.stat", "usage_usec") is not None else None
