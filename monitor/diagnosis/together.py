"""What other checks say that failed at the same time: how far they came, and what they share with this one. Pure.

Whoever answers has a cause of its own. Silence has a shared one only where it is alike: of hosts that give no sign of
life, the network or the machine; of one port, its process. The rest are hints that stand behind the own cause.
"""

from __future__ import annotations

from monitor.diagnosis.case import Case, Step
from monitor.diagnosis.facts import Key
from monitor.diagnosis.neighbours import LOOPBACK, Neighbour, Tie
from monitor.diagnosis.pattern import Pattern, named
from monitor.diagnosis.silence import Silence
from monitor.model import Kind, Status

_UNSEEN = frozenset({Silence.NAME, Silence.HOST})
# Answers that one fault of a process, or of what it calls, can spoil together.
_ANSWERS = frozenset({Kind.CONTENT, Kind.STATUS, Kind.SLOW, Kind.PROTOCOL})
# What stands or falls with the machine that Greenwall runs on.
_HERE = frozenset({"docker", "systemd"})
# What a machine without memory, disk or processor time does not bring about.
_NOT_OF_LOAD = frozenset({Kind.AUTH, Kind.TLS, Kind.DNS, Kind.UNCONFIGURED, Kind.VANTAGE})


def _together(case: Case) -> list[Neighbour]:
    """Return those that began at the same time and are checks of their own, not bound to this one by the file."""
    return [n for n in case.evidence.neighbours if n.together and n.tie is Tie.NONE and n.type != "group"]


def _alike(case: Case) -> list[Neighbour]:
    """Return those of the same time that are silent in the same way."""
    return [n for n in _together(case) if n.silence and n.silence is case.silence]


def _failed(case: Case, who: str, others: list[Neighbour]) -> str:
    return f"{who} failed within 2 m of this one: {named(case, others)}{case.cite(Key.NEIGHBOURS)}."


def vantage(case: Case) -> Pattern | None:
    is_unseen = case.silence in _UNSEEN or (case.evidence.trouble is Kind.VANTAGE)
    others = [
        n
        for n in _together(case)
        if (n.silence in _UNSEEN or n.kind is Kind.VANTAGE) and not n.same_host and LOOPBACK not in n.hosts
    ]
    hosts = {min(n.hosts, default=n.name) for n in others}
    # Who gets answers from more others than are silent has a network.
    if not is_unseen or case.is_local or len(hosts) < 2 or case.evidence.answering_count > len(others):
        return None
    return Pattern(
        _failed(case, "Checks of other hosts that gave no sign of life", others),
        cause="The network or the resolver of the machine that Greenwall runs on: unrelated hosts became unreachable "
        "at the same time.",
        first=Step(
            "See whether this machine reaches anything:", "ip route\nping -c 3 1.1.1.1\ngetent hosts example.com"
        ),
        confirm="If another machine reaches these hosts, it is the network of this one.",
    )


def same_host(case: Case) -> Pattern | None:
    others = [n for n in _alike(case) if n.same_host]
    if not others:
        return None
    if case.silence is Silence.HOST:
        return _whole_host(case, others)
    if case.silence is Silence.NAME:
        return Pattern(_failed(case, "Checks of the same name", others))
    of_process = [n for n in others if n.same_port]
    if of_process:
        return Pattern(
            _failed(case, f"Checks of {case.code(case.where)}", of_process),
            adds="Others fail with it, and they ask the same process: one cause, and one cure.",
            confirm="If all of them turn OK together, it was one cause.",
        )
    return Pattern(_failed(case, "Checks of other ports of the same host", others), adds=_other_ports(case))


def _other_ports(case: Case) -> str:
    if case.silence is Silence.PORT:
        return (
            "Other ports of the host refuse, too: what starts all of these processes (a container engine, a "
            "deployment, a reboot) may be behind it."
        )
    return "Other processes of the host have fallen silent, too: it may be short of processor time, memory or disk."


def _whole_host(case: Case, others: list[Neighbour]) -> Pattern:
    host = case.arg(case.host)
    return Pattern(
        _failed(case, "Checks of the same host", others),
        cause=f"One cause behind {case.code(case.host)}: the machine, or what stands before it, for none of its ports "
        "gives a sign of life.",
        first=Step(
            f"Look at {case.code(case.host)} as a whole first:",
            f"ping -c 3 {host}\nssh {host} 'uptime; df -h; free -h; systemctl --failed'",
        ),
        confirm="If all of them turn OK together, it was one cause.",
    )


def same_machine(case: Case) -> Pattern | None:
    others = [n for n in _together(case) if n.type in _HERE and n.same_host and n.kind is case.evidence.trouble]
    if not others or case.type not in _HERE:
        return None
    return Pattern(
        _failed(case, "What else runs on this machine", others),
        adds="One cause behind this machine is possible, too: it ran out of memory or disk, or was started anew.",
        then=Step("Look at this machine as a whole:", "uptime; df -h; free -h; systemctl --failed"),
    )


def same_answer(case: Case) -> Pattern | None:
    kind = case.evidence.trouble
    others = [n for n in _together(case) if n.same_port and n.kind is kind and n.silence is None]
    if not others or kind not in _ANSWERS or case.silence:
        return None
    return Pattern(
        _failed(case, f"Checks of {case.code(case.where)} that are answered", others),
        adds="Others of the same process fail in the same way: think of what they have in common there, too.",
    )


def same_group(case: Case) -> Pattern | None:
    others = [n for n in _alike(case) if n.same_group and not n.same_host]
    if not others or vantage(case):
        return None
    return Pattern(
        _failed(case, "Checks of the same group", others),
        adds="Something that the group shares may be behind all of them: a database, a network, a deployment or a "
        "service that all call.",
        confirm="If all of them turn OK together, it was one cause.",
    )


def exhausted(case: Case) -> Pattern | None:
    full = [n for n in case.evidence.neighbours if n.kind is Kind.RESOURCE and n.type in ("host", "")]
    full = [n for n in full if n.status is Status.FAIL and (case.evidence.recovered or not n.is_over)]
    trouble = case.evidence.trouble
    is_itself = trouble is Kind.RESOURCE and case.type in ("host", "")
    if not full or is_itself or not case.is_local or trouble in _NOT_OF_LOAD or case.type == "dns":
        return None
    return Pattern(
        f"The machine that both run on is at its limit: {named(case, full)}{case.cite(Key.NEIGHBOURS)}.",
        adds="The machine that it runs on is at its limit too, which may have to do with it.",
        then=Step(
            "See what the machine is short of:",
            "uptime; df -h; free -h; ps -eo pid,pcpu,pmem,args --sort=-pcpu | head",
        ),
    )
