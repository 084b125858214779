"""The `udp` kind: a datagram goes out, and the first one that comes back is judged."""

from __future__ import annotations

import time
from dataclasses import dataclass

from monitor.config.kinds.udp import UdpCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.datagram import Datagrams
from monitor.probes.deadline import Deadline
from monitor.probes.resolve import resolve
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.textrules import check_bytes
from monitor.probes.verdict import ProbeFailed, failed, verdict
from monitor.units import format_duration, format_ms, plain

_SEND_AGAIN_S = 2.0
# A refusal comes back as fast as an answer would.
_REFUSED_WITHIN_S = 1.0


@dataclass(slots=True)
class _Course:
    """How far the probe came."""

    deadline: Deadline
    address: str = ""
    dns_ms: float = 0.0

    @property
    def phases_ms(self) -> dict[str, float]:
        return {"dns": self.dns_ms, "total": self.deadline.elapsed_ms}

    @property
    def observed(self) -> dict[str, Json]:
        return {"address": self.address} if self.address else {}


def probe_udp(check: UdpCheck, _setting: Setting) -> Outcome:
    """Return the verdict on the answer; without an expectation only a refusal is FAIL."""
    course = _Course(Deadline(check.timeout))
    try:
        course.address = resolve(check.host, course.deadline)
        course.dns_ms = course.deadline.elapsed_ms
        answer = _exchange(check, course)
    except ProbeFailed as failure:
        return _failed(course, failure.kind, failure.message)
    if answer is None and check.wants_answer:
        return _failed(course, Kind.TIMEOUT, f"no answer within {format_duration(check.timeout)}")
    return _judge(check, course, answer)


def _failed(course: _Course, kind: Kind, message: str) -> Outcome:
    phases = course.phases_ms
    return failed(kind, message, phases["total"], phases_ms=phases, observed=course.observed)


def _exchange(check: UdpCheck, course: _Course) -> bytes | None:
    give_up_at = course.deadline.ends_at
    if not check.wants_answer:
        give_up_at = min(give_up_at, time.monotonic() + _REFUSED_WITHIN_S)
    again_s = min(_SEND_AGAIN_S, check.timeout / 2) if check.wants_answer else check.timeout
    with Datagrams(course.address, check.port) as datagrams:
        while (now := time.monotonic()) < give_up_at:
            datagrams.send(check.datagram)
            answer = datagrams.receive(min(now + again_s, give_up_at))
            if answer is not None:
                return answer
    return None


def _judge(check: UdpCheck, course: _Course, answer: bytes | None) -> Outcome:
    phases = course.phases_ms
    latency_ms, observed = phases["total"], course.observed
    if answer is None:
        message = f"{len(check.datagram)} bytes sent: no answer, and no refusal"
        return verdict(message, phases_ms=phases, observed=observed)
    observed["bytes"] = len(answer)
    findings = _findings(check, answer)
    if findings:
        observed["answer"] = plain(answer[:400].decode(errors="replace"), 200)
        return verdict("", latency_ms, findings=findings, phases_ms=phases, observed=observed)
    message = f"{len(answer)} bytes in {format_ms(latency_ms)}"
    outcome = verdict(message, latency_ms, phases_ms=phases, observed=observed)
    return in_time(outcome, check.warn_ms, check.crit_ms)


def _findings(check: UdpCheck, answer: bytes) -> list[Finding]:
    findings = check_bytes("answer", answer, check.expect_contains, check.expect_matches)
    if check.expect_hex is not None and bytes.fromhex(check.expect_hex) not in answer:
        findings.append(Finding("answer", f"to contain the bytes {check.expect_hex[:80]}", answer[:20].hex(" ")))
    return findings
