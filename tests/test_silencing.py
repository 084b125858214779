"""Silences and maintenance as the checker keeps them: who notices, which flags follow, what ends them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import commands
from monitor.alerts import Alert, AlertBook, Report, What, on_report, resolve
from monitor.checker.silencing import Silencing
from monitor.config import Match
from monitor.history.jsonl import read_lines
from monitor.model import Category, Flag, Severity
from monitor.silences import SilenceEvent, end, make
from monitor.units import utc_now
from tests.conftest import eventually
from tests.make import at, http_check, load
from tests.test_checker import House, Target

CONFIG = """
maintenance:
  - {name: move, match: {name: shop}, from: "2026-11-20T14:00:00Z", until: "2026-11-20T15:00:00Z", note: new host}
checks:
  - {name: shop, type: http, url: "http://shop.example/"}
"""


@pytest.fixture
def silencing(tmp_path: Path) -> Iterator[Silencing]:
    one = Silencing(tmp_path / "silences.jsonl")
    yield one
    one.close()


def made(begins: float = 0, ends: float = 100, name: str = "shop", **more: Any) -> SilenceEvent:
    return make(Match(name=(name,)), at(begins), at(ends), "ann", "", at(-1), **more)


def alert(resource: str = "shop", source: str = "api") -> Alert:
    words: dict[str, Any] = {"type": "t", "resource": resource, "title": "t", "message": "m", "source": source}
    report = Report(**words, severity=Severity.P2, category=Category.SYSTEM)
    found = AlertBook(on_report(report, None, None, "app", at(0)).events).all()
    return found[0]


def test_a_silence_begins_and_ends_at_the_look_after_its_time_and_only_then_is_that_news(silencing: Silencing) -> None:
    assert not silencing.turned(at(0))
    silencing.store(made(10, 100))
    assert [silencing.turned(at(s)) for s in (5, 10, 11, 99, 100, 101)] == [False, True, False, False, True, False]


def test_what_a_silence_covers_is_muted_and_says_until_when(silencing: Silencing) -> None:
    stored = silencing.store(made())
    silencing.turned(at(1))
    muted = silencing.muted(alert(), at(1))
    assert stored and muted
    assert (muted.reason, muted.until) == (f"silenced by ann ({stored.id})", at(100))
    assert silencing.muted(alert("db"), at(1)) is None
    assert silencing.muted(alert(source="manual"), at(1)) is None, "who sends by hand means it"
    assert silencing.muted(alert(), at(100)) is None


def test_checks_have_the_flags_of_what_holds(silencing: Silencing) -> None:
    shop, db = http_check("shop"), http_check("db")
    assert silencing.flags_of(shop, at(1)) == frozenset()
    silencing.store(made())
    silencing.store(made(10, 20, is_maintenance=True))
    silencing.turned(at(1))
    assert (silencing.flags_of(shop, at(1)), silencing.flags_of(db, at(1))) == ({Flag.MUTED}, frozenset())
    silencing.turned(at(10))
    assert silencing.flags_of(shop, at(10)) == {Flag.MUTED, Flag.MAINTENANCE}
    silencing.turned(at(100))
    assert silencing.flags_of(shop, at(100)) == frozenset()


def test_maintenance_of_the_configuration_holds_like_what_people_make(silencing: Silencing) -> None:
    loaded = load(CONFIG)
    silencing.configure(loaded)
    assert silencing.turned(at(1))
    muted = silencing.muted(alert(), at(1))
    assert muted and muted.reason == "in maintenance move: new host"
    assert silencing.flags_of(loaded.checks["shop"], at(1)) == {Flag.MAINTENANCE}
    assert [one.id for one in silencing.standing(at(1))] == ["move"]
    assert silencing.standing(at(3600)) == []

    silencing.configure(load(CONFIG.replace("name: shop}", "name: db}")))
    assert silencing.turned(at(2)), "somebody else is meant now"
    assert silencing.muted(alert(), at(2)) is None


def test_an_end_is_shown_for_a_quarter_of_an_hour(silencing: Silencing) -> None:
    stored = silencing.store(made())
    silencing.turned(at(1))
    assert silencing.just_ended(at(50)) == []
    silencing.turned(at(100))
    assert silencing.just_ended(at(999)) == [stored]
    assert silencing.just_ended(at(1000)) == []


def test_a_silence_until_an_alert_is_over_ends_with_it(silencing: Silencing) -> None:
    one = alert()
    stored = silencing.store(made(0, 10_000, until_resolved=one.id))
    silencing.store(made(0, 10_000, until_resolved="a-other"))
    other = silencing.book.all()[1]
    assert stored
    book = AlertBook(one.events)
    assert silencing.outlived(book.get) == [other], "nobody knows that alert: it is over for good"
    for event in resolve(one, "ann", "", at(5)).events:
        book.apply(event)
    assert silencing.outlived(book.get) == [stored, other]
    silencing.store(end(stored, "checker", "", at(5)))
    assert silencing.outlived(book.get) == [other]


def test_silences_are_there_after_a_restart_and_a_torn_or_odd_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "silences.jsonl"
    one = Silencing(path)
    stored = one.store(made())
    ended = one.store(made(0, 50))
    assert stored and ended
    one.store(end(ended, "bob", "", at(5)))
    one.close()
    with path.open("ab") as file:
        file.write(b'{"at": "2026-11-20T14:00:00Z", "what": "made", "silence": "s-9"}\n[]\n{"at": "2026-11-2')

    again = Silencing(path)

    assert again.book.standing(at(10)) == [stored]
    again.store(made(0, 70))
    again.close()
    assert len(list(read_lines(path))) == 5, "what was torn is gone, what follows stands on a line of its own"


def test_a_disk_that_takes_none_makes_no_silence(silencing: Silencing, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_lines: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(silencing._writer, "append", full)
    with pytest.raises(OSError, match="No space"):
        silencing.store(made())
    assert not silencing.turned(at(1))


def test_what_is_looked_at_of_a_check() -> None:
    check = http_check(group="Web", tags=["eu"], severity="P1", owner="team-a", category="BUSINESS")
    subject = check.subject
    assert (subject.name, subject.type, subject.group, subject.tags) == ("shop", "http", "Web", ("eu",))
    assert (subject.severity, subject.category, subject.owner) == (Severity.P1, Category.BUSINESS, "team-a")
    assert http_check().subject.category is Category.AVAILABILITY


# ---- the whole checker


@pytest.fixture
def house(tmp_path: Path, joined_soon: None) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.stop()


@pytest.fixture
def target() -> Iterator[Target]:
    with closing(Target()) as one:
        yield one


def test_from_the_order_to_the_end_of_a_silence(house: House, target: Target) -> None:
    silences = house.place.data / "silences.jsonl"

    def told(what: What) -> list[str]:
        return [str(event.data.get("event")) for event in house.events() if event.what is what]

    def whats() -> list[str]:
        return [line["what"] for line in read_lines(silences)]

    house.write(f"global: {{every: 200ms, retries: 0}}\nchecks:\n  - {{name: web, type: http, url: '{target.url}'}}\n")
    house.start()
    commands.silence(house.place, {"name": ["web"]}, utc_now() + timedelta(hours=1), "ann", "we move it")
    eventually(lambda: house.snapshot.checks and Flag.MUTED in house.snapshot.checks["web"].state.flags)
    target.code = 503
    eventually(lambda: told(What.NOT_TOLD), what="an alert that nobody is told of")
    assert told(What.QUEUED) == []

    (line,) = read_lines(silences)
    commands.end_silence(house.place, line["silence"], "ann")
    eventually(lambda: told(What.SENT) == ["first_fail"], what="what is open is told")
    eventually(lambda: Flag.MUTED not in house.snapshot.checks["web"].state.flags)
    (notice,) = [one for one in house.snapshot.notices if "has ended" in one.text]
    assert "(name web, we move it) has ended: what is open was told" in notice.text and not notice.more

    alert = house.events()[0].alert
    commands.silence(house.place, {"name": ["web"]}, None, "ann", until_resolved=alert)
    eventually(lambda: whats() == ["made", "ended", "made"])
    target.code = 200
    eventually(lambda: told(What.SENT) == ["first_fail", "recovered"], what="the end is told under a silence")
    eventually(lambda: whats() == ["made", "ended", "made", "ended"], what="the silence ends with the alert")

    # Killed between the end of the alert and that of the silence.
    house.stop()
    content = silences.read_bytes().splitlines(keepends=True)
    silences.write_bytes(b"".join(content[:3]))
    house.start()
    eventually(lambda: whats() == ["made", "ended", "made", "ended"], what="made good after the start")


def test_the_end_of_a_silence_that_kept_nothing_back_does_not_say_that_something_was_told(
    house: House, target: Target
) -> None:
    house.write(f"global: {{every: 200ms, retries: 0}}\nchecks:\n  - {{name: web, type: http, url: '{target.url}'}}\n")
    house.start()
    commands.silence(house.place, {"name": ["we*"]}, utc_now() + timedelta(hours=1), "ann", "")
    silences = house.place.data / "silences.jsonl"
    eventually(lambda: house.snapshot.checks and Flag.MUTED in house.snapshot.checks["web"].state.flags)
    (line,) = read_lines(silences)
    commands.end_silence(house.place, line["silence"], "ann")
    eventually(lambda: [one for one in house.snapshot.notices if "has ended" in one.text], what="the notice")
    (notice,) = house.snapshot.notices
    assert notice.text == f"silence {line['silence']} (name we*) has ended"
