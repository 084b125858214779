"""How one more verdict changes what is known of a check."""

from dataclasses import replace

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from monitor.contrast import Sighting
from monitor.flapping import FlapMarks
from monitor.model import Flag, Kind, Status
from monitor.state import (
    NO_TROUBLE,
    TICKS,
    CheckState,
    Rules,
    Transition,
    Turn,
    advance,
    covered_s,
    unchecked,
)
from tests.make import at, quick, result

STATUSES = st.sampled_from(Status)
STORIES = st.lists(STATUSES, min_size=1, max_size=60)


def lived(*statuses: Status) -> CheckState:
    state = unchecked(at(-1))
    for second, status in enumerate(statuses):
        state, _ = advance(state, result(status, second))
    return state


def test_a_check_that_was_never_judged_is_unknown_and_says_so() -> None:
    state = unchecked(at())

    assert (state.status, state.since, state.checked_at, state.streak) == (Status.UNKNOWN, at(), None, 0)
    assert state.message == "not checked yet"


def test_the_first_verdict_is_a_change_from_unknown() -> None:
    state, change = advance(unchecked(at()), result(Status.OK, 5, latency_ms=12.0))

    assert change == Transition(at(5), Status.UNKNOWN, Status.OK)
    assert (state.status, state.since, state.streak, state.latency_ms) == (Status.OK, at(5), 1, 12.0)


def test_the_first_verdict_starts_a_streak_also_when_it_is_unknown() -> None:
    state, change = advance(unchecked(at()), result(Status.UNKNOWN, 5, kind=Kind.INTERNAL))

    assert change is None
    assert (state.since, state.streak, state.kind) == (at(5), 1, Kind.INTERNAL)


def test_the_same_status_again_keeps_since_and_counts_up() -> None:
    state, change = advance(lived(Status.FAIL, Status.FAIL), result(Status.FAIL, 2, message="still"))

    assert change is None
    assert (state.since, state.checked_at, state.streak, state.message) == (at(0), at(2), 3, "still")


def test_another_status_starts_anew_and_forgets_the_old_trouble() -> None:
    state, change = advance(lived(Status.FAIL, Status.FAIL), result(Status.OK, 2))

    assert change == Transition(at(2), Status.FAIL, Status.OK)
    assert (state.since, state.streak, state.kind, state.message) == (at(2), 1, None, "")


def test_a_verdict_ends_confirming_and_leaves_other_flags() -> None:
    state = lived(Status.OK).flagged(Flag.CONFIRMING, True).flagged(Flag.ACKNOWLEDGED, True)

    after, _ = advance(state, result(Status.FAIL, 5))

    assert after.flags == {Flag.ACKNOWLEDGED}


def test_setting_a_flag_that_is_set_changes_nothing() -> None:
    state = lived(Status.OK).flagged(Flag.PAUSED, True)

    assert state.flagged(Flag.PAUSED, True) is state
    assert state.flagged(Flag.PAUSED, False).flags == frozenset()


@quick
@given(STORIES)
def test_streak_since_and_ticks_are_those_of_the_story(statuses: list[Status]) -> None:
    state = lived(*statuses)
    run = next((n for n, s in enumerate(reversed(statuses)) if s is not statuses[-1]), len(statuses))

    assert state.status is statuses[-1]
    assert state.streak == run
    assert state.since == at(len(statuses) - run)
    assert state.ticks == "".join(s.letter for s in statuses)[-TICKS:]


@quick
@given(STORIES)
def test_there_is_a_transition_exactly_when_the_status_changes(statuses: list[Status]) -> None:
    state = unchecked(at(-1))
    for second, status in enumerate(statuses):
        before = state.status
        state, change = advance(state, result(status, second))
        assert change == (None if before is status else Transition(at(second), before, status))


@quick
@given(STORIES, st.frozensets(st.sampled_from(Flag)))
def test_a_state_comes_back_from_its_json(statuses: list[Status], flags: frozenset[Flag]) -> None:
    state = lived(*statuses)
    for flag in flags:
        state = state.flagged(flag, True)

    assert CheckState.from_json(orjson.loads(orjson.dumps(state.to_json()))) == state
    assert CheckState.from_json(unchecked(at()).to_json()) == unchecked(at())


@pytest.mark.parametrize("key", ["status", "since", "streak"])
def test_a_state_without_what_matters_is_refused(key: str) -> None:
    fields = lived(Status.OK).to_json()
    del fields[key]

    with pytest.raises(KeyError):
        CheckState.from_json(fields)


@pytest.mark.parametrize(
    ("gap_s", "covered"),
    [(30, 30.0), (0, 0.0), (70, 70.0), (70.001, 0.0), (86400, 0.0), (-5, 0.0)],
    ids=["next", "same time", "longest", "just too long", "nobody watched", "clock set back"],
)
def test_a_verdict_stands_for_the_time_since_the_one_before_unless_nobody_watched(gap_s: float, covered: float) -> None:
    assert covered_s(lived(Status.OK), at(gap_s), longest_gap_s=70) == pytest.approx(covered)


