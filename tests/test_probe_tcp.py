"""The tcp probe against a real Redis, and against peers that answer oddly or not at all."""

from __future__ import annotations

import pickle
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.kinds.tcp import TcpCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.authorities import Authority, issue
from tests.conftest import GRACE_S, free_port
from tests.databases import RedisServer
from tests.servers import Connection, Peer, greets

OK = (Status.OK, None)
WRONG = (Status.FAIL, Kind.CONTENT)
TIMEOUT_S = 0.4


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer()
    server.start()
    yield server
    server.end()


def check_of(port: int, **keys: Any) -> TcpCheck:
    return TcpCheck.model_validate({"name": "n", "type": "tcp", "host": "127.0.0.1", "port": port, **keys})


def see(port: int, folder: Path = Path(), **keys: Any) -> Outcome:
    keys = {"timeout": 5, **keys}
    began = time.monotonic()
    outcome = run_probe(check_of(port, **keys), Setting(folder))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


# ---- a real server


def test_a_server_that_takes_connections_is_ok(redis: RedisServer) -> None:
    outcome = see(redis.port)
    assert verdict(outcome) == OK
    assert outcome.message.startswith("connected in ")
    assert outcome.observed == {"address": "127.0.0.1"}
    assert outcome.phases_ms.keys() == {"dns", "connect", "total"}
    assert verdict(see(redis.port, host="localhost")) == OK


def test_what_is_sent_is_answered(redis: RedisServer) -> None:
    assert verdict(see(redis.port, send=r"PING\r\n", expect_contains=r"+PONG\r\n")) == OK
    assert verdict(see(redis.port, send=r"INFO\r\n", expect_matches=r"redis_version:\d+\.\d+")) == OK


def test_an_answer_that_is_not_the_expected_one_is_shown(redis: RedisServer) -> None:
    outcome = see(redis.port, send=r"NONSENSE\r\n", expect_contains="+PONG", timeout=TIMEOUT_S)
    assert verdict(outcome) == WRONG
    assert "ERR unknown command" in str(outcome.observed["answer"])
    assert outcome.observed["ended"] == "by the deadline"
    assert "-ERR unknown command" in outcome.message


def test_a_server_that_hangs_is_a_timeout_only_where_an_answer_is_expected(redis: RedisServer) -> None:
    with redis.stopped():
        assert verdict(see(redis.port)) == OK
        silent = see(redis.port, send=r"PING\r\n", expect_contains="PONG", timeout=TIMEOUT_S)
    assert verdict(silent) == (Status.FAIL, Kind.TIMEOUT)
    assert silent.message == "connected, but no answer within 400 ms"


def test_a_server_that_is_gone_is_no_connection() -> None:
    gone = see(free_port())
    assert verdict(gone) == (Status.FAIL, Kind.CONNECT)
    assert "Connection refused" in gone.message


# ---- what comes, and what is expected


def test_an_answer_in_pieces_is_put_together() -> None:
    with Peer(greets(b"READ", b"Y to ", b"serve\r\n", every_s=0.01)) as peer:
        assert verdict(see(peer.port, expect_contains="READY to serve")) == OK


def test_all_expectations_must_hold() -> None:
    with Peer(greets(b"220 ready\r\n")) as peer:
        assert verdict(see(peer.port, expect_contains="220", expect_matches="^220 re")) == OK
        both = see(peer.port, expect_contains="220", expect_matches="^221", timeout=TIMEOUT_S)
        assert [finding.what for finding in both.findings] == ["answer"]


def test_bytes_that_are_no_text_can_be_expected() -> None:
    with Peer(greets(b"\xff\x00\xfe")) as peer:
        assert verdict(see(peer.port, expect_contains=r"\xff\x00\xfe")) == OK
        assert verdict(see(peer.port, expect_matches=r"^\xff\x00")) == OK
        assert verdict(see(peer.port, expect_contains="text", timeout=TIMEOUT_S)) == WRONG


