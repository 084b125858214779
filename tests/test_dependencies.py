"""`depends_on`: the failure of a parent explains that of its children, and only their openings are held back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from monitor.alerts import What
from monitor.config import ConfigError, ancestors_of
from monitor.dependencies import Hold, hold_of
from monitor.model import Flag, Kind, Status
from monitor.state import CheckState, Trouble, Turn
from tests.bench import Bench, on_the_bench
from tests.make import at, load

OK, FAIL = Status.OK, Status.FAIL
TEXT = """
global: {retries: 0, every: 30s, flap_detection: false}
checks:
  - {name: switch, type: http, url: "http://switch"}
  - {name: db, type: http, url: "http://db", depends_on: [switch]}
  - {name: api, type: http, url: "http://api", depends_on: [db]}
  - {name: web, type: http, url: "http://web", depends_on: [api, cdn]}
  - {name: cdn, type: http, url: "http://cdn"}
"""


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    with on_the_bench(TEXT, tmp_path, monkeypatch) as one:
        one.turn()
        one.loop.pass_s(20)
        yield one


def test_ancestors_are_parents_and_theirs_the_nearest_first() -> None:
    assert ancestors_of("web", load(TEXT).checks) == ("api", "cdn", "db", "switch")
    assert ancestors_of("cdn", load(TEXT).checks) == ()


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (
            "depends_on: [db]",
            "depends_on: [dbb]",
            ":6: check 'api': depends_on: unknown check 'dbb' (did you mean 'db'?)",
        ),
        ("depends_on: [db]", "depends_on: [api]", ":6: check 'api': depends_on: goes round in a circle: api → api"),
        (
            'http://switch"',
            'http://switch", depends_on: [web]',
            ":4: check 'switch': depends_on: goes round in a circle: switch → web → api → db → switch",
        ),
    ],
)
def test_unknown_parents_and_circles_are_refused(old: str, new: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(TEXT.replace(old, new))

    assert caught.value.errors == [f"checks.yaml{error}"]


def state(status: Status, seconds: float | None, turn: Turn | None = None) -> CheckState:
    checked_at = None if seconds is None else at(seconds)
    return CheckState(status, at(0), checked_at, trouble=Trouble(turn))


def test_each_reason_to_hold_an_opening_back_has_a_name() -> None:
    turning = state(OK, 9, Turn(FAIL, 1, at(8)))

    assert hold_of(at(5), []) == Hold()
    assert hold_of(at(5), [("db", state(OK, 6)), ("cdn", state(Status.UNKNOWN, 7))]) == Hold()
    assert hold_of(at(5), [("cdn", state(OK, None)), ("db", state(FAIL, 1))]) == Hold("parent db is down")
    assert hold_of(at(5), [("db", turning)]) == Hold("parent db fails and is being confirmed")
    assert hold_of(at(5), [("db", state(OK, 4)), ("x", state(OK, 6)), ("cdn", state(OK, None))]) == Hold(
        "parents are looked at first: db, cdn", ("db", "cdn")
    )


def test_a_child_that_fails_while_its_parent_is_down_opens_no_alert_and_says_why(bench: Bench) -> None:
    bench.fail("db")
    bench.turn("db")
    bench.fail("api", "web")
    bench.turn("api", "web")

    assert bench.alert("db")
    assert (bench.alert("api"), bench.alert("web")) == (None, None)
    assert (bench.status("api"), bench.state("api").note) == (FAIL, "parent db is down")
    assert bench.state("web").note in ("parent api is down", "parent db is down")
    assert ("api", "parent db is down") in bench.held()
    before = len(bench.held())
    bench.turn("api", "api", "api")
    assert len(bench.held()) == before


def test_the_parent_is_looked_at_first_and_its_failure_is_the_only_alert(bench: Bench) -> None:
    bench.fail("db", "api")
    bench.takes_s["db"] = 3.0
    bench.turn("api", seconds=1)
    assert bench.alert("api") is None
    assert bench.state("api").note.startswith("parents are looked at first: db")
    bench.loop.pass_s(5)

    assert bench.alert("db")
    assert bench.alert("api") is None
    assert bench.state("api").note == "parent db is down"


def test_when_all_parents_are_well_the_alert_opens_without_another_round(bench: Bench) -> None:
    bench.fail("api")
    verdicts = len(bench.lines("api"))
    bench.turn("api")

    assert bench.alert("api")
    assert len(bench.lines("api")) == verdicts + 1
    assert bench.state("api").note == ""
    assert {"db", "switch"} <= set(bench.probed[-3:])


def test_a_parent_of_a_parent_counts(bench: Bench) -> None:
    bench.fail("switch", "api")
    bench.turn("api")

    assert bench.alert("switch")
    assert bench.alert("api") is None
    assert bench.state("api").note == "parent switch is down"


def test_a_parent_that_fails_and_is_being_confirmed_holds_back_until_it_is_known(bench: Bench) -> None:
    bench.configure(TEXT.replace('"http://db"', '"http://db", fail_after: 2'))
    bench.fail("db", "api")
    bench.turn("api")
    assert bench.status("db") is OK
    assert bench.state("api").note == "parent db fails and is being confirmed"
    bench.turn("db")
    assert bench.alert("db") and not bench.alert("api")


def test_when_the_parent_recovers_the_child_is_looked_at_and_opens_if_it_still_fails(bench: Bench) -> None:
    bench.fail("db", "api")
    bench.turn("api", seconds=5)
    bench.heal("db")
    bench.turn("db")

    assert bench.alert("db") is None
    assert bench.alert("api")
    assert bench.state("api").note == ""


def test_when_both_recover_nothing_is_ever_told_of_the_child(bench: Bench) -> None:
    bench.fail("db", "api")
    bench.turn("api", seconds=5)
    bench.heal("db", "api")
    bench.turn("db")

    assert bench.status("api") is OK
    assert bench.desk.book.latest("api") is None
    assert bench.state("api").note == ""


def test_an_alert_that_is_open_stays_and_its_end_is_told_while_the_parent_is_down(bench: Bench) -> None:
    bench.fail("api")
    bench.turn("api")
    opened = bench.alert("api")
    assert opened
    bench.fail("db")
    bench.turn("db", "api")
    assert bench.alert("api") == opened
    bench.heal("api")
    bench.turn("api")

    (resolved,) = (event for event in bench.desk.book.all()[0].events if event.what is What.RESOLVED)
    assert resolved.note == "recovered"


def test_a_paused_parent_and_one_that_could_not_be_judged_hold_nothing_back(bench: Bench) -> None:
    bench.fail("db")
    bench.turn("db")
    bench.watch.flag("db", Flag.PAUSED, True)
    bench.fail("api")
    bench.turn("api")

    assert bench.alert("api")


def test_a_parent_that_cannot_be_looked_at_keeps_no_alert_for_ever(bench: Bench) -> None:
    bench.fail("api")
    bench.takes_s["db"] = 10_000.0
    bench.turn("api", seconds=10)
    assert bench.alert("api") is None
    bench.loop.pass_s(10)

    assert bench.alert("api")


def test_a_child_that_recovers_before_its_parent_was_seen_sends_nothing(bench: Bench) -> None:
    bench.fail("api")
    bench.takes_s["db"] = 4.0
    bench.turn("api", seconds=1)
    bench.heal("api")
    bench.turn("api", seconds=10)

    assert bench.desk.book.all() == []
    assert bench.state("api").note == ""


def test_a_group_can_be_a_parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = TEXT + "  - {name: dbs, type: group, members: [db]}\n"
    with on_the_bench(text.replace("depends_on: [db]", "depends_on: [dbs]"), tmp_path, monkeypatch) as bench:
        bench.turn()
        bench.fail("db", "api", kind=Kind.TIMEOUT)
        bench.turn("db", seconds=5)
        bench.turn("api", seconds=5)

        assert bench.alert("dbs") and bench.alert("db")
        assert bench.alert("api") is None
        assert bench.state("api").note == "parent dbs is down"


def test_a_failure_from_before_the_parent_was_well_is_looked_at_once_more(bench: Bench) -> None:
    bench.fail("db", "api")
    bench.turn("api", seconds=5)
    bench.takes_s["api"] = 4.0
    bench.watch.start("api")
    bench.loop.pass_s(1)
    bench.heal("db")
    bench.turn("db", seconds=1)
    bench.takes_s["api"] = 0.5
    bench.loop.pass_s(2.2)
    assert bench.alert("api") is None
    assert bench.state("api").note == "its parents are well now: it is looked at once more"
    bench.heal("api")
    bench.loop.pass_s(5)

    assert bench.status("api") is OK
    assert bench.desk.book.latest("api") is None
    bench.fail("api")
    bench.turn("api")
    assert bench.alert("api")


def test_a_group_that_was_held_waits_for_its_members_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = TEXT + "  - {name: all, type: group, members: [db, api], depends_on: [db]}\n"
    with on_the_bench(text, tmp_path, monkeypatch) as bench:
        bench.turn()
        bench.loop.pass_s(20)
        bench.fail("db", "api")
        bench.turn("db", seconds=5)
        bench.turn("api", seconds=5)
        assert bench.state("all").note == "parent db is down"
        bench.heal("db", "api")
        bench.takes_s["api"] = 3.0
        bench.turn("db", seconds=1)
        assert bench.state("all").note == "members are looked at first: api"
        bench.loop.pass_s(5)
        assert bench.status("all") is OK

        bench.fail("db", "api")
        bench.turn("db", "api", seconds=9)
        bench.heal("db")
        bench.turn("db", seconds=9)
        assert {alert.resource for alert in bench.desk.book.open()} == {"api", "all"}
