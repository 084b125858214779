"""A story for each path of an alert's life, and for each way in which alerts are lost or are too many elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.alerts import (
    AlertStatus,
    Joining,
    Report,
    Route,
    Step,
    What,
    acknowledge,
    on_report,
    resolve,
    suppress,
)
from monitor.channels import Receipt
from monitor.checker.orders import Orders
from monitor.checker.silencing import Silencing
from monitor.config import Match
from monitor.flapping import FlapMarks
from monitor.history.inbox import Command, Verb
from monitor.model import Category, Kind, Severity, Status
from monitor.silences import end, make
from monitor.state import Rules
from monitor.state import advance as _advance
from monitor.windows import OnceWindow, Stretch
from tests.desks import FakeChannel, Office
from tests.make import at, http_check

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
Make = Callable[..., Office]
BOTH = ["shop first_fail", "shop recovered"]


@pytest.fixture
def make_office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda *channels: Office(tmp_path, monkeypatch, *channels)


@pytest.fixture
def office(make_office: Make) -> Office:
    return make_office()


def report(**changed: Any) -> Report:
    words: dict[str, Any] = {"type": "queue", "resource": "shop", "title": "queue is full", "message": "90 waiting"}
    return Report(**words | {"severity": Severity.P3, "category": Category.BUSINESS} | changed)


# ---- what other tools do


def test_lost_in_a_crash__killed_while_a_message_is_on_its_way_it_arrives_afterwards(office: Office) -> None:
    channel = office.channels["ops"]

    def killed(_message: object) -> Receipt:
        raise SystemExit

    answer = channel.send
    channel.send = killed  # type: ignore[method-assign]
    with pytest.raises(SystemExit):
        office.see(FAIL)
    assert channel.told == []

    channel.send = answer  # type: ignore[method-assign]
    office.crash()
    assert channel.told == ["shop first_fail"]
    office.see(OK)
    assert channel.told == BOTH


def test_lost_in_a_crash__killed_between_the_recovery_and_its_message_the_message_comes_after_the_start(
    office: Office,
) -> None:
    office.see(FAIL)
    office.see(OK)
    stored = office.whats()
    assert stored[-3:] == [What.RESOLVED, What.QUEUED, What.SENT]
    office.channels["ops"].got.pop()
    office.crash(lines=len(stored) - 2)
    assert office.told() == BOTH
    office.crash()
    assert office.told() == BOTH


def test_a_second_incident_on_recovery__one_key_from_the_beginning_to_the_end_also_over_a_restart(
    make_office: Make,
) -> None:
    office = make_office("pager")
    office.channels["pager"] = FakeChannel("pager", joins=False)
    office.configure()
    office.see(FAIL)
    office.crash()
    office.see(FAIL)
    office.see(OK)
    office.crash()
    office.see(OK)

    (alert,) = office.desk.book.all()
    assert [key for key, _ in office.channels["pager"].got] == [
        f"{alert.id}:first_fail:pager",
        f"{alert.id}:recovered:pager",
    ]


def test_swallowed_resolved_under_a_silence__who_was_told_is_told_also_when_it_ends_silenced_after_a_restart(
    office: Office, silencing: Silencing
) -> None:
    office.see(FAIL)
    silenced(office, silencing, at(2), at(5000))
    office.crash()
    silenced(office, silencing)
    office.see(OK)
    assert office.told() == BOTH


def test_thirty_messages_for_one_dead_host__what_stands_behind_it_opens_nothing_and_says_why(office: Office) -> None:
    office.see(FAIL, "host")
    office.hold = "parent host is down"
    for number in range(30):
        assert office.see(FAIL, f"service-{number}").held == "parent host is down"
    office.see(OK, "host")
    office.hold = ""
    for number in range(30):
        office.see(OK, f"service-{number}")
    assert office.told() == ["host first_fail", "host recovered"]
    assert office.whats().count(What.HELD) == 30


def test_thirty_messages_for_one_dead_host__what_nobody_drew_a_line_to_is_two_messages_and_two_when_it_is_back(
    office: Office,
) -> None:
    office.joining = {"default": Joining(60, 300)}
    office.configure()
    for number in range(30):
        office.see(FAIL, f"service-{number}")
    office.wait(60)
    for number in range(30):
        office.see(OK, f"service-{number}")
    office.wait(300)
    assert [len(said) for _, said in office.channels["ops"].got] == [1, 29, 30]
    assert len(set(office.told())) == 60


# ---- the life of an alert


def test_it_fails_and_recovers(office: Office) -> None:
    office.see(OK)
    office.see(FAIL)
    assert office.alert().status is AlertStatus.ACTIVE
    office.see(OK)
    assert office.alert().status is AlertStatus.RESOLVED
    assert office.told() == BOTH


def test_a_blip_is_told_to_nobody(make_office: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()
    monkeypatch.setattr("tests.desks.advance", lambda state, one: _advance(state, one, Rules(fail_after=3)))
    for status in (OK, FAIL, FAIL, OK, FAIL, UNKNOWN, FAIL, OK):
        office.see(status)
    assert (office.told(), office.events()) == ([], [])


def test_it_flaps__one_message_and_one_when_it_is_stable(make_office: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    office = make_office()
    rules = Rules(fail_after=2, recover_after=2, flap=FlapMarks())
    monkeypatch.setattr("tests.desks.advance", lambda state, one: _advance(state, one, rules))
    for _ in range(12):
        for status in (FAIL, OK):
            office.see(status)
    for _ in range(3):
        for status in (FAIL, FAIL, OK, OK):
            office.see(status)
    for _ in range(25):
        office.see(OK)
    assert office.told() == BOTH
    assert [alert.title for alert in office.desk.book.all()] == ["shop flaps"]


def test_it_is_acknowledged_and_nobody_else_is_woken(make_office: Make) -> None:
    office = make_office("ops", "boss")
    office.route(Route("all", ("ops",), steps=(Step(60, ("boss",)),), repeat_s=120))
    office.see(FAIL)
    office.desk.take(acknowledge(office.alert(), "ann", "on it", office.now()))
    office.work()
    office.crash()
    office.wait(5000)
    assert office.alert().status is AlertStatus.ACKNOWLEDGED
    office.see(OK)
    assert (office.told("ops"), office.told("boss")) == (BOTH, [])
    assert office.alert().acknowledged_by == "ann"


def test_nobody_acknowledges__whoever_is_on_call_is_told_and_all_of_them_hear_that_it_is_over(
    make_office: Make,
) -> None:
    office = make_office("ops", "ann", "bob")
    office.configure(
        routes=(Route("all", ("ops",), steps=(Step(60, ("duty",)), Step(600, ("duty",)))),),
        people=lambda name, now: (("ann",) if now < at(300) else ("bob",)) if name == "duty" else (name,),
    )
    office.see(FAIL)
    office.wait(60)
    office.crash()
    office.wait(600)
    office.see(OK)
    office.wait(60)
    assert (office.told("ops"), office.told("ann"), office.told("bob")) == (
        BOTH,
        ["shop escalation-1", "shop recovered"],
        ["shop escalation-2", "shop recovered"],
    )


def test_it_is_suppressed_until_a_time_and_told_again_when_that_is_over(office: Office) -> None:
    office.see(FAIL)
    office.desk.take(suppress(office.alert(), at(3600), "ann", "after lunch", office.now()))
    office.work()
    assert office.alert().status is AlertStatus.SUPPRESSED
    office.crash()
    office.wait(3600)
    assert (office.alert().status, office.told()) == (
        AlertStatus.ACTIVE,
        ["shop first_fail", "shop reminder-resumed-1"],
    )
    office.see(OK)
    assert office.told()[-1] == "shop recovered"


def test_it_is_over_while_it_is_suppressed_and_that_is_told(office: Office) -> None:
    office.see(FAIL)
    office.desk.take(suppress(office.alert(), at(3600), "ann", "", office.now()))
    office.see(OK)
    office.wait(5000)
    assert office.told() == BOTH


def test_it_is_not_reported_again_and_expires__also_if_nobody_ran_meanwhile(office: Office) -> None:
    office.desk.report(report(ttl_s=300.0), "app", office.now())
    office.work()
    office.seconds += 1000
    office.crash()
    (alert,) = office.desk.book.all()
    assert alert.status is AlertStatus.EXPIRED
    assert office.told() == ["shop reported", "shop recovered"]


def test_it_is_resolved_with_a_note_that_is_there_when_the_same_comes_back(office: Office) -> None:
    office.see(FAIL)
    office.desk.take(resolve(office.alert(), "ann", "emptied /var/log", office.now()))
    office.work()
    assert office.told() == BOTH
    office.see(FAIL)
    assert office.alert().resolved_by == "ann", "the same outage opens no second alert"
    office.crash()
    office.see(OK)
    office.see(FAIL)
    assert office.alert().previous == "2026-11-20, ann: emptied /var/log"
    assert office.told() == [*BOTH, "shop first_fail"]


def test_a_report_that_comes_back_brings_the_note_too(office: Office) -> None:
    first = office.desk.report(report(), "app", office.now())
    assert first
    office.desk.take(resolve(first, "ann", "restarted the worker", office.now()))
    office.wait(5)
    second = office.desk.report(report(), "app", office.now())
    assert second and second.id != first.id
    assert second.previous == "2026-11-20, ann: restarted the worker"


def test_it_warns_then_fails_and_then_recovers(office: Office) -> None:
    check = http_check(severity="P2", notify_on=["warn", "first_fail", "recovered"])
    for status in (WARN, WARN, WARN):
        office.see(status, check=check, kind=Kind.SLOW)
    assert (office.alert().severity, office.told()) == (Severity.P3, ["shop warn"])
    office.see(FAIL, check=check)
    office.see(FAIL, check=check)
    assert (office.alert().severity, office.alert().title) == (Severity.P2, "shop answers with an error")
    office.see(WARN, check=check, kind=Kind.SLOW)
    office.see(OK, check=check)
    assert office.told() == ["shop warn", "shop raised-P2", "shop recovered"]
    assert len(office.desk.book.all()) == 1


def test_it_is_sent_by_hand_and_stays_until_somebody_ends_it(office: Office) -> None:
    by_hand = report(type="manual", source="manual", opening="manual", channels=("ops",))
    for _ in range(2):
        alert = office.desk.take(on_report(by_hand, None, None, "ann", office.now()))
        office.wait(1)
    office.see(FAIL)
    office.see(OK)
    assert alert
    office.desk.take(resolve(alert, "ann", "", office.now()))
    office.wait(60)
    assert office.told() == ["shop manual", "shop manual", *BOTH, "shop recovered"]
    assert len(office.desk.book.open()) == 1


@pytest.mark.parametrize(
    ("message", "title"), [("we move it\ntonight", "the office: we move it tonight"), ("", "the office: manual alert")]
)
def test_somebody_sends_an_alert_about_anything_at_all(office: Office, message: str, title: str) -> None:
    nobody: Any = SimpleNamespace(watched={})
    orders = Orders(nobody, office.desk, nobody, nobody, nobody)
    command = Command(Verb.ALERT, "the office", "ann", office.now(), options={"message": message, "channels": ["ops"]})
    applied = orders.carry_out(command, lambda _: None)
    office.work()
    (alert,) = office.desk.book.all()
    assert applied and (applied.ok, applied.alert) == (True, alert.id)
    assert (alert.title, alert.source, alert.by, alert.status) == (title, "manual", "ann", AlertStatus.ACTIVE)
    assert office.told() == ["the office manual"]


# ---- what changes meanwhile


def test_a_check_that_is_edited_keeps_its_alert_and_who_was_told_is_told(make_office: Make) -> None:
    office = make_office("ops", "chat")
    office.see(FAIL, check=http_check(channels=["ops"]))
    edited = http_check(channels=["chat"], severity="P4", notify_on=["first_fail", "recovered"])
    office.configure()
    office.see(FAIL, check=edited)
    office.see(OK, check=edited)
    assert (office.told("ops"), office.told("chat")) == (BOTH, [])
    office.see(FAIL, check=edited)
    assert (office.told("ops"), office.told("chat")) == (BOTH, ["shop first_fail"])


def test_a_check_that_is_deleted_ends_its_alert_and_who_was_told_is_told(office: Office) -> None:
    office.see(FAIL)
    office.desk.removed("shop")
    office.configure()
    office.work()
    assert office.told() == BOTH
    assert (office.alert().resolved_by, office.alert().resolution) == (
        "configuration",
        "the check was removed from the configuration",
    )


def test_a_channel_that_is_removed_says_what_it_still_owes(make_office: Make) -> None:
    office = make_office("ops", "chat")
    office.see(FAIL)
    gone = office.channels.pop("ops")
    office.configure(fallback=("chat",))
    office.configure()
    office.see(OK)
    assert (gone.told, office.told("chat"), office.told("console")) == (BOTH, BOTH, [])


def test_a_channel_that_is_removed_while_nobody_runs_leaves_what_it_owes_to_the_console(make_office: Make) -> None:
    office = make_office("ops", "chat")
    office.see(FAIL)
    gone = office.channels.pop("ops")
    office.world = office.world.__class__(fallback=("chat",))
    office.crash()
    office.see(OK)
    assert (gone.told, office.told("chat"), office.told("console")) == (["shop first_fail"], BOTH, ["shop recovered"])


def test_a_channel_that_is_down_for_half_an_hour_gets_everything_in_order_and_the_console_hears_it_meanwhile(
    office: Office,
) -> None:
    channel = office.channels["ops"]
    channel.down = "503 Service Unavailable"
    office.see(FAIL)
    office.see(FAIL, "db")
    office.see(OK)
    for _ in range(6):
        office.wait(300)
    assert sorted(office.told("console")) == ["db first_fail", "shop first_fail", "shop recovered"]
    channel.down = ""
    for _ in range(3):
        office.wait(300)
    assert office.told() == ["shop first_fail", "db first_fail", "shop recovered"]
    assert not office.desk.book.outbox()


# ---- silences, maintenance, quiet hours


@pytest.fixture
def silencing(tmp_path: Path) -> Iterator[Silencing]:
    one = Silencing(tmp_path / "silences.jsonl")
    yield one
    one.close()


def silenced(office: Office, silencing: Silencing, *stretch: Any) -> str:
    """Make a silence for the shop, if there are times for it, and let it be the one that the desk asks."""
    made = silencing.store(make(Match(name=("shop",)), *stretch, "ann", "", stretch[0])) if stretch else None
    office.silencing = silencing
    office.beat()
    return made.id if made else ""


def test_what_opens_under_a_silence_is_told_when_that_ends(office: Office, silencing: Silencing) -> None:
    identifier = silenced(office, silencing, at(0), at(600))
    office.see(FAIL)
    office.see(FAIL, "db")
    assert office.told() == ["db first_fail"]
    assert office.alert().untold == f"silenced by ann ({identifier})"
    office.wait(500)
    assert office.told() == ["db first_fail"]
    office.wait(100)
    assert office.told() == ["db first_fail", "shop first_fail"]


def test_a_silence_that_somebody_ends_before_its_time_tells_at_the_next_beat(
    office: Office, silencing: Silencing
) -> None:
    identifier = silenced(office, silencing, at(0), at(600))
    office.see(FAIL)
    silence = silencing.book.get(identifier)
    assert silence
    silencing.store(end(silence, "bob", "", office.now()))
    office.wait(1)
    assert office.told() == ["shop first_fail"]


def test_what_opens_and_ends_under_a_silence_is_never_told(office: Office, silencing: Silencing) -> None:
    silenced(office, silencing, at(0), at(600))
    office.see(FAIL)
    office.see(OK)
    office.wait(700)
    office.crash()
    assert office.told() == []
    assert len(office.desk.book.all()) == 1, "but it is in the book"


def test_maintenance_that_begins_after_an_alert_holds_its_escalation_back_and_not_its_end(
    make_office: Make, silencing: Silencing
) -> None:
    office = make_office("ops", "boss")
    office.route(Route("all", ("ops",), steps=(Step(60, ("boss",)),)))
    office.see(FAIL)
    silencing.store(make(Match(name=("shop",)), at(10), at(600), "ann", "", at(1), is_maintenance=True))
    silenced(office, silencing)
    office.wait(100)
    assert office.told("boss") == []
    office.see(OK)
    assert (office.told("ops"), office.told("boss")) == (BOTH, [])


def test_at_night_what_is_not_bad_waits_for_the_morning_and_comes_as_one_message(make_office: Make) -> None:
    office = make_office("ops")
    night = (OnceWindow(Stretch(at(-3600), at(3600))),)
    office.route(Route("all", ("ops",), quiet=night, steps=(Step(60, ("ops",)),), repeat_s=600))
    for name in ("shop", "db", "mail"):
        office.see(FAIL, name)
    office.see(FAIL, "pay", check=http_check("pay", severity="P1"))
    office.see(OK, "db")
    office.wait(3000)
    assert {said for said in office.told() if not said.startswith("pay ")} == set()
    assert office.told()[0] == "pay first_fail"
    office.crash()
    office.desk.take(acknowledge(office.desk.book.latest("pay"), "ann", "", office.now()))  # type: ignore[arg-type]
    before = len(office.channels["ops"].got)
    office.wait(600)
    (digest,) = office.channels["ops"].got[before:]
    assert digest[1] == ("shop first_fail", "mail first_fail", "db recovered")
    office.wait(60)
    assert office.told().count("shop escalation-1") == 1


def test_greenwalls_own_clock_is_set_back_and_nothing_is_told_twice_or_lost(office: Office) -> None:
    office.see(FAIL)
    office.seconds -= 7200
    office.see(OK)
    office.see(FAIL)
    office.crash()
    office.see(OK)
    assert office.told() == BOTH * 2


def test_what_ended_under_another_clock_long_ago_is_not_told_again_at_each_start(office: Office) -> None:
    office.see(FAIL)
    office.see(OK)
    for _ in range(3):
        office.seconds += timedelta(days=2).total_seconds()
        office.crash()
    assert office.told() == BOTH
