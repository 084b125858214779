"""The word by which a reader calls the Python that Greenwall runs on: where its packages are."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

_NAMES = ("python", "python3")


def python() -> str:
    """Return `python` where that is it, else its name on PATH or its path below here; never that of the machine."""
    # Not resolved: in a virtual environment it is a link to an interpreter that has none of the packages.
    own = Path(sys.executable)
    for name in dict.fromkeys((*_NAMES, own.name)):
        found = shutil.which(name)
        if found and Path(found).parent.resolve() == own.parent.resolve():
            return name
    here = Path.cwd()
    return own.relative_to(here).as_posix() if own.is_relative_to(here) else _NAMES[0]
