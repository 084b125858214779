"""The checker from start to stop, against real sockets on loopback: confirm, alert, remedy, command, reload, follow."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor import commands
from monitor.alerts import AlertBook, AlertEvent, What
from monitor.checker import Checker, excuse
from monitor.config import ConfigError, ConfigFile, Place
from monitor.config import loading as loading_module
from monitor.history.jsonl import read_lines
from monitor.history.snapshot import Snapshot, read_snapshot
from monitor.model import Flag, Kind, Severity, Status
from monitor.units import to_rfc3339, utc_now
from monitor.views import Views
from tests.conftest import ROOT, environment, eventually
from tests.services import Asked, Says, Service


class Target(Service):
    """A service whose answers a test decides; who posts to it heals it."""

    def __init__(self, port: int = 0) -> None:
        super().__init__(port)
        self.codes: list[int] = []
        self.code = 200
        self.answer = self._answer

    def _answer(self, asked: Asked) -> Says:
        if asked.method == "POST":
            self.code = 200
            return Says()
        return Says(self.codes.pop(0) if self.codes else self.code)

    @property
    def hits(self) -> int:
        return len(self.of("GET"))

    @property
    def posts(self) -> list[bytes]:
        return [asked.body for asked in self.of("POST")]


@pytest.fixture
def target() -> Iterator[Target]:
    with closing(Target()) as one:
        yield one


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SMTP_HOST", "SLACK_WEBHOOK_URL", "WEBHOOK_URL", "TELEGRAM_BOT_TOKEN", "DISCORD_WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)


class House:
    """A folder with a configuration and the checker that reads it."""

    def __init__(self, folder: Path) -> None:
        self.place = Place.of(folder / "checks.yaml", folder / "data")
        self.checker: Checker | None = None

    def write(self, text: str) -> None:
        # At once, as editors do: whoever looks meanwhile reads the old file or the new one, not half of it.
        part = self.place.config.with_suffix(".part")
        part.write_text(text, "utf-8")
        part.replace(self.place.config)

    def start(self, **more: Any) -> None:
        self.checker = Checker(ConfigFile(self.place.config), self.place.data, **more)
        self.checker.start()
        assert self.checker.ready.wait(10)

    def stop(self) -> None:
        if self.checker:
            self.checker.stop()

    @property
    def snapshot(self) -> Snapshot:
        found = read_snapshot(self.place.state)
        assert found is not None
        return found

    def status(self, name: str = "web") -> Status:
        return self.snapshot.checks[name].state.status

    def events(self) -> list[AlertEvent]:
        return [AlertEvent.from_json(line) for line in read_lines(self.place.alerts)]

    def results(self) -> list[dict[str, Any]]:
        return [line for path in sorted(self.place.results.glob("*.jsonl")) for line in read_lines(path)]


@pytest.fixture
def house(tmp_path: Path, joined_soon: None) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.stop()


def config(url: str, retries: int = 0, more: str = "", every: str = "200ms") -> str:
    return f"""
