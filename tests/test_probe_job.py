"""The job probe: whose id it follows, what it makes of each answer, and its two deadlines on every kind of day."""

import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine

from monitor.config import JobCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from monitor.probes.job import last_deadline
from tests.servers import Peer, Script, answer, reset, then_silence

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Job:
    """A job's id file and its status URL."""

    def __init__(self, folder: Path, peer: Peer) -> None:
        self.peer, self.id_file = peer, folder / ".last_job_id"
        self.setting = Setting(folder)

    def started(self, job_id: str, at: datetime | None = None) -> None:
        self.id_file.write_text(job_id, "utf-8")
        if at:
            os.utime(self.id_file, (at.timestamp(), at.timestamp()))

    def says(self, raw: bytes | Script) -> None:
        self.peer.scripts = [raw]

    def is_in(self, state: str, **times: datetime | str | None) -> None:
        said = {key: at.isoformat() if isinstance(at, datetime) else at for key, at in times.items()}
        self.says(json_answer({"status": state, **said}))

    def probe(self, now: datetime = NOW, zone: str = "UTC", **keys: Any) -> Outcome:
        base = {"name": "nightly", "type": "job", "status_url": self.peer.url + "/jobs/{job_id}/status", "timeout": 5}
        check = JobCheck.model_validate(base | keys)
        with time_machine.travel(now, tick=False):
            return run_probe(check, Setting(self.setting.folder, zone))


def json_answer(value: Any) -> bytes:
    return answer(json.dumps(value))


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    with Peer(json_answer({"status": "running"})) as peer:
        yield Job(tmp_path, peer)


@pytest.fixture
def run(job: Job) -> Job:
    """A job that has started an hour ago."""
    job.started("run-7", NOW - timedelta(hours=1))
    return job


# ---- which run


@pytest.mark.parametrize("prepare", [lambda file: None, lambda file: file.write_text(" \n")])
def test_without_an_id_it_is_unconfigured_and_nothing_is_asked(job: Job, prepare: Callable[[Path], Any]) -> None:
    prepare(job.id_file)
    seen = job.probe()
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert ".last_job_id" in seen.message
    assert job.peer.connections == []


def test_a_job_with_a_deadline_that_never_ran_has_missed_it(job: Job) -> None:
    seen = job.probe(success_by="07:30")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.DEADLINE)
    assert seen.message.endswith("expected success by 07:30 UTC")


def test_an_id_file_that_cannot_be_read_is_our_trouble_and_no_missed_deadline(job: Job) -> None:
    job.id_file.mkdir()
    seen = job.probe(success_by="07:30")
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.INTERNAL)


def test_the_id_is_read_anew_each_time(job: Job) -> None:
    for job_id in ("run-1", "run-2"):
        job.started(job_id)
        assert job.probe().observed["job_id"] == job_id
    assert [request.split()[1] for request in job.peer.requests] == [b"/jobs/run-1/status", b"/jobs/run-2/status"]


@pytest.mark.parametrize(
    ("job_id", "path"),
    [
        ("run-7\n", b"/jobs/run-7/status"),
        ("a/b?c=d#e", b"/jobs/a%2Fb%3Fc%3Dd%23e/status"),
        ("../../admin", b"/jobs/..%2F..%2Fadmin/status"),
        ("a b\r\nX: y", b"/jobs/a%20b%0AX%3A%20y/status"),
        ("é", b"/jobs/%C3%A9/status"),
        ("{job_id}", b"/jobs/%7Bjob_id%7D/status"),
        ("x" * 5000, b"/jobs/" + b"x" * 200 + b"/status"),
    ],
)
def test_the_id_is_quoted_in_the_url(job: Job, job_id: str, path: bytes) -> None:
    job.started(job_id)
    assert job.probe().status is Status.OK
    assert job.peer.requests[0].split()[1] == path


def test_an_id_of_odd_bytes_is_shown_on_one_line(job: Job) -> None:
    job.id_file.write_bytes(b"\xff\x1b[2J\x00\xe2\x80\xae run\n7")
    seen = job.probe()
    assert str(seen.observed["job_id"]).isprintable()
    assert seen.message.isprintable()


# ---- what it says


