"""The mqtt probe against a real Mosquitto, with passwords and TLS, and against peers that break the protocol."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from monitor.config.kinds.mqtt import MqttCheck
from monitor.model import Json, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from monitor.probes.connection import connect
from monitor.probes.mqtt import _connect_packet, _field, _packet
from tests.conftest import GRACE_S, eventually, free_port, program
from tests.servers import Connection, Peer, Script, says

OK = (Status.OK, None)
WRONG = (Status.FAIL, Kind.CONTENT)
TIMEOUT_S = 0.4
LOGIN = {"username": "wall", "password": "s3cret-word"}


def check_of(port: int, **keys: Any) -> MqttCheck:
    keys = {"host": "127.0.0.1", "timeout": TIMEOUT_S, **keys}
    return MqttCheck.model_validate({"name": "n", "type": "mqtt", "port": port, **keys})


def see(port: int, setting: Setting | None = None, **keys: Any) -> Outcome:
    check = check_of(port, **keys)
    began = time.monotonic()
    outcome = run_probe(check, setting or Setting(Path()))
    assert time.monotonic() - began < check.timeout + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


# ---- a real broker


class Mosquitto:
    """Listens plain and by TLS; `wall` may read everything but `secret/#`."""

    def __init__(self, folder: Path) -> None:
        self.program = program("mosquitto", "mosquitto")
        passwd = program("mosquitto_passwd", "mosquitto")
        self.port, self.tls_port, self.folder = free_port(), free_port(), folder
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "server.pem"))
        # The broker drops root's privileges, and would then not get at its files.
        (folder / "passwords").touch(0o600)
        for user in ("wall", "writer"):
            subprocess.run([passwd, "-b", str(folder / "passwords"), user, LOGIN["password"]], check=True)
        (folder / "acl").write_text("user wall\ntopic read plant/#\nuser writer\ntopic write plant/#\n")
        (folder / "mosquitto.conf").write_text(
            f"user root\nallow_anonymous false\npassword_file {folder}/passwords\nacl_file {folder}/acl\n"
            f"persistence false\nlog_dest file {folder}/log\nlog_type all\nconnection_messages true\n"
            f"listener {self.port} 127.0.0.1\n"
            f"listener {self.tls_port} 127.0.0.1\ncertfile {folder}/server.pem\nkeyfile {folder}/key.pem\n"
        )

    def start(self) -> None:
        command = [self.program, "-c", str(self.folder / "mosquitto.conf")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        eventually(lambda: self.see().status is Status.OK, 10, "Mosquitto answers")
        self.publish("plant/state", b'{"running": true, "load": 0.4}')
        self.publish("plant/note", "läuft".encode())
        self.publish("plant/bytes", b"\xff\xfe")
        self.publish("plant/empty/../odd", b" ")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def publish(self, topic: str, payload: bytes) -> None:
        """Let the broker keep a message (retained)."""
        writer = check_of(self.port, username="writer", password=LOGIN["password"])
        with connect("127.0.0.1", self.port, 5) as connection:
            connection.send(_connect_packet(writer))
            assert connection.receive(4)[3:] == b"\0"
            # QoS 1, so that its receipt is known.
            connection.send(_packet(0x33, _field(topic) + b"\0\x07" + payload))
            assert connection.receive(4) == b"\x40\x02\0\x07"

    def see(self, setting: Setting | None = None, **keys: Any) -> Outcome:
        keys = {"timeout": 3, "port": self.port, **LOGIN, **keys}
        return see(keys.pop("port"), setting, **keys)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    server = Mosquitto(tmp_path_factory.mktemp("mosquitto"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


def test_a_login_is_ok_and_ends_as_it_should(broker: Mosquitto) -> None:
    seen = broker.see(client_id="wall-of-this-test")
    assert verdict(seen) == OK
    assert seen.message.startswith("logged in after ")
    assert seen.observed == {"address": "127.0.0.1"}
    assert set(seen.phases_ms) >= {"dns", "connect", "total"}
    eventually(lambda: "Received DISCONNECT from wall-of-this-test" in broker.log, 5)


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"username": "wall", "password": "wrong-one-too"},
        {"username": "nobody", "password": "x"},
        {"username": "wall"},
    ],
)
def test_a_refused_login_is_auth_and_shows_no_password(broker: Mosquitto, keys: dict[str, Any]) -> None:
    seen = see(broker.port, timeout=3, **keys)
    assert verdict(seen) == (Status.FAIL, Kind.AUTH)
    assert seen.message.startswith("the broker refuses the login: ")
    assert "wrong-one-too" not in repr(seen)


def test_the_password_shows_nowhere(broker: Mosquitto) -> None:
    check = check_of(broker.port, **LOGIN)
    assert LOGIN["password"] not in repr(check) + check.target + repr(broker.see())


@pytest.mark.parametrize(
    "keys",
    [
        {"topic": "plant/state"},
        {"topic": "plant/state", "expect_contains": "running"},
        {
            "topic": "plant/state",
            "expect_jsonpath": [{"path": "$.running", "equals": True}, {"path": "$.load", "lt": 1}],
        },
        {"topic": "plant/#", "expect_matches": "^läuft$"},
        {"topic": "+/note", "expect_contains": "läuft"},
    ],
)
def test_a_retained_message_that_holds_is_ok(broker: Mosquitto, keys: dict[str, Any]) -> None:
    seen = broker.see(**keys)
    assert verdict(seen) == OK
    assert str(seen.observed["topic"]).startswith("plant/")
    assert seen.message.startswith("message after ")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"expect_contains": "stopped"},
            "message is '{\"running\": true, \"load\": 0.4}', expected to contain 'stopped'",
        ),
        ({"expect_jsonpath": [{"path": "$.running", "equals": False}]}, "$.running is true, expected false"),
        ({"expect_jsonpath": [{"path": "$.gone", "gt": 0}]}, "$.gone is missing, expected > 0"),
        ({"topic": "plant/note", "expect_jsonpath": [{"path": "$.a", "equals": 1}]}, "body is not JSON"),
        ({"topic": "plant/bytes", "expect_matches": "."}, "message is 2 bytes that are none, expected text in UTF-8"),
    ],
)
def test_a_message_that_does_not_hold_is_content(broker: Mosquitto, keys: dict[str, Any], message: str) -> None:
    seen = broker.see(**{"topic": "plant/state", "timeout": TIMEOUT_S, **keys})
    assert verdict(seen) == WRONG
    assert seen.message.startswith(message)


def test_a_message_that_comes_later_counts(broker: Mosquitto) -> None:
    broker.publish("plant/late", b"starting")
    timer = threading.Timer(0.2, broker.publish, ("plant/late", b"ready"))
    timer.start()
    seen = broker.see(topic="plant/late", expect_contains="ready")
    timer.join(5)
    assert verdict(seen) == OK
    assert seen.observed["messages"] == 2


def test_a_value_that_must_change_is_remembered(broker: Mosquitto) -> None:
    memory: dict[str, Json] = {}
    rule = [{"path": "$.load", "changes_within": "0.001s"}]
    seen: list[Outcome] = []
    for _ in range(2):
        seen.append(broker.see(Setting(Path(), memory=memory), topic="plant/state", expect_jsonpath=rule, timeout=0.5))
        memory = dict(seen[-1].memory or {})
    assert [verdict(outcome) for outcome in seen] == [OK, WRONG]


def test_a_topic_without_a_message_is_timeout(broker: Mosquitto) -> None:
    seen = broker.see(topic="plant/nothing", timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "subscribed, but no message within 400 ms"


def test_tls_is_verified(broker: Mosquitto) -> None:
    setting = Setting(broker.folder)
    keys = {"port": broker.tls_port, "tls": True, "ca_file": "ca.pem", "topic": "plant/state"}
    seen = broker.see(setting, host="localhost", **keys)
    assert verdict(seen) == OK
    assert seen.phases_ms["tls"] > 0
    assert verdict(broker.see(setting, **keys, server_name="localhost")) == OK
    assert verdict(broker.see(setting, **keys)) == (Status.FAIL, Kind.TLS)
    assert verdict(broker.see(setting, **keys | {"ca_file": None}, host="localhost")) == (Status.FAIL, Kind.TLS)
    assert verdict(broker.see(setting, **keys | {"ca_file": None, "verify": False})) == OK


def test_tls_and_plain_mixed_up_fail(broker: Mosquitto) -> None:
    assert verdict(broker.see(tls=True)) == (Status.FAIL, Kind.TLS)
    assert verdict(broker.see(port=broker.tls_port)) == (Status.FAIL, Kind.PROTOCOL)


def test_a_slow_broker_is_warn_or_fail(broker: Mosquitto) -> None:
    assert verdict(broker.see(warn_ms=0.0001)) == (Status.WARN, Kind.SLOW)
    assert verdict(broker.see(crit_ms=0.0001)) == (Status.FAIL, Kind.SLOW)


def test_stopped_is_connect_and_started_again_is_ok(broker: Mosquitto) -> None:
    broker.stop()
    assert verdict(broker.see()) == (Status.FAIL, Kind.CONNECT)
    broker.start()
    assert verdict(broker.see()) == OK


# ---- peers that break the protocol

CONNACK, SUBACK = b"\x20\x02\0\0", b"\x90\x03\0\x01\0"


def publish(payload: bytes, topic: bytes = b"t", first: int = 0x30) -> bytes:
    return _packet(first, len(topic).to_bytes(2) + topic + payload)


def endless(piece: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.sock.recv(65536)
        connection.send(CONNACK + SUBACK)
        while not connection.closing.is_set():
            connection.send(piece)

    return script


@pytest.mark.parametrize(
    ("script", "message"),
    [
        (says(), "connected, but no answer to CONNECT within 400 ms"),
        (says(CONNACK), "logged in, but no answer to SUBSCRIBE within 400 ms"),
        (says(CONNACK + SUBACK), "subscribed, but no message within 400 ms"),
    ],
)
def test_a_broker_that_falls_silent_is_told_by_the_step(script: Script, message: str) -> None:
    with Peer(script) as peer:
        assert see(peer.port, topic="t").message == message


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (says(), Kind.TIMEOUT),
        (says(b"\x20"), Kind.TIMEOUT),
        (says(*[b"\x20", b"\x02", b"\0", b"\0", b"\x90", b"\x03"] * 5, every_s=0.1), Kind.TIMEOUT),
        (says(hold=False), Kind.PROTOCOL),
        (says(b"\x20\x02\0", hold=False), Kind.PROTOCOL),
        (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.PROTOCOL),
        (says(b"\x20\x02\0\x01"), Kind.PROTOCOL),
        (says(b"\x20\x02\0\x02"), Kind.PROTOCOL),
        (says(b"\x20\x02\0\x03"), Kind.STATUS),
        (says(b"\x20\x02\0\x04"), Kind.AUTH),
        (says(b"\x20\x02\0\x05"), Kind.AUTH),
        (says(b"\x20\x02\0\x63"), Kind.PROTOCOL),
        (says(CONNACK), Kind.TIMEOUT),
        (says(CONNACK, hold=False), Kind.PROTOCOL),
        (says(CONNACK + b"\x90\x03\0\x01\x80"), Kind.AUTH),
        (says(CONNACK + b"\x90\x03\0\x09\0"), Kind.PROTOCOL),
        (says(CONNACK + b"\x90\0"), Kind.PROTOCOL),
        (says(CONNACK + SUBACK + b"\xff\xff\xff\xff\xff"), Kind.PROTOCOL),
        (says(CONNACK + SUBACK + b"\x30\xff\xff\xff\x7f"), Kind.CONTENT),
        (says(CONNACK + SUBACK + b"\x30\0"), Kind.PROTOCOL),
        (says(CONNACK + SUBACK + b"\x30\x03\0\x09x"), Kind.PROTOCOL),
        (says(CONNACK + SUBACK + publish(b"")), Kind.CONTENT),
        (says(CONNACK + SUBACK + b"\xd0\0"), Kind.PROTOCOL),
        (endless(publish(b"x" * 9000)), Kind.CONTENT),
        (endless(b"\x30"), Kind.PROTOCOL),
    ],
)
def test_brokers_that_break_the_protocol(script: Script, kind: Kind) -> None:
    with Peer(script) as peer:
        seen = see(peer.port, topic="t", expect_contains="pong")
    assert verdict(seen) == (Status.FAIL, kind)
    assert seen.message.isprintable()
    assert len(seen.message) < 300


@pytest.mark.parametrize(
    "answer",
    [
        CONNACK + SUBACK + publish(b"pong"),
        CONNACK + publish(b"pong") + SUBACK,
        b"\x20\x02\x01\0" + SUBACK + publish(b"pong", first=0x31),
        CONNACK + SUBACK + publish(b"\0\x05pong", first=0x33),
        CONNACK + SUBACK + publish(b"", first=0x30) + publish(b"x" * 200_000 + b"pong"),
    ],
    ids=["plain", "message before the answer", "session present, retained", "QoS 1", "empty, then long"],
)
def test_odd_but_right_brokers_are_ok(answer: bytes) -> None:
    with Peer(says(answer)) as peer:
        assert verdict(see(peer.port, topic="t", expect_contains="pong")) == OK


def test_hostile_text_is_shown_harmless() -> None:
    with Peer(says(CONNACK + SUBACK + publish("\x1b[31m<b>\u202e".encode() * 5000, b"\x1b]0;x\x07" * 900))) as peer:
        seen = see(peer.port, topic="#", expect_contains="x")
    assert verdict(seen) == WRONG
    assert (seen.message + str(seen.observed["topic"])).isprintable()
    assert len(seen.message) + len(str(seen.observed)) < 800


def test_nobody_there_is_connect_and_no_such_name_is_dns() -> None:
    assert verdict(see(free_port())) == (Status.FAIL, Kind.CONNECT)
    # No resolver is asked for it: a name has 253 characters at most, and these are more.
    unknown = check_of(1, timeout=3).model_copy(update={"host": ".".join(["x" * 60] * 5)})
    assert verdict(run_probe(unknown, Setting(Path()))) == (Status.FAIL, Kind.DNS)


def test_a_handshake_that_hangs_is_timeout() -> None:
    with Peer(lambda connection: connection.hold()) as peer:
        assert verdict(see(peer.port, tls=True)) == (Status.FAIL, Kind.TIMEOUT)


# ---- what the file may say


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"host": "mqtt://x"}, "expected a host name or an address"),
        ({"password": "x"}, "expected `username` beside `password`"),
        ({"topic": "a/#/b"}, "expected a topic such as plant/+/status, got 'a/#/b'"),
        ({"topic": "a+"}, "expected a topic"),
        ({"topic": ""}, "expected a topic"),
        ({"expect_contains": "x"}, "expected `topic` beside what a message must hold, got none"),
        ({"client_id": ""}, "expected 1 to 65535 bytes, got 0"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        MqttCheck.model_validate({"name": "n", "type": "mqtt", "host": "x", **keys})
    assert message in str(raised.value)


def test_the_port_is_the_usual_one() -> None:
    keys = {"name": "n", "type": "mqtt", "host": "broker"}
    assert MqttCheck.model_validate(keys).target == "broker:1883"
    assert MqttCheck.model_validate(keys | {"tls": True, "topic": "a/b"}).target == "broker:8883 a/b"