global: {{every: {every}, retries: {retries}, retry_backoff_s: 0.05, timeout: 2s}}
checks:
  - name: web
    type: http
    url: "{url}"
    severity: P2
{more}"""


def test_a_healthy_check_is_ok_and_leaves_result_lines(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.status() is Status.OK and len(house.results()) >= 3, what="three verdicts")
    line = house.results()[-1]
    assert list(line)[:4] == ["at", "name", "status", "kind"]
    assert line["status"] == "OK" and line["code"] == 200 and 0 < line["covers_s"] < 1


def test_a_blip_that_the_retries_clear_sends_nothing(house: House, target: Target) -> None:
    target.codes = [500, 500]
    house.write(config(target.url, retries=2))
    house.start()
    eventually(lambda: len(house.results()) >= 2, what="two verdicts")
    assert [line["status"] for line in house.results()][:2] == ["OK", "OK"]
    assert house.results()[0]["attempts"] == 3
    assert house.events() == []


def test_a_confirmed_failure_opens_one_alert_and_its_end_is_told(
    house: House, target: Target, capfd: pytest.CaptureFixture[str]
) -> None:
    target.code = 503
    house.write(config(target.url, retries=1))
    house.start()
    eventually(lambda: house.status() is Status.FAIL and len(house.results()) >= 3, what="three failing verdicts")
    target.code = 200
    eventually(lambda: house.status() is Status.OK, what="recovery")
    eventually(lambda: sum(e.what is What.SENT for e in house.events()) == 2, what="both messages")
    whats = [event.what for event in house.events()]
    assert whats.count(What.OPENED) == 1 and whats.count(What.RESOLVED) == 1
    printed = capfd.readouterr().out
    assert "ALERT [P2 FAIL] web answers with an error: status is 503" in printed
    assert "ENDED [P2 OK] web recovered" in printed


def test_a_remedy_runs_once_and_the_check_is_looked_at_again(house: House, target: Target) -> None:
    target.code = 500
    remedy = f"""
    on_fail:
      actions:
        - type: http_post
          url: "{target.url}/heal"
          payload: {{reason: test}}
"""
    house.write(config(target.url, more=remedy, every="30s"))
    house.start()
    eventually(lambda: target.posts and house.status() is Status.OK, what="healed long before the next turn")
    assert json.loads(target.posts[0]) == {"reason": "test"}
    eventually(
        lambda: "helped" in {event.data.get("effect") for event in house.events()}, what="it is said to have helped"
    )
    remedies = [event for event in house.events() if event.data.get("phase") == "ran"]
    assert len(remedies) == 1 and remedies[0].data["ok"] is True


def test_a_remedy_rests_during_its_cool_down(house: House, target: Target) -> None:
    remedy = f"""
    on_fail:
      actions: [{{type: http_post, url: "{target.url}/heal", cooldown: 1h}}]
