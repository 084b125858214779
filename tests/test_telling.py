"""Who is told of an alert, and when: routes, hours, quiet hours, escalations, reminders, and why somebody is not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from monitor.alerts import (
    AlertEvent,
    Decision,
    Muted,
    Report,
    Route,
    Step,
    Telling,
    What,
    World,
    acknowledge,
    on_report,
    on_time,
    on_verdict,
    resolve,
    suppress,
    tell,
)
from monitor.model import Category, Severity, Status
from monitor.windows import OnceWindow, Stretch
from tests.make import Life, at, http_check

END = "recovered"
OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN


def during(begins: float, ends: float) -> tuple[OnceWindow, ...]:
    return (OnceWindow(Stretch(at(begins), at(ends))),)


def bad(severity: Severity) -> Any:
    return lambda subject: subject.severity is severity


def queued(events: Iterable[AlertEvent]) -> list[tuple[str, str]]:
    return [(str(e.data["event"]), str(e.data["channel"])) for e in events if e.what is What.QUEUED]


def left_out(events: Iterable[AlertEvent]) -> object:
    (routed,) = (event for event in events if event.what is What.ROUTED)
    return routed.data["left_out"]


def notes(events: Iterable[AlertEvent]) -> list[str]:
    return [event.note for event in events if event.what in (What.NOT_TOLD, What.ROUTED)]


class Down(Life):
    """A check that has just failed, and a world that a test changes."""

    def __init__(self, *routes: Route, severity: str = "P2", **changed: Any) -> None:
        super().__init__(http_check(severity=severity))
        self.routes, self.changed = routes, changed
        self.first = self.see(FAIL).events

    @property
    def world(self) -> World:
        return replace(super().world, **getattr(self, "changed", {}))

    def at(self, seconds: float) -> list[tuple[str, str]]:
        """Return what is told at this time."""
        return queued(self.tell(at(seconds)))

    def again_at(self, seconds: float) -> datetime | None:
        return tell(self.alert, self.world, at(seconds)).again_at


# ---- routes


def test_the_first_route_that_fits_is_taken() -> None:
    life = Down(Route("db", ("dba",), covers=lambda s: s.group == "db"), Route("all", ("ops",)), Route("more", ("x",)))
    assert queued(life.first) == [("first_fail", "ops")]
    assert notes(life.first) == ["route all"]


def test_a_route_that_goes_on_asks_those_below_it_and_nobody_is_told_twice() -> None:
    life = Down(Route("one", ("ops", "boss"), goes_on=True), Route("two", ("ops", "chat")), Route("three", ("x",)))
    assert queued(life.first) == [("first_fail", "ops"), ("first_fail", "boss"), ("first_fail", "chat")]
    assert notes(life.first) == ["route one, two"]


def test_without_a_route_that_fits_everybody_is_told() -> None:
    life = Down(Route("db", ("dba",), covers=lambda s: s.group == "db"))
    assert queued(life.first) == [("first_fail", "email"), ("first_fail", "slack")]
    assert notes(life.first) == ["route default"]


def test_a_route_holds_in_its_hours_only() -> None:
    day = Route("day", ("ops",), hours=during(0, 100))
    assert queued(Down(day, Route("night", ("pager",))).first) == [("first_fail", "ops")]
    later = Life()
    later.routes, later.second = (day, Route("night", ("pager",))), 100.0
    assert queued(later.see(FAIL).events) == [("first_fail", "pager")]


def test_a_check_that_names_its_channels_is_told_there_by_the_way_of_its_route() -> None:
    life = Life(http_check(channels=["dba"]))
    life.routes = (Route("all", ("ops",), steps=(Step(60, ("boss",)),)), Route("more", ("x",)))
    assert queued(life.see(FAIL).events) == [("first_fail", "dba")]
    assert queued(life.tell(at(60))) == [("escalation-1", "boss")]


def test_what_joins_is_of_one_route_and_alike_in_what_it_groups_by() -> None:
    life = Down(Route("all", ("ops",), group_by=("group", "severity", "tag")))
    (event,) = (e for e in life.first if e.what is What.QUEUED)
    assert event.data["bucket"] == f"all|{life.check.group}|P2|"


def test_a_channel_that_cannot_be_used_is_left_out_with_the_reason() -> None:
    why_not = {"sms": "takes P1 only", "mail": "SMTP_HOST is not set"}
    life = Down(Route("all", ("sms", "ops", "mail")), why_not=lambda name, _alert: why_not.get(name, ""))
    assert queued(life.first) == [("first_fail", "ops")]
    assert notes(life.first) == ["route all"]
    assert left_out(life.first) == {"sms": "takes P1 only", "mail": "SMTP_HOST is not set"}


def test_when_nobody_who_is_named_can_be_told_the_console_is() -> None:
    life = Down(Route("all", ("mail",)), why_not=lambda name, _: "SMTP_HOST is not set" if name == "mail" else "")
    assert queued(life.first) == [("first_fail", "console")]
    assert notes(life.first) == ["route all"]
    assert left_out(life.first) == {"mail": "SMTP_HOST is not set"}


def test_whom_an_edit_puts_in_charge_hears_of_what_is_open_once() -> None:
    life = Down(Route("pay", ("pay-hook", "ops"), repeat_s=60))
    life.routes = (Route("pay", ("pay-webhook", "ops"), repeat_s=60),)
    life.changed = {"has": lambda name: name != "pay-hook"}
    assert life.at(10) == [("first_fail", "pay-webhook")]
    assert life.at(11) == []
    # What is gone is reminded of nothing, and hears of the end if it still can.
    assert life.at(60) == [("reminder-1", "ops"), ("reminder-1", "pay-webhook")]
    assert queued(life.see(OK).events) == [(END, "pay-hook"), (END, "ops"), (END, "pay-webhook")]


def test_a_route_that_is_called_otherwise_now_tells_only_whom_it_names_anew() -> None:
    life = Down(Route("pay", ("ops",)))
    life.routes = (Route("payments", ("ops",)),)
    assert life.at(10) == []
    life.routes = (Route("payments", ("ops", "boss")),)
    assert life.at(20) == [("first_fail", "boss")]


def test_other_hours_put_nobody_in_charge_of_what_others_know() -> None:
    life = Down(Route("day", ("ops",), hours=during(0, 100)), Route("night", ("pager",)))
    assert life.at(150) == []


def test_channels_that_a_check_names_anew_hear_of_its_alert() -> None:
    life = Life(http_check(channels=["dba"]))
    life.see(FAIL)
    life.routes = (Route("all", ("ops",)),)
    world = replace(life.world, named=lambda _alert: ("dba", "boss"))
    assert queued(tell(life.alert, world, at(10)).events) == [("first_fail", "boss")]


def test_a_name_of_a_route_may_stand_for_whoever_is_on_call() -> None:
    def people(name: str, now: datetime) -> tuple[str, ...]:
        return (("ann-sms", "ann-mail") if now < at(50) else ("bob-sms",)) if name == "primary" else (name,)

    life = Down(Route("all", ("primary",), steps=(Step(60, ("primary",)),)), people=people)
    assert queued(life.first) == [("first_fail", "ann-sms"), ("first_fail", "ann-mail")]
    assert life.at(60) == [("escalation-1", "bob-sms")]


# ---- by hand


def by_hand(*channels: str) -> Decision:
    words: dict[str, Any] = {"type": "manual", "resource": "shop", "title": "t", "message": "m", "source": "manual"}
    report = Report(**words, severity=Severity.P2, category=Category.APPLICATION, opening="manual", channels=channels)
    return on_report(report, None, None, "ann", at(3))


def test_what_is_sent_by_hand_goes_at_once_to_whom_it_names_also_in_quiet_hours_and_under_a_worse_alert() -> None:
    life = Down(Route("all", ("ops",), quiet=during(0, 100)), severity="P1")
    events = life.take(by_hand("sms")).events
    assert queued(events) == [("manual", "sms")]
    assert not any(event.data.get("not_before") for event in events)


def test_who_sends_by_hand_to_a_channel_that_is_not_configured_has_that_for_an_answer() -> None:
    life = Down(why_not=lambda *_: "SMTP_HOST is not set")
    assert queued(life.take(by_hand("mail")).events) == [("manual", "mail")]


def test_what_was_sent_by_hand_hides_nothing_that_is_found_after() -> None:
    life = Life(http_check(severity="P3"))
    words: dict[str, Any] = {"type": "manual", "resource": "shop", "title": "t", "message": "m", "source": "manual"}
    worst = Report(**words, severity=Severity.P1, category=Category.APPLICATION, opening="manual", channels=("sms",))
    life.take(on_report(worst, None, None, "ann", at(0)))
    assert queued(life.see(FAIL).events) == [("first_fail", "email"), ("first_fail", "slack")]


# ---- not told, and why


def test_what_is_silenced_is_told_to_nobody_and_the_reason_is_recorded_once() -> None:
    life = Life()
    life.muted = Muted("silenced by ann (s-1)", at(100))
    assert notes(life.see(FAIL).events) == ["silenced by ann (s-1)"]
    assert life.see(FAIL, FAIL).events == ()
    assert tell(life.alert, life.world, at(3)) == Telling((), at(100))

    life.muted = Muted("in maintenance m-1")
    assert notes(life.tell(at(5))) == ["in maintenance m-1"]
    life.muted = None
    assert queued(life.tell(at(6))) == [("first_fail", "email"), ("first_fail", "slack")]
    assert life.alert.untold == ""


def test_what_opens_and_ends_under_a_silence_is_told_to_nobody_at_all() -> None:
    life = Life()
    life.muted = Muted("silenced by ann (s-1)", at(100))
    life.see(FAIL, OK)
    life.muted = None
    assert life.tell(at(50)) == []
    assert life.book.outbox() == []


def test_a_silence_holds_back_no_end_but_escalations_and_reminders() -> None:
    life = Down(Route("all", ("ops",), repeat_s=10, steps=(Step(10, ("boss",)),)))
    life.muted = Muted("silenced by ann (s-1)", at(100))
    assert life.at(50) == []
    assert queued(life.see(OK).events) == [("recovered", "ops")]


def test_the_reason_for_telling_nobody_goes_with_its_silence_also_where_all_were_told_before() -> None:
    life = Down(Route("all", ("ops",)))
    life.muted = Muted("silenced by ann (s-1)", at(100))
    assert notes(life.tell(at(50))) == ["silenced by ann (s-1)"]
    life.muted = None
    assert notes(life.tell(at(101))) == [""]
    assert life.alert.untold == ""
    assert life.tell(at(102)) == []


def test_a_worse_alert_of_the_same_resource_is_enough_and_when_it_ends_the_other_is_told() -> None:
    life = Down(severity="P1")
    worst = life.alert
    words: dict[str, Any] = {"type": "slow", "resource": "shop", "title": "t", "message": "m"}
    report = Report(**words, severity=Severity.P2, category=Category.PERFORMANCE)

    reason = f"alert {worst.id} of shop is open and worse (P1)"
    assert notes(life.take(on_report(report, None, None, "app", at(2))).events) == [reason]
    ended = life.take(resolve(worst, "ann", "", at(3))).events
    assert queued(ended) == [(e, c) for e in ("recovered", "reported") for c in ("email", "slack")]


def test_an_alert_that_is_as_bad_is_told_too() -> None:
    life = Down(severity="P2")
    words: dict[str, Any] = {"type": "slow", "resource": "shop", "title": "t", "message": "m"}
    report = Report(**words, severity=Severity.P2, category=Category.PERFORMANCE)
    assert queued(life.take(on_report(report, None, None, "app", at(2))).events)


# ---- somebody has it


def test_what_is_acknowledged_is_said_to_those_who_keep_incidents_once() -> None:
    life = Down(Route("all", ("pager", "chat")), keeps_incidents=lambda name: name == "pager")
    assert queued(life.take(acknowledge(life.alert, "ann", "", at(2))).events) == [("acknowledged", "pager")]
    assert life.at(3) == []
    assert queued(life.see(OK).events) == [("recovered", "pager"), ("recovered", "chat")]


def test_what_is_acknowledged_is_neither_escalated_nor_repeated() -> None:
    life = Down(Route("all", ("ops",), repeat_s=10, steps=(Step(10, ("boss",)),)))
    life.take(acknowledge(life.alert, "ann", "", at(2)))
    assert life.at(1000) == []
    assert life.again_at(1000) is None


def test_what_is_suppressed_before_it_was_told_is_told_when_that_is_over() -> None:
    life = Life()
    life.muted = Muted("silenced by ann (s-1)", at(10))
    life.see(FAIL)
    life.take(suppress(life.alert, at(100), "ann", "", at(5)))
    life.muted = None
    assert life.tell(at(50)) == []
    assert tell(life.alert, life.world, at(50)).again_at == at(100)
    assert queued(life.take(on_time(life.alert, at(100))).events) == [("first_fail", "email"), ("first_fail", "slack")]


def test_what_is_suppressed_for_the_second_time_is_told_again_for_the_second_time() -> None:
    life = Down(Route("all", ("ops",), steps=(Step(150, ("boss",)),)))
    life.take(suppress(life.alert, at(100), "ann", "", at(5)))
    assert queued(life.take(on_time(life.alert, at(100))).events) == [("reminder-resumed-1", "ops")]
    assert life.at(150) == [("escalation-1", "boss")]
    assert life.at(151) == [], "who was told after it is not told that it is still open"
    life.take(suppress(life.alert, at(200), "ann", "", at(160)))
    assert queued(life.take(on_time(life.alert, at(200))).events) == [
        ("reminder-resumed-2", "ops"),
        ("reminder-resumed-2", "boss"),
    ]


# ---- quiet hours


def test_in_quiet_hours_an_opening_waits_for_their_end_and_says_until_when() -> None:
    life = Down(Route("all", ("ops",), quiet=during(-100, 100)))
    (event,) = (e for e in life.first if e.what is What.QUEUED)
    assert (event.note, event.data["not_before"]) == ("after quiet hours", "2026-11-20T14:01:40.123Z")
    assert life.alert.notifications[f"{life.alert.id}:first_fail:ops"].not_before == at(100)


def test_what_is_bad_enough_waits_for_no_quiet_hours() -> None:
    for loud in ((Severity.P1,), (Severity.P1, Severity.P2)):
        life = Down(Route("all", ("ops",), quiet=during(-100, 100), loud=loud), severity=loud[-1].value)
        assert not any(event.data.get("not_before") for event in life.first)


def test_in_quiet_hours_nobody_is_reminded_and_nothing_escalates_and_both_count_from_their_end() -> None:
    life = Down(Route("all", ("ops",), quiet=during(-100, 1000), repeat_s=60, steps=(Step(30, ("boss",)),)))
    assert life.at(500) == []
    assert life.again_at(500) == at(1000)
    assert life.at(1000) == []
    assert life.at(1029) == []
    assert life.at(1030) == [("escalation-1", "boss")]
    assert life.at(1060) == [("reminder-1", "boss"), ("reminder-1", "ops")]


def test_what_gets_worse_in_quiet_hours_is_told_at_once_and_escalates() -> None:
    life = Down(Route("all", ("ops",), quiet=during(-100, 1000), steps=(Step(30, ("boss",)),)))
    life.take(Decision("", (AlertEvent(at(10), What.RAISED, life.alert.id, data={"severity": "P1"}),)))
    waits = {n.event: n.not_before for n in life.alert.notifications.values()}
    assert waits == {"first_fail": at(1000), "raised-P1": None}
    assert life.at(30) == [("escalation-1", "boss")]


# ---- escalations


def test_nobody_who_acknowledges_in_time_is_an_escalation_step_by_step() -> None:
    life = Down(Route("all", ("ops",), steps=(Step(60, ("boss",)), Step(300, ("chief", "ops")))))
    assert life.again_at(1) == at(60)
    assert life.at(59.9) == []
    assert life.at(60) == [("escalation-1", "boss")]
    assert life.at(61) == []
    assert life.again_at(61) == at(300)
    assert life.at(400) == [("escalation-2", "chief"), ("escalation-2", "ops")]
    assert queued(life.see(OK).events) == [("recovered", "ops"), ("recovered", "boss"), ("recovered", "chief")]


def test_a_step_outside_of_its_hours_waits_for_them() -> None:
    life = Down(Route("all", ("ops",), steps=(Step(60, ("boss",), hours=during(500, 600)),)))
    assert life.at(60) == []
    assert life.again_at(60) == at(500)
    assert life.at(500) == [("escalation-1", "boss")]


def test_steps_of_two_routes_are_two_things() -> None:
    life = Down(
        Route("one", ("ops",), goes_on=True, steps=(Step(60, ("boss",)),)),
        Route("two", ("ops",), steps=(Step(120, ("chief",), hours=during(500, 600)),)),
    )
    assert life.at(60) == [("escalation-1", "boss")]
    assert life.at(120) == []
    assert life.at(500) == [("escalation-1", "chief")]
    assert life.at(501) == []


def test_who_comes_on_duty_after_an_escalation_is_not_escalated_to() -> None:
    life = Down(
        Route("all", ("ops",), steps=(Step(60, ("primary",)),)),
        people=lambda name, now: (("ann",) if now < at(100) else ("bob",)) if name == "primary" else (name,),
    )
    assert life.at(60) == [("escalation-1", "ann")]
    assert life.at(200) == []


# ---- reminders


def test_reminders_go_to_all_who_were_told_while_nobody_acknowledges() -> None:
    life = Down(Route("all", ("ops", "chat"), repeat_s=60))
    assert life.again_at(0) == at(60)
    assert life.at(59) == []
    assert life.at(60) == [("reminder-1", "chat"), ("reminder-1", "ops")]
    assert life.at(61) == []
    assert life.again_at(61) == at(120)
    # After a long sleep the last one is enough.
    assert life.at(60 * 7 + 5) == [("reminder-7", "chat"), ("reminder-7", "ops")]


def test_a_clock_that_is_set_back_repeats_no_reminder() -> None:
    life = Down(Route("all", ("ops",), repeat_s=60))
    life.at(130)
    assert life.at(-5000) == []
    assert life.at(130) == []


# ---- raised


def raised(life: Life, severity: str, seconds: float) -> tuple[AlertEvent, ...]:
    return life.take(
        Decision("", (AlertEvent(at(seconds), What.RAISED, life.alert.id, data={"severity": severity}),))
    ).events


def test_what_gets_worse_is_told_again_and_to_those_of_its_new_route_for_the_first_time() -> None:
    life = Down(Route("bad", ("pager", "ops"), covers=bad(Severity.P1)), Route("all", ("ops",)), severity="P3")
    assert queued(raised(life, "P1", 5)) == [("first_fail", "pager"), ("raised-P1", "ops")]
    assert life.at(6) == []


def test_what_is_acknowledged_is_told_when_it_is_worse_and_not_repeated() -> None:
    life = Down(Route("all", ("ops",), repeat_s=60))
    life.take(acknowledge(life.alert, "ann", "", at(2)))
    assert queued(raised(life, "P1", 5)) == [("raised-P1", "ops")]
    assert life.at(500) == []


def test_a_warning_that_becomes_a_failure_is_raised_to_the_severity_of_its_check() -> None:
    life = Life(http_check(severity="P1", notify_on=["warn", "recovered"]))
    life.see(WARN, WARN)
    assert queued(life.see(FAIL).events) == [("raised-P1", "email"), ("raised-P1", "slack")]
    assert life.alert.severity is Severity.P1
    assert life.see(FAIL).events == ()
    life.see(OK)
    assert (life.queued("warn"), life.queued("recovered")) == (["email", "slack"], ["email", "slack"])


# ---- over


def test_who_was_told_is_told_that_it_is_over_once() -> None:
    life = Down()
    assert queued(life.see(OK).events) == [("recovered", "email"), ("recovered", "slack")]
    assert life.tell(at(9)) == []


def test_what_a_person_ended_is_told_also_where_recoveries_are_not_wanted() -> None:
    life = Life(http_check(notify_on=["first_fail"]))
    life.see(FAIL)
    assert queued(life.take(resolve(life.alert, "ann", "", at(2))).events) == [
        ("recovered", "email"),
        ("recovered", "slack"),
    ]


# ---- crashes


@pytest.mark.parametrize("survived", range(6))
def test_a_crash_in_the_middle_of_telling_leaves_nobody_out_and_tells_nobody_twice(survived: int) -> None:
    routes = (Route("one", ("a", "b"), goes_on=True), Route("two", ("c",)))
    whole = Life()
    whole.routes = routes
    whole.see(FAIL)
    assert len(whole.events) == 5

    again = Life()
    again.routes = routes
    for event in whole.events[:survived]:
        again.record(event)
    if not survived:
        again.take(on_verdict(again.check, whole.state, None, at(0)))
    again.tell(at(9))

    assert [n.channel for n in again.book.outbox()] == ["a", "b", "c"]
    assert again.tell(at(10)) == []


@pytest.mark.parametrize("survived", range(1, 4))
def test_a_crash_in_the_middle_of_an_escalation_leaves_nobody_out(survived: int) -> None:
    life = Down(Route("all", ("ops",), steps=(Step(60, ("x", "y", "z")),)))
    events = tell(life.alert, life.world, at(60)).events
    for event in events[:survived]:
        life.record(event)
    life.at(61)
    assert life.queued("escalation-1") == ["x", "y", "z"]


@pytest.mark.parametrize("survived", range(3))
def test_a_crash_between_the_end_and_its_messages_is_made_good(survived: int) -> None:
    life = Down()
    decision = on_verdict(life.check, replace(life.state, status=OK, kind=None), life.alert, at(5))
    life.record(decision.events[0])
    for event in tell(life.alert, life.world, at(5)).events[:survived]:
        life.record(event)
    life.at(6)
    assert life.queued("recovered") == ["email", "slack"]
