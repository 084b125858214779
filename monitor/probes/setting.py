"""Where a probe stands: what it may know of its surroundings. Picklable."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """`folder` is that of `checks.yaml`, for relative paths; `timezone` the IANA name for times of day."""

    folder: Path
    timezone: str = "UTC"
