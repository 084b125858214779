"""What took too long is not well, however well it ended."""

from __future__ import annotations

from dataclasses import replace

from monitor.model import Kind, Outcome, Status
from monitor.probes.verdict import describe, too_slow


def in_time(outcome: Outcome, warn_ms: float | None, crit_ms: float | None) -> Outcome:
    """Return the outcome, or that it was slow where this is worse."""
    if outcome.latency_ms is None or outcome.status in (Status.FAIL, Status.UNKNOWN):
        return outcome
    slow = too_slow(outcome.latency_ms, warn_ms, crit_ms)
    if slow is None or slow[0] is outcome.status:
        return outcome
    findings = (slow[1], *outcome.findings)
    return replace(outcome, status=slow[0], kind=Kind.SLOW, message=describe(findings), findings=findings)
