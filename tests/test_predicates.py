"""Predicates on one value: strict about types, the same for JSON, rows, keys and registries."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.model import Finding
from monitor.probes.predicates import age_of, check_value, for_many, holds, time_of, wanted

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "limits", "expected"),
    [
        (1, {"equals": 1.0}, True),
        (True, {"equals": 1}, False),
        ("12", {"lt": 13}, False),
        (float("nan"), {"not_equals": 1, "le": 5}, False),
        (5, {"ge": 5, "lt": 6}, True),
        (1.0, {"in": [1, "a"]}, True),
        (True, {"in": [1, "a"]}, False),
        (True, {"not_in": [1, "a"]}, True),
        ([1], {"in": [[1.0]]}, True),
    ],
)
def test_a_value_holds_or_does_not_whether_the_limits_are_prepared_or_not(
    value: Any, limits: dict[str, Any], expected: bool
) -> None:
    assert holds(value, limits, NOW) is expected
    assert holds(value, for_many(limits), NOW) is expected


def test_a_value_that_does_not_hold_is_a_finding_with_what_was_wanted() -> None:
    assert check_value("column n", 7, {"gt": 6}) == []
    assert check_value("column n", "7", {"gt": 6, "not_equals": None}) == [
        Finding("column n", "> 6 and not null", '"7"'),
    ]
    assert wanted({"in": [1, "a"], "max_age": 60}) == 'one of 1, "a" and a time at most 1 m ago'


@pytest.mark.parametrize(
    "value", ["2026-11-21T11:59:00Z", " 2026-11-21t12:59:00+01:00", NOW.timestamp() - 60, (NOW.timestamp() - 60) * 1000]
)
def test_a_time_is_rfc_3339_or_unix_seconds_or_milliseconds(value: Any) -> None:
    assert age_of(value, NOW) == 60


@pytest.mark.parametrize("value", [None, True, "", "2026-11-21T12:00:00", "yesterday", float("inf"), 1e300, [], {}])
def test_what_names_no_time_has_no_age(value: Any) -> None:
    assert time_of(value) is None
    assert age_of(value, NOW) is None