@pytest.mark.parametrize("state", ["running", "succeeded"])
def test_a_run_that_is_well_is_ok(run: Job, state: str) -> None:
    run.is_in(state)
    seen = run.probe()
    assert (seen.status, seen.kind) == (Status.OK, None)
    assert seen.message == f"{state} (run-7)"
    assert seen.observed == {"address": "127.0.0.1", "job_id": "run-7", "job_state": state}


def test_a_run_that_failed_is_content(run: Job) -> None:
    run.is_in("failed")
    seen = run.probe()
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "run run-7 is failed, expected succeeded"


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (json_answer({"status": "SUCCEEDED"}), Kind.CONTENT),
        (json_answer({"status": "done"}), Kind.CONTENT),
        (json_answer({"status": None}), Kind.CONTENT),
        (json_answer({"status": ["succeeded"]}), Kind.CONTENT),
        (json_answer({"status": {"succeeded": True}}), Kind.CONTENT),
        (json_answer({}), Kind.CONTENT),
        (json_answer(["succeeded"]), Kind.CONTENT),
        (json_answer("succeeded"), Kind.CONTENT),
        (json_answer(None), Kind.CONTENT),
        (answer("succeeded"), Kind.CONTENT),
        (answer(""), Kind.CONTENT),
        (answer("<html>succeeded</html>"), Kind.CONTENT),
        (answer('{"status": "succeeded"}'.encode("utf-16")), Kind.CONTENT),
        (answer('{"status": "succeeded"}' + " " * 1_100_000), Kind.CONTENT),
        (answer('{"status": "succeeded"}', "404 Not Found"), Kind.STATUS),
        (answer('{"status": "succeeded"}', "302 Found"), Kind.STATUS),
        (answer('{"status": "succeeded"}', "500 Oops"), Kind.STATUS),
        (answer('{"status": "succeeded"}', "401 Unauthorized"), Kind.AUTH),
        (answer('{"status": "succeeded"}', Content_Length="99"), Kind.PROTOCOL),
        (b"succeeded", Kind.PROTOCOL),
        (reset, Kind.PROTOCOL),
    ],
)
def test_an_answer_that_does_not_tell_the_state_fails(run: Job, raw: bytes | Script, kind: Kind) -> None:
    run.says(raw)
    seen = run.probe()
    assert (seen.status, seen.kind) == (Status.FAIL, kind)
    assert seen.message.isprintable()
    assert len(seen.message) < 400


def test_a_state_that_is_not_known_is_told_with_those_that_are(run: Job) -> None:
    run.is_in("paused")
    assert run.probe().message == "$.status is paused, expected running or succeeded or failed"


def test_a_status_url_that_hangs_is_timeout(run: Job) -> None:
    run.says(then_silence(b""))
    with time_machine.travel(NOW):
        seen = run.probe(timeout=0.2)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)


def test_a_status_url_that_is_down_is_connect(run: Job) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        seen = run.probe(status_url=f"http://127.0.0.1:{taken.getsockname()[1]}/{{job_id}}")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONNECT)


def test_a_status_url_of_another_scheme_is_not_read(run: Job, tmp_path: Path) -> None:
    (tmp_path / "run-7").write_text('{"status": "succeeded"}')
    assert run.probe(status_url=f"file://{tmp_path}/{{job_id}}").kind is Kind.PROTOCOL


