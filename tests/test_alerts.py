"""The story of an alert: when it opens and closes, and who is told."""

from typing import Any

import pytest

from monitor.alerts import (
    CHECKER,
    AlertStatus,
    Decision,
    Report,
    What,
    category_of,
    counted_every_s,
    due_at,
    on_blind,
    on_removed,
    on_report,
    on_sight,
    on_time,
    on_verdict,
    resolve,
    suppress,
)
from monitor.alerts.report import MOST_KEYS
from monitor.config import CheckBase, GroupCheck, HostCheck, JobCheck
from monitor.flapping import FlapMarks
from monitor.groups import Member, judged
from monitor.model import Category, Event, Flag, Kind, Result, Severity, Status
from monitor.state import CheckState, Rules, advance
from tests.make import Life, at, http_check, result

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN


def whats(decision: Decision) -> list[What]:
    return [event.what for event in decision.events]


def test_a_confirmed_failure_opens_one_alert_and_queues_one_message_for_each_channel() -> None:
    life = Life(http_check(severity="P1", runbook="http://wiki/shop"))

    decision = life.see(OK, FAIL, kind=None, message="status is 503, expected 200")

    assert decision.reason == "failure confirmed"
    assert whats(decision) == [What.OPENED, What.QUEUED, What.QUEUED, What.ROUTED]
    alert = life.alert
    assert (alert.resource, alert.source, alert.kind) == ("shop", "check", Kind.STATUS)
    assert (alert.title, alert.message) == ("shop answers with an error", "status is 503, expected 200")
    assert (alert.severity, alert.category, alert.runbook) == (
        Severity.P1,
        Category.AVAILABILITY,
        "http://wiki/shop",
    )
    assert (alert.opened_at, alert.by, alert.status) == (at(1), CHECKER, AlertStatus.ACTIVE)
    assert alert.told == ("email", "slack")
    assert [n.key for n in life.book.outbox()] == [f"{alert.id}:first_fail:{c}" for c in ("email", "slack")]


def test_an_ok_check_has_no_alert_and_says_why() -> None:
    assert Life().see(OK, OK) == Decision("no alert is open")
    assert Life().see(UNKNOWN, WARN) == Decision("no alert is open")


def test_a_failure_that_lasts_opens_no_second_alert() -> None:
    life = Life()

    decision = life.see(FAIL, FAIL, FAIL)

    assert decision == Decision(f"alert {life.alert.id} is open already")
    assert len(life.book.all()) == 1


def test_an_outage_that_a_person_resolved_is_not_opened_again_by_the_next_failure() -> None:
    life = Life()
    life.see(FAIL)
    life.take(resolve(life.alert, "ann", "known", at(1)))

    decision = life.see(FAIL, FAIL)

    assert decision == Decision(f"this outage had alert {life.alert.id}, resolved by ann")
    assert life.book.open() == []


def test_an_outage_with_a_blind_spot_that_a_person_resolved_is_not_opened_again() -> None:
    life = Life()
    life.see(FAIL, UNKNOWN, FAIL)
    life.take(resolve(life.alert, "ann", "known", at(3)))

    assert life.see(FAIL).reason == f"this outage had alert {life.alert.id}, resolved by ann"
    assert life.see(OK, FAIL).reason == "failure confirmed"


def test_the_next_outage_opens_anew_after_a_person_resolved_the_last() -> None:
    life = Life()
    life.see(FAIL)
    first = life.alert
    life.take(resolve(first, "ann", "", at(1)))

    life.see(FAIL, OK, FAIL)

    assert life.alert.id != first.id
    assert [alert.id for alert in life.book.open()] == [life.alert.id]


def test_a_verdict_that_could_not_be_judged_keeps_the_alert_open() -> None:
    life = Life()

    decision = life.see(FAIL, UNKNOWN)

    assert decision == Decision("could not be judged: the alert stays open")
    assert life.alert.is_open
    assert life.see(FAIL) == Decision(f"alert {life.alert.id} is open already")


def test_a_recovery_resolves_and_tells_everyone_who_was_told() -> None:
    life = Life()

    decision = life.see(FAIL, OK)

    assert decision.reason == "recovered"
    assert (life.alert.status, life.alert.resolved_by, life.alert.resolution) == (
        AlertStatus.RESOLVED,
        CHECKER,
        "recovered",
    )
    assert life.queued("recovered") == ["email", "slack"]


