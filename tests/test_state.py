"""How one more verdict changes what is known of a check."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.model import Flag, Kind, Status
from monitor.state import TICKS, CheckState, Transition, advance, covered_s, unchecked
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
