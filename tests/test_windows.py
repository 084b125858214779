"""Stretches of time that come again: across midnight, changes of the clocks, and by cron."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.windows import CronWindow, OnceWindow, Stretch, WeeklyWindow, Window, next_opening, open_stretch
from tests.make import quick

BERLIN = "Europe/Berlin"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def stretch(begins: str, ends: str) -> Stretch:
    return Stretch(utc(begins), utc(ends))


def weekly(days: str, begins: str, ends: str, zone: str = BERLIN) -> WeeklyWindow:
    return WeeklyWindow.of(days.split(), begins, ends, zone)


def cron(expression: str, hours: float, zone: str = BERLIN) -> CronWindow:
    return CronWindow(expression, timedelta(hours=hours), ZoneInfo(zone))


def test_a_stretch_holds_from_its_beginning_until_just_before_its_end() -> None:
    one = OnceWindow(stretch("2026-11-20 10:00", "2026-11-20 12:00"))
    assert one.open_at(utc("2026-11-20 09:59:59.999")) is None
    assert one.open_at(utc("2026-11-20 10:00")) == one.stretch
    assert one.open_at(utc("2026-11-20 11:59:59.999")) == one.stretch
    assert one.open_at(utc("2026-11-20 12:00")) is None
    assert one.next_after(utc("2026-11-20 09:00")) == one.stretch
    assert one.next_after(utc("2026-11-20 10:00")) is None


def test_a_stretch_is_said_in_the_clocks_of_a_zone_with_the_second_day_only_where_it_is_another() -> None:
    assert stretch("2026-11-21 21:00", "2026-11-21 22:30").span(BERLIN) == "Sat 21 Nov 22:00 – 23:30"
    assert stretch("2026-11-21 21:00", "2026-11-22 06:00").span(BERLIN) == "Sat 21 Nov 22:00 – Sun 22 Nov 07:00"


def test_business_hours_are_those_of_the_zones_clocks() -> None:
    hours = weekly("mon tue wed thu fri", "09:00", "17:00")
    friday = stretch("2026-11-20 08:00", "2026-11-20 16:00")
    assert hours.open_at(utc("2026-11-20 07:59")) is None
    assert hours.open_at(utc("2026-11-20 08:00")) == friday
    assert hours.open_at(utc("2026-11-20 16:00")) is None
    assert hours.next_after(utc("2026-11-20 08:00")) == stretch("2026-11-23 08:00", "2026-11-23 16:00")


def test_no_days_are_all_of_them() -> None:
    assert weekly("", "00:00", "00:00").days == tuple(range(7))


def test_what_ends_before_it_begins_ends_the_day_after() -> None:
    quiet = weekly("fri", "22:00", "07:00")
    night = stretch("2026-11-20 21:00", "2026-11-21 06:00")
    assert quiet.open_at(utc("2026-11-20 23:30")) == night
    assert quiet.open_at(utc("2026-11-21 05:59")) == night
    assert quiet.open_at(utc("2026-11-21 06:00")) is None
    assert quiet.open_at(utc("2026-11-20 05:00")) is None, "the night before is no Friday's"


def test_what_ends_when_it_begins_lasts_a_day() -> None:
    assert weekly("fri", "08:00", "08:00").open_at(utc("2026-11-21 06:59")) == stretch(
        "2026-11-20 07:00", "2026-11-21 07:00"
    )


def test_a_night_in_which_the_clocks_are_put_forward_is_an_hour_shorter_and_one_hour_longer_when_back() -> None:
    quiet = weekly("", "22:00", "07:00")
    assert quiet.open_at(utc("2026-03-29 01:00")) == stretch("2026-03-28 21:00", "2026-03-29 05:00")
    assert quiet.open_at(utc("2026-10-25 01:00")) == stretch("2026-10-24 20:00", "2026-10-25 06:00")


def test_a_time_that_is_left_out_is_the_first_one_after() -> None:
    assert weekly("sun", "02:30", "04:00").open_at(utc("2026-03-29 01:15")) == stretch(
        "2026-03-29 01:00", "2026-03-29 02:00"
    )
    assert weekly("sun", "01:00", "02:30").open_at(utc("2026-03-29 00:30")) == stretch(
        "2026-03-29 00:00", "2026-03-29 01:00"
    )


def test_a_stretch_that_is_left_out_whole_is_none_and_the_next_one_is_a_week_later() -> None:
    gone = weekly("sun", "02:15", "02:45")
    assert gone.open_at(utc("2026-03-29 01:00")) is None
    assert gone.next_after(utc("2026-03-28 12:00")) == stretch("2026-04-05 00:15", "2026-04-05 00:45")


def test_a_time_that_comes_twice_is_the_first() -> None:
    assert weekly("sun", "02:30", "04:00").open_at(utc("2026-10-25 01:00")) == stretch(
        "2026-10-25 00:30", "2026-10-25 03:00"
    )


def test_cron_says_when_it_begins_and_it_lasts_as_long_as_is_said() -> None:
    first = cron("0 3 1 * *", 2)
    held = stretch("2026-12-01 02:00", "2026-12-01 04:00")
    assert first.open_at(utc("2026-12-01 01:59:59.999")) is None
    assert first.open_at(utc("2026-12-01 02:00")) == held
    assert first.open_at(utc("2026-12-01 03:59")) == held
    assert first.open_at(utc("2026-12-01 04:00")) is None
    assert first.next_after(utc("2026-11-20 00:00")) == held


def test_cron_follows_the_clocks_of_its_zone() -> None:
    nightly = cron("0 3 * * *", 1)
    assert nightly.next_after(utc("2026-03-28 12:00")) == stretch("2026-03-29 01:00", "2026-03-29 02:00")
    assert nightly.next_after(utc("2026-10-24 12:00")) == stretch("2026-10-25 02:00", "2026-10-25 03:00")


@pytest.mark.parametrize("second", ["59:59.000", "59:59.250", "59:59.999"])
def test_runs_that_follow_each_other_leave_no_gap_before_the_next(second: str) -> None:
    for window in (cron("0 * * * *", 1), cron("*/10 * * * *", 2)):
        assert window.open_at(utc(f"2026-11-20 10:{second}"))


def test_of_windows_that_hold_the_one_that_ends_last_is_told_and_the_first_to_come() -> None:
    windows: list[Window] = [weekly("fri", "09:00", "12:00"), weekly("fri", "10:00", "17:00"), cron("0 11 * * 5", 0.5)]
    assert open_stretch(windows, utc("2026-11-20 10:05")) == stretch("2026-11-20 09:00", "2026-11-20 16:00")
    assert open_stretch(windows, utc("2026-11-20 17:00")) is None
    assert next_opening(windows, utc("2026-11-20 09:30")) == utc("2026-11-20 10:00")
    assert next_opening([], utc("2026-11-20 09:30")) is None
    assert next_opening([OnceWindow(stretch("2020-01-01", "2020-01-02"))], utc("2026-11-20")) is None


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
CLOCKS = st.times().map(lambda one: f"{one:%H:%M}")
ZONES = st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])


@quick
@given(st.sets(st.sampled_from(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])), CLOCKS, CLOCKS, ZONES, MOMENTS)
def test_whatever_the_window_what_opens_next_was_not_open_before_and_is_open_then(
    days: set[str], begins: str, ends: str, zone: str, now: datetime
) -> None:
    window = WeeklyWindow.of(days, begins, ends, zone)
    following = window.next_after(now)
    assert following and now < following.begins_at < following.ends_at <= now + timedelta(days=16, hours=3)
    assert following.ends_at - following.begins_at <= timedelta(hours=25)
    opened = window.open_at(following.begins_at)
    assert opened and opened.holds(following.begins_at)
    current = window.open_at(now)
    assert current is None or current.holds(now)


@pytest.mark.parametrize("expression", ["30 2 * * *", "15 2 * 10 0", "*/15 1-3 * * *", "0 * * * *"])
def test_a_window_of_cron_holds_in_the_hour_that_comes_twice_too(expression: str) -> None:
    zone = ZoneInfo(BERLIN)
    for lasts in (timedelta(minutes=20), timedelta(hours=2)):
        window = CronWindow(expression, lasts, zone)
        begins, begun = utc("2026-10-24 12:00"), []
        while (one := window.next_after(begins)) and one.begins_at < utc("2026-10-25 06:00"):
            begins = one.begins_at
            begun.append(one)
        for minute in range(-90, 200, 7):
            now = utc("2026-10-25 01:00:30.5") + timedelta(minutes=minute)
            assert window.open_at(now) == max((one for one in begun if one.holds(now)), default=None)
