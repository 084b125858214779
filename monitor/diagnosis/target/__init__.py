"""What a check looks at, as it may be shown: no user name, password, key, query value or argument of it. Pure.

    check ── LOOKS[check.type] ──▶ Look  + schedule ──▶ Target

A new kind of check is a function in the file whose story it belongs to, and a row here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

from monitor.config import CheckBase
from monitor.diagnosis.target import local, stores, web, wire
from monitor.diagnosis.target.look import Look, Request, harmless, look_at_url, shown_url

__all__ = ["LOOKS", "Look", "Request", "Target", "endpoint", "look_at_url", "shown_url", "target_of"]

LOOKS: dict[str, Callable[[Any], Look]] = {
    "http": web.http,
    "job": web.job,
    "websocket": web.websocket,
    "service": web.service,
    "agents": web.agents,
    "steps": web.steps,
    "dns": wire.dns,
    "tcp": wire.tcp,
    "udp": wire.udp,
    "icmp": wire.icmp,
    "tls": wire.tls,
    "smtp": wire.smtp,
    "ssh": wire.ssh,
    "grpc": wire.grpc,
    "mqtt": wire.mqtt,
    "database": stores.database,
    "redis": stores.redis,
    "queue": stores.queue,
    "host": local.host,
    "command": local.command,
    "docker": local.docker,
    "systemd": local.systemd,
    "heartbeat": local.heartbeat,
    "group": local.group,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Look):
    """A look, and the check that looks: its type, group, severity and schedule.

    `is_configured`: there is such a check; an endpoint that somebody asked by hand has none.
    """

    type: str
    group: str
    every_s: float
    timeout_s: float
    severity: str
    schedule: str = ""
    is_configured: bool = True


def endpoint(url: str, timeout_s: float = 10.0) -> Target | None:
    """Return the target of a URL that was asked by hand, or None when the text is none."""
    if not url.lower().startswith(("http://", "https://")):
        return None
    return _target(look_at_url(url, "asks GET"), "http", "", 0.0, timeout_s, "", is_configured=False)


def target_of(check: CheckBase) -> Target:
    """Return the target; of a type that this does not know, what its fields of the usual names tell."""
    look = LOOKS.get(check.type, _other)(check)
    severity = f"{check.severity.value} {check.severity.word}"
    target = _target(look, check.type, check.group, check.interval_s, check.timeout, severity)
    return replace(target, schedule=check.schedule)


def _target(
    look: Look, kind: str, group: str, every_s: float, timeout_s: float, severity: str, *, is_configured: bool = True
) -> Target:
    return Target(
        type=kind,
        group=group,
        every_s=every_s,
        timeout_s=timeout_s,
        severity=severity,
        is_configured=is_configured,
        **{field.name: getattr(look, field.name) for field in fields(look)},
    )


def _other(check: Any) -> Look:
    reaches_out: dict[str, Any] = {"reaches_out": check.reaches_out}
    url = getattr(check, "url", None)
    if isinstance(url, str) and "://" in url:
        return look_at_url(url, "looks at", **reaches_out)
    host, port = getattr(check, "host", None), getattr(check, "port", None)
    return Look(
        what=harmless(check.target),
        host=host if isinstance(host, str) else "",
        port=port if isinstance(port, int) else 0,
        **reaches_out,
    )
