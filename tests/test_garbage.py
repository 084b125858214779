"""The garbage collector is paused as long as anyone wants it, and what has settled is released again."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from monitor import garbage


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    assert gc.isenabled()
    yield
    gc.unfreeze()
    gc.enable()


def test_collections_are_held_back_until_the_last_of_two_threads_is_done() -> None:
    inside, leave = threading.Event(), threading.Event()

    def other() -> None:
        with garbage.paused():
            inside.set()
            leave.wait(60)

    with garbage.paused():
        thread = threading.Thread(target=other)
        thread.start()
        assert inside.wait(60)
    assert not gc.isenabled(), "the other one is not done"
    leave.set()
    thread.join(60)
    assert gc.isenabled()


def test_a_pause_ends_with_an_error_too() -> None:
    with pytest.raises(ValueError, match="broken"), garbage.paused(), garbage.paused():
        raise ValueError("broken")
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with garbage.paused():
        pass
    assert not gc.isenabled()


def test_what_has_settled_is_not_looked_at_until_it_is_released() -> None:
    garbage.settle()
    settled = gc.get_freeze_count()
    assert settled > 1000
    garbage.settle()
    assert gc.get_freeze_count() < 2 * settled, "settled twice, counted once"
    garbage.release()
    assert gc.get_freeze_count() == 0


def test_settling_works_where_memory_cannot_be_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Other:
        """A C library other than glibc."""

    monkeypatch.setattr(garbage.ctypes, "CDLL", lambda _name: Other())
    garbage.settle()
    assert gc.get_freeze_count() > 0
