"""The websocket probe against the server of the package `websockets`, and against peers that break the protocol."""

from __future__ import annotations

import base64
import hashlib
import http
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError
from websockets.sync.server import Server, ServerConnection, serve

from monitor.config.kinds.websocket import WebsocketCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import GRACE_S, free_port
from tests.servers import Connection, Peer, Script, answer, drip, flood, redirect, then_silence

OK = (Status.OK, None)
WRONG = (Status.FAIL, Kind.CONTENT)
ENOUGH_S, TIMEOUT_S = 2.0, 0.4
# The goodbye's half second is within the deadline.


def see(url: str, folder: Path = Path(), **keys: Any) -> Outcome:
    keys = {"timeout": ENOUGH_S, **keys}
    began = time.monotonic()
    check = WebsocketCheck.model_validate({"name": "n", "type": "websocket", "url": url, **keys})
    outcome = run_probe(check, Setting(folder))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


# ---- a real server


class Log:
    def __init__(self) -> None:
        self.close_codes: list[int | None] = []
        self.requests: list[Any] = []


def talk(connection: ServerConnection, log: Log) -> None:
    path = connection.request.path if connection.request else ""
    log.requests.append(connection.request)
    _SPEECHES[path.partition("?")[0]](connection)
    connection.wait_closed() if hasattr(connection, "wait_closed") else None
    log.close_codes.append(connection.close_code)


def echo(connection: ServerConnection) -> None:
    for message in connection:
        connection.send(message)


def chatter(connection: ServerConnection) -> None:
    connection.send("welcome")
    connection.ping()
    connection.send(["pa", "r", "ts"])
    connection.send("")
    connection.send(b"bytes: pong")
    echo(connection)


def read_only(connection: ServerConnection) -> None:
    for _ in connection:
        pass


_SPEECHES: dict[str, Callable[[ServerConnection], None]] = {
    "/echo": echo,
    "/chatter": chatter,
    "/silence": read_only,
    "/bytes": lambda connection: (connection.send(b"\xff\xfe"), read_only(connection))[1],
    "/policy": lambda connection: connection.close(1008, "no\x07 token"),
    "/bye": lambda connection: connection.close(1000, ""),
    "/crash": lambda connection: connection.close(1011, "boom"),
    "/large": lambda connection: (connection.send("x" * 300_000 + "end"), read_only(connection))[1],
}


def refuse(connection: ServerConnection, request: Any) -> Any:
    if request.path.startswith("/forbidden"):
        return connection.respond(http.HTTPStatus.FORBIDDEN, "no\n")
    if request.path == "/login" and request.headers.get("Authorization") != "Bearer open-sesame":
        return connection.respond(http.HTTPStatus.UNAUTHORIZED, "who are you\n")
    if request.path == "/page":
        return connection.respond(http.HTTPStatus.OK, "a page\n")
    request.path = "/echo" if request.path == "/login" else request.path
    return None


@contextmanager
def running(log: Log, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    server: Server = serve(
        lambda connection: talk(connection, log),
        "127.0.0.1",
        0,
        ssl=tls,
        process_request=refuse,
        subprotocols=["chat"],  # type: ignore[list-item]
        select_subprotocol=lambda _connection, offered: "chat" if "chat" in offered else None,  # type: ignore[arg-type,return-value]
        close_timeout=1,
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    port = server.socket.getsockname()[1]
    yield f"wss://localhost:{port}" if tls else f"ws://127.0.0.1:{port}"
    server.shutdown()
    thread.join(5)


@pytest.fixture(scope="module")
def log() -> Log:
    return Log()


@pytest.fixture(scope="module")
def server(log: Log) -> Iterator[str]:
    with running(log) as url:
        yield url


def test_an_upgrade_alone_is_ok_and_closed_as_it_should_be(server: str, log: Log) -> None:
    seen = see(server + "/silence", timeout=3)
    assert verdict(seen) == OK
    assert seen.code == 101
    assert seen.message.startswith("upgraded in ")
    assert set(seen.phases_ms) >= {"dns", "connect", "total"}
    assert seen.observed == {"address": "127.0.0.1"}
    give_up_at = time.monotonic() + 5
    while not log.close_codes and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert log.close_codes == [1000]


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/echo", {"send": "ping", "expect_contains": "ping"}),
        ("/echo", {"send": "", "expect_matches": "^$"}),
        ("/echo", {"send": "Grüße 🎉", "expect_contains": "Grüße 🎉"}),
        ("/echo", {"send": "x" * 16_000, "expect_matches": "^x{1000}"}),
        ("/chatter", {"expect_contains": "parts"}),
        ("/chatter", {"expect_contains": "pong"}),
        ("/chatter", {"send": "mine", "expect_matches": "^mine$"}),
        ("/large", {"expect_matches": "end$", "timeout": 3}),
        ("/echo", {"send": "a", "expect_contains": "a", "subprotocol": "chat"}),
    ],
)
def test_one_message_that_holds_is_enough(server: str, path: str, keys: dict[str, Any]) -> None:
    assert verdict(see(server + path, **keys)) == OK


