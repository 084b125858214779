"""The heartbeat probe: what it makes of pings and of their absence, over wrong clocks and days of 23 and 25 hours."""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.config import ConfigError, complete
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.config.models import General
from monitor.history.pings import append
from monitor.model import Json, Kind, Outcome, Status
from monitor.pings import OPEN_RUNS, Ping, Signal, file_name
from monitor.probes import Setting, run_probe
from monitor.probes.heartbeat import due_after, judge
from tests.make import load, quick

KEY = "3f0c9a6e-5f7b-4f5e-9a57-0a8f7b1c2d3e"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
OK = (Status.OK, None)
NEW = (Status.UNKNOWN, Kind.UNCONFIGURED)
MISSED = (Status.FAIL, Kind.DEADLINE)
FAILED = (Status.FAIL, Kind.STATUS)


def heartbeat(**keys: Any) -> HeartbeatCheck:
    schedule = {} if "cron" in keys or "period" in keys else {"period": "1h"}
    return HeartbeatCheck.model_validate({"name": "nightly", "type": "heartbeat", "key": KEY} | schedule | keys)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def told(minutes: float, signal: str = "success", run: str = "", **more: Any) -> Ping:
    return Ping(at(minutes), Signal(signal), run, **more)


def see(pings: Sequence[Ping], minutes: float = 0, memory: dict[str, Json] | None = None, **keys: Any) -> Outcome:
    return judge(heartbeat(**keys), pings, at(minutes), "UTC", memory or {})


def verdict(seen: Outcome) -> tuple[Status, Kind | None]:
    return seen.status, seen.kind


# ---- the schedule


def test_a_success_in_time_is_ok_and_says_when_the_next_is_expected() -> None:
    seen = see([told(-12)])
    assert verdict(seen) == OK
    assert seen.message == "last success 12 m ago, next expected by 12:48 UTC"
    assert seen.latency_ms is None
    assert seen.observed["due_at"] == "2026-11-21T12:48:00.000Z"


def test_within_its_grace_it_is_late_and_still_ok() -> None:
    seen = see([told(-63)])
    assert verdict(seen) == OK
    assert seen.observed["state"] == "late"
    assert seen.message.endswith("was due by 11:57 UTC, late by 3 m, must come by 12:02 UTC")


def test_after_its_grace_it_is_down_since_the_deadline_and_not_since_it_was_noticed() -> None:
    seen = see([told(-180)])
    assert verdict(seen) == MISSED
    assert seen.since == at(-115)
    assert seen.message == "no success since 09:00 UTC; was due by 10:00 UTC (grace 5 m)"


def test_at_the_very_deadline_it_is_not_yet_late() -> None:
    assert verdict(see([told(-65)])) == OK
    assert verdict(see([told(-65.001)])) == MISSED


def test_a_late_success_ends_it() -> None:
    assert verdict(see([told(-600), told(-1)])) == OK


def test_a_day_that_is_not_today_is_named() -> None:
    assert see([told(-3000)]).message.startswith("no success since 2026-11-19 10:00 UTC; was due by 2026-11-19 11:00")


def test_of_a_quick_schedule_seconds_are_told() -> None:
    seen = see([told(-0.5)], period="1m", grace="10s")
    assert seen.message == "last success 30 s ago, next expected by 12:00:30 UTC"


def test_cron_is_read_in_the_check_s_zone_else_in_that_of_the_file() -> None:
    own = heartbeat(cron="0 18 * * *", timezone="Asia/Kolkata")
    seen = judge(own, [told(-60)], NOON, "America/New_York", {})
    assert seen.message == "last success 1 h ago, next expected by 18:00 IST"
    files = judge(heartbeat(cron="0 18 * * *"), [told(-60)], NOON, "America/New_York", {})
    assert files.message == "last success 1 h ago, next expected by 18:00 EST"


def test_cron_is_due_at_its_next_time_after_the_last_success() -> None:
    assert verdict(see([told(-60)], 4, cron="0 12 * * *")) == OK
    seen = see([told(-60)], 6, cron="0 12 * * *")
    assert (verdict(seen), seen.since) == (MISSED, at(5))


# ---- new


def test_a_check_without_pings_is_unconfigured_and_says_what_to_run_but_not_the_key() -> None:
    seen = see([])
    assert verdict(seen) == NEW
    assert "curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY" in seen.message
    assert KEY not in repr(seen)


def test_notes_are_no_first_ping() -> None:
    assert verdict(see([told(-60, "log")])) == NEW


