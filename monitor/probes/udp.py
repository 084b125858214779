"""The `udp` kind: a datagram goes out, and the first one that comes back is judged."""

from __future__ import annotations

import time
from dataclasses import dataclass

from monitor.config.endpoint import unescape
from monitor.config.kinds.udp import UdpCheck
from monitor.config.pattern import compile_pattern
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.datagram import Datagrams
from monitor.probes.resolve import resolve
from monitor.probes.setting import Setting
from monitor.probes.textrules import shown
from monitor.probes.verdict import ProbeFailed, failed, too_slow, verdict
from monitor.units import format_duration, format_ms, plain

_SEND_AGAIN_S = 2.0
# A refusal comes back as fast as an answer would.
_REFUSED_WITHIN_S = 1.0


@dataclass(slots=True)
class _Course:
    """How far the probe came."""

    began: float
    address: str = ""
    dns_ms: float = 0.0

    @property
    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000

    @property
    def phases_ms(self) -> dict[str, float]:
        return {"dns": self.dns_ms, "total": self.elapsed_ms}

    @property
    def observed(self) -> dict[str, Json]:
        return {"address": self.address} if self.address else {}


def probe_udp(check: UdpCheck, _setting: Setting) -> Outcome:
    """Return the verdict on the answer; without an expectation only a refusal is FAIL."""
    course = _Course(time.monotonic())
    try:
        course.address = resolve(check.host, check.timeout)
        course.dns_ms = course.elapsed_ms
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
    now = time.monotonic()
    give_up_at = course.began + check.timeout
    if not check.wants_answer:
        give_up_at = min(give_up_at, now + _REFUSED_WITHIN_S)
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
    slow = too_slow(latency_ms, check.warn_ms, check.crit_ms)
    if slow:
        return Outcome(slow[0], Kind.SLOW, str(slow[1]), latency_ms, phases, None, (slow[1],), observed)
    message = f"{len(answer)} bytes in {format_ms(latency_ms)}"
    return verdict(message, latency_ms, phases_ms=phases, observed=observed)


def _findings(check: UdpCheck, answer: bytes) -> list[Finding]:
    findings = []
    if check.expect_contains is not None and unescape(check.expect_contains) not in answer:
        findings.append(Finding("answer", f"containing {plain(check.expect_contains, 80)!r}", shown(answer)))
    if check.expect_hex is not None and bytes.fromhex(check.expect_hex) not in answer:
        findings.append(Finding("answer", f"containing the bytes {check.expect_hex[:80]}", answer[:20].hex(" ")))
    if check.expect_matches is not None and not compile_pattern(check.expect_matches).search(_as_text(answer)):
        findings.append(Finding("answer", f"matching {plain(check.expect_matches, 80)!r}", shown(answer)))
    return findings


def _as_text(answer: bytes) -> str:
    try:
        return answer.decode()
    except UnicodeDecodeError:
        return answer.decode("latin-1")
