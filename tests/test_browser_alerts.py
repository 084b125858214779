"""Alerts in a real browser: from the list to one alert, silenced and ended; the wall announces what is new, once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Running, eventually, free_port, start_app, stop_app
from tests.test_board_component import BoardServer, a_check

LONG_MS = 20_000
CHECKS = """\
global: {{every: 1s, retries: 0, timezone: Europe/Berlin}}
on_call:
  - {{name: primary, begins: 2026-01-05, rota: [ann, bob], people: {{ann: [console], bob: [console]}}}}
maintenance:
  - {{name: nightly, match: {{name: "db-*"}}, hours: [{{from: "02:00", to: "03:00"}}]}}
checks:
  - {{name: shop-web, type: tcp, host: 127.0.0.1, port: {port}, group: Shop, owner: team-shop}}
"""


@pytest.fixture(scope="module")
def failing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Greenwall with one check that fails, and its alert."""
    folder = tmp_path_factory.mktemp("failing")
    (folder / "checks.yaml").write_text(CHECKS.format(port=free_port()), "utf-8")
    app = start_app(folder, free_port())
    eventually(lambda: alerts_of(app), 20, "an alert opens")
    yield app
    stop_app(app)


def alerts_of(app: Running) -> dict[str, Any]:
    found: dict[str, Any] = app.state().get("alerts", {})
    return found


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    one = chromium.new_page(viewport={"width": 1280, "height": 900})
    one.set_default_timeout(LONG_MS)
    yield one
    one.close()


def test_an_alert_is_opened_from_the_list_silenced_until_it_is_over_and_heard_again(
    failing: Running, page: Any
) -> None:
    page.goto(failing.url + "/alerts")
    page.get_by_text("shop-web").first.click()
    page.get_by_role("link", name="Everything about it").click()
    page.get_by_role("heading", name="Why was I told, or not?").wait_for()
    page.get_by_text("console").first.wait_for()
    page.get_by_role("button", name="Silence …").click()
    page.get_by_text("Covers 1 check").wait_for()
    page.get_by_role("textbox", name="Note").fill("new disk")
    page.get_by_role("button", name="Make this silence").click()
    page.get_by_text("Now (1)").wait_for()
    eventually(lambda: "muted" in failing.state()["checks"]["shop-web"]["flags"], 10, "the check is muted")
    page.get_by_role("button", name="End now").click()
    page.get_by_text("Now (0)").wait_for()
    eventually(lambda: "muted" not in failing.state()["checks"]["shop-web"]["flags"], 10, "it is over")
    page.goto(failing.url + "/alerts")
    page.get_by_text("has ended").first.wait_for()


def test_an_alert_is_suppressed_and_says_so(failing: Running, page: Any) -> None:
    [identifier] = alerts_of(failing)
    page.goto(f"{failing.url}/alerts?alert={identifier}")
    page.get_by_role("button", name="Suppress").first.click()
    page.get_by_role("radio", name="15 min").click()
    page.get_by_role("button", name="Suppress until then").click()
    page.get_by_text("SUPPRESSED").first.wait_for()
    assert alerts_of(failing)[identifier]["status"] == "SUPPRESSED"
    page.get_by_role("link", name="All alerts").click()
    page.get_by_role("tab", name="Open").wait_for()
    page.wait_for_url(lambda url: "alert=" not in url)


def test_filters_and_tabs_stand_in_the_address(failing: Running, page: Any) -> None:
    page.goto(failing.url + "/alerts")
    page.get_by_placeholder("name, group or message").fill("nothing like it")
    page.keyboard.press("Enter")
    page.get_by_text("No alert matches these filters").wait_for()
    assert "search-open=nothing" in page.url
    page.goto(failing.url + "/alerts?search-open=shop")
    page.get_by_text("shop-web").first.wait_for()
    page.goto(failing.url + "/alerts?tab=Channels")
    page.get_by_role("button", name="Send a test").first.click()
    page.get_by_text("console: ").first.wait_for()


