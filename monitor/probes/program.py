"""Runs a program with a deadline and bounded output, and leaves nothing of it behind. No shell.

    start in a session of its own ─▶ read stdout and stderr ─▶ it ends, or its time is up: SIGTERM ─▶ SIGKILL
                                                            └▶ what is left of its process group: SIGKILL

It ends when the program ends, not when its output does: a grandchild may hold that open for ever. A grandchild that
made a session of its own (a daemon) is left alone.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from monitor.probes.bounded import within

KEPT_BYTES = 64 * 1024
# A program that writes more than this is ended: reading it until the deadline would keep a processor busy.
FLOOD_BYTES = 16 * 1024 * 1024
_PIECE_BYTES = 64 * 1024
_LOOK_S = 0.02
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a run. `code` is the exit code, the negative number of the signal that ended it, or None: it was
    ended here, because its time was up or (`flooded`) for writing without end.

    `output` and `errors` are the first KEPT_BYTES of stdout and stderr; `cut`: stdout was longer.
    """

    code: int | None
    output: bytes
    errors: bytes
    cut: bool
    flooded: bool
    latency_ms: float


def clean_environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return PATH, HOME and LANG of this process and `more`: nothing else, for it may be secret."""
    kept = {name: value for name in ("PATH", "HOME", "LANG") if (value := os.environ.get(name))}
    return {"PATH": _PATH, **kept, **(more or {})}


def run_program(
    argv: Sequence[str], timeout_s: float, environment: Mapping[str, str], cwd: Path | None = None
) -> Ended:
    """Return what came of the program, by the deadline.

    Raises OSError when it cannot be started, and Hanging when the system does not let go of it: it, or the folder that
    it is started in, is on a mount that is dead.
    """
    # What is left of the time is for ending it.
    end_it_s = min(0.5, timeout_s * 0.2)
    run = _Run(argv, timeout_s - end_it_s, end_it_s * 0.5, environment, cwd)
    key = ("program", tuple(argv), cwd, timeout_s, tuple(sorted(environment.items())))
    return within(key, run, timeout_s)


@dataclass
class _Run:
    argv: Sequence[str]
    timeout_s: float
    grace_s: float
    environment: Mapping[str, str]
    cwd: Path | None

    def __call__(self) -> Ended:
        began = time.monotonic()
        with ExitStack() as opened:
            process = subprocess.Popen(
                list(self.argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=self.cwd,
                env=dict(self.environment),
                start_new_session=True,
            )
            opened.callback(_bury, process)
            return self._follow(process, opened, began)

    def _follow(self, process: subprocess.Popen[bytes], opened: ExitStack, began: float) -> Ended:
        assert process.stdout is not None
        assert process.stderr is not None
        output, errors = _Reader(process.stdout), _Reader(process.stderr)
        wait = opened.enter_context(_Wait(process, (output, errors)))
        ended = wait.until(began + self.timeout_s)
        latency_ms = (time.monotonic() - began) * 1000
        if not ended:
            _signal(process, signal.SIGTERM)
            wait.until(time.monotonic() + self.grace_s)
        # What it wrote before it ended may still be in the pipe.
        output.read_all()
        errors.read_all()
        _bury(process)
        code = process.returncode if ended else None
        flooded = output.is_flooded or errors.is_flooded
        return Ended(code, bytes(output.kept), bytes(errors.kept), output.seen > KEPT_BYTES, flooded, latency_ms)


class _Reader:
    """One end of a pipe: the first bytes are kept, the rest is read and dropped."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.pipe = pipe
        self.kept = bytearray()
        self.seen = 0
        os.set_blocking(pipe.fileno(), False)

    @property
    def is_flooded(self) -> bool:
        return self.seen > FLOOD_BYTES

    def read(self) -> int:
        """Return how many bytes were read, -1 when there are none now, 0 at the end."""
        try:
            piece = os.read(self.pipe.fileno(), _PIECE_BYTES)
        except BlockingIOError:
            return -1
        self.kept += piece[: max(KEPT_BYTES - self.seen, 0)]
        self.seen += len(piece)
        return len(piece)

    def read_all(self) -> None:
        # A pipe holds a megabyte at most; a grandchild may go on filling it.
        for _ in range(16):
            if self.read() <= 0:
                return


class _Wait:
    """Reads the pipes until the program has ended, which it does not reap: its number stays its own."""

    def __init__(self, process: subprocess.Popen[bytes], readers: Sequence[_Reader]) -> None:
        self._process = process
        self._readers = readers
        self._selector = selectors.DefaultSelector()
        self._ending = -1

    def __enter__(self) -> _Wait:
        for reader in self._readers:
            self._selector.register(reader.pipe, selectors.EVENT_READ, reader)
        with suppress(AttributeError, OSError):
            self._ending = os.pidfd_open(self._process.pid)
            self._selector.register(self._ending, selectors.EVENT_READ, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        if self._ending >= 0:
            os.close(self._ending)

    def until(self, give_up_at: float) -> bool:
        """Return whether the program ended; not when its time was up, or it wrote too much."""
        while not self._has_ended():
            left_s = give_up_at - time.monotonic()
            if left_s <= 0 or any(reader.is_flooded for reader in self._readers):
                return False
            # Without a descriptor for its end it is looked for now and then.
            for key, _ in self._selector.select(left_s if self._ending >= 0 else min(left_s, _LOOK_S)):
                if isinstance(key.data, _Reader) and key.data.read() == 0:
                    self._selector.unregister(key.fileobj)
        return True

    def _has_ended(self) -> bool:
        if hasattr(os, "waitid"):
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            return os.waitid(os.P_PID, self._process.pid, options) is not None
        return self._process.poll() is not None


def _signal(process: subprocess.Popen[bytes], number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _bury(process: subprocess.Popen[bytes]) -> None:
    """End its whole group, reap it and close its pipes. May hang while the system does not let go of it."""
    if process.returncode is None:
        # Not yet reaped, so that the number of the group cannot be another's by now.
        _signal(process, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
