"""One history over JSONL and Parquet: the same answers before, during and after compaction."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.history.compaction import compact
from monitor.history.latency import latency_by_bucket, latency_by_check
from monitor.history.query import changes_frame, connect, files_between, results_frame
from monitor.history.results import ResultLog, hour_file
from monitor.history.seconds import seconds_frame, totals
from monitor.ledger import Tally
from monitor.model import Flag, Kind, Result, Status
from monitor.units import after
from monitor.views import tallies, to_results
from tests.make import at, quick, result

HOUR, DAY = 3600.0, 86400.0
EVER = (at(-400 * DAY), at(400 * DAY))
COLUMNS = list(result().to_json())


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """Results have rollups beside them: a folder for both, of each test's own."""
    folder = tmp_path / "results"
    folder.mkdir()
    return folder


@contextmanager
def a_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "results"


def write(folder: Path, *results: Result) -> None:
    log = ResultLog(folder)
    for one in results:
        log.add(one)
    log.flush()
    log.close()


def verdicts() -> list[Result]:
    """Two checks through one night, at 22:00, 23:00, 00:00 and 01:00."""
    seen = {
        "latency_ms": 12.5,
        "phases_ms": {"dns": 1.25},
        "code": 200,
        "observed": {"ip": "192.0.2.1", "x": [1, None]},
    }
    slow = result(Status.WARN, 9 * HOUR, "shop", Kind.SLOW, covers_s=30, **seen)
    well = [result(Status.OK, n * HOUR, "shop", covers_s=30, **seen) for n in (8, 10, 11)]
    broken = result(Status.FAIL, 8 * HOUR + 1, "db", Kind.CONNECT, message="it's 'quoted'", flags=(Flag.FLAPPING,))
    return [*well, slow, result(Status.OK, 10 * HOUR, "db", covers_s=60), broken]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def rows(folder: Path) -> list[Result]:
    """Everything in the history, whichever files hold it."""
    return sorted(to_results(results_frame(folder, *EVER)), key=lambda r: (r.at, r.name))


def expected() -> list[Result]:
    return sorted(verdicts(), key=lambda r: (r.at, r.name))


def test_verdicts_come_back_newest_first_with_the_columns_of_a_line(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())

    frame = results_frame(tmp_path, *EVER)

    assert list(frame.columns) == COLUMNS
    assert str(frame["at"].dt.tz) == "UTC"
    assert frame["at"].is_monotonic_decreasing
    assert rows(tmp_path) == expected()


def test_a_time_begins_after_since_and_ends_with_until(tmp_path: Path) -> None:
    write(tmp_path, *(result(seconds=n) for n in range(4)))

    assert [t.to_pydatetime() for t in results_frame(tmp_path, at(0), at(2))["at"]] == [at(2), at(1)]


def test_verdicts_are_chosen_by_name_status_and_number(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())

    assert set(results_frame(tmp_path, *EVER, name="db")["status"]) == {"OK", "FAIL"}
    assert len(results_frame(tmp_path, *EVER, statuses=[Status.FAIL, Status.WARN])) == 2
    assert len(results_frame(tmp_path, *EVER, name="x' OR '1'='1")) == 0
    assert [t.to_pydatetime() for t in results_frame(tmp_path, *EVER, newest=1)["at"]] == [at(11 * HOUR)]