@pytest.mark.parametrize("width", [390, 1280, 1920])
@pytest.mark.parametrize("path", ["alerts?tab=Patterns", "alerts?tab=Channels", "alerts?tab=Past", "silences?check=x"])
def test_every_tab_stands_at_every_width(failing: Running, chromium: Any, width: int, path: str) -> None:
    page = chromium.new_page(viewport={"width": width, "height": 900})
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(f"{failing.url}/{path}")
    page.get_by_role("tab").first.wait_for(timeout=LONG_MS)
    page.wait_for_function("!document.querySelector('[data-testid=stSkeleton]')")
    assert page.get_by_text("encountered an error").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()
    assert not broken


def test_no_choice_of_the_form_is_cut_off_on_a_phone(failing: Running, chromium: Any) -> None:
    [identifier] = alerts_of(failing)
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{failing.url}/silences?alert={identifier}")
    page.get_by_text("when the alert is over").wait_for(timeout=LONG_MS)
    group = page.locator("[data-testid=stButtonGroup]", has_text="Until").get_by_role("radiogroup")
    left, right = group.evaluate("one => [one.getBoundingClientRect().left, one.getBoundingClientRect().right]")
    boxes = [one.bounding_box() for one in group.get_by_role("radio").all()]
    assert len(boxes) == 6
    assert all(left - 2 <= box["x"] and box["x"] + box["width"] <= right + 2 for box in boxes), boxes
    page.close()


@pytest.mark.parametrize("tab", ["Calendar", "On+call"])
def test_what_is_planned_stands_on_a_phone(failing: Running, chromium: Any, tab: str) -> None:
    page = chromium.new_page(viewport={"width": 390, "height": 844})
    page.goto(f"{failing.url}/silences?view={tab}")
    page.get_by_text("nightly" if tab == "Calendar" else "is on call now").first.wait_for(timeout=LONG_MS)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


# ---- the wall announces

# Stands for the browser's own, which shows nothing to a test: what is announced is written down.
RECORDER = """
window.shown = []; window.tones = 0;
window.Notification = class {
  static permission = "%s";
  static async requestPermission() { return (Notification.permission = "%s"); }
  constructor(title, more) { window.shown.push({ title, ...more }); }
};
const param = { value: 0, setValueAtTime() {}, exponentialRampToValueAtTime() {} };
const node = () => ({ frequency: param, gain: param, connect: (next) => next, stop() {},
  start() { window.tones += 1 } });
window.AudioContext = class {
  state = "running"; currentTime = 0; destination = {};
  createOscillator() { return node(); } createGain() { return node(); } async resume() {}
};
"""


def an_alert(name: str, severity: str = "P2", quiet: bool = False) -> dict[str, Any]:
    return {"id": f"a-{name}", "title": f"{name} is down", "severity": severity, "quiet": quiet}


@pytest.fixture
def wall(chromium: Any) -> Iterator[tuple[BoardServer, Any]]:
    server = BoardServer()
    server.checks = [a_check("cart")]
    server.more = {"alerts": [an_alert("old")]}
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = chromium.new_context(viewport={"width": 1920, "height": 1080})
    context.add_init_script(RECORDER % ("default", "granted"))
    page = context.new_page()
    page.set_default_timeout(LONG_MS)
    page.goto(server.url(wall=True))
    page.get_by_text("All well").wait_for()
    yield server, page
    context.close()
    server.closing.set()
    server.shutdown()
    server.server_close()


def shown(page: Any) -> list[str]:
    return [one["title"] for one in page.evaluate("window.shown")]


def wait_for_shown(page: Any, count: int) -> list[dict[str, Any]]:
    page.wait_for_function(f"window.shown.length >= {count}")
    found: list[dict[str, Any]] = page.evaluate("window.shown")
    return found


