"""Probes: one plain function per kind of check, from its model to what it saw.

    check, setting ──▶ PROBES[check.type] ──▶ Outcome        every probe ends by check.timeout

A probe knows nothing of schedules, streaks or alerts, and takes and returns picklable values, so that any
`concurrent.futures` executor can run it. A new kind is one model in `config.kinds`, one function, one row here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from monitor.config import CheckBase
from monitor.model import Kind, Outcome, Status
from monitor.probes.redaction import redacted
from monitor.probes.setting import Setting
from monitor.units import plain

log = logging.getLogger(__name__)

Probe = Callable[[Any, Setting], Outcome]
# Where the function of each type stands. It is imported with the first check of its type: who watches no database
# pays for no database library.
PROBES: dict[str, str] = {
    "http": "monitor.probes.http:probe_http",
    "steps": "monitor.probes.steps:probe_steps",
    "service": "monitor.probes.service:probe_service",
    "tls": "monitor.probes.tls:probe_tls",
    "tcp": "monitor.probes.tcp:probe_tcp",
    "udp": "monitor.probes.udp:probe_udp",
    "dns": "monitor.probes.dns:probe_dns",
    "icmp": "monitor.probes.icmp:probe_icmp",
    "ssh": "monitor.probes.ssh:probe_ssh",
    "smtp": "monitor.probes.smtp:probe_smtp",
    "websocket": "monitor.probes.websocket:probe_websocket",
    "mqtt": "monitor.probes.mqtt:probe_mqtt",
    "grpc": "monitor.probes.grpc:probe_grpc",
    "database": "monitor.probes.database:probe_database",
    "redis": "monitor.probes.redis:probe_redis",
    "queue": "monitor.probes.queue:probe_queue",
    "host": "monitor.probes.host:probe_host",
    "systemd": "monitor.probes.systemd:probe_systemd",
    "docker": "monitor.probes.docker:probe_docker",
    "command": "monitor.probes.command:probe_command",
    "job": "monitor.probes.job:probe_job",
    "heartbeat": "monitor.probes.heartbeat:probe_heartbeat",
    "agents": "monitor.probes.agents:probe_agents",
    "group": "monitor.probes.group:probe_group",
}

__all__ = ["PROBES", "Setting", "broke", "probe_of", "redacted", "run_probe", "timed_probe"]


@cache
def _import(place: str) -> Probe:
    module, function = place.split(":")
    probe: Probe = getattr(import_module(module), function)
    return probe


def probe_of(kind: str) -> Probe:
    """Return the function that probes checks of this type; KeyError when there is none."""
    return _import(PROBES[kind])


def run_probe(check: CheckBase, setting: Setting) -> Outcome:
    """Return what the check's probe saw; a fault of ours is UNKNOWN/internal, never the target's FAIL."""
    try:
        return probe_of(check.type)(check, setting)
    except Exception as error:  # noqa: BLE001 - the edge: a bug or an exhausted machine must not look like an outage
        return broke(check, error)


def broke(check: CheckBase, error: Exception) -> Outcome:
    """Log the traceback of a probe that raised, and return the verdict: UNKNOWN/internal."""
    log.error("probe of %s broke", check.name, exc_info=error)
    what = plain(f"{type(error).__name__}: {error}")
    return Outcome(Status.UNKNOWN, Kind.INTERNAL, f"Greenwall could not run this check: {what}")


def timed_probe(check: CheckBase, setting: Setting) -> tuple[float, Outcome]:
    """Return when the probe began (monotonic seconds) and what it saw."""
    return time.monotonic(), run_probe(check, setting)