def test_the_first_ping_is_waited_for_from_when_the_check_was_first_seen() -> None:
    first = see([], first_ping_within="1h")
    assert verdict(first) == NEW
    assert "expected by 13:00 UTC" in first.message
    assert first.memory
    early = see([], 60, dict(first.memory), first_ping_within="1h")
    late = see([], 61, dict(early.memory or {}), first_ping_within="1h")
    assert (verdict(early), verdict(late), late.since) == (NEW, MISSED, at(60))
    assert late.message == "no ping has ever come; the first was due by 13:00 UTC"


def test_when_it_was_first_seen_does_not_lie_in_the_future() -> None:
    seen = see([], 0, {"first_seen": "2036-01-01T00:00:00.000Z"}, first_ping_within="1h")
    assert seen.memory == {"first_seen": "2026-11-21T12:00:00.000Z"}


@pytest.mark.parametrize("memory", [{"first_seen": 7}, {"first_seen": "soon"}, {"ahead": []}, {"ahead": {"x": 1}}])
def test_a_memory_that_is_none_is_no_harm(memory: dict[str, Json]) -> None:
    assert verdict(see([told(-1)], memory=memory)) == OK


# ---- fails


def test_a_fail_is_a_fail_at_once_and_until_the_next_success() -> None:
    pings = [told(-30), told(-10, "fail", body="disk full"), told(-5, "log"), told(-4, "start")]
    seen = see(pings)
    assert (verdict(seen), seen.since) == (FAILED, at(-10))
    assert seen.message == "the job reported a fail, 10 m ago"
    assert seen.observed["body"] == "disk full"
    assert verdict(see([*pings, told(-1)])) == OK


def test_an_exit_status_stands_in_the_message_and_in_what_was_observed() -> None:
    seen = see([told(-3, "fail", exit_status=3, body="no such table")])
    assert seen.message == "the job reported exit status 3, 3 m ago"
    assert (seen.observed["exit_status"], seen.observed["body"]) == (3, "no such table")


def test_of_several_fails_the_first_one_is_since_when() -> None:
    seen = see([told(-50), told(-40, "fail"), told(-20, "fail")])
    assert (seen.since, seen.message) == (at(-40), "the job reported a fail, 20 m ago")


def test_a_fail_after_a_missed_deadline_is_down_since_the_deadline() -> None:
    seen = see([told(-180), told(-10, "fail")])
    assert (verdict(seen), seen.since) == (FAILED, at(-115))


def test_a_success_with_an_unexpected_body_is_a_fail_of_content() -> None:
    seen = see([told(-5, "fail", why="body is without it: 'x', expected containing 'done'")])
    assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
    assert "containing 'done'" in seen.message


# ---- runs


def test_a_run_is_started_and_its_time_is_measured() -> None:
    running = see([told(-30), told(-2, "start")])
    assert verdict(running) == OK
    assert running.observed["state"] == "started"
    assert running.message.startswith("running for 2 m of at most 5 m, last success 30 m ago")
    assert see([told(-30, "start"), told(-28.5)]).observed["run_s"] == 90.0


def test_a_run_that_does_not_end_is_down_since_its_time_was_over() -> None:
    hung = see([told(-30), told(-20, "start")])
    assert (verdict(hung), hung.since) == (MISSED, at(-15))
    assert hung.message == "the run that began at 11:40 UTC has not ended within 5 m"
    longer = see([told(-30), told(-20, "start")], max_run="30m")
    assert verdict(longer) == OK


def test_the_first_run_of_a_new_check_is_ok_while_it_may_run() -> None:
    assert verdict(see([told(-1, "start")])) == OK
    assert verdict(see([told(-6, "start")])) == MISSED


def test_a_run_that_hung_is_over_with_a_late_end_or_with_the_next_success() -> None:
    hung = [told(-40, "start", "r1")]
    assert verdict(see([*hung, told(-1, run="r1")])) == OK
    assert verdict(see([*hung, told(-10, "start", "r2"), told(-9, run="r2")])) == OK


def test_a_run_that_was_started_again_instead_of_ended_stays_down_until_a_success() -> None:
    pings = [told(-50), told(-40, "start"), told(-2, "start")]
    seen = see(pings)
    assert (verdict(seen), seen.since) == (MISSED, at(-35))
    assert seen.message == "a run that should have ended by 11:25 UTC never told that it did"
    assert verdict(see([*pings, told(0)])) == OK


def test_runs_that_overlap_are_told_apart_by_their_ids() -> None:
    pings = [told(-8, "start", "r1"), told(-3, "start", "r2"), told(-2, run="r2")]
    seen = see(pings)
    assert (verdict(seen), seen.since) == (MISSED, at(-3))
    assert seen.observed["run_s"] == 60.0
    assert verdict(see([*pings, told(-1, run="r1")])) == OK


