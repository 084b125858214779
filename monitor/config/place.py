"""Where Greenwall's files are: GREENWALL_CONFIG and GREENWALL_DATA, else `checks.yaml` and `data/` in this folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Place:
    """The configuration file and the data folder."""

    config: Path
    data: Path

    @classmethod
    def of(
        cls, config: Path | None = None, data: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Place:
        """Return the place as asked for, else as the environment says, else the default."""
        variables = os.environ if environment is None else environment
        config = (config or Path(variables.get("GREENWALL_CONFIG") or "checks.yaml")).resolve()
        chosen = data or (Path(variables["GREENWALL_DATA"]) if variables.get("GREENWALL_DATA") else None)
        return cls(config, (chosen or config.parent / "data").resolve())

    @property
    def state(self) -> Path:
        return self.data / "state.json"

    @property
    def results(self) -> Path:
        return self.data / "results"

    @property
    def alerts(self) -> Path:
        return self.data / "alerts.jsonl"

    @property
    def silences(self) -> Path:
        return self.data / "silences.jsonl"

    @property
    def audit(self) -> Path:
        return self.data / "audit.jsonl"

    @property
    def inbox(self) -> Path:
        return self.data / "inbox"
