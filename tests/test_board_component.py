"""The wall in a real browser: what it says, what it never says, and that news is patched into it."""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from monitor.ui import board

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FULL_HD = {"width": 1920, "height": 1080}

# Mounts the component as Streamlit does: html and css inside a shadow root, then the module's default export.
PAGE = """<!doctype html><meta charset="utf-8"><title>host</title><link rel="icon" href="data:,">
<style>html {{ --st-background-color: {background} }} body {{ margin: 0 }}</style><div id="host"></div>
<script type="module">
import board from "/{part}.js";
const root = document.getElementById("host").attachShadow({{mode: "open"}});
const [style, body] = [document.createElement("style"), document.createElement("div")];
style.textContent = {css};
body.innerHTML = {html};
root.append(style, body);
window.mount = (more) => (window.unmount = board({{
  parentElement: root, name: "board", key: "board", data: {{...{data}, ...more}},
  setStateValue() {{}}, setTriggerValue() {{}},
}}));
mount({{}});
</script>"""


def an_instant(ago_s: float) -> str:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def a_check(name: str, group: str = "Data", status: str = "OK", ago_s: float = 4000, **more: Any) -> dict[str, Any]:
    check = {
        "name": name,
        "group": group,
        "status": status,
        "flags": [],
        "since": an_instant(ago_s),
        "checked_at": an_instant(3),
        "severity": "P2",
        "kind": None,
        "latency_ms": 41.0,
        "message": "200 in 41 ms",
        "summary": "41 ms",
        "ticks": "O" * 48,
        "alert": None if status == "OK" else "ACTIVE",
        "taken_by": None,
        "untold": None,
        "tags": ["eu"],
        "stale": False,
        "interval_s": 30,
    }
    return check | more


def three_troubles() -> list[dict[str, Any]]:
    return [
        a_check("cart", "Storefront"),
        a_check("payments", "Storefront", "WARN", 2460, kind="slow", summary="1.9 s"),
        a_check("reports", "Data", "FAIL", 200, severity="P2"),
        a_check("orders-db", "Data", "FAIL", 750, severity="P1", taken_by="on-call", flags=["acknowledged"]),
        a_check("cache", "Data"),
    ]


