"""What is due, and when: spread, grid, lateness, clock steps."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from monitor.checker import timetable
from monitor.checker.timetable import FIRST_ROUND, SPREAD_S, Timetable, spread

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


class Clock:
    """Local and monotonic time that a test moves; `set` moves the local clock alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, traveller: time_machine.Coordinates) -> None:
        self.traveller, self.monotonic_s = traveller, 1000.0
        monkeypatch.setattr(timetable.time, "monotonic", lambda: self.monotonic_s)

    def pass_s(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))
        self.monotonic_s += seconds

    def set(self, seconds: float) -> None:
        self.traveller.shift(timedelta(seconds=seconds))


@pytest.fixture
def started() -> list[tuple[str, float]]:
    return []


@pytest.fixture
def table(started: list[tuple[str, float]]) -> Timetable:
    return Timetable(lambda name, late_s: started.append((name, late_s)))


def run_for(table: Timetable, clock: Clock, seconds: float, step_s: float = 0.5) -> None:
    for _ in range(round(seconds / step_s)):
        clock.pass_s(step_s)
        table.run_due()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    with time_machine.travel(START, tick=False) as traveller:
        yield Clock(monkeypatch, traveller)  # type: ignore[misc]


def test_a_check_runs_at_once_and_then_each_interval(
    clock: Clock, table: Timetable, started: list[tuple[str, float]]
) -> None:
    table.plan([("a", 0.0, 10.0)])
    table.run_due()
    run_for(table, clock, 60)
    assert len(started) == 7
    assert all(late_s < 0.6 for _, late_s in started)


def test_being_late_once_does_not_move_the_grid(
    clock: Clock, table: Timetable, started: list[tuple[str, float]]
) -> None:
    table.plan([("a", 0.0, 10.0)])
    table.run_due()
    clock.pass_s(14.0)
    table.run_due()
    assert started[-1] == ("a", pytest.approx(4.0))
    clock.pass_s(6.0)
    table.run_due()
    assert started[-1] == ("a", pytest.approx(0.0))


def test_what_was_missed_is_not_made_up_for(clock: Clock, table: Timetable, started: list[tuple[str, float]]) -> None:
    table.plan([("a", 0.0, 10.0)])
    table.run_due()
    clock.pass_s(3600.0)
    table.run_due()
    table.run_due()
    assert len(started) == 2


@pytest.mark.parametrize("step_s", [-3600.0, -5.0, 5.0, 3600.0], ids=str)
def test_a_clock_that_is_set_neither_stops_nor_repeats_checks(
    clock: Clock, table: Timetable, started: list[tuple[str, float]], step_s: float
) -> None:
    table.plan([("a", 0.0, 10.0)])
    table.run_due()
    clock.set(step_s)
    run_for(table, clock, 60)
    assert len(started) == 7


def test_nothing_planned_is_idle_for_a_while(table: Timetable) -> None:
    assert table.idle_s() == 60.0


@given(st.integers(1, 2000), st.sampled_from([1.0, 10.0, 30.0, 3600.0]))
def test_first_runs_are_spread_evenly_and_done_within_the_interval(count: int, every_s: float) -> None:
    offsets = list(spread({f"c{i}": every_s for i in range(count)}).values())
    gaps = [b - a for a, b in itertools.pairwise(offsets)]
    assert offsets[0] == 0
    assert all(gap == pytest.approx(min(FIRST_ROUND * every_s / count, SPREAD_S)) for gap in gaps)
    assert offsets[-1] < every_s


def test_many_checks_share_few_jobs(table: Timetable, started: list[tuple[str, float]]) -> None:
    offsets = spread({f"c{i}": 30.0 for i in range(20_000)})
    table.plan([(name, offset, 30.0) for name, offset in offsets.items()])
    assert len(table._jobs) <= 300
