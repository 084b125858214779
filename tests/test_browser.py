"""Greenwall in a real browser: the wall lives, breaks, heals and goes stale; every page stands at every width."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conftest import Running, eventually, free_port, start_app, stop_app

SIZES = {"wall": (1920, 1080), "laptop": (1440, 900), "phone": (390, 844)}
PAGES = ["", "check?name=db-health", "results", "uptime", "alerts", "silences", "diagnose"]
LONG_MS = 20_000


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    one = chromium.new_page(viewport={"width": 1440, "height": 900})
    one.set_default_timeout(LONG_MS)
    yield one
    one.close()


@pytest.fixture(autouse=True)
def healthy(shipped: Running) -> None:
    eventually(lambda: set(shipped.statuses().values()) == {"OK"}, 15, "the demo is well")


def test_the_board_is_green_and_a_fault_of_the_panel_shows_and_goes(shipped: Running, page: Any, chromium: Any) -> None:
    page.goto(shipped.url)
    page.get_by_text("All 7 well").wait_for()
    panel = chromium.new_page()
    panel.goto(shipped.demo)
    panel.get_by_role("switch", name="DB slow").click()
    page.get_by_text("1 failing").first.wait_for()
    page.get_by_text("expected < 100").first.wait_for()
    panel.get_by_role("button", name="Reset").click()
    page.get_by_text("All 7 well").wait_for()
    panel.close()


def test_the_wall_fills_the_screen_and_has_nothing_else(shipped: Running, chromium: Any) -> None:
    wall = chromium.new_page(viewport={"width": 1920, "height": 1080})
    wall.goto(shipped.url + "/?wall=1")
    wall.get_by_text("All 7 well").wait_for(timeout=LONG_MS)
    assert not wall.get_by_role("link", name="Results").is_visible()
    assert wall.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert wall.evaluate("document.documentElement.scrollWidth <= innerWidth")
    wall.close()


def test_the_wall_says_stale_when_the_server_is_gone_and_lives_again(tmp_path: Path, chromium: Any) -> None:
    port = free_port()
    checks = f"demo: true\ndemo_port: {free_port()}\nglobal: {{every: 1s, retries: 0}}\nchecks:\n"
    (tmp_path / "checks.yaml").write_text(checks + '  - {name: ping, type: http, url: "{MOCKAPP_BASE}/api/ping"}\n')
    app = start_app(tmp_path, port)
    wall = chromium.new_page(viewport={"width": 1920, "height": 1080})
    try:
        wall.goto(app.url + "/?wall=1")
        wall.get_by_text("All well").wait_for(timeout=LONG_MS)
        app.process.kill()
        app.process.wait(10)
        wall.get_by_text("STALE").first.wait_for(timeout=30_000)
        assert not wall.get_by_role("dialog").is_visible(), "nothing of Streamlit's own covers the wall"
        app = start_app(tmp_path, port)
        wall.get_by_text("All well").wait_for(timeout=30_000)
        wall.get_by_text("STALE").first.wait_for(state="hidden")
    finally:
        wall.close()
        stop_app(app)


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="this system cannot suspend a process")
def test_a_page_says_that_what_it_shows_is_old_while_the_server_hangs(tmp_path: Path, page: Any) -> None:
    (tmp_path / "checks.yaml").write_text("checks:\n  - {name: self, type: tcp, host: 127.0.0.1, port: 9, every: 5s}\n")
    app = start_app(tmp_path, free_port())
    try:
        for path in PAGES[1:]:
            page.goto(f"{app.url}/{path}")
            page.get_by_text(re.compile(r"as of \d+ s ago")).wait_for()
        os.kill(app.process.pid, signal.SIGSTOP)
        page.get_by_text(re.compile(r"No news from Greenwall for \d+ s: what you see is old")).wait_for(timeout=40_000)
        os.kill(app.process.pid, signal.SIGCONT)
        page.get_by_text("No news from Greenwall").wait_for(state="hidden", timeout=40_000)
    finally:
        os.kill(app.process.pid, signal.SIGCONT)
        stop_app(app)


def stands(page: Any, heading: str) -> None:
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    assert page.get_by_text("encountered an error").count() == 0
    assert page.get_by_text("Page not found").count() == 0


def test_every_way_from_page_to_page_leads_there(shipped: Running, page: Any) -> None:
    page.goto(shipped.url)
    page.get_by_text("All 7 well").wait_for()
    for name in ("Check", "Results", "Uptime", "Alerts", "Silences", "Diagnose"):
        page.get_by_role("link", name=name, exact=True).click()
        stands(page, name)
    page.get_by_role("link", name="Board", exact=True).click()
    page.get_by_role("link", name="db-health").first.click()
    stands(page, "db-health")
    page.get_by_role("button", name="Diagnose").click()
    stands(page, "Diagnose")
    page.get_by_text("reads what was recorded").wait_for()
    assert "name=db-health" in page.url
    page.get_by_role("link", name="Check", exact=True).click()
    page.get_by_role("combobox", name="Check").click()
    page.get_by_role("option", name="queue-depth").click()
    stands(page, "queue-depth")
    assert "name=queue-depth" in page.url
    page.goto(shipped.url + "/check?name=db-healt")
    page.get_by_text("No check is called").wait_for()
    page.get_by_role("link", name="db-health").click()
    stands(page, "db-health")
    page.goto(shipped.url)
    wall = page.get_by_role("link", name="Open the wall")
    page.goto(shipped.url + wall.get_attribute("href"))
    page.locator(".board[data-wall]").wait_for()


BUTTON = """node => {
  const rgb = colour => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const linear = v => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4);
  const light = colour => { const [r, g, b] = rgb(colour).map(linear); return 0.2126 * r + 0.7152 * g + 0.0722 * b };
  const ground = light(getComputedStyle(node).backgroundColor);
  return Math.min(...[node, ...node.querySelectorAll("p, [data-testid=stIconMaterial]")].map(part => {
    const [low, high] = [light(getComputedStyle(part).color), ground].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }));
}"""


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_primary_button_can_be_read(shipped: Running, chromium: Any, scheme: str) -> None:
    page = chromium.new_page(viewport={"width": 1440, "height": 900}, color_scheme=scheme)
    page.goto(shipped.url + "/diagnose?name=db-health")
    button = page.get_by_role("button", name="Diagnose")
    button.wait_for(timeout=LONG_MS)
    assert button.evaluate(BUTTON) >= 4.5
    page.goto(shipped.url + "/alerts")
    page.get_by_role("tab", name="Send an alert").click(timeout=LONG_MS)
    assert page.get_by_role("button", name="Send alert").evaluate(BUTTON) >= 4.5
    page.close()


FAMILY = """
  - {{name: core, type: tcp, host: 127.0.0.1, port: {port}, every: 1s, retries: 0}}
  - {{name: invoices, type: tcp, host: 127.0.0.1, port: {port}, every: 1s, retries: 0, depends_on: [core]}}
  - {{name: backup, type: heartbeat, key: s3cr3t-key-of-the-job, period: 1h, every: 1s}}
  - {{name: office, type: group, members: [core, invoices, backup], every: 1s}}