def test_a_success_without_the_id_does_not_end_a_run_that_has_one() -> None:
    seen = see([told(-4, "start", "r1"), told(-3)], 2)
    assert verdict(seen) == MISSED


def test_only_the_newest_runs_are_followed_and_one_that_hung_is_not_forgotten() -> None:
    many = [told(-2, "start", f"r{number}") for number in range(OPEN_RUNS + 5)]
    assert see([told(-3), *many]).observed["runs"] == OPEN_RUNS
    hung = [told(-60), told(-30, "start", "old"), *many]
    assert verdict(see([*hung, told(-1, "fail", "r1")])) == FAILED
    assert see(hung).since == at(-25)


def test_a_run_that_began_in_time_may_go_on_past_the_deadline_with_max_run_only() -> None:
    pings = [told(-24 * 60), told(-20, "start")]
    cron = {"cron": "40 11 * * *", "grace": "5m"}
    assert verdict(see(pings, max_run="1h", **cron)) == OK
    late = see(pings, 41, max_run="1h", **cron)
    assert (verdict(late), late.since) == (MISSED, at(40))
    assert verdict(see(pings, **cron)) == MISSED
    too_late = see([told(-24 * 60), told(-10, "start")], max_run="1h", **cron)
    assert (verdict(too_late), too_late.since) == (MISSED, at(-15))


def test_a_job_that_is_started_for_ever_and_never_succeeds_misses_its_deadline() -> None:
    pings = [told(minute, "start") for minute in range(-200, 0, 2)]
    assert verdict(see(pings)) == MISSED
    first = see(pings[:1], -200)
    later = see(pings[-3:], memory=dict(first.memory or {}))
    assert (verdict(later), later.since) == (MISSED, at(-135)), "older pings are no longer in the file"


# ---- clocks


def test_a_ping_from_the_future_counts_from_when_it_was_first_seen() -> None:
    ahead = [told(10 * 24 * 60)]
    first = see(ahead)
    assert verdict(first) == OK
    assert "last success 0 s ago" in first.message
    second = see(ahead, 60, dict(first.memory or {}))
    third = see(ahead, 66, dict(second.memory or {}))
    assert (verdict(second), verdict(third), third.since) == (OK, MISSED, at(65))
    there = see(ahead, 10 * 24 * 60, dict(third.memory or {}))
    assert verdict(there) == MISSED, "it is no fresh ping when its time comes"


def test_a_ping_a_moment_ahead_is_of_another_machine_s_clock() -> None:
    seen = see([told(0.05)])
    assert verdict(seen) == OK
    assert seen.memory == {"first_seen": "2026-11-21T12:00:00.000Z", "first_ping": "2026-11-21T12:00:00.000Z"}


def test_what_is_remembered_of_a_wrong_clock_stays_small() -> None:
    pings = [told(1000 + number) for number in range(300)]
    seen = see(pings)
    assert seen.memory
    assert len(str(seen.memory)) < 1500
    assert verdict(see(pings, 66, dict(seen.memory))) == MISSED


def test_after_the_clock_is_right_again_a_new_ping_is_what_counts() -> None:
    pings = [told(5000), told(0)]
    first = see(pings, 1)
    assert verdict(first) == OK
    assert verdict(see(pings, 66, dict(first.memory or {}))) == MISSED


BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("cron", "zone", "last", "due"),
    [
        # Put forward: 02:30 does not exist on that day.
        ("30 2 * * *", BERLIN, "2026-03-28T02:31+01:00", "2026-03-29T03:00+02:00"),
        ("30 2 * * *", BERLIN, "2026-03-29T03:01+02:00", "2026-03-30T02:30+02:00"),
        ("30 2 * * *", NEW_YORK, "2026-03-07T02:31-05:00", "2026-03-08T03:00-04:00"),
        ("0 8 * * *", BERLIN, "2026-03-28T08:01+01:00", "2026-03-29T08:00+02:00"),
        ("0 * * * *", BERLIN, "2026-03-29T01:00+01:00", "2026-03-29T03:00+02:00"),
        # Put back: 02:30 comes twice, and is due once.
        ("30 2 * * *", BERLIN, "2026-10-24T02:31+02:00", "2026-10-25T02:30+02:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T02:31+02:00", "2026-10-26T02:30+01:00"),
        ("30 2 * * *", BERLIN, "2026-10-25T02:20+01:00", "2026-10-26T02:30+01:00"),
        ("30 1 * * *", NEW_YORK, "2026-10-31T01:31-04:00", "2026-11-01T01:30-04:00"),
        ("30 1 * * *", NEW_YORK, "2026-11-01T01:10-05:00", "2026-11-02T01:30-05:00"),
        ("0 8 * * *", NEW_YORK, "2026-10-31T08:01-04:00", "2026-11-01T08:00-05:00"),
        ("0 * * * *", BERLIN, "2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00"),
        ("0 * * * *", NEW_YORK, "2026-11-01T01:00-05:00", "2026-11-01T02:00-05:00"),
    ],
)
def test_cron_over_a_change_of_the_clock(cron: str, zone: ZoneInfo, last: str, due: str) -> None:
    got = due_after(heartbeat(cron=cron), datetime.fromisoformat(last).astimezone(UTC), zone)
    assert got.astimezone(UTC) == datetime.fromisoformat(due)
    assert got.utcoffset() == datetime.fromisoformat(due).utcoffset()


