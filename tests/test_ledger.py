"""Seconds by what was known of them: their sum is the period, whatever the verdicts say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.ledger import ACCOUNTING, Tally, tally
from monitor.model import Status
from tests.make import quick

SECONDS = st.floats(0, 1e8)
COVERED = st.dictionaries(st.sampled_from(Status), SECONDS)


@quick
@given(COVERED, SECONDS, st.just(0.0) | SECONDS)
def test_the_parts_are_the_period_to_the_second(
    covered: dict[Status, float], period_s: float, maintenance_s: float
) -> None:
    parts = tally(covered, period_s, maintenance_s)

    assert parts.period_s == pytest.approx(period_s, abs=1e-6, rel=0)
    assert min(parts.up_s, parts.degraded_s, parts.down_s, parts.unknown_s, parts.maintenance_s) >= 0


@quick
@given(COVERED, SECONDS)
def test_the_uptime_does_not_depend_on_how_much_was_not_watched(covered: dict[Status, float], extra_s: float) -> None:
    period_s = sum(covered.values())
    ratio = tally(covered, period_s).uptime_ratio

    assert tally(covered, period_s + extra_s).uptime_ratio == (None if ratio is None else pytest.approx(ratio))
    assert ratio is None or 0 <= ratio <= 1


@quick
@given(COVERED, st.floats(0.01, 1.0))
def test_verdicts_that_stand_for_more_than_the_period_shrink_alike(covered: dict[Status, float], share: float) -> None:
    whole = tally(covered, sum(covered.values()))
    part = tally(covered, sum(covered.values()) * share)

    for name in ("up_s", "degraded_s", "down_s", "unknown_s"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name) * share, abs=1e-6)


def test_each_status_has_its_place() -> None:
    covered = {Status.OK: 600.0, Status.WARN: 60.0, Status.FAIL: 30.0, Status.UNKNOWN: 10.0}

    assert tally(covered, 3600, maintenance_s=900) == Tally(600, 60, 30, 3600 - 600 - 60 - 30 - 900, 900)


def test_what_no_verdict_covers_is_unknown() -> None:
    assert tally({}, 3600) == Tally(unknown_s=3600)
    assert tally({Status.OK: 600}, 3600).unknown_s == 3000


def test_verdicts_just_inside_the_period_shrink_so_that_the_sum_stays_the_period() -> None:
    assert tally({Status.OK: 90.0, Status.FAIL: 30.0}, 60) == Tally(up_s=45, down_s=15)


def test_a_warning_is_up_a_failure_is_down_and_the_rest_is_neither() -> None:
    assert Tally(up_s=50, degraded_s=25, down_s=25, unknown_s=1000, maintenance_s=1000).uptime_ratio == 0.75
    assert Tally(unknown_s=100, maintenance_s=5).uptime_ratio is None
    assert Tally(down_s=5).uptime_ratio == 0.0
    assert "WARN are up" in ACCOUNTING


def test_tallies_add_up() -> None:
    assert Tally(1, 2, 3, 4, 5) + Tally(10, 20, 30, 40, 50) == Tally(11, 22, 33, 44, 55)
    assert Tally(1, 2, 3, 4, 5).watched_s == 6


def test_an_empty_period_is_empty_and_a_negative_one_is_refused() -> None:
    assert tally({Status.OK: 30.0}, 0).period_s == 0
    with pytest.raises(ValueError, match="expected a period of 0 s or more, got -1"):
        tally({}, -1)