def test_seconds_are_summed_by_check_bucket_and_status(tmp_path: Path) -> None:
    write(
        tmp_path,
        result(Status.OK, 10, covers_s=10, latency_ms=10.0),
        result(Status.OK, 20, covers_s=10, latency_ms=30.0),
        result(Status.FAIL, 60, covers_s=40),
        result(Status.OK, 70, covers_s=10, latency_ms=50.0),
        result(Status.OK, 20, "db", covers_s=5),
    )

    frame = seconds_frame(tmp_path, at(0), at(120), bucket_s=60)

    assert list(frame.columns) == ["name", "bucket", "status", "seconds", "verdicts"]
    assert parts(frame) == [
        ("db", at(0), "OK", 5.0, 1),
        # The verdict of the last moment stands for the 40 s before it.
        ("shop", at(0), "FAIL", 40.0, 1),
        ("shop", at(0), "OK", 20.0, 2),
        ("shop", at(60), "OK", 10.0, 1),
    ]
    latency = latency_by_bucket(tmp_path, at(0), at(120), 60, "shop")
    assert list(latency.columns) == ["bucket", "p50_ms", "p95_ms"]
    assert latency["p50_ms"][0] == pytest.approx(20.0)
    assert latency["p95_ms"][0] == pytest.approx(29.0)
    assert sorted(totals(tmp_path, at(0), at(120))) == [("db", "OK", 5.0), ("shop", "FAIL", 40.0), ("shop", "OK", 30.0)]


def parts(frame: pd.DataFrame) -> list[tuple[str, datetime, str, float, int]]:
    rows = frame.itertuples(index=False)
    return [(r.name, r.bucket.to_pydatetime(), r.status, r.seconds, r.verdicts) for r in rows]


def test_a_verdict_over_a_weekend_is_split_over_its_days(tmp_path: Path) -> None:
    # T0 is a Friday, 14:00; 07:30 is 17.5 hours later, and Monday's is two days on.
    friday, monday = at(-6.5 * HOUR), at(-6.5 * HOUR + 3 * DAY)
    midnight = at(10 * HOUR)
    write(tmp_path, replace(result(covers_s=DAY), at=friday), replace(result(Status.FAIL, covers_s=3 * DAY), at=monday))

    by_day = parts(seconds_frame(tmp_path, after(midnight, -2 * DAY), after(midnight, 4 * DAY), DAY))

    days = [after(midnight, n * DAY) for n in range(-2, 3)]
    assert by_day == [
        ("shop", days[0], "OK", 16.5 * HOUR, 0),
        ("shop", days[1], "FAIL", 16.5 * HOUR, 0),
        ("shop", days[1], "OK", 7.5 * HOUR, 1),
        ("shop", days[2], "FAIL", DAY, 0),
        ("shop", days[3], "FAIL", DAY, 0),
        ("shop", days[4], "FAIL", 7.5 * HOUR, 1),
    ]
    for compacted in (False, True):
        if compacted:
            compact(tmp_path, at(9 * DAY), 90)
        saturday = seconds_frame(tmp_path, days[2], days[3], DAY)
        assert parts(saturday) == [("shop", days[2], "FAIL", DAY, 0)]
        assert latency_by_bucket(tmp_path, days[2], days[3], DAY, "shop").empty
        assert latency_by_check(tmp_path, days[2], days[3]).empty
        assert tallies(totals(tmp_path, days[2], days[3]), DAY)["shop"] == Tally(down_s=DAY)
    assert parts(seconds_frame(tmp_path, monday, after(monday, DAY), DAY)) == []


def test_a_latency_counts_where_its_verdict_was_reached(tmp_path: Path) -> None:
    write(tmp_path, result(seconds=150, covers_s=150, latency_ms=7.0))

    frame = seconds_frame(tmp_path, at(0), at(180), bucket_s=60)

    assert list(frame["seconds"]) == [60, 60, 30]
    assert list(frame["verdicts"]) == [0, 0, 1]
    latency = latency_by_bucket(tmp_path, at(0), at(180), 60, "shop")
    assert [(r.bucket.to_pydatetime(), r.p50_ms) for r in latency.itertuples()] == [(at(120), 7.0)]