def test_a_period_is_a_length_of_time_on_every_day() -> None:
    last = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
    assert due_after(heartbeat(period="1d"), last, BERLIN).astimezone(UTC) == last + timedelta(days=1)


# ---- properties

CRONS = st.sampled_from(["30 2 * * *", "0 * * * *", "*/7 * * * *", "15 1 * * MON", "0 0 1 * *", "30 1,2,3 * * *"])
ZONES = st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"])
# Days around changes of the clock, of both directions, and any others.
DAYS = st.sampled_from(["2026-03-08", "2026-03-29", "2026-10-25", "2026-11-01", "2026-04-05", "2026-07-01"])
STEPS = st.integers(0, 3 * 86400)


@st.composite
def checks(draw: st.DrawFn) -> HeartbeatCheck:
    keys: dict[str, Any] = {"grace": draw(st.integers(1, 7200)), "timezone": draw(ZONES)}
    keys |= {"cron": draw(CRONS)} if draw(st.booleans()) else {"period": draw(st.integers(1, 200_000))}
    if draw(st.booleans()):
        keys["max_run"] = draw(st.integers(1, 10_000))
    return heartbeat(**keys)


@st.composite
def stories(draw: st.DrawFn) -> list[Ping]:
    moment = datetime.fromisoformat(draw(DAYS)).replace(tzinfo=UTC)
    pings = []
    for step in draw(st.lists(STEPS, max_size=12)):
        moment += timedelta(seconds=step)
        signal, run = draw(st.sampled_from(Signal)), draw(st.sampled_from(["", "r1", "r2"]))
        pings.append(Ping(moment, signal, run))
    return pings


def end_of(pings: Sequence[Ping]) -> datetime:
    return max((ping.at for ping in pings), default=NOON)


@quick
@given(checks(), DAYS, STEPS, st.floats(0, 1))
def test_before_its_deadline_a_success_is_never_a_missed_deadline(
    check: HeartbeatCheck, day: str, second: int, part: float
) -> None:
    last = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(seconds=second)
    due = due_after(check, last, ZoneInfo(check.timezone or "UTC"))
    assert due.astimezone(UTC) > last
    deadline = due.astimezone(UTC) + timedelta(seconds=check.grace)
    pings = [Ping(last, Signal.SUCCESS)]
    assert verdict(judge(check, pings, last + (deadline - last) * part, "UTC", {})) == OK
    late = judge(check, pings, deadline + timedelta(seconds=1), "UTC", {})
    assert (verdict(late), late.since) == (MISSED, deadline)


@quick
@given(checks(), stories(), st.integers(-4 * 86400, 40 * 86400))
def test_since_is_never_in_the_future_and_everything_survives_the_disk(
    check: HeartbeatCheck, pings: list[Ping], later_s: int
) -> None:
    now = end_of(pings) + timedelta(seconds=later_s)
    seen = judge(check, pings, now, "UTC", {})
    assert (seen.since is not None) is (seen.status is Status.FAIL)
    assert seen.since is None or seen.since <= now
    assert pickle.loads(pickle.dumps(seen)) == seen
    assert judge(check, [Ping.from_json(p.to_json()) for p in pings], now, "UTC", {}) == seen
    assert seen.message.isprintable() and KEY not in repr(seen)


@quick
@given(checks(), stories(), st.lists(st.integers(1, 10 * 86400), min_size=2, max_size=6))
def test_without_new_pings_what_is_down_stays_down_since_the_same_time(
    check: HeartbeatCheck, pings: list[Ping], steps: list[int]
) -> None:
    now, before = end_of(pings), None
    memory: dict[str, Json] = {}
    for step in steps:
        now += timedelta(seconds=step)
        seen = judge(check, pings, now, "UTC", memory)
        memory = dict(seen.memory or {})
        if before and before.status is Status.FAIL:
            assert seen.status is Status.FAIL
            assert seen.since is not None and before.since is not None and seen.since <= before.since
        before = seen