def test_a_warning_resolves_and_says_that_it_is_one() -> None:
    life = Life()

    life.see(FAIL)
    life.see(WARN, kind=Kind.SLOW, message="took 1.2 s")

    assert life.alert.resolution == "answers again, with a warning: took 1.2 s"
    assert life.queued("recovered") == ["email", "slack"]


def test_a_recovery_is_told_to_those_who_were_told_and_not_to_those_of_now() -> None:
    life = Life(channels=("email", "slack"))
    life.see(FAIL)
    life.channels = ("telegram",)

    life.see(OK)

    assert life.queued("recovered") == ["email", "slack"]


@pytest.mark.parametrize(
    ("kind", "event"),
    [(Kind.DEADLINE, Event.DEADLINE_MISS), (Kind.STATUS, Event.FIRST_FAIL), (Kind.TIMEOUT, Event.FIRST_FAIL)],
)
def test_a_missed_deadline_is_an_event_of_its_own(kind: Kind, event: Event) -> None:
    life = Life()

    life.see(FAIL, kind=kind)

    assert life.queued(event) == ["email", "slack"]
    assert {n.event for n in life.alert.notifications.values()} == {event}


@pytest.mark.parametrize(
    ("kind", "wanted", "missing"),
    [(Kind.STATUS, "deadline_miss", "first_fail"), (Kind.DEADLINE, "first_fail", "deadline_miss")],
)
def test_an_opening_nobody_asked_for_is_recorded_with_the_reason_and_so_is_its_end(
    kind: Kind, wanted: str, missing: str
) -> None:
    life = Life(http_check(notify_on=[wanted, "recovered"]))
    reason = f"{missing} is not in notify_on of shop"

    opening = life.see(FAIL, kind=kind)
    assert (opening.reason, whats(opening)) == ("failure confirmed", [What.OPENED, What.NOT_TOLD])
    assert opening.events[1].note == reason

    ending = life.see(OK)
    assert (ending.reason, whats(ending)) == ("recovered", [What.RESOLVED])
    assert life.alert.untold == reason
    assert life.book.outbox() == []


def test_a_recovery_nobody_asked_for_resolves_in_silence() -> None:
    life = Life(http_check(notify_on=["first_fail"]))

    decision = life.see(FAIL, OK)

    assert whats(decision) == [What.RESOLVED, What.NOT_TOLD]
    assert decision.events[1].note == "recovered is not in notify_on of shop"
    assert not life.alert.is_open
    assert life.queued("recovered") == []


def test_what_on_fail_adds_to_notify_on_is_sent_too() -> None:
    life = Life(http_check(notify_on=["recovered"], on_fail={"notify": ["first_fail"]}))

    life.see(FAIL)

    assert life.queued("first_fail") == ["email", "slack"]


def test_a_check_that_was_removed_ends_its_alert_and_tells_who_was_told() -> None:
    life = Life()
    life.see(FAIL)

    decision = life.take(on_removed(life.alert, at(5)))

    assert whats(decision) == [What.RESOLVED, What.QUEUED, What.QUEUED]
    assert life.alert.resolution == "the check was removed from the configuration"
    assert life.queued("recovered") == ["email", "slack"]


def test_a_check_that_is_configured_again_and_still_fails_opens_anew() -> None:
    life = Life()
    life.see(FAIL)
    life.take(on_removed(life.alert, at(1)))

    life.see(FAIL)

    assert len(life.book.all()) == 2
    assert life.alert.is_open


def test_a_clock_that_was_set_back_does_not_hide_the_next_outage() -> None:
    life = Life()
    life.second = 100
    life.see(FAIL)
    life.second = 50

    life.see(OK, FAIL)

    assert len(life.book.all()) == 2
    assert life.alert.is_open


@pytest.mark.parametrize(
    ("check", "kind", "category"),
    [
        (http_check(), Kind.STATUS, Category.AVAILABILITY),
        (http_check(), Kind.SLOW, Category.PERFORMANCE),
        (http_check(category="DATABASE"), Kind.SLOW, Category.DATABASE),
        (HostCheck(name="d", type="host", metric="disk"), Kind.RESOURCE, Category.SYSTEM),
        (JobCheck(name="j", type="job", status_url="http://j/{job_id}"), Kind.DEADLINE, Category.BUSINESS),
        (CheckBase(type="x", name="x"), None, Category.APPLICATION),
    ],
)
def test_the_category_is_the_checks_own_or_follows_from_what_it_is(
    check: CheckBase, kind: Kind | None, category: Category
) -> None:
    assert category_of(check, kind) is category