def test_parts_of_verdicts_are_found_from_files_that_begin_after_the_time_asked_for(tmp_path: Path) -> None:
    write(
        tmp_path,
        result(seconds=9 * HOUR, covers_s=30),
        result(seconds=40 * HOUR, name="db", covers_s=38 * HOUR),
        result(seconds=70 * HOUR, name="web", covers_s=1 * HOUR),
    )

    for hour in (10, 45, 400):
        frame = seconds_frame(tmp_path, at(), at(5 * HOUR), 5 * HOUR)
        assert parts(frame) == [("db", at(), "OK", 3 * HOUR, 0)]
        compact(tmp_path, at(hour * HOUR), 90)


MS = st.integers(0, 30_000).map(lambda ms: ms / 1000)


@settings(quick, max_examples=30)
@given(
    verdicts=st.lists(st.tuples(MS, MS | st.just(1e12) | st.just(-1.0), st.sampled_from(Status)), max_size=8),
    low=MS,
    length=MS.filter(bool),
    bucket=st.integers(1, 4000).map(lambda n: n / 200),
)
def test_the_parts_of_any_verdict_add_up_to_what_it_covers_of_the_time_asked_for(
    verdicts: list[tuple[float, float, Status]], low: float, length: float, bucket: float
) -> None:
    with a_folder() as folder:
        lines = [result(s, when, f"c{n}", covers_s=covers) for n, (when, covers, s) in enumerate(verdicts)]
        write(folder, *lines)
        frame = seconds_frame(folder, at(low), at(low + length), bucket)

    wanted = {}
    for line, (when, covers, _) in zip(lines, verdicts, strict=True):
        inside = min(when, low + length) - max(when - max(covers, 0.0), low)
        if low < when <= low + length or (when > low and inside > 0):
            wanted[line.name] = pytest.approx(max(inside, 0.0), abs=1e-5)
    assert frame.groupby("name")["seconds"].sum().to_dict() == wanted
    assert (frame["seconds"] >= 0).all()
    assert (frame["seconds"] <= bucket + 1e-6).all()
    assert frame["bucket"].between(at(low), at(low + length), inclusive="left").all()
    assert frame["verdicts"].sum() == sum(low < when <= low + length for when, _, _ in verdicts)


@settings(quick, max_examples=30)
@given(
    gaps=st.lists(st.tuples(MS.filter(bool), st.booleans(), st.sampled_from(Status)), min_size=1, max_size=12),
    low=MS,
    length=MS.filter(bool),
    bucket=st.integers(1, 4000).map(lambda n: n / 200),
)
def test_a_life_of_verdicts_fills_no_bucket_beyond_its_length_and_the_tally_is_the_period(
    gaps: list[tuple[float, bool, Status]], low: float, length: float, bucket: float
) -> None:
    when, lines = 0.0, []
    for gap, was_watched, status in gaps:
        when = round(when + gap, 3)
        lines.append(result(status, when, covers_s=gap if was_watched else 0.0))
    with a_folder() as folder:
        write(folder, *lines)
        frame = seconds_frame(folder, at(low), at(low + length), bucket)
        whole = totals(folder, at(low), at(low + length))

    assert (frame.groupby("bucket")["seconds"].sum() <= bucket + 1e-5).all()
    sums = {status: seconds for _, status, seconds in whole}
    assert frame.groupby("status")["seconds"].sum().to_dict() == pytest.approx(sums, abs=1e-5)
    for tally in tallies(whole, length).values():
        assert tally.period_s == pytest.approx(length, abs=1e-6)
        assert tally.down_s == pytest.approx(sums.get("FAIL", 0.0), abs=1e-5)


