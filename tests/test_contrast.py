"""What differs between the last good and the first bad verdict: facts that say what a target is, bounded."""

from typing import Any

import pytest

from monitor.contrast import FACTS, Change, Sighting, changes, facts_of, sentence
from monitor.model import Kind, Status
from tests.make import at, outcome


def facts(**observed: Any) -> dict[str, Any]:
    return facts_of(outcome(Status.OK, observed=observed))


def seen(code: int | None = None, **observed: Any) -> Sighting:
    return Sighting(at(), facts_of(outcome(Status.FAIL, Kind.STATUS, code=code, observed=observed)))


def test_facts_are_scalars_and_lists_of_them_one_level_deep() -> None:
    assert facts(
        address="10.0.0.5",
        tls={"version": "TLSv1.3", "chain": [{"deep": 1}], "names": ["b", "a"]},
        answers=["10.0.0.2", "10.0.0.1"],
        cached=True,
        port=80,
        nothing=None,
        empty=[],
    ) == {
        "address": "10.0.0.5",
        "tls.version": "TLSv1.3",
        "tls.names": "a, b",
        "answers": "10.0.0.1, 10.0.0.2",
        "cached": True,
        "port": 80,
    }


@pytest.mark.parametrize(
    "name", ["body", "total_ms", "age_s", "days_left_days", "percent", "ttl", "job_id", "used_percent"]
)
def test_what_is_different_each_time_is_no_fact(name: str) -> None:
    assert facts(**{name: 5}) == {}


def test_facts_are_few_short_and_harmless() -> None:
    many = facts(**{f"k{n}": n for n in range(200)})
    assert len(many) == FACTS
    (long,) = facts(x="a\x1b[31m\nb" * 9999).values()
    assert len(long) == 120 and long.isprintable()


def test_a_change_needs_both_sides_but_for_a_redirect_that_appears() -> None:
    assert changes(seen(200, a="1"), seen(None, b="2")) == ()
    assert changes(seen(200), seen(302, final_url="http://login")) == (
        Change("code", "200", "302"),
        Change("final_url", "none", "http://login"),
    )
    assert changes(None, seen(500)) == changes(seen(200), None) == ()


def test_at_most_six_changes_are_told_the_code_and_the_address_first() -> None:
    good = seen(200, **{f"k{n}": n for n in range(9)}, address="a")
    bad = seen(502, **{f"k{n}": n + 1 for n in range(9)}, address="b")

    assert [change.what for change in changes(good, bad)] == ["code", "address", "k0", "k1", "k2", "k3"]
    assert sentence(changes(good, bad)).startswith("changed since last good: code 200 → 502, address a → b, k0 0 → 1")
    assert sentence(()) == ""


def test_a_sighting_comes_back_from_its_json() -> None:
    one = seen(502, address="b", cached=False)
    assert Sighting.from_json(one.to_json()) == one
    assert Sighting.from_json(None) is None