def test_nothing_is_announced_until_somebody_asks_for_it(wall: tuple[BoardServer, Any]) -> None:
    server, page = wall
    server.more = {"alerts": [an_alert("old"), an_alert("new")]}
    asked = server.asked
    eventually(lambda: server.asked > asked + 2)
    assert (shown(page), page.evaluate("window.tones")) == ([], 0)
    page.get_by_role("button", name="Notify off").wait_for()
    page.get_by_role("button", name="Sound off").wait_for()


def test_a_new_alert_is_announced_once_and_its_end_quietly(wall: tuple[BoardServer, Any]) -> None:
    server, page = wall
    page.get_by_role("button", name="Notify off").click()
    page.get_by_role("button", name="Notify on").wait_for()
    page.get_by_role("button", name="Sound off").click()
    page.get_by_role("button", name="Sound on").wait_for()
    page.wait_for_function("window.tones === 2")
    server.more = {"alerts": [an_alert("old"), an_alert("new", "P1"), an_alert("planned", quiet=True)]}
    [one] = wait_for_shown(page, 1)
    assert (one["title"], one["silent"], one["tag"]) == ("P1 new is down", False, "greenwall-a-new")
    assert page.evaluate("window.tones") == 4
    server.more = {"alerts": [an_alert("old"), an_alert("planned", quiet=True)], "title": "again"}
    [_, over] = wait_for_shown(page, 2)
    assert (over["title"], over["silent"]) == ("Over: new is down", True)
    assert page.evaluate("window.tones") == 4, "what is over makes no sound"
    server.more = {"alerts": [an_alert("old"), an_alert("planned")]}
    assert wait_for_shown(page, 3)[2]["title"] == "P2 planned is down", "its silence has ended"


def test_a_reload_forgets_neither_the_choice_nor_what_was_announced(wall: tuple[BoardServer, Any]) -> None:
    server, page = wall
    page.get_by_role("button", name="Notify off").click()
    page.get_by_role("button", name="Notify on").wait_for()
    page.context.add_init_script("Notification.permission = 'granted'")
    server.more = {"alerts": [an_alert("old"), an_alert("new")]}
    wait_for_shown(page, 1)
    server.more = {"alerts": [an_alert("old"), an_alert("new"), an_alert("meanwhile")]}
    page.reload()
    page.get_by_role("button", name="Notify on").wait_for()
    assert wait_for_shown(page, 1)[0]["title"] == "P2 meanwhile is down"
    assert len(shown(page)) == 1


def test_many_at_once_are_one_notification(wall: tuple[BoardServer, Any]) -> None:
    server, page = wall
    page.get_by_role("button", name="Notify off").click()
    page.get_by_role("button", name="Notify on").wait_for()
    server.more = {"alerts": [an_alert(f"n{n}", "P1" if n == 7 else "P3") for n in range(12)]}
    notes = wait_for_shown(page, 2)
    [many] = [one for one in notes if "new alerts" in one["title"]]
    assert many["title"] == "12 new alerts"
    assert many["body"].splitlines() == ["P1 n7 is down", "P3 n0 is down", "P3 n1 is down", "and 9 more"]


def test_a_browser_that_refuses_says_so(wall: tuple[BoardServer, Any]) -> None:
    _, page = wall
    page.evaluate("Notification.requestPermission = async () => (Notification.permission = 'denied')")
    page.get_by_role("button", name="Notify off").click()
    page.get_by_role("button", name="Notifications are blocked by the browser").wait_for()


def test_an_alert_that_is_no_checks_is_told_by_the_wall_too(wall: tuple[BoardServer, Any]) -> None:
    server, page = wall
    server.more = {"alerts": [an_alert("web-01", "P1") | {"other": True}]}
    page.get_by_text("web-01 is down").wait_for()
    page.get_by_text("1 check well").wait_for()
    assert page.title().startswith("✕ 1 ·")
    server.more = {"alerts": [an_alert("web-01", "P4") | {"other": True}]}
    page.get_by_text("All well").wait_for()
    page.get_by_text("web-01 is down").wait_for()
    server.more = {"alerts": [an_alert("web-01", "P1", quiet=True) | {"other": True}]}
    page.get_by_text("web-01 is down").wait_for(state="detached")
