"""The command line, run as people run it: what it prints, and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from monitor.cli import cli
from monitor.demo import DemoServer
from tests.conftest import free_port

CHECKS = """
global: {{every: 1s, retries: 0, timezone: Asia/Kolkata}}
checks:
  - {{name: ping, type: http, url: "{base}/api/ping"}}
  - {{name: gone, type: http, url: "{base}/nosuch", severity: P1}}
"""


@pytest.fixture
def demo(tmp_path: Path) -> DemoServer:
    server = DemoServer(tmp_path / ".last_job_id", port=free_port())
    server.start()
    yield server  # type: ignore[misc]
    server.stop()


@pytest.fixture
def folder(tmp_path: Path, demo: DemoServer, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("OPENAI_API_KEY", "SLACK_WEBHOOK_URL", "SMTP_HOST", "WEBHOOK_URL", "MOCKAPP_BASE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "checks.yaml").write_text(CHECKS.format(base=demo.base_url))
    return tmp_path


def greenwall(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(folder / "checks.yaml"), *arguments])


def test_check_probes_once_and_exits_1_when_one_fails(folder: Path) -> None:
    done = greenwall(folder, "check")
    assert done.exit_code == 1
    lines = done.output.splitlines()
    assert lines[0].startswith("✓ OK") and "ping" in lines[0]
    assert lines[1].startswith("✕ FAIL") and "status is 404, expected 200 to 299" in lines[1]
    assert not (folder / "data").exists(), "nothing is stored"


def test_check_of_one_that_is_well_exits_0(folder: Path) -> None:
    assert greenwall(folder, "check", "ping").exit_code == 0


def test_check_prints_json(folder: Path) -> None:
    rows = json.loads(greenwall(folder, "check", "--json").output)
    assert [(row["name"], row["status"], row["code"]) for row in rows] == [("ping", "OK", 200), ("gone", "FAIL", 404)]


def test_an_unknown_check_names_the_nearest_and_exits_2(folder: Path) -> None:
    done = greenwall(folder, "check", "pin")
    assert done.exit_code == 2 and "did you mean 'ping'" in done.output


def test_validate_counts_or_lists_what_is_wrong(folder: Path) -> None:
    assert "checks.yaml holds: 2 checks" in greenwall(folder, "validate").output
    (folder / "checks.yaml").write_text("checks:\n  - {name: a, type: http, urll: http://x/}\n")
    done = greenwall(folder, "validate")
    assert done.exit_code == 2
    assert "checks.yaml:2: check 'a': unknown key 'urll' (did you mean 'url'?)" in done.output


def test_schema_is_a_json_schema_of_the_file() -> None:
    schema = json.loads(CliRunner().invoke(cli, ["schema"]).output)
    assert {"global", "checks", "channels", "diagnosis", "demo"} <= set(schema["properties"])


def test_status_without_a_checker_says_how_to_start_one(folder: Path) -> None:
    done = greenwall(folder, "status")
    assert done.exit_code == 1 and "streamlit run app.py" in done.output


def test_alert_is_sent_without_a_running_checker_and_prints_receipts(folder: Path) -> None:
    done = greenwall(folder, "alert", "billing", "--severity", "critical", "--message", "payments fail")
    assert done.exit_code == 0, done.output
    assert "console: sent" in done.output
    events = (folder / "data" / "alerts.jsonl").read_text()
    assert '"severity":"P1"' in events and "payments fail" in events


def test_alert_on_an_unconfigured_channel_says_what_to_set_and_falls_back(folder: Path) -> None:
    done = greenwall(folder, "alert", "billing", "--message", "m", "--channel", "slack")
    assert "slack: gave_up" in done.output and "SLACK_WEBHOOK_URL" in done.output
    assert "console: sent" in done.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("alert", "x", "--message", "m", "--severity", "P9"), "expected P1, P2, P3, P4"),
        (("alert", "x", "--message", "m", "--channel", "slak"), "did you mean 'slack'"),
        (("alert", "x"), "--message"),
        (("diagnose", "pin"), "did you mean 'ping'"),
        (("diagnose", "ping", "--lookback", "soon"), "expected a duration"),
        (("report", "--service", "nobody"), "nobody"),
        (("chek",), "No such command"),
    ],
)
def test_wrong_use_exits_2_and_says_what_was_expected(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    done = greenwall(folder, *arguments)
    assert done.exit_code == 2, done.output
    assert says in done.output


def test_diagnose_answers_by_rules_and_says_so(folder: Path) -> None:
    done = greenwall(folder, "diagnose", "ping", "--evidence")
    assert done.exit_code == 0, done.output
    assert "rule-based" in done.output.lower()


def test_report_without_results_says_that_nothing_was_watched(folder: Path) -> None:
    done = greenwall(folder, "report")
    assert done.exit_code == 0 and "Nothing was watched" in done.output
    assert done.output.splitlines()[0].endswith(" IST"), "in the zone of the file"
    assert json.loads(greenwall(folder, "report", "--json").output)["services"] == []


def test_demo_on_a_taken_port_says_so(folder: Path, demo: DemoServer) -> None:
    port = demo.base_url.rpartition(":")[2]
    done = greenwall(folder, "demo", "--port", port)
    assert done.exit_code == 1 and port in done.output
