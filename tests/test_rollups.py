"""Sums over closed days: the same answers as from their verdicts, without reading them."""

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.history import compaction
from monitor.history.compaction import compact
from monitor.history.latency import latency_by_bucket, latency_by_check
from monitor.history.query import DamagedHistory
from monitor.history.results import ResultLog
from monitor.history.rollups import folder_of
from monitor.history.seconds import seconds_frame, totals
from monitor.model import Flag, Result, Status
from monitor.units import after, seconds_between
from tests.make import at, quick, result

HOUR, DAY = 3600.0, 86400.0
# T0 is 123 ms after 14:00.
ROUND = -0.123
MIDNIGHT = 10 * HOUR + ROUND
LATER = at(20 * DAY)


@pytest.fixture
def results() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name) / "results"


def write(folder: Path, *lines: Result) -> None:
    log = ResultLog(folder)
    for line in lines:
        log.add(line)
    log.flush()
    log.close()


def days(count: int = 3) -> list[Result]:
    """A verdict each half hour from midnight on, every seventh of them bad."""
    return [
        result(
            Status.OK if n % 7 else Status.FAIL, MIDNIGHT + n * HOUR / 2 + 60, covers_s=HOUR / 2, latency_ms=20.0 + n
        )
        for n in range(48 * count)
    ]


def names(results: Path) -> list[str]:
    return sorted(path.name for path in folder_of(results).iterdir())


def test_closed_days_have_rollups_and_a_folder_from_before_there_were_any_gets_them(results: Path) -> None:
    write(results, *days(2))
    compact(results, at(MIDNIGHT + 1.5 * DAY), 90)
    made = ["2026-11-21.hours.parquet", "2026-11-21.latencies.parquet"]
    assert names(results) == made

    for name in made:
        (folder_of(results) / name).unlink()
    compact(results, at(MIDNIGHT + 1.5 * DAY), 90)
    assert names(results) == made
    compact(results, LATER, 10)
    assert names(results) == []


def test_many_days_get_their_rollups_in_turns_the_newest_first(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "ROLLED_UP_TOGETHER", 4)
    write(results, *(result(seconds=MIDNIGHT + n * DAY + HOUR) for n in range(3)))
    compact(results, LATER, 90)
    assert names(results)[0] == "2026-11-22.hours.parquet"
    compact(results, LATER, 90)
    assert names(results)[0] == "2026-11-21.hours.parquet"


def test_days_within_the_time_are_answered_from_their_rollups_alone(results: Path) -> None:
    write(results, *days())
    asked = at(MIDNIGHT - 2 * HOUR), at(MIDNIGHT + 3 * DAY)
    before = seconds_frame(results, *asked, HOUR), totals(results, *asked), latency_by_check(results, *asked)
    compact(results, LATER, 90)
    for path in results.iterdir():
        path.write_bytes(b"not read")

    pd.testing.assert_frame_equal(seconds_frame(results, *asked, HOUR), before[0])
    assert totals(results, *asked) == before[1]
    pd.testing.assert_frame_equal(latency_by_check(results, *asked), before[2])
    with pytest.raises(DamagedHistory):
        seconds_frame(results, *asked, HOUR / 2)
    with pytest.raises(DamagedHistory):
        latency_by_bucket(results, *asked, HOUR, "shop")


def test_a_late_verdict_is_in_the_rollups_too(results: Path) -> None:
    write(results, *days(1))
    compact(results, LATER, 90)
    write(results, result(Status.WARN, MIDNIGHT + 5 * HOUR, "late", covers_s=30, latency_ms=1.0))
    compact(results, LATER, 90)

    asked = at(), at(5 * DAY)
    assert ("late", "WARN", 30.0) in totals(results, *asked)
    assert list(latency_by_check(results, *asked)["name"]) == ["late", "shop"]


