"""What a failure usually means and what to do about it, by kind of failure and by kind of check.

    OF_TYPE[check's type][Kind] ──▶ function(Case) ──▶ Advice        where a type has more to say than
    ADVICE[Kind]                ──▶ function(Case) ──▶ Advice        holds for all

To teach a new kind, write a function in the file whose story it belongs to and add a row. Pure; called by `rules`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.diagnosis.advice import (
    container,
    database,
    heartbeat,
    machine,
    mail,
    names,
    programs,
    queue,
    redis,
    several,
    talk,
)
from monitor.diagnosis.advice.answer import content, slow
from monitor.diagnosis.advice.certificate import tls
from monitor.diagnosis.advice.job import deadline, job_failed
from monitor.diagnosis.advice.machine import internal, resource, unconfigured, vantage
from monitor.diagnosis.advice.reach import connect, dns, protocol, timeout
from monitor.diagnosis.advice.refusal import auth, status
from monitor.diagnosis.byhand import as_sent, as_step, failing_step
from monitor.diagnosis.case import Advice, Case
from monitor.model import Kind

# Where only the request itself, sent once more, shows what is wrong with its answer.
_ANSWERED = frozenset({Kind.STATUS, Kind.CONTENT, Kind.SLOW})
Writer = Callable[[Case], Advice]
ADVICE: dict[Kind, Writer] = {
    Kind.DNS: dns,
    Kind.CONNECT: connect,
    Kind.TLS: tls,
    Kind.TIMEOUT: timeout,
    Kind.PROTOCOL: protocol,
    Kind.STATUS: status,
    Kind.CONTENT: content,
    Kind.SLOW: slow,
    Kind.DEADLINE: deadline,
    Kind.RESOURCE: resource,
    Kind.AUTH: auth,
    Kind.UNCONFIGURED: unconfigured,
    Kind.VANTAGE: vantage,
    Kind.INTERNAL: internal,
}
OF_TYPE: dict[str, Mapping[Kind, Writer]] = {
    "job": {Kind.CONTENT: job_failed},
    "dns": {Kind.DNS: names.rcode, Kind.CONTENT: names.answers, Kind.TIMEOUT: names.silence},
    "smtp": {Kind.STATUS: mail.refuses, Kind.AUTH: mail.login, Kind.TIMEOUT: mail.silent},
    "ssh": {Kind.PROTOCOL: talk.no_ssh},
    "mqtt": {Kind.AUTH: talk.broker_login, Kind.STATUS: talk.broker_refuses, Kind.TIMEOUT: talk.no_message},
    "grpc": {
        Kind.STATUS: talk.not_serving,
        Kind.PROTOCOL: talk.no_health_service,
        Kind.UNCONFIGURED: talk.too_few_packages,
    },
    "websocket": {
        Kind.STATUS: talk.no_upgrade,
        Kind.PROTOCOL: talk.no_upgrade,
        Kind.CONTENT: talk.no_websocket_message,
    },
    "udp": {Kind.TIMEOUT: talk.no_datagram},
    "icmp": {Kind.TIMEOUT: talk.no_echo, Kind.CONNECT: talk.no_echo, Kind.UNCONFIGURED: talk.no_pings},
    "database": {
        Kind.CONNECT: database.connect,
        Kind.AUTH: database.auth,
        Kind.RESOURCE: database.resource,
        Kind.TIMEOUT: database.timeout,
        Kind.STATUS: database.status,
        Kind.CONTENT: database.content,
        Kind.PROTOCOL: database.protocol,
        Kind.SLOW: database.slow,
    },
    "redis": {
        Kind.AUTH: redis.auth,
        Kind.RESOURCE: redis.resource,
        Kind.STATUS: redis.status,
        Kind.CONTENT: redis.content,
        Kind.SLOW: redis.slow,
    },
    "queue": {
        Kind.RESOURCE: queue.resource,
        Kind.STATUS: queue.status,
        Kind.CONTENT: queue.content,
        Kind.AUTH: queue.auth,
    },
    "heartbeat": {
        Kind.DEADLINE: heartbeat.missed,
        Kind.STATUS: heartbeat.reported,
        Kind.CONTENT: heartbeat.wrong_body,
        Kind.UNCONFIGURED: heartbeat.never,
    },
    "docker": {
        Kind.STATUS: container.container_status,
        Kind.CONTENT: container.container_missing,
        Kind.RESOURCE: container.container_resource,
        Kind.CONNECT: container.no_daemon,
        Kind.TIMEOUT: container.daemon_silent,
        Kind.PROTOCOL: container.daemon_silent,
        Kind.UNCONFIGURED: container.daemon_unusable,
    },
    "systemd": {
        Kind.STATUS: programs.unit_status,
        Kind.CONTENT: programs.unit_missing,
        Kind.RESOURCE: programs.unit_restarts,
        Kind.TIMEOUT: programs.systemd_silent,
        Kind.UNCONFIGURED: programs.no_systemd,
    },
    "command": {
        Kind.CONTENT: programs.program_says,
        Kind.STATUS: programs.program_failed,
        Kind.TIMEOUT: programs.program_hangs,
        Kind.UNCONFIGURED: programs.program_unusable,
    },
    "host": {Kind.TIMEOUT: machine.hangs, Kind.CONTENT: machine.missing},
    "agents": {
        Kind.STATUS: several.agents_missing,
        Kind.RESOURCE: several.agents_busy,
        Kind.CONTENT: several.registry,
    },
    "service": {
        Kind.AUTH: several.service_key,
        Kind.STATUS: several.service_down,
        Kind.RESOURCE: several.service_limited,
        Kind.DNS: several.service_unreachable,
        Kind.CONNECT: several.service_unreachable,
        Kind.TIMEOUT: several.service_unreachable,
        Kind.PROTOCOL: several.service_unreachable,
        Kind.SLOW: several.service_slow,
        Kind.CONTENT: several.service_content,
        Kind.UNCONFIGURED: several.service_unconfigured,
    },
    # A group's kind is that of its worst member, and its members are what to look at.
    "group": {kind: several.members for kind in Kind if kind not in (Kind.INTERNAL, Kind.UNCONFIGURED)},
}

__all__ = ["ADVICE", "OF_TYPE", "advice_on"]


def advice_on(case: Case, kind: Kind) -> Advice:
    """Return what there is to say of a failure of this kind."""
    if case.type == "steps":
        return _of_step(case, kind)
    return OF_TYPE.get(case.type, {}).get(kind, ADVICE[kind])(case)


def _of_step(case: Case, kind: Kind) -> Advice:
    """Return the advice on the step that ended the walk, which is that of an http check."""
    one = as_step(case)
    advice = ADVICE[kind](one)
    name = failing_step(case)
    if not name:
        return advice
    number = (
        next((i for i, request in enumerate(one.target.requests, 1) if request.name == name), 0) if one.target else 0
    )
    of = f"step {number} of {len(one.target.requests)}, {case.code(name)}" if one.target and number else case.code(name)
    first, *rest = advice.steps
    own = as_sent(one)
    steps = (first, own, *rest) if kind in _ANSWERED and own and own != first else advice.steps
    return Advice(f"It ended at {of}. {advice.cause}", advice.because, steps, advice.confirm)
