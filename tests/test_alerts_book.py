"""Alerts by hand, what people do with alerts, and the book that their events tell."""

from typing import Any

import orjson
import pytest

from monitor.alerts import (
    AlertBook,
    AlertEvent,
    AlertStatus,
    Decision,
    Report,
    What,
    acknowledge,
    alert_id,
    on_report,
    resolve,
)
from monitor.model import Category, Severity, Status
from tests.make import Life, at, http_check

OK, FAIL, UNKNOWN = Status.OK, Status.FAIL, Status.UNKNOWN


def whats(decision: Decision) -> list[What]:
    return [event.what for event in decision.events]


def manual(**changed: Any) -> Decision:
    words: dict[str, Any] = {"resource": "shop", "title": "shop: we move it", "message": "we move it\ntonight"}
    same = {"type": "manual", "source": "manual", "opening": "manual", "channels": ("email",)}
    report = Report(severity=Severity.P2, category=Category.APPLICATION, **words | same | changed)
    return on_report(report, None, None, "ann", at(9))


def test_an_alert_by_hand_opens_for_any_resource_and_is_told() -> None:
    life = Life()
    life.take(manual(resource="the office", title="the office: we move it"))
    book = life.book
    (alert,) = book.all()

    assert (alert.source, alert.by, alert.severity, alert.title) == (
        "manual",
        "ann",
        Severity.P2,
        "the office: we move it",
    )
    assert [(n.event, n.channel) for n in book.outbox()] == [("manual", "email")]
    assert whats(life.take(resolve(alert, "bob", "", at(10)))) == [What.RESOLVED, What.QUEUED]


def test_an_alert_by_hand_for_a_check_neither_hides_nor_ends_the_checks_own() -> None:
    life = Life()
    life.see(FAIL)
    own = life.alert
    life.take(manual())

    assert life.see(FAIL) == Decision(f"alert {own.id} is open already")
    life.see(OK)

    assert [alert.source for alert in life.book.open()] == ["manual"]
    assert life.queued("recovered") == ["email", "slack"]


def test_an_acknowledged_alert_is_somebodys_and_still_open() -> None:
    life = Life()
    life.see(FAIL)

    life.take(acknowledge(life.alert, "ann", "on it", at(2)))

    assert (life.alert.status, life.alert.acknowledged_by, life.alert.acknowledged_at) == (
        AlertStatus.ACKNOWLEDGED,
        "ann",
        at(2),
    )
    life.see(OK)
    assert life.alert.status is AlertStatus.RESOLVED


def test_a_person_who_resolves_is_named_and_who_was_told_is_told() -> None:
    life = Life(http_check(notify_on=["first_fail"]))
    life.see(FAIL)

    life.take(resolve(life.alert, "ann", "", at(2)))

    assert (life.alert.resolved_by, life.alert.resolution) == ("ann", "resolved by hand")
    assert life.queued("recovered") == ["email", "slack"]


def test_what_is_over_can_be_neither_acknowledged_nor_resolved() -> None:
    life = Life()
    life.see(FAIL, OK)
    over = Decision(f"alert {life.alert.id} is resolved already")

    assert acknowledge(life.alert, "ann", "", at(5)) == over
    assert resolve(life.alert, "ann", "", at(5)) == over


def delivery(life: Life, what: What, channel: str, note: str = "") -> None:
    key = f"{life.alert.id}:first_fail:{channel}"
    life.take(Decision("", (AlertEvent(at(3), what, life.alert.id, note=note, data={"key": key}),)))


def test_a_message_waits_in_the_outbox_until_it_was_sent_or_given_up() -> None:
    life = Life()
    life.see(FAIL)

    delivery(life, What.FAILED, "email", "again in 5 s")
    assert [(n.channel, n.attempts, n.detail) for n in life.book.outbox()] == [
        ("email", 1, "again in 5 s"),
        ("slack", 0, ""),
    ]
    delivery(life, What.SENT, "email")
    delivery(life, What.GAVE_UP, "slack", "no such channel")
    assert life.book.outbox() == []
    assert [(n.attempts, n.ended) for n in life.alert.notifications.values()] == [(2, What.SENT), (1, What.GAVE_UP)]


def test_events_of_unknown_alerts_and_messages_change_nothing() -> None:
    life = Life()
    life.see(FAIL)
    before = life.alert.notifications

    assert life.book.apply(AlertEvent(at(), What.RESOLVED, "a-unknown")) is None
    delivery(life, What.SENT, "pigeon")

    assert life.alert.notifications == before


def test_folding_the_events_again_gives_the_same_book_also_from_their_json() -> None:
    life = Life()
    life.see(FAIL, UNKNOWN, FAIL)
    delivery(life, What.SENT, "email", "250 ok")
    life.take(acknowledge(life.alert, "ann", "on it", at(4)))
    life.see(OK, FAIL)
    life.take(manual())
    life.take(resolve(life.alert, "bob", "known", at(8)))
    lines = [orjson.loads(orjson.dumps(event.to_json())) for event in life.events]

    again = AlertBook(AlertEvent.from_json(line) for line in lines)

    assert again.all() == life.book.all()
    assert again.outbox() == life.book.outbox()
    assert again.latest("shop") == life.alert
    assert [len(alert.events) for alert in again.all()] == [len(alert.events) for alert in life.book.all()]
    assert sum(len(alert.events) for alert in again.all()) == len(life.events)


@pytest.mark.parametrize("changed", [{"what": "exploded"}, {"at": "soon"}, {"at": None}])
def test_a_line_that_is_no_event_is_refused(changed: dict[str, Any]) -> None:
    line = AlertEvent(at(), What.OPENED, "a-1").to_json()

    with pytest.raises(ValueError):
        AlertEvent.from_json(line | changed)
    with pytest.raises(KeyError):
        AlertEvent.from_json({})


def test_the_id_of_an_alert_is_the_same_for_the_same_facts_only() -> None:
    assert alert_id("shop", at()) == alert_id("shop", at())
    assert len({alert_id("shop", at()), alert_id("shop", at(1)), alert_id("db", at())}) == 3
