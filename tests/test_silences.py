"""Silences and maintenance: whom they mean, when they hold, and how they are kept."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from monitor.config import Match, misses
from monitor.model import Severity, Subject
from monitor.silences import Silence, SilenceBook, SilenceEvent, SilenceWhat, coming, end, in_words, make, quiet
from monitor.windows import CronWindow, OnceWindow, Stretch, WeeklyWindow
from tests.make import at

SHOP = Subject("shop", "http", "Web")


def made(begins: float = 0, ends: float = 100, **more: Any) -> SilenceEvent:
    return make(Match(name=("shop",)), at(begins), at(ends), "ann", more.pop("note", ""), at(0), **more)


def silence(begins: float = 0, ends: float = 100, **more: Any) -> Silence:
    found = SilenceBook([made(begins, ends, **more)]).all()
    return found[0]


def through_json(event: SilenceEvent) -> SilenceEvent:
    return SilenceEvent.from_json(orjson.loads(orjson.dumps(event.to_json())))


def test_a_silence_is_over_as_it_was_made_or_when_somebody_ended_it_and_what_comes_again_never() -> None:
    weekly = WeeklyWindow.of(("sun",), "03:00", "05:00", "UTC")
    assert silence(10, 100).over_at == at(100)
    assert replace(silence(10, 100), ended_at=at(50)).over_at == at(50)
    assert Silence("backup", Match(), (weekly,), "checks.yaml").over_at is None


def test_a_silence_says_whom_it_covers_when_by_whose_order_and_why() -> None:
    one = replace(silence(10, 100, note="new switch"), until_resolved="a-1")
    beside = [SHOP, Subject("bank", "http", "Web")]
    assert in_words(one, beside, at(5), "UTC") == [
        "covers 1 check",
        "from 2026-11-20 14:00:10 UTC",
        "by ann",
        "or until alert a-1 is over",
        "new switch",
    ]
    assert in_words(one, beside, at(50), "Asia/Kolkata")[1] == "until 2026-11-20 19:31:40 IST"
    assert in_words(one, beside, at(200), "UTC")[1] == "ended 2026-11-20 14:01:40 UTC"
    ended = replace(one, ended_at=at(50), ended_by="bob")
    assert in_words(ended, [], at(60), "UTC")[:2] == ["covers 0 checks", "ended 2026-11-20 14:00:50 UTC by bob"]
    planned = replace(one, made_at=None, by="checks.yaml", until_resolved="")
    assert in_words(planned, beside, at(5), "UTC")[3] == f"planned as {one.id}: it is ended there"


def test_a_silence_holds_from_its_beginning_until_its_end() -> None:
    one = silence(10, 100)
    assert [bool(one.stretch(at(s))) for s in (9.9, 10, 99.9, 100)] == [False, True, True, False]
    assert (one.opens_at(at(5)), one.opens_at(at(10))) == (at(10), None)
    assert [one.is_over(at(s)) for s in (0, 50, 100)] == [False, False, True]


def test_a_silence_that_was_ended_holds_no_more() -> None:
    book = SilenceBook([made(note="we move it")])
    (one,) = book.all()
    book.apply(end(one, "bob", "done", at(50)))
    (one,) = book.all()
    assert (one.ended_at, one.ended_by, one.note) == (at(50), "bob", "we move it")
    assert [bool(one.stretch(at(s))) for s in (49, 50)] == [True, False]
    assert one.is_over(at(50))
    assert (book.standing(at(49)), book.standing(at(50))) == ([one], [])
    assert one.opens_at(at(-50)) is None


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ({"tag": ["edge"]}, []),
        ({"name": "sh*", "group": "WEB"}, []),
        ({"tag": ["edge", "prd"]}, ["no check has the tag 'prd' (did you mean 'prod'?)"]),
        ({"name": "nosuch-*"}, ["no check is called 'nosuch-*'"]),
        ({"group": "Wep", "severity": "P1"}, ["no check has the group 'Wep' (did you mean 'Web'?)"]),
        ({"severity": "P4"}, ["no check has the severity 'P4'"]),
        ({"name": "shop", "type": "tcp"}, ["no check fits all of it: name shop, type tcp"]),
    ],
)
def test_what_of_a_match_nobody_has_is_named_with_the_nearest(match: dict[str, Any], said: list[str]) -> None:
    shop = Subject("shop", "http", "Web", ("edge",), Severity.P1)
    db = Subject("db", "tcp", "Data", ("prod",))
    assert misses(Match.model_validate(match), [shop, db]) == said
    assert misses(Match.model_validate(match), []) == [], "the file is invalid: no check is known"


def test_who_is_meant_is_told_by_whom_and_until_when() -> None:
    one = silence(note="we move it")
    found = quiet(SHOP, [one], at(5))
    assert found
    assert (found.reason, found.until) == (f"silenced by ann ({one.id}): we move it", at(100))
    assert quiet(Subject("db", "tcp"), [one], at(5)) is None
    assert quiet(SHOP, [one], at(100)) is None
    assert quiet(SHOP, [], at(5)) is None


def test_maintenance_says_that_it_is_that() -> None:
    one = silence(is_maintenance=True)
    found = quiet(SHOP, [one], at(5))
    assert one.id.startswith("m-") and silence().id.startswith("s-")
    assert (found and found.reason, one.word) == (f"in maintenance {one.id}", "maintenance")


def test_of_several_the_one_that_ends_last_counts() -> None:
    found = quiet(SHOP, [silence(0, 50), silence(0, 200), silence(0, 100)], at(5))
    assert found and found.until == at(200)


def test_planned_maintenance_holds_in_its_windows_again_and_again() -> None:
    plan = Silence("nightly", Match(), (WeeklyWindow.of((), "14:00", "14:30", "UTC"),), "checks.yaml")
    assert plan.stretch(at(60)) and not plan.stretch(at(3600))
    assert not plan.is_over(at(3600))
    opens = plan.opens_at(at(3600))
    assert opens and opens.isoformat() == "2026-11-21T14:00:00+00:00"
    over = Silence("once", Match(), (OnceWindow(Stretch(at(0), at(10))),), "checks.yaml")
    assert over.is_over(at(10))


@pytest.mark.parametrize(("begins", "ends"), [(0, 0), (10, 10), (10, 5), (-100, 0), (-100, -50)])
def test_a_silence_for_no_time_is_refused(begins: float, ends: float) -> None:
    with pytest.raises(ValueError, match="expected an end after now and after its beginning"):
        made(begins, ends)


def test_silences_survive_the_file() -> None:
    match = Match.model_validate({"tag": ["eu"], "severity": ["P1"]})
    events = [make(match, at(0), at(100), "ann", "n", at(0), until_resolved="a-1", is_maintenance=True)]
    events.append(end(SilenceBook(events).all()[0], "bob", "", at(5)))
    again = SilenceBook(map(through_json, events))
    assert again.all() == SilenceBook(events).all()
    (one,) = again.all()
    assert (one.until_resolved, one.is_maintenance, one.match, one.made_at) == ("a-1", True, match, at(0))
    assert one.match.severity == (Severity.P1,)
    assert again.get(one.id) is one and again.get("s-x") is None


@pytest.mark.parametrize(
    "changed",
    [{"what": "exploded"}, {"at": "soon"}, {"data": {}}, {"data": None}, {"data": {"from": "x", "until": "y"}}],
)
def test_a_line_that_makes_no_silence_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises((KeyError, ValueError)):
        SilenceEvent.from_json(made().to_json() | changed)


def test_the_end_of_a_silence_nobody_knows_is_nothing() -> None:
    assert SilenceBook().apply(SilenceEvent(at(0), SilenceWhat.ENDED, "s-x", "ann")) is None


def test_what_another_version_wrote_into_a_matcher_is_refused_when_it_is_read() -> None:
    line = made().to_json()
    line["data"] = {**line["data"], "match": {"planet": ["mars"]}}  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="planet"):
        SilenceEvent.from_json(line)


def test_what_is_to_come_is_told_stretch_by_stretch_the_present_one_first() -> None:
    nightly = Silence("nightly", Match(), (WeeklyWindow.of((), "14:00", "14:30", "UTC"),), "checks.yaml")
    found = list(coming(nightly, at(60), at(3 * 86400 - 3600)))
    assert [f"{one.begins_at:%d %H:%M}" for one in found] == ["20 14:00", "21 14:00", "22 14:00"]
    assert [one.begins_at for one in coming(nightly, at(3600), at(86400))] == [found[1].begins_at]
    assert [one.begins_at for one in coming(silence(500, 600), at(0), at(3600))] == [at(500)]
    assert list(coming(silence(500, 600), at(0), at(400))) == []
    over = SilenceBook([made()])
    over.apply(end(over.all()[0], "bob", "", at(5)))
    assert list(coming(over.all()[0], at(5), at(3600))) == []


def test_what_opens_all_the_time_is_not_told_one_by_one() -> None:
    each_minute = Silence("x", Match(), (CronWindow("* * * * *", timedelta(seconds=30), ZoneInfo("UTC")),), "f")
    found = list(coming(each_minute, at(0), at(86400)))
    assert 100 <= len(found) <= 200
    assert all(one.ends_at <= other.begins_at for one, other in itertools.pairwise(found))
