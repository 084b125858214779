"""The `dns` kind: ask name servers one question, judge what they answer.

    each server in turn:  UDP, sent again while it is silent ─▶ cut? ─▶ TCP ─▶ the next one when it fails

dnspython writes and reads the messages. The sockets are ours: a connected one hears that a port is closed, and the
deadline follows a clock that nobody sets.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
import dns.reversename
import dns.rrset

from monitor.config.endpoint import host_and_port, is_address
from monitor.config.kinds.dns import DnsCheck, split_resolver
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.connection import Connection, connect
from monitor.probes.datagram import Datagrams
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed, failed, too_slow, unconfigured, verdict
from monitor.units import clip, format_duration, format_ms, plain

_SEND_AGAIN_S = 2.0
# What every path carries in one piece (DNS flag day 2020).
_PAYLOAD_BYTES = 1232
# It takes a tenth of a millisecond to read each, beyond the deadline when it comes late.
_MOST_RECORDS = 2000
_SHOWN = 10
# The next server may know what this one does not.
_NEXT_PLEASE = {dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR}
# Their case is part of the data; in names it is not.
_CASE_COUNTS = {"TXT", "DNSKEY", "CAA", "NAPTR"}


@dataclass(frozen=True, slots=True)
class _Server:
    address: str
    port: int

    def __str__(self) -> str:
        return host_and_port(self.address, self.port)


@dataclass(frozen=True, slots=True)
class _Reply:
    server: _Server
    message: dns.message.Message
    over_tcp: bool


def probe_dns(check: DnsCheck, setting: Setting) -> Outcome:
    """Return the verdict on the first server that answers: FAIL when any assertion does not hold."""
    try:
        servers = _servers(check)
        question = _question(check)
        wanted = [_canonical_expected(text, check.record) for text in check.expect]
    except dns.resolver.NoResolverConfiguration:
        return unconfigured("no name server in /etc/resolv.conf; set `resolver`")
    except (dns.exception.DNSException, UnicodeError) as error:
        return unconfigured(f"{plain(check.query, 100)} cannot be asked for: {plain(str(error), 100)}")
    except ValueError as error:
        return unconfigured(str(error))
    began = time.monotonic()
    try:
        reply = _ask_in_turn(check, question, servers, began + check.timeout)
    except ProbeFailed as silent:
        total_ms = _ms_since(began)
        return failed(silent.kind, silent.message, total_ms, phases_ms={"total": total_ms})
    return _judge(check, setting, reply, wanted, _ms_since(began))


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _servers(check: DnsCheck) -> list[_Server]:
    if check.resolver:
        return [_Server(*split_resolver(check.resolver))]
    system = dns.resolver.Resolver()
    return [_Server(str(address), system.port) for address in system.nameservers if is_address(str(address))]


def _question(check: DnsCheck) -> dns.message.QueryMessage:
    is_number = is_address(check.query)
    name = dns.reversename.from_address(check.query) if is_number else dns.name.from_text(check.query)
    question = dns.message.make_query(name, check.record, use_edns=0, payload=_PAYLOAD_BYTES, want_dnssec=check.dnssec)
    if check.dnssec:
        question.flags |= dns.flags.AD
    return question


# ---- asking


def _ask_in_turn(
    check: DnsCheck, question: dns.message.QueryMessage, servers: Sequence[_Server], give_up_at: float
) -> _Reply:
    """Return the first good reply, or the last bad one; raise ProbeFailed when nobody replied."""
    reply: _Reply | None = None
    silence: list[tuple[_Server, ProbeFailed]] = []
    for position, server in enumerate(servers):
        share_s = (give_up_at - time.monotonic()) / (len(servers) - position)
        try:
            reply = _ask(question, server, time.monotonic() + share_s, check.tcp)
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


def _ask(question: dns.message.QueryMessage, server: _Server, give_up_at: float, tcp: bool) -> _Reply:
    ask = _over_tcp if tcp else _over_udp
    reply = ask(question, server, give_up_at)
    old = reply.message.rcode() in (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)
    if not old or question.edns < 0 or reply.message.edns >= 0:
        return reply
    # Servers from before EDNS, and firewalls that think so.
    plain_question = dns.message.make_query(question.question[0].name, question.question[0].rdtype)
    return ask(plain_question, server, give_up_at)


def _over_udp(question: dns.message.QueryMessage, server: _Server, give_up_at: float) -> _Reply:
    began, raw, strays = time.monotonic(), question.to_wire(), 0
    again_s = min(_SEND_AGAIN_S, (give_up_at - began) / 2)
    with Datagrams(server.address, server.port) as datagrams:
        while (now := time.monotonic()) < give_up_at:
            datagrams.send(raw)
            send_again_at = min(now + again_s, give_up_at)
            while (datagram := datagrams.receive(send_again_at)) is not None:
                if _is_cut(question, datagram):
                    return _over_tcp(question, server, give_up_at)
                answer = _parsed(question, datagram)
                if answer:
                    return _Reply(server, answer, False)
                strays += 1
    within = format_duration(give_up_at - began)
    if strays:
        # They may be forged, and the true answer be on its way: so it is waited for.
        raise ProbeFailed(Kind.PROTOCOL, f"what came is no answer to the question ({strays} within {within})")
    raise ProbeFailed(Kind.TIMEOUT, f"no answer within {within}")


def _over_tcp(question: dns.message.QueryMessage, server: _Server, give_up_at: float) -> _Reply:
    wire = question.to_wire()
    with connect(server.address, server.port, max(give_up_at - time.monotonic(), 0.001)) as connection:
        connection.send(len(wire).to_bytes(2) + wire)
        length = int.from_bytes(_read(connection, 2))
        answer = _parsed(question, _read(connection, length))
    if answer is None:
        raise ProbeFailed(Kind.PROTOCOL, "what came over TCP is no answer to the question")
    return _Reply(server, answer, True)


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


# ---- judging


def _judge(check: DnsCheck, setting: Setting, reply: _Reply, wanted: Sequence[str], latency_ms: float) -> Outcome:
    message, phases = reply.message, {"total": latency_ms}
    rcode = dns.rcode.to_text(message.rcode())
    observed: dict[str, Json] = {"server": str(reply.server), "rcode": rcode}
    if reply.over_tcp:
        observed["tcp"] = True
    if rcode != check.rcode:
        finding = Finding("rcode", check.rcode, rcode)
        return verdict("", latency_ms, findings=[finding], kind=Kind.DNS, phases_ms=phases, observed=observed)
    try:
        rows = _rows(message) if check.rcode == "NOERROR" else None
    except dns.exception.DNSException as error:
        return failed(Kind.PROTOCOL, plain(str(error)), latency_ms, phases_ms=phases, observed=observed)
    answers = sorted({_canonical(row, check.record) for row in rows or ()})
    if rows:
        observed |= {"answers": _shown(answers), "ttl": rows.ttl}
    findings = _findings(check, message, rows, answers, wanted)
    memory, warnings = _compared(check, setting, answers)
    shown = ", ".join(plain(text, 80) for text in answers[:3]) + (", …" if len(answers) > 3 else "")
    outcome = verdict(
        f"{shown or rcode} in {format_ms(latency_ms)}",
        latency_ms,
        findings=findings,
        warnings=warnings,
        warning_kind=Kind.CONTENT,
        phases_ms=phases,
        observed=observed,
        memory=memory,
    )
    slow = too_slow(latency_ms, check.warn_ms, check.crit_ms)
    if slow and (outcome.status is Status.OK or (outcome.status is Status.WARN and slow[0] is Status.FAIL)):
        status, finding = slow
        return replace(outcome, status=status, kind=Kind.SLOW, message=str(finding), findings=(finding,))
    return outcome


def _rows(message: dns.message.Message) -> dns.rrset.RRset | None:
    """Return the records that answer the question, at the end of the CNAMEs."""
    assert isinstance(message, dns.message.QueryMessage)
    return message.resolve_chaining().answer


def _findings(
    check: DnsCheck,
    message: dns.message.Message,
    rows: dns.rrset.RRset | None,
    answers: Sequence[str],
    wanted: Sequence[str],
) -> list[Finding]:
    findings: list[Finding] = []
    count = f"{len(answers)} ({_list(answers)})" if answers else "none"
    if len(answers) < check.fewest:
        findings.append(Finding(f"number of {check.record} records", f"at least {check.fewest}", count))
    if check.max_answers is not None and len(answers) > check.max_answers:
        findings.append(Finding(f"number of {check.record} records", f"at most {check.max_answers}", count))
    if check.expect and (answers or check.match != "none"):
        findings += _mismatch(check, answers, wanted)
    if check.min_ttl is not None and rows and rows.ttl < check.min_ttl:
        findings.append(Finding("TTL", f"at least {format_duration(check.min_ttl)}", format_duration(rows.ttl)))
    if check.dnssec and not message.flags & dns.flags.AD:
        findings.append(Finding("DNSSEC", "validated (AD flag)", "not validated"))
    return findings


def _mismatch(check: DnsCheck, answers: Sequence[str], wanted: Sequence[str]) -> list[Finding]:
    got, listed = set(answers), set(wanted)
    holds = {
        "all": listed <= got,
        "any": bool(listed & got),
        "only": bool(got) and got <= listed,
        "exactly": got == listed,
        "none": not listed & got,
    }[check.match]
    return [] if holds else [Finding(f"{check.record} record", f"{check.match} of {_list(wanted)}", _list(answers))]


def _list(texts: Sequence[str]) -> str:
    shown = ", ".join(plain(text, 60) for text in texts[:5])
    return (shown + (f" and {len(texts) - 5} more" if len(texts) > 5 else "")) or "none"


def _shown(answers: Sequence[str]) -> list[Json]:
    return [plain(text, 120) for text in answers[:_SHOWN]]


def _compared(
    check: DnsCheck, setting: Setting, answers: Sequence[str]
) -> tuple[dict[str, Json] | None, list[Finding]]:
    """Return what to remember, and the finding that the answers are not what was remembered."""
    if not check.changed:
        return None, []
    digest = hashlib.sha256("\n".join(answers).encode()).hexdigest()
    memory: dict[str, Json] = {"target": check.target, "digest": digest, "answers": clip(_list(answers), 200)}
    before = setting.memory
    if before.get("target") != check.target or before.get("digest") == digest:
        return memory, []
    was = plain(str(before.get("answers", "")), 200)
    return memory, [Finding(f"{check.record} record", f"{was} as before", _list(answers))]


def _canonical(row: dns.rdata.Rdata, record: str) -> str:
    if record == "TXT":
        return b"".join(row.strings).decode(errors="backslashreplace")  # type: ignore[attr-defined]
    text = " ".join(re.sub(r"\.$", "", part) or part for part in row.to_text().split())
    return text if record in _CASE_COUNTS else text.lower()


def _canonical_expected(text: str, record: str) -> str:
    """Return what the file expects as `_canonical` writes it; ValueError when no such record can be it."""
    if record == "TXT" and not text.lstrip().startswith('"'):
        return text
    try:
        return _canonical(dns.rdata.from_text("IN", record, text), record)
    except (dns.exception.DNSException, ValueError) as error:
        why = plain(str(error), 80)
        raise ValueError(
            f"`expect`: {plain(text, 80)!r} is no {record} record as zone files have it ({why})"
        ) from error