# ---- success_by


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("success_by", "zone", "now", "deadline"),
    [
        ("07:30", "UTC", "2026-11-21T07:29:59", "2026-11-20T07:30"),
        ("07:30", "UTC", "2026-11-21T07:30:00", "2026-11-21T07:30"),
        ("07:30", "Asia/Kolkata", "2026-11-21T01:59", "2026-11-20T02:00"),
        ("07:30", "Asia/Kolkata", "2026-11-21T02:00", "2026-11-21T02:00"),
        ("00:10", "America/New_York", "2026-11-21T05:09", "2026-11-20T05:10"),
        ("00:10", "America/New_York", "2026-11-21T05:10", "2026-11-21T05:10"),
        ("23:50", "Pacific/Auckland", "2026-11-21T10:51", "2026-11-21T10:50"),
        # Berlin puts its clocks forward at 01:00 UTC on 29 March 2026: 02:30 is left out.
        ("07:30", "Europe/Berlin", "2026-03-29T05:29", "2026-03-28T06:30"),
        ("07:30", "Europe/Berlin", "2026-03-29T05:30", "2026-03-29T05:30"),
        ("02:30", "Europe/Berlin", "2026-03-29T01:29", "2026-03-28T01:30"),
        ("02:30", "Europe/Berlin", "2026-03-29T01:30", "2026-03-29T01:30"),
        # And back at 01:00 UTC on 25 October 2026: 02:00 to 03:00 comes twice, and the first 02:30 counts.
        ("07:30", "Europe/Berlin", "2026-10-25T06:29", "2026-10-24T05:30"),
        ("07:30", "Europe/Berlin", "2026-10-25T06:30", "2026-10-25T06:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T00:29", "2026-10-24T00:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T00:30", "2026-10-25T00:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T01:10", "2026-10-25T00:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T01:30", "2026-10-25T00:30"),
    ],
)
def test_the_last_deadline_is_the_latest_that_the_clock_on_the_wall_has_passed(
    success_by: str, zone: str, now: str, deadline: str
) -> None:
    assert last_deadline(success_by, zone, utc(now)).astimezone(UTC) == utc(deadline)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kolkata", "Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe"])
@pytest.mark.parametrize("success_by", ["00:00", "01:45", "02:30", "12:00", "23:59"])
def test_the_last_deadline_never_goes_back_and_is_never_more_than_a_day_and_an_hour_ago(
    zone: str, success_by: str
) -> None:
    for day in (utc("2026-03-28T00:00"), utc("2026-04-04T00:00"), utc("2026-10-24T00:00"), utc("2026-10-31T00:00")):
        before = None
        for quarter in range(4 * 60):
            now = day + timedelta(minutes=15 * quarter)
            deadline = last_deadline(success_by, zone, now).astimezone(UTC)
            assert timedelta(0) <= now - deadline <= timedelta(hours=25)
            assert before is None or deadline >= before, (zone, success_by, now)
            before = deadline


@pytest.mark.parametrize(
    ("state", "started", "finished", "status", "kind"),
    [
        ("succeeded", "2026-11-21T06:00", "2026-11-21T07:00", Status.OK, None),
        ("succeeded", "2026-11-20T22:00", "2026-11-20T23:00", Status.OK, None),
        # Late, but done: a person who ran it by hand has made it well.
        ("succeeded", "2026-11-21T07:00", "2026-11-21T11:00", Status.OK, None),
        ("succeeded", "2026-11-20T07:00", "2026-11-20T07:30", Status.FAIL, Kind.DEADLINE),
        ("succeeded", "2026-11-19T06:00", "2026-11-19T07:00", Status.FAIL, Kind.DEADLINE),
        ("running", "2026-11-21T07:00", None, Status.FAIL, Kind.DEADLINE),
        ("failed", "2026-11-21T07:00", "2026-11-21T07:10", Status.FAIL, Kind.DEADLINE),
        # A run after the deadline is the next one's; how the last one went, is no longer told.
        ("running", "2026-11-21T11:00", None, Status.OK, None),
        ("failed", "2026-11-21T11:00", "2026-11-21T11:10", Status.FAIL, Kind.CONTENT),
    ],
)
def test_success_by_wants_a_success_within_the_day_before_it_or_since(
    run: Job, state: str, started: str, finished: str | None, status: Status, kind: Kind | None
) -> None:
    run.is_in(state, started_at=utc(started), finished_at=utc(finished) if finished else None)
    seen = run.probe(success_by="07:30")
    assert (seen.status, seen.kind) == (status, kind)


def test_a_missed_deadline_says_which_by_how_much_and_what_the_last_run_was(run: Job) -> None:
    run.is_in("failed", started_at=utc("2026-11-21T06:00"), finished_at=utc("2026-11-21T06:10"))
    assert run.probe(success_by="07:30").message == (
        "missed its deadline 07:30 UTC by 4 h 30 m; last run failed at 2026-11-21 06:10 UTC"
    )
    kolkata = run.probe(success_by="17:00", zone="Asia/Kolkata")
    assert kolkata.message.startswith("missed its deadline 17:00 IST by 30 m;")


