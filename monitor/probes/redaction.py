"""Takes secrets out of what a probe saw, before it goes anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from monitor.model import Outcome


def redacted(redact: Callable[[str], str], outcome: Outcome) -> Outcome:
    """Return the outcome with secrets taken out of every text in it."""
    findings = tuple(replace(f, got=redact(f.got), expected=redact(f.expected)) for f in outcome.findings)
    observed = {key: redact(value) if isinstance(value, str) else value for key, value in outcome.observed.items()}
    return replace(outcome, message=redact(outcome.message), findings=findings, observed=observed)
