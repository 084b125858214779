"""The commands about alerts, silences and channels, with no checker running: each starts one for a moment."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.config import Place
from monitor.views import Views

CHECKS = """
checks:
  - {name: shop, type: http, url: "http://127.0.0.1:9/", group: Shop, tags: [money]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("SLACK_WEBHOOK_URL", "SMTP_HOST", "WEBHOOK_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "checks.yaml").write_text(CHECKS)
    return tmp_path


def greenwall(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "checks.yaml"), *arguments])


def opened(folder: Path) -> str:
    greenwall(folder, "alert", "shop", "--message", "we move it", "--severity", "P2")
    (found,) = json.loads(greenwall(folder, "alerts", "--json").output)
    return str(found["id"])


def test_an_alert_is_listed_taken_suppressed_and_resolved_with_what_was_noted(folder: Path) -> None:
    identifier = opened(folder)

    listed = greenwall(folder, "alerts")
    assert listed.exit_code == 1 and "P2 ACTIVE" in listed.output and "we move it" in listed.output

    assert "is acknowledged by" in greenwall(folder, "acknowledge", identifier, "--note", "I look").output
    assert "a suppression lasts at most 7 d" in greenwall(folder, "suppress", identifier, "--for", "99d").output
    assert "nobody is told of alert" in greenwall(folder, "suppress", identifier, "--for", "30m").output
    assert "SUPPRESSED" in greenwall(folder, "alerts").output
    assert "is resolved by" in greenwall(folder, "resolve", identifier, "--note", "moved").output

    over = greenwall(folder, "alerts")
    assert over.exit_code == 0 and over.output == "No alert is open.\n"
    assert "RESOLVED" in greenwall(folder, "alerts", "--all").output
    again = greenwall(folder, "resolve", identifier)
    assert again.exit_code == 1 and "is resolved already" in again.output


def test_a_silence_is_made_and_ended(folder: Path) -> None:
    made = greenwall(folder, "silence", "--name", "sh*", "--for", "2h", "--note", "new switch")
    assert made.exit_code == 0 and "for name sh* holds until" in made.output

    (silence,) = Views(Place.of(folder / "checks.yaml", None)).silences()
    assert (silence.match.name, silence.note, silence.ended_at) == (("sh*",), "new switch", None)

    assert "is ended by" in greenwall(folder, "end-silence", silence.id).output
    assert "is over already" in greenwall(folder, "end-silence", silence.id).output
    assert "no silence has the id" in greenwall(folder, "end-silence", "s-0").output


def test_a_silence_that_means_no_check_is_made_with_a_warning(folder: Path) -> None:
    made = greenwall(folder, "silence", "--tag", "mony", "--name", "sh*", "--for", "2h")
    assert made.exit_code == 0 and "holds until" in made.stdout
    assert made.stderr == "Warning: no check has the tag 'mony' (did you mean 'money'?)\n"
    assert len(Views(Place.of(folder / "checks.yaml", None)).silences()) == 1
    assert greenwall(folder, "silence", "--tag", "money", "--for", "2h").stderr == ""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "shop"), "expected one of --for, --until and --until-resolved"),
        (("--name", "shop", "--for", "2h", "--until", "2099-01-01T00:00:00Z"), "expected one of --for"),
        (("--for", "2h"), "this would silence everything"),
        (("--name", "shop", "--for", "30d"), "a silence lasts at most 7 d"),
        (("--name", "shop", "--maintenance", "--until", "9999-12-31T23:59:59Z"), "until: expected a time before"),
        (("--name", "shop", "--until", "2020-01-01T00:00:00Z"), "expected an end after now"),
        (("--name", "shop", "--until", "tomorrow"), "expected a time such as"),
        (("--severity", "P9", "--for", "1h"), "P1, P2, P3, P4"),
    ],
)
def test_a_silence_that_cannot_be_is_refused_with_what_was_expected(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = greenwall(folder, "silence", *arguments)

    assert done.exit_code != 0
    assert says in done.output


def test_channels_are_listed_with_what_they_lack(folder: Path) -> None:
    listed = greenwall(folder, "channels").output

    assert "✓ console" in listed
    assert "- slack" in listed and "SLACK_WEBHOOK_URL" in listed


def test_a_channel_is_tested_with_its_receipt(folder: Path) -> None:
    assert "console: " in greenwall(folder, "test-channel", "console").output

    unconfigured = greenwall(folder, "test-channel", "slack")
    assert unconfigured.exit_code == 1 and "is not configured: " in unconfigured.output
    assert "did you mean 'slack'" in greenwall(folder, "test-channel", "slak").output