class BoardServer(ThreadingHTTPServer):
    """Serves the page and `/api/board`; a test says what is answered by setting the attributes."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), BoardHandler)
        self.checks: list[dict[str, Any]] = three_troubles()
        self.more: dict[str, Any] = {}
        self.age_s: str | None = "1.0"
        self.mode = "well"
        self.asked = 0
        self.not_modified = 0
        self.closing = threading.Event()

    def payload(self) -> bytes:
        board = {
            "version": 1,
            "title": "Greenwall",
            "now": an_instant(0),
            "timezone": "Asia/Kolkata",
            "stale_after_s": 20.0,
            "counts": {},
            "uptime": {"days": 30, "ratio": 0.99946},
            "notices": [],
            "groups": list(dict.fromkeys(check["group"] for check in self.checks)),
            "checks": self.checks,
        }
        return json.dumps(board | self.more).encode()

    def etag(self) -> str:
        return f'"{hash(json.dumps([self.checks, self.more]))}"'

    def url(self, background: str = "#0e1117", part: str = "board", **data: Any) -> str:
        data = {"every_s": 0.2, "url": "/api/board"} | data
        query = urlencode({"background": background, "part": part, "data": json.dumps(data)})
        return f"http://127.0.0.1:{self.server_address[1]}/?{query}"


class BoardHandler(BaseHTTPRequestHandler):
    server: BoardServer

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        routes = {"/": self.page, "/board.js": self.module, "/news.js": self.module, "/api/board": self.board}
        routes.get(self.path.partition("?")[0], lambda: self.send(404))()

    def page(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        parts = {
            "part": query["part"][0],
            "css": json.dumps(board.style(query["part"][0])),
            "html": json.dumps(board.markup(query["part"][0])),
        }
        page = PAGE.format(background=query["background"][0], data=query["data"][0], **parts)
        self.send(200, page.encode(), {"Content-Type": "text/html; charset=utf-8"})

    def module(self) -> None:
        self.send(
            200,
            board.script(self.path.strip("/").removesuffix(".js")).encode(),
            {"Content-Type": "text/javascript; charset=utf-8"},
        )

    def board(self) -> None:
        self.server.asked += 1
        if self.server.mode == "dead":
            self.close_connection = True
            return
        if self.server.mode == "hanging":
            self.server.closing.wait(30)
            return
        headers = {"ETag": self.server.etag(), "Content-Type": "application/json"}
        if self.server.age_s is not None:
            headers["Greenwall-Heartbeat-Age"] = self.server.age_s
        if self.server.mode == "garbled":
            self.send(200, b"<html>log in</html>", headers)
        elif self.headers.get("If-None-Match") == self.server.etag():
            self.server.not_modified += 1
            self.send(304, b"", headers)
        else:
            self.send(200, self.server.payload(), headers)

    def send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing = f"no browser: looked for {', '.join(BROWSERS)} on PATH"
        pytest.fail(missing) if os.environ.get("GREENWALL_REQUIRE_BROWSER") else pytest.skip(missing)
    if not os.environ.get("GREENWALL_REQUIRE_BROWSER"):
        pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any) -> Iterator[Any]:
    context = chromium.new_context(viewport=FULL_HD, color_scheme="dark")
    page = context.new_page()
    page.set_default_timeout(8000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    yield page
    context.close()
    assert faults == []


@pytest.fixture
def server() -> Iterator[BoardServer]:
    server = BoardServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def expect(chromium: Any) -> Any:
    from playwright.sync_api import expect

    return expect


def tile(page: Any, name: str) -> Any:
    return page.locator(".tile", has_text=re.compile(f"^{re.escape(name)}"))


def test_the_sentence_says_the_worst_and_the_counts_say_the_rest(server, page, expect) -> None:
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("2 failing")
    expect(page.locator(".sentence")).to_have_attribute("aria-live", "polite")
    expect(page.locator(".more")).to_have_text("1 slow · longest 12 m")
    expect(page.locator(".count")).to_have_text(["2 OK", "1 slow", "2 failing"])
    expect(page.locator(".checked")).to_have_text(re.compile(r"^checked \d s ago · uptime 30 d 99.94 %$"))
    expect(page.locator(".zone")).to_have_text("IST")


def test_failing_comes_first_by_severity_and_says_who_has_it(server, page, expect) -> None:
    page.goto(server.url(wall=True))
    expect(page.locator(".card-name")).to_have_text(["orders-db", "reports", "payments"])
    expect(page.locator(".owner")).to_have_text(["acknowledged by on-call", "nobody has it yet", "nobody has it yet"])
    expect(page.locator(".card .since")).to_have_text(["failing for 12 m", "failing for 3 m", "slow for 41 m"])


def test_a_card_without_an_alert_asks_nobody_to_have_it(server, page, expect) -> None:
    server.checks = [
        a_check("slower", status="WARN", alert=None),
        a_check("resolved", status="FAIL", alert=None),
        a_check("known", status="FAIL", severity="P3", alert="SUPPRESSED"),
        a_check("wanted", status="WARN", severity="P3", alert="ACTIVE"),
        a_check("ruled", status="WARN", severity="P4", alert="ACKNOWLEDGED", taken_by="ann"),
    ]
    page.goto(server.url(wall=True))
    expect(page.locator(".card-name")).to_have_text(["resolved", "known", "slower", "wanted", "ruled"])
    expect(page.locator(".owner")).to_have_text(["no alert", "suppressed", "no alert", "nobody has it yet", "with ann"])
    expect(page.locator(".owner[data-nobody]")).to_have_count(1)


def test_a_silenced_card_asks_quietly_and_a_resolved_one_nobody(server, page, expect) -> None:
    held = "resolved by ann; nobody is told until it has been well again"
    server.checks = [
        a_check("silenced", status="FAIL", flags=["muted"]),
        a_check("storage", "Groups", "FAIL", untold="nas: in maintenance"),
        a_check("resolved", status="FAIL", alert=None, held=held),
    ]
    page.goto(server.url(wall=True))
    untold = "nobody is told: nas: in maintenance"
    expect(page.locator(".owner")).to_have_text(["silenced, nobody has it", untold, f"no alert: {held}"])
    expect(page.locator(".owner[data-nobody]")).to_have_count(0)


def test_all_well_takes_every_check_and_the_paused_are_calm(server, page, expect) -> None:
    server.checks = [a_check("one"), a_check("two"), a_check("three", status="FAIL", flags=["paused"])]
    page.goto(server.url())
    expect(page.locator(".sentence")).to_have_text("All 2 well")
    expect(page.locator(".more")).to_have_text("1 paused")
    expect(page.locator(".card")).to_have_count(0)
    server.checks = [a_check("one"), a_check("two", stale=True)]
    expect(page.locator(".sentence")).to_have_text("1 stale")
    server.checks = [a_check("one"), a_check("two", status="SOMETHING NEW")]
    expect(page.locator(".sentence")).to_have_text("1 unknown")


def test_what_follows_from_another_failure_stands_behind_it_and_says_why(server, page, expect) -> None:
    held = {"held": "parent core is down", "summary": "parent core is down"}
    server.checks = [
        a_check("invoices", status="FAIL", severity="P1", **held),
        a_check("core", status="FAIL", severity="P3"),
        a_check("wavers", status="FAIL", severity="P2", held="it flaps", flags=["flapping"]),
    ]
    page.goto(server.url(wall=True))
    expect(page.locator(".card-name")).to_have_text(["wavers", "core", "invoices"])
    expect(page.locator(".more")).to_have_text("2 held back · longest 1 h 6 m")
    expect(page.locator(".owner")).to_have_text(
        ["no alert: it flaps", "nobody has it yet", "no alert: parent core is down"]
    )
    expect(page.locator("[data-follows] .card-name")).to_have_text("invoices")
    page.goto(server.url())
    page.locator(".search").fill("parent core")
    expect(page.locator(".tile:visible .tile-name")).to_have_text(["invoices"])


def test_one_that_flaps_is_not_well_while_it_happens_to_be(server, page, expect) -> None:
    server.checks = [a_check("one"), a_check("two", flags=["flapping"], ago_s=3)]
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("1 flapping")
    expect(page.locator(".more")).to_be_empty()
    expect(page.locator(".card .chip-flag")).to_have_text("flapping")
    expect(page.locator(".card .since")).to_have_text(re.compile(r"^well again for \d s$"))
    expect(page.locator(".owner")).to_be_empty()
    expect(tile(page, "two")).to_have_text("twoflapping · 41 ms")
    page.evaluate(REMEMBER_TILES)
    server.checks = [a_check("one"), a_check("two", status="FAIL", flags=["flapping"], held="it flaps")]
    expect(page.locator(".sentence")).to_have_text("1 failing")
    assert page.evaluate("[...window.pulsed]") == [], "it would pulse all the time"


def test_what_greenwall_cannot_see_is_neither_up_nor_down(server, page, expect) -> None:
    blind = {"status": "UNKNOWN", "kind": "vantage", "summary": "not seen"}
    server.checks = [a_check("one", **blind), a_check("two", **blind), a_check("disk")]
    server.more = {"notices": [{"level": "error", "text": "Greenwall cannot see", "more": ["no answer from gateway"]}]}
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("2 not seen")
    expect(page.locator(".notice")).to_contain_text("Greenwall cannot see · no answer from gateway")
    expect(tile(page, "one")).to_have_text("onenot seen")
    expect(page.locator(".card")).to_have_count(0)


def test_a_narrow_tile_leaves_its_room_to_the_reason(server, page, expect) -> None:
    server.checks = [a_check("name gone", status="FAIL", kind="dns", summary="no name")]
    page.goto(server.url(wall=True))
    expect(page.locator(".tile-word")).to_be_visible()
    expect(page.get_by_role("link", name="name gone: FAIL · no name").last).to_be_visible()
    server.checks += [a_check(f"service-{i}") for i in range(90)]
    expect(page.locator(".tile")).to_have_count(91)
    expect(page.locator(".tile-word")).to_be_hidden()
    expect(tile(page, "name gone")).to_contain_text("no name")


REMEMBER_TILES = """() => {
  window.tiles = () => [...document.getElementById("host").shadowRoot.querySelectorAll(".tile")];
  window.before = tiles();
  window.pulsed = new Set();
  const look = new MutationObserver((changes) => changes
    .filter((change) => change.target.classList.contains("pulse"))
    .forEach((change) => pulsed.add(change.target.querySelector(".tile-name").textContent)));
  before.forEach((tile) => look.observe(tile, {attributes: true, attributeFilter: ["class"]}));
}"""


def test_news_is_patched_into_the_nodes_that_are_there(server, page, expect) -> None:
    page.goto(server.url(wall=True))
    expect(tile(page, "cart")).to_contain_text("41 ms")
    page.evaluate(REMEMBER_TILES)
    changed = [check | {"summary": "77 ms"} for check in three_troubles()]
    server.checks = [changed[0] | {"status": "FAIL", "severity": "P1", "since": an_instant(1)}, *changed[1:]]
    expect(tile(page, "cache")).to_contain_text("77 ms")
    expect(tile(page, "cart")).to_have_text("cartFAIL · 77 ms")
    expect(page.locator(".card-name")).to_have_text(["orders-db", "cart", "reports", "payments"])
    assert page.evaluate("[...window.pulsed]") == ["cart"]
    assert page.evaluate("tiles().every((tile, i) => tile === window.before[i])")


def test_an_unchanged_board_is_not_sent_again(server, page, expect) -> None:
    with page.expect_response(lambda answer: answer.status == 304):
        page.goto(server.url())
    assert server.not_modified >= 1


def test_a_dead_server_makes_the_wall_stale_and_its_return_makes_it_live(server, page, expect) -> None:
    page.clock.install()
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("2 failing")
    server.mode = "dead"
    page.clock.fast_forward(8_000)
    expect(page.locator(".checked")).to_contain_text("no answer from the server")
    expect(page.locator(".band")).to_be_hidden()
    page.clock.fast_forward(15_000)
    expect(page.locator(".band")).to_be_visible()
    expect(page.locator(".band")).to_contain_text("STALE · no answer from the server")
    expect(page.locator(".sentence")).to_have_text("No fresh data")
    expect(page.locator(".more")).to_have_text("last known: 2 failing")
    expect(page).to_have_title("STALE · Greenwall")
    expect(page.locator(".card").first).to_have_css("background-color", "rgb(29, 36, 44)")
    server.mode = "well"
    page.clock.fast_forward(1_000)
    expect(page.locator(".band")).to_be_hidden()
    expect(page.locator(".sentence")).to_have_text("2 failing")
    expect(page.locator(".card").first).to_have_css("background-color", "rgb(61, 15, 20)")


def test_an_old_heartbeat_makes_the_wall_stale_though_the_server_answers(server, page, expect) -> None:
    server.age_s = "75.5"
    page.goto(server.url(wall=True))
    expect(page.locator(".band")).to_contain_text("the checker has stopped: no heartbeat")
    expect(page.locator(".band-age")).to_have_text(re.compile(r"^for 1 m \d+ s$"))
    expect(page).to_have_title("STALE · Greenwall")
    server.age_s = "0.5"
    expect(page.locator(".band")).to_be_hidden()
    server.age_s = None
    page.reload()
    expect(page.locator(".band")).to_contain_text("does not say when checks last ran")


@pytest.mark.parametrize(("mode", "said"), [("garbled", "cannot be read"), ("hanging", "no answer from the server")])
def test_an_answer_that_is_none_does_not_keep_the_wall_fresh(server, page, expect, mode, said) -> None:
    page.clock.install()
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("2 failing")
    server.mode = mode
    with page.expect_request("**/api/board"):
        page.clock.fast_forward(1_000)
    page.clock.fast_forward(25_000)
    expect(page.locator(".band")).to_contain_text(said)


def test_before_the_first_answer_it_is_calm_and_then_it_says_so(server, page, expect) -> None:
    server.mode = "hanging"
    page.clock.install()
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("Connecting")
    expect(page.locator(".band")).to_be_hidden()
    page.clock.fast_forward(6_000)
    expect(page.locator(".sentence")).to_have_text("No answer from the server")
    expect(page).to_have_title("STALE · Greenwall")


def test_a_wrong_clock_on_the_viewers_machine_does_not_matter(server, page, expect) -> None:
    page.clock.install(time=datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC))
    page.goto(server.url(wall=True))
    expect(page.locator(".more")).to_have_text("1 slow · longest 12 m")
    expect(page.locator(".band")).to_be_hidden()
    now = datetime.now(UTC) + timedelta(hours=5, minutes=30)
    near = "|".join(f"{now + timedelta(minutes=m):%H:%M}" for m in (-1, 0, 1))
    expect(page.locator(".time")).to_have_text(re.compile(f"^({near}):"))


def test_hostile_text_is_only_text(server, page, expect) -> None:
    evil, script = '<img src=x onerror="window.pwned=1">', "<script>window.pwned=2</script>"
    server.checks = [
        a_check(evil, "<b>group</b>", "FAIL", message=script, ticks="<>xO", taken_by=evil, tags=[evil]),
        a_check("__proto__", "constructor", summary=evil),
        a_check("a/b?c=1&d=2#e \ud83d\ude00 \ud83d", "<b>group</b>", "WARN", summary="long " * 200),
    ]
    server.more = {"title": evil, "notices": [{"level": "error", "text": evil, "more": [evil, evil]}]}
    page.goto(server.url())
    expect(page.locator(".card-name").first).to_have_text(evil)
    expect(page.locator(".notice")).to_contain_text(evil)
    expect(page.locator(".group-name").first).to_have_text("<b>group</b>")
    page.locator(".card a").first.hover()
    expect(page.locator(".tip")).to_contain_text(script)
    assert page.evaluate("window.pwned") is None
    assert page.locator(".board img, .board script, .group-name b").count() == 0
    link = page.locator(".tile a").nth(1)
    expect(link).to_have_attribute("href", "check?name=a%2Fb%3Fc%3D1%26d%3D2%23e%20%F0%9F%98%80%20%EF%BF%BD")
    expect(link).to_have_attribute("target", "_self")


def test_search_and_status_filters_narrow_the_page(server, page, expect) -> None:
    page.goto(server.url())
    shown = page.locator(".tile:visible .tile-name")
    expect(shown).to_have_count(5)
    page.keyboard.press("/")
    expect(page.locator(".search")).to_be_focused()
    page.keyboard.type("data failing")
    expect(shown).to_have_text(["reports", "orders-db"])
    expect(page.locator(".card")).to_have_count(2)
    page.keyboard.type(" no-such-thing")
    expect(page.locator(".empty-text")).to_have_text("Nothing matches “data failing no-such-thing”.")
    page.keyboard.press("Escape")
    expect(shown).to_have_count(5)
    page.get_by_role("button", name="1 slow").click()
    expect(shown).to_have_text(["payments"])
    expect(page.get_by_role("button", name="1 slow")).to_have_attribute("aria-pressed", "true")


def test_a_board_without_checks_says_so(server, page, expect) -> None:
    server.checks = []
    page.goto(server.url())
    expect(page.locator(".sentence")).to_have_text("No checks yet")
    expect(page.locator(".tools")).to_be_hidden()
    expect(page.locator(".empty-text")).to_contain_text("checks.yaml")
    expect(page).to_have_title("Greenwall")


def test_what_fails_alike_in_one_group_is_one_card_on_a_wall(server, page, expect) -> None:
    refused = "Failed to connect to 127.0.0.1:{} after {} ms: Connection refused"
    farm = [
        a_check(f"web-{i}", "Farm", "FAIL", kind="connect", message=refused.format(9081, i % 3)) for i in range(300)
    ]
    pair = [a_check(f"db-{i}", "Data", "FAIL", kind="connect", message=refused.format(5432, 0)) for i in range(2)]
    server.checks = [*farm, *pair, a_check("other", "Farm", "FAIL", kind="connect", message=refused.format(9082, 0))]
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("303 failing")
    expect(page.locator(".card-name")).to_have_count(4)
    expect(page.get_by_text("300 in Farm", exact=True)).to_be_visible()
    expect(page.locator(".tile")).to_have_count(303)
    page.goto(server.url())
    expect(page.get_by_text("300 in Farm")).to_have_count(0)


def test_a_long_message_has_three_lines_on_a_small_card(server, page, expect) -> None:
    long = "the reply to AUTH is 535 5.7.8 Authentication credentials invalid, see the log of number "
    server.checks = [a_check(f"service-{i:04d}", f"Group {i % 4}", "FAIL", message=f"{long * 2}{i}") for i in range(12)]
    server.checks += [a_check(f"well-{i:04d}", f"Group {i % 4}") for i in range(300)]
    page.goto(server.url(wall=True))
    message = page.locator("[data-cards=medium] .card-message").first
    message.wait_for()
    assert message.evaluate("node => node.clientHeight / parseFloat(getComputedStyle(node).lineHeight)") > 2.5
    inside = "node => node.getBoundingClientRect().bottom <= node.closest('.card').getBoundingClientRect().bottom"
    assert page.locator(".card-foot").first.evaluate(inside)


@pytest.mark.parametrize(
    ("watched_s", "said"), [(480, "uptime 39.84 % of 8 m watched"), (30 * 86400, "uptime 30 d 39.84 %")]
)
def test_the_uptime_says_of_how_much(server, page, expect, watched_s, said) -> None:
    server.more = {"uptime": {"days": 30, "ratio": 0.39841, "watched_s": watched_s}}
    page.goto(server.url())
    expect(page.locator(".checked")).to_contain_text(said)


def test_a_page_shows_every_line_of_what_is_wrong_with_the_configuration(server, page, expect) -> None:
    lines = ["checks.yaml:3: a", "checks.yaml:4: b"]
    server.more = {"notices": [{"level": "error", "text": "checks.yaml is invalid", "more": lines}]}
    page.goto(server.url())
    for line in lines:
        expect(page.locator(".notice pre").get_by_text(line)).to_be_visible()


FITS = """() => {
  const root = document.getElementById("host").shadowRoot;
  const nodes = [...root.querySelectorAll(".tile, .card, .rest-item, .group-head")];
  const drawn = nodes.filter((node) => node.checkVisibility());
  const misfits = drawn.filter((node) => {
    const box = node.getBoundingClientRect();
    const tooSmall = box.width < 10 || box.height < 10;
    return box.bottom > innerHeight + 0.5 || box.right > innerWidth + 0.5 || tooSmall;
  });
  const page = document.documentElement;
  const scrolls = page.scrollHeight > innerHeight || page.scrollWidth > innerWidth;
  return {tiles: drawn.filter((node) => node.matches(".tile")).length, misfits: misfits.length, scrolls};
}"""


@pytest.mark.parametrize(
    ("count", "failing", "groups"),
    [(1, 1, 1), (60, 30, 6), (150, 4, 8), (1000, 5, 10), (1000, 0, 12), (1000, 3, 300)],
)
def test_any_number_of_checks_fits_one_screen(server, page, expect, count, failing, groups) -> None:
    troubled = set(range(0, count, count // failing)) if failing else set()
    server.checks = [
        a_check(f"service-{i:04d}", f"Group {i * groups // count}", "FAIL" if i in troubled else "OK")
        for i in range(count)
    ]
    page.goto(server.url(wall=True, every_s=5))
    sentence = f"{len(troubled)} failing" if troubled else f"All {count} well"
    expect(page.locator(".sentence")).to_have_text(sentence)
    assert page.evaluate(FITS) == {"tiles": count, "misfits": 0, "scrolls": False}


def test_trouble_that_does_not_fit_is_counted_not_hidden(server, page, expect) -> None:
    server.checks = [a_check(f"service-{i:04d}", f"Group {i % 10}", "FAIL", message=f"answer {i}") for i in range(1000)]
    page.goto(server.url(wall=True, every_s=5))
    expect(page.locator(".overflow")).to_have_text(re.compile(r"^\+\d+ more$"))
    more = int(page.locator(".overflow").inner_text().removeprefix("+").removesuffix(" more"))
    named = page.locator(".card").count() + page.locator(".rest-item:not(.overflow)").count()
    assert named + more == 1000
    assert page.evaluate(FITS) == {"tiles": 1000, "misfits": 0, "scrolls": False}


def test_the_tab_carries_the_worst_status(server, page, expect) -> None:
    page.goto(server.url())
    expect(page).to_have_title("✕ 2 · Greenwall")
    failing = page.locator("link[rel=icon]").get_attribute("href")
    server.checks = [a_check("payments", status="WARN", kind="slow")]
    expect(page).to_have_title("! 1 · Greenwall")
    server.checks = [a_check("payments")]
    expect(page).to_have_title("✓ Greenwall")
    assert page.locator("link[rel=icon]").get_attribute("href") != failing
    page.evaluate("window.unmount()")
    expect(page).to_have_title("host")


def test_the_theme_follows_the_background_unless_it_is_told(server, page, expect) -> None:
    page.goto(server.url(background="#ffffff"))
    expect(page.locator(".board")).to_have_attribute("data-theme", "light")
    page.evaluate("document.documentElement.style.setProperty('--st-background-color', '#0e1117')")
    expect(page.locator(".board")).to_have_attribute("data-theme", "dark")
    page.evaluate("window.mount({theme: 'light'})")
    expect(page.locator(".board")).to_have_attribute("data-theme", "light")


def test_being_called_again_keeps_one_board_and_only_the_last_clean_up_stops_it(server, page, expect) -> None:
    page.clock.install()
    page.goto(server.url())
    expect(page.locator(".tile")).to_have_count(5)
    page.evaluate("() => { const old = window.unmount; window.mount({}); old(); }")
    server.checks = three_troubles()[:3]
    expect(page.locator(".tile")).to_have_count(3)
    expect(page.locator(".sentence")).to_have_text("1 failing")
    page.evaluate("window.unmount()")
    asked = server.asked
    page.clock.fast_forward(60_000)
    page.evaluate("fetch('/api/board')")  # answered in turn: whatever the board had asked would be counted by now
    assert server.asked == asked + 1


def test_the_nightly_reload_waits_for_a_server_that_answers(server, page, expect) -> None:
    page.clock.install()
    page.goto(server.url(wall=True))
    expect(page.locator(".sentence")).to_have_text("2 failing")
    page.evaluate("window.loadedYesterday = true")
    server.mode = "dead"
    page.clock.fast_forward(25 * 3600 * 1000)
    expect(page.locator(".band")).to_be_visible()
    assert page.evaluate("window.loadedYesterday")
    server.mode = "well"
    page.clock.run_for(3_000)
    page.wait_for_function("!window.loadedYesterday")
    expect(page.locator(".sentence")).to_have_text("2 failing")


def test_a_wall_on_a_phone_is_a_page(server, page, expect) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(server.url(wall=True))
    expect(page.locator(".card")).to_have_count(3)
    assert page.locator(".board").get_attribute("data-wall") is None
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_page_says_how_old_it_is_and_loudly_that_the_server_is_silent(server, page, expect) -> None:
    page.clock.install()
    page.goto(server.url(part="news", every_s=2, run=1))
    expect(page.locator(".drawn")).to_have_text(re.compile(r"as of \d+ s ago"))
    page.clock.run_for(30_000)
    expect(page.locator(".drawn")).to_have_text(re.compile(r"as of [34]\d s ago"))
    expect(page.locator(".silence")).to_be_hidden()
    server.mode = "dead"
    page.clock.run_for(15_000)
    expect(page.locator(".silence")).to_have_text(
        re.compile(r"No news from Greenwall for \d+ s: what you see is old\.")
    )
    server.mode = "well"
    page.clock.run_for(3_000)
    expect(page.locator(".silence")).to_be_hidden()
    page.evaluate("window.mount({run: 2})")
    expect(page.locator(".drawn")).to_have_text(re.compile(r"as of \d s ago"))


def test_a_checker_that_stands_still_is_not_a_silent_server(server, page, expect) -> None:
    server.age_s = "500"
    page.clock.install()
    page.goto(server.url(part="news", every_s=2, run=1))
    page.clock.run_for(20_000)
    expect(page.locator(".drawn")).to_have_text(re.compile(r"as of [23]\d s ago"))
    expect(page.locator(".silence")).to_be_hidden()
