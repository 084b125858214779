"""`type: host`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Percent
from monitor.model import Category


class HostCheck(CheckBase):
    """Measure the machine that Greenwall runs on."""

    example: ClassVar[str] = """\
- name: disk
  type: host
  metric: disk
  path: /
  crit_percent: 95
"""
    trouble: ClassVar[Category] = Category.SYSTEM

    type: Literal["host"]
    metric: Literal["cpu", "memory", "disk"] = Field(description="what to measure, in percent used")
    path: str = Field("/", description="disk: any path on the file system")
    warn_percent: Percent | None = Field(None, description="above is WARN")
    crit_percent: Percent | None = Field(None, description="above is FAIL")

    @property
    def target(self) -> str:
        return self.path if self.metric == "disk" else self.metric
