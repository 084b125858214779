"""The target cannot be reached, or not spoken with: dns, connect, tls, timeout, protocol. Pure."""

from __future__ import annotations

from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.themes import theme_of
from monitor.units import format_duration, format_ms

# What each kind of check speaks; the others speak HTTP.
_SPEAKS = {
    "smtp": "SMTP",
    "ssh": "SSH",
    "mqtt": "MQTT",
    "grpc": "gRPC",
    "redis": "Redis",
    "dns": "DNS",
    "tls": "TLS",
    "tcp": "what the check expects",
    "postgresql": "PostgreSQL",
    "mysql": "MySQL or MariaDB",
    "websocket": "WebSocket",
}


def steps_of(*steps: Step | None) -> tuple[Step, ...]:
    """Return the steps that there are."""
    return tuple(step for step in steps if step)


def dns(case: Case) -> Advice:
    host = case.arg(case.host)
    return Advice(
        f"The name {case.code(case.host)} does not resolve from this machine: the record is gone, the domain has "
        "expired, or the resolver does not answer.",
        (f"The look-up failed before any connection was tried: {case.message}{case.cite(*SEEN)}.",),
        (
            Step(
                "Ask the resolver of this machine, then another one:", f"dig +short {host}\ndig +short @1.1.1.1 {host}"
            ),
            Step("See what programs on this machine get, hosts file included:", f"getent hosts {host}"),
            Step("See which resolver is used, and whether it answers:", "cat /etc/resolv.conf\nresolvectl status"),
            Step("Follow the delegation from the root:", f"dig +trace {host}"),
        ),
        "If `@1.1.1.1` answers and the first command does not, it is the resolver of this machine; if neither does, "
        "it is the record or the domain; if both do, it is over or comes and goes.",
    )


def connect(case: Case) -> Advice:
    if case.detail("socket"):
        return _no_socket(case)
    port, flag = case.port, "u" if case.type in ("udp", "dns") else "t"
    try_port = f"nc -vz{'u' if flag == 'u' else ''} -w 5 {case.arg(case.host)} {port}"
    return Advice(
        f"Nothing accepts {'datagrams' if flag == 'u' else 'connections'} at {case.code(case.where)}: the process is "
        "down or listens elsewhere, or a firewall refuses.",
        (f"The name was resolved, the connection was not made: {case.message}{case.cite(*SEEN)}.",),
        (
            Step("Try the port from here:", try_port),
            Step(f"On {case.machine}, see who listens there:", f"ss -l{flag}np 'sport = :{port}'"),
            Step("See what has failed or stopped there:", f"systemctl --failed\ndocker ps -a --filter publish={port}"),
            case.journal,
        ),
        f"If `ss` shows no listener on port {port}, start the service; if it shows one and `nc` from here still fails, "
        "it is a firewall, a security group or the address it listens on.",
    )


def _no_socket(case: Case) -> Advice:
    socket = case.arg(case.where)
    return Advice(
        f"Nothing accepts connections at the socket {case.code(case.where)}: the server is down, keeps its socket "
        "elsewhere, or Greenwall may not use it.",
        case.because,
        (
            Step("See the socket and who may use it:", f"ls -ld {socket} $(dirname {socket})"),
            Step("See which sockets are listened at:", "ss -lxp"),
            Step("See what has failed or stopped:", "systemctl --failed"),
            case.journal,
        ),
        "If the file is not there, start the server or correct the path; if it is there and listened at, it is the "
        "permission of the user that Greenwall runs as.",
    )


