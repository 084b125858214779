"""A checker as its users run it, without pages, in a process of its own, and what it leaves on disk."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from monitor.alerts import AlertBook, AlertEvent
from tests.conftest import ROOT, environment
from tests.make import events_in


class Headless:
    """A checker as its users run it, without pages."""

    def __init__(self, folder: Path) -> None:
        self.alerts, self._state = folder / "data" / "alerts.jsonl", folder / "data" / "state.json"

    def state(self) -> dict[str, Any]:
        return dict(json.loads(self._state.read_bytes())) if self._state.exists() else {"checks": {}}

    def statuses(self) -> Counter[str]:
        return Counter(check["status"] for check in self.state()["checks"].values())

    def lateness_s(self) -> float:
        """Return the 99th percentile of how late checks start."""
        return float(self.state()["checker"]["lateness_s"][1])

    def events(self) -> list[AlertEvent]:
        return events_in(self.alerts)

    def book(self) -> AlertBook:
        return AlertBook(self.events())


@contextmanager
def headless(folder: Path, config: str, *arguments: str, **variables: str) -> Iterator[Headless]:
    (folder / "checks.yaml").write_text(config)
    command = [sys.executable, "-m", "monitor", "run", *arguments]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=ROOT, env=environment(folder, **variables), stdout=log, stderr=log) as process,
    ):
        try:
            yield Headless(folder)
        finally:
            process.terminate()
