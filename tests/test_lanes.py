"""What goes out next on a channel: joined, in order, again after a failure, and the same again after a crash."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.alerts import GIVE_UP_AFTER, Alert, AlertBook, AlertEvent, Dispatch, Joining, Lanes, Way, What
from monitor.alerts.lanes import FALLBACK_AFTER, FIRST_WAIT_S, LONGEST_WAIT_S, STUCK_AFTER
from monitor.model import Severity
from monitor.units import to_rfc3339
from tests.make import at

OPENING, END = "first_fail", "recovered"
WAYS = {"ops": Way(fallback="console"), "console": Way(fallback="console")}


class Post:
    """A book, its lanes, and a clock that both look at; `crash` leaves what was stored."""

    def __init__(self, **ways: Way) -> None:
        self.ways = WAYS | ways
        self.joining = {"all": Joining(10, 60)}
        self.seconds = 0.0
        self.stored: list[AlertEvent] = []
        self.start([])

    def start(self, events: list[AlertEvent]) -> None:
        self.stored = list(events)
        self.book = AlertBook(self.stored)
        self.lanes = Lanes(self.book, jitter=lambda: 0.5)
        self.lanes.configure(self.ways, self.joining)

    def record(self, event: AlertEvent) -> Alert | None:
        if event.what is What.QUEUED:
            event = self.lanes.stamped(event, self.seconds)
        self.stored.append(event)
        alert = self.book.apply(event)
        for instead in self.lanes.take(event) if event.what is What.QUEUED else ():
            self.record(instead)
        return alert

    def queue(
        self,
        alert: str,
        event: str = OPENING,
        channel: str = "ops",
        bucket: str = "all",
        severity: str = "P1",
        **data: Any,
    ) -> None:
        if self.book.get(alert) is None:
            opened = {"resource": alert, "source": "check", "title": "t", "message": "m", "severity": severity}
            self.record(AlertEvent(at(self.seconds), What.OPENED, alert, data=opened | {"category": "SYSTEM"}))
        if event == END:
            self.record(AlertEvent(at(self.seconds), What.RESOLVED, alert))
        data |= {"event": event, "channel": channel, "bucket": bucket}
        self.record(AlertEvent(at(self.seconds), What.QUEUED, alert, data=data))

    def go(self) -> list[Dispatch]:
        """Return the messages that set out now."""
        found = []
        for dispatch, events in list(self.lanes.next(at(self.seconds), self.seconds)):
            for event in events:
                self.record(event)
            found.append(dispatch)
        return found

    def one(self) -> Dispatch:
        (dispatch,) = self.go()
        return dispatch

    def arrives(self, dispatch: Dispatch) -> None:
        for event in self.lanes.sent(dispatch, "taken", "ref-1", at(self.seconds), self.seconds):
            self.record(event)

    def fails(self, dispatch: Dispatch, permanent: bool = False, retry_after_s: float | None = None) -> None:
        now = at(self.seconds)
        for event in self.lanes.failed(dispatch, "503", permanent, retry_after_s, now, self.seconds):
            self.record(event)

    def out(self) -> list[tuple[str, ...]]:
        """Send what goes now and return what each message tells, in words."""
        found = self.go()
        for dispatch in found:
            self.arrives(dispatch)
        return [told(dispatch) for dispatch in found]


def told(dispatch: Dispatch) -> tuple[str, ...]:
    return tuple(f"{member.alert} {member.event}" for member in dispatch.members)


# ---- joining


def test_the_first_goes_at_once_and_what_follows_is_joined_after_the_wait_and_then_at_intervals() -> None:
    post = Post()
    post.queue("a")
    assert post.out() == [("a first_fail",)]

    post.seconds = 2
    post.queue("b")
    post.queue("c")
    assert post.out() == []
    post.seconds = 9.7
    assert post.out() == []
    post.seconds = 10
    assert post.out() == [("b first_fail", "c first_fail")]

    post.seconds = 11
    post.queue("d")
    post.seconds = 69.7
    assert post.out() == []
    post.seconds = 70
    assert post.out() == [("d first_fail",)]


def test_after_a_quiet_time_the_first_goes_at_once_again() -> None:
    post = Post()
    post.queue("a")
    post.out()
    post.seconds = 11
    post.queue("b")
    assert post.out() == [("b first_fail",)]


def test_what_is_of_another_bucket_is_not_joined_and_does_not_wait() -> None:
    post = Post()
    post.queue("a", bucket="all|x")
    post.queue("b", bucket="all|y")
    assert post.out() == [("a first_fail",)]
    assert post.out() == [("b first_fail",)]


def test_every_channel_has_a_lane_of_its_own_with_one_message_at_a_time() -> None:
    post = Post()
    post.queue("a")
    post.queue("b", bucket="other")
    post.queue("a", channel="console")
    assert sorted(one.channel for one in post.go()) == ["console", "ops"]
    assert post.go() == []
    assert post.lanes.on_their_way == 2
    assert post.lanes.waiting == {"ops": 2, "console": 1}


def test_a_channel_that_keeps_incidents_gets_each_by_itself_and_at_once() -> None:
    post = Post(pager=Way(joins=False))
    for alert in "abc":
        post.queue(alert, channel="pager")
    assert [post.out() for _ in range(4)] == [[("a first_fail",)], [("b first_fail",)], [("c first_fail",)], []]


def test_an_opening_and_its_end_that_wait_together_are_one_message_with_the_end_last() -> None:
    post = Post()
    post.queue("a")
    post.out()
    post.queue("b")
    post.queue("b", END)
    post.queue("c")
    post.seconds = 10
    assert post.out() == [("b first_fail", "c first_fail", "b recovered")]


def test_an_end_waits_for_its_opening() -> None:
    post = Post()
    post.queue("a")
    first = post.one()
    post.seconds = 20
    post.queue("a", END)
    assert post.go() == []
    post.fails(first)
    post.seconds = 30
    first = post.one()
    assert told(first) == ("a first_fail",)
    post.arrives(first)
    assert post.out() == [("a recovered",)]


def test_what_still_waits_when_somebody_suppresses_its_alert_waits_for_the_end_of_that() -> None:
    post = Post()
    post.queue("first")
    post.out()
    post.queue("a")
    post.queue("b")
    post.record(AlertEvent(at(1), What.SUPPRESSED, "a", data={"until": to_rfc3339(at(500))}))
    post.seconds = 10
    assert post.out() == [("b first_fail",)]
    post.seconds = 500
    assert post.out() == []
    post.record(AlertEvent(at(500), What.RESUMED, "a"))
    post.seconds = 501
    assert post.out() == [("a first_fail",)]


def test_a_thousand_at_most_are_joined() -> None:
    post = Post()
    post.queue("first")
    post.out()
    for number in range(1100):
        post.queue(f"a{number}")
    post.seconds = 10
    assert [len(one) for one in post.out()] == [1000]
    post.seconds = 70
    assert [len(one) for one in post.out()] == [100]


def test_what_waits_for_the_end_of_quiet_hours_comes_as_one_message_then() -> None:
    post = Post()
    for alert in "ab":
        post.queue(alert, not_before=to_rfc3339(at(500)))
    post.queue("b", END)
    post.seconds = 499
    assert post.out() == []
    post.seconds = 500
    assert post.out() == [("a first_fail", "b first_fail", "b recovered")]


def test_quiet_hours_of_some_hold_up_nothing_that_is_loud() -> None:
    post = Post()
    post.queue("a", not_before=to_rfc3339(at(500)))
    post.queue("b")
    assert post.out() == [("b first_fail",)]


# ---- per hour


def test_over_the_limit_of_an_hour_what_follows_waits_and_is_joined_and_nothing_is_dropped() -> None:
    post = Post(sms=Way(per_hour=2))
    for alert in "ab":
        post.queue(alert, channel="sms", bucket=alert)
        post.out()
    for alert in "cd":
        post.queue(alert, channel="sms", bucket="all")
    post.queue("a", END, channel="sms", bucket="all")
    post.seconds = 3599
    assert post.out() == []
    post.seconds = 3600
    assert post.out() == [("c first_fail", "d first_fail", "a recovered")]


# ---- again


def test_what_fails_for_now_is_tried_again_ever_more_seldom() -> None:
    post = Post(ops=Way())
    post.queue("a")
    waits = []
    for _ in range(9):
        post.fails(post.one())
        began = post.seconds
        while not (found := post.go()):
            post.seconds += 0.25
        waits.append(post.seconds - began)
        post.start(post.stored)
        assert [told(one) for one in found] == [("a first_fail",)]
    assert waits[:6] == [FIRST_WAIT_S * 2**n for n in range(6)]
    assert waits[6:] == [LONGEST_WAIT_S] * 3
    assert post.book.outbox()[0].attempts == 9
    assert post.book.outbox()[0].detail.startswith("503; again in ")


def test_waits_differ_by_a_quarter_so_that_not_all_come_back_together() -> None:
    for jitter, wait_s in ((0.0, 3.75), (1.0, 6.25)):
        post = Post()
        post.lanes = Lanes(post.book, jitter=lambda jitter=jitter: jitter)  # type: ignore[misc]
        post.lanes.configure(post.ways, post.joining)
        post.queue("a")
        post.fails(post.one())
        post.seconds = wait_s - 0.01
        assert post.go() == []
        post.seconds = wait_s
        assert len(post.go()) == 1


def test_who_asks_to_be_left_alone_for_so_long_is() -> None:
    post = Post()
    post.queue("a")
    post.fails(post.one(), retry_after_s=120)
    post.seconds = 119
    assert post.go() == []
    post.seconds = 120
    assert len(post.go()) == 1


def test_who_asks_to_be_left_alone_for_longer_than_we_would_is_away_and_the_next_channel_is_told_at_once() -> None:
    post = Post()
    post.queue("a")
    post.fails(post.one(), retry_after_s=LONGEST_WAIT_S + 1)
    assert [told(one) for one in post.go() if one.channel == "console"] == [("a first_fail",)]
    post.queue("b", bucket="other")
    assert {n.channel for n in post.book.outbox() if n.alert == "b"} == {"ops", "console"}


def test_a_configuration_that_is_read_again_ends_the_waiting() -> None:
    post = Post()
    post.queue("a")
    post.fails(post.one(), retry_after_s=3600)
    assert "ops" not in [one.channel for one in post.go()]
    post.lanes.configure(post.ways, post.joining)
    assert "ops" in [one.channel for one in post.go()]


def test_after_the_third_time_the_next_channel_is_told_too_once() -> None:
    post = Post()
    post.queue("a")
    for times in range(1, 6):
        (dispatch,) = [one for one in post.go() if one.channel == "ops"]
        post.fails(dispatch)
        instead = [n for n in post.book.outbox() if n.channel == "console"]
        assert len(instead) == (times >= FALLBACK_AFTER)
        post.seconds += LONGEST_WAIT_S
    assert [e.note for e in post.stored if e.what is What.QUEUED] == ["", "instead of ops"]


def test_what_waits_behind_it_is_told_to_the_next_channel_too_and_what_comes_after_at_the_next_try() -> None:
    post = Post()
    for alert, bucket in (("a", "x"), ("b", "y")):
        post.queue(alert, bucket=bucket)
    post.queue("quiet", bucket="z", not_before=to_rfc3339(at(90_000)))
    for _ in range(FALLBACK_AFTER):
        post.fails(next(one for one in post.go() if one.channel == "ops"))
        post.seconds += LONGEST_WAIT_S
    assert post.lanes.waiting == {"ops": 3, "console": 2}
    post.queue("c", bucket="y")
    post.fails(next(one for one in post.go() if one.channel == "ops"))
    assert post.lanes.waiting == {"ops": 4, "console": 3}
    # Once it takes messages again, one that it does not take counts anew.
    post.seconds += LONGEST_WAIT_S
    post.arrives(next(one for one in post.go() if one.channel == "ops"))
    post.queue("d", bucket="w")
    post.fails(next(one for one in post.go() if one.channel == "ops"))
    assert post.lanes.waiting == {"ops": 4, "console": 3}


def test_the_end_of_what_quiet_hours_hold_back_wakes_nobody_on_the_next_channel_either() -> None:
    post = Post()
    post.queue("a", bucket="x")
    post.queue("quiet", bucket="z", not_before=to_rfc3339(at(2_000)))
    post.queue("quiet", END, bucket="z")
    for _ in range(FALLBACK_AFTER):
        post.fails(next(one for one in post.go() if one.channel == "ops"))
        post.seconds += LONGEST_WAIT_S
    post.queue("late", bucket="z", not_before=to_rfc3339(at(2_000)))
    post.queue("late", END, bucket="z")
    assert [n.alert for n in post.book.outbox() if n.channel == "console"] == ["a"]
    post.seconds = 2_001
    post.fails(next(one for one in post.go() if one.channel == "ops"))
    told = [(n.alert, n.event) for n in post.book.outbox() if n.channel == "console" and n.alert != "a"]
    assert sorted(told) == [("late", OPENING), ("late", END), ("quiet", OPENING), ("quiet", END)], "both, or none"


def test_what_can_never_arrive_is_given_up_at_once_and_the_next_channel_is_told() -> None:
    post = Post()
    post.queue("a")
    post.fails(post.one(), permanent=True)
    assert [(n.channel, n.ended) for n in post.book.all()[0].notifications.values()] == [
        ("ops", What.GAVE_UP),
        ("console", None),
    ]
    assert post.lanes.waiting == {"console": 1}


def test_what_does_not_arrive_within_a_day_is_given_up() -> None:
    post = Post()
    post.queue("a")
    post.seconds = GIVE_UP_AFTER.total_seconds() - 1
    post.fails(post.one())
    assert "ops" in [n.channel for n in post.book.outbox()]
    post.seconds += LONGEST_WAIT_S
    post.fails(next(one for one in post.go() if one.channel == "ops"))
    assert "ops" not in [n.channel for n in post.book.outbox()]


def test_what_comes_while_its_channel_is_down_is_told_to_the_next_one_at_once() -> None:
    post = Post()
    post.queue("a")
    for _ in range(FALLBACK_AFTER):
        post.fails(post.one())
        post.seconds += LONGEST_WAIT_S
    for dispatch in post.go():
        (post.arrives if dispatch.channel == "console" else post.fails)(dispatch)

    post.seconds += 1
    post.queue("new")
    post.seconds += 60

    assert ("console", ("new first_fail",)) in [(one.channel, told(one)) for one in post.go()]


def test_the_next_channel_is_the_next_that_can_send_and_the_console_comes_last() -> None:
    ways = {"a": Way(fallback="b"), "b": Way(problem="SMTP_HOST is not set", fallback="c"), "c": WAYS["ops"]}
    for channel, told_too in (("a", ("c",)), ("b", ("c",)), ("c", ("console",)), ("console", ())):
        post = Post(**ways)
        post.queue("x", channel=channel)
        post.fails(post.one(), permanent=True)
        assert post.book.all()[0].told == (channel, *told_too)


def test_the_next_channel_is_not_told_of_severities_that_are_not_its_own() -> None:
    for severity, told_too in ((Severity.P1, "sms"), (Severity.P3, "console")):
        post = Post(ops=Way(fallback="sms"), sms=Way(fallback="console", severities=(Severity.P1,)))
        post.queue("x", severity=severity.value)
        post.fails(post.one(), permanent=True)
        assert post.book.all()[0].told == ("ops", told_too)


def test_a_channel_that_is_no_longer_there_leaves_its_messages_to_the_console() -> None:
    post = Post()
    post.queue("a", channel="gone")
    post.fails(post.one(), permanent=True)
    assert [n.channel for n in post.book.outbox()] == ["console"]


def test_one_message_that_is_never_taken_holds_up_the_others_for_a_while_only() -> None:
    post = Post()
    post.queue("bad", bucket="x")
    post.seconds = 1
    post.queue("good", bucket="y")
    for _ in range(STUCK_AFTER):
        dispatch = next(one for one in post.go() if one.channel == "ops")
        assert told(dispatch) == ("bad first_fail",)
        post.fails(dispatch)
        post.seconds += LONGEST_WAIT_S
    assert ("good first_fail",) in post.out()
    assert ("bad first_fail",) in [told(one) for one in post.go()]


def test_after_an_outage_everything_arrives_in_the_order_in_which_it_came() -> None:
    post = Post()
    post.queue("a", bucket="x")
    post.fails(post.one())
    for number, alert in enumerate("bcd"):
        post.seconds = 1.0 + number
        post.queue(alert, bucket=alert)
    assert post.go() == [], "one message at a time asks whether it is well again"
    post.seconds = 10
    assert [post.out() for _ in range(4)] == [[(f"{alert} first_fail",)] for alert in "abcd"]


# ---- crashes


def test_a_message_has_the_same_key_and_tells_the_same_after_a_crash_at_any_step() -> None:
    post = Post()
    post.queue("a")
    post.out()
    for alert in "bc":
        post.queue(alert)
    post.seconds = 10
    sent = post.one()
    post.queue("d")

    post.start(post.stored)
    again = post.one()
    assert (again.key, told(again)) == (sent.key, told(sent))
    post.fails(again)
    post.seconds += 10
    post.start(post.stored)
    again = post.one()
    assert (again.key, told(again)) == (sent.key, told(sent))
    post.arrives(again)
    post.start(post.stored)
    assert post.out() == [("d first_fail",)]


def test_a_message_of_one_has_that_ones_key_also_when_it_waited() -> None:
    post = Post()
    post.queue("a")
    first = post.one()
    assert first.key == "a:first_fail:ops"
    post.arrives(first)
    post.queue("b")
    post.seconds = 10
    assert post.one().key == "b:first_fail:ops"


@pytest.mark.parametrize("ends", ["permanent", "third"])
@pytest.mark.parametrize("survived", [0, 1, 2, 3, 4])
def test_a_crash_in_the_middle_of_a_failure_does_not_lose_who_is_told_instead(ends: str, survived: int) -> None:
    post = Post()
    post.queue("a")
    post.out()
    for alert in "bc":
        post.queue(alert)
    post.seconds = 10
    for _ in range(FALLBACK_AFTER - 1):
        post.fails(post.one())
        post.seconds += LONGEST_WAIT_S
    dispatch = post.one()
    before = len(post.stored)
    post.fails(dispatch, permanent=ends == "permanent")
    assert len(post.stored) == before + 4

    post.start(post.stored[: before + survived])
    for _ in range(8):
        post.seconds += LONGEST_WAIT_S
        for one in post.go():
            if one.channel == "console":
                post.arrives(one)
            else:
                assert one.key == dispatch.key
                post.fails(one, permanent=ends == "permanent")
    console = [n for alert in post.book.all() for n in alert.notifications.values() if n.channel == "console"]
    assert [(n.alert, n.ended) for n in console] == [("b", What.SENT), ("c", What.SENT)]


def test_what_is_sent_is_recorded_with_what_the_channel_calls_it() -> None:
    post = Post()
    post.queue("a")
    post.out()
    (notification,) = post.book.all()[0].notifications.values()
    assert (notification.ended, notification.detail, notification.reference) == (What.SENT, "taken", "ref-1")
    assert notification.ended_at == at(0)


def test_a_clock_that_is_set_moves_no_wait() -> None:
    post = Post()
    post.queue("a")
    post.fails(post.one())
    assert list(post.lanes.next(at() + timedelta(days=2), 4.9)) == []
    assert len(list(post.lanes.next(at() - timedelta(days=2), 5.0))) == 1


def test_buckets_that_hold_nothing_back_any_more_are_forgotten() -> None:
    post = Post()
    for number in range(300):
        post.seconds += 1
        post.queue(f"a-{number}", bucket=f"all|{number}")
        assert post.out() == [(f"a-{number} first_fail",)]
    assert len(post.lanes._lanes["ops"].released) <= 12