def test_an_opening_that_is_held_back_is_recorded_once_an_outage_and_opens_when_nothing_holds_it() -> None:
    life = Life()
    life.hold = "parent db is down"

    decision = life.see(OK, FAIL)
    assert (decision.reason, whats(decision), decision.is_held) == ("parent db is down", [What.HELD], True)
    assert decision.events[0].data == {"resource": "shop"}
    assert life.see(FAIL) == Decision("parent db is down", is_held=True)
    assert life.book.all() == []

    life.hold = "parent switch is down"
    assert whats(life.see(FAIL)) == [What.HELD]

    life.hold = ""
    assert life.see(FAIL).reason == "failure confirmed"

    life.hold = "parent switch is down"
    assert whats(life.see(OK, FAIL)) == [What.HELD]


def test_nothing_holds_back_the_end() -> None:
    life = Life()
    life.see(FAIL)
    life.hold = "parent db is down"

    assert life.see(FAIL).reason == f"alert {life.alert.id} is open already"
    assert life.see(OK).reason == "recovered"
    assert life.queued("recovered") == ["email", "slack"]


def test_the_alert_names_what_changed_since_the_last_good_verdict() -> None:
    life = Life()
    for verdict in (
        result(OK, 0, code=200, observed={"address": "10.0.0.5"}),
        result(FAIL, 1, code=502, observed={"address": "10.0.0.9"}, message="status is 502"),
    ):
        life.state, _ = advance(life.state, verdict)
        life.take(on_verdict(life.check, life.state, None, verdict.at))

    assert life.alert.message == ("status is 502; changed since last good: code 200 → 502, address 10.0.0.5 → 10.0.0.9")


def test_an_alert_that_opens_later_compares_the_verdict_that_it_quotes() -> None:
    life = Life()
    life.hold = "parent db is down"
    for verdict in (
        result(OK, 0, code=200, observed={"address": "10.0.0.5"}),
        result(FAIL, 1, code=403, observed={"address": "10.0.0.5"}, message="status is 403"),
        result(FAIL, 2, Kind.CONTENT, code=200, observed={"address": "10.0.0.9"}, message="$.orders is missing"),
    ):
        life.state, _ = advance(life.state, verdict)
        life.take(on_verdict(life.check, life.state, None, verdict.at, lambda *_: life.hold))
    restarted = CheckState.from_json(life.state.to_json())
    life.take(on_verdict(life.check, restarted, None, at(3)))

    assert life.alert.message == "$.orders is missing; changed since last good: address 10.0.0.5 → 10.0.0.9"


def test_a_group_says_how_many_of_its_members_are_down_and_repeats_nothing() -> None:
    group = GroupCheck.model_validate({"name": "backend", "type": "group", "members_tag": "x"})
    life = Life(group)
    up, down = (OK, None), (FAIL, Kind.CONNECT)
    for second, statuses in enumerate([(up, up, up, up, up), (up, down, up, down, up)]):
        verdict = Result(
            at(second), "backend", judged(group, [Member(f"m{n}", *how) for n, how in enumerate(statuses)])
        )
        life.state, _ = advance(life.state, verdict)
        life.take(on_verdict(group, life.state, None, verdict.at))

    assert life.alert.title == "backend: 2 of 5 members are down"
    assert life.alert.message == "3 of 5 members are up: m1 FAIL, m3 FAIL"


def test_greenwall_that_cannot_see_is_one_alert_of_its_own() -> None:
    life = Life()
    decision = life.take(on_blind(life.book.blindness(), Severity.P1, "no answer from gw", at(1)))
    alert = life.book.blindness()

    assert (decision.reason, whats(decision)) == (
        "no sentinel answers",
        [What.OPENED, What.QUEUED, What.QUEUED, What.ROUTED],
    )
    assert alert is not None
    assert (alert.resource, alert.source, alert.kind, alert.severity) == (
        "Greenwall",
        "vantage",
        Kind.VANTAGE,
        Severity.P1,
    )
    assert on_blind(alert, Severity.P1, "still", at(2)) == Decision(f"alert {alert.id} is open already")
    assert life.book.latest("Greenwall") is None

    ended = life.take(on_sight(alert, "gw answers", at(3)))
    assert (ended.reason, whats(ended)) == ("Greenwall sees again", [What.RESOLVED, What.QUEUED, What.QUEUED])
    assert life.book.blindness() is None
    assert on_sight(None, "gw answers", at(4)) == Decision("no such alert is open")


