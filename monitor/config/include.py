"""Which files `include:` names, and whether any file that was read has changed since.

    pattern (file, folder, glob) -> its files, sorted          Sources: files as they were just before they were read

Called by `loading`, and by whoever reads again when something changes. Reads folders, not files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

SUFFIXES = (".yaml", ".yml")
_MAGIC = set("*?[")
Stamp = tuple[str, int, int, int]


def find(pattern: str, main: Path) -> list[Path]:
    """Return the files that `pattern`, relative to the folder of `main`, stands for; ValueError when there is none.

    Of a folder and a glob it is the *.yaml and *.yml files, sorted, without hidden ones and `main` itself. `**` does
    not follow links to folders, so that a circle of them has an end.
    """
    path = main.parent / pattern
    if path.is_dir():
        found = _wanted(list(path.iterdir()), path, main)
        what = f"the folder {pattern!r}"
    elif os.path.lexists(path):
        if path.suffix not in SUFFIXES:
            raise ValueError(f"expected a .yaml or .yml file, a folder or a pattern, got {pattern!r}")
        return [path]
    elif _MAGIC & set(pattern):
        root, rest = _split(path)
        found = _wanted(list(root.glob(rest)) if root.is_dir() else [], root, main)
        what = f"what the pattern {pattern!r} matches"
    else:
        raise ValueError(f"expected a file, a folder or a pattern, got {pattern!r}, which is not there")
    if not found:
        raise ValueError(f"expected .yaml or .yml files in {what}, got none")
    return found


def _split(path: Path) -> tuple[Path, str]:
    """Return the folder before the first part with a wildcard, and the rest."""
    first = next(index for index, part in enumerate(path.parts) if _MAGIC & set(part))
    return Path(*path.parts[:first]), os.path.join(*path.parts[first:])  # noqa: PTH118  (a pattern, not a path)


def _wanted(paths: list[Path], root: Path, main: Path) -> list[Path]:
    own = os.path.realpath(main)
    return sorted(
        path
        for path in paths
        if path.suffix in SUFFIXES
        and not any(part.startswith((".", "#", "~")) for part in path.relative_to(root).parts)
        and not path.is_dir()
        and os.path.realpath(path) != own
    )


def label_of(path: Path, main: Path) -> str:
    """Return the file's name in messages: as seen from the folder of `main`, when it lies in there."""
    return str(path.relative_to(main.parent)) if path.is_relative_to(main.parent) else str(path)


@dataclass(frozen=True)
class Sources:
    """What a configuration is read from: the file, `.env` beside it, and what its `include:` names."""

    main: Path
    stamps: frozenset[Stamp]
    patterns: tuple[str, ...] = ()
    included: tuple[Path, ...] = ()

    @classmethod
    def of(cls, main: Path) -> Sources:
        """Return them as they are now; to be called before anything is read."""
        return cls(main, _stamps([main, main.parent / ".env"]))

    def including(self, patterns: Iterable[str]) -> Sources:
        """Return these and, as they are now, the files of `patterns`, each once; patterns without one are left out."""
        patterns = tuple(patterns)
        found: dict[str, Path] = {}
        for pattern in patterns:
            try:
                for path in find(pattern, self.main):
                    found.setdefault(os.path.realpath(path), path)
            except (ValueError, OSError):  # said by whoever reads them; it may be there the next time
                continue
        paths = tuple(found.values())
        return replace(self, stamps=self.stamps | _stamps(paths), patterns=patterns, included=paths)

    @property
    def files(self) -> tuple[Path, ...]:
        return (self.main, *self.included)

    def have_changed(self) -> bool:
        """Return whether a file was edited, came or went since."""
        return Sources.of(self.main).including(self.patterns).stamps != self.stamps


def _stamps(paths: Iterable[Path]) -> frozenset[Stamp]:
    stamps = set()
    for path in paths:
        try:
            stat = path.stat()
            stamps.add((str(path), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        except OSError:
            stamps.add((str(path), 0, 0, 0))
    return frozenset(stamps)
