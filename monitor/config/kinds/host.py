"""`type: host`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Number, Percent, Regex
from monitor.model import Category

Metric = Literal["cpu", "memory", "swap", "disk", "inode", "load", "process"]
# Which keys each metric has. `path` stands beside any of them and is looked at for disk and inode only.
_PERCENT = ("warn_percent", "crit_percent")
_FILE_SYSTEM = (*_PERCENT, "mounted")
_LIMITS: dict[str, tuple[str, ...]] = {
    "cpu": _PERCENT,
    "memory": _PERCENT,
    "swap": _PERCENT,
    "disk": _FILE_SYSTEM,
    "inode": _FILE_SYSTEM,
    "load": ("minutes", "warn", "crit"),
    "process": ("process", "command_line", "min_count", "max_count", "warn_rss_mib", "crit_rss_mib"),
}


class HostCheck(CheckBase):
    """Measure the machine that Greenwall runs on, and judge it by the limits that are named.

    `cpu` is the share of all cores that was busy since the last look, `memory` what is not available to new programs,
    `swap`, `disk` and `inode` what is used of them; where there is no swap, or a file system has no fixed number of
    inodes, that is 0 %. `load` is the load average of 1, 5 or 15 `minutes` per core: above 1 there is more to do than
    cores to do it. `process` counts processes by name, by command line, or by both, without Greenwall itself and
    zombies: fewer than `min_count` or more than `max_count` is FAIL/content; other limits that are passed are
    WARN/resource or FAIL/resource. What a check has seen in bad times names the processes that use most, without
    their arguments.

    A file system that does not answer by the deadline, a dead network mount, is FAIL/timeout; a `path` that is not
    there is FAIL/content. Where a file system is no longer mounted, what is measured is the one above it: with
    `mounted: true` that is FAIL/content, too.

    In a container with limits (cgroup v2) `memory` and `cpu` are shares of what the container may use, page cache that
    can be dropped not counted; `swap` and `load` stay those of the machine, and `process` sees the container's own
    processes. Whoever wants the machine's runs Greenwall outside, or with `--pid=host` and without limits.
    """

    example: ClassVar[str] = """\
- name: disk
  type: host
  metric: disk
  path: /
  crit_percent: 95
"""
    trouble: ClassVar[Category] = Category.SYSTEM
    reaches_out: ClassVar[bool] = False

    type: Literal["host"]
    metric: Metric = Field(
        description="what to measure: cpu, memory, swap, disk, inode (percent used), load (per core) or process (count)"
    )
    path: str = Field("/", description="disk, inode: any path on the file system")
    mounted: bool = Field(False, description="disk, inode: whether `path` must be a mount point")
    warn_percent: Percent | None = Field(None, description="above is WARN")
    crit_percent: Percent | None = Field(None, description="above is FAIL")
    minutes: Literal[1, 5, 15] = Field(5, description="load: average over this many minutes")
    warn: Number | None = Field(None, gt=0, description="load: more per core is WARN")
    crit: Number | None = Field(None, gt=0, description="load: more per core is FAIL")
    process: str | None = Field(None, min_length=1, description="process: name, exactly, such as nginx")
    command_line: Regex | None = Field(
        None, description="process: regular expression (RE2) that must match in program and arguments"
    )
    min_count: Count | None = Field(None, description="process: fewer is FAIL; 1 without it, or 0 with `max_count: 0`")
    max_count: Count | None = Field(None, description="process: more is FAIL")
    warn_rss_mib: Number | None = Field(None, gt=0, description="process: more MiB of memory, all together, is WARN")
    crit_rss_mib: Number | None = Field(None, gt=0, description="process: more MiB of memory, all together, is FAIL")

    @model_validator(mode="after")
    def _can_be_measured(self) -> HostCheck:
        fitting = _LIMITS[self.metric]
        for key in sorted({key for keys in _LIMITS.values() for key in keys}.difference(fitting)):
            if key in self.model_fields_set:
                raise ValueError(f"expected {', '.join(fitting)} beside metric: {self.metric}, got {key}")
        if self.metric == "process" and self.process is None and self.command_line is None:
            raise ValueError("expected `process` or `command_line` beside metric: process, got neither")
        if self.max_count is not None and self.max_count < self.fewest:
            raise ValueError(f"expected max_count to be at least min_count, {self.fewest}, got {self.max_count}")
        return self

    @property
    def missing_limits(self) -> tuple[str, ...]:
        """Keys of which it lacks one, for it would always be OK; () where it has a limit."""
        if self.metric == "process" or self.mounted:
            return ()
        limits = tuple(key for key in _LIMITS[self.metric] if key.startswith(("warn", "crit")))
        return () if any(getattr(self, key) is not None for key in limits) else limits

    @property
    def measured(self) -> tuple[str, ...]:
        """Facts that a rule may judge in place of its own limits."""
        if self.metric == "load":
            return ("per_core", "load", "load1", "load5", "load15")
        return () if self.metric == "process" else (f"{self.metric}_percent", "percent")

    @property
    def fewest(self) -> int:
        """The least number of processes: `max_count: 0` alone asks for none."""
        return int(self.max_count != 0) if self.min_count is None else self.min_count

    @property
    def target(self) -> str:
        if self.metric in ("disk", "inode"):
            return self.path
        return (self.process or self.command_line or self.metric) if self.metric == "process" else self.metric
