"""Automatic priority: how far beyond the threshold, which way is worse, whom an error hits."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.priority import by_overage, is_less_worse, of_error, overage_percent
from monitor.model import Severity
from tests.make import quick

P1, P2, P3 = Severity.P1, Severity.P2, Severity.P3
FIGURES = st.floats(-1e9, 1e9, allow_nan=False)


def of_metric(metric: str, current: float, threshold: float, *, less_is_worse: bool | None = None) -> Severity:
    """Return the severity as a report of figures works it out."""
    less = is_less_worse(metric) if less_is_worse is None else less_is_worse
    return by_overage(overage_percent(current, threshold, less_is_worse=less))


@pytest.mark.parametrize(
    ("current", "threshold", "severity"),
    [
        # The document's own example: it says CRITICAL, its rule says 18.75 % over.
        (95, 80, P3),
        (92, 80, P3),
        (96, 80, P3),
        (96.01, 80, P2),
        (120, 80, P2),
        (120.01, 80, P1),
        (5.23, 1.0, P1),
        (3.6, 3, P3),
        (80, 80, P3),
        (70, 80, P3),
        (0, 0, P3),
        (1, 0, P1),
        (-1, 0, P3),
        (-9, -10, P3),
        (-5, -10, P2),
        (-4, -10, P1),
        (-11, -10, P3),
    ],
)
def test_it_is_worse_the_further_it_is_above_the_threshold(
    current: float, threshold: float, severity: Severity
) -> None:
    assert of_metric("cpu_percent", current, threshold) is severity


@pytest.mark.parametrize(
    ("current", "threshold", "severity"),
    [(10, 10, P3), (9, 10, P3), (8, 10, P3), (7.9, 10, P2), (5, 10, P2), (4.9, 10, P1), (0, 10, P1), (50, 10, P3)],
)
def test_where_less_is_worse_the_shortfall_counts(current: float, threshold: float, severity: Severity) -> None:
    assert of_metric("disk_free_percent", current, threshold) is severity
    assert of_metric("anything", current, threshold, less_is_worse=True) is severity


@pytest.mark.parametrize(
    ("metric", "is_less"),
    [
        ("disk_free_percent", True),
        ("diskFreeBytes", True),
        ("memory.available", True),
        ("throughput_rps", True),
        ("success_rate", True),
        ("SuccessRate", True),
        ("conversion-rate", True),
        ("bookings per hour", True),
        ("cache_hit_ratio", True),
        ("cpu_percent", False),
        ("api_response_time_ms", False),
        ("error_rate", False),
        ("conversion_drop_percent", False),
        ("revenue_loss", False),
        ("orders_failed", False),
        ("unavailable_replicas", False),
        ("freedom", False),
        ("", False),
    ],
)
def test_the_name_of_a_metric_says_which_way_is_worse(metric: str, is_less: bool) -> None:
    assert is_less_worse(metric) is is_less


def test_a_flag_overrules_the_name() -> None:
    assert of_metric("free_riders", 200, 100, less_is_worse=False) is P1
    assert of_metric("free_riders", 200, 100) is P3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 10**400])
def test_what_is_no_finite_number_is_refused_and_the_message_says_which_one(bad: float) -> None:
    with pytest.raises(ValueError, match="current value: expected a"):
        of_metric("cpu_percent", bad, 80)
    with pytest.raises(ValueError, match="threshold: expected a"):
        of_metric("cpu_percent", 95, bad)


@quick
@given(FIGURES, FIGURES, st.floats(0, 1e9), st.booleans())
def test_further_beyond_is_never_less_severe(current: float, threshold: float, more: float, less: bool) -> None:
    further = current - more if less else current + more

    before, after = (by_overage(overage_percent(x, threshold, less_is_worse=less)) for x in (current, further))

    assert after <= before


@quick
@given(FIGURES, FIGURES)
def test_less_is_worse_is_the_mirror_of_more_is_worse(current: float, threshold: float) -> None:
    assert overage_percent(current, threshold) == overage_percent(-current, -threshold, less_is_worse=True)


@pytest.mark.parametrize(
    ("error_type", "users", "errors", "severity"),
    [
        ("DatabaseError", None, 1, P1),
        ("database_timeout", 0, 0, P1),
        ("StripeAPIError", 11, 1, P1),
        ("StripeAPIError", 10, 5, P3),
        ("StripeAPIError", 3, 6, P2),
        ("StripeAPIError", None, 1, P3),
    ],
)
def test_an_error_is_as_bad_as_its_impact(error_type: str, users: int | None, errors: int, severity: Severity) -> None:
    assert of_error(error_type, users, errors) is severity


def test_counts_of_an_error_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="affected users: expected 0 or more, got -1"):
        of_error("E", -1)
    with pytest.raises(ValueError, match="error count: expected a finite number, got nan"):
        of_error("E", 1, math.nan)  # type: ignore[arg-type]
