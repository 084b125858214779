"""The uptime of the day in the checker: the day before is read once for each check that needs it."""

from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from datetime import datetime
from pathlib import Path

import pytest

from monitor.checker import uptimes as uptimes_module
from monitor.checker.loop import Loop
from monitor.checker.uptimes import Uptimes
from monitor.history import child
from monitor.model import Status
from monitor.units import utc_now
from tests.make import result

OK, FAIL = Status.OK, Status.FAIL


class Now:
    """An executor that does at once what it is given, and counts it."""

    def __init__(self) -> None:
        self.done = 0

    def submit(self, work, *arguments):  # type: ignore[no-untyped-def]
        self.done += 1
        future: Future[object] = Future()
        future.set_result(work(*arguments))
        return future


class House:
    def __init__(self) -> None:
        self.loop, self.chores = Loop(), Now()
        self.uptimes = Uptimes(self.loop, self.chores, Path("results"))  # type: ignore[arg-type]

    def configure(self, *names: str) -> None:
        self.uptimes.configure(frozenset(names))

    def wait(self) -> None:
        self.loop.run(0.01)
        self.loop.run(0.01)

    def percent(self, name: str) -> float | None:
        return self.uptimes.percent(name, utc_now())


@pytest.fixture
def house(monkeypatch: pytest.MonkeyPatch) -> House:
    def hours(folder: Path, since: datetime, until: datetime) -> Iterator[tuple[str, Iterable[tuple[int, str, float]]]]:
        hour = int(until.timestamp() // 3600)
        assert since.timestamp() == (hour - 24) * 3600
        yield "shop", [(hour - 2, "FAIL", 1800.0), (hour - 1, "OK", 1800.0)]
        yield "api", [(hour - 1, "OK", 3600.0)]

    monkeypatch.setattr(child, "seconds_by_hour", hours)
    monkeypatch.setattr(uptimes_module, "READ_AFTER_S", 0.0)
    return House()


def test_it_is_not_known_until_the_history_has_told(house: House) -> None:
    house.configure("shop", "api")
    assert house.percent("shop") is None

    house.wait()
    assert house.percent("shop") == pytest.approx(50.0)
    assert house.percent("api") == 100.0
    assert house.chores.done == 1


def test_checks_that_nobody_asks_about_are_neither_read_nor_counted(house: House) -> None:
    house.configure()
    house.wait()
    house.uptimes.add(result(OK, covers_s=3600.0))

    assert house.chores.done == 0
    assert house.percent("shop") is None


def test_a_check_that_an_edit_brings_is_read_then_and_the_others_stay(house: House) -> None:
    house.configure("shop")
    house.wait()
    house.configure("shop", "api")
    assert house.percent("shop") == pytest.approx(50.0)
    assert house.percent("api") is None

    house.wait()
    assert house.percent("shop") == pytest.approx(50.0)
    assert house.percent("api") == 100.0
    house.configure("shop", "api")
    house.wait()
    assert house.chores.done == 2


def test_a_check_that_comes_back_before_it_was_read_is_counted_once(house: House) -> None:
    house.configure("shop")
    house.configure()
    house.configure("shop")
    house.wait()

    assert house.percent("shop") == pytest.approx(50.0)
    assert house.uptimes._of["shop"]._up_s == 1800.0
