"""Publishes `state.json`, in a thread of its own: a slow disk delays what people see, never what is checked."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from monitor.checker.watched import Watched, entries
from monitor.history.snapshot import Snapshot, entry_json, replace_file, snapshot_json


class Publisher:
    """Keeps each check's JSON until the check changes, and writes one snapshot at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="publish")
        self._fragments: dict[str, bytes] = {}
        self._names: Iterable[str] = ()
        self._last: Future[None] | None = None

    @property
    def is_busy(self) -> bool:
        return self._last is not None and not self._last.done()

    @property
    def trouble(self) -> OSError | None:
        """Why the last snapshot could not be written; None when it could, or is still on its way."""
        error = self._last.exception() if self._last is not None and self._last.done() else None
        return error if isinstance(error, OSError) else None

    def publish(self, snapshot: Snapshot, names: Iterable[str], changed: Iterable[Watched]) -> None:
        """Write the snapshot with the checks `names`, of which `changed` are new since the last one."""
        for entry in entries(changed):
            self._fragments[entry.name] = entry_json(entry)
        if names is not self._names:
            # Another configuration: its checks in its order, and none that is gone.
            self._names = names
            self._fragments = {name: self._fragments[name] for name in names}
        content = snapshot_json(snapshot, self._fragments.values())
        self._last = self._pool.submit(replace_file, self._path, content)

    def settle(self) -> None:
        """Wait until the last snapshot is written."""
        if self._last is not None:
            wait([self._last])

    def close(self) -> None:
        self.settle()
        self._pool.shutdown(wait=False)
