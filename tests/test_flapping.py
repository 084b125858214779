"""When a check flaps, by the formula of Nagios Core, and what it does to alerts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts import Decision
from monitor.flapping import STATES, FlapMarks, is_flapping, percent_of_change
from monitor.model import Flag, Status
from monitor.state import Rules
from tests.make import Life, http_check, quick

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
TICKS = st.text("OWFU", max_size=48)


@pytest.mark.parametrize(
    ("ticks", "percent"),
    [
        ("", 0.0),
        ("O", 0.0),
        ("O" * 48, 0.0),
        ("F" * 48, 0.0),
        ("OF" * 24, 100.0),
        # One change: the newest place weighs 1.2, the oldest 0.8, of 20.
        ("O" * 20 + "F", 6.0),
        ("O" + "F" * 20, 4.0),
        ("F" + "O" * 21, 0.0),
        # Seven changes in the newest places: 1.2, 1.179, … 1.074.
        ("O" * 14 + "FOFOFOF", 7 * (1.2 + 1.2 - 6 * 0.4 / 19) / 2 / 20 * 100),
        ("OF", 6.0),
        ("OOOOOOF", 6.0),
    ],
)
def test_percent_of_change_weighs_newer_changes_more(ticks: str, percent: float) -> None:
    assert percent_of_change(ticks) == pytest.approx(percent)


def test_only_the_last_21_states_that_could_be_judged_count() -> None:
    assert STATES == 21
    assert percent_of_change("OFOFOF" + "O" * 21) == 0.0
    assert percent_of_change("OUUUF") == percent_of_change("OF")
    assert percent_of_change("OWOWOWOWOW") == 0.0
    assert percent_of_change("OFWF") == percent_of_change("OFOF")


@quick
@given(TICKS)
def test_percent_is_a_percent_and_unknown_is_no_change(ticks: str) -> None:
    percent = percent_of_change(ticks)

    assert 0.0 <= percent <= 100.0 + 1e-9
    assert percent == percent_of_change(ticks.replace("U", ""))
    assert percent == percent_of_change(ticks.replace("W", "O"))


@quick
@given(TICKS, st.booleans())
def test_flapping_begins_at_the_high_mark_and_ends_below_the_low_one(ticks: str, was: bool) -> None:
    percent, marks = percent_of_change(ticks), FlapMarks(20, 30)

    assert is_flapping(ticks, was, marks) is (percent >= (20 if was else 30))


def flapper(**keys: object) -> Life:
    life = Life(http_check(**keys))
    life.rules = Rules.of(life.check)
    return life


def test_a_check_that_flaps_has_one_alert_that_neither_ends_nor_opens_anew_however_often_it_turns() -> None:
    life = flapper()
    decision = life.see(*[OK, FAIL] * 6)
    opened = len(life.book.all())

    assert Flag.FLAPPING in life.state.flags
    assert decision.reason == f"alert {life.alert.id} is open already"
    assert decision.events == ()
    assert opened == 3
    assert life.see(OK) == Decision("it flaps: the alert stays open until it is stable")
    assert life.see(FAIL, OK, FAIL).events == ()
    assert len(life.book.all()) == opened
    assert [len(life.queued(event)) for event in ("first_fail", "recovered")] == [2 * opened, 2 * (opened - 1)]


def test_the_end_of_an_open_alert_is_told_once_when_it_is_stable() -> None:
    life = flapper(flap_low=5, flap_high=11)

    life.see(*[OK] * 20, FAIL)
    assert life.alert.is_open
    decision = life.see(OK)
    assert Flag.FLAPPING in life.state.flags
    assert decision.reason == "it flaps: the alert stays open until it is stable"
    assert life.queued("recovered") == []

    rounds = 0
    while Flag.FLAPPING in life.state.flags:
        decision = life.see(OK)
        rounds += 1
        assert rounds < STATES
    assert decision.reason == "recovered"
    assert life.queued("recovered") == ["email", "slack"]


def test_what_is_steady_and_still_fails_keeps_its_alert() -> None:
    life = flapper()
    life.see(*[OK, FAIL] * 6)
    before = life.alert.id

    rounds = 0
    while Flag.FLAPPING in life.state.flags:
        decision = life.see(FAIL)
        rounds += 1
        assert rounds < STATES

    assert decision.reason == f"alert {before} is open already"
    assert life.alert.id == before
    assert life.alert.is_open
    assert life.see(OK).reason == "recovered"


def test_a_check_may_be_told_not_to_look_for_it() -> None:
    life = flapper(flap_detection=False)
    life.see(*[OK, FAIL] * 20)

    assert life.state.flags == frozenset()
    assert len(life.book.all()) == 20


def test_a_check_that_no_longer_looks_for_it_no_longer_flaps() -> None:
    life = flapper()
    life.see(*[OK, FAIL] * 10)
    life.rules = Rules()

    life.see(FAIL)

    assert Flag.FLAPPING not in life.state.flags
    assert life.alert.is_open


def test_wavering_about_a_warning_hides_no_failure() -> None:
    life = flapper()

    assert life.see(*[OK, WARN] * 20, FAIL).reason == "failure confirmed"
    assert Flag.FLAPPING not in life.state.flags