def test_the_first_verdict_stands_for_no_time() -> None:
    assert covered_s(unchecked(at()), at(30), longest_gap_s=70) == 0.0


OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN


def lived_by(rules: Rules, *statuses: Status) -> CheckState:
    state = unchecked(at(-1))
    for second, status in enumerate(statuses):
        state, _ = advance(state, result(status, second, message=status.value), rules)
    return state


def test_fail_after_counts_rounds_before_it_is_fail_and_dates_it_from_the_first() -> None:
    rules = Rules(fail_after=3)

    state = lived_by(rules, OK, FAIL, FAIL)
    assert (state.status, state.since, state.streak, state.kind) == (OK, at(0), 3, None)
    assert state.flags == {Flag.CONFIRMING}
    assert state.is_going_down
    assert state.message == "fails in round 2 of 3: FAIL"

    after, change = advance(state, result(FAIL, 3, message="still"), rules)
    assert change == Transition(at(3), OK, FAIL)
    assert (after.since, after.streak, after.kind, after.message) == (at(1), 3, Kind.STATUS, "still")
    assert after.flags == frozenset()
    assert not after.is_going_down


def test_one_good_round_ends_the_count_also_when_it_is_a_warning() -> None:
    rules = Rules(fail_after=2)

    assert lived_by(rules, OK, FAIL, OK, FAIL).status is OK
    state = lived_by(rules, OK, FAIL, WARN, FAIL)
    assert (state.status, state.trouble.turn) == (WARN, Turn(FAIL, 1, at(3)))


def test_recover_after_counts_rounds_that_are_well_or_nearly() -> None:
    rules = Rules(recover_after=3)

    state = lived_by(rules, FAIL, OK, WARN)
    assert (state.status, state.since, state.kind) == (FAIL, at(0), Kind.STATUS)
    assert state.message == "is well in round 2 of 3: WARN"
    assert not state.is_going_down
    assert lived_by(rules, FAIL, OK, WARN, FAIL, OK, OK).status is FAIL
    after, change = advance(state, result(OK, 3), rules)
    assert change == Transition(at(3), FAIL, OK)
    assert (after.since, after.streak) == (at(1), 3)


def test_a_check_that_was_never_judged_is_well_at_once_and_fails_after_its_rounds() -> None:
    rules = Rules(fail_after=2, recover_after=5)

    assert lived_by(rules, OK).status is OK
    assert lived_by(rules, FAIL).status is UNKNOWN
    assert lived_by(rules, FAIL, OK).status is OK
    assert lived_by(rules, FAIL, FAIL).status is FAIL


def test_unknown_shows_at_once_and_is_a_round_of_neither() -> None:
    rules = Rules(fail_after=2, recover_after=2)

    assert lived_by(rules, OK, UNKNOWN).status is UNKNOWN
    assert lived_by(rules, OK, FAIL, UNKNOWN, FAIL).status is FAIL
    assert lived_by(rules, OK, UNKNOWN, FAIL).status is UNKNOWN
    # It goes on from what it was: down stays down, well stays well.
    assert lived_by(rules, FAIL, FAIL, UNKNOWN, OK).status is UNKNOWN
    assert lived_by(rules, FAIL, FAIL, UNKNOWN, OK, OK).status is OK
    assert lived_by(rules, FAIL, FAIL, UNKNOWN, FAIL).status is FAIL
    assert lived_by(rules, OK, UNKNOWN, OK).status is OK


def test_a_probe_that_is_dropped_leaves_confirming_to_the_rounds_that_are_counted() -> None:
    assert lived_by(Rules(), OK).flagged(Flag.CONFIRMING, True).unhurried().flags == frozenset()
    assert lived_by(Rules(fail_after=2), OK, FAIL).unhurried().flags == {Flag.CONFIRMING}


def test_the_ticks_are_what_was_seen_whatever_the_status() -> None:
    assert lived_by(Rules(fail_after=9), OK, FAIL, FAIL, UNKNOWN).ticks == "OFFU"


