"""`type: docker`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Duration, Many
from monitor.config.kinds.command import ExitCodes
from monitor.config.machine import Container, UnixSocket
from monitor.model import Category

ContainerState = Literal["created", "running", "paused", "restarting", "removing", "exited", "dead"]


class DockerCheck(CheckBase):
    """Ask Docker or Podman whether a container of this machine runs and is healthy.

    A container that is not in `state` is FAIL/status with its exit code, an unhealthy one FAIL/status, one that is not
    there FAIL/content. While its health check is still starting it is OK for `grace`, then WARN/status. One without a
    health check is judged by its state alone unless `require_health: true`. For a container that has done its work,
    `state: exited`; its exit code must then be in `expect_exit`. More automatic restarts than `max_restarts` since the
    last verdict are WARN/resource, once, and so is, for as long as it runs, that something in it was killed for want of
    memory.

    Greenwall must be allowed to use the socket: whoever is, through the group `docker`, is as good as root on the
    machine. A proxy of the socket that lets only `GET /containers/` pass gives less away. For Podman, `systemctl
    enable --now podman.socket` and `socket: /run/podman/podman.sock`. In a container Greenwall needs the socket
    mounted. Without it, or without the permission, the check is UNKNOWN/unconfigured.
    """

    example: ClassVar[str] = """\
- name: shop's container
  type: docker
  container: shop
"""
    trouble: ClassVar[Category] = Category.SYSTEM
    reaches_out: ClassVar[bool] = False

    type: Literal["docker"]
    container: Container = Field(description="name or id of the container")
    socket: UnixSocket = Field("/var/run/docker.sock", description="path of the Unix socket of Docker or Podman")
    state: Many[ContainerState] = Field(("running",), min_length=1, description="state or states that are OK")
    expect_exit: ExitCodes = Field((0,), min_length=1, description="state exited: exit code or codes that are OK")
    require_health: bool = Field(False, description="true: a container without a health check is FAIL")
    grace: Duration = Field(300.0, description="how long its health check may be starting before that is WARN")
    max_restarts: Count | None = Field(
        0, description="more automatic restarts since the last verdict are WARN; null lets any number pass"
    )

    @property
    def target(self) -> str:
        return self.container