def test_no_message_is_timeout_and_only_others_are_content(server: str) -> None:
    seen = see(server + "/silence", expect_contains="x", timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "upgraded, but no message within 400 ms"
    seen = see(server + "/chatter", expect_contains="nothing like this", timeout=TIMEOUT_S)
    assert verdict(seen) == WRONG
    assert seen.message == "message is 'welcome', expected to contain 'nothing like this'"
    assert seen.observed["messages"] == 4


def test_bytes_that_are_no_text_are_content(server: str) -> None:
    assert verdict(see(server + "/bytes", expect_matches=".*", timeout=TIMEOUT_S)) == WRONG


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [("/policy", Kind.AUTH, "1008 no token"), ("/bye", Kind.STATUS, "1000"), ("/crash", Kind.STATUS, "1011 boom")],
)
def test_a_server_that_closes_says_why(server: str, path: str, kind: Kind, said: str) -> None:
    seen = see(server + path, expect_contains="x")
    assert verdict(seen) == (Status.FAIL, kind)
    assert seen.message == f"the server closed the WebSocket before such a message: {said}"
    assert seen.observed["close_code"] == int(said[:4])


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [("/login", Kind.AUTH, 401), ("/forbidden", Kind.AUTH, 403), ("/page", Kind.STATUS, 200)],
)
def test_another_status_than_101_is_status_or_auth(server: str, path: str, kind: Kind, status: int) -> None:
    seen = see(server + path)
    assert verdict(seen) == (Status.FAIL, kind)
    assert seen.message == f"status is {status}, expected 101 (an upgrade to WebSocket)"
    assert seen.observed["status"] == status


def test_headers_are_sent_and_stay_secret(server: str, log: Log) -> None:
    assert verdict(see(server + "/login", headers={"Authorization": "Bearer open-sesame"})) == OK
    seen = see(server + "/login", headers={"Authorization": "Bearer wrong-one"})
    assert verdict(seen) == (Status.FAIL, Kind.AUTH)
    assert "wrong-one" not in repr(seen)
    assert log.requests[-1].headers["User-Agent"].startswith("Greenwall/")


def test_a_password_in_the_url_is_in_no_record(server: str) -> None:
    for url in (
        server.replace("//", "//me:s3cret-word@") + "/forbidden?key=s3cret-word",
        "ws://me:s3cret-word@127.0.0.1:1/",
    ):
        seen = see(url)
        assert seen.status is Status.FAIL
        assert "s3cret-word" not in repr(seen)


def test_a_subprotocol_that_the_server_does_not_choose_is_content(server: str) -> None:
    seen = see(server + "/echo", subprotocol="mqtt")
    assert verdict(seen) == WRONG
    assert seen.message == "subprotocol is none, expected mqtt"


def test_a_slow_answer_is_warn_or_fail(server: str) -> None:
    assert verdict(see(server + "/silence", warn_ms=0.0001)) == (Status.WARN, Kind.SLOW)
    assert verdict(see(server + "/silence", crit_ms=0.0001)) == (Status.FAIL, Kind.SLOW)