def test_a_check_that_flaps_has_one_alert_which_stays_open_until_it_is_stable() -> None:
    life = Life()
    life.rules = Rules(flap=FlapMarks())

    life.see(*[OK, FAIL] * 11)
    assert Flag.FLAPPING in life.state.flags
    flapping = life.alert
    seen = len(life.book.all())
    assert life.see(OK) == Decision("it flaps: the alert stays open until it is stable")
    life.see(*[FAIL, OK] * 5)
    assert (len(life.book.all()), life.alert.id, life.alert.is_open) == (seen, flapping.id, True)

    life.see(*[OK] * 21)
    assert not life.alert.is_open
    assert len(life.queued("recovered")) == 2 * seen


def test_what_flaps_when_it_opens_is_told_as_that() -> None:
    life = Life()
    life.rules = Rules(flap=FlapMarks())
    life.hold = "parent db is down"
    life.see(*[OK, FAIL] * 11)
    life.hold = ""

    decision = life.see(OK, FAIL)

    assert decision.reason == "it fails and recovers again and again: told once, until it is stable"
    assert life.alert.title == "shop flaps"


def test_a_warning_that_is_wanted_opens_at_its_second_round_a_step_milder_and_ends_when_it_is_over() -> None:
    life = Life(http_check(severity="P2", notify_on=["warn", "first_fail", "recovered"]))

    assert life.see(WARN, kind=Kind.SLOW) == Decision("no alert is open")
    assert life.see(WARN, kind=Kind.SLOW).reason == "it warns"
    assert (life.alert.title, life.alert.severity, life.queued("warn")) == (
        "shop warns",
        Severity.P3,
        ["email", "slack"],
    )
    assert life.see(WARN, kind=Kind.SLOW) == Decision("it warns: the alert stays open")
    life.see(OK)
    assert (life.alert.resolution, life.queued("recovered")) == ("recovered", ["email", "slack"])


def test_a_warning_nobody_asked_for_opens_nothing() -> None:
    life = Life()
    life.see(WARN, WARN, WARN, kind=Kind.SLOW)
    assert life.book.all() == []


def test_what_is_looked_at_seldom_warns_at_its_first_round() -> None:
    life = Life(http_check(every="2h", notify_on=["warn"]))
    assert life.see(WARN, kind=Kind.SLOW).reason == "it warns"


def test_a_failure_that_fails_otherwise_later_is_reworded_and_told_to_nobody() -> None:
    life = Life()
    life.see(FAIL, kind=Kind.CONNECT, message="refused")
    life.second += 60

    assert life.see(FAIL, kind=Kind.CONNECT, message="refused still").events == ()
    decision = life.see(FAIL, kind=Kind.STATUS, message="status is 503")

    assert whats(decision) == [What.SEEN]
    assert (life.alert.title, life.alert.kind, life.alert.message, life.alert.count) == (
        "shop answers with an error",
        Kind.STATUS,
        "status is 503",
        1,
    )
    assert life.see(FAIL, kind=Kind.TIMEOUT).events == (), "at most once a minute"


def test_the_note_of_the_last_resolution_stands_in_the_next_alert_and_in_the_one_after() -> None:
    life = Life()
    life.see(FAIL)
    assert life.alert.previous == ""
    life.take(resolve(life.alert, "ann", "cleared the queue", at(1)))

    life.see(OK, FAIL)
    assert life.alert.previous == "2026-11-20, ann: cleared the queue"
    life.see(OK, FAIL)
    assert life.alert.previous == "2026-11-20, ann: cleared the queue"


def report(**changed: Any) -> Report:
    words: dict[str, Any] = {"type": "queue", "resource": "shop", "title": "queue is full", "message": "90 waiting"}
    return Report(**words | {"severity": Severity.P3, "category": Category.BUSINESS} | changed)


