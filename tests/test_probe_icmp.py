"""The icmp probe against this machine's loopback, and against a scripted socket for what loopback never does."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import icmplib
import pytest
from pydantic import ValidationError

from monitor.config.kinds.icmp import IcmpCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import GRACE_S
from tests.resolvers import Resolver

OK = (Status.OK, None)
ENOUGH_S, TIMEOUT_S = 5.0, 0.4


def see(host: str = "127.0.0.1", **keys: Any) -> Outcome:
    keys = {"timeout": ENOUGH_S, "interval": 0.01, **keys}
    began = time.monotonic()
    outcome = run_probe(IcmpCheck.model_validate({"name": "n", "type": "icmp", "host": host, **keys}), Setting(Path()))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


def may_ping(family: int = socket.AF_INET) -> bool:
    kind = icmplib.ICMPv4Socket if family == socket.AF_INET else icmplib.ICMPv6Socket
    for privileged in (False, True):
        try:
            kind(privileged=privileged).close()
        except icmplib.ICMPSocketError:
            continue
        return True
    return False


@pytest.fixture
def pings() -> None:
    """A machine on which pings are permitted."""
    if not may_ping():
        reason = "pings are not permitted here (net.ipv4.ping_group_range, CAP_NET_RAW)"
        if os.environ.get("GREENWALL_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)


Reply = tuple[int, int, str]  # type, how far the sequence is off, source
ECHO = (0, 0, "127.0.0.1")


class ScriptedSocket:
    """Answers each ping with these replies; `late` ones come one ping later."""

    def __init__(self, *replies: Reply | None, error: Exception | None = None) -> None:
        self.replies, self.error = list(replies), error
        self.waiting: list[icmplib.ICMPReply] = []
        self.sock, self.peer = socket.socketpair()
        self.is_closed = False

    def __call__(self, privileged: bool) -> ScriptedSocket:
        return self

    def __enter__(self) -> ScriptedSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closed = True
        self.sock.close()
        self.peer.close()

    def send(self, request: icmplib.ICMPRequest) -> None:
        if self.error:
            raise self.error
        reply = self.replies.pop(0) if self.replies else None
        if reply:
            self.waiting.append(reply_to(request, *reply))
            self.peer.send(b"x")

    def receive(self, request: object, timeout: float) -> icmplib.ICMPReply:
        self.sock.recv(1)
        return self.waiting.pop()


def reply_to(request: icmplib.ICMPRequest, kind: int, off: int, source: str) -> icmplib.ICMPReply:
    return icmplib.ICMPReply(source, 4, request.id, request.sequence + off, kind, 0, 64, time.time())


Scripted = Callable[..., ScriptedSocket]


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    def use(*replies: Reply | None, error: Exception | None = None) -> ScriptedSocket:
        sock = ScriptedSocket(*replies, error=error)
        monkeypatch.setattr(icmplib, "ICMPv4Socket", sock)
        return sock

    return use


# ---- this machine


def test_this_machine_answers(pings: None) -> None:
    seen = see(packets=5)
    assert verdict(seen) == OK
    assert seen.observed["sent"] == seen.observed["received"] == 5
    assert seen.observed["loss_percent"] == 0
    assert seen.observed["address"] == "127.0.0.1"
    assert seen.message.startswith("5 of 5 answered, ")
    assert seen.latency_ms is not None
    assert 0 < seen.latency_ms < 400


def test_this_machine_answers_by_name_and_by_ipv6(pings: None) -> None:
    assert verdict(see("localhost")) == OK
    if may_ping(socket.AF_INET6) and "::1" in Path("/proc/net/if_inet6").read_text().replace("0" * 31 + "1", "::1"):
        assert verdict(see("::1")) == OK


def test_packets_are_an_interval_apart(pings: None) -> None:
    began = time.monotonic()
    assert verdict(see(packets=3, interval=0.1)) == OK
    assert 0.2 <= time.monotonic() - began < 2


def test_many_at_once_do_not_take_each_other_s_answers(pings: None) -> None:
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda n: see(f"127.0.0.{n}", packets=5), range(1, 17)))
    assert [outcome.observed["received"] for outcome in seen] == [5] * 16


def test_an_answer_that_is_read_late_on_a_busy_machine_is_not_lost(
    pings: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # From one look of icmplib at its clock to the next, more time goes by than lies between two packets.
    late = itertools.count(time.time(), 0.02)
    monkeypatch.setattr("icmplib.sockets.time", lambda: next(late))
    assert see(packets=5).observed["received"] == 5


def test_a_slow_answer_is_warn_or_fail(pings: None) -> None:
    assert verdict(see(warn_ms=0.00001)) == (Status.WARN, Kind.SLOW)
    assert verdict(see(crit_ms=0.00001)) == (Status.FAIL, Kind.SLOW)


def test_no_socket_is_left(pings: None) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    for _ in range(5):
        see()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


# ---- what loopback never does


def test_silence_is_timeout_within_the_deadline(scripted: Scripted) -> None:
    sock = scripted()
    seen = see(packets=2, timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "no answer to 2 pings within 400 ms"
    assert sock.is_closed


def test_loss_has_limits(scripted: Scripted) -> None:
    half = (ECHO, None, ECHO, None)
    for limits, expected in (
        ({}, OK),
        ({"warn_loss_percent": 50}, OK),
        ({"warn_loss_percent": 0}, (Status.WARN, Kind.TIMEOUT)),
        ({"warn_loss_percent": 0, "crit_loss_percent": 49}, (Status.FAIL, Kind.TIMEOUT)),
        ({"warn_loss_percent": 0, "crit_ms": 0.000001}, (Status.FAIL, Kind.SLOW)),
    ):
        scripted(*half)
        assert verdict(see(packets=4, timeout=0.15, **limits)) == expected
    scripted(*half)
    assert see(packets=4, timeout=0.15, warn_loss_percent=0).message == "loss is 50 %, expected at most 0 %"


def test_answers_of_others_to_others_and_our_own_requests_do_not_count(scripted: Scripted) -> None:
    scripted((0, 0, "127.0.0.9"), (0, 1000, "127.0.0.1"), (8, 0, "127.0.0.1"))
    seen = see(packets=3, timeout=TIMEOUT_S)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)


def test_a_router_that_knows_no_way_is_connect(scripted: Scripted) -> None:
    scripted((3, 0, "127.0.0.9"), (3, 0, "127.0.0.9"))
    began = time.monotonic()
    seen = see(packets=2)
    assert verdict(seen) == (Status.FAIL, Kind.CONNECT)
    assert seen.message.startswith("127.0.0.9: Destination ")
    assert time.monotonic() - began < ENOUGH_S


def test_what_cannot_be_sent_is_connect(scripted: Scripted) -> None:
    scripted(error=icmplib.ICMPSocketError("Network is unreachable"))
    seen = see()
    assert verdict(seen) == (Status.FAIL, Kind.CONNECT)
    assert seen.message == "Network is unreachable"


def test_without_permission_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(privileged: bool) -> None:
        raise icmplib.SocketPermissionError(privileged)

    monkeypatch.setattr(icmplib, "ICMPv4Socket", forbidden)
    seen = see()
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert 'sysctl -w net.ipv4.ping_group_range="0 2147483647"' in seen.message


def test_a_machine_without_descriptors_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.socket

    def none(*args: Any, **keys: Any) -> socket.socket:
        if socket.IPPROTO_ICMP in (*args, *keys.values()):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(*args, **keys)

    monkeypatch.setattr("icmplib.sockets.socket.socket", none)
    assert verdict(see()) == (Status.UNKNOWN, Kind.INTERNAL)


def test_a_name_that_does_not_exist_is_dns(resolver: Resolver) -> None:
    assert verdict(see("nobody.none")) == (Status.FAIL, Kind.DNS)


# ---- what the file may say


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"host": "http://x"}, "expected a host name or an address"),
        ({"packets": 0}, "greater than or equal to 1"),
        ({"packets": 10, "interval": 1, "timeout": 9}, "expected a timeout of more than 9 s for all packets, got 9 s"),
        ({"crit_loss_percent": 100}, "less than 100"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        IcmpCheck.model_validate({"name": "n", "type": "icmp", "host": "x", **keys})
    assert message in str(raised.value)
