"""What is due, and when: spread, grid, lateness, clock steps."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from monitor.checker import timetable
from monitor.checker.timetable import AT_ROUND_S, FIRST_ROUND, SPREAD_S, Timetable, spread
from monitor.occurrence import DayTimes
from monitor.units import utc_now

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


# times of day; START is 12:00

NOON = DayTimes.of(["12:10"], [], "UTC")


@pytest.fixture
def times() -> list[datetime]:
    return []


@pytest.fixture
def table_at(times: list[datetime]) -> Timetable:
    return Timetable(lambda name, late_s: times.append(utc_now().replace(microsecond=0)))


def at(day: int, hour: int, minute: int, second: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


def test_a_time_of_day_is_neither_early_nor_lost(
    clock: Clock, table: Timetable, started: list[tuple[str, float]]
) -> None:
    table.plan([("a", None, NOON)])
    assert table.idle_s() == 600
    clock.pass_s(599.999)
    table.run_due()
    assert started == []
    clock.pass_s(0.251)
    table.run_due()
    table.run_due()
    assert started == [("a", pytest.approx(0.25))]
    assert table.idle_s() == pytest.approx(86400 - 0.25)


def test_a_time_of_day_that_was_missed_is_run_now_and_the_next_in_its_turn(
    clock: Clock, table_at: Timetable, times: list[datetime]
) -> None:
    table_at.plan([("a", 0.0, NOON)])
    table_at.run_due()
    run_for(table_at, clock, 1200)
    assert times == [at(21, 12, 0), at(21, 12, 10)]


@pytest.mark.parametrize(
    ("step_s", "ran_at"),
    [
        (3600, [at(21, 13, 5), at(22, 12, 10)]),
        (-3600, [at(21, 12, 10), at(22, 12, 10)]),
        (5, [at(21, 12, 10), at(22, 12, 10)]),
        (-5, [at(21, 12, 10), at(22, 12, 10)]),
    ],
    ids=str,
)
def test_a_clock_that_is_set_before_a_time_of_day_leaves_it_where_it_is_or_runs_it_at_once(
    clock: Clock, table_at: Timetable, times: list[datetime], step_s: float, ran_at: list[datetime]
) -> None:
    table_at.plan([("a", None, NOON)])
    run_for(table_at, clock, 300)
    clock.set(step_s)
    table_at.run_due()
    run_for(table_at, clock, 93_000, step_s=5)
    assert times == ran_at


@pytest.mark.parametrize(
    ("step_s", "ran_at"), [(-5, [at(21, 12, 10), at(22, 12, 10)]), (-3600, [at(21, 12, 10)] * 2)], ids=str
)
def test_a_clock_that_is_set_back_after_a_time_of_day_repeats_it_only_by_minutes(
    clock: Clock, table_at: Timetable, times: list[datetime], step_s: float, ran_at: list[datetime]
) -> None:
    table_at.plan([("a", None, NOON)])
    run_for(table_at, clock, 601)
    clock.set(step_s)
    run_for(table_at, clock, 86_500, step_s=1)
    assert times[:2] == ran_at
    assert len(times) == len(set(times)) + (step_s < -60)


def test_a_machine_that_slept_over_several_times_of_day_runs_once(
    clock: Clock, table_at: Timetable, times: list[datetime]
) -> None:
    table_at.plan([("a", None, DayTimes.of(["12:10", "12:20"], [], "UTC"))])
    clock.set(3600)
    table_at.run_due()
    run_for(table_at, clock, 60)
    assert times == [at(21, 13, 0)]


@pytest.fixture(params=["2026-03-28", "2026-10-24"], ids=["forward", "back"])
def berlin(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    """The machine's own clock is that of Berlin, before the night in which it is put forward or back."""
    begin = datetime.fromisoformat(f"{request.param}T20:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    with time_machine.travel(begin, tick=False) as traveller:
        yield Clock(monkeypatch, traveller)


def test_the_machines_own_summer_time_shifts_no_time_of_day(berlin: Clock) -> None:
    runs: dict[str, list[datetime]] = {}
    whens = {
        zone: DayTimes.of(["02:30", "03:00", "07:30", "21:00"], [], zone)
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe")
    }
    table = Timetable(lambda name, late_s: runs.setdefault(name, []).append(utc_now()))
    wanted: dict[str, list[datetime]] = {}
    begin = utc_now()
    for zone, when in whens.items():
        row = wanted.setdefault(zone, [])
        while (found := when.next(row[-1] if row else begin)) <= begin + timedelta(days=2):
            row.append(found)
    table.plan([(zone, None, when) for zone, when in whens.items()])
    run_for(table, berlin, 2 * 86400, step_s=10)

    assert runs == wanted


def test_many_checks_of_one_time_of_day_begin_within_seconds_and_each_once(
    clock: Clock, table: Timetable, started: list[tuple[str, float]]
) -> None:
    table.plan([(f"c{n}", None, NOON) for n in range(2000)])
    run_for(table, clock, 600)
    assert 0 < len(started) <= 1 + 0.25 / (AT_ROUND_S / 2000)
    run_for(table, clock, AT_ROUND_S)
    assert len({name for name, _ in started}) == len(started) == 2000
    assert max(late_s for _, late_s in started) <= 0.5
    run_for(table, clock, 3600)
    assert len(started) == 2000