"""


def test_a_failure_is_followed_from_a_group_to_its_cause_and_hostile_text_stays_text(
    shipped: Running, page: Any
) -> None:
    checks = shipped.folder / "checks.yaml"
    good = checks.read_text("utf-8")
    evil = '<img src=x onerror="window.pwned=1"> http://evil.example www.evil.example ' + "long" * 500
    page.set_viewport_size({"width": 390, "height": 844})
    try:
        checks.write_text(good + FAMILY.format(port=free_port()), "utf-8")
        eventually(lambda: shipped.state()["checks"].get("invoices", {}).get("note"))
        shipped.post("/ping/s3cr3t-key-of-the-job/1", evil)
        page.goto(shipped.url)
        page.get_by_text("no alert: parent core is down").wait_for()
        page.get_by_role("link", name="office: FAIL · 0 of 3 up").wait_for()
        page.goto(shipped.url + "/check?name=backup")
        page.get_by_text("How to ping").click()
        page.get_by_text("/ping/<key>").wait_for()
        page.get_by_text("evil.example").first.wait_for()
        assert page.get_by_text("s3cr3t").count() == page.locator("a[href*=evil]").count() == 0
        assert page.evaluate("window.pwned") is None
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.goto(shipped.url + "/check?name=office")
        page.get_by_role("link", name="invoices", exact=True).click()
        page.get_by_text("No alert opens for this now: parent core is down.").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    finally:
        checks.write_text(good, "utf-8")
        eventually(lambda: "office" not in shipped.statuses())


def test_a_tile_leads_to_its_check_which_can_be_run_and_paused(shipped: Running, page: Any) -> None:
    page.goto(shipped.url)
    page.get_by_role("link", name="queue-depth").first.click()
    page.get_by_role("heading", name="queue-depth").wait_for()
    page.get_by_role("button", name="Run now").click()
    page.get_by_text("is being checked").first.wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    eventually(lambda: "paused" in shipped.state()["checks"]["queue-depth"]["flags"])
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()


def test_an_alert_is_sent_by_hand_with_its_receipts(shipped: Running, page: Any) -> None:
    page.goto(shipped.url + "/alerts")
    page.get_by_role("tab", name="Send an alert").click()
    service = page.get_by_role("combobox", name="Service")
    service.fill("db-health")
    service.press("Enter")
    page.get_by_role("textbox", name="Message").fill("the replica lags")
    page.get_by_role("button", name="console").click()
    page.get_by_role("tabpanel", name="Send an alert").get_by_text("not configured").click()
    page.get_by_role("button", name="slack").click()
    page.get_by_role("button", name="Send alert").click()
    page.get_by_text("✓ sent").wait_for()
    page.get_by_text("✕ not delivered").wait_for()
    assert "the replica lags" in shipped.log.read_text()


def test_a_failure_is_diagnosed_with_evidence(shipped: Running, page: Any) -> None:
    requests.post(shipped.demo + "/admin/faults", json={"queue_stuck": True}, timeout=5)
    try:
        eventually(lambda: shipped.statuses()["queue-depth"] == "FAIL")
        page.goto(shipped.url + "/diagnose?name=queue-depth")
        page.get_by_role("button", name="Diagnose").click()
        page.get_by_text("Rule-based diagnosis").wait_for()
        page.get_by_text("What to do next").wait_for()
    finally:
        requests.post(shipped.demo + "/admin/reset", timeout=5)


def test_an_invalid_edit_shows_on_the_board(shipped: Running, page: Any) -> None:
    checks = shipped.folder / "checks.yaml"
    good = checks.read_text("utf-8")
    page.goto(shipped.url)
    page.get_by_text("All 7 well").wait_for()
    try:
        checks.write_text(good.replace("severity: P1", "severty: P1", 1), "utf-8")
        page.get_by_text("checks.yaml is invalid").wait_for()
    finally:
        checks.write_text(good, "utf-8")
    page.get_by_text("checks.yaml is invalid").wait_for(state="detached")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_every_page_stands_without_errors_and_without_sideways_scrolling(
    shipped: Running, chromium: Any, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    page = chromium.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    for path in PAGES:
        page.goto(f"{shipped.url}/{path}")
        page.locator("[data-testid=stMainBlockContainer]").wait_for(timeout=LONG_MS)
        page.get_by_text("All 7 well" if not path else "db-health" if "check" in path else path.title()).first.wait_for(
            timeout=LONG_MS
        )
        page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
        assert page.get_by_text("encountered an error").count() == 0, path
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
    page.close()
    assert not broken