def test_a_kill_while_a_day_is_written_anew_leaves_no_rollup_that_is_wrong(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(results, *days(1))
    compact(results, LATER, 90)
    write(results, result(Status.WARN, MIDNIGHT + 5 * HOUR, "late", covers_s=30, latency_ms=1.0))

    def full(self: Path, target: Path) -> None:
        if target.name == "2026-11-21.hours.parquet":
            raise OSError("No space left on device")
        real(self, target)

    real = Path.replace
    monkeypatch.setattr(Path, "replace", full)
    compact(results, LATER, 90)

    assert [name for name in names(results) if name.endswith(".parquet")] == []
    assert ("late", "WARN", 30.0) in totals(results, at(), at(5 * DAY))


@pytest.mark.parametrize("since", [at(MIDNIGHT), at(MIDNIGHT - 60), at(MIDNIGHT - HOUR)])
def test_a_verdict_of_midnight_and_one_over_days_count_the_same_from_rollups(results: Path, since: datetime) -> None:
    seen = {"covers_s": HOUR / 2, "latency_ms": 5.0}
    write(results, result(seconds=MIDNIGHT, **seen), result(seconds=MIDNIGHT + DAY, **seen))
    write(results, result(Status.FAIL, MIDNIGHT + 5 * HOUR, "job", covers_s=3 * DAY))
    until = at(MIDNIGHT + DAY)

    def figures() -> tuple[pd.DataFrame, list[tuple[str, str, float]], pd.DataFrame]:
        return (
            seconds_frame(results, since, until, seconds_between(since, until)),
            totals(results, since, until),
            latency_by_check(results, since, until),
        )

    frame, whole, latency = figures()
    compact(results, LATER, 90)
    assert len(names(results)) == 4
    again, whole_again, latency_again = figures()
    pd.testing.assert_frame_equal(again, frame)
    assert whole_again == whole
    pd.testing.assert_frame_equal(latency_again, latency)


# Often a round time: midnights and hours are where sums can go wrong.
TIMES = st.builds(
    lambda hours, ms: hours * HOUR + ms / 1000,
    st.integers(1, 76),
    st.just(0) | st.integers(-1, 1) | st.integers(0, 10**7),
)
COVERS = TIMES | st.sampled_from([0.0, 30.0, 1e12, -1.0])
SEEN = st.lists(
    st.tuples(TIMES, COVERS, st.sampled_from(Status), st.booleans()),
    min_size=1,
    max_size=8,
    unique_by=lambda one: one[0],
)
EDGES = st.integers(-30, 90).map(lambda hours: hours * HOUR) | TIMES


@settings(quick, max_examples=8)
@given(
    seen=SEEN,
    low=EDGES,
    length=TIMES,
    bucket=st.sampled_from([HOUR, 4 * HOUR, 12 * HOUR, DAY, 5000.0, None]),
)
def test_seconds_are_the_same_from_rollups_as_from_verdicts(
    seen: list[tuple[float, float, Status, bool]], low: float, length: float, bucket: float | None
) -> None:
    lines = [
        result(status, when + ROUND, f"c{n % 2}", covers_s=covers, flags=(Flag.MAINTENANCE,) if is_planned else ())
        for n, (when, covers, status, is_planned) in enumerate(seen)
    ]
    since = at(low + ROUND)
    until = after(since, length)
    with TemporaryDirectory() as name:
        results = Path(name) / "results"
        write(results, *lines)
        wanted = seconds_frame(results, since, until, bucket or length)
        compact(results, LATER, 90)
        got = seconds_frame(results, since, until, bucket or length)
    pd.testing.assert_frame_equal(got, wanted)


MS = st.floats(0.01, 1e6) | st.sampled_from([0.0, 20.0, 5000.0])
LATENCIES = st.lists(st.tuples(TIMES, MS), min_size=1, max_size=60, unique_by=lambda one: one[0])


@settings(quick, max_examples=8)
@given(seen=LATENCIES, low=EDGES, length=TIMES)
def test_median_and_95th_percentile_are_within_one_percent_with_and_without_rollups(
    seen: list[tuple[float, float]], low: float, length: float
) -> None:
    since = at(low + ROUND)
    until = after(since, length)
    lines = [result(seconds=when + ROUND, latency_ms=ms) for when, ms in seen]
    inside = sorted(line.outcome.latency_ms or 0.0 for line in lines if since < line.at <= until)
    with TemporaryDirectory() as name:
        results = Path(name) / "results"
        write(results, *lines)
        for _ in range(2):
            rows = list(latency_by_check(results, since, until).itertuples(index=False))
            assert bool(rows) is bool(inside)
            for row in rows:
                for got, share in ((row.p50_ms, 0.5), (row.p95_ms, 0.95)):
                    assert got == pytest.approx(inside[math.ceil(share * len(inside)) - 1], rel=0.01, abs=1e-3)
            compact(results, LATER, 90)


def test_a_latency_beyond_all_measure_breaks_nothing(results: Path) -> None:
    write(results, *(result(seconds=HOUR + n, latency_ms=ms) for n, ms in enumerate((0.0, -5.0, 1e300))))
    frame = latency_by_check(results, at(), at(DAY))
    assert list(frame["p50_ms"]) == pytest.approx([1e-3], rel=0.01)
    assert list(frame["p95_ms"]) == pytest.approx([1e9], rel=0.01)


def test_latency_by_bucket_is_that_of_all_verdicts_whatever_their_status(results: Path) -> None:
    well = [result(seconds=n + 1, latency_ms=20.0) for n in range(59)]
    write(results, *well, result(Status.WARN, 60, latency_ms=5000.0), replace(result(seconds=61), name="db"))
    [row] = latency_by_bucket(results, at(0), at(120), 60, "shop").itertuples(index=False)
    assert (row.bucket.to_pydatetime(), row.p50_ms, row.p95_ms) == (at(0), 20.0, 20.0)
    [whole] = latency_by_check(results, at(0), at(120)).itertuples(index=False)
    assert (whole.p50_ms, whole.p95_ms) == pytest.approx((20.0, 20.0), rel=0.01)
