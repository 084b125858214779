"""The alert desk: what it stores, what it sends, what it makes good after a crash."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import AlertStatus, Muted, Report, Route, Step, What, acknowledge, on_report, resolve, suppress
from monitor.checker import alertdesk
from monitor.checker.alertdesk import Judged
from monitor.history.jsonl import to_line
from monitor.model import Category, Severity, Status
from monitor.vantage import Eyesight, View
from tests.desks import AtOnce, FakeChannel, Office
from tests.make import at, http_check

OK, WARN, FAIL, UNKNOWN = Status.OK, Status.WARN, Status.FAIL, Status.UNKNOWN
Make = Callable[..., Office]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    return lambda *channels: Office(tmp_path, monkeypatch, *channels)


def report(**changed: Any) -> Report:
    words: dict[str, Any] = {"type": "queue", "resource": "shop", "title": "queue is full", "message": "90 waiting"}
    return Report(**words | {"severity": Severity.P3, "category": Category.BUSINESS} | changed)


def seen(office: Office) -> list[int]:
    return [int(str(event.data["times"])) for event in office.events() if event.what is What.SEEN]


# ---- verdicts


def test_a_failure_is_stored_before_it_is_sent_and_marked_after(make: Make) -> None:
    office = make()
    channel, known = office.channels["ops"], []
    answer = channel.send
    channel.send = lambda message: known.append(office.whats()) or answer(message)  # type: ignore[method-assign,func-returns-value]

    judged = office.see(FAIL)

    assert (judged.held, judged.alert and judged.alert.status) == ("", AlertStatus.ACTIVE)
    assert known == [[What.OPENED, What.QUEUED, What.ROUTED]]
    assert office.whats() == [What.OPENED, What.QUEUED, What.ROUTED, What.SENT]
    assert office.see(FAIL) == Judged()
    judged = office.see(OK)
    assert judged.alert and judged.alert.status is AlertStatus.RESOLVED
    assert office.told() == ["shop first_fail", "shop recovered"]


def test_what_holds_an_opening_back_is_asked_only_when_one_is_about_to_open(make: Make) -> None:
    office = make()
    office.hold = "parent db is down"
    assert office.see(FAIL).held == "parent db is down"
    assert office.told() == []
    office.hold = ""
    assert office.see(FAIL).alert
    office.hold = "parent db is down"
    assert office.see(FAIL).held == ""
    assert office.whats()[0] is What.HELD


@pytest.mark.parametrize(
    ("bad", "until"), [(FAIL, "it has been well again"), (WARN, "it has been well again, or fails")]
)
def test_what_a_person_resolved_while_it_is_bad_says_that_nobody_is_told_until_it_is_well(
    make: Make, bad: Status, until: str
) -> None:
    office, check = make(), http_check(notify_on=["first_fail", "recovered", "warn"])
    office.see(bad, check=check)
    office.see(bad, check=check)
    office.desk.take(resolve(office.alert(), "ann", "known", office.now(), bad.value))
    office.work()
    assert office.alert().still == bad
    assert office.see(bad, check=check) == Judged(held=f"resolved by ann; nobody is told until {until}")
    office.crash()
    assert office.alert().still == bad
    assert office.see(bad, check=check).held
    assert office.see(OK, check=check) == Judged()
    assert office.see(FAIL, check=check).alert


def test_the_alert_knows_since_when_its_check_was_bad(make: Make) -> None:
    office = make()
    office.hold = "parent db is down"
    office.see(FAIL)
    office.hold = ""
    office.see(FAIL)
    assert office.alert().opened_at == at(2)
    assert (office.alert().bad_since, office.alert().began_at) == (at(1), at(1))


def test_greenwall_that_cannot_see_is_told_once_and_so_is_that_it_sees_again(make: Make) -> None:
    office = make()
    for eyesight in (Eyesight.BLIND, Eyesight.BLIND, Eyesight.SEES, Eyesight.SEES):
        office.desk.see(View(eyesight, "no answer from gw"), Severity.P1)
        office.work()
    assert office.told() == ["Greenwall first_fail", "Greenwall recovered"]


def test_a_removed_check_ends_its_alert_only_if_it_is_open(make: Make) -> None:
    office = make()
    office.desk.removed("shop")
    office.see(FAIL)
    office.desk.removed("shop")
    office.desk.removed("shop")
    office.work()
    assert office.told() == ["shop first_fail", "shop recovered"]


# ---- reports


def test_a_flood_of_reports_is_stored_now_and_then_and_loses_no_count(make: Make) -> None:
    office = make()
    for _ in range(100):
        office.desk.report(report(), "app", office.now())
    office.work()
    assert seen(office) == []
    office.wait(10)
    assert seen(office) == [99]
    assert office.desk.book.all()[0].count == 100
    for _ in range(5):
        office.desk.report(report(), "app", office.now())
    office.wait(10)
    assert office.desk.book.all()[0].count == 105
    assert office.told() == ["shop reported"]


def test_what_is_not_stored_yet_is_counted_when_it_ends(make: Make) -> None:
    office = make()
    for _ in range(7):
        office.desk.report(report(message="the last"), "app", office.now())
    alert = office.desk.book.all()[0]
    office.desk.take(resolve(alert, "ann", "", office.now()))
    office.work()
    alert = office.desk.book.all()[0]
    assert (alert.count, alert.message, alert.resolved_by) == (7, "the last", "ann")
    assert [w for w in office.whats() if w in (What.SEEN, What.RESOLVED)] == [What.SEEN, What.RESOLVED]
    # The next one is another trouble.
    office.desk.report(report(), "app", office.now() + timedelta(seconds=1))
    assert len(office.desk.book.all()) == 2


def test_a_worse_report_is_news_and_is_told_at_once(make: Make) -> None:
    office = make()
    office.desk.report(report(), "app", office.now())
    office.desk.report(report(), "app", office.now())
    office.wait(1)
    office.desk.report(report(severity=Severity.P1), "app", office.now())
    office.work()
    assert office.told() == ["shop reported", "shop raised-P1"]
    assert seen(office) == [2]


def test_reports_of_another_type_or_resource_are_other_alerts(make: Make) -> None:
    office = make()
    for changed in ({}, {"type": "disk"}, {"resource": "db"}, {}):
        office.desk.report(report(**changed), "app", office.now())
    assert [(alert.type, alert.resource) for alert in office.desk.book.all()] == [
        ("queue", "shop"),
        ("disk", "shop"),
        ("queue", "db"),
    ]


def test_what_is_not_reported_again_in_its_time_expires(make: Make) -> None:
    office = make()
    office.desk.report(report(ttl_s=60.0), "app", office.now())
    office.wait(59)
    assert office.told() == ["shop reported"]
    office.wait(1)
    assert office.told() == ["shop reported", "shop recovered"]
    assert office.desk.book.all()[0].status is AlertStatus.EXPIRED


def test_what_is_reported_again_and_again_never_expires_however_seldom_it_is_stored(make: Make) -> None:
    office = make()
    office.desk.report(report(ttl_s=60.0), "app", office.now())
    # As old as it is then, it would be counted once in hours.
    for _ in range(300):
        office.seconds += 50
        office.desk.report(report(), "app", office.now())
        office.desk.tick(office.now())
    office.seconds += 60_000
    office.desk.report(report(), "app", office.now())
    office.work()
    for _ in range(30):
        office.wait(20)
        office.desk.report(report(), "app", office.now())
        office.work()
    assert office.desk.book.all()[0].is_open
    office.wait(59)
    assert office.desk.book.all()[0].is_open
    office.wait(2)
    assert not office.desk.book.all()[0].is_open


# ---- time


def test_escalations_and_reminders_come_when_it_is_time(make: Make) -> None:
    office = make("ops", "boss")
    office.route(Route("all", ("ops",), steps=(Step(60, ("boss",)),), repeat_s=100))
    office.see(FAIL)
    office.wait(58)
    assert office.told("boss") == []
    office.wait(2)
    assert office.told("boss") == ["shop escalation-1"]
    office.wait(40)
    assert office.told("ops") == ["shop first_fail", "shop reminder-1"]
    office.desk.take(acknowledge(office.alert(), "ann", "", office.now()))
    office.wait(1000)
    assert office.told("ops") == ["shop first_fail", "shop reminder-1"]


def test_a_clock_that_was_ahead_and_is_set_back_costs_no_reminder(make: Make) -> None:
    office = make()
    office.route(Route("all", ("ops",), repeat_s=100))
    office.see(FAIL)
    office.seconds += 1_000_000
    office.work()
    assert office.told() == ["shop first_fail", "shop reminder-10000"]
    office.seconds -= 1_000_000
    office.work()
    office.wait(100)
    assert office.told()[2:] == ["shop reminder-1"]


def test_what_is_due_at_once_and_tells_each_other_is_done_once_each(make: Make) -> None:
    office = make("ops", "boss")
    office.route(Route("all", ("ops",), steps=(Step(300, ("boss",)),)))
    office.desk.report(report(severity=Severity.P2, ttl_s=100.0), "app", office.now())
    office.see(FAIL, check=http_check(severity="P2"))
    office.seconds += 310
    office.work()
    assert office.told("ops") == ["shop reported", "shop first_fail", "shop recovered"]
    assert office.told("boss") == ["shop escalation-1"]


def test_two_that_somebody_sends_in_one_moment_are_two(make: Make) -> None:
    office = make()
    manual = report(type="manual", source="manual", opening="manual", channels=("ops",))
    for microseconds in (0, 300):
        now = office.now() + timedelta(microseconds=microseconds)
        office.desk.take(on_report(manual, None, None, "ann", now))
    office.wait(60)
    assert office.told() == ["shop manual", "shop manual"]


def test_a_suppression_ends_by_itself(make: Make) -> None:
    office = make()
    office.see(FAIL)
    office.desk.take(suppress(office.alert(), at(50), "ann", "", office.now()))
    office.wait(40)
    assert office.alert().status is AlertStatus.SUPPRESSED
    office.wait(10)
    assert office.alert().status is AlertStatus.ACTIVE
    assert office.told() == ["shop first_fail", "shop reminder-resumed-1"]


def test_a_muted_alert_is_asked_again_when_that_ends(make: Make) -> None:
    office = make()
    office.muted = Muted("silenced by ann (s-1)", at(30))
    office.see(FAIL)
    office.wait(10)
    assert office.told() == []
    office.muted = None
    office.wait(20)
    assert office.told() == ["shop first_fail"]


def test_what_is_less_bad_is_told_when_what_was_worse_ends(make: Make) -> None:
    office = make()
    office.see(FAIL, check=http_check(severity="P1"))
    office.desk.report(report(), "app", office.now())
    office.work()
    assert office.told() == ["shop first_fail"]
    office.see(OK)
    assert sorted(office.told()) == ["shop first_fail", "shop recovered", "shop reported"]


# ---- crashes


def test_whatever_part_of_the_file_a_crash_leaves_everybody_is_told_of_the_beginning_and_of_the_end_once(
    make: Make,
) -> None:
    office = make("ops", "chat")
    office.see(FAIL)
    office.see(OK)
    assert office.whats().count(What.SENT) == 4
    whole = office.path.read_bytes()
    for lines in range(whole.count(b"\n") + 1):
        office.path.write_bytes(whole)
        office.states.clear()
        office.crash(lines)
        office.see(FAIL if lines == 0 else OK)
        office.see(OK)
        assert [n.ended for n in office.alert().notifications.values()] == [What.SENT] * 4
    for name in ("ops", "chat"):
        keys = [key for key, _ in office.channels[name].got]
        assert len(set(keys)) == 4, "one more outage: the one of which nothing was left"


def test_what_was_sent_but_not_marked_is_sent_again_under_the_same_key(make: Make) -> None:
    office = make()
    office.see(FAIL)
    office.crash(lines=3)
    (first, second) = office.channels["ops"].got
    assert first == second
    assert office.whats()[-1] is What.SENT


def test_the_removed_check_of_a_start_tells_nobody_else_before_it_is_known_who_is_to_be_told(make: Make) -> None:
    office = make("ops", "chat")
    office.route(Route("all", ("chat",)))
    office.see(FAIL, check=http_check(severity="P1"))
    office.desk.report(report(), "app", office.now())
    office.work()
    office.desk.close()

    office.desk = alertdesk.AlertDesk(office.path, office.loop, AtOnce())
    office.desk.removed("shop")
    assert [event.what for event in office.desk._unstored] == [What.RESOLVED]
    office.configure(is_start=True)
    office.work()
    assert sorted(office.told("chat")) == ["shop first_fail", "shop recovered", "shop reported"]
    assert office.told("console") == []


def test_counts_that_a_crash_lost_are_the_last_ones_only(make: Make) -> None:
    office = make()
    for _ in range(3):
        office.desk.report(report(), "app", office.now())
    office.wait(10)
    office.desk.report(report(), "app", office.now())
    office.wait(1)
    assert office.desk.book.all()[0].count == 4
    office.desk.report(report(), "app", office.now())
    assert office.desk.count_of(office.desk.book.all()[0]) == 5
    office.crash()
    assert office.desk.book.all()[0].count == 4


# ---- the disk


class Full:
    """A disk that takes nothing as long as it is full."""

    def __init__(self, office: Office) -> None:
        self.is_full, self._append = True, office.desk._writer.append
        office.desk._writer.append = self  # type: ignore[method-assign,assignment]

    def __call__(self, lines: Any) -> None:
        if self.is_full:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._append(lines)


def test_a_full_disk_silences_no_alert_and_what_happened_is_stored_later(make: Make) -> None:
    office = make()
    disk = Full(office)
    with pytest.raises(OSError, match="No space"):
        office.see(FAIL)
    office.loop.run(0)
    assert office.told() == ["shop first_fail"]
    assert (office.whats(), office.desk.has_news) == ([], True)

    disk.is_full = False
    office.work()
    assert office.whats() == [What.OPENED, What.QUEUED, What.ROUTED, What.SENT]
    assert office.told() == ["shop first_fail"]
    assert not office.desk.has_news


def test_what_ended_long_ago_is_forgotten_while_the_checker_runs_and_what_is_open_goes_on(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alertdesk, "FORGOTTEN_TOGETHER", 2)
    office = make()
    for status in (FAIL, OK, FAIL, OK):
        office.see(status)
    office.see(FAIL, "db")
    office.desk.forget(at(-100))
    assert len(office.desk.book.all()) == 3

    office.desk.forget(at(100))

    assert [alert.resource for alert in office.desk.book.all()] == ["db"]
    assert office.desk.book.latest("shop") is office.desk.book.last("http", "shop") is None
    office.see(FAIL)
    office.see(OK, "db")
    assert office.told()[4:] == ["db first_fail", "shop first_fail", "db recovered"]
    office.crash()
    assert [(alert.resource, alert.is_open) for alert in office.desk.book.all()] == [("db", False), ("shop", True)]


def test_old_alerts_that_cannot_be_forgotten_stay(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(alertdesk, "FORGOTTEN_TOGETHER", 1)
    office = make()
    office.see(FAIL)
    office.see(OK)

    def forget(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(alertdesk, "forget", forget)
    office.desk.forget(at(100))
    assert "they stay" in caplog.text
    office.see(FAIL)
    assert office.told() == ["shop first_fail", "shop recovered", "shop first_fail"]


# ---- delivery


def test_who_is_told_instead_of_a_dead_channel_is_told_the_end_even_if_that_came_first(make: Make) -> None:
    office = make()
    channel = office.channels["ops"]
    channel.down = "503"
    office.see(FAIL)
    office.see(OK)
    for _ in range(3):
        office.wait(30)
    assert office.told("console") == ["shop first_fail", "shop recovered"]
    channel.down = ""
    office.wait(400)
    assert office.told() == ["shop first_fail", "shop recovered"]
    office.crash()
    office.wait(400)
    assert office.told("console") == ["shop first_fail", "shop recovered"]


def test_whom_an_edit_puts_in_charge_hears_of_what_is_open_and_of_its_end(make: Make) -> None:
    office = make()
    office.see(FAIL)
    office.channels["new"] = FakeChannel("new")
    office.configure(fallback=("new",))
    office.see(OK)
    assert office.told("ops") == office.told("new") == ["shop first_fail", "shop recovered"]


def test_many_at_once_are_few_messages(make: Make) -> None:
    office = make()
    office.joining = {"default": replace(office.joining["default"], wait_s=10, interval_s=60)}
    office.configure()
    for number in range(1000):
        office.desk.report(report(resource=f"host-{number}"), "app", office.now())
    office.work()
    office.wait(10)
    office.wait(60)
    assert [len(said) for _, said in office.channels["ops"].got] == [1, 999]


def test_what_is_no_alert_any_more_is_no_trouble(make: Make) -> None:
    office = make()
    office.desk.take(on_report(report(), None, None, "app", office.now()))
    lines = [event.to_json() for event in office.desk._unstored]
    office.work()
    office.desk.close()
    office.path.write_bytes(b"".join(map(to_line, lines[1:])))
    office.start()
    office.work()
    assert office.desk.book.all() == []
