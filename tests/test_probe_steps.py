"""The steps kind: walks through a small shop that behaves, and through servers that do not."""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
import trustme
from pydantic import ValidationError

from monitor.config import ConfigError
from monitor.config.kinds.steps import StepsCheck
from monitor.model import Finding, Kind, Outcome, Result, Status
from monitor.probes import Setting, run_probe
from monitor.probes.curl import Answer
from monitor.probes.steps.cookies import Cookies
from monitor.units import utc_now
from tests.conftest import GRACE_S
from tests.make import load
from tests.servers import Peer, Script, answer, drip, redirect, then_silence

PASSWORD = "correct horse"
TOKEN = "tok-7d1f4e0a9b3c"
SESSION = "sess-c0ffee77aa"


class Shop(ThreadingHTTPServer):
    """A shop with a login by token and one by cookie; `broken` paths answer 500, `slow` ones wait until it closes."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Pages)
        self.broken: set[str] = set()
        self.slow: set[str] = set()
        self.said: dict[str, Any] = {}
        self.asked: list[str] = []
        self.heads: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.orders: set[str] = set()
        self.is_logged_in = False
        self.closing = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


class _Pages(BaseHTTPRequestHandler):
    server: Shop
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        pass

    def say(self, status: int, document: Any = None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body)), "Content-Type": "application/json"} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer(self) -> None:
        shop, path = self.server, urlsplit(self.path).path
        shop.asked.append(f"{self.command} {self.path}")
        shop.heads.append({name.lower(): value for name, value in self.headers.items()})
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        shop.bodies.append(body)
        if path in shop.slow:
            shop.closing.wait(20)
            self.close_connection = True
            return
        if path in shop.broken:
            self.say(500, {"error": "broken", "token": TOKEN})
            return
        page = getattr(self, f"{self.command}_{path.split('/')[1]}", None)
        if page is None:
            self.say(404)
        else:
            page(path, body)

    do_GET = do_POST = do_DELETE = answer

    def has_token(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {TOKEN}" and self.server.is_logged_in

    def POST_login(self, path: str, body: bytes) -> None:
        if json.loads(body) != {"user": "monitor", "password": PASSWORD}:
            self.say(401, {"error": "wrong password"})
            return
        self.server.is_logged_in = True
        self.say(200, self.server.said.get("login", {"access_token": TOKEN, "user": {"id": 42, "admin": False}}))

    def GET_orders(self, path: str, body: bytes) -> None:
        if not self.has_token():
            self.say(401)
            return
        orders = [{"id": order} for order in sorted(self.server.orders)]
        self.say(200, {"orders": orders, "for": parse_qs(urlsplit(self.path).query)})

    def POST_orders(self, path: str, body: bytes) -> None:
        if not self.has_token():
            self.say(401)
            return
        order = f"order {len(self.server.orders) + 1}/ü"
        self.server.orders.add(order)
        self.say(201, {"id": order, "got": json.loads(body or b"null")})

    def DELETE_orders(self, path: str, body: bytes) -> None:
        self.server.orders.discard(unquote(path.removeprefix("/orders/")))
        self.say(204)

    def POST_logout(self, path: str, body: bytes) -> None:
        known = self.has_token()
        self.server.is_logged_in = False
        self.say(204 if known else 401)

    def POST_form(self, path: str, body: bytes) -> None:
        fields = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        if fields.get("csrf") != "c5rf+/=&x" or "visit=first1" not in self.headers.get("Cookie", ""):
            self.say(403)
            return
        self.say(302, Location="/account?from=form", Set_Cookie=f"session={SESSION}; Path=/; HttpOnly; SameSite=Lax")

    def GET_form(self, path: str, body: bytes) -> None:
        page = b'<form><input name="csrf" value="c5rf+/=&x"><input name="b" value="2"></form>'
        self.send_response(200)
        self.send_header("Content-Length", str(len(page)))
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Set-Cookie", "visit=first1; Path=/form")
        self.send_header("Set-Cookie", "theme=dark; Max-Age=3600")
        self.end_headers()
        self.wfile.write(page)

    def GET_account(self, path: str, body: bytes) -> None:
        cookies = self.headers.get("Cookie", "")
        self.say(200 if f"session={SESSION}" in cookies else 401, {"cookies": cookies, "id": 200})

    def GET_echo(self, path: str, body: bytes) -> None:
        self.say(200, {"path": self.path})

    def GET_value(self, path: str, body: bytes) -> None:
        self.say(200, {"v": self.server.said.get("v")}, **self.server.said.get("headers", {}))


@pytest.fixture
def shop() -> Iterator[Shop]:
    with Shop() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join(5)


def check_of(*steps: dict[str, Any], **keys: Any) -> StepsCheck:
    return StepsCheck.model_validate({"name": "walk", "type": "steps", "timeout": 5, "steps": list(steps)} | keys)


def walk(*steps: dict[str, Any], memory: Any = None, **keys: Any) -> Outcome:
    return run_probe(check_of(*steps, **keys), Setting(Path(), memory=memory or {}))


def login(shop: Shop, **keys: Any) -> dict[str, Any]:
    who = {"user": "monitor", "password": PASSWORD}
    save = {"token": "$.access_token"}
    return {"name": "login", "url": f"{shop.url}/login", "method": "POST", "json": who, "save": save} | keys


def orders(shop: Shop, **keys: Any) -> dict[str, Any]:
    return {"name": "list", "url": f"{shop.url}/orders", "bearer": "{{token}}"} | keys


def logout(shop: Shop, **keys: Any) -> dict[str, Any]:
    step = {"name": "logout", "url": f"{shop.url}/logout", "method": "POST", "bearer": "{{token}}", "always": True}
    return step | keys


def everything(outcome: Outcome) -> str:
    return json.dumps(Result(utc_now(), "s", outcome).to_json()) + repr(outcome)


# ---- a walk that goes well


def test_login_list_logout(shop: Shop) -> None:
    seen = walk(login(shop), orders(shop, expect_jsonpath=[{"path": "$.orders", "type": "array"}]), logout(shop))
    assert (seen.status, seen.kind) == (Status.OK, None), seen
    assert shop.asked == ["POST /login", "GET /orders", "POST /logout"]
    assert seen.message.startswith("3 steps in ")
    steps = seen.observed["steps"]
    assert isinstance(steps, dict)
    assert list(steps) == ["login", "list", "logout"]
    assert steps["login"]["code"] == 200
    assert {"ms", "connect", "ttfb"} <= steps["list"].keys()
    assert seen.latency_ms == pytest.approx(seen.phases_ms["total"])
    assert seen.latency_ms == pytest.approx(steps["login"]["ms"] + steps["list"]["ms"], abs=0.2)
    assert not shop.is_logged_in
    assert TOKEN not in everything(seen)


def test_values_are_encoded_as_each_place_needs_it_and_keep_their_type_in_json(shop: Shop) -> None:
    create = {
        "name": "create",
        "url": f"{shop.url}/orders",
        "method": "POST",
        "bearer": "{{token}}",
        "json": {"user": "{{user}}", "text": "user {{user}}", "admin": "{{ admin }}", "list": ["{{user}}"]},
        "save": {"order": "$.id", "echo": "$.got.text"},
        "expect_status": 201,
        "expect_jsonpath": [
            {"path": "$.got.user", "equals": "{{user}}"},
            {"path": "$.got.admin", "equals": "{{admin}}"},
            {"path": "$.got.text", "equals": "user {{user}}"},
            {"path": "$.got.list[0]", "type": "integer"},
        ],
    }
    found = {"path": "$.for.q[0]", "equals": "{{order}}"}
    rule = {"path": "$.orders[*].id", "contains": "{{order}}"}
    seen = walk(
        login(shop, save={"token": "$.access_token", "user": "$.user.id", "admin": "$.user.admin"}),
        create,
        orders(shop, query={"q": "{{order}}"}, expect_jsonpath=[found, rule]),
        orders(shop, name="in the url", url=f"{shop.url}/orders?a=b&q={{{{order}}}}", expect_jsonpath=[found]),
        {"name": "delete", "url": f"{shop.url}/orders/{{{{ order }}}}", "method": "DELETE", "always": True},
        orders(shop, name="gone", expect_jsonpath=[{"path": "$.orders", "length": 0}]),
    )
    assert seen.status is Status.OK, seen
    assert "DELETE /orders/order%201%2F%C3%BC" in shop.asked
    assert shop.orders == set()


def test_a_form_with_a_hidden_field_a_redirect_and_a_session_cookie(shop: Shop) -> None:
    hidden = {"regex": 'name="csrf" value="([^"]+)"'}
    seen = walk(
        {"name": "form", "url": f"{shop.url}/form", "save": {"csrf": hidden, "theme": {"cookie": "theme"}}},
        {"name": "send", "url": f"{shop.url}/form", "method": "POST", "form": {"csrf": "{{csrf}}"}},
        {"name": "account", "url": f"{shop.url}/account", "headers": {"Cookie": "mine=1"}},
    )
    assert seen.status is Status.OK, seen
    assert shop.asked == ["GET /form", "POST /form", "GET /account?from=form", "GET /account"]
    assert "visit=" not in shop.heads[2]["cookie"]
    assert set(shop.heads[3]["cookie"].split("; ")) == {"mine=1", "theme=dark", f"session={SESSION}"}
    assert shop.bodies[2] == b""
    assert SESSION not in everything(seen)
    assert seen.observed["steps"]["send"]["code"] == 200  # type: ignore[index,call-overload]


def test_each_run_begins_without_cookies(shop: Shop) -> None:
    for _ in range(2):
        walk({"name": "form", "url": f"{shop.url}/form"})
    assert "cookie" not in shop.heads[1]


def test_headers_cookies_and_patterns_can_be_saved(shop: Shop) -> None:
    shop.said["headers"] = {"Location": "/echo/77?x=1", "ETag": '"abc"', "Set_Cookie": "id=c1; Path=/echo"}
    number = {"header": "location", "regex": r"/echo/(\d+)"}
    save = {"number": number, "etag": {"header": "ETag"}, "whole": {"regex": '"v": "?[a-z]+'}}
    seen = walk(
        {"name": "a", "url": f"{shop.url}/value", "save": save},
        {
            "name": "b",
            "url": f"{shop.url}/echo/{{{{number}}}}",
            "headers": {"If-Match": "{{etag}}", "X-Whole": "<{{whole}}>"},
            "save": {"cookie": {"cookie": "id"}},
        },
        {"name": "c", "url": f"{shop.url}/value", "headers": {"X-Cookie": "{{cookie}}"}},
    )
    assert seen.status is Status.OK, seen
    assert shop.asked[1] == "GET /echo/77"
    assert shop.heads[1]["if-match"] == '"abc"'
    assert shop.heads[1]["x-whole"] == '<"v": null>'
    assert shop.heads[1]["cookie"] == "id=c1"
    assert shop.heads[2]["x-cookie"] == "c1"
    assert "cookie" not in shop.heads[2]


def test_a_value_that_must_change_is_remembered_by_its_step(shop: Shop) -> None:
    shop.said["v"] = 1
    rule = {"expect_jsonpath": [{"path": "$.v", "changes_within": "1h"}]}
    first = walk({"name": "a", "url": f"{shop.url}/value", **rule}, {"name": "b", "url": f"{shop.url}/echo"})
    assert first.status is Status.OK
    assert first.memory is not None
    assert list(first.memory) == ["a"]
    memory = json.loads(json.dumps(first.memory))
    memory["a"]["changes"]["$.v"]["since"] = "2026-01-01T00:00:00.000Z"
    step = {"name": "a", "url": f"{shop.url}/value", **rule}
    assert walk(step, memory=memory).kind is Kind.CONTENT
    shop.said["v"] = 2
    assert walk(step, memory=memory).status is Status.OK
    assert walk({"name": "b", "url": f"{shop.url}/echo"}, memory=memory).memory is None


# ---- a walk that ends in the middle


def test_the_step_that_fails_is_named_the_rest_is_left_out_and_the_clean_up_runs(shop: Shop) -> None:
    shop.broken.add("/orders")
    seen = walk(login(shop), orders(shop, name="pay"), orders(shop), logout(shop))
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, Kind.STATUS, 500)
    assert seen.message == "step 'pay': status is 500, expected 200 to 299"
    assert seen.findings == (Finding("step 'pay': status", "200 to 299", "500"),)
    assert shop.asked == ["POST /login", "GET /orders", "POST /logout"]
    assert list(seen.observed["steps"]) == ["login", "pay", "logout"]  # type: ignore[arg-type]
    assert "broken" in str(seen.observed["body"])
    assert TOKEN not in everything(seen)


def test_without_what_it_would_clean_up_a_clean_up_is_skipped(shop: Shop) -> None:
    seen = walk(login(shop, json={"user": "monitor", "password": "wrong one"}), orders(shop), logout(shop))
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, Kind.AUTH, 401)
    assert seen.message == "step 'login': status is 401, expected 200 to 299"
    assert seen.observed["skipped"] == "logout"
    assert shop.asked == ["POST /login"]


def test_what_a_failed_step_brought_is_still_cleaned_up(shop: Shop) -> None:
    seen = walk(login(shop, expect_jsonpath=[{"path": "$.user.id", "equals": 43}]), orders(shop), logout(shop))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert shop.asked == ["POST /login", "POST /logout"]
    assert not shop.is_logged_in
    assert "body" not in seen.observed
    assert TOKEN not in everything(seen)


def test_a_clean_up_that_fails_is_a_warning_when_all_else_is_well(shop: Shop) -> None:
    shop.broken.add("/logout")
    seen = walk(login(shop), orders(shop), logout(shop))
    assert (seen.status, seen.kind, seen.code) == (Status.WARN, Kind.STATUS, 500)
    assert seen.message == "clean-up 'logout': status is 500, expected 200 to 299"
    shop.broken.add("/orders")
    seen = walk(login(shop), orders(shop), logout(shop))
    assert seen.status is Status.FAIL
    assert seen.message.startswith("step 'list': status is 500, expected 200 to 299; clean-up 'logout': status is 500")


def test_a_clean_up_in_the_middle_ends_nothing(shop: Shop) -> None:
    shop.broken.add("/echo")
    seen = walk(login(shop), {"name": "tidy", "url": f"{shop.url}/echo", "always": True}, orders(shop), logout(shop))
    assert seen.status is Status.WARN
    assert shop.asked == ["POST /login", "GET /echo", "GET /orders", "POST /logout"]


def test_slow_steps_and_a_slow_walk_warn_or_fail(shop: Shop) -> None:
    seen = walk(login(shop), orders(shop, warn_ms=0.0001), logout(shop))
    assert (seen.status, seen.kind) == (Status.WARN, Kind.SLOW)
    assert seen.message.startswith("step 'list': latency is ")
    seen = walk(login(shop), orders(shop, crit_ms=0.0001), logout(shop))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.SLOW)
    seen = walk(login(shop), orders(shop), logout(shop), warn_ms=0.0001)
    assert (seen.status, seen.kind) == (Status.WARN, Kind.SLOW)
    assert seen.message.startswith("time of all steps is ")
    seen = walk(login(shop), orders(shop), logout(shop), crit_ms=0.0001)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.SLOW)


def test_what_is_missing_here_makes_it_not_configured(shop: Shop) -> None:
    seen = walk(login(shop), {"name": "send", "url": f"{shop.url}/echo", "body_file": "gone.txt"}, logout(shop))
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert seen.message.startswith("step 'send': body_file: 'gone.txt' cannot be read")
    assert shop.asked == ["POST /login", "POST /logout"]


# ---- one deadline


def test_a_step_that_hangs_leaves_time_for_the_clean_up(shop: Shop) -> None:
    shop.slow.add("/orders")
    began = time.monotonic()
    seen = walk(login(shop), orders(shop), logout(shop), timeout=3, reserve=80)
    assert 0.4 < time.monotonic() - began < 2.8
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message.startswith("step 'list': connected, but no answer within ")
    assert shop.asked[-1] == "POST /logout"
    assert not shop.is_logged_in


def test_clean_ups_that_hang_share_what_is_left_and_end_by_the_deadline(shop: Shop) -> None:
    shop.slow |= {"/orders", "/echo"}
    tidy = {"name": "tidy", "url": f"{shop.url}/echo", "always": True}
    began = time.monotonic()
    seen = walk(login(shop), orders(shop), tidy, logout(shop), timeout=2, reserve=80)
    assert time.monotonic() - began < 2 + GRACE_S
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert shop.asked == ["POST /login", "GET /orders", "GET /echo", "POST /logout"]
    assert "clean-up 'tidy': " in seen.message


def test_without_clean_up_the_last_step_has_all_the_time() -> None:
    with Peer(answer("ok"), then_silence(b"")) as peer:
        began = time.monotonic()
        seen = walk({"name": "a", "url": peer.url}, {"name": "b", "url": peer.url}, timeout=0.5)
        assert 0.4 < time.monotonic() - began < 0.5 + GRACE_S
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message.startswith("step 'b': ")


@pytest.mark.parametrize("script", [drip(b"HTTP/1.1 200 OK\r\n\r\n"), drip(b"HTTP/1.1 302 F"), then_silence(b"HT")])
def test_a_step_that_drips_ends_by_the_deadline(script: Script) -> None:
    began = time.monotonic()
    with Peer(script) as peer:
        seen = walk({"name": "a", "url": peer.url}, {"name": "b", "url": peer.url, "always": True}, timeout=0.5)
        assert time.monotonic() - began < 0.5 + GRACE_S
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)


def test_an_endless_redirect_ends() -> None:
    with Peer(redirect("/again")) as peer:
        seen = walk({"name": "a", "url": peer.url})
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.PROTOCOL)
        assert seen.message == "step 'a': Maximum (5) redirects followed"
        assert len(peer.requests) == 6


def test_a_slow_chain_of_redirects_ends_by_the_deadline() -> None:
    def slowly(connection: Any) -> None:
        connection.read_request()
        connection.closing.wait(0.15)
        connection.send(redirect("/again"))

    with Peer(slowly) as peer:
        began = time.monotonic()
        seen = walk({"name": "a", "url": peer.url, "max_redirects": 50}, timeout=0.5)
        assert time.monotonic() - began < 0.5 + GRACE_S
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert "redirected to http://127.0.0.1" in seen.message


# ---- redirects


def test_redirects_can_be_left_alone_and_their_end_is_judged(shop: Shop) -> None:
    with Peer(redirect("/b", "301 Moved"), redirect("c?x=1", "307 Temporary"), answer('{"v": 1}')) as peer:
        seen = walk({"name": "a", "url": f"{peer.url}/a", "final_url": f"{peer.url}/c", "save": {"v": "$.v"}})
        assert seen.status is Status.OK, seen
        assert [request.split()[1] for request in peer.requests] == [b"/a", b"/b", b"/c?x=1"]
        assert seen.observed["final_url"] == f"{peer.url}/c"
    with Peer(redirect("/b")) as peer:
        step = {"name": "a", "url": peer.url, "follow_redirects": False, "expect_status": 302}
        assert walk(step).status is Status.OK
        assert len(peer.requests) == 1


def test_a_post_becomes_a_get_or_stays_as_the_status_says() -> None:
    for status, method, body in (("302 Found", b"GET", b""), ("303 S", b"GET", b""), ("307 T", b"POST", b"data")):
        with Peer(redirect("/b", status), answer("ok")) as peer:
            assert walk({"name": "a", "url": peer.url, "method": "POST", "body": "data"}).status is Status.OK
            assert peer.requests[1].split()[0] == method
            assert peer.requests[1].partition(b"\r\n\r\n")[2] == body


def test_another_origin_gets_no_credentials_by_a_redirect() -> None:
    with Peer(answer("ok")) as elsewhere, Peer(answer('{"t": "tok-secret-1"}'), redirect(elsewhere.url)) as peer:
        seen = walk(
            {"name": "a", "url": peer.url, "save": {"t": "$.t"}},
            {"name": "b", "url": peer.url, "bearer": "{{t}}", "headers": {"X-Api-Key": "{{t}}", "Cookie": "own={{t}}"}},
        )
        assert seen.status is Status.OK, seen
        assert b"tok-secret-1" in peer.requests[1]
        assert b"tok-secret-1" not in elsewhere.requests[0]


@pytest.mark.parametrize("location", ["http://[::1", "file:///etc/passwd", "gopher://h/", "http://h:99999999/", "//"])
def test_a_redirect_to_no_web_address_is_a_failure(location: str) -> None:
    with Peer(redirect(location)) as peer:
        seen = walk({"name": "a", "url": peer.url})
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.PROTOCOL), seen


# ---- cookies: RFC 6265


def sent(peer: Peer, number: int = -1) -> str:
    lines = peer.requests[number].decode("latin-1").split("\r\n")
    return next((line[8:] for line in lines if line.lower().startswith("cookie: ")), "")


def sets(*lines: str) -> bytes:
    head = "".join(f"Set-Cookie: {line}\r\n" for line in lines)
    return f"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n{head}\r\nok".encode("latin-1")


@pytest.mark.parametrize(
    ("line", "second", "expected"),
    [
        ("a=1", "/", "a=1"),
        ("a=1; Path=/", "/x", "a=1"),
        ("a=1; Path=/shop", "/shop/cart", "a=1"),
        ("a=1; Path=/shop", "/shopping", ""),
        ("a=1; Path=/first/x", "/first", ""),
        ("a=1", "/elsewhere", "a=1"),
        ("a=1; Max-Age=0", "/", ""),
        ("a=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT", "/", ""),
        ("a=1; Expires=Fri, 31 Dec 2038 23:59:59 GMT", "/", "a=1"),
        ("a=1; Secure", "/", ""),
        ("a=1; HttpOnly; SameSite=Strict; Priority=High", "/", "a=1"),
        ("a=1; Domain=127.0.0.1", "/", "a=1"),
        ("a=1; Domain=0.0.1", "/", ""),
        ("a=1; Domain=.0.1", "/", ""),
        ("a=1; Domain=example.com", "/", ""),
        ("a=1; Domain=", "/", "a=1"),
        ('a="q u"', "/", 'a="q u"'),
        ("a=x=y=", "/", "a=x=y="),
        ("a=", "/", "a="),
        ("a=1; Version=1", "/", "a=1"),
        ("a=" + "x" * 4000, "/", "a=" + "x" * 4000),
        ("a=" + "x" * 6000, "/", ""),
        ("a=b\x01c", "/", ""),
    ],
)
def test_a_cookie_is_sent_where_it_belongs(line: str, second: str, expected: str) -> None:
    with Peer(sets(line), answer("ok")) as peer:
        seen = walk({"name": "a", "url": f"{peer.url}/first"}, {"name": "b", "url": f"{peer.url}{second}"})
        assert seen.status is Status.OK, seen
        assert sent(peer) == expected


def test_a_cookie_of_a_name_without_dots_may_name_it(shop: Shop) -> None:
    with Peer(sets("a=1; Domain=localhost", "b=2; Domain=.local", "c=3"), answer("ok")) as peer:
        url = f"http://localhost:{peer.port}/"
        assert walk({"name": "a", "url": url}, {"name": "b", "url": url}).status is Status.OK
        assert sorted(sent(peer).split("; ")) == ["a=1", "c=3"]


def test_a_cookie_stays_with_its_host_but_not_with_its_port() -> None:
    with Peer(sets("a=1"), answer("ok")) as peer, Peer(answer("ok")) as other:
        steps = [peer.url, other.url, f"http://localhost:{peer.port}"]
        assert walk(*({"name": url, "url": url} for url in steps)).status is Status.OK
        assert sent(other) == "a=1"
        assert sent(peer) == ""


def test_a_cookie_can_be_replaced_and_taken_back() -> None:
    with Peer(sets("a=1", "b=1"), sets("a=2", "b=; Max-Age=0"), answer("ok")) as peer:
        assert walk(*({"name": name, "url": peer.url} for name in "xyz")).status is Status.OK
        assert sorted(sent(peer, 1).split("; ")) == ["a=1", "b=1"]
        assert sent(peer) == "a=2"


def test_a_cookie_of_user_and_password_in_the_url_is_that_of_the_host() -> None:
    with Peer(sets("a=1"), answer("ok")) as peer:
        with_user = peer.url.replace("//", "//user:pass-word@")
        assert walk({"name": "a", "url": with_user}, {"name": "b", "url": peer.url}).status is Status.OK
        assert sent(peer) == "a=1"


def test_a_secure_cookie_goes_by_https_only(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    safe = {"ca_file": str(tmp_path / "ca.pem"), "crit_days": None, "warn_days": None}
    with Peer(sets("a=1; Secure", "b=2"), answer("ok"), tls=context) as peer, Peer(answer("ok")) as plain:
        first = {"name": "a", "url": peer.url, **safe}
        seen = walk(first, {"name": "b", "url": plain.url}, {"name": "c", "url": peer.url, **safe})
        assert seen.status is Status.OK, seen
        assert sent(plain) == "b=2"
        assert sorted(sent(peer).split("; ")) == ["a=1", "b=2"]
        refused = walk({"name": "a", "url": peer.url})
    assert (refused.status, refused.kind) == (Status.FAIL, Kind.TLS)
    assert refused.message.startswith("step 'a': ")


HOST = "https://www.shop.example/"


@pytest.mark.parametrize(
    ("url", "line", "second", "expected"),
    [
        # Without Domain it is of this host alone, and not of those below it.
        ("https://shop.example/", "a=1", "https://shop.example/", "a=1"),
        ("https://shop.example/", "a=1", "https://evil.shop.example/", ""),
        ("https://shop.example/", "a=1", "http://shop.example:8080/", "a=1"),
        ("http://localhost/", "a=1", "http://a.localhost/", ""),
        ("http://[::1]/", "a=1", "http://[::1]:99/", "a=1"),
        (HOST, "a=1; Domain=shop.example", "https://other.shop.example/", "a=1"),
        (HOST, "a=1; Domain=.SHOP.example", "https://shop.example/", "a=1"),
        (HOST, "a=1; Domain=shop.example", "https://othershop.example/", ""),
        (HOST, "a=1; Domain=www.shop.example", "https://a.www.shop.example/", "a=1"),
        (HOST, "a=1; Domain=api.shop.example", HOST, ""),
        (HOST, "a=1; Domain=example", "https://b.example/", ""),
        (HOST, "a=1; Domain=example", HOST, ""),
        ("https://shop.co.uk/", "a=1; Domain=co.uk", "https://other.co.uk/", ""),
        ("https://www.shop.co.uk/", "a=1; Domain=shop.co.uk", "https://shop.co.uk/", "a=1"),
        # The last of two counts.
        ("https://shop.co.uk/", "a=1; Domain=co.uk; Domain=shop.co.uk", "https://other.co.uk/", ""),
        (HOST, "a=1; Domain=shop.example; Domain=www.shop.example", "https://shop.example/", ""),
        (HOST, "a=1; Path=/x; Path=/", HOST, "a=1"),
        # What is no path and no number is left out (RFC 6265, 5.2).
        (HOST, "a=1; Path=shop", HOST, "a=1"),
        (HOST, "a=1; Max-Age=soon", HOST, "a=1"),
        (HOST, "a=1; Max-Age=-5; Expires=Fri, 31 Dec 2038 23:59:59 GMT", HOST, ""),
        (HOST, "a=1; Max-Age=60; Expires=Wed, 21 Oct 2015 07:28:00 GMT", HOST, "a=1"),
        (HOST, "a=1; Port=99; Version=1; Discard", HOST, "a=1"),
    ],
)
def test_a_cookie_goes_to_no_other_host(url: str, line: str, second: str, expected: str) -> None:
    cookies = Cookies()
    head = (b"HTTP/1.1 200 OK\r\n", f"Set-Cookie: {line}\r\n".encode())
    cookies.keep(url, Answer(200, b"", cut=False, latency_ms=1.0, phases_ms={}, address="", header_block=head))
    assert cookies.header(second) == expected


def test_a_thousand_cookies_are_not_kept() -> None:
    lines = [f"c{number}={'x' * 40}" for number in range(1000)]
    with Peer(sets(*lines), answer("ok")) as peer:
        assert walk({"name": "a", "url": peer.url}, {"name": "b", "url": peer.url}).status is Status.OK
        assert len(sent(peer).split("; ")) == 100


# ---- hostile values


@pytest.mark.parametrize("value", ["x\r\nX-Injected: 1", "x\nX-Injected: 1", "x\x00y", "x\x7f"])
def test_a_value_with_a_line_break_is_put_in_no_header(shop: Shop, value: str) -> None:
    shop.said["v"] = value
    save = {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}}
    keys: list[dict[str, Any]] = [
        {"headers": {"X-Value": "{{v}}"}},
        {"bearer": "{{v}}"},
        {"basic": {"username": "{{v}}", "password": "y"}},
        {"basic": {"username": "y", "password": "{{v}}"}},
    ]
    for key in keys:
        seen = walk(save, {"name": "b", "url": f"{shop.url}/echo", **key})
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), (key, seen)
        assert seen.message == f"step 'b': {next(iter(key))}: a saved value cannot stand there"
    assert shop.asked == ["GET /value"] * len(keys)


def test_a_value_with_a_line_break_stays_where_it_was_put_in_url_form_and_json(shop: Shop) -> None:
    shop.said["v"] = "x\r\nX-Injected: 1&b=2?#/%00"
    seen = walk(
        {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}},
        {
            "name": "b",
            "url": f"{shop.url}/echo/{{{{v}}}}?q={{{{v}}}}",
            "query": {"r": "{{v}}"},
            "form": {"f": "{{v}}"},
            "method": "GET",
        },
    )
    assert seen.status is Status.OK, seen
    assert "x-injected" not in shop.heads[1]
    query = parse_qs(urlsplit(shop.asked[1].partition(" ")[2]).query)
    assert query == {"q": [shop.said["v"]], "r": [shop.said["v"]]}
    assert parse_qs(shop.bodies[1].decode()) == {"f": [shop.said["v"]]}


@pytest.mark.parametrize("value", [".", "..", "", " ", None, [], {}, {"a": 1}, "x" * 4097, "ü" * 2049])
def test_a_value_that_would_be_another_request_is_not_sent(shop: Shop, value: Any) -> None:
    shop.said["v"] = value
    seen = walk(
        {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}},
        {"name": "b", "url": f"{shop.url}/orders/{{{{v}}}}", "method": "DELETE"},
    )
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen
    assert shop.asked == ["GET /value"]
    assert "xxx" not in everything(seen)


@pytest.mark.parametrize("value", ["../users/1", "1/../../users", "..\\users", "1/.", "/..", "./1"])
def test_a_value_is_no_way_out_of_its_path(shop: Shop, value: str) -> None:
    # nginx for one decodes %2F, and then takes `..` for the folder above.
    shop.said["v"] = value
    save = {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}}
    seen = walk(save, {"name": "b", "url": f"{shop.url}/orders/{{{{v}}}}", "method": "DELETE"})
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen
    assert seen.message == "step 'b': url: a saved value with . or .. as a part of its path cannot stand there"
    assert shop.asked == ["GET /value"]
    assert walk(save, {"name": "b", "url": f"{shop.url}/echo?q={{{{v}}}}"}).status is Status.OK
    assert parse_qs(urlsplit(shop.asked[-1].partition(" ")[2]).query) == {"q": [value]}


def test_the_longest_value_is_carried(shop: Shop) -> None:
    shop.said["v"] = "x" * 4096
    seen = walk(
        {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}},
        {"name": "b", "url": f"{shop.url}/echo", "headers": {"X-V": "{{v}}"}},
    )
    assert seen.status is Status.OK, seen
    assert len(shop.heads[1]["x-v"]) == 4096


@pytest.mark.parametrize(
    ("said", "save", "got"),
    [
        (answer('{"v": 1}'), "$.w", "missing"),
        (answer('{"v": [1, 2]}'), "$.v[*]", "2 values"),
        (answer("<html>tok-secret"), "$.v", "in a body that is not JSON"),
        (answer(""), "$.v", "in a body that is empty"),
        (answer(b'{"v": "\xff"}'), "$.v", "in a body that is not JSON"),
        (answer(b"\xff\xfe\xfd"), {"regex": "."}, "in a body that is no text in UTF-16-LE"),
        (answer(b"\x80\x81"), {"regex": "."}, "in a body that is no text in UTF-8"),
        (answer("abc"), {"regex": "x(.)"}, "missing"),
        (answer("abc"), {"regex": "b(x)?"}, "missing"),
        (answer("abc"), {"header": "X-Token"}, "missing"),
        (sets("a=1", "a=2"), {"header": "Set-Cookie"}, "2 values"),
        (sets("a=1; Path=/elsewhere"), {"cookie": "a"}, "missing"),
        (answer("abc", X_Token="abc"), {"header": "X-Token", "regex": r"\d"}, "missing"),
        (answer('{"v": "' + "x" * 2_000_000), "$.v", "in a body that is longer than max_body_bytes"),
    ],
)
def test_a_value_that_is_not_there_fails_its_step(said: bytes, save: Any, got: str) -> None:
    with Peer(said) as peer:
        seen = walk({"name": "a", "url": peer.url, "save": {"v": save}}, {"name": "b", "url": f"{peer.url}/{{{{v}}}}"})
        assert len(peer.requests) == 1
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen
    assert f"is {got}, expected one text, number or truth value" in seen.message
    assert "tok-secret" not in everything(seen)


def test_a_number_is_saved_as_it_is_written(shop: Shop) -> None:
    for value, text in ((12, "12"), (1.5, "1.5"), (True, "true"), (0, "0"), (-3, "-3"), (2**53 + 1, str(2**53 + 1))):
        shop.said["v"] = value
        seen = walk(
            {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v"}},
            {"name": "b", "url": f"{shop.url}/echo/{{{{v}}}}"},
        )
        assert seen.status is Status.OK, seen
        assert shop.asked[-1] == f"GET /echo/{text}"


def test_a_value_that_holds_a_placeholder_is_not_filled_in_again(shop: Shop) -> None:
    shop.said["v"] = "{{w}}"
    seen = walk(
        {"name": "a", "url": f"{shop.url}/value", "save": {"v": "$.v", "w": {"header": "Content-Type"}}},
        {"name": "b", "url": f"{shop.url}/echo", "headers": {"X-V": "{{v}}"}},
    )
    assert seen.status is Status.OK
    assert shop.heads[1]["x-v"] == "{{w}}"


# ---- secrets


def test_what_is_carried_on_stands_in_no_message_and_no_evidence(shop: Shop) -> None:
    long = "sEcReT" * 60
    body = json.dumps({"said": f"token {long} {SESSION}", "t": long})
    first = answer(json.dumps({"t": long}), Set_Cookie=f"s={SESSION}")
    with Peer(first, answer(body, f"500 {long}", X_Token=long)) as peer:
        rules = [{"path": "$.said", "equals": "x"}, {"path": "$.t", "not_equals": "{{t}}"}]
        seen = walk(
            {"name": "a", "url": peer.url, "save": {"t": "$.t"}},
            {
                "name": "b",
                "url": f"{peer.url}/{{{{t}}}}",
                "bearer": "{{t}}",
                "expect_jsonpath": rules,
                "expect_body": {"not_contains": "{{t}}"},
                "expect_headers": [{"name": "X-Other", "equals": "{{t}}"}, {"name": "Connection", "equals": "{{t}}"}],
                "expect": "body == ''",
            },
        )
    assert seen.status is Status.FAIL
    assert len(seen.findings) >= 5
    assert "sEcReT" not in everything(seen)
    assert SESSION not in everything(seen)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ab/cd+ef/0123456==", r'{"token": "ab\/cd+ef\/0123456=="}'),  # as PHP writes JSON
        ("k\u00e9y-0123456789", r'{"token": "k\u00e9y-0123456789"}'),
        ('say "0123456789"', r'{"token": "say \"0123456789\""}'),
        ("ab&cd<ef'0123456", '<input value="ab&amp;cd&lt;ef&#x27;0123456">'),
        ("ab&cd<ef'0123456", '<input value="ab&amp;cd&lt;ef&#39;0123456">'),
        ("two  blanks  0123456", '{"token": "two  blanks  0123456"}'),
    ],
)
def test_a_saved_value_is_known_again_as_json_and_html_write_it(value: str, shown: str) -> None:
    with Peer(answer(json.dumps({"t": value})), answer(shown, "500 Oops")) as peer:
        seen = walk({"name": "a", "url": peer.url, "save": {"t": "$.t"}}, {"name": "b", "url": peer.url})
    assert seen.status is Status.FAIL
    assert "***" in str(seen.observed["body"])
    assert "0123456" not in everything(seen)


def test_a_hundred_long_secrets_cost_no_more_time_than_there_is() -> None:
    values = {f"v{number}": f"{number:04d}" + "ab" * 2040 for number in range(40)}
    cookies = "".join(f"Set-Cookie: c{number}={number:04d}{'cd' * 2000}\r\n" for number in range(60))
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(json.dumps(values))}\r\n{cookies}\r\n"
    starts = " ".join(f"{number:04d}" for number in range(60))
    wrong = [{"path": f"$.v{number}", "equals": 1} for number in range(40)]
    save = {name: f"$.{name}" for name in values}
    with Peer((head + json.dumps(values)).encode(), answer(json.dumps(values | {"a": starts}), "500 Oops")) as peer:
        began = time.monotonic()
        seen = walk(
            {"name": "a", "url": peer.url, "save": save},
            {"name": "b", "url": peer.url, "expect_jsonpath": wrong, "bearer": "{{v1}}"},
        )
        assert time.monotonic() - began < 3
    assert seen.status is Status.FAIL
    assert "abab" not in everything(seen)


def test_credentials_of_the_file_stand_in_no_message(shop: Shop) -> None:
    with Peer(answer("your password is pass-word-1, your key key-123456", "403 no pass-word-1")) as peer:
        seen = walk(
            {
                "name": "a",
                "url": peer.url,
                "basic": {"username": "u", "password": "pass-word-1"},
                "headers": {"X-Api-Key": "key-123456"},
            }
        )
    assert seen.status is Status.FAIL
    assert "pass-word-1" not in everything(seen)
    assert "key-123456" not in everything(seen)


# ---- what the file says wrongly


WRONG: list[tuple[list[dict[str, Any]], str]] = [
    ([], "expected 1 to 20 steps, got 0"),
    ([{"name": str(n), "url": "http://h"} for n in range(21)], "expected 1 to 20 steps, got 21"),
    ([{"name": "a", "url": "http://h"}] * 2, "step 'a' stands twice; names are unique"),
    ([{"name": "a", "url": "http://h/{{v}}"}], "step 'a': no step before it saves {{v}}"),
    ([{"name": "a", "url": "http://h/{{v}}", "save": {"v": "$.v"}}], "step 'a': no step before it saves {{v}}"),
    ([{"name": "a", "url": "http://h", "bearer": "{{ v }}"}], "no step before it saves {{v}}"),
    ([{"name": "a", "url": "http://h", "json": {"a": ["{{v}}"]}}], "no step before it saves {{v}}"),
    ([{"name": "a", "url": "http://h", "save": {"order": "$.v"}}, {"name": "b", "url": "http://h/{{ordr}}"}],
     "no step before it saves {{ordr}} (did you mean 'order'?)"),
    ([{"name": "a", "url": "http://{{v}}/x"}], "expected a value of another step in path or query only"),
    ([{"name": "a", "url": "http://u:{{v}}@h/x"}], "expected a value of another step in path or query only"),
    ([{"name": "a", "url": "{{v}}"}], "expected a URL"),
    ([{"name": "a", "url": "http://h", "expect_body": {"matches": "{{v}}"}}], "expect_body: expected no {{v}} here"),
    ([{"name": "a", "url": "http://h", "proxy": "http://{{v}}"}], "proxy: expected no {{v}} here"),
    ([{"name": "a", "url": "http://h", "json": {"{{v}}": 1}}], "json: expected no {{v}} here"),
    ([{"name": "a", "url": "http://h", "expect": "body == '{{v}}'"}], "expect: expected no {{v}} here"),
    ([{"name": "a", "url": "http://h", "json": 1, "body": "x"}], "expected at most one of body, json, form"),
    ([{"name": "a", "url": "http://h", "save": {"Token": "$.v"}}], "expected a name in lower case"),
    ([{"name": "a", "url": "http://h", "save": {"t": "$["}}], "expected a JSONPath"),
    ([{"name": "a", "url": "http://h", "save": {"t": {}}}], "expected one of path, header, cookie, regex"),
    ([{"name": "a", "url": "http://h", "save": {"t": {"cookie": "a", "regex": "b"}}}], "got cookie and regex"),
    ([{"name": "a", "url": "http://h", "save": {"t": {"regex": "(a)(b)"}}}], "expected at most one group"),
    ([{"name": "a", "url": "http://h", "save": {"t": {"regex": "(?=a)"}}}], "expected a regular expression"),
    ([{"name": "a", "url": "ftp://h"}], "expected a URL"),
    ([{"name": "a", "url": "http://h", "expect_status": 99}], "expected codes such as"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "message"), WRONG)
def test_what_the_file_says_wrongly_is_told(steps: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as told:
        check_of(*steps)
    assert message in told.value.errors()[0]["msg"]


@pytest.mark.parametrize("key", ["type", "group", "timeout", "every", "oauth2", "retries", "on_fail"])
def test_a_step_has_no_keys_of_a_whole_check(key: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        check_of({"name": "a", "url": "http://h", key: "x"})


def test_an_error_in_a_step_names_its_line_and_a_variable_of_the_environment_is_another_thing() -> None:
    text = """\
checks:
- name: walk
  type: steps
  steps:
    - {name: a, url: "http://h/${SHOP}", save: {token: $.t}}
    - name: b
      url: http://h/{{ token }}/{SHOP}
      expect_statuss: 200
      headers: {X: "{{TOKEN}}"}
"""
    with pytest.raises(ConfigError) as told:
        load(text, {"SHOP": "1"})
    assert [line.partition(": ")[0] for line in told.value.errors] == ["checks.yaml:8", "checks.yaml:9"]
    assert "environment variable TOKEN is not set" in told.value.errors[1]
    right = text.replace("expect_statuss", "expect_status").replace("TOKEN", "token")
    (check,) = load(right, {"SHOP": "1"}).checks.values()
    assert isinstance(check, StepsCheck)
    assert check.steps[1].template["url"] == "http://h/{{token}}/1"
    assert check.steps[1].wanted == ("token",)
    assert check.target == "http://h/1"


def test_a_token_of_the_file_is_not_shown() -> None:
    check = check_of({"name": "a", "url": "http://h", "bearer": "tok-123456"})
    assert "tok-123456" not in repr(check)
