"""Every page on empty, live and damaged data, by Streamlit's AppTest: no exception, and the state that is designed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from monitor import charts
from monitor.alerts import AlertBook, AlertEvent, What
from monitor.config import Match, load_config
from monitor.history import pings
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
from monitor.model import Finding, Flag, Kind, Outcome, Result, Severity, Status
from monitor.pings import Ping, Signal
from monitor.silences import make
from monitor.state import Rules, advance, unchecked
from monitor.ui import alertacts, frame
from monitor.ui.shared import views
from monitor.units import from_rfc3339, to_rfc3339, utc_now
from monitor.web.operator import Visitor
from tests.conftest import fill_disk_under

ROOT = Path(__file__).resolve().parents[1]
MAIN = ROOT / "monitor" / "ui" / "main.py"
PAGES = ["board", "check", "results", "uptime", "alerts", "silences", "diagnose"]
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


def markup_of(app: AppTest) -> str:
    return "\n".join(part.proto.body for part in app.get("html") if "<style>" not in part.proto.body)


def words(app: AppTest) -> str:
    parts = [*app.title, *app.markdown, *app.text, *app.caption, *app.info, *app.error, *app.warning, *app.subheader]
    return "\n".join(str(part.value) for part in parts)


def is_marked_up(app: AppTest) -> bool:
    """Return whether hostile text came in as markup: HTML as such, or in Markdown without a backslash before it."""
    parts = [*app.markdown, *app.caption, *app.info, *app.error, *app.warning, *app.success]
    return "<img" in markup_of(app) or any(re.search(r"(?<!\\)<img", str(part.value)) for part in parts)


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
    assert "<bdi>$.ok</bdi>" in markup_of(app) and "<bdi>true</bdi>" in markup_of(app)
    assert HOSTILE in [text.value for text in app.text], "shown as it is, in an element that renders no markup"


def test_check_with_an_unknown_name_says_so_and_shows_no_other_check(folder: Path) -> None:
    write(folder)
    app = open_page("check", name="dbb")
    assert "No check is called" in words(app) and "Did you mean" in words(app)
    assert 'href="check?name=db"' in markup_of(app)
    assert app.title[0].value == "Check" and "Expected and got" not in words(app) and not app.button
    app = open_page("diagnose", name="dbb")
    assert "No check is called" in words(app) and not app.button


def test_check_without_a_name_lets_one_choose_and_suggests_the_worst(folder: Path) -> None:
    write(folder)
    app = open_page("check")
    assert app.selectbox[0].value is None and "Worst now" in words(app)
    assert re.findall(r'href="check\?name=(\w+)"', markup_of(app)) == ["db"]
    app.selectbox[0].set_value("web").run()
    assert app.title[0].value == "web" and app.query_params["name"] in ("web", ["web"])


def test_the_worst_is_told_by_status_and_severity_and_what_rests_comes_last(folder: Path) -> None:
    bad = ("alpha", "beta", "gamma", "delta")
    write(folder)
    path = folder / "data" / "state.json"
    state = orjson.loads(path.read_bytes())
    db = state["checks"]["db"]
    state["checks"] = {name: db | {"severity": "P3"} for name in bad}
    state["checks"]["gamma"]["severity"] = "P1"
    state["checks"]["alpha"] |= {"severity": "P1", "flags": ["maintenance"]}
    path.write_bytes(orjson.dumps(state))
    said = markup_of(open_page("check"))
    assert re.findall(r"check\?name=(\w+)", said) == ["gamma", "beta", "delta", "alpha"]


def test_a_visitor_is_told_what_logging_in_is_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONITOR_PASSWORD", "s3cr3t-of-the-operator")
    monkeypatch.setattr(frame, "visitor", lambda: Visitor("192.0.2.7", {"host": "wall"}))
    write(folder)
    for name, act in (("check", "run, pause or diagnose"), ("alerts", "acknowledge or resolve"), ("diagnose", "ask")):
        assert f"Log in as the operator to {act}" in words(open_page(name, name="db")), name


def test_hostile_text_is_escaped_wherever_it_is_markdown(folder: Path) -> None:
    write(folder)
    for name in ("check", "alerts", "diagnose"):
        app = open_page(name, name="db")
        for part in [*app.markdown, *app.caption, *app.info, *app.error, *app.warning]:
            assert "<img" not in str(part.value), (name, part.value)
        assert "<img" not in markup_of(app)


EVERY_KIND = """\
checks:
  - {name: gate, type: tcp, host: 127.0.0.1, port: 9, owner: net team}
  - {name: shop, type: http, url: "http://me:pa55word@127.0.0.1:1/x?token=s3cr3t#part", depends_on: [gate], tags: [t]}
  - {name: both, type: group, members: [gate, shop, beat]}
  - {name: beat, type: heartbeat, key: s3cr3t-key-of-the-job, period: 1h, grace: 10m, methods: post}
  - name: walk
    type: steps
    steps: [{name: log in, url: "http://127.0.0.1:1/"}, {name: pay, url: "http://127.0.0.1:1/pay"}]
  - {name: lock, type: tls, host: 127.0.0.1}
  - {name: mails, type: queue, url: "http://me:pa55word@127.0.0.1:1", queue: mail, crit_depth: 5}
