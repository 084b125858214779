"""The story of an alert: when it opens and closes, and who is told."""

import pytest

from monitor.alerts import (
    CHECKER,
    AlertStatus,
    Decision,
    What,
    category_of,
    on_blind,
    on_removed,
    on_sight,
    on_verdict,
    resolve,
)
from monitor.config import CheckBase, GroupCheck, HostCheck, JobCheck
from monitor.groups import Member, judged
from monitor.model import Category, Event, Kind, Result, Severity, Status
from monitor.state import CheckState, advance
from tests.make import Life, at, http_check, result

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN


def whats(decision: Decision) -> list[What]:
    return [event.what for event in decision.events]


def test_a_confirmed_failure_opens_one_alert_and_queues_one_message_for_each_channel() -> None:
    life = Life(http_check(severity="P1", runbook="http://wiki/shop"))

    decision = life.see(OK, FAIL, kind=None, message="status is 503, expected 200")

    assert decision.reason == "failure confirmed"
    assert whats(decision) == [What.OPENED, What.QUEUED, What.QUEUED]
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
    assert (opening.reason, whats(opening)) == (reason, [What.OPENED, What.NOT_TOLD])
    assert opening.events[1].note == reason

    ending = life.see(OK)
    assert (ending.reason, whats(ending)) == ("nobody was told of the opening", [What.RESOLVED, What.NOT_TOLD])
    assert life.book.outbox() == []


def test_a_recovery_nobody_asked_for_resolves_in_silence() -> None:
    life = Life(http_check(notify_on=["first_fail"]))

    decision = life.see(FAIL, OK)

    assert (decision.reason, whats(decision)) == (
        "recovered is not in notify_on of shop",
        [What.RESOLVED, What.NOT_TOLD],
    )
    assert not life.alert.is_open


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
        life.take(on_verdict(life.check, life.state, None, life.channels, verdict.at))

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
        life.take(on_verdict(life.check, life.state, None, life.channels, verdict.at, life.hold))
    restarted = CheckState.from_json(life.state.to_json())
    life.take(on_verdict(life.check, restarted, None, life.channels, at(3)))

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
        life.take(on_verdict(group, life.state, None, life.channels, verdict.at))

    assert life.alert.title == "backend: 2 of 5 members are down"
    assert life.alert.message == "3 of 5 members are up: m1 FAIL, m3 FAIL"


def test_greenwall_that_cannot_see_is_one_alert_of_its_own() -> None:
    life = Life()
    decision = life.take(on_blind(life.book.blindness(), Severity.P1, "no answer from gw", life.channels, at(1)))
    alert = life.book.blindness()

    assert (decision.reason, whats(decision)) == ("no sentinel answers", [What.OPENED, What.QUEUED, What.QUEUED])
    assert alert is not None
    assert (alert.resource, alert.source, alert.kind, alert.severity) == (
        "Greenwall",
        "vantage",
        Kind.VANTAGE,
        Severity.P1,
    )
    assert on_blind(alert, Severity.P1, "still", life.channels, at(2)) == Decision(f"alert {alert.id} is open already")
    assert life.book.latest("Greenwall") is None

    ended = life.take(on_sight(alert, "gw answers", at(3)))
    assert (ended.reason, whats(ended)) == ("Greenwall sees again", [What.RESOLVED, What.QUEUED, What.QUEUED])
    assert life.book.blindness() is None
    assert on_sight(None, "gw answers", at(4)) == Decision("no such alert is open")