def test_changes_are_the_first_verdict_and_every_other_status_after_it(tmp_path: Path) -> None:
    story = [Status.OK, Status.OK, Status.FAIL, Status.FAIL, Status.UNKNOWN, Status.OK]
    write(tmp_path, *(result(status, n * HOUR) for n, status in enumerate(story)), result(Status.OK, 5, "db"))
    compact(tmp_path, at(4 * HOUR), 90)  # some hours are Parquet, some are JSONL

    frame = changes_frame(tmp_path, *EVER, name="shop")

    assert list(frame.columns) == ["at", "name", "before", "status", "kind", "message"]
    got = [(r.at.to_pydatetime(), r.before, r.status) for r in frame.itertuples(index=False)]
    assert got[:3] == [
        (at(5 * HOUR), "UNKNOWN", "OK"),
        (at(4 * HOUR), "FAIL", "UNKNOWN"),
        (at(2 * HOUR), "OK", "FAIL"),
    ]
    assert got[3][0] == at(0)
    assert pd.isna(got[3][1])
    assert len(got) == 4
    assert len(changes_frame(tmp_path, *EVER)) == 5


def test_an_empty_history_gives_empty_frames_with_the_same_columns(tmp_path: Path) -> None:
    folder = tmp_path / "full"
    write(folder, *verdicts())
    (tmp_path / "2026-11-20T14.jsonl").touch()

    for empty in (tmp_path / "nothing", tmp_path):
        for ask in (
            lambda f: results_frame(f, *EVER),
            lambda f: seconds_frame(f, *EVER, bucket_s=DAY),
            lambda f: latency_by_bucket(f, *EVER, DAY, "shop"),
            lambda f: latency_by_check(f, *EVER),
            lambda f: changes_frame(f, *EVER),
        ):
            assert len(ask(empty)) == 0
            assert list(ask(empty).columns) == list(ask(folder).columns)


def test_a_torn_line_and_a_damaged_one_are_left_out_and_the_rest_is_read(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())
    with hour_file(tmp_path, at(8 * HOUR)).open("ab") as file:
        file.write(b'not json\n[1]\n\xff\xfe\n{"at":"2026-11-20T22:59:00.000Z","name":"torn')

    assert rows(tmp_path) == expected()
    compact(tmp_path, at(5 * DAY), 90)
    assert rows(tmp_path) == expected()
    with connect() as db:
        assert db.execute(f"SELECT count(*) FROM '{tmp_path}/*.parquet'").fetchone() == (len(expected()),)


def test_the_database_writes_nothing_to_the_standard_output() -> None:
    """Without a script it would take the program for an interactive one and draw a progress bar."""
    script = (
        "from monitor.history.query import connect\n"
        "with connect() as db: print(db.execute(\"SELECT current_setting('enable_progress_bar')\").fetchone())"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout == b"(False,)\n"


def test_files_of_other_names_are_not_part_of_the_history(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())
    for name in ("2026-11-20T22.part", "2026-11-20-copy.parquet", "2026-11-20T22.jsonl.bak", "notes.txt"):
        (tmp_path / name).write_bytes(b"not ours")

    assert rows(tmp_path) == expected()


def test_a_file_that_compaction_takes_while_it_is_asked_for_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, *verdicts())
    listings = []

    def compact_after_listing(folder: Path, since: datetime, until: datetime) -> list[Path]:
        paths = files_between(folder, since, until)
        listings.append(paths)
        compact(tmp_path, at(12 * HOUR if len(listings) == 1 else 5 * DAY), 90)
        return paths

    monkeypatch.setattr("monitor.history.query.files_between", compact_after_listing)

    assert rows(tmp_path) == expected()
    assert len(listings) == 3


def test_a_closed_hour_becomes_parquet_and_the_open_one_stays(tmp_path: Path) -> None:
    write(tmp_path, result(seconds=0), result(seconds=HOUR), result(seconds=2 * HOUR))

    compact(tmp_path, at(2 * HOUR + 5 * 60), 90)
    # 16:05: a clock that is set back a little may still stamp a verdict with 15:59.
    assert names(tmp_path) == ["2026-11-20T14.parquet", "2026-11-20T15.jsonl", "2026-11-20T16.jsonl"]
    compact(tmp_path, at(2 * HOUR + 11 * 60), 90)
    assert names(tmp_path) == ["2026-11-20T14.parquet", "2026-11-20T15.parquet", "2026-11-20T16.jsonl"]


