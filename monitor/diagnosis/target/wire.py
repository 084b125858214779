"""What kinds look at that speak to a port or a host: dns, tcp, udp, icmp, tls, smtp, ssh, grpc, mqtt. Pure."""

from __future__ import annotations

from monitor.config.kinds.dns import DnsCheck, split_resolver
from monitor.config.kinds.grpc import GrpcCheck
from monitor.config.kinds.icmp import IcmpCheck
from monitor.config.kinds.mqtt import MqttCheck
from monitor.config.kinds.smtp import SmtpCheck
from monitor.config.kinds.ssh import SshCheck
from monitor.config.kinds.tcp import TcpCheck
from monitor.config.kinds.tls import TlsCheck
from monitor.config.kinds.udp import UdpCheck
from monitor.diagnosis.target.look import Look, counted, days, in_time, lasting, limit, said, some


def dns(check: DnsCheck) -> Look:
    """Return the look at a name; host and port are those of the resolver that the file names."""
    resolver, port = split_resolver(check.resolver) if check.resolver else ("", 0)
    answers = f"{check.match} of {', '.join(check.expect)}" if check.expect else None
    return Look(
        does="looks up",
        what=check.target,
        host=resolver,
        port=port,
        expected=(
            *said(
                f"rcode {check.rcode}",
                answers,
                counted("at least {}", check.fewest or None, "answer"),
                counted("at most {}", check.max_answers, "answer"),
                lasting("a TTL of at least {}", check.min_ttl),
                "an answer that DNSSEC validates" if check.dnssec else None,
                "the answers of the verdict before" if check.changed else None,
            ),
            *in_time(check),
        ),
        parts=some(name=check.query, record=check.record, resolver=resolver, tcp=check.tcp),
    )


def tcp(check: TcpCheck) -> Look:
    return Look(
        does="connects to",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=(
            *said(
                "a TLS handshake" if check.tls else None,
                limit("an answer that contains {}", check.expect_contains),
                limit("an answer that matches {}", check.expect_matches),
            ),
            *in_time(check),
        ),
        left_out=said("what it sends" if check.send else None),
        parts=some(tls=check.tls, server_name=check.server_name, ca_file=check.ca_file, insecure=not check.verify),
    )


def udp(check: UdpCheck) -> Look:
    return Look(
        does="sends a datagram to",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=(
            *said(
                None if check.wants_answer else "no refusal",
                limit("an answer that contains {}", check.expect_contains),
                limit("an answer with the bytes {}", check.expect_hex),
                limit("an answer that matches {}", check.expect_matches),
            ),
            *in_time(check),
        ),
        left_out=said("what it sends" if check.datagram else None),
    )


def icmp(check: IcmpCheck) -> Look:
    return Look(
        does="pings",
        what=check.host,
        host=check.host,
        expected=(
            *said(
                limit("more than {} % loss is WARN", check.warn_loss_percent),
                limit("more than {} % loss is FAIL", check.crit_loss_percent),
            ),
            *in_time(check, "an average round trip above"),
        ),
    )


def tls(check: TlsCheck) -> Look:
    return Look(
        does="makes a TLS handshake with",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=(
            *days(check),
            *said(
                "a certificate that is trusted and for this name" if check.verify else None,
                limit("an issuer with {} in its name", check.issuer),
                "a pinned certificate" if check.fingerprint else None,
                "the certificate that was seen before" if check.fingerprint_change else None,
            ),
            *in_time(check),
        ),
        parts=some(
            server_name=check.server_name, starttls=check.starttls, ca_file=check.ca_file, insecure=not check.verify,
        ),
    )  # fmt: skip


def smtp(check: SmtpCheck) -> Look:
    is_encrypted = check.tls or check.starttls != "off"
    return Look(
        does="greets the mail server",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=(
            *said(
                "a greeting with 220",
                "TLS from the first byte" if check.tls else None,
                f"STARTTLS {check.starttls.replace('_', ' ')}" if check.starttls != "off" else None,
                "a login" if check.username else None,
                limit("a greeting that contains {}", check.expect_contains),
                limit("a greeting that matches {}", check.expect_matches),
            ),
            *(days(check) if is_encrypted else ()),
            *in_time(check),
        ),
        left_out=said("user name and password" if check.username else None),
        parts=some(
            tls=check.tls, starttls="smtp" if check.starttls != "off" else None, server_name=check.server_name,
            ca_file=check.ca_file, insecure=not check.verify, login=check.username is not None,
        ),
    )  # fmt: skip


def ssh(check: SshCheck) -> Look:
    return Look(
        does="greets the SSH server",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=(
            *said(
                "version 2.0",
                limit("an identification that contains {}", check.expect_contains),
                limit("an identification that matches {}", check.expect_matches),
            ),
            *in_time(check),
        ),
    )


def grpc(check: GrpcCheck) -> Look:
    return Look(
        does="asks the health service of",
        what=check.target,
        host=check.host,
        port=check.port,
        expected=("SERVING", *in_time(check)),
        parts=some(service=check.service, tls=check.tls, server_name=check.server_name, ca_file=check.ca_file),
    )


def mqtt(check: MqttCheck) -> Look:
    return Look(
        does="subscribes at" if check.topic else "logs in at",
        what=check.target,
        host=check.host,
        port=check.chosen_port,
        expected=(
            *said(
                f"a message of {check.topic}" if check.topic else "a login",
                limit("one that contains {}", check.expect_contains),
                limit("one that matches {}", check.expect_matches),
                f"rules on {', '.join(rule.path for rule in check.expect_jsonpath)}" if check.expect_jsonpath else None,
            ),
            *in_time(check),
        ),
        left_out=said(
            "user name and password" if check.username else None, "the client id" if check.client_id else None
        ),
        parts=some(
            topic=check.topic, tls=check.tls, server_name=check.server_name, ca_file=check.ca_file,
            insecure=not check.verify, login=check.username is not None,
        ),
    )  # fmt: skip
