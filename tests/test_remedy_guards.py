"""What holds remedies back, what is said of a run, and what is left of both in figures: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import Alert, AlertBook, AlertEvent, What
from monitor.config import CheckBase, Environment, parse_config
from monitor.model import Flag, Kind, Status
from monitor.remedies import (
    AUTOMATIC,
    BY_HAND,
    Effect,
    Limits,
    Past,
    Phase,
    Reason,
    Remedy,
    Run,
    Situation,
    effect_of,
    figures,
    first_refusal,
)
from monitor.state import CheckState

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
URL = "http://app.example.org/reset"
DOWN = CheckState(Status.FAIL, NOW - timedelta(seconds=90), checked_at=NOW, streak=3, kind=Kind.CONNECT)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def check(name: str = "shop", on_fail: str = "", **action: Any) -> CheckBase:
    keys = ", ".join(f"{key}: {value}" for key, value in ({"type": "http_post", "url": URL} | action).items())
    text = f"""
checks:
  - {{name: {name}, type: http, url: http://shop.example.org/, group: Shop, severity: P1, tags: [eu],
      on_fail: {{actions: [{{{keys}}}]{on_fail}}}}}
"""
    return parse_config(text, Path("checks.yaml"), Environment()).checks[name]


def remedy(name: str = "shop", on_fail: str = "", **action: Any) -> Remedy:
    one = check(name, on_fail, **action)
    return Remedy(one, 0, one.on_fail.actions[0].target)


def story(*lines: tuple[datetime, Phase, dict[str, Any]], key: str = "shop#0", alert: str = "a-1") -> list[AlertEvent]:
    """Return the events of remedies of one alert."""
    shared = {"key": key, "action": "http_post", "target": URL, "group": "Shop", "lock": f"http_post {URL}"}
    return [
        AlertEvent(at, What.REMEDY, alert, data.get("by", "checker"), data=shared | {"phase": phase.value} | data)
        for at, phase, data in lines
    ]


def ran(seconds_ago: float, effect: Effect | None = Effect.NO_EFFECT, ok: bool = True, **data: Any) -> list[AlertEvent]:
    """Return one run that began then."""
    started = ago(seconds_ago)
    key, alert = data.pop("key", "shop#0"), data.pop("alert", "a-1")
    lines = [(started, Phase.STARTED, data), (started + timedelta(seconds=1), Phase.RAN, data | {"ok": ok})]
    if effect:
        lines.append((started + timedelta(seconds=30), Phase.VERDICT, data | {"effect": effect.value}))
    return story(*lines, key=key, alert=alert)


def past(*runs: Sequence[AlertEvent]) -> Past:
    one = Past()
    for event in (event for run in runs for event in run):
        one.apply(event)
    return one


def why_not(
    one: Remedy | None = None,
    before: Past | None = None,
    state: CheckState = DOWN,
    alert: str = "a-1",
    by_hand: bool = False,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    is_blind: bool = False,
    parent: str = "",
) -> Reason | None:
    situation = Situation(one or remedy(), state, alert, before or Past(), limits, NOW, is_blind, parent)
    refusal = first_refusal(situation, BY_HAND if by_hand else AUTOMATIC)
    return refusal.reason if refusal else None


def test_the_first_run_for_an_alert_is_held_back_by_nothing() -> None:
    assert why_not() is None


def test_one_attempt_is_all_unless_the_file_says_otherwise() -> None:
    assert why_not(before=past(ran(4000))) is Reason.ATTEMPTS
    assert why_not(remedy(attempts=3), past(ran(8000), ran(4000))) is None
    assert why_not(remedy(attempts=3), past(ran(9000), ran(8000), ran(4000, Effect.NOT_KNOWN))) is Reason.ATTEMPTS
    assert why_not(before=past(ran(4000, alert="a-0"))) is None, "another outage, other attempts"


def test_after_a_harmful_run_there_is_no_other_for_this_alert() -> None:
    assert why_not(remedy(attempts=3), past(ran(4000, Effect.HARMFUL))) is Reason.ATTEMPTS


def test_between_two_runs_it_cools_down_also_over_the_end_of_an_alert() -> None:
    cooled = remedy(attempts=9, cooldown=300)
    assert why_not(cooled, past(ran(299))) is Reason.COOL_DOWN
    assert why_not(cooled, past(ran(300))) is None
    assert why_not(cooled, past(ran(10, Effect.HELPED, alert="a-0"))) is Reason.COOL_DOWN
    assert why_not(cooled, past(ran(-60))) is Reason.COOL_DOWN, "the clock was put back"


def test_it_stops_after_failures_in_a_row_until_it_helps_or_somebody_runs_it_by_hand() -> None:
    three = [ran(days * 86400, alert=f"a-{days}") for days in (5, 4, 3)]
    assert why_not(before=past(*three)) is Reason.STOPPED
    assert why_not(remedy(stop_after=4), past(*three)) is None
    assert why_not(before=past(*three, ran(86400, alert="a-9", by="ann"))) is None
    assert why_not(before=past(three[0], three[1], ran(86400, Effect.HELPED, alert="a-9"), three[2])) is None
    harmful = ran(86400, Effect.HARMFUL, alert="a-9")
    assert why_not(before=past(three[0], three[1], harmful)) is Reason.STOPPED


def test_what_cannot_be_judged_is_neither_a_failure_nor_a_success() -> None:
    unknown = ran(2 * 86400, Effect.NOT_KNOWN, alert="a-9")
    failures = [ran(days * 86400, alert=f"a-{days}") for days in (5, 4)]
    assert why_not(before=past(*failures, unknown)) is None
    assert why_not(before=past(*failures, unknown, ran(86400, alert="a-8"))) is Reason.STOPPED


@pytest.mark.parametrize(("flag", "reason"), [(Flag.MAINTENANCE, Reason.MAINTENANCE), (Flag.FLAPPING, Reason.FLAPPING)])
def test_in_maintenance_and_while_it_flaps_it_rests(flag: Flag, reason: Reason) -> None:
    assert why_not(state=DOWN.flagged(flag, True)) is reason


def test_under_a_silence_it_runs_and_while_it_flaps_if_the_file_says_so() -> None:
    assert why_not(state=DOWN.flagged(Flag.MUTED, True)) is None
    assert why_not(remedy(flapping="true"), state=DOWN.flagged(Flag.FLAPPING, True)) is None


def test_while_greenwall_is_blind_nothing_is_done() -> None:
    assert why_not(is_blind=True) is Reason.BLIND


@pytest.mark.parametrize(
    ("when", "runs"),
    [
        ("kind == 'connect'", True),
        ("kind == 'content'", False),
        ("status == 'FAIL' && severity == 'P1' && 'eu' in tags && group == 'Shop'", True),
        ("down_s > 60.0 && consecutive_failures >= 3", True),
        ("down_s > 600.0", False),
        ("attempt > 1", False),
        ("code >= 500", False),
        ("code", False),
        ("tags.x == 1", False),
    ],
)
def test_a_precondition_must_be_true_and_nothing_else(when: str, runs: bool) -> None:
    assert why_not(remedy(when=f'"{when}"')) is (None if runs else Reason.PRECONDITION)


def test_a_precondition_can_ask_how_often_it_ran() -> None:
    again = remedy(when='"attempt == 2"', attempts=3)
    assert why_not(again, past(ran(4000))) is None


def test_one_target_is_acted_on_by_one_at_a_time_also_across_checks() -> None:
    at_it = past(ran(10, None, key="db#0"))
    assert why_not(before=at_it) is Reason.LOCKED
    assert why_not(before=at_it, by_hand=True) is Reason.LOCKED
    assert why_not(remedy(url="http://other.example.org/"), at_it) is None
    assert why_not(remedy(lock="db"), past(ran(10, None, key="db#0", lock="db"))) is Reason.LOCKED
    assert why_not(before=past(ran(4000, Effect.HELPED, key="db#0"))) is None


def test_a_check_has_one_remedy_at_a_time() -> None:
    at_it = past(ran(10, None, key="shop#1", target="elsewhere", lock="elsewhere"))
    assert why_not(before=at_it) is Reason.LOCKED


def test_budgets_hold_for_checks_for_all_and_for_people() -> None:
    often = past(*(ran(minutes * 60, Effect.HELPED, alert=f"a-{minutes}") for minutes in (50, 40, 30)))
    assert why_not(remedy(on_fail=", hourly_budget: 3"), often) is Reason.CHECK_BUDGET
    assert why_not(remedy(on_fail=", hourly_budget: 3"), often, by_hand=True) is Reason.CHECK_BUDGET
    assert why_not(remedy(on_fail=", hourly_budget: 4"), often) is None
    assert why_not(before=often, limits=Limits(per_hour=3)) is Reason.GLOBAL_BUDGET
    assert why_not(before=often, limits=Limits(per_hour=3), by_hand=True) is Reason.GLOBAL_BUDGET
    long_ago = past(*(ran(minutes * 60, Effect.HELPED, alert=f"a-{minutes}") for minutes in (90, 80, 60)))
    assert why_not(before=long_ago, limits=Limits(per_hour=1)) is None


def test_a_storm_in_one_group_touches_a_few_targets_only() -> None:
    touched = past(*(ran(60 * n, Effect.HELPED, key=f"c{n}#0", target=f"t{n}", lock=f"t{n}") for n in (5, 4, 3)))
    assert why_not(before=touched) is Reason.BLAST_CAP
    assert why_not(before=touched, by_hand=True) is Reason.BLAST_CAP
    assert why_not(before=touched, limits=Limits(per_group=4)) is None
    elsewhere = past(*(ran(60 * n, Effect.HELPED, key=f"c{n}#0", target=f"t{n}", group="DB") for n in (5, 4, 3)))
    assert why_not(before=elsewhere) is None
    the_same = past(*(ran(60 * n, Effect.HELPED, key=f"c{n}#0", target=f"t{n}") for n in (5, 4)), ran(900, key="x#0"))
    assert why_not(before=the_same) is None, "its target is among those that were touched already"


def test_a_dry_run_comes_last_and_says_what_would_be_done() -> None:
    dry = remedy(dry_run="true")
    refusal = first_refusal(Situation(dry, DOWN, "a-1", Past(), Limits(), NOW), AUTOMATIC)
    assert str(refusal) == f"dry run: would do http_post {URL}"
    assert why_not(dry, is_blind=True) is Reason.BLIND


def test_a_person_is_not_held_back_by_cool_down_attempts_stop_or_flapping() -> None:
    stopped = past(*(ran(seconds, alert="a-1") for seconds in (4000, 3900, 100)))
    assert why_not(before=stopped, state=DOWN.flagged(Flag.FLAPPING, True), by_hand=True) is None


def test_an_action_that_took_the_place_of_another_in_the_file_has_a_past_of_its_own() -> None:
    other = past(*(ran(seconds, target="http://old.example.org/") for seconds in (400, 300, 60)))
    assert why_not(before=other) is None


# ---- the past


def test_the_past_is_the_same_from_the_file_as_from_memory() -> None:
    lines = [*ran(4000, alert="a-1"), *ran(3000, Effect.HELPED, alert="a-1"), *ran(20, None, alert="a-2")]
    lines += story((ago(10), Phase.REFUSED, {"reason": "locked"}), key="db#0", alert="a-1")
    opened = [opening(name) for name in ("a-1", "a-2")]
    stored = [AlertEvent.from_json(line.to_json()) for line in [*opened, *lines]]
    live, restored = past(lines), Past(AlertBook(stored).all())
    assert dict(live.runs()) == dict(restored.runs())
    assert live.pending == restored.pending and list(live.pending) == ["shop#0"]
    assert restored.was_told("db#0", "a-1", "locked") and not restored.was_told("db#0", "a-2", "locked")
    assert [run.alert for run in restored.since(ago(3600))] == ["a-2", "a-1"]


def opening(identifier: str) -> AlertEvent:
    data = {"resource": "shop", "source": "check", "title": "t", "message": "m", "severity": "P1"}
    return AlertEvent(ago(9000), What.OPENED, identifier, data=data | {"category": "APPLICATION", "kind": "connect"})


def test_files_from_before_there_were_phases_are_understood() -> None:
    old = {"key": "shop#0", "action": "http_post", "ok": True}
    events = [
        AlertEvent(ago(100), What.REMEDY, "a-1", data=old | {"ran": True}),
        AlertEvent(ago(50), What.REMEDY, "a-1", note="not run: cool-down: 4 m left", data=old | {"ran": False}),
    ]
    before = past(events)
    assert why_not(remedy(attempts=2), before) is Reason.COOL_DOWN
    assert before.pending == {}
    assert figures([alert_of(events)])["shop#0"].refused == {"cool-down": 1}


def test_a_refusal_is_told_anew_once_it_has_run() -> None:
    one = past(story((ago(90), Phase.REFUSED, {"reason": "cool-down"})))
    assert one.was_told("shop#0", "a-1", "cool-down")
    for event in ran(60):
        one.apply(event)
    assert not one.was_told("shop#0", "a-1", "cool-down")


# ---- effects


def a_run(**more: Any) -> Run:
    fields: dict[str, Any] = {"kind": "status", "verify_s": 60.0, "ended_at": ago(60), "ok": True} | more
    return Run("shop#0", "a-1", "http_post", URL, ago(61), **fields)


def state(status: Status, kind: Kind | None = None, checked_ago: float = 0.0) -> CheckState:
    return replace(DOWN, status=status, kind=kind, checked_at=ago(checked_ago))


WELL, FAILS = state(Status.OK), state(Status.FAIL, Kind.STATUS)


@pytest.mark.parametrize(
    ("run", "seen", "broken", "is_over", "wanted"),
    [
        (a_run(), WELL, [], False, Effect.HELPED),
        (a_run(), state(Status.WARN, Kind.SLOW), [], False, Effect.HELPED),
        (a_run(), FAILS, [], False, None),
        (a_run(), FAILS, [], True, Effect.NO_EFFECT),
        (a_run(), state(Status.UNKNOWN, Kind.VANTAGE), [], False, None),
        (a_run(), state(Status.UNKNOWN, Kind.VANTAGE), [], True, Effect.NOT_KNOWN),
        (a_run(), state(Status.OK, checked_ago=61), [], True, None),
        (a_run(ended_at=None, ok=None), WELL, [], True, None),
        (a_run(ok=None), WELL, [], False, Effect.HELPED),
        (a_run(ok=False), WELL, [], False, Effect.NO_EFFECT),
        (a_run(), state(Status.FAIL, Kind.CONNECT), [], False, None),
        (a_run(), state(Status.FAIL, Kind.CONNECT), [], True, Effect.HARMFUL),
        (a_run(), state(Status.FAIL, Kind.TIMEOUT), [], True, Effect.HARMFUL),
        (a_run(kind="connect"), FAILS, [], True, Effect.NO_EFFECT),
        (a_run(), FAILS, ["db"], True, Effect.HARMFUL),
        (a_run(), WELL, ["db"], False, Effect.HARMFUL),
        (a_run(kind=""), WELL, [], False, Effect.NOT_KNOWN),
        (a_run(kind=""), FAILS, [], True, Effect.HARMFUL),
    ],
)
def test_what_is_said_of_a_run(
    run: Run, seen: CheckState, broken: list[str], is_over: bool, wanted: Effect | None
) -> None:
    judgement = effect_of(run, seen, broken, is_over)
    assert (judgement and judgement.effect) == wanted


def test_the_blame_has_a_reason() -> None:
    worse = effect_of(a_run(), state(Status.FAIL, Kind.CONNECT), [], True)
    assert worse and worse.text == "it failed with status before, now with connect"
    others = effect_of(a_run(), FAILS, ["db", "cache", "queue", "mail"], True)
    assert others and others.text == "it still fails (status), and db, cache, queue and 1 more fail since"
    well = effect_of(a_run(), WELL, [], False)
    assert well and well.text == "well 1 m 1 s after it began"


# ---- figures


def alert_of(events: Sequence[AlertEvent]) -> Alert:
    alert = AlertBook([opening("a-1"), *events]).get("a-1")
    assert alert is not None
    return alert


def test_figures_count_what_became_of_each_remedy() -> None:
    events = [
        *ran(5000, Effect.HELPED),
        *ran(4000, Effect.NO_EFFECT, ok=False),
        *ran(3000, Effect.HELPED),
        *ran(2000, Effect.HARMFUL, key="shop#1"),
        *story((ago(60), Phase.REFUSED, {"reason": "cool-down"}), (ago(50), Phase.REFUSED, {"reason": "locked"})),
        *story((ago(40), Phase.REFUSED, {"reason": "locked"}), key="db#0"),
    ]
    known = figures([alert_of(events)])
    shop = known["shop#0"]
    assert (shop.runs, shop.failed, shop.recovery_s) == (3, 1, 30.0)
    assert dict(shop.effects) == {Effect.HELPED: 2, Effect.NO_EFFECT: 1}
    assert dict(shop.refused) == {"cool-down": 1, "locked": 1}
    assert shop.last and shop.last.started_at == ago(3000)
    assert dict(known["shop#1"].effects) == {Effect.HARMFUL: 1}
    assert (known["db#0"].runs, known["db#0"].last, known["db#0"].recovery_s) == (0, None, None)
    assert figures([]) == {}


def test_while_what_it_depends_on_is_down_it_is_for_that_to_be_mended() -> None:
    assert why_not(parent="db") is Reason.PARENT
