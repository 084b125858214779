"""Every page on empty, live and damaged data, by Streamlit's AppTest: no exception, and the state that is designed."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from monitor.alerts import AlertBook, AlertEvent, What
from monitor.history.inbox import waiting
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.history.results import ResultLog
from monitor.history.snapshot import (
    ChannelInfo,
    CheckEntry,
    CheckerInfo,
    Notice,
    OpenAlert,
    Snapshot,
    entry_json,
    replace_file,
    snapshot_json,
)
from monitor.model import Finding, Kind, Outcome, Result, Severity, Status
from monitor.state import advance, unchecked
from monitor.ui import frame
from monitor.units import utc_now
from monitor.web.operator import Visitor

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "monitor" / "ui" / "main.py"
PAGES = ["board", "check", "results", "uptime", "alerts", "diagnose"]
HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) :red[no] $a$ `c` ~~s~~ # h"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENWALL_CONFIG", str(tmp_path / "checks.yaml"))
    monkeypatch.setenv("GREENWALL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("MONITOR_PASSWORD", raising=False)
    monkeypatch.setattr(frame, "visitor", lambda: Visitor("127.0.0.1", {"host": "localhost"}))
    (tmp_path / "checks.yaml").write_text(
        "checks:\n  - {name: web, type: http, url: http://127.0.0.1:1/}\n  - {name: db, type: http, url: http://127.0.0.1:1/}\n"
    )
    return tmp_path


def write(folder: Path, heartbeat_age_s: float = 0.0, notices: tuple[Notice, ...] = ()) -> None:
    """Write an hour of verdicts of `web` (well) and `db` (failing for ten minutes, with an open alert)."""
    now = utc_now()
    log, states = ResultLog(folder / "data" / "results"), {name: unchecked(now) for name in ("web", "db")}
    for minute in range(60, 0, -1):
        for name in states:
            is_bad = name == "db" and minute <= 10
            seen = (
                Outcome(
                    Status.FAIL,
                    Kind.CONTENT,
                    HOSTILE,
                    12.0,
                    {"dns": 1.0, "total": 12.0},
                    200,
                    (Finding("$.ok", "true", HOSTILE),),
                    {"body": HOSTILE},
                )
                if is_bad
                else Outcome(Status.OK, None, "200 in 3 ms", 3.0, {"total": 3.0}, 200)
            )
            result = Result(now - timedelta(minutes=minute), name, seen, covers_s=60.0)
            log.add(result)
            states[name], _ = advance(states[name], result)
    log.flush()
    log.close()
    opened = AlertEvent(
        now - timedelta(minutes=10),
        What.OPENED,
        "a-1",
        note="failure confirmed",
        data={
            "resource": "db",
            "source": "check",
            "title": "db answers wrongly",
            "message": HOSTILE,
            "severity": "P2",
            "category": "DATABASE",
            "kind": "content",
            "runbook": None,
        },
    )
    writer = JsonlWriter(folder / "data" / "alerts.jsonl")
    writer.append([to_line(opened.to_json())])
    writer.close()
    entries = [
        CheckEntry(name, "http", "Shop", ("eu",), Severity.P2, 60.0, 200.0, state) for name, state in states.items()
    ]
    beat = now - timedelta(seconds=heartbeat_age_s)
    snapshot = Snapshot(
        updated_at=beat,
        checker=CheckerInfo(1, now, beat, timezone="Asia/Kolkata"),
        alerts=tuple(OpenAlert.of(alert) for alert in AlertBook([opened]).open()),
        notices=notices,
        channels=(ChannelInfo("console", "console"), ChannelInfo("slack", "slack", "set SLACK_WEBHOOK_URL")),
    )
    replace_file(folder / "data" / "state.json", snapshot_json(snapshot, map(entry_json, entries)))


def open_page(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=30)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    if page != "board":
        app.switch_page(str(ROOT / "pages" / f"{page}.py"))
        app.run()
    assert not app.exception, app.exception
    return app


def words(app: AppTest) -> str:
    parts = [*app.title, *app.markdown, *app.text, *app.caption, *app.info, *app.error, *app.warning, *app.subheader]
    return "\n".join(str(part.value) for part in parts)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_without_any_data_says_what_to_start(folder: Path, name: str) -> None:
    app = open_page(name)
    if name != "board":
        assert "Nothing to show yet" in words(app) and "streamlit run app.py" in words(app)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_damaged_files_says_so_and_stands(folder: Path, name: str) -> None:
    write(folder)
    (folder / "data" / "state.json").write_text("{ torn")
    with next((folder / "data" / "results").glob("*.jsonl")).open("ab") as file:
        file.write(b'{"at": 1}\nnot json\n{"at":"2026-11')
    app = open_page(name)
    if name != "board":
        assert "cannot be read" in words(app)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_torn_results_and_alerts_shows_the_others(folder: Path, name: str) -> None:
    write(folder)
    for path in [*(folder / "data" / "results").glob("*.jsonl"), folder / "data" / "alerts.jsonl"]:
        with path.open("ab") as file:
            file.write(b'{"at": 1}\nnot json\n{"at":"2026-11')
    open_page(name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_with_no_checks_stands(folder: Path, name: str) -> None:
    beat = utc_now()
    snapshot = Snapshot(beat, CheckerInfo(1, beat, beat))
    (folder / "data").mkdir()
    replace_file(folder / "data" / "state.json", snapshot_json(snapshot, []))
    open_page(name)


@pytest.mark.parametrize("name", [page for page in PAGES if page != "board"])
def test_a_page_says_that_the_checker_is_gone_and_the_configuration_is_wrong(folder: Path, name: str) -> None:
    write(folder, heartbeat_age_s=90, notices=(Notice("error", "checks.yaml is invalid", ("checks.yaml:3: x",)),))
    app = open_page(name)
    assert "STALE" in words(app) and "checks.yaml is invalid" in words(app)
    assert any("checks.yaml:3: x" in code.value for code in app.code)


def test_board_on_the_wall_has_no_navigation(folder: Path) -> None:
    write(folder)
    app = open_page("board", wall="1")
    assert not app.caption and app.get("bidi_component")


def test_check_shows_what_was_expected_and_got_and_who_has_it(folder: Path) -> None:
    write(folder)
    app = open_page("check", name="db")
    assert app.title[0].value == "db"
    assert "✕ FAIL" in words(app) and "nobody has it yet" in words(app)
    assert list(app.dataframe[0].value["expected"]) == ["true"]
    assert HOSTILE in [text.value for text in app.text], "shown as it is, in an element that renders no markup"


def test_check_with_an_unknown_name_says_so(folder: Path) -> None:
    write(folder)
    assert "No check is called" in words(open_page("check", name="dbb"))


def test_hostile_text_is_escaped_wherever_it_is_markdown(folder: Path) -> None:
    write(folder)
    for name in ("check", "alerts", "diagnose"):
        app = open_page(name, name="db")
        for part in [*app.markdown, *app.caption, *app.info, *app.error, *app.warning]:
            assert "<img" not in str(part.value), (name, part.value)


def test_run_now_leaves_a_command_for_the_checker(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("check", name="db")
    app.button(key="run").click().run()
    [(_, command)] = list(waiting(folder / "data" / "inbox"))
    assert (command.verb.value, command.target) == ("run", "db")
    assert "No checker has taken this yet" in words(app)


def test_who_may_not_act_sees_no_buttons(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "visitor", lambda: Visitor("192.0.2.7", {"host": "wall"}))
    write(folder)
    for name in ("check", "alerts", "diagnose"):
        app = open_page(name, name="db")
        assert not app.button, name
        assert "MONITOR_PASSWORD" in words(app)


def test_results_are_filtered_by_status_and_searched(folder: Path) -> None:
    write(folder)
    app = open_page("results")
    assert len(app.dataframe[0].value) == 120
    app.text_input[0].set_value("onerror").run()
    assert set(app.dataframe[0].value["check" if "check" in app.dataframe[0].value else "name"]) == {"db"}
    app.text_input[0].set_value("nothing like it").run()
    assert "Nothing matches" in words(app)


def test_uptime_says_how_it_counts(folder: Path) -> None:
    write(folder)
    app = open_page("uptime")
    table = app.dataframe[0].value.set_index("check")
    assert table.loc["web", "uptime"] == "100 %"
    assert table.loc["db", "down"] == "10 m"
    assert "FAIL is down" in words(app)


def test_alerts_are_acknowledged_with_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("alerts")
    assert "nobody has it yet" in words(app)
    app.text_input(key="note-a-1").set_value("on it")
    app.button(key="ack-a-1").click().run()
    [(_, command)] = list(waiting(folder / "data" / "inbox"))
    assert (command.verb.value, command.target, command.options) == ("acknowledge", "a-1", {"note": "on it"})


def test_diagnose_answers_by_rules_with_its_evidence(folder: Path) -> None:
    write(folder)
    app = open_page("diagnose", name="db")
    app.button(key="start").click().run()
    assert not app.exception
    assert "rule-based" in words(app).lower()
    assert any("E1" in code.value for code in app.code)


def test_every_page_file_is_in_the_navigation() -> None:
    source = MAIN.read_text("utf-8")
    assert all(f'"{path.name}"' in source for path in (ROOT / "pages").glob("*.py"))