def test_a_close_before_the_expected_is_wrong_content_and_says_who_ended_it() -> None:
    def short(line: Connection) -> None:
        line.send(b"sorry")

    def nothing(_line: Connection) -> None:
        pass

    with Peer(short, nothing) as peer:
        cut = see(peer.port, expect_contains="ready")
        assert (verdict(cut), cut.observed["ended"]) == (WRONG, "by the peer")
        empty = see(peer.port, expect_contains="ready")
        assert (verdict(empty), empty.findings[0].got) == (WRONG, "empty")


def test_a_flood_is_read_up_to_its_limit() -> None:
    def flood(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"y" * 65536)

    with Peer(flood) as peer:
        outcome = see(peer.port, expect_contains="never")
    assert verdict(outcome) == WRONG
    assert (outcome.observed["bytes"], outcome.observed["ended"]) == (65536, "after 65536 bytes")
    assert len(str(outcome)) < 2000


def test_a_drip_ends_with_the_deadline() -> None:
    def drip(line: Connection) -> None:
        while not line.closing.wait(0.02):
            line.send(b"z")

    with Peer(drip) as peer:
        assert verdict(see(peer.port, expect_contains="never", timeout=TIMEOUT_S)) == WRONG


def test_what_comes_is_made_harmless() -> None:
    with Peer(greets(b"\x1b[31m<script>\x07\xe2\x80\xae" + b"a" * 5000)) as peer:
        outcome = see(peer.port, expect_contains="never", timeout=TIMEOUT_S)
    assert "\x1b" not in str(outcome) + outcome.message
    assert "\u202e" not in outcome.message
    assert len(outcome.message) < 400


def test_without_an_expectation_nothing_is_read_and_nothing_needs_to_come() -> None:
    with Peer(greets()) as peer:
        assert verdict(see(peer.port, timeout=TIMEOUT_S)) == OK


def test_slow_is_warn_or_fail() -> None:
    def late(line: Connection) -> None:
        line.closing.wait(0.1)
        line.send(b"ready")
        line.hold()

    with Peer(late) as peer:
        assert verdict(see(peer.port, expect_contains="ready", warn_ms=50)) == (Status.WARN, Kind.SLOW)
        slow = see(peer.port, expect_contains="ready", warn_ms=50, crit_ms=60)
        assert verdict(slow) == (Status.FAIL, Kind.SLOW)
        assert slow.message.endswith("expected at most 60 ms")
        assert verdict(see(peer.port, expect_contains="ready", warn_ms=4000)) == OK
        # What is wrong is wrong first.
        assert verdict(see(peer.port, expect_contains="no", crit_ms=60, timeout=TIMEOUT_S)) == WRONG


# ---- TLS


def test_tls_is_made_first_and_the_certificate_verified(authority: Authority) -> None:
    with Peer(greets(b"hello"), tls=authority.context()) as peer:
        trusting = {"tls": True, "ca_file": "ca.pem", "folder": authority.folder}
        outcome = see(peer.port, expect_contains="hello", **trusting)
        assert verdict(outcome) == OK
        assert outcome.observed["tls_version"] == "TLSv1.3"
        refused = see(peer.port, tls=True)
        assert verdict(refused) == (Status.FAIL, Kind.TLS)
        assert "CN=Test Root, unknown here" in refused.message
        assert verdict(see(peer.port, tls=True, verify=False)) == OK
        assert verdict(see(peer.port, server_name="other.example", **trusting)) == (Status.FAIL, Kind.TLS)


def test_a_certificate_that_is_about_to_end_is_the_business_of_another_kind(tmp_path: Path) -> None:
    with Peer(greets(b"x"), tls=issue("short", days=(-9, 1)).context(tmp_path)) as peer:
        assert verdict(see(peer.port, tls=True, verify=False)) == OK


# ---- the file


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"host": "http://x"}, "expected a host name or an address"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"send": r"\q"}, "expected one of"),
        ({"expect_matches": "("}, "expected a regular expression"),
        ({"verify": False}, "expected tls: true beside verify"),
    ],
)
def test_what_cannot_be_is_said_when_the_file_is_read(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        check_of(**{"port": 80, **keys})


def test_the_target_is_host_and_port() -> None:
    assert check_of(80).target == "127.0.0.1:80"
    assert check_of(80, host="::1").target == "[::1]:80"