"""
NAMES = ("gate", "shop", "both", "beat", "walk", "lock", "mails")


def put(folder: Path, **seen: tuple[Outcome, ...]) -> None:
    """Write these verdicts, a minute apart, and the checks of EVERY_KIND as they are after them."""
    (folder / "checks.yaml").write_text(EVERY_KIND)
    checks = load_config(folder / "checks.yaml").checks
    now = utc_now()
    log, entries = ResultLog(folder / "data" / "results"), []
    for name in NAMES:
        state = unchecked(now)
        for ago, outcome in enumerate(reversed(seen.get(name, ()))):
            result = Result(now - timedelta(minutes=len(seen[name]) - ago), name, outcome, covers_s=60.0)
            log.add(result)
            state, _ = advance(state, result, Rules(fail_after=1))
        check = checks[name]
        entries.append(CheckEntry(name, check.type, "Shop", (), Severity.P2, 60.0, 200.0, state, owner=check.owner))
    log.flush()
    log.close()
    snapshot = Snapshot(updated_at=now, checker=CheckerInfo(1, now, now, timezone="Asia/Kolkata"))
    replace_file(folder / "data" / "state.json", snapshot_json(snapshot, map(entry_json, entries)))


def fails(kind: Kind = Kind.CONNECT, message: str = "refused", **more: Any) -> tuple[Outcome, ...]:
    return (Outcome(Status.FAIL, kind, message, **more),)


@pytest.mark.parametrize("name", ["shop", "both", "beat", "walk"])
def test_a_check_of_any_kind_that_was_never_looked_at_has_its_page(folder: Path, name: str) -> None:
    put(folder)
    app = open_page("check", name=name)
    said = words(app) + markup_of(app) + "".join(code.value for code in app.code)
    assert "not checked yet" in said
    for secret in ("s3cr3t", "pa55word"):
        assert secret not in said


def test_check_says_what_it_looks_at_and_who_is_to_be_asked(folder: Path) -> None:
    put(folder, gate=(Outcome(Status.OK, None, "connected"),))
    assert "owner net team" in words(open_page("check", name="gate"))
    assert "<bdi>127.0.0.1:9</bdi>" in markup_of(open_page("check", name="gate"))
    assert "<bdi>http://127.0.0.1:1/x?token=…</bdi>" in markup_of(open_page("check", name="shop"))


def test_check_names_what_changed_since_it_was_well(folder: Path) -> None:
    well = Outcome(Status.OK, None, "200", code=200, observed={"address": "10.0.0.1", "server": "a"})
    bad = Outcome(Status.FAIL, Kind.STATUS, "502", code=502, observed={"address": HOSTILE, "server": "a"})
    put(folder, shop=(bad, well))
    app = open_page("check", name="shop")
    assert "What changed" in words(app) and "Last good" in words(app) and "first bad" in words(app)
    for text in ("Code", "200", "502", "Address", "10.0.0.1"):
        assert f"<bdi>{text}</bdi>" in markup_of(app), text
    assert "<img" not in markup_of(app)
    put(folder, shop=fails())
    assert "No good verdict since the checker started" in words(open_page("check", name="shop"))


def test_a_group_lists_its_members_the_worst_first_with_links(folder: Path) -> None:
    bad = (Outcome(Status.FAIL, Kind.CONNECT, "1 of 3 members are up", findings=(Finding("shop", "OK", "FAIL"),)),)
    put(folder, both=bad, shop=fails(message=HOSTILE), gate=(Outcome(Status.OK, None, "connected"),))
    app = open_page("check", name="both")
    assert "1 of 3 are up now" in words(app)
    links = re.findall(r'href="check\?name=(\w+)"', markup_of(app))
    assert links == ["shop", "beat", "gate"]
    assert "Expected and got" not in words(app), "the members tell it"
    assert "<img" not in markup_of(app)
    parents = open_page("check", name="shop")
    assert re.findall(r'href="check\?name=(\w+)"', markup_of(parents)) == ["gate", "both"]
    assert "Depends on" in words(parents) and "Part of" in words(parents)
    (folder / "checks.yaml").write_text("checks: [")
    known = re.findall(r'href="check\?name=(\w+)"', markup_of(open_page("check", name="both")))
    assert known == ["shop", "beat", "gate"], "the last good configuration goes on"


def test_a_heartbeat_says_when_it_was_heard_and_how_to_be_heard_but_not_its_key(folder: Path) -> None:
    put(folder, beat=fails(Kind.STATUS, observed={"state": "down", "due_at": "2026-11-21T06:56:24.560Z", "run_s": 5.0}))
    assert "No ping has come yet" in words(open_page("check", name="beat"))
    pings.append(folder / "data", "beat", Ping(utc_now(), Signal.FAIL, exit_status=2, body=HOSTILE, source="10.0.0.9"))
    app = open_page("check", name="beat")
    for text in ("2026-11-21 12:26:24 IST", "2026-11-21 12:36:24 IST", "fail, exit status 2", "10.0.0.9", "5 s"):
        assert text in markup_of(app), text
    [line] = [code.value for code in app.code]
    assert line.startswith("curl -fsS") and line.endswith("/ping/<key>") and "-X POST" in line
    assert "s3cr3t" not in words(app) + markup_of(app) + line
    assert "<img" not in markup_of(app)


def test_a_walk_shows_what_became_of_each_step_also_of_those_not_reached(folder: Path) -> None:
    steps = {"log in": {"status": "FAIL", "code": 403, "ms": 12.5, "connect": 2.0, "ttfb": 9.0}}
    put(folder, walk=fails(Kind.STATUS, code=403, observed={"steps": steps}))
    app = open_page("check", name="walk")
    assert "Steps" in words(app)
    for text in ("log in", "✕ FAIL", "403", "12 ms", "pay", "not run"):
        assert f"<bdi>{text}</bdi>" in markup_of(app), text


def test_certificates_phases_and_figures_are_shown_where_there_are_any(folder: Path) -> None:
    observed = {"address": "10.0.0.1", "cert_days": 9.4, "cert_subject": f"CN={HOSTILE}", "cert_issuer": "CN=R3"}
    slow = Outcome(Status.WARN, Kind.TLS, "soon", 7.0, {"dns": 1.0, "tls": 5.0, "total": 7.0}, observed=observed)
    put(
        folder, lock=(slow,), mails=(Outcome(Status.OK, None, "3 waiting", 1.0, {"total": 1.0}, observed={"depth": 3}),)
    )
    app = open_page("check", name="lock")
    assert "ends in 9 days" in words(app) and "<bdi>CN=R3</bdi>" in markup_of(app)
    assert "name 1.0 ms · TLS 5.0 ms · rest 1.0 ms" in words(app).replace("\\", "")
    assert "<img" not in markup_of(app)
    app = open_page("check", name="mails")
    assert [(one.label, one.value) for one in app.metric] == [("Depth", "3")]
    assert "Where the time went" not in words(app) and "Certificate" not in words(app)


def test_what_holds_an_alert_back_is_said(folder: Path) -> None:
    put(folder, shop=fails(), gate=(Outcome(Status.UNKNOWN, Kind.VANTAGE, "Greenwall cannot see: x"),))
    path = folder / "data" / "state.json"
    state = orjson.loads(path.read_bytes())
    state["checks"]["shop"]["note"] = f"parent {HOSTILE} is down"
    state["checks"]["gate"]["flags"] = ["flapping"]
    path.write_bytes(orjson.dumps(state))
    app = open_page("check", name="shop")
    assert "No alert opens for this now" in words(app)
    assert "parent \\<img" in app.info[0].value, "no markup"
    app = open_page("check", name="gate")
    assert "says nothing of the target" in words(app) and "It flaps" in words(app)
    app = open_page("alerts")
    assert [expander.label for expander in app.expander] == ["1 failing without an alert"]
    assert "parent &lt;img" in markup_of(app)


def test_hostile_facts_are_bounded_and_escaped(folder: Path) -> None:
    observed = {"body": HOSTILE * 5_000, HOSTILE: {HOSTILE: [HOSTILE] * 500}, "findings": "no list", "steps": [1]}
    observed |= {"members": {HOSTILE: "FAIL"}, "cert_days": "x", "changed": 3, "state": {"a": 1}}
    for name in ("beat", "both", "walk"):
        put(
            folder,
            **{name: (Outcome(Status.OK, None, HOSTILE, phases_ms={HOSTILE: 1.0, "x": 2.0}, observed=observed),)},
        )
        app = open_page("check", name=name)
        assert "<img" not in markup_of(app)
        assert len(markup_of(app)) < 60_000


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
    assert list(table.index) == ["db", "web"], "trouble first"
    assert table.loc["web", "uptime"] == "100 %"
    assert "Down, sum of 2 checks" in [metric.label for metric in app.metric]
    assert re.fullmatch(r"\d\.\d\d %", table.loc["web", "watched"])
    assert table.loc["db", "down"] == "10 m"
    assert "FAIL is down" in words(app)
    app.text_input[0].set_value("web").run()
    assert list(app.dataframe[0].value["check"]) == ["web"]
    app.text_input[0].set_value("nothing like it").run()
    assert "No check matches" in words(app)


def test_one_slow_answer_of_sixty_is_neither_the_median_nor_the_95th_percentile(folder: Path) -> None:
    write(folder)
    log = ResultLog(folder / "data" / "results")
    log.add(Result(utc_now(), "web", Outcome(Status.WARN, Kind.SLOW, "slow", 5000.0), covers_s=1.0))
    log.flush()
    log.close()
    app = open_page("uptime")
    for span in ("24 h", "7 days", "30 days"):
        app.button_group[0].set_value([span]).run()
        row = app.dataframe[0].value.set_index("check").loc["web"]
        assert (row["median"], row["p95"]) == ("3 ms", "3 ms"), span
        assert "within 1 %" in words(app)
        assert "Latency" in [heading.value for heading in app.subheader]


def test_a_cell_of_the_uptime_has_the_colour_of_the_worst_that_it_saw() -> None:
    hour, since = 3600.0, utc_now().replace(minute=0, second=0, microsecond=0)
    seen = [("web", since, "FAIL", 10.0), ("web", since, "OK", 3590.0)]
    seen.append(("web", since + timedelta(hours=1), "OK", 1800.0))
    seconds = pd.DataFrame(seen, columns=["name", "bucket", "status", "seconds"])
    until = since + timedelta(hours=3)
    shares = charts.bucket_shares(seconds, ["web"], since, until, hour, "UTC")
    chart = charts.uptime_bars(shares, ["web"], charts.clock_span(since, until, "UTC"), charts.DARK).to_dict()
    [cells] = chart["datasets"].values()
    assert [cell["status"] for cell in cells] == ["FAIL", "OK", charts.NOT_WATCHED]
    assert (cells[0]["down"], cells[0]["up"]) == (10.0, 3590.0)


def test_the_charts_of_a_check_have_the_whole_of_the_time_that_was_chosen(folder: Path) -> None:
    write(folder)
    until = utc_now()
    span = charts.clock_span(until - timedelta(hours=6), until, "UTC")
    results = views().results(until - timedelta(hours=6), until, "db")
    strip = charts.status_strip(results, "UTC", span, charts.DARK).to_dict()
    latency = charts.latency_chart(results, "UTC", span, 60.0, charts.DARK).to_dict()
    assert strip["encoding"]["x"]["scale"]["domain"] == [str(at) for at in span]
    assert all(layer["encoding"]["x"]["scale"] == strip["encoding"]["x"]["scale"] for layer in latency["layer"])


def test_alerts_are_acknowledged_with_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("alerts")
    assert "nobody has it yet" in words(app)
    app.text_input(key="note-a-1").set_value("on it")
    app.button(key="ack-a-1").click().run()
    [(_, command)] = list(waiting(folder / "data" / "inbox"))
    assert (command.verb.value, command.target, command.options) == ("acknowledge", "a-1", {"note": "on it"})


def opened(number: int, severity: str, ago_s: float, resource: str) -> AlertEvent:
    data = {"resource": resource, "source": "check", "title": f"{resource} fails", "message": "refused"}
    more = {"severity": severity, "category": "SYSTEM", "kind": "connect", "runbook": None}
    return AlertEvent(utc_now() - timedelta(seconds=ago_s), What.OPENED, f"b-{number}", note="", data=data | more)


def test_alerts_stand_worst_and_unacknowledged_first_and_are_found(folder: Path) -> None:
    write(folder)
    events = [opened(n, "P3", 60 - n / 10, f"web {n}") for n in range(300)]
    events += [opened(300, "P1", 3000, "pay"), opened(301, "P1", 4000, "login")]
    events.append(AlertEvent(utc_now(), What.ACKNOWLEDGED, "b-300", by="ada"))
    writer = JsonlWriter(folder / "data" / "alerts.jsonl")
    writer.append([to_line(event.to_json()) for event in events])
    writer.close()
    app = open_page("alerts")
    labels = [expander.label for expander in app.expander]
    assert ["login" in labels[0], "pay" in labels[1], "db" in labels[2], "web 299" in labels[3]] == [True] * 4
    assert "The first 50 of 303" in words(app)
    app.text_input(key="search-open").set_value("shop").run()
    assert ["db" in expander.label for expander in app.expander][:1] == [True], "its group is Shop"
    app.text_input(key="search-open").set_value("web 17").run()
    assert any("web 17 " in expander.label for expander in app.expander)
    app.text_input(key="search-open").set_value("nothing like it").run()
    assert "No alert matches" in words(app)


def test_the_closed_row_of_an_alert_says_why_nobody_is_told(folder: Path) -> None:
    write(folder)
    now = utc_now()
    names = ("taken", "later", "web", "worse", "asleep", "told")
    events = [opened(n, "P3", 60, name) for n, name in enumerate(names)]
    events += [
        AlertEvent(now, What.ACKNOWLEDGED, "b-0", by=HOSTILE),
        AlertEvent(now, What.SUPPRESSED, "b-1", by="ann", data={"until": to_rfc3339(now + timedelta(hours=1))}),
        AlertEvent(now, What.NOT_TOLD, "b-3", note="alert b-9 of worse is open and worse (P1)"),
    ]
    queue = {"event": "first_fail", "channel": "slack", "bucket": "all", "batch": ""}
    waits = {"not_before": to_rfc3339(now + timedelta(days=3))}
    events += [
        AlertEvent(now, What.QUEUED, "b-4", data=queue | waits),
        AlertEvent(now, What.QUEUED, "b-5", data=queue),
    ]
    put_alerts(folder, *events)
    put_silence(folder, "web", 1)
    app = open_page("alerts")
    labels = {name: next(one.label for one in app.expander if f"**{name} fails**" in one.label) for name in names}
    assert "taken by \\<img" in labels["taken"]
    assert re.search(r"suppressed until\s(\w+ \d+ \w+ )?\d\d\\:\d\d", labels["later"])
    assert re.search(r"silenced until\s(\w+ \d+ \w+ )?\d\d\\:\d\d", labels["web"])
    assert "nobody is told\\: alert b\\-9 of worse is open and worse" in labels["worse"]
    assert re.search(r"quiet hours until\s\w+ \d+ \w+ \d\d\\:\d\d", labels["asleep"])
    assert re.search(r"told fails\*\* :gray\[for[ms\d\s]+\]$", labels["told"])


def test_what_nobody_is_told_of_is_not_asked_for_loudly(folder: Path) -> None:
    write(folder)
    assert "**nobody has it yet**" in words(open_page("alerts"))
    put_alerts(folder, told(1, What.NOT_TOLD, "silenced by ann (s-1)"))
    app = open_page("alerts")
    assert "nobody has it yet" in words(app) and "**nobody has it yet**" not in words(app)


def test_what_still_fails_after_a_person_resolved_it_is_said_wherever_it_stands(folder: Path) -> None:
    write(folder)
    put_alerts(folder, told(490, What.RESOLVED, "known", by="ann", still="FAIL"))
    path = folder / "data" / "state.json"
    state = orjson.loads(path.read_bytes())
    note = "resolved by ann; nobody is told until it has been well again"
    state["checks"]["db"]["note"] = note
    path.write_bytes(orjson.dumps(state))
    assert f"db still fails: {note}." in [
        one.value.replace("\\", "") for one in open_page("alerts", alert="a-1").warning
    ]
    app = open_page("alerts")
    assert "1 failing without an alert" in [expander.label for expander in app.expander]
    assert note in markup_of(app)
    app = open_page("alerts", tab="Past")
    assert "it still failed then" in words(app)
    assert f"No alert opens for this now: {note}." in [one.value for one in open_page("check", name="db").info]
    # It was well since: another outage is another alert's.
    state["checks"]["db"]["since"] = to_rfc3339(utc_now())
    path.write_bytes(orjson.dumps(state))
    assert not open_page("alerts", alert="a-1").warning


def test_an_alert_says_what_its_check_says_now_beside_what_it_said_at_the_opening(folder: Path) -> None:
    write(folder)
    app = open_page("alerts", alert="a-1")
    assert "At opening" not in words(app), "it says the same"
    path = folder / "data" / "state.json"
    state = orjson.loads(path.read_bytes())
    state["checks"]["db"] |= {"message": "0 of 20 members are up: a FAIL", "type": "group"}
    bad = {"at": to_rfc3339(utc_now()), "facts": {"members_down": 20, "members_in_all": 20}}
    state["checks"]["db"] |= {"first_bad": bad}
    path.write_bytes(orjson.dumps(state))
    app = open_page("alerts", alert="a-1")
    assert app.title[0].value == "db answers wrongly (now 20 of 20)"
    texts = [one.value for one in app.text]
    assert texts == [f"At opening: {HOSTILE}", "Now: 0 of 20 members are up: a FAIL"]
    [label] = [one.label for one in open_page("alerts").expander if "db answers wrongly" in one.label]
    assert "**db answers wrongly (now 20 of 20)**" in label


def test_what_was_seen_once_has_no_last_time(folder: Path) -> None:
    write(folder)
    assert "First seen" in markup_of(open_page("alerts", alert="a-1"))
    assert "Last seen" not in markup_of(open_page("alerts", alert="a-1"))
    put_alerts(folder, told(6, What.SEEN, times=4))
    assert "Last seen" in markup_of(open_page("alerts", alert="a-1"))


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


def put_alerts(folder: Path, *events: AlertEvent) -> None:
    writer = JsonlWriter(folder / "data" / "alerts.jsonl")
    writer.append([to_line(event.to_json()) for event in events])
    writer.close()


def told(second: float, what: What, note: str = "", by: str = "checker", **data: Any) -> AlertEvent:
    return AlertEvent(utc_now() - timedelta(seconds=500 - second), what, "a-1", by, note, data)


def test_one_alert_is_told_from_near_with_who_was_told_and_who_was_not(folder: Path) -> None:
    write(folder)
    key = "a-1:first_fail:slack"
    put_alerts(
        folder,
        told(0, What.ROUTED, "route rest; left out: email: not set: SMTP_HOST", routes=["rest"]),
        told(0, What.QUEUED, event="first_fail", channel="slack", bucket="rest", batch="k"),
        told(1, What.FAILED, f"{HOSTILE}; again in 5 s", key=key, channel="slack", event="first_fail"),
        told(6, What.SEEN, times=4, metadata={"cpu": 93, HOSTILE: HOSTILE}),
        told(7, What.ACKNOWLEDGED, HOSTILE, by="ada"),
    )
    app = open_page("alerts", alert="a-1")
    said = markup_of(app)
    for text in ("… slack", "that it broke", "– console", "route rest does not name it", "acknowledged: &lt;img"):
        assert text in said, text
    assert "failed once before" in said and "seen again, 4 times" in said and "<bdi>CPU</bdi>" in said
    assert not is_marked_up(app)
    assert app.button(key="end-a-1") and app.button(key="suppress-a-1") and app.button(key="silence-a-1")
    assert "taken by ada" in words(app)


def test_an_address_of_an_alert_that_is_not_known_says_so(folder: Path) -> None:
    write(folder)
    app = open_page("alerts", alert=HOSTILE)
    assert "No alert has the id" in words(app) and not app.button
    assert "not known any more" in words(open_page("silences", alert="a-9"))


def commands_of(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    return [(one.verb.value, one.target, dict(one.options)) for _, one in waiting(folder / "data" / "inbox")]


def test_an_alert_is_suppressed_for_a_time_with_a_note(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("alerts", alert="a-1")
    app.text_input(key="note-a-1").set_value("known")
    app.button(key="suppress-a-1").click().run()
    [(verb, target, options)] = commands_of(folder)
    assert (verb, target, options["note"]) == ("suppress", "a-1", "known")
    assert 3500 < (from_rfc3339(options["until"]) - utc_now()).total_seconds() <= 3600


def test_the_ends_of_a_suppression_are_in_the_zone_that_people_read() -> None:
    now = datetime(2026, 10, 24, 22, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert alertacts.ending("15 min", now) == now + timedelta(minutes=15)
    morning = alertacts.ending(alertacts.TOMORROW, now)
    assert morning is not None and (morning.day, morning.hour, str(morning.utcoffset())) == (25, 9, "1:00:00")
    assert alertacts.ending(alertacts.AT, now) is None


def test_only_the_tab_that_is_looked_at_is_drawn(folder: Path) -> None:
    write(folder)
    app = open_page("alerts")
    assert [tab.label for tab in app.tabs] == ["Open", "Past", "Patterns", "Channels", "Send an alert"]
    assert not app.metric and not app.text_area


def page_of(draw: str) -> AppTest:
    """Run one part of a page, as its tab does."""
    module, function = draw.split(".")
    script = f"from monitor.ui import frame, {module}\n{module}.{function}(frame.open_page('x'))\n"
    app = AppTest.from_string(script, default_timeout=30).run()
    assert not app.exception, app.exception
    return app


def test_patterns_tell_how_many_when_and_what_would_help(folder: Path) -> None:
    write(folder)
    for day in range(1, 5):
        begin = utc_now() - timedelta(days=day)
        data = {"resource": "db", "source": "check", "title": "db fails", "message": "m", "severity": "P2"}
        event = AlertEvent(begin, What.OPENED, f"p-{day}", data=data | {"category": "SYSTEM", "type": "tcp"})
        over = AlertEvent(begin + timedelta(minutes=2), What.RESOLVED, f"p-{day}", note=HOSTILE)
        put_alerts(folder, event, over)
    app = page_of("patterns.show")
    figures = {one.label: one.value for one in app.metric}
    assert (figures["Alerts"], figures["Most common"], figures["Mean time to resolve"]) == ("5", "tcp", "2 m")
    assert "5 alerts opened in the last 7 days" in words(app).replace("\\", "")
    assert 'href="check?name=db"' in markup_of(app) and "over by themselves" in markup_of(app)


def test_patterns_of_nothing_say_so(folder: Path) -> None:
    write(folder)
    (folder / "data" / "alerts.jsonl").unlink()
    assert "No alert opened in this time" in words(page_of("patterns.show"))


def test_channels_show_how_they_do_and_a_test_is_asked_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    path = folder / "data" / "state.json"
    state = orjson.loads(path.read_bytes())
    state["channels"]["console"] |= {"sent": 3, "delay_s": 1.5, "failed": 1, "trouble": HOSTILE}
    path.write_bytes(orjson.dumps(state))
    app = page_of("channeldesk.show")
    said = words(app)
    assert "3 sent · 1 failed · 0 waiting · 500 ms from queued to sent" in said and "✕ fails" in said
    assert "SLACK\\_WEBHOOK\\_URL" in said and not is_marked_up(app)
    assert "orders-db" in app.code[0].value, "a preview"
    app.button(key="test-console").click().run()
    assert commands_of(folder) == [("test", "console", {})]


def test_a_full_disk_is_said_by_a_button_with_what_to_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder)
    fill_disk_under("inbox", monkeypatch)
    app = page_of("channeldesk.show")
    app.button(key="test-console").click().run()
    assert not app.exception
    assert app.error[0].value.endswith("nothing was done. Free space there, then try again.")


def test_channels_that_are_not_configured_are_folded_and_can_be_asked_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    assert [one.label for one in page_of("channeldesk.show").expander] == ["1 not configured"]
    app = page_of("channeldesk.send_by_hand")
    [configured, missing] = app.button_group
    assert ([*configured.options], [*missing.options]) == (["console"], ["slack"])
    assert [one.label for one in app.expander] == ["1 not configured"]
    configured.set_value(["console"])
    missing.set_value(["slack"])
    app.selectbox[0].set_value("db")
    app.text_area[0].set_value("move")
    app.button[0].click().run()
    assert commands_of(folder)[0][2]["channels"] == ["console", "slack"]


PLANNED = """\
maintenance:
  - {name: nightly, match: {name: "d*"}, hours: [{from: "02:00", to: "03:00"}], note: backup}
