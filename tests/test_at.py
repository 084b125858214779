"""Checks at times of day: which moment comes next in any zone, and what becomes of them from day to day."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from monitor.board import board, is_stale
from monitor.checker.configuration import turns
from monitor.checker.timetable import Timetable
from monitor.checker.watched import entries
from monitor.config import Config, ConfigError
from monitor.history.snapshot import CheckEntry
from monitor.model import Flag, Status
from monitor.occurrence import WEEK, DayTimes
from monitor.probes import Setting
from monitor.units import after, seconds_between, to_rfc3339, utc_now
from tests.bench import Bench, on_the_bench
from tests.make import T0, entry, load, quick, snapshot

OK, FAIL = Status.OK, Status.FAIL
BERLIN = "Europe/Berlin"
DAY_S = 86400.0
# Forward and back; Lord Howe by half an hour, Havana at midnight, Kolkata never.
TURNS_OF_THE_CLOCK = [
    (BERLIN, date(2026, 3, 29)),
    (BERLIN, date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),
    ("America/Havana", date(2026, 3, 8)),
    ("America/Havana", date(2026, 11, 1)),
    ("Asia/Kolkata", date(2026, 3, 29)),
]
# One more than the days of a week before and after.
REACH_DAYS = 9


@cache
def clock_face(zone: str, day: date) -> tuple[datetime, list[datetime]]:
    """Return a moment, and the latest that the zone's clock has shown by then and by each minute after it."""
    begin = datetime.combine(day, datetime.min.time(), UTC) - timedelta(days=REACH_DAYS + 1)
    shown = [
        (begin + timedelta(minutes=n)).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
        for n in range((2 * REACH_DAYS + 3) * 1440)
    ]
    for n in range(1, len(shown)):
        shown[n] = max(shown[n - 1], shown[n])
    return begin, shown


def expected(when: DayTimes, day: date) -> list[datetime]:
    """Return when a clock on the wall first shows, or has passed, each of the times around this day."""
    begin, shown = clock_face(when.zone.key, day)
    dates = [day + timedelta(days=n) for n in range(-REACH_DAYS, REACH_DAYS + 1)]
    clocks = [datetime.combine(one, at) for one in dates if one.weekday() in when.days for at in when.times]
    return sorted({begin + timedelta(minutes=bisect_left(shown, clock)) for clock in clocks})


CLOCKS = st.builds("{:02}:{:02}".format, st.integers(0, 3) | st.integers(0, 23), st.integers(0, 59))


@st.composite
def around_a_turn(draw: st.DrawFn) -> tuple[DayTimes, date]:
    zone, day = draw(st.sampled_from(TURNS_OF_THE_CLOCK))
    times = draw(st.lists(CLOCKS, min_size=1, max_size=4))
    days = draw(st.sets(st.sampled_from(WEEK)))
    return DayTimes.of(times, days, zone), day


@quick
@given(around_a_turn(), st.integers(-DAY_S, 2 * DAY_S))
def test_the_next_is_the_first_after_now_and_the_previous_the_last_until_now(
    given: tuple[DayTimes, date], second: int
) -> None:
    when, day = given
    now = datetime.combine(day, datetime.min.time(), UTC) + timedelta(seconds=second)
    all_of_them = expected(when, day)

    assert when.next(now) == min(at for at in all_of_them if at > now)
    assert when.previous(now) == max(at for at in all_of_them if at <= now)


@quick
@given(around_a_turn())
def test_none_is_skipped_and_each_comes_once(given: tuple[DayTimes, date]) -> None:
    when, day = given
    wanted = expected(when, day)
    found = [wanted[0]]
    while found[-1] < wanted[-1]:
        found.append(when.next(found[-1]))
    assert found == wanted
    assert [when.previous(at) for at in found] == found


