"""`data/inbox/`: commands that wait for the checker. Anybody drops one in (write, rename); the checker takes it.

The file name begins with the time, so that commands are applied in the order in which they came.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import orjson

from monitor.history.jsonl import to_line
from monitor.model import Json
from monitor.units import from_rfc3339, to_rfc3339

log = logging.getLogger(__name__)
_TO_DO = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "Free space there"),
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "See who owns it"),
}


class Verb(StrEnum):
    RUN = "run"
    PAUSE = "pause"
    RESUME = "resume"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    SUPPRESS = "suppress"
    ALERT = "alert"
    REPORT = "report"
    SILENCE = "silence"
    END_SILENCE = "end_silence"
    TEST = "test"
    REMEDY = "remedy"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Command:
    """One thing to do. `target` is a check's name, an alert's id, or a resource for an alert by hand."""

    verb: Verb
    target: str
    by: str
    at: datetime
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    options: Mapping[str, Json] = field(default_factory=dict)


class NotWritten(OSError):
    """The command cannot be left; its text says where, why, and what to do."""

    def __str__(self) -> str:
        to_do = _TO_DO.get(self.errno or 0, "Mend that")
        where = f"{self.filename}: {self.strerror}"
        return f"the command cannot be written to {where}; nothing was done. {to_do}, then try again"


def drop(folder: Path, command: Command) -> None:
    """Leave the command for the checker; NotWritten when the folder cannot be written."""
    name = f"{command.at:%Y%m%dT%H%M%S%f}-{command.id}"
    part = folder / f".{name}.part"
    text = to_line(
        {
            "verb": command.verb.value,
            "target": command.target,
            "by": command.by,
            "at": to_rfc3339(command.at),
            "id": command.id,
            "options": dict(command.options),
        }
    )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        part.write_bytes(text)
        part.replace(folder / f"{name}.json")
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise NotWritten(error.errno, error.strerror, str(folder)) from error


def waiting(folder: Path) -> Iterator[tuple[Path, Command]]:
    """Yield the commands that wait, oldest first; a file that is none is set aside as `.bad`."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.name.endswith(".json"))
    except FileNotFoundError:
        return
    for name in names:
        path = folder / name
        try:
            yield path, _parse(path.read_bytes())
        except FileNotFoundError:
            continue
        except (KeyError, TypeError, ValueError, OSError) as error:
            log.warning("inbox: set %s aside, it is no command: %s", name, error)
            with contextlib.suppress(OSError):  # who may not rename it either looks at it again the next time
                path.replace(path.with_suffix(".bad"))


def _parse(text: bytes) -> Command:
    fields = orjson.loads(text)
    return Command(
        verb=Verb(fields["verb"]),
        target=str(fields["target"]),
        by=str(fields["by"]),
        at=from_rfc3339(fields["at"]),
        id=str(fields["id"]),
        options=dict(fields.get("options") or {}),
    )