def test_a_report_opens_an_alert_and_the_next_ones_count_it_up() -> None:
    life = Life()
    life.take(on_report(report(metadata={"a": 1}, affected_users=3), None, None, "app", at(1)))
    (alert,) = life.book.all()
    assert (alert.source, alert.by, alert.count, life.queued("reported")) == ("api", "app", 1, ["email", "slack"])

    decision = on_report(report(message="95", metadata={"b": 2}, affected_users=2), alert, None, "app", at(9), times=4)
    assert whats(life.take(decision)) == [What.SEEN]
    (alert,) = life.book.all()
    assert (alert.count, alert.message, alert.metadata, alert.affected_users, alert.last_seen_at) == (
        5,
        "95",
        {"a": 1, "b": 2},
        3,
        at(9),
    )


def test_metadata_that_is_said_again_is_not_stored_again_and_there_is_an_end_to_its_keys() -> None:
    life = Life()
    life.take(on_report(report(metadata={"trace": "x" * 1000, "a": 1}), None, None, "app", at(1)))
    (alert,) = life.book.all()
    (seen,) = on_report(report(metadata={"trace": "x" * 1000, "a": 2}), alert, None, "app", at(2)).events
    assert seen.data["metadata"] == {"a": 2}
    for number in range(5):
        said = {f"{number}-{key}": key for key in range(99)} | {"a": number}
        life.take(on_report(report(metadata=said), life.book.all()[0], None, "app", at(3 + number)))
    metadata = life.book.all()[0].metadata
    assert (len(metadata), metadata["a"]) == (MOST_KEYS, 4)


def test_a_worse_report_raises_the_alert_and_tells_again_and_a_milder_one_does_not_lower_it() -> None:
    life = Life()
    life.take(on_report(report(), None, None, "app", at(1)))
    (alert,) = life.book.all()

    assert What.RAISED in whats(life.take(on_report(report(severity=Severity.P1), alert, None, "app", at(2))))
    assert (life.book.all()[0].severity, life.queued("raised-P1")) == (Severity.P1, ["email", "slack"])
    assert whats(life.take(on_report(report(severity=Severity.P4), life.book.all()[0], None, "app", at(3)))) == [
        What.SEEN
    ]
    assert life.book.all()[0].severity is Severity.P1


def test_an_alert_that_is_not_reported_again_in_its_time_expires_and_who_was_told_is_told() -> None:
    life = Life()
    life.take(on_report(report(ttl_s=60.0), None, None, "app", at(1)))
    (alert,) = life.book.all()

    assert due_at(alert) == at(61)
    assert on_time(alert, at(60)) == Decision("nothing is due")
    assert whats(life.take(on_time(alert, at(61)))) == [What.EXPIRED, What.QUEUED, What.QUEUED]
    assert life.book.all()[0].status is AlertStatus.EXPIRED


def test_what_was_reported_again_lives_on() -> None:
    life = Life()
    life.take(on_report(report(ttl_s=60.0), None, None, "app", at(1)))
    life.take(on_report(report(), life.book.all()[0], None, "app", at(50)))

    assert due_at(life.book.all()[0]) == at(110)


@pytest.mark.parametrize(("age_s", "every_s"), [(5, 10.0), (10_000, 100.0), (864_000, 8640.0)])
def test_reports_are_stored_the_more_seldom_the_older_the_alert_is(age_s: float, every_s: float) -> None:
    life = Life()
    life.take(on_report(report(), None, None, "app", at(0)))
    assert counted_every_s(life.book.all()[0], at(age_s)) == every_s


def test_what_expires_is_counted_before_its_time_is_up() -> None:
    life = Life()
    life.take(on_report(report(ttl_s=300.0), None, None, "app", at(0)))
    assert counted_every_s(life.book.all()[0], at(864_000)) == 300.0


def test_a_suppressed_alert_is_told_again_when_its_time_is_over() -> None:
    life = Life()
    life.see(FAIL)
    life.take(suppress(life.alert, at(100), "ann", "later", at(2)))
    assert (life.alert.status, due_at(life.alert)) == (AlertStatus.SUPPRESSED, at(100))

    assert on_time(life.alert, at(99)) == Decision("nothing is due")
    decision = life.take(on_time(life.alert, at(100)))

    assert whats(decision) == [What.RESUMED, What.QUEUED, What.QUEUED]
    assert (life.alert.status, life.queued("reminder-resumed-1")) == (AlertStatus.ACTIVE, ["email", "slack"])


def test_what_is_over_cannot_be_suppressed() -> None:
    life = Life()
    life.see(FAIL, OK)
    assert suppress(life.alert, at(9), "ann", "", at(5)) == Decision(f"alert {life.alert.id} is resolved already")