@pytest.mark.parametrize(
    ("zone", "clock", "day", "runs_at"),
    [
        (BERLIN, "07:30", "2026-11-20", "2026-11-20T06:30:00.000Z"),
        (BERLIN, "02:30", "2026-03-29", "2026-03-29T01:00:00.000Z"),
        (BERLIN, "02:30", "2026-10-25", "2026-10-25T00:30:00.000Z"),
        ("America/New_York", "02:15", "2026-03-08", "2026-03-08T07:00:00.000Z"),
        ("America/New_York", "01:30", "2026-11-01", "2026-11-01T05:30:00.000Z"),
        ("Australia/Lord_Howe", "02:10", "2026-10-04", "2026-10-03T15:30:00.000Z"),
        ("Australia/Lord_Howe", "01:45", "2026-04-05", "2026-04-04T14:45:00.000Z"),
        ("America/Havana", "00:10", "2026-03-08", "2026-03-08T05:00:00.000Z"),
        ("Asia/Kolkata", "07:30", "2026-03-29", "2026-03-29T02:00:00.000Z"),
    ],
)
def test_a_time_that_is_left_out_runs_the_minute_after_and_one_that_comes_twice_the_first_time(
    zone: str, clock: str, day: str, runs_at: str
) -> None:
    when = DayTimes.of([clock], [], zone)
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)) - timedelta(minutes=1)

    assert to_rfc3339(when.next(midnight.astimezone(UTC))) == runs_at


def test_two_times_that_are_left_out_together_are_one_run() -> None:
    when = DayTimes.of(["02:15", "02:45"], [], BERLIN)
    first = when.next(datetime(2026, 3, 29, tzinfo=UTC))
    assert to_rfc3339(when.next(first)) == "2026-03-30T00:15:00.000Z"


def test_a_day_that_a_zone_leaves_out_has_no_times() -> None:
    fridays = DayTimes.of(["07:30"], ["fri"], "Pacific/Apia")
    assert fridays.next(datetime(2011, 12, 25, tzinfo=UTC)) == datetime(2012, 1, 5, 17, 30, tzinfo=UTC)
    assert fridays.previous(datetime(2012, 1, 1, tzinfo=UTC)) == datetime(2011, 12, 23, 17, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "days", "said", "longest_s"),
    [
        (["07:30"], [], "at 07:30, Europe/Berlin", DAY_S),
        (["12:00", "07:30"], ["mon", "tue", "wed", "thu", "fri"], "at 07:30 and 12:00 mon-fri, Europe/Berlin", 243000),
        (["06:00", "07:00", "08:00"], ["sat", "sun"], "at 06:00, 07:00 and 08:00 sat and sun, Europe/Berlin", 511200),
        (["07:30"], ["sun"], "at 07:30 sun, Europe/Berlin", 7 * DAY_S),
        (["07:30"], ["mon", "tue", "wed", "fri"], "at 07:30 mon-wed and fri, Europe/Berlin", 3 * DAY_S),
    ],
)
def test_it_reads_well_and_knows_its_longest_pause(at: list[str], days: list[str], said: str, longest_s: float) -> None:
    when = DayTimes.of(at, days, BERLIN)
    assert (str(when), when.longest_s) == (said, longest_s)


# the file

WEB = "type: http, url: 'http://a'"


@pytest.mark.parametrize(
    ("keys", "at", "days"),
    [
        ("at: 07:30", ("07:30",), ()),
        ('at: ["12:00", "07:30", "12:00"], days: mon-fri', ("07:30", "12:00"), WEEK[:5]),
        ('at: "07:30", days: weekdays', ("07:30",), WEEK[:5]),
        ('at: "07:30", days: [weekend, Mon]', ("07:30",), ("mon", "sat", "sun")),
        ('at: "07:30", days: fri-mon', ("07:30",), ("mon", "fri", "sat", "sun")),
        ('at: "07:30", days: [mon-tue, thu]', ("07:30",), ("mon", "tue", "thu")),
    ],
)
def test_times_and_days_are_written_as_people_write_them(keys: str, at: tuple[str, ...], days: tuple[str, ...]) -> None:
    text = f"global: {{every: 10s}}\nchecks: [{{name: a, {WEB}, {keys}}}]"
    check = load(text).checks["a"]
    assert (check.at, check.days) == (at, days)
    schema = jsonschema.Draft202012Validator(Config.model_json_schema(by_alias=True))
    assert schema.is_valid(yaml.safe_load(text.replace("Mon", "mon").replace("at: 07:30", 'at: "07:30"')))