def test_a_closed_day_becomes_one_file_with_the_same_rows(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())
    seconds = seconds_frame(tmp_path, at(), at(DAY), 6 * HOUR)

    compact(tmp_path, at(11 * HOUR), 90)

    assert names(tmp_path) == ["2026-11-20.parquet", "2026-11-21T00.jsonl", "2026-11-21T01.jsonl"]
    assert rows(tmp_path) == expected()
    pd.testing.assert_frame_equal(seconds_frame(tmp_path, at(), at(DAY), 6 * HOUR), seconds)
    compact(tmp_path, at(5 * DAY), 90)
    assert names(tmp_path) == ["2026-11-20.parquet", "2026-11-21.parquet"]
    assert rows(tmp_path) == expected()


@settings(quick, max_examples=5)
@given(st.lists(st.integers(8, 40), max_size=4))
def test_the_rows_are_the_same_however_often_it_is_compacted(hours: list[int]) -> None:
    with a_folder() as folder:
        write(folder, *verdicts())
        for hour in hours:
            compact(folder, at(hour * HOUR), 90)
        assert rows(folder) == expected()


class Killed(BaseException):
    """Not an Exception: nothing tidies up after a kill."""


# Four hours are merged, then two days of two hours each.
@pytest.mark.parametrize(
    ("call", "done"), [("replace", n) for n in (0, 3, 4, 5)] + [("unlink", n) for n in (0, 3, 4, 5)]
)
def test_a_kill_on_the_way_loses_nothing_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, done: int
) -> None:
    write(tmp_path, *verdicts())
    left, real = [done], getattr(Path, call)

    def killed(self: Path, *args: Path, **more: bool) -> object:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return real(self, *args, **more)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Path, call, killed)
        compact(tmp_path, at(5 * DAY), 90)

    assert any(name.endswith(".part") for name in names(tmp_path)) is (call == "replace")
    assert rows(tmp_path) == expected()
    compact(tmp_path, at(5 * DAY), 90)
    assert names(tmp_path) == ["2026-11-20.parquet", "2026-11-21.parquet"]
    assert rows(tmp_path) == expected()


