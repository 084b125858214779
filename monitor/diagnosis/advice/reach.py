"""The target cannot be reached, or not spoken with: dns, connect, tls, timeout, protocol. Pure."""

from __future__ import annotations

from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.themes import theme_of
from monitor.units import format_duration, format_ms


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
    port = case.port
    return Advice(
        f"Nothing accepts connections at {case.code(case.where)}: the process is down or listens elsewhere, or a "
        "firewall refuses.",
        (f"The name was resolved, the connection was not made: {case.message}{case.cite(*SEEN)}.",),
        (
            Step("Try the port from here:", f"nc -vz -w 5 {case.arg(case.host)} {port}"),
            Step(f"On {case.code(case.host)}, see who listens there:", f"ss -ltnp 'sport = :{port}'"),
            Step("See what has failed or stopped there:", f"systemctl --failed\ndocker ps -a --filter publish={port}"),
            case.journal,
        ),
        f"If `ss` shows no listener on port {port}, start the service; if it shows one and `nc` from here still fails, "
        "it is a firewall, a security group or the address it listens on.",
    )


def tls(case: Case) -> Advice:
    connect = f"openssl s_client -connect {case.arg(case.where)} -servername {case.arg(case.host)}"
    return Advice(
        f"The TLS handshake with {case.code(case.where)} fails: most often a certificate that has expired, is for "
        "another name, or comes without its chain.",
        (f"The port accepts connections; TLS then failed: {case.message}{case.cite(*SEEN)}.",),
        (
            Step(
                "See whose certificate it is, for which names and until when:",
                f"{connect} < /dev/null 2> /dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName",
            ),
            Step("See the chain and the verdict on it:", f"{connect} -showcerts < /dev/null | grep -E 's:|i:|Verif'"),
            Step("Rule out a wrong clock on this machine:", "date -u"),
            Step("If certbot keeps it, see why it was not renewed:", "certbot certificates\ncertbot renew --dry-run"),
        ),
        f"`notAfter` in the past means expired; no {case.code(case.host)} among the names means the wrong certificate; "
        "`unable to get local issuer` means that the server does not send its intermediate certificate.",
    )


def timeout(case: Case) -> Advice:
    cause, fact = _where_it_hangs(case)
    theme = theme_of(case)
    return Advice(
        f"{cause}{theme.cause if theme and 'connect' in case.phases_ms else ''}",
        (f"No full answer within {format_duration(case.deadline_s)}: {fact}{case.cite(*SEEN)}.", *case.usual_fact),
        (
            Step("See in which phase the time goes:", case.times),
            *(theme.steps if theme else ()),
            Step(
                f"On {case.code(case.host)}, see whether the machine is busy and how many connections wait:",
                f"uptime\nss -tn state established '( sport = :{case.port} )' | wc -l\nss -ltn 'sport = :{case.port}'",
            ),
            Step("If the network is in doubt, see where packets are lost:", f"mtr -rwc 20 {case.arg(case.host)}"),
            case.journal,
        ),
        "A full accept queue (`Recv-Q` near `Send-Q` of the listener) or a first byte that comes late means that the "
        "application is stuck; no connection at all means the network, a firewall or a machine that is down.",
    )


def _where_it_hangs(case: Case) -> tuple[str, str]:
    phases = case.phases_ms
    if "ttfb" in phases:
        return f"{case.code(case.where)} begins its answer and does not end it.", "the answer began but did not end"
    if "connect" in phases:
        cause = f"The process at {case.code(case.where)} accepts connections and does not answer: it is stuck or busy."
        return cause, f"connected in {format_ms(phases['connect'])}, then nothing"
    if phases:
        cause = f"Packets to {case.code(case.where)} get no answer: the machine is down or a firewall drops them."
        return cause, "no connection was made"
    return f"{case.code(case.where)} does not answer in time.", case.message


def protocol(case: Case) -> Advice:
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
            Step(f"On {case.code(case.host)}, see which program has the port:", f"ss -ltnp 'sport = :{case.port}'"),
            case.journal,
        ),
        "If the first bytes are no `HTTP/1.`, the URL's port or scheme is wrong or another program took the port.",
    )
