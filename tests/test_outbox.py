"""The outbox: tries again in its time, says that it is over after that it began, sends nothing twice."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from monitor.alerts import Alert, AlertBook, AlertEvent, Joining, Way, What
from monitor.channels import Letterhead, Receipt
from monitor.checker import outbox
from monitor.checker.loop import Loop
from monitor.checker.outbox import Outbox
from monitor.model import Event
from monitor.units import utc_now
from tests.conftest import eventually
from tests.desks import FakeChannel


class Desk:
    """A book, and an outbox that records into it and sends in threads; its lanes wait by a clock that a test moves."""

    def __init__(self, *channels: FakeChannel) -> None:
        self.loop, self.pool = Loop(), ThreadPoolExecutor(4)
        opened = {"resource": "db", "source": "check", "title": "t", "message": "m", "severity": "P1", "kind": "status"}
        self.book = AlertBook([AlertEvent(utc_now(), What.OPENED, "a-1", data=opened | {"category": "SYSTEM"})])
        self.outbox = Outbox(self.loop, self.pool, self.record, self.book)
        self.configure(*channels)

    def configure(self, *channels: FakeChannel) -> None:
        ways = {one.name: Way(problem=one.problem, fallback="console") for one in channels}
        known = {one.name: one for one in channels}
        self.outbox.configure(known, ways, {"": Joining(0, 0)}, Letterhead())  # type: ignore[arg-type]

    def record(self, event: AlertEvent) -> Alert | None:
        alert = self.book.apply(event)
        if event.what is What.QUEUED:
            self.outbox.take(event)
        return alert

    @property
    def alert(self) -> Alert:
        alert = self.book.get("a-1")
        assert alert is not None
        return alert

    def queue(self, event: str, channel: str = "ops") -> None:
        queued = AlertEvent(utc_now(), What.QUEUED, "a-1", data={"event": event, "channel": channel})
        self.record(self.outbox.stamped(queued))

    def work(self) -> None:
        CLOCK.seconds += 400.0
        self.outbox.prepare()
        self.outbox.send()
        self.loop.run(0.02)

    def ended(self) -> bool:
        self.work()
        return all(n.ended for n in self.alert.notifications.values())


CLOCK = SimpleNamespace(seconds=0.0)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Desk]]:
    monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: CLOCK.seconds))
    yield Desk


def busy() -> Receipt:
    return Receipt("ops", ok=False, detail="503")


def events(channel: FakeChannel) -> list[str]:
    return [key.split(":")[1] for key in channel.asked]


def test_what_fails_for_now_is_sent_again_once(make: type[Desk]) -> None:
    channel = FakeChannel("ops", busy())
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert events(channel) == ["first_fail", "first_fail"]
    assert desk.alert.notifications["a-1:first_fail:ops"].attempts == 2
    assert len(set(channel.asked)) == 1, "the same idempotency key"


def test_recovery_waits_for_an_opening_that_is_tried_again(make: type[Desk]) -> None:
    channel = FakeChannel("ops", busy())
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(lambda: desk.work() or desk.alert.notifications["a-1:first_fail:ops"].attempts == 1)
    desk.queue(Event.RECOVERED)
    eventually(desk.ended)
    assert events(channel) == ["first_fail", "first_fail", "recovered"]


def test_an_opening_that_is_given_up_lets_the_recovery_go(make: type[Desk]) -> None:
    channel = FakeChannel("ops", Receipt("ops", ok=False, detail="404", permanent=True))
    desk = make(channel, FakeChannel("console"))
    desk.queue(Event.FIRST_FAIL)
    desk.queue(Event.RECOVERED)
    eventually(desk.ended)
    assert events(channel) == ["first_fail", "recovered"]
    assert desk.alert.notifications["a-1:first_fail:ops"].ended is What.GAVE_UP


def test_many_failures_do_not_end_it_but_the_third_tells_the_console(make: type[Desk]) -> None:
    channel, console = FakeChannel("ops", *(busy() for _ in range(30))), FakeChannel("console")
    desk = make(channel, console)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert len(channel.asked) == 31
    assert desk.alert.notifications["a-1:first_fail:ops"].ended is What.SENT
    assert console.told == ["db first_fail"]


def test_after_stop_nothing_is_sent(make: type[Desk]) -> None:
    channel = FakeChannel("ops")
    desk = make(channel)
    desk.outbox.stop()
    desk.queue(Event.FIRST_FAIL)
    desk.work()
    assert channel.asked == [] and not desk.outbox.is_busy


def test_what_a_channel_was_asked_counts_and_so_does_its_last_trouble(make: type[Desk]) -> None:
    channel = FakeChannel("ops", busy())
    desk = make(channel)
    desk.queue(Event.FIRST_FAIL)
    eventually(lambda: desk.work() or "ops" in desk.outbox.delivered)
    known = desk.outbox.delivered["ops"]
    assert (known.failed, known.trouble, desk.outbox.waiting) == (1, "503", {"ops": 1})
    eventually(desk.ended)
    assert (known.sent, known.failed, known.trouble, desk.outbox.waiting) == (1, 1, "", {})
    assert known.delay_s >= 0


def test_a_channel_that_breaks_is_a_failed_delivery_and_the_console_is_told(make: type[Desk]) -> None:
    channel, console = FakeChannel("ops"), FakeChannel("console")
    desk = make(channel, console)
    channel.send = lambda _message: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert desk.alert.notifications["a-1:first_fail:ops"].detail == "Greenwall's channel broke: ZeroDivisionError"
    assert console.told == ["db first_fail"]


def test_a_message_that_cannot_be_written_stops_no_lane(make: type[Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    channel = FakeChannel("ops")
    desk = make(channel)
    monkeypatch.setattr(outbox, "compose", lambda *_: 1 / 0)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert desk.alert.notifications["a-1:first_fail:ops"].ended is What.GAVE_UP
    assert not desk.outbox.is_busy


def test_a_channel_that_is_not_configured_says_so_at_once_and_the_console_is_told(make: type[Desk]) -> None:
    channel, console = FakeChannel("ops"), FakeChannel("console")
    channel.configured, channel.problem = False, "SMTP_HOST is not set"
    desk = make(channel, console)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert channel.asked == []
    assert desk.alert.notifications["a-1:first_fail:ops"].detail == "unconfigured: SMTP_HOST is not set"
    assert console.told == ["db first_fail"]


def test_a_slow_channel_holds_up_no_other(make: type[Desk]) -> None:
    slow, quick = FakeChannel("slow"), FakeChannel("quick")
    desk = make(slow, quick)
    answer = slow.send
    released: list[bool] = []
    slow.send = lambda message: eventually(lambda: released) and answer(message)  # type: ignore[method-assign]
    for name in ("slow", "quick"):
        desk.queue(Event.FIRST_FAIL, name)
    eventually(lambda: desk.work() or quick.told)
    assert slow.told == []
    released.append(True)
    eventually(desk.ended)
    assert slow.told == ["db first_fail"]


def test_a_test_of_a_channel_passes_by_the_lanes(make: type[Desk]) -> None:
    channel = FakeChannel("ops", busy())
    desk = make(channel)
    answers: list[Receipt] = []
    message = SimpleNamespace(key="test", members=())
    desk.outbox.send_now(channel, message, answers.append)  # type: ignore[arg-type]
    eventually(lambda: desk.loop.run(0.02) or answers)
    assert answers == [busy()]
    assert desk.outbox.waiting == {}


def test_a_channel_that_was_removed_still_tells_the_end_to_who_knows_of_the_beginning(make: type[Desk]) -> None:
    channel, console = FakeChannel("ops"), FakeChannel("console")
    desk = make(channel, console)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    desk.configure(console)
    desk.configure(console)
    assert desk.outbox.channels == {"console": console}
    desk.queue(Event.RECOVERED)
    eventually(desk.ended)
    assert (channel.told, console.told) == (["db first_fail", "db recovered"], [])


def test_a_channel_that_was_removed_and_owes_nobody_anything_is_let_go(make: type[Desk]) -> None:
    channel, console = FakeChannel("ops"), FakeChannel("console")
    desk = make(channel, console)
    desk.configure(console)
    desk.queue(Event.FIRST_FAIL)
    eventually(desk.ended)
    assert (channel.told, console.told) == ([], ["db first_fail"])
    assert desk.alert.notifications["a-1:first_fail:ops"].detail == "channel 'ops' is no longer configured"
