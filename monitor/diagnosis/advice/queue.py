"""A queue grows, is old, has nobody who takes from it, or is not there: the queue kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice import refusal
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step
from monitor.diagnosis.commands import redis_cli
from monitor.units import plain

_RUNNING = Step(
    "See whether the workers run (use the line of your system):",
    "pgrep -af worker\ncelery inspect active\nsystemctl --failed",
)


def _name(case: Case) -> str:
    return case.detail("queue") or case.detail("stream") or case.detail("list")


def _look(case: Case) -> Step:
    """Return the step that shows what waits and who takes it."""
    if case.has_url:
        vhost = case.arg(case.detail("vhost") or "/")
        columns = "name messages_ready messages_unacknowledged consumers state"
        return Step(
            f"On {case.machine}, see what waits and who takes it:",
            f"rabbitmqctl list_queues -p {vhost} {columns}\nrabbitmqctl list_consumers -p {vhost}",
        )
    key, group = case.arg(_name(case)), case.detail("group")
    ask = redis_cli(case)
    if case.detail("list"):
        return Step("See how long it is, and its first entry:", f"{ask} LLEN {key}\n{ask} LRANGE {key} 0 0")
    consumers = (
        f"\n{ask} XINFO CONSUMERS {key} {case.arg(group)}\n{ask} XPENDING {key} {case.arg(group)}" if group else ""
    )
    return Step("See what waits and who takes it:", f"{ask} XINFO GROUPS {key}{consumers}")


def _consumers(case: Case) -> int | None:
    count = case.observed("consumers")
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def resource(case: Case) -> Advice:
    """Return the advice on a queue that is deep or old: nobody takes from it, or not fast enough."""
    consumers, name = _consumers(case), case.code(_name(case))
    unacked = case.observed("messages_unacknowledged") or case.observed("pending")
    ready = case.observed("messages_ready")
    if consumers == 0:
        cause = f"Nobody takes from {name}: its workers are down, or take from another queue, and so it grows."
    elif isinstance(unacked, int) and unacked and (ready == 0 or case.observed("lag") == 0):
        cause = f"All of {name} is in the hands of its workers: they took it and do not get done with it."
    elif consumers:
        cause = (
            f"{plain(str(consumers))} consumers take from {name}, and more comes in than they get done: more work than "
            "usual, slower work, or one message that fails again and again."
        )
    else:
        cause = f"More comes into {name} than is taken from it: workers that are down or slow, or more work than usual."
    return Advice(
        cause,
        case.because,
        steps_of(_look(case), _RUNNING, by_hand(case), case.journal, case.deployed),
        "No consumers: start the workers. Consumers and a depth that grows: more of them, or look at what makes each "
        "message slow. A depth that falls by itself was a peak.",
    )


def status(case: Case) -> Advice:
    if case.found("consumers"):
        return Advice(
            f"Too few consumers take from {case.code(_name(case))}: workers are down, restart, or have lost their "
            "connection to the broker.",
            case.because,
            steps_of(_RUNNING, _look(case), by_hand(case), case.journal, case.deployed),
            "When the workers are back, their number is among the consumers at once.",
        )
    if case.has_url:
        return Advice(
            f"RabbitMQ's management answers, and the queue {case.code(_name(case))} or a node of its cluster is down.",
            case.because,
            steps_of(
                Step(
                    f"On {case.machine}, see the nodes and their alarms:",
                    "rabbitmqctl cluster_status\nrabbitmq-diagnostics check_local_alarms",
                ),
                by_hand(case),
                Step("Read the broker's log:", "journalctl -u rabbitmq-server -n 50 --no-pager"),
            ),
            "A node that is missing, or an alarm for memory or disk, is the cause: the broker takes nothing until it "
            "is over.",
        )
    return refusal.status(case)


def content(case: Case) -> Advice:
    where = "RabbitMQ" if case.has_url else "Redis"
    return Advice(
        f"{where} answers, and {case.code(_name(case))} is not there or does not tell what the check asks for: it was "
        "renamed or removed, was never declared, or whoever publishes sets no `timestamp`.",
        case.because,
        steps_of(
            Step(
                f"On {case.machine}, see which queues there are:",
                "rabbitmqctl list_queues --formatter pretty_table name vhost messages",
            )
            if case.has_url
            else Step("See what the key is:", f"{redis_cli(case)} TYPE {case.arg(_name(case))}"),
            _look(case),
            case.deployed,
        ),
        "If it has another name now, correct the check; if it is declared by a worker, it comes back when that starts.",
    )


def auth(case: Case) -> Advice:
    if not case.has_url:
        return refusal.auth(case)
    return Advice(
        f"RabbitMQ's management at {case.code(case.where)} refuses the login: the password was changed, the user lacks "
        "the tag `monitoring`, or is `guest`, who may come from the same machine only.",
        case.because,
        steps_of(
            by_hand(case),
            Step(
                f"On {case.machine}, see the users and what they may:",
                f"rabbitmqctl list_users\nrabbitmqctl list_permissions -p {case.arg(case.detail('vhost') or '/')}",
            ),
            Step("Put the new password into the environment or `.env`, and let Greenwall read it again."),
        ),
        "Status 200 by hand with the password that you know to be right means that the environment holds the old one.",
    )
