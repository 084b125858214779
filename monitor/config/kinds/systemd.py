"""`type: systemd`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Many
from monitor.config.machine import Unit
from monitor.model import Category

UnitState = Literal[
    "active", "reloading", "inactive", "failed", "activating", "deactivating", "maintenance", "refreshing", "not-found"
]


class SystemdCheck(CheckBase):
    """Ask systemd whether a unit of this machine is as it should be.

    A unit that is reloading is active, too. A timer is `active`; a oneshot service without RemainAfterExit that is well
    is `state: [inactive, activating]`. A failed unit is FAIL/status with what it ended with, any other wrong state
    FAIL/status, and a unit that is not there FAIL/content unless `not-found` is among `state`. A unit whose file cannot
    be loaded any more is WARN/content. More automatic restarts than `max_restarts` since the last verdict are
    WARN/resource, once; `max_restarts: null` lets any number pass.

    `systemctl` is asked, which every user may; units of the user that Greenwall runs as have `user: true`. On a machine
    without systemd, and in a container, which has none, the check is UNKNOWN/unconfigured.
    """

    example: ClassVar[str] = """\
- name: nginx
  type: systemd
  unit: nginx.service
"""
    trouble: ClassVar[Category] = Category.SYSTEM
    reaches_out: ClassVar[bool] = False

    type: Literal["systemd"]
    unit: Unit = Field(description="name of the unit; `.service` may be left out")
    user: bool = Field(False, description="true: a unit of the user that Greenwall runs as")
    state: Many[UnitState] = Field(("active",), min_length=1, description="state or states that are OK")
    sub_state: Many[str] = Field(
        (), description="state or states of its kind that are OK: running, exited, listening, waiting, mounted, …"
    )
    max_restarts: Count | None = Field(
        0, description="more automatic restarts since the last verdict are WARN; null lets any number pass"
    )

    @property
    def target(self) -> str:
        return self.unit
