"""Python's garbage collector, of which the process has one: for all who make much that stays.

    paused()   while thousands of objects come that are all kept: looking through them again and again is for nothing
    settle()   what lives now goes on living: no later round looks at it, and freed memory goes back to the system
    release()  it may be garbage again

Streamlit collects after every run of a script: with what is loaded settled, that costs a tenth.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_pauses = 0
_was_on = True


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Hold collections back until the last one of those who asked for it, in whatever thread, is done."""
    _pause()
    try:
        yield
    finally:
        _resume()


def _pause() -> None:
    global _pauses, _was_on
    with _lock:
        if _pauses == 0:
            _was_on = gc.isenabled()
            gc.disable()
        _pauses += 1


def _resume() -> None:
    global _pauses
    with _lock:
        _pauses -= 1
        if _pauses == 0 and _was_on:
            gc.enable()


def settle() -> None:
    """Collect once, keep what is left out of later rounds, and hand back memory that is free."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    # Reading a large file leaves holes that glibc keeps for itself; other C libraries have no such call.
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def release() -> None:
    """Let everything that was settled be looked at again."""
    gc.unfreeze()


# Extension modules report as leaked what is still settled when Python takes itself apart.
atexit.register(release)