def timeout(case: Case) -> Advice:
    cause, fact = _where_it_hangs(case)
    theme = theme_of(case)
    measure = Step("See in which phase the time goes:", case.times) if case.has_url else by_hand(case)
    return Advice(
        f"{cause}{theme.cause if theme and 'connect' in case.phases_ms else ''}",
        (f"No full answer within {format_duration(case.deadline_s)}: {fact}{case.cite(*SEEN)}.", *case.usual_fact),
        steps_of(
            measure,
            *(theme.steps if theme else ()),
            *_busy(case),
            Step("If the network is in doubt, see where packets are lost:", f"mtr -rwc 20 {case.arg(case.host)}")
            if not case.is_local and (case.target is None or case.target.reaches_out)
            else None,
            case.journal,
        ),
        "A full accept queue (`Recv-Q` near `Send-Q` of the listener) or a first byte that comes late means that the "
        "application is stuck; no connection at all means the network, a firewall or a machine that is down.",
    )


def _busy(case: Case) -> tuple[Step, ...]:
    text, port = f"On {case.machine}, see whether the machine is busy", case.port
    if not port:
        return (Step(f"{text}:", "uptime\nvmstat 1 5"),)
    waiting = f"ss -tn state established '( sport = :{port} )' | wc -l\nss -ltn 'sport = :{port}'"
    return (Step(f"{text} and how many connections wait:", f"uptime\n{waiting}"),)


def _where_it_hangs(case: Case) -> tuple[str, str]:
    phases = case.phases_ms
    if "ttfb" in phases:
        return f"{case.code(case.where)} begins its answer and does not end it.", "the answer began but did not end"
    if "connect" in phases:
        cause = f"The process at {case.code(case.where)} accepts connections and does not answer: it is stuck or busy."
        return cause, _last_step(case)
    if phases:
        cause = f"Packets to {case.code(case.where)} get no answer: the machine is down or a firewall drops them."
        return cause, "no connection was made"
    return f"{case.code(case.where)} does not answer in time.", case.message


def _last_step(case: Case) -> str:
    phases = case.phases_ms
    reached = f"connected in {format_ms(phases['connect'])}"
    reached += f", TLS handshake in {format_ms(phases['tls'])}" if phases.get("tls") else ""
    # What is said before an answer over HTTP is all in the phases; elsewhere the message alone knows the step.
    return f"{reached}, then nothing" if case.has_url else f"{reached}, then: {case.message}"


def protocol(case: Case) -> Advice:
    if case.has_url and case.type != "websocket":
        return _no_http(case)
    speaks = _SPEAKS.get(case.detail("dialect") or case.type, "its protocol")
    first = f"nc -w 5 {case.arg(case.host)} {case.port} < /dev/null | head -c 300 | od -c | head"
    over_network = bool(case.target and case.target.host and case.port)
    return Advice(
        f"What listens at {case.code(case.where)} does not speak {speaks}: another service has the port, plain text "
        "and TLS are mixed up, or something on the way breaks the connection off.",
        (f"It connected, and the answer could not be read: {case.message}{case.cite(*SEEN)}.",),
        steps_of(
            by_hand(case),
            Step("See the first bytes that the port sends by itself:", first) if over_network else None,
            Step(f"On {case.machine}, see which program has the port:", f"ss -ltnp 'sport = :{case.port}'")
            if over_network
            else None,
            case.journal,
        ),
        "If another program has the port, or the log tells of a crash at that time, that was it; if the check speaks "
        "plain text to a port that wants TLS, or the other way round, correct its `tls`.",
    )


def _no_http(case: Case) -> Advice:
    return Advice(
        f"What listens at {case.code(case.where)} does not speak proper HTTP: another service has the port, http and "
        "https are mixed up, or a proxy breaks the answer off.",
        (f"It connected, and the answer could not be read: {case.message}{case.cite(*SEEN)}.",),
        (
            Step("See the exchange as it is:", case.curl("-v -o /dev/null")),
            Step(
                "See the first bytes that the port sends:",
                f"printf 'HEAD / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 {case.arg(case.host)} {case.port} | head -c 300",
            ),
            Step(f"On {case.machine}, see which program has the port:", f"ss -ltnp 'sport = :{case.port}'"),
            case.journal,
        ),
        "If the first bytes are no `HTTP/1.`, the URL's port or scheme is wrong or another program took the port.",
    )