def test_a_deadline_around_midnight_belongs_to_the_night_before(run: Job) -> None:
    run.is_in("succeeded", started_at=utc("2026-11-20T23:00"), finished_at=utc("2026-11-20T23:50"))
    assert run.probe(utc("2026-11-21T00:20"), success_by="00:10").status is Status.OK
    assert run.probe(utc("2026-11-22T00:09"), success_by="00:10").status is Status.OK
    assert run.probe(utc("2026-11-22T00:11"), success_by="00:10").kind is Kind.DEADLINE


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_on_the_days_when_clocks_change_the_window_is_a_day_of_the_wall_clock(run: Job, day: str, hours: int) -> None:
    zone = "Europe/Berlin"
    deadline = last_deadline("07:30", zone, utc(f"{day}T12:00")).astimezone(UTC)
    now = deadline + timedelta(minutes=1)
    for finished, status in ((hours - 0.1, Status.OK), (hours + 0.1, Status.FAIL)):
        run.is_in("succeeded", finished_at=deadline - timedelta(hours=finished))
        assert run.probe(now, zone, success_by="07:30").status is status


@pytest.mark.parametrize("finished_at", [None, "yesterday", "2026-11-21T07:00:00", "", 5, "9999-12-31T23:59:59-14:00"])
def test_without_a_time_of_finishing_the_start_stands_for_it(run: Job, finished_at: Any) -> None:
    run.is_in("succeeded", started_at=utc("2026-11-21T06:00"), finished_at=finished_at)
    assert run.probe(success_by="07:30").status is Status.OK
    assert run.probe(NOW + timedelta(days=1), success_by="07:30").kind is Kind.DEADLINE


def test_a_job_that_gives_no_times_and_is_never_started_again_does_not_stay_green(run: Job) -> None:
    run.is_in("succeeded")
    assert run.probe(success_by="07:30").status is Status.OK
    assert run.probe(NOW + timedelta(days=2), success_by="07:30").kind is Kind.DEADLINE


# ---- minutes_after_start


def test_a_run_may_take_its_minutes_and_fails_while_it_takes_more(run: Job) -> None:
    run.is_in("running", started_at=NOW - timedelta(minutes=30))
    assert run.probe(minutes_after_start=30).status is Status.OK
    seen = run.probe(NOW + timedelta(seconds=1), minutes_after_start=30)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.DEADLINE)
    assert seen.message == "still running after 30 m 1 s, limit 30 m"


def test_a_run_that_succeeded_but_took_too_long_is_warn(run: Job) -> None:
    run.is_in("succeeded", started_at=NOW - timedelta(minutes=90), finished_at=NOW - timedelta(minutes=20))
    seen = run.probe(minutes_after_start=60)
    assert (seen.status, seen.kind) == (Status.WARN, Kind.DEADLINE)
    assert seen.message == "run time is 1 h 10 m, expected at most 1 h"
    assert run.probe(minutes_after_start=70).status is Status.OK


def test_a_run_that_failed_and_took_too_long_is_a_failure(run: Job) -> None:
    run.is_in("failed", started_at=NOW - timedelta(minutes=90), finished_at=NOW - timedelta(minutes=20))
    assert run.probe(minutes_after_start=60).kind is Kind.CONTENT


@pytest.mark.parametrize("started_at", [None, "soon", "2026-11-21T11:59:00", 1_700_000_000])
def test_without_a_time_of_starting_the_id_files_time_stands_for_it(job: Job, started_at: Any) -> None:
    job.started("run-7", NOW - timedelta(minutes=31))
    job.is_in("running", started_at=started_at)
    assert job.probe(minutes_after_start=30).kind is Kind.DEADLINE
    assert job.probe(minutes_after_start=32).status is Status.OK


def test_both_deadlines_hold_together(run: Job) -> None:
    run.is_in("running", started_at=NOW - timedelta(minutes=31))
    seen = run.probe(success_by="11:45", minutes_after_start=30)
    assert seen.message.startswith("missed its deadline 11:45 UTC by 15 m")
