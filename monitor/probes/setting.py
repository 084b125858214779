"""Where a probe stands: what it may know of its surroundings. Picklable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from monitor.config import Environment, LoadedConfig
from monitor.groups import Member
from monitor.model import Json


@dataclass(frozen=True, slots=True)
class Setting:
    """`folder` is that of `checks.yaml`, for relative paths; `timezone` the IANA name for times of day.

    `data` is the data folder, `environment` where keys and passwords come from, and `memory` what the check's
    last probe returned as `Outcome.memory`: a counter that must move, a certificate that must not change. `members`
    are, for a group, what the checker knows of its members; None where no checker runs.
    """

    folder: Path
    timezone: str = "UTC"
    data: Path = Path("data")
    environment: Environment = field(default_factory=Environment)
    memory: Mapping[str, Json] = field(default_factory=dict)
    allows_commands: bool = False
    members: tuple[Member, ...] | None = None

    @classmethod
    def of(cls, loaded: LoadedConfig, data: Path) -> Setting:
        """Return where the probes of a configuration stand."""
        return cls(
            folder=loaded.folder,
            timezone=loaded.config.general.timezone,
            data=data,
            environment=loaded.environment,
            allows_commands=loaded.config.general.allow_commands,
        )

    def path_of(self, file: str | None) -> str | None:
        """Return the path of a file that a check names."""
        return _joined(self.folder, file) if file else None


# The same files are named by check after check, and again in each round.
@lru_cache(maxsize=4096)
def _joined(folder: Path, file: str) -> str:
    return str(folder / file)