"""
    house.write(config(target.url, more=remedy))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    target.code = 500
    eventually(lambda: target.posts and target.code == 200, what="healed")
    eventually(lambda: any(e.what is What.RESOLVED for e in house.events()), what="well again")
    target.code = 500
    eventually(lambda: any("cool-down" in e.note for e in house.events()), what="the cool-down is on the record")
    assert len(target.posts) == 1


def test_commands_are_carried_out_audited_and_published(house: House, target: Target) -> None:
    house.write(config(target.url, every="1h"))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="the first verdict")
    hits = target.hits
    identifier = commands.run_now(house.place, "web", "ann")
    applied = commands.outcome(house.place, identifier)
    assert applied is not None and applied.ok
    eventually(lambda: target.hits == hits + 1, what="it was probed")
    for command, flagged in ((commands.pause, True), (commands.resume, False)):
        assert commands.outcome(house.place, command(house.place, "web", "ann")) is not None
        eventually(lambda want=flagged: (Flag.PAUSED in house.snapshot.checks["web"].state.flags) is want)
    audit = list(read_lines(house.place.audit))
    assert [line["action"] for line in audit] == ["run", "pause", "resume"]
    assert {line["by"] for line in audit} == {"ann"}


def test_a_paused_check_is_not_probed_and_stays_paused_after_a_restart(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    commands.outcome(house.place, commands.pause(house.place, "web", "ann"))
    house.stop()
    hits = target.hits
    house.start()
    assert Flag.PAUSED in house.snapshot.checks["web"].state.flags
    commands.outcome(house.place, commands.run_now(house.place, "web", "ann"))
    eventually(lambda: target.hits == hits + 1, what="only the run by hand")


def test_an_unknown_target_is_refused_with_the_nearest_name(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    applied = commands.outcome(house.place, commands.run_now(house.place, "wep", "ann"))
    assert applied is not None and not applied.ok
    assert "did you mean 'web'" in applied.detail


def test_an_alert_by_hand_is_delivered_with_a_receipt_and_can_be_resolved(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    sent = commands.send_alert(house.place, "billing", Severity.P1, "card payments fail", ["slack", "console"], "ann")
    applied = commands.outcome(house.place, sent)
    assert applied is not None and applied.alert
    eventually(lambda: sum(e.what in (What.SENT, What.GAVE_UP) for e in house.events()) == 2, what="both receipts")
    alert = AlertBook(house.events()).get(applied.alert)
    assert alert is not None
    by_channel = {n.channel: n for n in alert.notifications.values()}
    assert by_channel["console"].ended is What.SENT
    assert by_channel["slack"].ended is What.GAVE_UP and "SLACK_WEBHOOK_URL" in by_channel["slack"].detail
    ended = commands.outcome(house.place, commands.resolve(house.place, alert.id, "ann", "restarted"))
    assert ended is not None and ended.ok


def test_acknowledging_marks_the_check_and_a_recovery_clears_it(house: House, target: Target) -> None:
    target.code = 500
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.snapshot.alerts, what="an open alert")
    applied = commands.outcome(house.place, commands.acknowledge(house.place, "web", "ann"))
    assert applied is not None and applied.ok
    eventually(lambda: Flag.ACKNOWLEDGED in house.snapshot.checks["web"].state.flags)
    assert house.snapshot.alerts[0].acknowledged_by == "ann"
    target.code = 200
    eventually(lambda: house.status() is Status.OK and not house.snapshot.checks["web"].state.flags)


def test_many_channels_that_hang_hold_up_no_other(house: House, target: Target) -> None:
    let_go, target.code = threading.Event(), 500
    names = [f"hangs{number}" for number in range(12)]
    with closing(Service()) as receiver:

        def hangs(asked: Asked) -> Says:
            if asked.path != "/well":
                let_go.wait(30)
            return Says()

        receiver.answer = hangs
        blocks = [f"  - {{name: {name}, type: webhook, url: '{receiver.url}/{name}'}}" for name in names]
        blocks.append(f"  - {{name: well, type: webhook, url: '{receiver.url}/well'}}")
        routes = f"routes:\n  - {{name: all, channels: [{', '.join(names)}, well]}}\n"
        house.write(config(target.url, more="channels:\n" + "\n".join(blocks) + "\n" + routes))
        house.start()
        eventually(lambda: any(asked.path == "/well" for asked in receiver.asked), what="the message to the last one")
        let_go.set()
        assert not [event for event in house.events() if event.what is What.FAILED]
        house.stop()


def test_an_invalid_edit_keeps_the_last_good_configuration_and_says_so(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="the first verdict")
    house.write(config(target.url).replace("severity: P2", "severty: P2"))
    notice = eventually(lambda: house.snapshot.notices, what="a notice")[0]
    assert "invalid" in notice.text and "unknown key 'severty' (did you mean 'severity'?)" in notice.more[0]
    hits = target.hits
    eventually(lambda: target.hits > hits + 1, what="checking goes on")
    house.write(config(target.url + "/other").replace("name: web", "name: web2"))
    eventually(lambda: list(house.snapshot.checks) == ["web2"] and not house.snapshot.notices, what="the new one")


def test_a_removed_check_ends_its_alert(house: House, target: Target) -> None:
    target.code = 500
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.snapshot.alerts, what="an open alert")
    house.write(config(target.url).replace("name: web", "name: other"))
    eventually(lambda: any(e.what is What.RESOLVED and "removed" in e.note for e in house.events()))


def test_a_check_removed_while_nobody_ran_ends_its_alert_at_the_start(house: House, target: Target) -> None:
    target.code = 500
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.snapshot.alerts, what="an open alert")
    house.stop()
    target.code = 200
    house.write(config(target.url).replace("name: web", "name: other"))
    house.start()
    eventually(lambda: any(e.what is What.RESOLVED and "removed" in e.note for e in house.events()))


@pytest.mark.parametrize("while_nobody_ran", [False, True])
def test_a_check_that_is_not_enabled_any_more_ends_its_alert(
    house: House, target: Target, while_nobody_ran: bool
) -> None:
    target.code = 500
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.snapshot.alerts, what="an open alert")
    if while_nobody_ran:
        house.stop()
    house.write(config(target.url).replace("name: web", "name: web\n    enabled: false"))
    if while_nobody_ran:
        house.start()
    eventually(lambda: any(e.what is What.RESOLVED and "not enabled" in e.note for e in house.events()))


def test_state_streaks_and_the_open_alert_survive_a_restart_and_nothing_is_sent_twice(
    house: House, target: Target
) -> None:
    target.code = 500
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.snapshot.checks["web"].state.streak >= 3, what="a streak")
    house.stop()
    before = house.snapshot.checks["web"].state
    house.start()
    after = house.snapshot.checks["web"].state
    assert after.since == before.since and after.streak >= before.streak
    eventually(lambda: house.snapshot.checks["web"].state.streak > before.streak, what="it goes on")
    whats = [event.what for event in house.events()]
    assert whats.count(What.OPENED) == 1 and whats.count(What.QUEUED) == 1 and whats.count(What.SENT) == 1


def test_a_second_checker_follows_and_takes_over(house: House, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.checker.life.LOCK_RETRY_S", 0.1)
    house.write(config(target.url))
    house.start()
    second = Checker(ConfigFile(house.place.config), house.place.data)
    second.start()
    try:
        assert second.ready.wait(10)
        assert second.role == "follower"
        house.stop()
        eventually(lambda: second.role == "leader", what="it leads")
        hits = target.hits
        eventually(lambda: target.hits > hits, what="it checks")
    finally:
        second.stop()


def test_a_full_disk_is_our_own_trouble_and_results_are_written_afterwards(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.history.jsonl import JsonlWriter

    house.write(config(target.url))
    house.start()
    eventually(lambda: len(house.results()) >= 1, what="a verdict")
    append = JsonlWriter.append

    def full(writer: JsonlWriter, lines: Any) -> None:
        if writer.path.parent == house.place.results:
            raise OSError(28, "No space left on device")
        append(writer, lines)

    monkeypatch.setattr(JsonlWriter, "append", full)
    eventually(lambda: any("own trouble" in n.text for n in house.snapshot.notices), what="a notice")
    assert house.status() is Status.OK
    written = len(house.results())
    eventually(lambda: house.snapshot.checks["web"].state.streak >= written + 3, what="verdicts while the disk is full")
    monkeypatch.setattr(JsonlWriter, "append", append)
    eventually(lambda: not house.snapshot.notices, what="the notice goes")
    assert len(house.results()) >= written + 3


def test_a_full_disk_does_not_silence_an_alert(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    from monitor.history.jsonl import JsonlWriter

    house.write(config(target.url))
    house.start()
    eventually(lambda: len(house.results()) >= 1, what="a verdict")

    def full(_writer: JsonlWriter, _lines: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonlWriter, "append", full)
    target.code = 500
    eventually(lambda: "ALERT [P2 FAIL] web" in capfd.readouterr().out, what="it is told all the same")


def test_a_command_stays_in_the_inbox_until_what_it_did_is_on_disk_and_is_done_once(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monitor.history.jsonl import JsonlWriter

    house.write(config(target.url))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    append = JsonlWriter.append

    def full(_writer: JsonlWriter, _lines: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(JsonlWriter, "append", full)
    sent = commands.send_alert(house.place, "web", Severity.P3, "we move it", ["console"], "ann")
    applied = commands.outcome(house.place, sent)
    assert applied and applied.ok
    assert list(house.place.inbox.glob("*.json")), "a crash now must not lose it"

    monkeypatch.setattr(JsonlWriter, "append", append)
    eventually(lambda: not list(house.place.inbox.glob("*.json")), what="the file goes")
    house.stop()
    assert [alert.id for alert in Views(house.place).alerts()] == [applied.alert]


def test_a_failure_seen_by_hand_on_a_paused_check_is_a_verdict(house: House, target: Target) -> None:
    house.write(config(target.url, retries=1))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    commands.outcome(house.place, commands.pause(house.place, "web", "ann"))
    target.code = 500
    commands.outcome(house.place, commands.run_now(house.place, "web", "ann"))
    eventually(lambda: house.status() is Status.FAIL, what="the failure counts")


def test_a_command_that_cannot_be_removed_is_carried_out_once(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.write(config(target.url))
    house.start()
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if path.parent == house.place.inbox:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    commands.send_alert(house.place, "billing", Severity.P1, "m", ["console"], "ann")
    eventually(lambda: any("data/inbox" in notice.text for notice in house.snapshot.notices), what="a notice")
    streak = house.snapshot.checks["web"].state.streak
    eventually(lambda: house.snapshot.checks["web"].state.streak > streak + 2, what="checking goes on")
    assert sum(event.what is What.OPENED for event in house.events()) == 1

    house.stop()
    monkeypatch.setattr(Path, "unlink", unlink)
    house.start()
    eventually(lambda: not list(house.place.inbox.iterdir()), what="the command is taken again and removed")
    assert sum(event.what is What.OPENED for event in house.events()) == 1


def test_secrets_of_the_environment_are_in_no_file(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "s3cr3t-t0ken-value")
    text = config(target.url + "/?key=${SHOP_TOKEN}").replace(
        "severity: P2", "severity: P2\n    expect_jsonpath: [{path: $.a, equals: '${SHOP_TOKEN}'}]"
    )
    house.write(text)
    house.start()
    eventually(lambda: house.status() is Status.FAIL and house.events(), what="a failing check with an alert")
    house.stop()
    for path in house.place.data.rglob("*"):
        assert not path.is_file() or b"s3cr3t-t0ken-value" not in path.read_bytes(), path


def test_rounds_are_counted_before_an_alert_opens_and_their_lines_say_what_was_seen(
    house: House, target: Target
) -> None:
    house.write(config(target.url).replace("severity: P2", "severity: P2\n    fail_after: 3\n    recover_after: 2"))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    target.code = 500
    eventually(lambda: any(e.what is What.OPENED for e in house.events()), what="an alert")
    failing = [line for line in house.results() if line["status"] == "FAIL"]
    assert [line["flags"] for line in failing[:3]] == [["confirming"], ["confirming"], []]
    opened = next(event for event in house.events() if event.what is What.OPENED)
    assert opened.at.isoformat(timespec="milliseconds")[:23] == failing[2]["at"][:23]
    eventually(lambda: house.status() is Status.FAIL, what="it is published")
    target.code = 200
    eventually(lambda: house.status() is Status.OK, what="recovered")
    assert len([line for line in house.results() if line["flags"] == ["confirming"] and line["status"] == "OK"]) == 1


def test_the_alert_and_the_first_bad_line_name_what_changed_also_after_a_restart(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    target.code = 502
    eventually(lambda: any(e.what is What.OPENED for e in house.events()), what="an alert")
    opened = next(event for event in house.events() if event.what is What.OPENED)
    assert "changed since last good: code 200 → 502" in str(opened.data["message"])
    changed = [line["observed"]["changed"] for line in house.results() if "changed" in line["observed"]]
    assert changed == [[["code", "200", "502"]]]
    house.stop()
    house.start()
    assert [str(one) for one in house.snapshot.checks["web"].state.changes] == ["code 200 → 502"]


def test_a_check_that_fails_right_after_a_kill_is_compared_with_what_was_good_before_it(
    house: House, target: Target
) -> None:
    house.write(config(target.url, every="1h"))
    command = [sys.executable, "-m", "monitor", "run"]
    with subprocess.Popen(command, cwd=ROOT, env=environment(house.place.config.parent)) as killed:
        try:
            eventually(lambda: house.place.state.exists() and house.status() is Status.OK, 40.0, "well")
        finally:
            killed.kill()
    target.code = 502
    house.start()
    eventually(lambda: any(e.what is What.OPENED for e in house.events()), what="an alert")
    opened = next(event for event in house.events() if event.what is What.OPENED)
    assert "changed since last good: code 200 → 502" in str(opened.data["message"])
    eventually(lambda: house.status() is Status.FAIL, what="it is published")
    assert [str(one) for one in house.snapshot.checks["web"].state.changes] == ["code 200 → 502"]


def test_a_group_and_a_child_fail_with_their_parent_and_only_the_parent_is_told(house: House, target: Target) -> None:
    more = f"""  - {{name: child, type: http, url: "{target.url}/child", depends_on: [web]}}
  - {{name: both, type: group, members: [web, child], depends_on: [web]}}
