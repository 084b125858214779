"""The checker's life: take the lock and lead, or follow; start again after a fault.

start() ─▶ thread ─▶ follower: lock is taken, wait ─▶ leader: see `engine` ─▶ stop()
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from filelock import FileLock, Timeout

from monitor.checker.engine import Leader
from monitor.config import ConfigFile

log = logging.getLogger(__name__)
LOCK = "checker.lock"
LOCK_RETRY_S = 2.0


def is_led(data: Path) -> bool:
    """Return whether a checker holds this data folder now. Its last heartbeat tells less: it may just have ended."""
    if not data.is_dir():
        return False
    lock = FileLock(data / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        return True
    lock.release()
    return False


class Checker:
    """The one checker of a data folder. `start` and `stop` are for the owner; all else is its own thread's."""

    def __init__(
        self, file: ConfigFile, data: Path | None = None, start_demo: bool = True, deliver_only: bool = False
    ) -> None:
        """`deliver_only`: carry out commands and deliver messages, but start no check by its schedule."""
        self.file = file
        self.data = (data or file.path.parent / "data").resolve()
        self._start_demo = start_demo
        self._deliver_only = deliver_only
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.role = "starting"
        self.ready = threading.Event()

    def start(self) -> None:
        """Start the thread; ConfigError when there is no configuration to begin with."""
        self.data.mkdir(parents=True, exist_ok=True)
        self.file.read()
        self._thread = threading.Thread(target=self._live, name="checker", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Ask the thread to end and wait for it: what is known is on disk afterwards. Callable twice."""
        self._stopping.set()
        if self._thread:
            self._thread.join(timeout_s)

    def _live(self) -> None:
        lock = FileLock(self.data / LOCK, timeout=0)
        while not self._stopping.is_set():
            try:
                lock.acquire()
            except Timeout:
                if self.role != "follower":
                    log.warning("another checker holds %s: this one follows and shows", lock.lock_file)
                self.role = "follower"
                self.ready.set()
                self._stopping.wait(LOCK_RETRY_S)
                continue
            except OSError:
                log.exception("the lock %s cannot be taken: check who owns the data folder", lock.lock_file)
                self.role = "locked out"
                self._stopping.wait(LOCK_RETRY_S)
                continue
            try:
                self.role = "leader"
                leader = Leader(self.file, self.data, self._start_demo, self._deliver_only)
                leader.run(self._stopping, self.ready.set)
            except Exception:  # the edge of the thread: say so, let go of the lock, try again
                log.exception("the checker broke and starts again")
                self._stopping.wait(LOCK_RETRY_S)
            finally:
                lock.release()