def test_wss_is_verified(log: Log, tmp_path: Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("localhost").configure_cert(context)
    with running(log, context) as url:
        keys = {"send": "a", "expect_contains": "a", "timeout": 3}
        seen = see(url + "/echo", tmp_path, ca_file="ca.pem", **keys)
        assert verdict(seen) == OK
        assert seen.phases_ms["tls"] > 0
        assert verdict(see(url + "/large", tmp_path, ca_file="ca.pem", expect_contains="end", timeout=3)) == OK
        assert verdict(see(url + "/echo", tmp_path, **keys)) == (Status.FAIL, Kind.TLS)
        assert verdict(see(url + "/echo", tmp_path, verify=False, **keys)) == OK
        by_address = url.replace("localhost", "127.0.0.1") + "/echo"
        assert verdict(see(by_address, tmp_path, ca_file="ca.pem", **keys)) == (Status.FAIL, Kind.TLS)
        assert verdict(see(url.replace("wss", "ws") + "/echo", timeout=3))[0] is Status.FAIL


# ---- peers that break the protocol


def upgraded(then: Script, **headers: str) -> Script:
    def script(connection: Connection) -> None:
        connection.read_request()
        lines = connection.request.decode("latin-1").split("\r\n")
        key = next(line.partition(": ")[2] for line in lines if line.lower().startswith("sec-websocket-key:"))
        digest = hashlib.sha1(key.encode() + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
        fields = {
            "Upgrade": "WebSocket",
            "Connection": "Upgrade",
            "Sec_WebSocket_Accept": base64.b64encode(digest).decode(),
        }
        fields |= headers
        text = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items() if value)
        connection.send(f"HTTP/1.1 101 Switching Protocols\r\n{text}\r\n".encode())
        then(connection)

    return script


def frame(payload: bytes, opcode: int = 1, final: bool = True, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    head = bytes([opcode | (0x80 if final else 0)])
    return (
        head
        + (bytes([size]) if size < 126 else b"\x7e" + size.to_bytes(2) if size < 65536 else b"\x7f" + size.to_bytes(8))
        + payload
    )


def sends(*pieces: bytes, hold: bool = True) -> Script:
    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
        if hold:
            connection.hold()

    return script


def repeats(piece: bytes, every_s: float = 0.0) -> Script:
    def script(connection: Connection) -> None:
        while not connection.closing.wait(every_s):
            connection.send(piece)

    return script


def stays(connection: Connection) -> None:
    connection.hold()


HEAD = b"HTTP/1.1 101 Switching Protocols\r\n"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (then_silence(b""), Kind.TIMEOUT),
        (then_silence(HEAD), Kind.TIMEOUT),
        (drip(HEAD, b"x"), Kind.TIMEOUT),
        (flood(HEAD, b"X-More: " + b"y" * 8000 + b"\r\n"), Kind.PROTOCOL),
        (b"garbage\r\n\r\n", Kind.PROTOCOL),
        (b"", Kind.PROTOCOL),
        (HEAD, Kind.PROTOCOL),
        (HEAD + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n", Kind.PROTOCOL),
        (upgraded(stays, Sec_WebSocket_Accept="d3Jvbmc="), Kind.PROTOCOL),
        (upgraded(stays, Upgrade="h2c"), Kind.PROTOCOL),
        (upgraded(stays, Sec_WebSocket_Protocol="unasked"), Kind.PROTOCOL),
        (flood(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n", b"x" * 65536), Kind.STATUS),
        (redirect("ws://127.0.0.1:1/"), Kind.STATUS),
        (answer("wait", "503 Service Unavailable"), Kind.STATUS),
    ],
    ids=[
        "silence", "stalls", "drips", "endless headers", "garbage", "closes", "cut", "no accept", "wrong accept",
        "another upgrade", "unasked subprotocol", "endless body", "redirect", "503",
    ],
)  # fmt: skip
def test_upgrades_that_fail(script: bytes | Script, kind: Kind) -> None:
    with Peer(script) as peer:
        seen = see(f"ws://127.0.0.1:{peer.port}/", timeout=TIMEOUT_S if kind is Kind.TIMEOUT else ENOUGH_S)
    assert verdict(seen) == (Status.FAIL, kind)


def test_an_upgrade_that_is_not_answered_or_refused_says_so() -> None:
    with Peer(then_silence(b""), answer("wait", "503 Service Unavailable")) as peer:
        silent = see(f"ws://127.0.0.1:{peer.port}/", timeout=TIMEOUT_S)
        refused = see(f"ws://127.0.0.1:{peer.port}/", timeout=ENOUGH_S)
    assert silent.message == "connected, but no answer to the upgrade within 400 ms"
    assert [str(one) for one in refused.findings] == [refused.message]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (sends(frame(b"hel", final=False)), Kind.TIMEOUT),
        (sends(frame(b"hello", length=100)), Kind.TIMEOUT),
        (sends(hold=False), Kind.PROTOCOL),
        (sends(frame(b"hello", length=100), hold=False), Kind.PROTOCOL),
        (sends(frame(b"\x03\xe8 bye", 8)), Kind.STATUS),
        (sends(frame(b"", 8)), Kind.STATUS),
        (sends(b"\xff" * 100), Kind.PROTOCOL),
        (sends(b"HTTP/1.1 400 Bad Request\r\n\r\n" + b"x" * 100), Kind.PROTOCOL),
        (repeats(frame(b"x", 9), 0.02), Kind.TIMEOUT),
        (repeats(b"\x81", 0.1), Kind.PROTOCOL),
        (repeats(frame(b"", 9) * 100), None),
        (repeats(frame(b"x" * 60_000)), Kind.CONTENT),
        (repeats(frame(b"x" * 60_000, 0, final=False)), Kind.PROTOCOL),
        (sends(frame(b"x" * 1_200_000)), Kind.CONTENT),
        (sends(frame(b"\xff\xfe")), Kind.CONTENT),
    ],
    ids=[
        "half a message", "half a frame", "closes", "cut", "bye", "bye without code", "garbage", "http",
        "pings only", "drips nonsense", "endless pings", "endless messages", "endless continuation", "endless message",
        "no UTF-8",
    ],
)  # fmt: skip
def test_messages_that_break_the_protocol(script: Script, kind: Kind | None) -> None:
    with Peer(upgraded(script)) as peer:
        limit_s = TIMEOUT_S if kind in (None, Kind.TIMEOUT) else ENOUGH_S
        seen = see(f"ws://127.0.0.1:{peer.port}/", expect_contains="pong", timeout=limit_s)
    assert seen.status is Status.FAIL
    assert kind in (None, seen.kind)
    assert seen.message.isprintable()
    assert len(seen.message) < 300


def test_nobody_there_is_connect_and_no_such_name_is_dns() -> None:
    assert verdict(see(f"ws://127.0.0.1:{free_port()}/")) == (Status.FAIL, Kind.CONNECT)
    assert verdict(see("ws://" + "x" * 64 + ".invalid/", timeout=3)) == (Status.FAIL, Kind.DNS)


def test_a_handshake_that_hangs_is_timeout_and_plain_text_is_tls() -> None:
    def hold(connection: Connection) -> None:
        connection.hold()

    with Peer(hold) as peer:
        seen = see(f"wss://127.0.0.1:{peer.port}/", timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "connected, but the TLS handshake did not end within 400 ms"


def test_no_socket_and_no_thread_is_left(server: str) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208

    def settled() -> tuple[int, int]:
        give_up_at = time.monotonic() + 3
        while held() > before and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return held()

    with Peer(then_silence(b"")) as peer:
        before = held()
    before = held()
    for path in ("/echo", "/silence", "/page", "/policy") * 3:
        see(server + path, expect_contains="x", timeout=0.1)
    assert peer
    assert settled() <= before


def test_what_was_said_before_the_protocol_broke_counts() -> None:
    with Peer(upgraded(sends(frame(b"pong") + b"\xff" * 10))) as peer:
        assert verdict(see(f"ws://127.0.0.1:{peer.port}/", expect_contains="pong")) == OK
        seen = see(f"ws://127.0.0.1:{peer.port}/", expect_contains="other")
    assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)


# ---- what the file may say


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"url": "http://x/"}, "expected a URL such as wss://host/path, got 'http://x/'"),
        ({"url": "ws:///x"}, "expected a URL such as wss://host/path"),
        ({"headers": {"Sec-WebSocket-Key": "x"}}, "expected headers beside those of the upgrade itself"),
        ({"subprotocol": "a b"}, "expected the name of a subprotocol such as mqtt, got 'a b'"),
        ({"send": "x" * 20_000}, "expected at most 16000 bytes to send, got 20000"),
        ({"expect_matches": "("}, "expected a regular expression"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        WebsocketCheck.model_validate({"name": "n", "type": "websocket", "url": "ws://x/", **keys})
    assert message in str(raised.value)