class Counted:
    """What the status must be, told another way: from the whole story."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.down: bool | None = None
        self.run = 0
        self.shown = UNKNOWN

    def see(self, status: Status) -> None:
        if status is UNKNOWN:
            self.shown = UNKNOWN
            return
        is_down = status is FAIL
        if is_down is bool(self.down):
            self.run, self.shown, self.down = 0, status, is_down
            return
        self.run += 1
        if self.run >= (self.rules.fail_after if is_down else self.rules.recover_after):
            self.run, self.shown, self.down = 0, status, is_down


RULES = st.builds(
    Rules, fail_after=st.integers(1, 4), recover_after=st.integers(1, 4), flap=st.none() | st.just(FlapMarks())
)


@quick
@given(RULES, STORIES)
def test_any_story_has_the_status_that_its_rounds_give_it(rules: Rules, statuses: list[Status]) -> None:
    state, told = unchecked(at(-1)), Counted(rules)
    for second, status in enumerate(statuses):
        before = state.status
        state, change = advance(state, result(status, second), rules)
        told.see(status)
        assert state.status is told.shown
        assert (change is None) == (before is state.status)
        assert (Flag.CONFIRMING in state.flags) == (told.run > 0)
        assert state.since <= at(second)
        # FAIL always has the facts of its first bad verdict, and what is well has none.
        assert (state.trouble.first_bad is not None) == bool(told.down or told.run)


@quick
@given(RULES, STORIES)
@example(Rules(recover_after=2), [FAIL, OK, WARN, FAIL])
@example(Rules(recover_after=2), [FAIL, OK, UNKNOWN, WARN])
def test_a_restart_at_any_time_forgets_no_last_good_verdict(rules: Rules, statuses: list[Status]) -> None:
    straight, restarted, lines = unchecked(at(-1)), unchecked(at(-1)), {}
    for second, status in enumerate(statuses):
        verdict = result(status, second, observed={"address": f"10.0.0.{second % 3}"})
        lines[verdict.at.isoformat(timespec="milliseconds")] = verdict
        straight, _ = advance(straight, verdict, rules)
        restarted = CheckState.from_json(orjson.loads(orjson.dumps(restarted.to_json())))
        if restarted.good_at:
            restarted = replace(restarted, good=lines[restarted.good_at.isoformat(timespec="milliseconds")])
        restarted, _ = advance(restarted, verdict, rules)
        assert restarted == straight
        assert restarted.changes == straight.changes


def test_what_was_good_is_known_after_a_restart_on_the_way_to_the_failure() -> None:
    state = unchecked(at(-1))
    for second, status in enumerate((OK, WARN, UNKNOWN)):
        state, _ = advance(state, result(status, second, code=200, observed={"address": "10.0.0.5"}))
        assert ("last_good" in state.to_json()) is (status is not OK)
        if status is not OK:
            state = CheckState.from_json(orjson.loads(orjson.dumps(state.to_json())))
    state, _ = advance(state, result(FAIL, 3, code=502, observed={"address": "10.0.0.5"}))

    assert [str(one) for one in state.changes] == ["code 200 → 502"]


@quick
@given(RULES, STORIES)
def test_a_restart_at_any_time_changes_nothing(rules: Rules, statuses: list[Status]) -> None:
    straight, restarted = unchecked(at(-1)), unchecked(at(-1))
    for second, status in enumerate(statuses):
        verdict = result(status, second, observed={"address": f"10.0.0.{second % 3}"})
        straight, _ = advance(straight, verdict, rules)
        restarted, _ = advance(CheckState.from_json(orjson.loads(orjson.dumps(restarted.to_json()))), verdict, rules)
        assert replace(restarted, trouble=NO_TROUBLE) == replace(straight, trouble=NO_TROUBLE)
        assert restarted.trouble.turn == straight.trouble.turn
        assert restarted.trouble.settled == straight.trouble.settled
        # The last good verdict itself is kept in memory only, or read from its line while it is the last of all.
        assert restarted.trouble.first_bad == straight.trouble.first_bad


def test_what_changed_since_the_last_good_verdict_is_known_while_it_fails() -> None:
    state, rules = unchecked(at(-1)), Rules(fail_after=2)
    story = [
        result(OK, 0, code=200, observed={"address": "10.0.0.5", "body": "a"}),
        result(FAIL, 1, code=502, observed={"address": "10.0.0.9", "body": "b"}),
        result(FAIL, 2, code=503, observed={"address": "10.0.0.7"}),
        result(UNKNOWN, 3),
    ]
    for verdict in story:
        state, _ = advance(state, verdict, rules)

    assert [str(one) for one in state.changes] == ["code 200 → 502", "address 10.0.0.5 → 10.0.0.9"]
    assert state.trouble.last_good == Sighting(at(0), {"code": 200, "address": "10.0.0.5"})
    assert state.trouble.first_bad == Sighting(at(1), {"code": 502, "address": "10.0.0.9"})
    assert CheckState.from_json(orjson.loads(orjson.dumps(state.to_json()))).changes == state.changes

    state, _ = advance(state, result(OK, 4), rules)
    assert state.trouble is NO_TROUBLE
    assert state.changes == ()


def test_a_check_that_is_well_carries_nothing_of_this_in_the_file() -> None:
    state = lived_by(Rules(3, 3, FlapMarks()), OK, OK, WARN, OK)

    assert state.trouble is NO_TROUBLE
    assert not {"turn", "settled", "note", "last_good", "first_bad"} & state.to_json().keys()


def test_a_note_is_kept_until_it_is_taken_back() -> None:
    state = lived_by(Rules(), OK, FAIL).noted("parent db is down")

    assert CheckState.from_json(orjson.loads(orjson.dumps(state.to_json()))).note == "parent db is down"
    after, _ = advance(state, result(OK, 9))
    assert after.note == "parent db is down"
    assert after.noted("").trouble is NO_TROUBLE
    assert after.noted("parent db is down") is after
