"""The words, and the line of a result."""

import json
import re
from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.history.jsonl import to_line
from monitor.model import Finding, Flag, Json, Kind, Outcome, Result, Severity, Status
from monitor.units import from_rfc3339, to_rfc3339
from tests.make import TIMES, at, quick, result

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
MILLIS = st.floats(0, 1e7).map(lambda ms: round(ms, 2))
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
)
FACTS = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3))
# `findings` is the key under which a line keeps them.
OBSERVED = st.dictionaries(TEXTS.filter(lambda key: key != "findings"), FACTS, max_size=3)


@st.composite
def results(draw: st.DrawFn) -> Result:
    status = draw(st.sampled_from(Status))
    return Result(
        at=from_rfc3339(to_rfc3339(draw(TIMES))),
        name=draw(TEXTS),
        outcome=Outcome(
            status=status,
            kind=None if status is Status.OK else draw(st.sampled_from(Kind)),
            message=draw(TEXTS),
            latency_ms=draw(st.none() | MILLIS),
            phases_ms=draw(st.dictionaries(TEXTS, MILLIS, max_size=3)),
            code=draw(st.none() | st.integers(0, 999)),
            findings=tuple(draw(st.lists(st.builds(Finding, TEXTS, TEXTS, TEXTS), max_size=2))),
            observed=draw(OBSERVED),
        ),
        attempts=draw(st.integers(1, 21)),
        covers_s=draw(st.floats(0, 1e6).map(lambda s: round(s, 3))),
        flags=tuple(draw(st.lists(st.sampled_from(Flag), max_size=3))),
    )


@quick
@given(results())
def test_every_result_comes_back_from_its_line(verdict: Result) -> None:
    line = to_line(verdict.to_json())

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert Result.from_json(orjson.loads(line)) == verdict
    assert Result.from_json(json.loads(line)) == verdict


def test_the_fields_of_a_line_are_the_contract() -> None:
    verdict = result(
        Status.FAIL,
        kind=Kind.CONTENT,
        message="$.ok is false, expected true",
        latency_ms=12.3456,
        phases_ms={"dns": 0.1234},
        code=200,
        findings=(Finding("$.ok", "true", "false"),),
        observed={"ip": "192.0.2.1"},
        attempts=3,
        covers_s=30.00049,
        flags=(Flag.FLAPPING,),
    )

    assert list(verdict.to_json().items()) == [
        ("at", "2026-11-20T14:00:00.123Z"),
        ("name", "shop"),
        ("status", "FAIL"),
        ("kind", "content"),
        ("message", "$.ok is false, expected true"),
        ("latency_ms", 12.35),
        ("phases_ms", {"dns": 0.12}),
        ("code", 200),
        ("attempts", 3),
        ("covers_s", 30.0),
        ("flags", ["flapping"]),
        ("observed", {"ip": "192.0.2.1", "findings": [["$.ok", "true", "false"]]}),
    ]


def test_a_line_needs_a_time_a_name_and_a_status_only() -> None:
    line: dict[str, Json] = {"at": "2026-11-20T14:00:00.123Z", "name": "shop", "status": "OK"}

    assert Result.from_json(line) == Result(at(), "shop", Outcome(Status.OK))
    for key in line:
        with pytest.raises(KeyError):
            Result.from_json({k: v for k, v in line.items() if k != key})


KEYS = st.sampled_from(list(result().to_json())) | TEXTS
ODD = SCALARS | st.sampled_from(["0001-01-01T00:00:00+14:00", "FAIL", "dns", "1e999", [[1]], {"a": []}, 10**30])


@quick
@given(st.dictionaries(KEYS, ODD | FACTS, max_size=12))
def test_a_line_that_is_no_result_raises_nothing_but_what_is_documented(changed: Mapping[str, Json]) -> None:
    line = result(Status.FAIL, kind=Kind.DNS).to_json() | dict(changed)

    try:
        read = Result.from_json(line)
    except (KeyError, TypeError, ValueError):
        return
    assert read.status in Status
    assert (read.outcome.kind is None) == (read.status is Status.OK)


def test_a_kind_belongs_to_every_status_but_ok() -> None:
    with pytest.raises(ValueError, match="a kind belongs to every status but OK, got FAIL with None"):
        Outcome(Status.FAIL)
    with pytest.raises(ValueError, match="a kind belongs to every status but OK, got OK with dns"):
        Outcome(Status.OK, Kind.DNS)


def test_a_finding_reads_as_a_sentence() -> None:
    assert str(Finding("$.depth", "less than 50", "72")) == "$.depth is 72, expected less than 50"


def test_what_needs_a_look_comes_first() -> None:
    assert sorted(Status, key=lambda s: s.badness) == [Status.FAIL, Status.WARN, Status.UNKNOWN, Status.OK]
    assert "".join(s.letter for s in Status) == "OWFU"


@pytest.mark.parametrize(
    ("text", "severity"),
    [
        ("P1", Severity.P1),
        (" p2 ", Severity.P2),
        ("critical", Severity.P1),
        ("High", Severity.P2),
        ("medium", Severity.P3),
        ("LOW", Severity.P4),
        ("error", Severity.P2),
        ("warning", Severity.P3),
        ("info", Severity.P4),
    ],
)
def test_a_severity_is_read_by_number_and_by_word(text: str, severity: Severity) -> None:
    assert Severity.parse(text) is severity


def test_an_unknown_severity_is_refused_with_those_that_there_are() -> None:
    said = "expected P1, P2, P3, P4 or critical, high (error), medium (warning), low (info), got 'urgent'"
    with pytest.raises(ValueError, match=re.escape(said)):
        Severity.parse("urgent")
    assert [s.word for s in Severity] == ["critical", "high", "medium", "low"]
