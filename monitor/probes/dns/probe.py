"""Judge what a name server answers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset

from monitor.config.kinds.dns import DnsCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.deadline import Deadline
from monitor.probes.dns.asking import Reply, ask_in_turn, question_of, servers_of
from monitor.probes.dns.records import canonical, canonical_expected
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.verdict import ProbeFailed, failed, unconfigured, verdict
from monitor.units import clip, format_duration, format_ms, plain

_SHOWN = 10
# Before one record that is expected, and before several.
_WORDS = {
    "all": ("", "all of "),
    "any": ("", "one of "),
    "only": ("nothing but ", "nothing but "),
    "exactly": ("exactly ", "exactly "),
    "none": ("not ", "none of "),
}


def probe_dns(check: DnsCheck, setting: Setting) -> Outcome:
    """Return the verdict on the first server that answers: FAIL when any assertion does not hold."""
    try:
        servers = servers_of(check)
        question = question_of(check)
        wanted = [canonical_expected(text, check.record) for text in check.expect]
    except dns.resolver.NoResolverConfiguration:
        return unconfigured("no name server in /etc/resolv.conf; set `resolver`")
    except (dns.exception.DNSException, UnicodeError) as error:
        return unconfigured(f"{plain(check.query, 100)} cannot be asked for: {plain(str(error), 100)}")
    except ValueError as error:
        return unconfigured(str(error))
    deadline = Deadline(check.timeout)
    try:
        reply = ask_in_turn(check, question, servers, deadline)
    except ProbeFailed as silent:
        total_ms = deadline.elapsed_ms
        return failed(silent.kind, silent.message, total_ms, phases_ms={"total": total_ms})
    return _judge(check, setting, reply, wanted, deadline.elapsed_ms)


def _judge(check: DnsCheck, setting: Setting, reply: Reply, wanted: Sequence[str], latency_ms: float) -> Outcome:
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
    answers = sorted({canonical(row, check.record) for row in rows or ()})
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
    return in_time(outcome, check.warn_ms, check.crit_ms)


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
    return [] if holds else [Finding(f"{check.record} record", _wanted(check, wanted), _list(answers))]


def _wanted(check: DnsCheck, wanted: Sequence[str]) -> str:
    return _WORDS[check.match][len(wanted) > 1] + _list(wanted)


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
