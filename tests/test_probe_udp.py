"""The udp probe against peers that answer, refuse, or say nothing, and the bounded look-up of names."""

from __future__ import annotations

import errno
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.endpoint import unescape
from monitor.config.kinds.udp import UdpCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, resolve, run_probe
from monitor.probes.deadline import Deadline
from monitor.probes.verdict import ProbeFailed
from tests.conftest import GRACE_S
from tests.datagrams import UdpPeer
from tests.resolvers import Resolver

OK = (Status.OK, None)
WRONG = (Status.FAIL, Kind.CONTENT)
ENOUGH_S, TIMEOUT_S = 5.0, 0.4


def see(port: int, **keys: Any) -> Outcome:
    keys = {"host": "127.0.0.1", "timeout": ENOUGH_S, **keys}
    began = time.monotonic()
    outcome = run_probe(UdpCheck.model_validate({"name": "n", "type": "udp", "port": port, **keys}), Setting(Path()))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


def echo(datagram: bytes) -> list[bytes]:
    return [b"echo:" + datagram]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody else gets, whose socket takes datagrams of one peer only, which never sends any."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.connect(("127.0.0.1", 9))
        yield taken.getsockname()[1]


# ---- answers


@pytest.mark.parametrize(
    "keys",
    [
        {"send": "ping", "expect_contains": "echo:ping"},
        {"send": r"a\r\n\0\\\x41", "expect_contains": r"\r\n\x00\\A"},
        {"send": "Grüße", "expect_contains": "Grüße"},
        {"send_hex": "ff 00 Fe", "expect_hex": "3aff00"},
        {"send_hex": "ff00fe", "expect_matches": r"\xff.\xfe$"},
        {"send": "Grüße", "expect_matches": "(?i)GRÜSS|grüße$"},
        {"expect_matches": "^echo:$"},
    ],
)
def test_what_came_back_is_compared(keys: dict[str, Any]) -> None:
    with UdpPeer(echo) as peer:
        seen = see(peer.port, **keys)
    assert verdict(seen) == OK
    assert seen.observed["address"] == "127.0.0.1"
    assert "bytes in" in seen.message


@pytest.mark.parametrize(
    "keys",
    [{"expect_contains": "pong"}, {"expect_hex": "00"}, {"expect_matches": "^ping"}],
)
def test_another_answer_is_content_and_shown_harmless(keys: dict[str, Any]) -> None:
    with UdpPeer(lambda _: [b"\x1b[31m" + "<\u202ex>".encode() * 9000]) as peer:
        seen = see(peer.port, **keys)
    assert verdict(seen) == WRONG
    assert seen.message.isprintable()
    assert len(seen.message) < 300
    assert len(str(seen.observed)) < 400


def test_an_empty_answer_is_an_answer() -> None:
    with UdpPeer(lambda _: [b""]) as peer:
        assert verdict(see(peer.port, expect_matches="^$")) == OK
        assert verdict(see(peer.port, expect_contains="x")) == WRONG


def test_a_lost_datagram_is_sent_again_where_an_answer_is_expected() -> None:
    with UdpPeer() as peer:
        peer.answers = lambda datagram: echo(datagram) if len(peer.received) > 1 else []
        assert verdict(see(peer.port, expect_contains="echo")) == OK


def test_endless_answers_are_judged_by_the_first() -> None:
    with UdpPeer(lambda _: [b"x" * 60_000] * 100) as peer:
        assert verdict(see(peer.port, expect_contains="x")) == OK


def test_a_slow_answer_is_warn_or_fail() -> None:
    with UdpPeer(echo) as peer:
        assert verdict(see(peer.port, expect_contains="echo", warn_ms=0.0001)) == (Status.WARN, Kind.SLOW)
        assert verdict(see(peer.port, expect_contains="echo", crit_ms=0.0001)) == (Status.FAIL, Kind.SLOW)


# ---- silence and refusal


def test_silence_is_timeout_where_an_answer_is_expected_and_proves_nothing_elsewhere() -> None:
    with UdpPeer() as peer:
        assert verdict(see(peer.port, expect_contains="x", timeout=TIMEOUT_S)) == (Status.FAIL, Kind.TIMEOUT)
        seen = see(peer.port, send="x", timeout=TIMEOUT_S)
    assert verdict(seen) == OK
    assert seen.message == "1 bytes sent: no answer, and no refusal"
    assert peer.received[-1] == b"x"


def test_without_an_expectation_silence_is_waited_for_one_second_only() -> None:
    began = time.monotonic()
    with UdpPeer() as peer:
        assert verdict(see(peer.port, timeout=30)) == OK
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("keys", [{}, {"expect_contains": "x"}])
def test_a_closed_port_is_connect(closed_port: int, keys: dict[str, Any]) -> None:
    seen = see(closed_port, timeout=3, **keys)
    assert verdict(seen) == (Status.FAIL, Kind.CONNECT)
    assert seen.message == "connection refused: nothing listens on this port"
    assert seen.latency_ms is not None
    assert seen.latency_ms < 1000


