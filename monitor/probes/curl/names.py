"""Looks names up for all kinds, as the system does (`getaddrinfo`: hosts file, search domains, everything).

libcurl would do it in twenty threads for all: two hundred names that hang would keep a thousand good ones from theirs.
Here a name that was slow the last time waits in a lane of its own, and who asks for the same name shares its answer.

    look_up(host, done) ─▶ on its way already: share │ slow the last time: slow lane │ quick lane ─▶ done(found)
"""

from __future__ import annotations

import errno
import queue
import socket
import threading
import time
from collections.abc import Callable

from monitor.config.endpoint import is_address

Found = Callable[["list[str] | OSError"], None]
# Threads come only when all others are busy, so that this many exist only while many names hang.
_QUICK_LANES = 256
_SLOW_LANES = 16
_SLOW_S = 1.0
_KEPT_SLOW = 10_000
_IDLE_S = 10.0


def is_name(host: str) -> bool:
    """Return whether the host needs a look-up: it is no address, and not `localhost` or below it (RFC 6761)."""
    if f".{host.lower().rstrip('.')}".endswith(".localhost"):
        return False
    return not is_address(host)


class _Lane:
    """Daemon threads that come when all are busy and go when there is nothing to do.

    Not an executor: those wait, when the process ends, for a look-up that hangs.
    """

    def __init__(self, name: str, most: int, work: Callable[[str], None]) -> None:
        self._name, self._most, self._work = name, most, work
        self._hosts: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._busy = 0

    def submit(self, host: str) -> None:
        """Have the host looked up; RuntimeError when there is no thread for it and none can be had."""
        with self._lock:
            self._busy += 1
            is_short = self._busy > self._threads and self._threads < self._most
            self._threads += is_short
        if is_short:
            self._start()
        self._hosts.put(host)

    def _start(self) -> None:
        try:
            threading.Thread(target=self._live, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._threads -= 1
                # Those that are there will come to it.
                if not self._threads:
                    self._busy -= 1
                    raise

    def _live(self) -> None:
        while True:
            try:
                host = self._hosts.get(timeout=_IDLE_S)
            except queue.Empty:
                with self._lock:
                    if self._busy >= self._threads:
                        continue
                    self._threads -= 1
                return
            try:
                self._work(host)
            finally:
                with self._lock:
                    self._busy -= 1


class Names:
    """Looks names up in threads; `done` is called from one of them."""

    def __init__(self) -> None:
        self._quick = _Lane("name", _QUICK_LANES, self._ask)
        self._slow = _Lane("slow-name", _SLOW_LANES, self._ask)
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Found]] = {}
        self._was_slow: dict[str, None] = {}

    def look_up(self, host: str, done: Found) -> None:
        """Have `done` called with the addresses in the order in which they are to be tried, or with the error."""
        with self._lock:
            if host in self._waiting:
                self._waiting[host].append(done)
                return
            self._waiting[host] = [done]
            lane = self._slow if host in self._was_slow else self._quick
        try:
            lane.submit(host)
        except RuntimeError as error:
            self._tell(host, OSError(errno.ENOMEM, str(error)))

    def _tell(self, host: str, found: list[str] | OSError) -> None:
        with self._lock:
            waiting = self._waiting.pop(host)
        for done in waiting:
            done(found)

    def _ask(self, host: str) -> None:
        began = time.monotonic()
        found = _addresses(host)
        slow = time.monotonic() - began > _SLOW_S
        with self._lock:
            if slow and len(self._was_slow) < _KEPT_SLOW:
                self._was_slow[host] = None
            elif not slow:
                self._was_slow.pop(host, None)
        self._tell(host, found)


def _addresses(host: str) -> list[str] | OSError:
    try:
        rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        return OSError(socket.EAI_NONAME, str(error))
    except OSError as error:
        return error
    addresses = dict.fromkeys(str(row[4][0]).partition("%")[0] for row in rows)
    return [f"[{address}]" if ":" in address else address for address in addresses]
