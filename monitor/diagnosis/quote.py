"""How texts that are not ours are shown, and times and verdicts in words. Pure.

A text of a target stands on one line, cut, redacted, in straight double quotes that it cannot close.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from monitor.model import Json, Kind, Status
from monitor.units import from_rfc3339, plain

Redact = Callable[[str], str]
_CUT = "…"


@dataclass(frozen=True, slots=True)
class Quote:
    """Shows texts that are not ours, and times in the zone of the pages."""

    redact: Redact
    timezone: str = "UTC"

    def __call__(self, text: object, limit: int = 60) -> str:
        """Return the text in double quotes, in at most about `limit` bytes."""
        return '"' + self.bare(text, limit).replace('"', "'") + '"'

    def bare(self, text: object, limit: int = 60) -> str:
        """Return the text on one line, redacted and cut, for a place that cannot be closed from within."""
        # Redact before cutting: half a secret is not recognised.
        one_line = plain(self.redact(str(text)), limit)
        raw = one_line.encode()
        return one_line if len(raw) <= limit else raw[: limit - 3].decode(errors="ignore") + _CUT

    def at(self, time: datetime) -> str:
        """Return `2026-11-21 15:03:07 CET`."""
        return f"{self.local(time):%Y-%m-%d %H:%M:%S %Z}"

    def moment(self, text: Json) -> Json:
        """Return the text of a time as one of the zone; any other as it is."""
        try:
            return self.at(from_rfc3339(text)) if isinstance(text, str) else text
        except (ValueError, OverflowError):
            return text

    def local(self, time: datetime) -> datetime:
        """Return the time in the zone of the pages."""
        return time.astimezone(ZoneInfo(self.timezone))


def verdict(status: Status | None, kind: Kind | None) -> str:
    """Return `FAIL (content)`."""
    return f"{status or 'unknown'}" + (f" ({kind})" if kind else "")
