"""What the command line says when nobody looks, when a disk takes nothing, and to people far from the pages."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from monitor.alerts import AlertEvent, What
from monitor.checker import Checker
from monitor.cli import cli
from monitor.config import ConfigFile, Place
from monitor.history.jsonl import to_line
from monitor.units import utc_now
from monitor.views import Views
from tests.conftest import eventually, fill_disk_under

CHECKS = """
global: {every: 200ms, retries: 0, timezone: Asia/Kolkata}
channels:
  - {name: hook, type: webhook, url: "http://127.0.0.1:PORT/"}
  - {name: spare, type: webhook}
routes:
  - {name: all, channels: [duty]}
on_call:
  - name: duty
    people: {ann: [console], bob: [hook]}
    rota: [ann]
    begins: 2026-01-05
    instead:
      - {person: bob, from: 2098-01-01T00:00:00Z, until: 2098-01-02T00:00:00Z}
maintenance:
  - {name: move, match: {group: Shop}, from: "2099-01-01T00:00:00Z", until: "2099-01-01T02:00:00Z", note: new racks}
checks:
  - {name: shop, type: tcp, host: 127.0.0.1, port: PORT, group: Shop, owner: team-a, category: BUSINESS}
  - {name: till, type: tcp, host: 127.0.0.1, port: PORT, depends_on: [shop]}
"""
TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d IST"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed_port: int) -> Path:
    for name in ("SLACK_WEBHOOK_URL", "SMTP_HOST", "WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "checks.yaml").write_text(CHECKS.replace("PORT", str(closed_port)))
    return tmp_path


@pytest.fixture
def watched(folder: Path) -> Iterator[Path]:
    """With a checker that has opened the alert of `shop`."""
    place = Place.of(folder / "checks.yaml")
    checker = Checker(ConfigFile(place.config), place.data)
    checker.start()
    eventually(lambda: Views(place).alerts(), what="an alert")
    eventually(lambda: [one.ended for one in Views(place).alerts()[0].notifications.values()] == [What.SENT])
    yield folder
    checker.stop()


def greenwall(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "checks.yaml"), *arguments])


def sent(folder: Path) -> str:
    """Leave an open alert there, and no checker; return the alert's id."""
    greenwall(folder, "alert", "till", "--message", "we count it", "--severity", "P2", "--channel", "console")
    (found,) = json.loads(greenwall(folder, "alerts", "--json").stdout)
    return str(found["id"])


def grow_old(folder: Path) -> None:
    path = folder / "data" / "state.json"
    state = json.loads(path.read_text())
    state["checker"]["heartbeat_at"] = "2026-11-20T00:00:00.000Z"
    path.write_text(json.dumps(state))


# ---- nobody looks


def test_without_a_checker_nobody_says_that_no_alert_is_open(tmp_path: Path) -> None:
    done = greenwall(tmp_path / "nodir", "alerts")

    assert done.exit_code == 1 and done.stdout == ""
    assert done.stderr == greenwall(tmp_path / "nodir", "status").stderr
    assert "no checker has written data/state.json yet" in done.stderr and "python -m monitor run" in done.stderr