def test_the_zone_is_its_own_else_the_global_one() -> None:
    loaded = load(f"checks: [{{name: a, {WEB}, at: 07:30, timezone: Asia/Kolkata}}, {{name: b, {WEB}, at: 07:30}}]")
    assert [str(check.times(BERLIN)) for check in loaded.checks.values()] == [
        "at 07:30, Asia/Kolkata",
        "at 07:30, Europe/Berlin",
    ]


@pytest.mark.parametrize(
    ("keys", "error"),
    [
        ("at: '07:30', every: 30s", "expected one of every and at, got both"),
        ("days: mon-fri", "days: expected `at` beside it, got none"),
        ("timezone: UTC", "timezone: expected `at` beside it, got none"),
        ("at: '7:30'", "at: expected a time of day such as \"07:30\", got '7:30'"),
        ("at: ['07:30', '24:00']", "at: expected a time of day such as \"07:30\", got '24:00'"),
        ("at: 730", 'at: expected a time of day such as "07:30", got 730'),
        ("at: []", 'at: expected a time of day such as "07:30", or a list of them, got an empty list'),
        ("at: '07:30', days: []", "days: expected days such as [mon, tue] or mon-fri, got an empty list"),
        (
            "at: '07:30', days: weekdys",
            "days: expected days such as mon, mon-fri, weekdays or weekend, got 'weekdys' (did you mean 'weekdays'?)",
        ),
        (
            "at: '07:30', days: mon-fry",
            "days: expected days such as mon, mon-fri, weekdays or weekend, got 'mon-fry' (did you mean 'mon-fri'?)",
        ),
        ("at: '07:30', days: 1", "days: expected days such as mon, mon-fri, weekdays or weekend, got 1"),
        (
            "at: '07:30', timezone: Berlin",
            "timezone: expected an IANA time zone such as Asia/Kolkata or UTC, got 'Berlin'",
        ),
    ],
)
def test_a_wrong_schedule_is_said_with_what_is_expected(keys: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(f"checks:\n  - {{name: a, {WEB}, {keys}}}")
    assert caught.value.errors == [f"checks.yaml:2: check 'a': {error}"]


def test_a_heartbeats_zone_is_that_of_cron_and_of_at() -> None:
    beat = "type: heartbeat, cron: '30 2 * * *', timezone: Asia/Kolkata"
    loaded = load(f"checks: [{{name: a, {beat}, key: a1234567}}, {{name: b, {beat}, key: b1234567, at: '07:30'}}]")
    a, b = loaded.checks.values()
    assert a.times(BERLIN) is None
    assert str(b.times(BERLIN)) == "at 07:30, Asia/Kolkata"


# from day to day

# T0 is a Friday, 15:00 in Berlin.
TEXT = f"""
global: {{timezone: {BERLIN}, retries: 2, retry_interval: 5s, timeout: 10s}}
checks:
  - {{name: morning, {WEB}, at: "07:30", days: mon-fri}}
"""


class Days:
    """A bench with its timetable: both live while time passes."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.table = Timetable(bench.watch.start)
        self.configure(TEXT)

    def configure(self, text: str) -> None:
        loaded = load(text)
        setting = Setting(self.bench.folder, timezone=loaded.config.general.timezone)
        self.bench.watch.configure(loaded.checks, setting, lambda seen: seen)
        self.plan()

    def plan(self) -> None:
        self.table.plan(turns(self.bench.watch.watched.values(), utc_now()))

    def live(self, until: datetime) -> None:
        while (left_s := seconds_between(utc_now(), until)) > 0:
            self.table.run_due()
            self.bench.loop.pass_s(min(max(self.table.idle_s(), 0.01), left_s))

    def sleep(self, until: datetime) -> None:
        """Be away: nothing runs."""
        self.bench.loop.pass_s(seconds_between(utc_now(), until))

    @property
    def entry(self) -> CheckEntry:
        return next(iter(entries(self.bench.watch.watched.values())))

    @property
    def runs(self) -> list[datetime]:
        return [line.at.replace(microsecond=0) for line in self.bench.lines("morning")]


def berlin(day: int, clock: str) -> datetime:
    """Return a time in Berlin in November 2026."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 11, day, hour, minute, tzinfo=ZoneInfo(BERLIN)).astimezone(UTC)


@pytest.fixture
def days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Days]:
    with on_the_bench(TEXT, tmp_path, monkeypatch) as bench:
        yield Days(bench)


