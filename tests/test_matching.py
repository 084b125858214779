"""Who is meant by a route, a silence, a rule."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config import Match
from monitor.model import Category, Severity, Subject

SHOP = Subject("shop-api", "http", "Web", ("eu", "paid"), Severity.P2, Category.APPLICATION, "team-a")


@pytest.mark.parametrize(
    ("keys", "fits"),
    [
        ({}, True),
        ({"name": "shop-api"}, True),
        ({"name": "shop-*"}, True),
        ({"name": "SHOP-*"}, True),
        ({"name": "shop"}, False),
        ({"name": ["db", "shop-*"]}, True),
        ({"group": "web"}, True),
        ({"group": "w?b"}, True),
        ({"group": "db"}, False),
        ({"tag": "eu"}, True),
        ({"tag": ["us", "paid"]}, True),
        ({"tag": "us"}, False),
        ({"severity": "P2"}, True),
        ({"severity": ["critical", "high"]}, True),
        ({"severity": "P1"}, False),
        ({"type": "http*"}, True),
        ({"type": "tcp"}, False),
        ({"category": "APPLICATION"}, True),
        ({"category": ["SYSTEM", "DATABASE"]}, False),
        ({"owner": "team-*"}, True),
        ({"owner": "team-b"}, False),
        ({"name": "shop-*", "tag": "eu", "severity": "P2"}, True),
        ({"name": "shop-*", "tag": "us", "severity": "P2"}, False),
    ],
)
def test_every_key_that_is_written_must_fit_and_of_a_list_any(keys: dict[str, Any], fits: bool) -> None:
    assert Match.model_validate(keys).covers(SHOP) is fits


def test_what_has_no_group_or_owner_is_meant_by_none_that_names_one() -> None:
    nobody = Subject("x", "http")
    assert not Match(group=("a*",)).covers(nobody)
    assert not Match(owner=("a",)).covers(nobody)
    assert not Match(tag=("a",)).covers(nobody)


def test_it_says_in_words_who_is_meant() -> None:
    assert str(Match()) == "everything"
    said = str(Match.model_validate({"group": ["db", "cache"], "severity": ["P1"]}))
    assert said == "group db or cache, severity P1"


@pytest.mark.parametrize("keys", [{"nmae": "x"}, {"severity": "P7"}, {"category": "FOOD"}])
def test_a_key_or_value_that_means_nothing_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Match.model_validate(keys)


def test_it_survives_the_file() -> None:
    match = Match.model_validate({"name": "shop-*", "severity": ["critical"], "category": "DATABASE"})
    assert Match.model_validate(match.model_dump(mode="json", exclude_defaults=True)) == match