def test_an_invalid_file_and_no_checker_is_no_news_that_all_is_well(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: [{name: a, type: nothing}]\n")
    assert (done := greenwall(tmp_path, "alerts")).exit_code == 1 and "no checker has written" in done.stderr


def test_what_was_open_at_the_last_heartbeat_is_listed_and_called_stale(folder: Path) -> None:
    identifier = sent(folder)
    grow_old(folder)

    done = greenwall(folder, "alerts")
    assert done.exit_code == 1 and identifier in done.stdout
    assert done.stderr.startswith("STALE: the checker's last heartbeat is ")
    as_json = greenwall(folder, "alerts", "--json")
    assert as_json.exit_code == 1 and "STALE" in as_json.stderr and json.loads(as_json.stdout)[0]["id"] == identifier


def test_that_none_was_open_at_the_last_heartbeat_is_no_statement_of_now(folder: Path) -> None:
    greenwall(folder, "resolve", sent(folder))
    grow_old(folder)

    done = greenwall(folder, "alerts")
    assert done.exit_code == 1 and "STALE" in done.stderr
    assert done.stdout == "No alert was open when the checker last looked.\n"


def test_with_a_damaged_state_what_is_open_is_listed_all_the_same(folder: Path) -> None:
    identifier = sent(folder)
    (folder / "data" / "state.json").write_text("{")

    done = greenwall(folder, "alerts")
    assert done.exit_code == 1 and identifier in done.stdout and "damaged" in done.stderr


# ---- a disk that takes nothing


def test_a_full_disk_is_said_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent(folder)
    fill_disk_under("inbox", monkeypatch)
    for arguments in (
        ("acknowledge", "till"),
        ("test-channel", "console"),
        ("test-channel", "duty"),
        ("silence", "--name", "till", "--for", "1h"),
        ("alert", "till", "--message", "m"),
    ):
        done = greenwall(folder, *arguments)

        assert done.exit_code == 1 and "Traceback" not in done.output, arguments
        inbox = folder / "data" / "inbox"
        assert f"cannot be written to {inbox}: No space left on device" in done.stderr
        assert "nothing was done. Free space there, then try again" in done.stderr
        assert list(inbox.iterdir()) == [], "no half of a command stays"


def test_a_data_folder_that_cannot_be_one_is_said_with_its_name(folder: Path) -> None:
    (folder / "data").write_text("a file")
    done = greenwall(folder, "acknowledge", "shop")

    assert done.exit_code == 1 and isinstance(done.exception, SystemExit)
    assert f"{folder / 'data'}: File exists" in done.stderr


# ---- what follows


def test_to_resolve_what_still_fails_says_what_follows(watched: Path) -> None:
    done = greenwall(watched, "resolve", "shop", "--note", "looked at")

    assert done.exit_code == 0 and "is resolved by" in done.stdout
    assert "still fails: nobody is told of it until it has been well" in done.stdout
    eventually(lambda: "shop fails without an alert: resolved by" in greenwall(watched, "alerts").stdout)
    assert "shop fails without an alert: resolved by" in greenwall(watched, "why", "shop").stdout


def test_to_resolve_what_no_check_says_promises_nothing(folder: Path) -> None:
    assert "still" not in greenwall(folder, "resolve", sent(folder)).stdout


# ---- silences


def test_silences_are_listed_with_the_id_that_ends_them(folder: Path) -> None:
    empty = greenwall(folder, "silences")
    assert empty.exit_code == 0
    assert re.match(rf"move +maintenance +group Shop: covers 1 check, from {TIME}, .*, new racks\n$", empty.stdout)

    greenwall(folder, "silence", "--name", "sh*", "--for", "2h", "--note", "new switch")
    line = greenwall(folder, "silences").stdout.splitlines()[0]
    found = re.match(rf"(s-\w+) +silence +name sh\*: covers 1 check, until {TIME}, by cli.*, new switch$", line)
    assert found, line

    greenwall(folder, "end-silence", found[1])
    assert found[1] not in greenwall(folder, "silences").stdout
    over = greenwall(folder, "silences", "--all").stdout
    assert re.search(rf"{found[1]} .*, ended {TIME} by cli.*, by cli.*, new switch\n", over)


def test_silences_as_json_have_times_in_utc(folder: Path) -> None:
    greenwall(folder, "silence", "--name", "shop", "--for", "2h")
    mine, planned = json.loads(greenwall(folder, "silences", "--json").stdout)

    assert (mine["kind"], mine["match"], mine["holds"], mine["planned"]) == ("silence", {"name": ["shop"]}, True, False)
    assert (planned["id"], planned["kind"], planned["holds"], planned["planned"]) == (
        "move",
        "maintenance",
        False,
        True,
    )
    assert (planned["begins_at"], planned["ends_at"]) == ("2099-01-01T00:00:00.000Z", "2099-01-01T02:00:00.000Z")
    assert mine["ends_at"].endswith("Z")


def test_without_any_silence_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: []\n")
    done = greenwall(tmp_path, "silences")
    assert (done.exit_code, done.stdout) == (0, "Nothing is silenced, and no maintenance is planned.\n")


def test_planned_maintenance_that_an_invalid_file_hides_is_said_to_be_unknown(folder: Path) -> None:
    (folder / "checks.yaml").write_text("checks: [{name: a, type: nothing}]\n")
    done = greenwall(folder, "silences")
    assert done.exit_code == 2 and "checks.yaml" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--owner", "team-a"), "owner team-a"),
        (("--category", "BUSINESS"), "category BUSINESS"),
        (("--type", "tcp"), "type tcp"),
    ],
)
def test_a_silence_by_what_the_page_has_too(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    done = greenwall(folder, "silence", *arguments, "--for", "2h")

    assert done.exit_code == 0 and done.stderr == ""
    assert re.search(rf"for {says} holds until {TIME}$", done.stdout), done.stdout


def test_an_unknown_category_is_refused_and_an_unknown_owner_warned_of(folder: Path) -> None:
    refused = greenwall(folder, "silence", "--category", "MONEY", "--for", "2h")
    assert refused.exit_code == 1 and "BUSINESS" in refused.stderr
    assert "did you mean 'team-a'" in greenwall(folder, "silence", "--owner", "team-b", "--for", "2h").stderr


def test_a_silence_until_resolved_says_so_and_ends_at_the_latest(folder: Path) -> None:
    identifier = sent(folder)
    done = greenwall(folder, "silence", "--name", "till", "--until-resolved", identifier)

    assert re.search(rf"holds until alert {identifier} is over, at the latest {TIME}$", done.stdout), done.stdout
    assert f"or until alert {identifier} is over" in greenwall(folder, "silences").stdout
    refused = greenwall(folder, "silence", "--name", "till", "--until-resolved", "a-0")
    assert refused.exit_code == 1 and "'a-0'" in refused.stderr


def test_a_suppression_is_answered_in_the_zone_of_the_file(folder: Path) -> None:
    assert re.search(rf"until {TIME}$", greenwall(folder, "suppress", sent(folder), "--for", "30m").stdout)


# ---- on call


def test_on_call_tells_who_and_how_they_are_told(folder: Path) -> None:
    done = greenwall(folder, "on-call")

    assert done.exit_code == 0
    assert re.match(r"duty: ann \(console\)", done.stdout)


def test_on_call_tells_the_shifts_of_four_weeks(folder: Path) -> None:
    text = (folder / "checks.yaml").read_text()
    (folder / "checks.yaml").write_text(text.replace("rota: [ann]", "rota: [ann, bob]"))
    lines = greenwall(folder, "on-call").stdout.splitlines()

    assert re.match(rf"duty: (ann|bob) \([^)]+\), until {TIME}", lines[0])
    assert {line.split()[-1] for line in lines[1:] if line.startswith("  ")} == {"ann", "bob"}
    assert len(lines) == 6 and lines[-1] == "Times in Asia/Kolkata."


def test_without_a_rota_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: []\n")
    done = greenwall(tmp_path, "on-call")
    assert done.exit_code == 0 and "Nobody is on call: checks.yaml has no `on_call:`" in done.stdout


def test_a_rota_is_tested_by_whoever_is_on_call(folder: Path) -> None:
    done = greenwall(folder, "test-channel", "duty")

    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == "ann is on call for duty." and lines[-1] == "console: printed"


def test_a_rota_with_a_channel_that_takes_nothing_exits_1_once_all_were_tried(folder: Path) -> None:
    text = (folder / "checks.yaml").read_text()
    (folder / "checks.yaml").write_text(text.replace("ann: [console]", "ann: [spare, console]"))
    done = greenwall(folder, "test-channel", "duty")

    assert done.exit_code == 1
    assert "spare is not configured" in done.stderr and "console: " in done.stdout


# ---- why was I told, and why not


def test_why_tells_who_was_told_who_was_not_and_what_happened(watched: Path) -> None:
    done = greenwall(watched, "why", "shop")

    assert done.exit_code == 0, done.output
    assert re.match(r"a-\w+  P3 ACTIVE +shop cannot be reached\n", done.stdout)
    assert re.search(r"^  ✓ console +\w{3} \d\d \w{3} [\d:]{8}  that it broke: sent ", done.stdout, re.MULTILINE)
    assert re.search(r"^  – hook .*not told: route all does not name it$", done.stdout, re.MULTILINE)
    assert "Times in Asia/Kolkata." in done.stdout and "opened as P3: failure confirmed" in done.stdout

    (alert,) = Views(Place.of(watched / "checks.yaml")).alerts()
    assert greenwall(watched, "why", alert.id).stdout.startswith(alert.id)


def test_why_of_a_check_without_an_alert_tells_what_holds_it_back(folder: Path) -> None:
    (folder / "data").mkdir()
    held = AlertEvent(
        utc_now() - timedelta(hours=1), What.HELD, "", note="parent shop is down", data={"resource": "till"}
    )
    (folder / "data" / "alerts.jsonl").write_bytes(to_line(held.to_json()))

    done = greenwall(folder, "why", "till")
    assert done.exit_code == 0, done.output
    assert re.match(rf"till has had no alert\.\nLast held back at {TIME}: parent shop is down\.\n$", done.stdout)
    greenwall(folder, "silence", "--name", "shop", "--for", "2h", "--note", "new switch")
    said = greenwall(folder, "why", "shop").stdout
    assert re.match(
        rf"shop has had no alert\.\nUntil {TIME} nobody is told of .*: silenced by .*: new switch\.\n$", said
    )


def test_why_of_nothing_known_exits_2_and_names_the_nearest(folder: Path) -> None:
    done = greenwall(folder, "why", "shoop")
    assert done.exit_code == 2 and "did you mean 'shop'" in done.stderr


def test_why_of_an_open_alert_says_when_nobody_looks(folder: Path) -> None:
    identifier = sent(folder)
    grow_old(folder)
    done: Any = greenwall(folder, "why", identifier)
    assert done.stdout.startswith(identifier) and "STALE" in done.stderr
