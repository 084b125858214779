"""The verdicts that every kind gives: all is well, an assertion failed, it is slow, it is not configured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.units import clip, format_ms

SHOWN_FINDINGS = 3


def describe(findings: Sequence[Finding]) -> str:
    """Return the first findings as one sentence."""
    text = "; ".join(map(str, findings[:SHOWN_FINDINGS]))
    more = len(findings) - SHOWN_FINDINGS
    return clip(text, 400) + (f"; and {more} more" if more > 0 else "")


def verdict(
    message: str,
    latency_ms: float | None = None,
    *,
    findings: Sequence[Finding] = (),
    kind: Kind = Kind.CONTENT,
    warnings: Sequence[Finding] = (),
    warning_kind: Kind = Kind.RESOURCE,
    phases_ms: Mapping[str, float] | None = None,
    code: int | None = None,
    observed: Mapping[str, Json] | None = None,
    memory: Mapping[str, Json] | None = None,
) -> Outcome:
    """Return FAIL with `kind` when there are findings, WARN when there are only warnings, else OK with `message`."""
    status: Status = Status.OK
    why: Kind | None = None
    if findings:
        status, why, message = Status.FAIL, kind, describe(findings)
    elif warnings:
        status, why, message = Status.WARN, warning_kind, describe(warnings)
    return Outcome(
        status,
        why,
        message,
        latency_ms,
        phases_ms or {},
        code,
        tuple(findings or warnings),
        observed or {},
        memory,
    )


def failed(
    kind: Kind,
    message: str,
    latency_ms: float | None = None,
    *,
    phases_ms: Mapping[str, float] | None = None,
    findings: Sequence[Finding] = (),
    observed: Mapping[str, Json] | None = None,
) -> Outcome:
    """Return the verdict when there was nothing to judge: FAIL, or UNKNOWN when the fault is our own."""
    status = Status.UNKNOWN if kind in (Kind.INTERNAL, Kind.UNCONFIGURED, Kind.VANTAGE) else Status.FAIL
    return Outcome(
        status, kind, message, latency_ms, phases_ms or {}, findings=tuple(findings), observed=observed or {}
    )


def unconfigured(message: str) -> Outcome:
    """Return UNKNOWN/unconfigured; the message says what to set or install."""
    return Outcome(Status.UNKNOWN, Kind.UNCONFIGURED, message)


def too_slow(
    latency_ms: float, warn_ms: float | None, crit_ms: float | None, what: str = "latency"
) -> tuple[Status, Finding] | None:
    """Return FAIL or WARN with the finding when the latency is above `crit_ms` or `warn_ms`."""
    return above(latency_ms, warn_ms, crit_ms, what, format_ms)


def above(
    value: float, warn: float | None, crit: float | None, what: str, show: Callable[[float], str], got: str = ""
) -> tuple[Status, Finding] | None:
    """Return FAIL or WARN with the finding when the value is above `crit` or `warn`; `got` is how it is shown."""
    for limit, status in ((crit, Status.FAIL), (warn, Status.WARN)):
        if limit is not None and value > limit:
            return status, Finding(what, f"at most {show(limit)}", got or show(value))
    return None


class ProbeFailed(Exception):
    """There is nothing to judge: why, as a kind and a sentence, and how far it came.

    `chain` holds the certificates that came when they were refused; `code` is that of an answer that says no, and
    `findings` what was expected in its place.
    """

    def __init__(
        self,
        kind: Kind,
        message: str,
        phases_ms: Mapping[str, float] | None = None,
        address: str = "",
        chain: tuple[bytes, ...] = (),
        code: int | None = None,
        findings: Sequence[Finding] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.phases_ms = dict(phases_ms or {})
        self.address = address
        self.chain = chain
        self.code = code
        self.findings = tuple(findings)

    def outcome(self, observed: Mapping[str, Json] | None = None) -> Outcome:
        """Return the verdict: FAIL of this kind, or UNKNOWN when the fault is our own."""
        seen: dict[str, Json] = {"address": self.address} if self.address else {}
        phases = self.phases_ms
        seen |= observed or {}
        outcome = failed(
            self.kind, self.message, phases.get("total"), phases_ms=phases, findings=self.findings, observed=seen
        )
        return replace(outcome, code=self.code)
