"""Rules at work: verdicts in, alerts on disk, across restarts and edited configurations."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import Alert, AlertEvent, What
from monitor.checker import Checker, uptimes
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.loop import Loop
from monitor.checker.ruling import Ruling
from monitor.config import ConfigFile, Place
from monitor.history import child
from monitor.history.jsonl import read_lines
from monitor.history.results import ResultLog
from monitor.model import Result, Severity, Status
from monitor.state import advance, unchecked
from monitor.units import utc_now
from monitor.views import Views
from tests.conftest import eventually
from tests.make import load, outcome

CHECKS = "checks: [{name: shop, type: http, url: 'http://h/', warn_ms: 100}]"
OK, FAIL = Status.OK, Status.FAIL


class House:
    """A desk, its rules and one check, whose verdicts a test makes up."""

    def __init__(self, folder: Path, rules: str = "[]") -> None:
        self.folder = folder
        self.loop, self.pool = Loop(), ThreadPoolExecutor(2)
        self.desk = AlertDesk(folder / "alerts.jsonl", self.loop, self.pool)
        self.ruling = Ruling(self.desk, self.loop, self.pool, folder / "results")
        self.state = unchecked(utc_now())
        self.configure(rules)

    def configure(self, rules: str, checks: str = CHECKS) -> None:
        self.loaded = load(f"rules: {rules}\n{checks}")
        self.ruling.configure(self.loaded)

    def see(self, status: Status = OK, times: int = 1, at: datetime | None = None, **fields: Any) -> None:
        check = self.loaded.checks["shop"]
        covers_s = fields.pop("covers_s", 0.0)
        for _ in range(times):
            result = Result(at or utc_now(), "shop", outcome(status, **fields), covers_s=covers_s)
            self.state, _ = advance(self.state, result)
            self.desk.judge(check, self.state, result.at, lambda _check, _state: "")
            self.ruling.judge(check, self.state, result, result.at)

    def remember(self) -> None:
        """Wait until the past is known."""

        def is_known() -> bool:
            self.loop.run(0.01)
            return not self.ruling._uptimes._unread

        eventually(is_known)

    @property
    def open(self) -> list[Alert]:
        return [alert for alert in self.desk.book.open() if alert.source == "rule"]

    def events(self) -> list[AlertEvent]:
        return [AlertEvent.from_json(line) for line in read_lines(self.folder / "alerts.jsonl")]

    def close(self) -> None:
        self.desk.outbox.stop()
        self.desk.commit()
        self.desk.close()
        self.pool.shutdown()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(uptimes, "READ_AFTER_S", 0.0)
    one = House(tmp_path)
    yield one
    one.close()


def test_the_built_in_rule_on_slow_answers_opens_one_alert_and_ends_it(house: House) -> None:
    house.see(latency_ms=250.0, times=5)

    (alert,) = house.open
    assert (alert.type, alert.resource, alert.source) == ("high_response_time", "shop", "rule")
    assert alert.message == "answers take 250 ms, more than 2 times the expected 100 ms"

    house.see(latency_ms=50.0, times=3)
    assert not house.open
    house.desk.commit()
    assert next(event.what for event in house.events() if event.alert == alert.id) is What.OPENED
    assert What.RESOLVED in [event.what for event in house.events()]


def test_a_blip_and_a_healthy_check_say_nothing(house: House) -> None:
    for latency in (50.0, 250.0, 250.0, 50.0, 250.0):
        house.see(latency_ms=latency)

    assert not house.open


def test_a_check_that_is_down_has_one_alert_its_own(house: House) -> None:
    house.see(FAIL, times=5)

    assert not house.open
    (alert,) = house.desk.book.open()
    assert [event.data["rule"] for event in alert.events if event.what is What.NOTED] == ["consecutive_failures"]


def test_a_rule_that_leaves_the_file_ends_its_alert(house: House) -> None:
    house.configure("[{name: slow, condition: 'response_time_ms > 10'}]")
    house.see(latency_ms=50.0)
    (alert,) = house.open
    house.configure("[]")

    ended = house.desk.book.get(alert.id)
    assert ended and ended.resolution == "rule slow was removed from the configuration"


def test_a_check_that_leaves_the_file_ends_the_alerts_of_its_rules(house: House) -> None:
    house.configure("[{name: slow, condition: 'response_time_ms > 10'}]")
    house.see(latency_ms=50.0)
    (alert,) = house.open
    house.configure("[{name: slow, condition: 'response_time_ms > 10'}]", "checks: []")

    ended = house.desk.book.get(alert.id)
    assert ended and ended.resolution == "rule slow does not apply to shop any more"


def test_after_a_restart_the_open_alert_is_found_and_ends(house: House, tmp_path: Path) -> None:
    rules = "[{name: slow, condition: 'response_time_ms > 10'}]"
    house.configure(rules)
    house.see(latency_ms=50.0)
    house.desk.commit()
    again = House(tmp_path, rules)
    try:
        again.see(latency_ms=50.0)
        assert len(again.open) == 1

        again.see(latency_ms=5.0)
        assert not again.open
    finally:
        again.close()


def test_what_can_never_be_judged_is_told_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.configure(
        "[{name: odd, condition: 'address > 5'}, {name: lost, condition: 'code > 1', match: {group: nowhere}}]"
    )
    house.see(observed={"address": "::1"}, times=3)

    notice = house.ruling.notice()
    assert notice is not None
    assert notice.more[0] == "rule lost applies to no check"
    assert notice.more[1].startswith("rule odd cannot be judged: ") and "(address is ::1)" in notice.more[1]
    assert caplog.text.count("rule odd cannot be judged") == 1

    house.configure("[]")
    assert house.ruling.notice() is None


def test_the_uptime_of_the_day_before_the_start_is_read_from_the_history(tmp_path: Path, house: House) -> None:
    now = utc_now()
    log = ResultLog(tmp_path / "before" / "results")
    for minutes, status in ((300, FAIL), (200, OK), (100, OK)):
        log.add(Result(now - timedelta(minutes=minutes), "shop", outcome(status), covers_s=6000.0))
    log.flush()
    log.close()
    later = House(tmp_path / "before")
    try:
        later.see()
        assert not later.open

        later.remember()
        later.see()
        (alert,) = later.open
        assert alert.type == "low_uptime"
        assert alert.metadata["uptime_24h"] == pytest.approx(200 / 3, abs=0.5)
    finally:
        later.close()


def test_a_history_that_cannot_be_read_is_no_obstacle(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise OSError("no such disk")

    monkeypatch.setattr(child, "seconds_by_hour", broken)
    house.remember()

    assert "uptime_24h counts from now on: no such disk" in caplog.text


def test_a_checker_asks_its_rules_and_an_edit_ends_them(tmp_path: Path) -> None:
    """The whole way: a real check, a rule of the file, its alert, the edited file, the end."""
    config = tmp_path / "checks.yaml"
    checks = "checks: [{name: disk, type: host, metric: disk, crit_percent: 100, every: 1s, retries: 0}]\n"
    config.write_text("rules: [{name: any_disk, condition: 'disk_percent >= 0', severity: P2}]\n" + checks)
    checker = Checker(ConfigFile(config), tmp_path / "data")
    checker.start()
    try:
        views = Views(Place(config, tmp_path / "data"))
        (alert,) = eventually(views.alerts)
        assert (alert.type, alert.resource, alert.source, alert.severity) == ("any_disk", "disk", "rule", Severity.P2)

        config.write_text(checks)
        eventually(lambda: not views.alerts()[0].is_open)
        assert views.alerts()[0].resolution == "rule any_disk was removed from the configuration"
    finally:
        checker.stop()