on_call:
  - {name: primary, begins: 2026-01-05, rota: [ann, bob], people: {ann: [console], bob: [console]}}
checks:
  - {name: web, type: http, url: http://127.0.0.1:1/}
  - {name: db, type: http, url: http://127.0.0.1:1/}
"""


def put_silence(folder: Path, name: str, hours: float, **more: Any) -> str:
    now = utc_now()
    made = make(Match(name=(name,)), now, now + timedelta(hours=hours), "ada", HOSTILE, now, **more)
    writer = JsonlWriter(folder / "data" / "silences.jsonl")
    writer.append([to_line(made.to_json())])
    writer.close()
    return made.silence


def test_silences_that_hold_and_that_come_are_listed_and_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    (folder / "checks.yaml").write_text(PLANNED)
    own = put_silence(folder, "w*", 1, is_maintenance=True)
    app = open_page("silences")
    said = words(app)
    assert "Now (1)" in said or "Now (2)" in said, "the night's maintenance may hold while this runs"
    assert "covers 1 check" in said and re.search(r"ends in (1 h|59 m)", said)
    assert "planned as nightly: it is ended there" in said
    assert not is_marked_up(app)
    app.button(key=f"end-{own}").click().run()
    assert commands_of(folder) == [("end_silence", own, {"note": ""})]


def test_the_form_counts_whom_it_means_and_refuses_to_mean_everything(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("silences")
    [make_it] = [button for button in app.button if "Make this" in button.label]
    assert make_it.disabled and "it would mean everything" in words(app)
    app = open_page("silences", check="db")
    assert "Covers 1 check**: db" in words(app)
    [make_it] = [button for button in app.button if "Make this" in button.label]
    make_it.click().run()
    [(verb, _, options)] = commands_of(folder)
    assert (verb, options["match"], options["maintenance"]) == ("silence", {"name": ["db"]}, False)
    assert 3500 < (from_rfc3339(options["until"]) - utc_now()).total_seconds() <= 3600


def test_the_form_says_what_nobody_has(folder: Path) -> None:
    write(folder)
    (folder / "checks.yaml").write_text(PLANNED.replace("name: web,", "name: web, tags: [edge],"))
    app = open_page("silences")
    [names, *_] = [one for one in app.multiselect if one.label == "Name"]
    names.set_value(["wep"]).run()
    said = words(app).replace("\\", "")
    assert "No check is called 'wep' (did you mean 'web'?)." in said and "Covers 0 checks" in said
    [make_it] = [button for button in app.button if "Make this" in button.label]
    assert not make_it.disabled


def test_the_form_of_an_alert_holds_until_it_is_over(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.commands.outcome", lambda *_: None)
    write(folder)
    app = open_page("silences", alert="a-1")
    assert "For alert **db answers wrongly**" in words(app) and "At most 7 d" in words(app)
    next(button for button in app.button if "Make this" in button.label).click().run()
    [(_, _, options)] = commands_of(folder)
    assert (options["until"], options["until_resolved"]) == (None, "a-1")


def test_a_file_that_was_never_valid_does_not_read_as_if_nobody_were_on_call(folder: Path) -> None:
    write(folder)
    (folder / "checks.yaml").write_text("checks: [")
    for page, unknown in (("silences", "what it plans is"), ("on_call", "who is on call is")):
        said = words(page_of(f"calendar.{page}"))
        assert f"checks.yaml is invalid: {unknown} not known" in said
        assert "Nobody is on call" not in said and "Nothing is planned" not in said


def test_the_calendar_and_who_is_on_call(folder: Path) -> None:
    write(folder)
    assert "Nothing is planned" in words(page_of("calendar.silences"))
    assert "Nobody is on call" in words(page_of("calendar.on_call"))
    (folder / "checks.yaml").write_text(PLANNED)
    put_silence(folder, "web", 30)
    said = markup_of(page_of("calendar.silences"))
    assert said.count("<bdi>nightly</bdi>") in (14, 15) and "<bdi>name web</bdi>" in said and "<img" not in said
    app = page_of("calendar.on_call")
    assert "is on call now" in words(app) and markup_of(app).count("by rota") in (4, 5)


def test_a_check_in_maintenance_says_until_when_and_lists_its_alerts(folder: Path) -> None:
    write(folder)
    put_silence(folder, "db", 1, is_maintenance=True)
    put_alerts(folder, told(0, What.RESOLVED, "restarted the pool", by="ada"))
    app = open_page("check", name="db")
    assert "this time does not count as down" in words(app)
    assert "restarted the pool" in words(app) and "RESOLVED" in words(app)
    assert not is_marked_up(app)


def test_the_end_of_a_silence_is_told_calmly(folder: Path) -> None:
    write(folder, notices=(Notice("info", "silence s-1 (name shop-*) has ended: what is open was told", ("rack",)),))
    app = open_page("alerts")
    assert ["shop\\-\\*" in info.value for info in app.info] == [True] and not app.warning


def test_time_in_maintenance_is_drawn_and_counted_as_such(folder: Path) -> None:
    write(folder)
    log, now = ResultLog(folder / "data" / "results"), utc_now()
    down = Outcome(Status.FAIL, Kind.CONNECT, "refused", 1.0)
    log.add(Result(now, "web", down, covers_s=50.0, flags=(Flag.MAINTENANCE,)))
    log.flush()
    log.close()
    app = open_page("uptime")
    table = app.dataframe[0].value.set_index("check")
    assert (table.loc["web", "maintenance"], table.loc["web", "down"]) == ("50 s", "0 s")
    assert "Maintenance, sum of 2 checks" in [metric.label for metric in app.metric]
    results = views().results(now - timedelta(hours=1), now, "web")
    assert list(charts.booked(results)["status"][:2]) == ["MAINTENANCE", "OK"]
    span = charts.clock_span(now - timedelta(hours=1), now, "UTC")
    charts.status_strip(results.iloc[:0], "UTC", span, charts.DARK).to_dict()


def test_the_heat_map_is_read_without_colour() -> None:
    week = [[0] * 24 for _ in range(7)]
    week[2][14] = 9
    for palette in (charts.DARK, charts.LIGHT):
        chart = charts.heat_map(week, palette).to_dict()
        assert [layer["mark"]["type"] for layer in chart["layer"]] == ["rect", "text"]
        assert {"day": "Wed", "hour": 14, "alerts": 9, "from": "14:00", "to": "15:00"} in next(
            iter(chart["datasets"].values())
        )
    charts.heat_map([[0] * 24] * 7, charts.DARK).to_dict()
    assert "width" in chart["layer"][1]["mark"]["angle"]["expr"], "a phone's cell is narrower than two digits"