def test_a_compaction_that_breaks_is_logged_and_the_files_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, *verdicts())
    before = names(tmp_path)

    def full(self: Path, target: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    compact(tmp_path, at(5 * DAY), 90)

    assert "compaction broke" in caplog.text
    assert [n for n in names(tmp_path) if n.endswith(".jsonl")] == before
    assert rows(tmp_path) == expected()


def test_a_late_verdict_of_an_hour_or_day_that_is_compacted_already_is_added(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())
    compact(tmp_path, at(12 * HOUR), 90)
    late = [result(Status.FAIL, seconds, "late") for seconds in (8 * HOUR + 30, 10 * HOUR + 30)]
    write(tmp_path, *late)

    compact(tmp_path, at(12 * HOUR), 90)
    compact(tmp_path, at(5 * DAY), 90)

    assert names(tmp_path) == ["2026-11-20.parquet", "2026-11-21.parquet"]
    assert rows(tmp_path) == sorted([*verdicts(), *late], key=lambda r: (r.at, r.name))


def test_days_past_keeping_are_deleted_in_every_form_and_no_other(tmp_path: Path) -> None:
    write(tmp_path, *verdicts())
    compact(tmp_path, at(5 * DAY), 90)
    shutil.copy(tmp_path / "2026-11-20.parquet", tmp_path / "2026-11-19T05.parquet")
    (tmp_path / "2026-11-18T05.jsonl").write_bytes(b"")
    (tmp_path / "notes.jsonl").write_bytes(b"")

    compact(tmp_path, datetime.fromisoformat("2026-11-30T12:00:00+00:00"), retention_days=10)

    assert names(tmp_path) == ["2026-11-20.parquet", "2026-11-21.parquet", "notes.jsonl"]


def test_what_is_seen_during_maintenance_is_booked_as_maintenance_whatever_it_was(tmp_path: Path) -> None:
    planned = (Flag.FLAPPING, Flag.MAINTENANCE)
    write(
        tmp_path,
        result(Status.OK, 60, covers_s=60),
        result(Status.FAIL, 120, covers_s=60, flags=planned),
        result(Status.OK, 180, covers_s=60, flags=planned),
        result(Status.UNKNOWN, 240, covers_s=60, flags=planned),
        result(Status.FAIL, 300, covers_s=60, flags=(Flag.MUTED,)),
    )
    for _ in range(2):
        assert tallies(totals(tmp_path, at(0), at(360)), 360)["shop"] == Tally(60, 0, 60, 60, 180)
        frame = seconds_frame(tmp_path, at(0), at(360), 360)
        assert {r.status: r.seconds for r in frame.itertuples()} == {"FAIL": 60, "MAINTENANCE": 180, "OK": 60}
        compact(tmp_path, at(5 * DAY), 90)
    assert names(tmp_path) == ["2026-11-20.parquet"]


def test_files_from_before_there_was_maintenance_are_read_beside_others(tmp_path: Path) -> None:
    write(tmp_path, result(Status.FAIL, 60, covers_s=60))
    compact(tmp_path, at(5 * DAY), 90)
    old, whole = tmp_path / "2026-11-20.parquet", tmp_path / "new.parquet"
    with connect() as db:
        db.execute(f"COPY (SELECT * EXCLUDE (in_maintenance) FROM '{old}') TO '{whole}' (FORMAT parquet)")
    whole.replace(old)

    assert totals(tmp_path, at(0), at(DAY)) == [("shop", "FAIL", 60.0)]
    write(tmp_path, result(Status.FAIL, DAY, covers_s=60, flags=(Flag.MAINTENANCE,)))
    for _ in range(2):
        assert totals(tmp_path, at(0), at(DAY)) == [("shop", "FAIL", 60.0), ("shop", "MAINTENANCE", 60.0)]
        compact(tmp_path, at(5 * DAY), 90)


@settings(quick, max_examples=30)
@given(
    gaps=st.lists(st.tuples(MS.filter(bool), st.booleans(), st.sampled_from(Status)), min_size=1, max_size=12),
    low=MS,
    length=MS.filter(bool),
    is_compacted=st.booleans(),
)
def test_the_parts_are_the_period_with_maintenance_too(
    gaps: list[tuple[float, bool, Status]], low: float, length: float, is_compacted: bool
) -> None:
    when, lines = 0.0, []
    for gap, is_planned, status in gaps:
        when = round(when + gap, 3)
        flags = (Flag.MAINTENANCE,) if is_planned else ()
        lines.append(result(status, when, covers_s=gap, flags=flags))
    with a_folder() as folder:
        write(folder, *lines)
        if is_compacted:
            compact(folder, at(5 * DAY), 90)
        whole = tallies(totals(folder, at(low), at(low + length)), length)

    wanted = dict.fromkeys(("OK", "WARN", "FAIL", "MAINTENANCE"), 0.0)
    for line, (gap, is_planned, status) in zip(lines, gaps, strict=True):
        end = (line.at - at(0)).total_seconds()
        inside = max(min(end, low + length) - max(end - gap, low), 0.0)
        booked = "MAINTENANCE" if is_planned else status.value
        wanted[booked] = wanted.get(booked, 0.0) + inside
    got = whole.get("shop", Tally(unknown_s=length))
    assert got.period_s == pytest.approx(length, abs=1e-6)
    parts_s = (got.up_s, got.degraded_s, got.down_s, got.maintenance_s)
    assert parts_s == pytest.approx([wanted[one] for one in ("OK", "WARN", "FAIL", "MAINTENANCE")], abs=1e-3)
