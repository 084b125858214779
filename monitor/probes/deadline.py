"""How long a probe may take, by a clock that nobody sets. Made when the probe begins."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Deadline:
    """`began` and `ends_at` are monotonic seconds."""

    timeout_s: float
    began: float = field(default_factory=time.monotonic)

    @property
    def ends_at(self) -> float:
        return self.began + self.timeout_s

    @property
    def left_s(self) -> float:
        """Seconds that are left, 0 or more."""
        return max(self.ends_at - time.monotonic(), 0.0)

    @property
    def left_as_timeout_s(self) -> float:
        """Seconds that are left, above 0: to sockets and libraries a time-out of 0 means something else."""
        return max(self.left_s, 0.001)

    @property
    def elapsed_ms(self) -> float:
        return (time.monotonic() - self.began) * 1000
