"""Why was I told, and why not: the events of an alert in the words of its page."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.alerts import Alert, AlertBook, AlertEvent, UsedUp, What, used_up
from monitor.history.snapshot import ChannelInfo
from monitor.model import Json
from monitor.timeline import Line, Told, event_words, held_before, reason_words, story, told
from monitor.ui.alertroom import parted
from tests.make import at

EMAIL, SLACK, SMS = (
    ChannelInfo("email", "email"),
    ChannelInfo("slack", "slack"),
    ChannelInfo("sms", "sms", "not set: X"),
)
OPENED: dict[str, Json] = {
    "type": "http",
    "resource": "shop",
    "source": "check",
    "title": "shop is down",
    "message": "refused",
    "severity": "P2",
    "category": "SYSTEM",
}


def event(second: float, what: What, note: str = "", by: str = "checker", **data: Any) -> AlertEvent:
    return AlertEvent(at(second), what, "a-1", by, note, data)


def alert(*events: AlertEvent, **opened: Any) -> Alert:
    book = AlertBook([event(0, What.OPENED, "failure confirmed", **(OPENED | opened)), *events])
    found = book.get("a-1")
    assert found is not None
    return found


def queued(second: float, channel: str, kind: str = "first_fail", note: str = "", **more: Any) -> AlertEvent:
    return event(second, What.QUEUED, note, event=kind, channel=channel, bucket="rest", **more)


def ended(second: float, what: What, channel: str, note: str = "", kind: str = "first_fail") -> AlertEvent:
    return event(second, what, note, key=f"a-1:{kind}:{channel}", channel=channel, event=kind)


def routed(note: str = "route rest", *routes: str, left_out: dict[str, str] | None = None) -> AlertEvent:
    return event(1, What.ROUTED, note, routes=list(routes or ("rest",)), left_out=left_out or {})


def outcomes(one: Alert, *channels: ChannelInfo, joined: int = 1) -> dict[str, str]:
    return {row.channel: f"{row.sign} {row.outcome}" for row in told(one, channels, lambda _batch: joined)}


def test_a_message_that_was_sent_says_how_long_it_took() -> None:
    one = alert(routed(), queued(1, "email", batch="k"), ended(1.3, What.SENT, "email", "accepted"))
    [row] = told(one, [EMAIL])
    assert row == Told("email", "✓", "that it broke", "sent after 300 ms; accepted", at(1.3))


def test_a_message_that_carries_others_says_how_many() -> None:
    batched = event(2, What.BATCHED, key="a-1:first_fail:email", batch="joined-1")
    one = alert(routed(), queued(1, "email", batch=""), batched, ended(3, What.SENT, "email"))
    assert outcomes(one, EMAIL, joined=13) == {"email": "✓ sent after 2 s; in one message with 12 others"}


def test_failures_and_who_was_told_instead_are_said() -> None:
    one = alert(
        routed(),
        queued(1, "slack", batch="k"),
        ended(2, What.FAILED, "slack", "503; again in 5 s"),
        queued(8, "email", note="instead of slack", batch="j"),
    )
    assert outcomes(one, EMAIL, SLACK) == {
        "slack": "… waits until it is tried again; failed once before; 503; again in 5 s",
        "email": "… on its way; instead of slack",
    }
    given_up = alert(routed(), queued(1, "slack", batch="k"), ended(2, What.GAVE_UP, "slack", "404"))
    assert outcomes(given_up, SLACK)["slack"] == "✕ not delivered, given up; 404"


def test_what_waits_says_for_what() -> None:
    digest = queued(1, "email", note="after quiet hours", batch="", not_before="2026-11-21T06:00:00.000Z")
    assert outcomes(alert(routed(), digest), EMAIL)["email"] == (
        "… waits for the end of quiet hours, 2026-11-21 06:00 UTC; after quiet hours"
    )
    assert outcomes(alert(routed(), queued(1, "email", batch="")), EMAIL)["email"] == (
        "… waits to be joined with what follows"
    )


def test_what_the_limit_of_a_channel_holds_back_says_so_and_until_when() -> None:
    waiting = alert(routed(), queued(1, "email", batch=""), queued(2, "slack", batch=""))
    limits = {"email": UsedUp(3, at(3600))}
    rows = told(waiting, [EMAIL, SLACK], limit=limits.get)
    assert [row.outcome for row in rows] == [
        "waits: the limit of 3 messages an hour is used up; the next may go at about 2026-11-20 15:00 UTC",
        "waits to be joined with what follows",
    ]


def sent_at(*seconds: float, channel: str = "email") -> list[Alert]:
    """Return an alert for each message that went out then."""
    return [
        alert(routed(), queued(second, channel, batch=f"k-{second}"), ended(second, What.SENT, channel))
        for second in seconds
    ]


@pytest.mark.parametrize(
    ("sent", "until_s"),
    [
        (sent_at(1, 2), None),
        (sent_at(1, 2, 3), 3601),
        (sent_at(1, 2, 3, 4), 3602),
        (sent_at(-3590, 2, 3), 10),
        (sent_at(-3600, 2, 3), None),
        (sent_at(1, 2) + sent_at(3, channel="slack"), None),
        (sent_at(1, 2, 2), None),
    ],
)
def test_messages_of_the_last_hour_are_counted_once_each(sent: list[Alert], until_s: float | None) -> None:
    expected = None if until_s is None else UsedUp(3, at(until_s))
    assert used_up(sent, "email", 3, at(-9999), at(5)) == expected


def test_what_went_out_before_the_checker_started_does_not_count() -> None:
    assert used_up(sent_at(1, 2, 3), "email", 3, at(2), at(5)) is None


def test_each_channel_that_was_not_told_says_why() -> None:
    left_out = routed(left_out={"sms": "takes P1, P2 only", "slack": "not set: Y"})
    one = alert(left_out, queued(1, "email", batch="k"), ended(2, What.SENT, "email"))
    others = [ChannelInfo("ntfy", "ntfy"), ChannelInfo("gotify", "gotify", "not set: Z")]
    said = outcomes(one, EMAIL, SLACK, SMS, *others)
    assert said["sms"] == "– left out: takes P1, P2 only"
    assert said["slack"] == "– left out: not set: Y"
    assert said["ntfy"] == "– route rest does not name it"
    assert said["1 other"] == "– not configured"


@pytest.mark.parametrize(
    ("event_", "reason"),
    [
        (event(1, What.NOT_TOLD, "silenced by ann (s-12): rack"), "silenced by ann (s-12): rack"),
        (event(1, What.NOT_TOLD, "in maintenance m-1"), "in maintenance m-1"),
        (
            event(1, What.NOT_TOLD, "first_fail is not in notify_on of shop"),
            "nobody wants to hear that it broke: notify_on of shop leaves out first_fail",
        ),
        (
            event(1, What.SUPPRESSED, by="ann", until="2026-11-21T14:00:00.000Z"),
            "suppressed by ann before anybody was told",
        ),
        (event(1, What.RESOLVED, "recovered"), "it was over, or somebody had it, before anybody was told"),
    ],
)
def test_when_nobody_is_told_one_line_says_why(event_: AlertEvent, reason: str) -> None:
    assert told(alert(event_), [EMAIL, SLACK]) == [Told("nobody", "–", "not told", reason)]


def test_channels_that_were_not_meant_say_so() -> None:
    by_hand = alert(routed("route by hand", "by hand"), source="manual", channels=["email"])
    assert outcomes(by_hand, SLACK)["slack"] == "– was not chosen"
    named = alert(routed(), channels=["email"])
    assert outcomes(named, SLACK)["slack"] == "– shop names its channels, and this is none of them"
    default = alert(routed("route default", "default"))
    assert outcomes(default, SLACK)["slack"] == "– is none of those that are told without routes"


def test_what_happened_is_told_in_order_without_the_messages() -> None:
    held = AlertEvent(at(-5), What.HELD, "", note="parent db is down", data={"resource": "shop"})
    one = alert(
        routed("route default", "default"),
        queued(1, "email", batch="k"),
        event(2, What.SEEN, by="api:shop", times=3),
        event(9, What.SEEN, by="api:shop", times=4),
        event(10, What.RAISED, "it is P1 now", severity="P1"),
        event(11, What.SUPPRESSED, "rack", by="ann", until="2026-11-21T14:00:00.000Z"),
        event(12, What.RESUMED, "suppressed by ann until now, and still open"),
        event(13, What.ACKNOWLEDGED, "on it", by="bob"),
        event(14, What.RESOLVED, "replaced the disk", by="bob"),
    )
    assert story(one, held) == [
        Line(at(-5), "held back: parent db is down"),
        Line(at(0), "opened as P2: failure confirmed"),
        Line(at(1), "no route fits: whoever is told without one"),
        Line(at(2), "seen again, 7 times", until=at(9)),
        Line(at(10), "raised to P1: it is P1 now"),
        Line(at(11), "suppressed until 2026-11-21 14:00 UTC: nobody is told of it meanwhile (rack)", "ann"),
        Line(at(12), "may be told again: suppressed by ann until now, and still open"),
        Line(at(13), "acknowledged: on it", "bob"),
        Line(at(14), "resolved: replaced the disk", "bob"),
    ]


def test_what_was_resolved_while_it_failed_says_so() -> None:
    [_, line] = story(alert(event(3, What.RESOLVED, "known", by="ann", still="FAIL")))
    assert line == Line(at(3), "resolved, though it still failed: known", "ann")


def test_every_event_and_what_messages_tell_have_words() -> None:
    for what in What:
        if what not in (What.OPENED, What.SUPPRESSED, What.HELD):
            one = alert(event(1, what, "a note", severity="P1", key="k", event="e", channel="c"))
            assert all(line.what for line in story(one)), what
    assert event_words("escalation-2") == "escalation 2: nobody had acknowledged"
    assert event_words("raised-P1") == "it is P1 now"
    assert event_words("something new") == "something new"
    assert reason_words("alert a-2 of shop is open and worse (P1)") == "alert a-2 of shop is open and worse (P1)"


def test_what_held_an_outage_back_is_told_with_its_alert_and_what_held_another_is_not() -> None:
    def held(seconds: float) -> AlertEvent:
        return AlertEvent(at(seconds), What.HELD, "", note="parent db is down", data={"resource": "shop"})

    one = alert()
    assert held_before(one, held(-60), [one]) == held(-60)
    assert held_before(one, None, [one]) is None
    assert held_before(one, held(60), [one]) is None, "after it opened"
    assert held_before(one, held(-2 * 86_400), [one]) is None, "days before"
    assert held_before(alert(source="rule"), held(-60), [one]) is None
    before = AlertBook(
        [
            AlertEvent(at(-90), What.OPENED, "a-0", data=OPENED),
            AlertEvent(at(-30), What.RESOLVED, "a-0"),
        ]
    ).all()
    assert held_before(one, held(-60), [*before, one]) is None, "of the outage before"


@pytest.mark.parametrize(
    ("step", "said", "commands"),
    [
        ("Read its log: journalctl -n 100 -u shop", "Read its log", ["journalctl -n 100 -u shop"]),
        ("See `df -h` and `df -i`", "See df -h and df -i", ["df -h", "df -i"]),
        ("Mind the gap: it is wide", "Mind the gap: it is wide", []),
        ("Restart the pool", "Restart the pool", []),
    ],
)
def test_the_commands_of_a_recommendation_stand_by_themselves(step: str, said: str, commands: list[str]) -> None:
    assert parted(step) == (said, commands)