def test_it_runs_at_its_time_on_its_days_and_stands_for_the_weekend_too(days: Days) -> None:
    assert days.bench.probed == []
    assert days.entry.next_at == berlin(23, "07:30")
    for day in range(21, 31):
        days.live(berlin(day, "07:29"))
        assert not is_stale(days.entry, utc_now())
        days.live(berlin(day, "07:31"))
        assert not is_stale(days.entry, utc_now())

    assert days.runs == [berlin(day, "07:30") for day in (23, 24, 25, 26, 27, 30)]
    assert days.entry.next_at == berlin(30, "07:30") + timedelta(days=1)
    first, *others = days.bench.lines("morning")
    assert first.covers_s == 0
    assert sum(line.covers_s for line in others) == pytest.approx(7 * DAY_S, abs=1)
    assert others[-1].covers_s == pytest.approx(3 * DAY_S, abs=1)


def test_it_is_stale_once_its_next_time_the_timeout_and_the_retries_have_passed(days: Days) -> None:
    days.live(berlin(27, "08:00"))
    days.sleep(berlin(30, "07:30"))
    assert not is_stale(days.entry, utc_now())
    days.sleep(after(berlin(30, "07:30"), 10 + 2 * (5 + 10)))
    assert not is_stale(days.entry, utc_now())
    days.sleep(berlin(30, "07:32"))
    assert is_stale(days.entry, utc_now())


def test_a_checker_that_was_away_makes_up_for_the_last_time_at_its_start_and_the_gap_stays_unwatched(
    days: Days,
) -> None:
    days.live(berlin(24, "08:00"))
    days.sleep(berlin(26, "08:00"))
    days.plan()
    days.live(berlin(27, "08:00"))

    assert days.runs[2:] == [berlin(26, "08:00"), berlin(27, "07:30")]
    assert [round(line.covers_s) for line in days.bench.lines("morning")[2:]] == [0, 23.5 * 3600]


def test_a_checker_that_starts_again_with_nothing_missed_waits(days: Days) -> None:
    days.live(berlin(24, "08:00"))
    known = {"morning": replace(days.bench.state("morning"))}
    days.bench.watch.watched.clear()
    days.sleep(berlin(25, "07:29"))
    days.configure(TEXT)
    days.bench.watch.adopt(known)
    days.plan()
    assert days.entry.next_at == berlin(25, "07:30")
    days.live(berlin(25, "08:00"))

    assert days.runs[1:] == [berlin(24, "07:30"), berlin(25, "07:30")]
    assert days.bench.lines("morning")[-1].covers_s == pytest.approx(DAY_S, abs=1)


def test_a_new_check_waits_for_its_time_and_one_that_never_had_it_does_not(days: Days) -> None:
    days.live(berlin(23, "07:00"))
    assert days.bench.probed == []
    days.sleep(berlin(23, "09:00"))
    days.plan()
    days.live(berlin(23, "09:01"))
    assert days.runs == [berlin(23, "09:00")]


