"""Ask name servers one question.

    each server in turn:  UDP, sent again while it is silent ─▶ cut? ─▶ TCP ─▶ the next one when it fails

dnspython writes and reads the messages. The sockets are ours: a connected one hears that a port is closed, and the
deadline follows a clock that nobody sets.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.resolver
import dns.reversename

from monitor.config.endpoint import host_and_port, is_address
from monitor.config.kinds.dns import DnsCheck, split_resolver
from monitor.model import Kind
from monitor.probes.connection import Connection, connect
from monitor.probes.datagram import Datagrams
from monitor.probes.deadline import Deadline
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration

_SEND_AGAIN_S = 2.0
# What every path carries in one piece (DNS flag day 2020).
_PAYLOAD_BYTES = 1232
# It takes a tenth of a millisecond to read each, beyond the deadline when it comes late.
_MOST_RECORDS = 2000
# The next server may know what this one does not.
_NEXT_PLEASE = {dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR}


@dataclass(frozen=True, slots=True)
class Server:
    address: str
    port: int

    def __str__(self) -> str:
        return host_and_port(self.address, self.port)


@dataclass(frozen=True, slots=True)
class Reply:
    server: Server
    message: dns.message.Message
    over_tcp: bool


def servers_of(check: DnsCheck) -> list[Server]:
    """Return the check's server, else those of the system; NoResolverConfiguration when it has none."""
    if check.resolver:
        return [Server(*split_resolver(check.resolver))]
    system = dns.resolver.Resolver()
    return [Server(str(address), system.port) for address in system.nameservers if is_address(str(address))]


def question_of(check: DnsCheck) -> dns.message.QueryMessage:
    """Return the message that asks; for an address the question is its name."""
    is_number = is_address(check.query)
    name = dns.reversename.from_address(check.query) if is_number else dns.name.from_text(check.query)
    question = dns.message.make_query(name, check.record, use_edns=0, payload=_PAYLOAD_BYTES, want_dnssec=check.dnssec)
    if check.dnssec:
        question.flags |= dns.flags.AD
    return question


def ask_in_turn(
    check: DnsCheck, question: dns.message.QueryMessage, servers: Sequence[Server], deadline: Deadline
) -> Reply:
    """Return the first good reply, or the last bad one; raise ProbeFailed when nobody replied."""
    reply: Reply | None = None
    silence: list[tuple[Server, ProbeFailed]] = []
    for position, server in enumerate(servers):
        share = Deadline(deadline.left_s / (len(servers) - position))
        try:
            reply = _ask(question, server, share, check.tcp)
        except ProbeFailed as silent:
            silence.append((server, silent))
            continue
        rcode = reply.message.rcode()
        if rcode not in _NEXT_PLEASE or dns.rcode.to_text(rcode) == check.rcode:
            return reply
    if reply:
        return reply
    kind = silence[0][1].kind
    raise ProbeFailed(kind, "; ".join(f"{server}: {silent.message}" for server, silent in silence[:3]))


def _ask(question: dns.message.QueryMessage, server: Server, deadline: Deadline, tcp: bool) -> Reply:
    ask = _over_tcp if tcp else _over_udp
    reply = ask(question, server, deadline)
    old = reply.message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)
    if not old or question.edns < 0 or reply.message.edns >= 0:
        return reply
    # Servers from before EDNS, and firewalls that think so.
    plain_question = dns.message.make_query(question.question[0].name, question.question[0].rdtype)
    return ask(plain_question, server, deadline)


def _over_udp(question: dns.message.QueryMessage, server: Server, deadline: Deadline) -> Reply:
    raw, strays = question.to_wire(), 0
    again_s = min(_SEND_AGAIN_S, deadline.left_s / 2)
    with Datagrams(server.address, server.port) as datagrams:
        while deadline.left_s:
            datagrams.send(raw)
            send_again_at = min(time.monotonic() + again_s, deadline.ends_at)
            while (datagram := datagrams.receive(send_again_at)) is not None:
                if _is_cut(question, datagram):
                    return _over_tcp(question, server, deadline)
                answer = _parsed(question, datagram)
                if answer:
                    return Reply(server, answer, False)
                strays += 1
    within = format_duration(deadline.timeout_s)
    if strays:
        # They may be forged, and the true answer be on its way: so it is waited for.
        raise ProbeFailed(Kind.PROTOCOL, f"what came is no answer to the question ({strays} within {within})")
    raise ProbeFailed(Kind.TIMEOUT, f"no answer within {within}")


def _over_tcp(question: dns.message.QueryMessage, server: Server, deadline: Deadline) -> Reply:
    wire = question.to_wire()
    with connect(server.address, server.port, deadline.left_as_timeout_s) as connection:
        connection.send(len(wire).to_bytes(2) + wire)
        length = int.from_bytes(_read(connection, 2))
        answer = _parsed(question, _read(connection, length))
    if answer is None:
        raise ProbeFailed(Kind.PROTOCOL, "what came over TCP is no answer to the question")
    return Reply(server, answer, True)


def _read(connection: Connection, length: int) -> bytes:
    raw = bytearray()
    while len(raw) < length:
        piece = connection.receive(length - len(raw))
        if not piece:
            what = f"the server ended the TCP connection after {len(raw)} of {length} bytes"
            raise connection.failed(Kind.PROTOCOL, what)
        raw += piece
    return bytes(raw)


def _is_cut(question: dns.message.Message, datagram: bytes) -> bool:
    """Return whether this is the start of an answer that did not fit. What is in it may end anywhere."""
    return _answers(question, datagram) and bool(datagram[2] & 0x02)


def _answers(question: dns.message.Message, raw: bytes) -> bool:
    return len(raw) >= 12 and int.from_bytes(raw[:2]) == question.id and bool(raw[2] & 0x80)


def _parsed(question: dns.message.QueryMessage, raw: bytes) -> dns.message.Message | None:
    records = sum(int.from_bytes(raw[at : at + 2]) for at in (6, 8, 10))
    if _answers(question, raw) and records > _MOST_RECORDS:
        raise ProbeFailed(Kind.CONTENT, f"the answer has {records} records, expected at most {_MOST_RECORDS}")
    try:
        message = dns.message.from_wire(raw)
        return message if question.is_response(message) else None
    except (dns.exception.DNSException, ValueError, IndexError, KeyError):
        return None