"""
    house.write(config(target.url, more=more))
    house.start()
    eventually(lambda: house.status("both") is Status.OK, what="all well")
    target.code = 500
    eventually(lambda: all(house.status(n) is Status.FAIL for n in ("web", "child", "both")), what="all fail")
    eventually(lambda: house.snapshot.checks["child"].state.note == "parent web is down", what="the child's note")
    eventually(lambda: house.snapshot.checks["both"].state.note == "parent web is down", what="the group's note")
    assert {a.resource for a in house.snapshot.alerts} == {"web"}
    held = {(e.data["resource"], e.note) for e in house.events() if e.what is What.HELD}
    assert {("child", "parent web is down"), ("both", "parent web is down")} <= held
    target.code = 200
    eventually(lambda: house.status("both") is Status.OK and not house.snapshot.alerts, what="all well again")
    assert house.snapshot.checks["child"].state.note == ""
    assert sum(event.what is What.OPENED for event in house.events()) == 1


def test_a_checker_that_cannot_see_sends_one_message_and_says_so_on_the_wall(
    house: House, target: Target, capfd: pytest.CaptureFixture[str]
) -> None:
    text = (
        "vantage: {sentinels: [gate], within: 10s}\n"
        + config(target.url).strip()
        + f"""
  - {{name: gate, type: http, url: "{target.url}/gate"}}
  - {{name: shop, type: http, url: "{target.url}/shop"}}
