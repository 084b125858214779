"""Greenwall as its users start it, without a browser: the routes, the demo, commands, kill -9, two on one folder."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from monitor.history.jsonl import read_lines
from tests.conftest import Running, eventually, free_port, program, start_app, stop_app

NAMES = ["api-availability", "db-health", "queue-depth", "job", "cpu", "memory", "disk"]


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Running]:
    (tmp_path / "checks.yaml").write_text(
        f"""
demo: true
demo_port: {free_port()}
global: {{every: 300ms, retries: 0}}
checks:
  - {{name: ping, type: http, url: "{{MOCKAPP_BASE}}/api/ping", severity: P1}}
  - {{name: db, type: http, url: "{{MOCKAPP_BASE}}/db/health", expect_jsonpath: [{{path: $.ok, equals: true}}]}}
"""
    )
    running = start_app(tmp_path, free_port())
    yield running
    stop_app(running)


def test_the_shipped_wall_is_green_without_a_browser(shipped: Running) -> None:
    statuses = eventually(lambda: set(shipped.statuses().values()) == {"OK"} and shipped.statuses(), 15)
    assert list(statuses) == NAMES


def test_breaking_the_demo_turns_a_check_red_and_reset_turns_it_green(shipped: Running) -> None:
    eventually(lambda: shipped.statuses().get("db-health") == "OK")
    requests.post(shipped.demo + "/admin/faults", json={"db_slow": True}, timeout=5)
    eventually(lambda: shipped.statuses()["db-health"] == "FAIL", 4, "red within the interval of 2 s")
    requests.post(shipped.demo + "/admin/reset", timeout=5)
    eventually(lambda: shipped.statuses()["db-health"] == "OK", 4, "green within the interval of 2 s")
    log = eventually(lambda: "ENDED [P2 OK] db-health recovered" in shipped.log.read_text() and shipped.log.read_text())
    assert "ALERT [P2 FAIL] db-health answers wrongly" in log


def test_health_answers_and_says_how_old_the_heartbeat_is(shipped: Running) -> None:
    answer = shipped.get("/healthz")
    assert answer.status_code == 200 and answer.json()["ok"] is True
    assert answer.json()["heartbeat_age_s"] < 5


def test_the_board_is_served_once_and_then_not_modified(shipped: Running) -> None:
    answer = shipped.get("/api/board")
    board = answer.json()
    assert [check["name"] for check in board["checks"]] == NAMES
    assert float(answer.headers["Greenwall-Heartbeat-Age"]) < 5
    again = eventually(
        lambda: (
            (
                r := shipped.get("/api/board", headers={"If-None-Match": shipped.get("/api/board").headers["ETag"]})
            ).status_code
            == 304
            and r
        )
    )
    assert again.content == b"" and "Greenwall-Heartbeat-Age" in again.headers
    raw = requests.get(shipped.url + "/api/board", headers={"Accept-Encoding": "identity"}, timeout=5)
    assert "Content-Encoding" not in raw.headers and raw.json()["checks"]


def test_metrics_can_be_read_and_pass_promtool(shipped: Running) -> None:
    text = shipped.get("/metrics").text
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert {sample.labels["check"] for sample in families["greenwall_check_up"].samples} == set(NAMES)
    promtool = program("promtool", "prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=text.encode(), capture_output=True, timeout=30)
    assert done.returncode == 0 and not done.stdout + done.stderr


def test_unknown_api_addresses_are_404_not_a_page(shipped: Running) -> None:
    assert shipped.get("/api/v1/nosuch").status_code == 404


def test_pages_carry_headers_against_framing_and_guessing(shipped: Running) -> None:
    headers = shipped.get("/").headers
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'self'" in headers["Content-Security-Policy"]


COMMANDS = "/api/v1/commands/monitor/"


def test_health_check_records_what_diagnose_then_explains(shipped: Running) -> None:
    demo = shipped.demo
    body = {"endpoints": [f"{demo}/api/ping", f"{demo}/nosuch"], "timeout_seconds": 5}
    seen = shipped.post(COMMANDS + "health-check", body).json()
    assert (seen["total"], seen["healthy"]) == (2, 1)
    assert seen["results"][1]["status_code"] == 404
    answer = eventually(
        lambda: (r := shipped.post(COMMANDS + "diagnose", {"service_name": "nosuch"})).status_code == 200 and r.json()
    )
    assert answer["source"] == "rules" and "404" in answer["diagnosis"]


def test_health_check_without_endpoints_runs_the_configured_ones(shipped: Running) -> None:
    seen = shipped.post(COMMANDS + "health-check", {}).json()
    assert [row["endpoint"] for row in seen["results"]] == ["api-availability", "db-health", "queue-depth"]
    assert all(row["fresh"] for row in seen["results"])


def test_alert_is_sent_and_answers_with_receipts(shipped: Running) -> None:
    body = {"service_name": "httpbin", "severity": "critical", "message": "Service returned 500"}
    answer = shipped.post(COMMANDS + "alert", body)
    assert answer.status_code == 200
    assert answer.json()["channels_notified"] == ["console"]
    assert "[P1 ALERT] httpbin" in shipped.log.read_text()


def test_status_report_accounts_for_the_period(shipped: Running) -> None:
    report = shipped.post(COMMANDS + "status-report", {}).json()
    assert {service["service"] for service in report["services"]} == set(NAMES)
    for s in report["services"]:
        assert s["up_s"] + s["degraded_s"] + s["down_s"] + s["unknown_s"] == pytest.approx(86400, abs=1)


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("diagnose", {"service_name": "no-such-service"}, 404, "known:"),
        ("diagnose", {"servce_name": "x"}, 422, "service_name"),
        ("alert", {"service_name": "x", "message": "m", "severity": "P9"}, 422, "P1, P2, P3, P4"),
        ("alert", {"service_name": "x", "message": "m", "channels": ["slak"]}, 404, "did you mean 'slack'"),
        ("health-check", {"endpoints": ["file:///etc/passwd"]}, 422, "endpoints"),
        ("status-report", {"start_date": "2099-01-01"}, 404, "start_date"),
        ("status-report", {"services": ["nobody"]}, 404, "nobody"),
    ],
)
def test_wrong_bodies_are_told_what_is_wrong(
    shipped: Running, path: str, body: dict[str, object], status: int, says: str
) -> None:
    answer = shipped.post(COMMANDS + path, body)
    assert answer.status_code == status
    assert says in " ".join(answer.json()["errors"])


def test_forms_and_pages_of_other_sites_cannot_act(shipped: Running) -> None:
    url, body = shipped.url + COMMANDS + "alert", json.dumps({"service_name": "x", "message": "m"})
    form = requests.post(url, data=body, headers={"Content-Type": "text/plain"}, timeout=5)
    assert form.status_code == 415
    foreign = shipped.post(COMMANDS + "alert", {}, headers={"Origin": "http://evil.example"})
    assert foreign.status_code == 403
    proxied = shipped.post(COMMANDS + "alert", {}, headers={"X-Forwarded-For": "192.0.2.7"})
    assert proxied.status_code == 403


def test_with_a_password_the_operator_logs_in(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: []\n")
    app = start_app(tmp_path, free_port(), MONITOR_PASSWORD="open sesame")
    try:
        body = {"service_name": "x", "message": "m"}
        assert app.post(COMMANDS + "alert", body).status_code == 401
        bearer = {"Authorization": "Bearer open sesame"}
        assert app.post(COMMANDS + "alert", body, headers=bearer).status_code == 200
        session = requests.Session()
        form = {"password": "open sesame", "next": "//evil.example"}
        answer = session.post(app.url + "/operator/login", data=form, allow_redirects=False, timeout=5)
        assert answer.status_code == 303 and answer.headers["Location"] == "/"
        assert "HttpOnly" in answer.headers["Set-Cookie"] and "SameSite=strict" in answer.headers["Set-Cookie"]
        assert session.post(app.url + COMMANDS + "alert", json=body, timeout=15).status_code == 200
        wrong = requests.post(app.url + "/operator/login", data={"password": "no"}, timeout=5)
        assert wrong.status_code == 401 and "not the password" in wrong.text
        assert b"open sesame" not in b"".join(p.read_bytes() for p in tmp_path.rglob("*") if p.is_file())
    finally:
        stop_app(app)


def test_it_stops_cleanly_and_leaves_the_last_state(app: Running) -> None:
    eventually(lambda: app.statuses() == {"ping": "OK", "db": "OK"})
    app.process.send_signal(signal.SIGTERM)
    app.process.wait(10)
    state = json.loads((app.folder / "data" / "state.json").read_text())
    assert state["checks"]["ping"]["status"] == "OK"
    for path in (app.folder / "data" / "results").glob("*.jsonl"):
        assert path.read_bytes().endswith(b"\n")


def test_kill_9_breaks_no_line_and_the_open_alert_is_as_before(app: Running) -> None:
    eventually(lambda: app.statuses() == {"ping": "OK", "db": "OK"})
    requests.post(app.demo + "/admin/faults", json={"db_slow": True}, timeout=5)
    before = eventually(lambda: app.state()["alerts"])
    streak = eventually(lambda: (s := app.state()["checks"]["db"])["streak"] >= 3 and s)
    app.process.kill()
    app.process.wait(10)
    results = sorted((app.folder / "data" / "results").glob("*.jsonl"))
    with results[-1].open("ab") as file:
        file.write(b'{"at":"2026-11-21T14:00:00.000Z","name":"torn by a ki')
    again = start_app(app.folder, free_port())
    try:
        state = again.state()
        assert state["checks"]["db"]["status"] == "FAIL" or state["checks"]["db"]["since"] != streak["since"]
        lines = [line for path in results for line in path.read_bytes().splitlines()]
        assert all(json.loads(line)["name"] in ("ping", "db") for line in lines)
        events = list(read_lines(app.folder / "data" / "alerts.jsonl"))
        opened = [event for event in events if event["what"] == "opened"]
        assert [event["alert"] for event in opened] == list(before)
        # The demo is new and well, so that the alert ends, once, and the same people are told.
        eventually(lambda: again.state()["alerts"] == {})
        whats = [event["what"] for event in read_lines(app.folder / "data" / "alerts.jsonl")]
        assert whats.count("resolved") == 1 and whats.count("opened") == 1
    finally:
        stop_app(again)


def test_a_second_app_on_the_same_folder_follows_and_shows(app: Running) -> None:
    eventually(lambda: app.statuses() == {"ping": "OK", "db": "OK"})
    second = start_app(app.folder, free_port())
    try:
        assert second.statuses() == {"ping": "OK", "db": "OK"}
        assert second.state()["checker"]["pid"] == app.process.pid
        app.process.kill()
        app.process.wait(10)
        eventually(lambda: second.state()["checker"]["pid"] == second.process.pid, 20, "it takes over")
    finally:
        stop_app(second)


def test_an_old_heartbeat_is_503(tmp_path: Path, shipped: Running) -> None:
    from starlette.applications import Starlette
    from starlette.testclient import TestClient

    from monitor.config import Place
    from monitor.views import Views
    from monitor.web import Operator, make_routes

    place = Place(tmp_path / "checks.yaml", tmp_path / "data")
    client = TestClient(Starlette(routes=make_routes(Views(place), Operator())))
    assert client.get("/healthz").status_code == 503
    assert client.get("/api/board").status_code == 503
    assert client.get("/api/v1/state").status_code == 503
    state = shipped.state()
    state["checker"]["heartbeat_at"] = "2026-11-21T00:00:00.000Z"
    place.data.mkdir()
    place.state.write_text(json.dumps(state))
    answer = client.get("/healthz")
    assert answer.status_code == 503 and "heartbeat" in answer.json()["trouble"]
    assert float(client.get("/api/board").headers["Greenwall-Heartbeat-Age"]) > 60
    state["checker"]["heartbeat_at"] = "2999-11-21T00:00:00.000Z"
    place.state.write_text(json.dumps(state))
    assert client.get("/healthz").status_code == 503, "written before the clock was set back"
