"""The outbox: tries again in its time, says that it is over after that it began, sends nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from monitor.alerts import Alert, AlertBook, AlertEvent, What
from monitor.channels import Message, Receipt
from monitor.checker import outbox
from monitor.checker.loop import Loop
from monitor.checker.outbox import Outbox
from monitor.model import Event
from monitor.units import utc_now
from tests.conftest import eventually


class Channel:
    """A channel that answers as a test says, and then well."""

    def __init__(self, *receipts: Receipt) -> None:
        self.name, self.type, self.missing, self.problem, self.configured = "ops", "webhook", (), "", True
        self.receipts = list(receipts)
        self.sent: list[str] = []

    def send(self, message: Message) -> Receipt:
        self.sent.append(message.event)
        return self.receipts.pop(0) if self.receipts else Receipt(self.name, ok=True, detail="taken")


class Desk:
    """A book, and an outbox that records into it."""

    def __init__(self, channel: Channel) -> None:
        self.loop, self.pool = Loop(), ThreadPoolExecutor(2)
        opened = {"resource": "db", "source": "check", "title": "t", "message": "m", "severity": "P1", "kind": "status"}
        self.book = AlertBook([AlertEvent(utc_now(), What.OPENED, "a-1", data=opened | {"category": "SYSTEM"})])
        self.outbox = Outbox(self.loop, self.pool, self.book.apply, self.book.get)
        self.outbox.configure({"ops": channel}, None)  # type: ignore[dict-item]

    @property
    def alert(self) -> Alert:
        alert = self.book.get("a-1")
        assert alert is not None
        return alert

    def queue(self, event: str) -> None:
        self.book.apply(AlertEvent(utc_now(), What.QUEUED, "a-1", data={"event": event, "channel": "ops"}))
        for notification in self.alert.notifications.values():
            self.outbox.deliver(self.alert, notification)

    def ended(self) -> bool:
        self.loop.run(0.02)
        return all(n.ended for n in self.alert.notifications.values())


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Desk]]:
    monkeypatch.setattr(outbox, "WAITS_S", (0.05, 0.05, 0.05))
    yield Desk


def busy() -> Receipt:
    return Receipt("ops", ok=False, detail="503")


def test_what_fails_for_now_is_sent_again_once(make: type[Desk]) -> None:
    channel = Channel(busy())
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert channel.sent == ["first_fail", "first_fail"]
    assert desk.alert.notifications["a-1:first_fail:ops"].attempts == 2


def test_recovery_waits_for_an_opening_that_is_tried_again(make: type[Desk]) -> None:
    channel = Channel(busy())
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(lambda: desk.loop.run(0.01) or desk.alert.notifications["a-1:first_fail:ops"].attempts == 1)
    desk.queue(Event.RECOVERED)
    eventually(desk.ended)
    assert channel.sent == ["first_fail", "first_fail", "recovered"]


def test_an_opening_that_is_given_up_lets_the_recovery_go(make: type[Desk]) -> None:
    channel = Channel(Receipt("ops", ok=False, detail="404", permanent=True))
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    desk.queue(Event.RECOVERED)
    eventually(desk.ended)
    assert channel.sent == ["first_fail", "recovered"]


def test_too_many_failures_end_it(make: type[Desk]) -> None:
    channel = Channel(*(busy() for _ in range(9)))
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert len(channel.sent) == 4
    assert desk.alert.notifications["a-1:first_fail:ops"].ended is What.GAVE_UP


def test_after_stop_nothing_is_sent(make: type[Desk]) -> None:
    channel = Channel()
    desk = make(channel)
    desk.outbox.stop()
    desk.queue(Event.FIRST_FAIL)
    assert channel.sent == [] and not desk.outbox.is_busy