@quick
@given(checks(), stories())
def test_a_success_of_now_without_open_runs_is_always_ok(check: HeartbeatCheck, pings: list[Ping]) -> None:
    now = end_of(pings)
    ended = [Ping(now, Signal.SUCCESS, run) for run in ("r1", "r2", "")]
    assert verdict(judge(check, [*pings, *ended], now, "UTC", {})) == OK


# ---- the file


def test_the_probe_reads_the_check_s_own_file(tmp_path: Path) -> None:
    setting = Setting(tmp_path, data=tmp_path / "data")
    with time_machine.travel(NOON, tick=False):
        assert verdict(run_probe(heartbeat(), setting)) == NEW
        append(setting.data, "another", told(-1))
        assert verdict(run_probe(heartbeat(), setting)) == NEW
        append(setting.data, "nightly", told(-1))
        assert verdict(run_probe(heartbeat(), setting)) == OK


def test_a_torn_line_and_lines_that_are_no_pings_are_left_out(tmp_path: Path) -> None:
    setting = Setting(tmp_path, data=tmp_path)
    append(tmp_path, "nightly", told(-1))
    with (tmp_path / "pings" / file_name("nightly")).open("ab") as file:
        file.write(b'[1]\n{"at":7}\n{"at":"9999-12-31T23:59:59Z","signal":"success"}\n\xff\x00\n')
        file.write(b'{"at":"2026-11-21T12:00:00.000Z","signal":"fa')
    with time_machine.travel(NOON, tick=False):
        assert verdict(run_probe(heartbeat(), setting)) == OK


def test_a_file_that_cannot_be_read_is_our_trouble_and_no_missed_deadline(tmp_path: Path) -> None:
    (tmp_path / "pings" / file_name("nightly")).mkdir(parents=True)
    seen = run_probe(heartbeat(), Setting(tmp_path, data=tmp_path))
    assert verdict(seen) == (Status.UNKNOWN, Kind.INTERNAL)


def test_the_probe_runs_in_another_process(tmp_path: Path) -> None:
    append(tmp_path, "nightly", Ping(datetime.now(UTC), Signal.FAIL, exit_status=2))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        seen = pool.submit(run_probe, heartbeat(), Setting(tmp_path, data=tmp_path)).result(60)
    assert verdict(seen) == FAILED


# ---- the model


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"period": "1h", "cron": "* * * * *"}, "expected one of period and cron, got both"),
        ({"period": None, "cron": None}, "expected one of period and cron, got none"),
        ({"cron": "* * * *"}, "expected five fields"),
        ({"cron": "0 0 * * * *"}, "expected five fields"),
        ({"cron": "61 * * * *"}, "Bad minute"),
        ({"cron": "0 0 31 2 *"}, "expected five fields"),
        ({"cron": "@daily"}, "expected five fields"),
        ({"cron": "x" * 5000}, "expected five fields"),
        ({"timezone": "Mars/Base"}, "IANA time zone"),
        ({"grace": "0s"}, "greater than 0"),
        ({"key": "short"}, "got 5 of them"),
        ({"key": "x" * 65}, "got 65 of them"),
        ({"key": "../../../etc/passwd"}, "other characters"),
        ({"key": "12345678\n"}, "other characters"),
        ({"key": 1234567890}, "put it in quotes"),
    ],
)
def test_what_cannot_be_is_said_when_the_file_is_read(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        heartbeat(**keys)


def test_a_wrong_key_is_not_shown_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        load('checks: [{name: n, type: heartbeat, period: 1h, key: "my secret key!"}]')
    assert "my secret" not in str(caught.value)
    assert "expected a key of letters" in str(caught.value)


def test_the_key_comes_from_the_environment_and_stands_nowhere() -> None:
    loaded = load("checks: [{name: n, type: heartbeat, period: 1h, key: '${JOB_KEY}'}]", {"JOB_KEY": KEY})
    check = loaded.checks["n"]
    assert isinstance(check, HeartbeatCheck)
    assert check.key.get_secret_value() == KEY
    assert KEY not in repr(check) + check.target + check.model_dump_json()


def test_asking_again_changes_nothing_so_that_the_first_verdict_counts() -> None:
    general = General(retries=5, every=7.0)
    assert (complete(heartbeat(), general).retries, complete(heartbeat(), general).every) == (0, 7.0)
    assert complete(heartbeat(retries=3), general).retries == 3
