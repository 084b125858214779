"""Who is on call: handovers by the clocks of the zone, and exceptions."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.occurrence import DayTimes
from monitor.oncall import Instead, OnCall, Shift, together
from monitor.windows import Stretch
from tests.make import quick


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def rota(
    *people: str, begins: str = "2026-01-05", handover: str = "mon 09:00", instead: tuple[Instead, ...] = ()
) -> OnCall:
    day, time = handover.split()
    return OnCall("primary", people, DayTimes.of((time,), (day,), "Europe/Berlin"), date.fromisoformat(begins), instead)


@pytest.mark.parametrize(
    ("now", "person"),
    [
        ("2026-01-05 08:00", "ann"),
        ("2026-01-12 07:59:59", "ann"),
        ("2026-01-12 08:00", "bob"),
        ("2026-01-19 08:00", "eve"),
        ("2026-01-26 08:00", "ann"),
        # Before it begins it went on as it does afterwards.
        ("2026-01-05 07:59", "eve"),
        ("2025-12-22 12:00", "bob"),
    ],
)
def test_a_week_each_from_handover_to_handover(now: str, person: str) -> None:
    assert rota("ann", "bob", "eve").person(utc(now)) == person


def test_a_day_in_the_middle_of_the_first_week_is_in_the_first_week() -> None:
    assert rota("ann", "bob", begins="2026-01-07").person(utc("2026-01-05 09:00")) == "ann"
    assert rota("ann", "bob", begins="2026-01-05", handover="fri 17:00").person(utc("2026-01-05 09:00")) == "ann"
    assert rota("ann", "bob", begins="2026-01-05", handover="fri 17:00").person(utc("2026-01-09 16:00")) == "bob"


def test_the_handover_follows_the_clocks_of_its_zone() -> None:
    both = rota("ann", "bob")
    # 30 March 2026 is the Monday after the clocks were put forward, 26 October after they were put back.
    assert [both.person(utc(t)) for t in ("2026-03-30 06:59", "2026-03-30 07:00")] == ["bob", "ann"]
    assert [both.person(utc(t)) for t in ("2026-10-26 07:59", "2026-10-26 08:00")] == ["bob", "ann"]


def test_a_handover_at_a_time_that_is_left_out_is_the_first_one_after() -> None:
    both = rota("ann", "bob", begins="2026-03-22", handover="sun 02:30")
    assert [both.person(utc(t)) for t in ("2026-03-29 00:59", "2026-03-29 01:00")] == ["ann", "bob"]


def test_who_stands_in_is_on_call_for_that_time_only() -> None:
    away = Instead("bob", Stretch(utc("2026-01-07 12:00"), utc("2026-01-08 12:00")))
    both = rota("ann", "bob", instead=(away,))
    times = ("2026-01-07 11:59", "2026-01-07 12:00", "2026-01-08 11:59", "2026-01-08 12:00")
    assert [both.person(utc(one)) for one in times] == ["ann", "bob", "bob", "ann"]


def test_the_shifts_to_come_begin_with_the_present_one_and_show_exceptions() -> None:
    away = Instead("eve", Stretch(utc("2026-01-07 12:00"), utc("2026-01-08 12:00")))
    shifts = list(rota("ann", "bob", instead=(away,)).shifts(utc("2026-01-06 00:00"), utc("2026-01-13 00:00")))
    assert shifts == [
        Shift("ann", Stretch(utc("2026-01-06 00:00"), utc("2026-01-07 12:00"))),
        Shift("eve", Stretch(utc("2026-01-07 12:00"), utc("2026-01-08 12:00")), is_exception=True),
        Shift("ann", Stretch(utc("2026-01-08 12:00"), utc("2026-01-12 08:00"))),
        Shift("bob", Stretch(utc("2026-01-12 08:00"), utc("2026-01-19 08:00"))),
    ]


@quick
@given(st.integers(0, 600 * 24 * 60), st.integers(1, 5))
def test_at_any_moment_the_shifts_say_the_same_as_the_rota_and_leave_no_gap(minute: int, people: int) -> None:
    plan = rota(*"abcde"[:people])
    now = utc("2025-06-01 00:00") + timedelta(minutes=minute)
    shifts = list(plan.shifts(now, now + timedelta(days=21)))
    assert [one.person for one in shifts] == [plan.person(one.stretch.begins_at) for one in shifts]
    assert [one.stretch.ends_at for one in shifts[:-1]] == [one.stretch.begins_at for one in shifts[1:]]
    if people > 1:
        assert all(one.person != other.person for one, other in itertools.pairwise(shifts))


def test_shifts_of_one_person_that_follow_each_other_are_one() -> None:
    weeks = [Stretch(utc(f"2026-01-{day:02} 08:00"), utc(f"2026-01-{day + 7} 08:00")) for day in (5, 12, 19)]
    ann, stands_in, bob = Shift("ann", weeks[0]), Shift("ann", weeks[1], is_exception=True), Shift("bob", weeks[2])

    assert together([]) == []
    assert together([ann, Shift("ann", weeks[1]), bob]) == [
        Shift("ann", Stretch(utc("2026-01-05 08:00"), utc("2026-01-19 08:00"))),
        bob,
    ]
    assert together([ann, stands_in, bob]) == [ann, stands_in, bob]
