"""How long answers took: now, just before the trouble, and usually. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from monitor.model import Result, Status

SLOW_RATIO = 2.0
_SLOW_LEAST_MS = 20.0
_JUST_BEFORE = 3


@dataclass(frozen=True, slots=True)
class Latency:
    """Milliseconds: of the latest verdict, of the good ones just before the trouble, and the usual (median)."""

    now_ms: float | None = None
    just_before_ms: float | None = None
    usual_ms: float | None = None

    @property
    def rose_before(self) -> bool:
        """True when the last good answers were already much slower than usual."""
        if self.just_before_ms is None or self.usual_ms is None:
            return False
        more_ms = self.just_before_ms - self.usual_ms
        return more_ms >= _SLOW_LEAST_MS and self.just_before_ms >= SLOW_RATIO * self.usual_ms


NOT_MEASURED = Latency()


def latency_of(seen: Sequence[Result], first: int) -> Latency:
    """Return the figures of verdicts, oldest first, whose trouble begins at `first`; -1 when there is none."""
    good = [r.outcome.latency_ms for r in (seen[:first] if first >= 0 else seen) if r.status is Status.OK]
    if not good:
        good = [r.outcome.latency_ms for r in seen if r.status is Status.OK]
    figures = [ms for ms in good if ms is not None]
    before = figures[-_JUST_BEFORE:] if first > 0 and len(figures) >= 2 * _JUST_BEFORE else []
    usual = figures[:-_JUST_BEFORE] if before else figures
    return Latency(
        now_ms=seen[-1].outcome.latency_ms if seen else None,
        just_before_ms=statistics.median(before) if before else None,
        usual_ms=statistics.median(usual) if usual else None,
    )