def test_a_machine_without_descriptors_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", none)
    assert verdict(see(9, expect_contains="x")) == (Status.UNKNOWN, Kind.INTERNAL)


# ---- names


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("localhost", "127.0.0.1"),
        ("shop.localhost.", "127.0.0.1"),
    ],
)
def test_addresses_and_localhost_need_no_look_up(resolver: Resolver, host: str, address: str) -> None:
    assert resolve.resolve(host, Deadline(0.1)) == address
    assert resolver.asked == []


@pytest.mark.parametrize(
    ("host", "address"),
    [("game.TEST", "127.0.0.1"), ("alias", "127.0.0.1"), ("both.test", "127.0.0.2"), ("six.test", "::1")],
)
def test_a_name_is_looked_up_as_the_system_does_and_ipv4_comes_first(
    resolver: Resolver, host: str, address: str
) -> None:
    resolver.known = {"both.test": ["::1", "127.0.0.2"], "six.test": ["::1"]}
    assert resolve.resolve(host, Deadline(5)) == address


def test_a_name_that_does_not_exist_is_dns(resolver: Resolver) -> None:
    with UdpPeer(echo) as peer, pytest.raises(ProbeFailed, match="does not exist"):
        resolve.resolve("nobody.none", Deadline(2))
    seen = see(peer.port, host="nobody.none", timeout=2)
    assert verdict(seen) == (Status.FAIL, Kind.DNS)
    assert seen.message == "the name nobody.none does not exist"


def test_a_name_server_that_says_nothing_is_not_waited_for_beyond_the_deadline(resolver: Resolver) -> None:
    seen = see(9, host="nobody.slow", timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "the name look-up did not end within 400 ms"


def test_all_who_wait_for_a_name_that_hangs_end_in_time_and_hold_one_thread(resolver: Resolver) -> None:
    before = threading.active_count()
    with ThreadPoolExecutor(20) as pool:
        seen = list(pool.map(lambda _: see(9, host="shared.slow", timeout=TIMEOUT_S), range(20)))
    assert {verdict(outcome) for outcome in seen} == {(Status.FAIL, Kind.TIMEOUT)}
    assert resolver.asked == ["shared.slow"]
    assert threading.active_count() <= before + 1
    with UdpPeer(echo) as peer:
        assert verdict(see(peer.port, host="shop.test", timeout=5, expect_contains="echo:")) == OK


def test_a_name_server_that_fails_is_dns(resolver: Resolver, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict(see(9, host="nobody.broken", timeout=3)) == (Status.FAIL, Kind.DNS)
    # Without descriptors no server can be asked, which looks the same to the resolver.
    monkeypatch.setattr("monitor.probes.curl.failure.exhausted", lambda: errno.EMFILE)
    assert verdict(see(9, host="nobody.broken", timeout=3)) == (Status.UNKNOWN, Kind.INTERNAL)


# ---- what the file may say


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"host": "udp://x"}, "expected a host name or an address, without scheme and port, got 'udp://x'"),
        ({"host": "x:53"}, "without scheme and port"),
        ({"host": "10.0.0.300"}, "without scheme and port"),
        ({"host": ""}, "without scheme and port"),
        ({"port": 0}, "greater than or equal to 1"),
        ({"port": True}, "expected a port, got true"),
        ({"send": r"\q"}, r"expected one of \n \r \t \0 \\ \xHH, got '\\q'"),
        ({"send_hex": "f"}, "expected pairs of hexadecimal digits such as \"ff 0a\", got 'f'"),
        ({"send": "a", "send_hex": "00"}, "expected one of `send` and `send_hex`, got both"),
        ({"expect_matches": "("}, "expected a regular expression"),
        ({"warn_ms": 5}, "expected an expectation such as expect_contains beside warn_ms or crit_ms"),
        ({"send": "x" * 70_000}, "expected at most 65507 bytes to send, got 70000"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        UdpCheck.model_validate({"name": "n", "type": "udp", "host": "x", "port": 9, **keys})
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "host", ["shop", "shop.example.", "10.0.0.1", "[::1]", "fe80::1%eth0", "bücher.example", "_x.y"]
)
def test_a_host_is_a_name_or_an_address(host: str) -> None:
    check = UdpCheck.model_validate({"name": "n", "type": "udp", "host": host, "port": 9})
    assert check.target.endswith(":9")


def test_escapes_become_bytes() -> None:
    assert unescape(r"a\x00\xff\n\\é") == b"a\x00\xff\n\\\xc3\xa9"