"""
    )
    house.write(text)
    house.start()
    names = ("web", "gate", "shop")
    eventually(lambda: all(house.status(name) is Status.OK for name in names), what="all well")
    target.close()
    eventually(lambda: all(house.snapshot.checks[n].state.kind is Kind.VANTAGE for n in names), what="blind")
    assert [a.resource for a in house.snapshot.alerts] == ["Greenwall"]
    assert house.snapshot.notices[0].text == "Greenwall cannot see"
    again = Target(target.port)
    try:
        eventually(lambda: all(house.status(name) is Status.OK for name in names), what="all well again")
        eventually(lambda: not house.snapshot.alerts and not house.snapshot.notices, what="it is over")
        eventually(lambda: sum(e.what is What.SENT for e in house.events()) == 2, what="both messages")
    finally:
        again.close()
    assert not [line for line in house.results() if line["status"] == "FAIL"]
    printed = capfd.readouterr().out
    assert "ALERT [P2 FAIL] Greenwall cannot see" in printed
    assert "ENDED [P2 OK] Greenwall recovered" in printed


def members(target: Target, more: str = "") -> str:
    return f"""
global: {{every: 100ms, retries: 0, timeout: 2s}}
checks:
  - {{name: pay, type: http, url: "{target.url}", tags: [pay]}}
  - {{name: all, type: group, members_tag: pay}}
  - {{name: outer, type: group, members: [all]}}
{more}
"""


def told(house: House, what: What = What.SENT) -> set[str]:
    resources = {event.alert: str(event.data["resource"]) for event in house.events() if event.what is What.OPENED}
    return {resources[event.alert] for event in house.events() if event.what is what}


def test_of_a_group_nobody_is_told_while_nobody_is_told_of_its_members(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excuse, "ASK_AGAIN", timedelta(milliseconds=100))
    target.code = 500
    now, ends = to_rfc3339(utc_now()), to_rfc3339(utc_now() + timedelta(hours=1))
    house.write(members(target, f"maintenance: [{{name: m, match: {{tag: pay}}, from: {now}, until: {ends}}}]"))
    house.start()
    eventually(lambda: told(house, What.NOT_TOLD) == {"pay", "all", "outer"}, what="nobody is told")
    notes = {event.note for event in house.events() if event.what is What.NOT_TOLD}
    assert {"pay: in maintenance", "all: pay: in maintenance"} <= notes
    assert told(house) == set()
    house.write(members(target))
    eventually(lambda: told(house) == {"pay", "all", "outer"}, what="they are told once the maintenance is gone")


def test_of_a_group_nobody_is_told_while_its_members_wait_for_their_parent(house: House, target: Target) -> None:
    parent = "  - {name: db, type: tcp, host: 127.0.0.1, port: 9}"
    text = members(target, parent).replace("tags: [pay]", "tags: [pay], depends_on: [db]")
    target.code = 500
    house.write(text)
    house.start()
    eventually(lambda: told(house, What.NOT_TOLD) == {"all", "outer"}, what="the groups are held")
    eventually(lambda: told(house) == {"db"}, what="the parent is told")


def test_a_group_is_told_when_one_member_counts(house: House, target: Target) -> None:
    until = to_rfc3339(utc_now() + timedelta(hours=1))
    more = f"""
  - {{name: real, type: tcp, host: 127.0.0.1, port: 9, tags: [pay]}}
