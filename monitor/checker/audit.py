"""What is said of Greenwall itself: who did what (`data/audit.jsonl`), and what is wrong with it now."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

from monitor.history.jsonl import JsonlWriter, to_line
from monitor.history.snapshot import Notice
from monitor.model import Json
from monitor.units import to_rfc3339, utc_now

log = logging.getLogger(__name__)


class Troubles:
    """Troubles that pages show, each as long as it lasts."""

    def __init__(self) -> None:
        self._notices: dict[str, Notice] = {}

    @property
    def notices(self) -> Iterable[Notice]:
        return self._notices.values()

    def say(self, key: str, notice: Notice) -> None:
        self._notices[key] = notice

    def own(self, key: str, text: str, error: OSError) -> None:
        """Say that something of Greenwall's own does not work; the log gets it when it begins."""
        if key not in self._notices:
            log.error("%s: %s", text, error)
        self._notices[key] = Notice("error", f"Greenwall's own trouble: {text}", (str(error),))

    def over(self, key: str) -> bool:
        """Say it no longer; return whether it was said."""
        return self._notices.pop(key, None) is not None


class Audit:
    """Appends to `audit.jsonl`. That it cannot be written stops nothing, and is said."""

    def __init__(self, path: Path, troubles: Troubles) -> None:
        self._writer = JsonlWriter(path, fsync=True)
        self._troubles = troubles

    def note(self, action: str, target: str, by: str, detail: str, ok: bool = True, command: str = "") -> None:
        line: dict[str, Json] = {
            "at": to_rfc3339(utc_now()),
            "by": by,
            "action": action,
            "target": target,
            "ok": ok,
            "detail": detail,
            "command": command,
        }
        try:
            self._writer.append([to_line(line)])
        except OSError as error:
            self._troubles.own("audit", "the audit file cannot be written", error)

    def close(self) -> None:
        self._writer.close()
