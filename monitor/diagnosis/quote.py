"""How texts that are not ours are shown, and times and verdicts in words. Pure.

A text of a target stands on one line, cut, redacted, in straight double quotes that it cannot close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from monitor.model import Kind, Status
from monitor.units import plain

Redact = Callable[[str], str]
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Quote:
    """Shows texts that are not ours."""

    redact: Redact

    def __call__(self, text: object, limit: int = 60) -> str:
        """Return the text in double quotes, in at most about `limit` bytes."""
        return '"' + self.bare(text, limit).replace('"', "'") + '"'

    def bare(self, text: object, limit: int = 60) -> str:
        """Return the text on one line, redacted and cut, for a place that cannot be closed from within."""
        # Redact before cutting: half a secret is not recognised.
        one_line = plain(self.redact(str(text)), limit)
        raw = one_line.encode()
        return one_line if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore") + _CUT


def at(time: datetime) -> str:
    """Return `2026-11-21 14:03:07 UTC`."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def verdict(status: Status | None, kind: Kind | None) -> str:
    """Return `FAIL (content)`."""
    return f"{status or 'unknown'}" + (f" ({kind})" if kind else "")