maintenance: [{{name: m, match: {{name: pay}}, from: {to_rfc3339(utc_now())}, until: {until}}}]
"""
    target.code = 500
    house.write(members(target, more))
    house.start()
    eventually(lambda: told(house) == {"real", "all", "outer"}, what="all but what is in maintenance")


def test_a_configuration_that_is_invalid_from_the_start_is_refused(house: House) -> None:
    house.write("checks: [{name: a}]")
    with pytest.raises(ConfigError, match="missing key 'type'"):
        Checker(ConfigFile(house.place.config), house.place.data).start()


def test_the_checker_and_the_views_of_one_process_read_the_file_once(
    house: House, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[Any] = []
    real = loading_module.read_yaml
    monkeypatch.setattr(loading_module, "read_yaml", lambda *args: reads.append(args) or real(*args))
    house.write(config(target.url))
    views = Views(house.place)
    house.checker = Checker(views.file, house.place.data)
    house.checker.start()
    assert house.checker.ready.wait(60)
    assert views.check("web") is not None
    assert len(reads) == 1

    house.write(config(target.url) + "  - {name: more, type: tcp, host: 127.0.0.1, port: 1}\n")
    eventually(lambda: views.check("more"), what="the views")
    eventually(lambda: "more" in house.snapshot.checks, what="the checker")
    assert len(reads) == 2


def test_a_damaged_state_file_is_set_aside_and_rebuilt_from_results(house: House, target: Target) -> None:
    house.write(config(target.url))
    house.start()
    eventually(lambda: len(house.results()) >= 3, what="three verdicts")
    house.stop()
    house.place.state.write_text("{ torn")
    house.start()
    assert house.snapshot.checks["web"].state.streak >= 3
    assert len(list(house.place.data.glob("state.damaged-*"))) == 1


def test_who_resolves_what_still_fails_hears_that_nobody_is_told_of_it(house: House, target: Target) -> None:
    target.code = 503
    house.write(config(target.url, every="1h"))
    house.start()
    eventually(lambda: house.snapshot.alerts, what="an alert")
    asked = commands.resolve(house.place, "web", "ann", "known")
    answer = commands.outcome(house.place, asked, 10)
    assert answer and answer.detail.endswith(
        "is resolved by ann; the check still fails: nobody is told of it until it has been well again"
    )
    eventually(lambda: not house.snapshot.alerts)
    # At once: its next verdict is an hour away.
    state = house.snapshot.checks["web"].state
    assert state.note == "resolved by ann; nobody is told until it has been well again"
