"""What a peer is to say next, and what it said last: the words for the moment when it falls silent or hangs up."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.units import format_duration

_ANYTHING = "answer"


@dataclass(slots=True)
class Awaited:
    """What is waited for, such as "answer to EHLO". `said` is what came last before, harmless and short."""

    what: str = _ANYTHING
    said: str = ""
    has_begun: bool = False

    def silence(self, timeout_s: float) -> str:
        """Return what did not come within the time."""
        within = f"within {format_duration(timeout_s)}"
        if self.has_begun:
            return f"the {self.what} began but did not end {within}"
        if self.said:
            return f"no {self.what} {within}; the server had said {self.said}"
        return f"connected, but no {self.what} {within}"

    @property
    def before(self) -> str:
        """Where the talk ended too early, to be put behind the words that say so."""
        return "" if self.what == _ANYTHING else f" before its {self.what}"