def test_a_look_by_hand_does_not_shift_it(days: Days) -> None:
    days.live(berlin(24, "15:00"))
    days.bench.watch.look("morning", by_hand=True)
    days.live(berlin(24, "15:01"))
    assert days.entry.next_at == berlin(25, "07:30")
    days.live(berlin(25, "08:00"))

    assert days.runs == [berlin(23, "07:30"), berlin(24, "07:30"), berlin(24, "15:00"), berlin(25, "07:30")]
    assert sum(line.covers_s for line in days.bench.lines("morning")) == pytest.approx(2 * DAY_S, abs=1)


def test_it_confirms_a_failure_as_others_do(days: Days) -> None:
    days.live(berlin(24, "07:29"))
    days.bench.fail("morning")
    days.live(berlin(25, "07:29"))

    line = days.bench.lines("morning")[-1]
    assert (line.status, line.attempts, round(line.covers_s)) == (FAIL, 3, DAY_S + 10)
    assert days.bench.alert("morning")
    days.bench.heal("morning")
    days.live(berlin(25, "08:00"))
    assert days.bench.status("morning") is OK


def test_the_configuration_that_is_read_at_its_minute_neither_loses_nor_doubles_it(days: Days) -> None:
    days.live(berlin(24, "07:29"))
    days.sleep(berlin(24, "07:30"))
    days.configure(TEXT)
    days.live(after(berlin(24, "07:30"), 0.005))
    days.configure(TEXT)
    days.live(berlin(24, "07:31"))
    days.configure(TEXT)
    days.live(berlin(24, "07:40"))
    assert days.runs == [berlin(23, "07:30"), berlin(24, "07:30")]
    assert days.bench.watch.overruns == 0


def test_other_times_and_another_zone_are_planned_anew(days: Days) -> None:
    days.live(berlin(24, "08:00"))
    days.configure(TEXT.replace("07:30", "09:00"))
    assert days.entry.next_at == berlin(24, "09:00")
    days.configure(TEXT.replace("07:30", "09:00").replace(BERLIN, "UTC"))
    assert days.entry.next_at == berlin(24, "10:00")
    days.live(berlin(24, "11:00"))
    assert days.runs[2:] == [berlin(24, "10:00")]


def test_a_check_that_rests_at_its_time_is_not_started(days: Days) -> None:
    days.bench.watch.flag("morning", Flag.PAUSED, True)
    days.live(berlin(24, "08:00"))
    assert days.bench.probed == []
    assert days.entry.next_at is None


def test_a_check_that_ran_every_so_often_and_now_runs_at_a_time_waits_for_it(days: Days) -> None:
    days.configure(TEXT.replace('at: "07:30", days: mon-fri', "every: 1h"))
    days.live(berlin(21, "08:00"))
    count = len(days.runs)
    days.configure(TEXT)
    days.live(berlin(23, "08:00"))
    assert (count, days.runs[count:]) == (17, [berlin(23, "07:30")])


def test_what_pages_read_says_when_it_runs(days: Days) -> None:
    said = days.entry
    assert said.schedule == "at 07:30 mon-fri, Europe/Berlin"
    assert said.every_s == 3 * DAY_S
    assert CheckEntry.from_json(said.name, said.to_json()) == said
    tiles = board(snapshot(said, entry("other")), T0)["checks"]
    assert [tile.get("at") for tile in tiles] == ["at 07:30 mon-fri, Europe/Berlin", None]
    assert entry("other").schedule == "every 30 s"
    check = days.bench.watch.watched["morning"].check
    assert (check.schedule, check.interval_s) == ("at 07:30 mon-fri", 3 * DAY_S)
    own = load(f"checks: [{{name: a, {WEB}, at: 07:30, timezone: UTC}}, {{name: b, {WEB}}}]").checks.values()
    assert [check.schedule for check in own] == ["at 07:30, UTC", "every 30 s"]
    assert "at" not in entry("other").to_json()
