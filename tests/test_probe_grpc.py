"""The grpc probe against a real gRPC server with its health service, and against peers that break the protocol."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from monitor.config.kinds.grpc import GrpcCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import GRACE_S, free_port
from tests.servers import Connection, Peer, Script, says

if find_spec("grpc_health") is None and not os.environ.get("GREENWALL_REQUIRE_SERVERS"):
    pytest.skip("grpcio is not installed (requirements-extra.txt)", allow_module_level=True)

os.environ.setdefault("GRPC_VERBOSITY", "NONE")
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

OK = (Status.OK, None)
TIMEOUT_S = 0.4


def see(port: int, folder: Path = Path(), **keys: Any) -> Outcome:
    keys = {"host": "127.0.0.1", "timeout": TIMEOUT_S, **keys}
    check = GrpcCheck.model_validate({"name": "n", "type": "grpc", "port": port, **keys})
    began = time.monotonic()
    outcome = run_probe(check, Setting(folder))
    assert time.monotonic() - began < check.timeout + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


# ---- a real server


class Refusing(health_pb2_grpc.HealthServicer):
    """Answers with a code of gRPC."""

    def __init__(self, code: grpc.StatusCode) -> None:
        self.code = code

    def Check(self, request: Any, context: Any) -> Any:
        context.abort(self.code, "not for you\x1b[31m " + "x" * 3000)


class Hanging(health_pb2_grpc.HealthServicer):
    def __init__(self) -> None:
        self.over = threading.Event()

    def Check(self, request: Any, context: Any) -> Any:
        self.over.wait(10)
        return health_pb2.HealthCheckResponse(status=1)


class Odd(health_pb2_grpc.HealthServicer):
    """Answers with a status of the future, and a long unknown field."""

    def Check(self, request: Any, context: Any) -> Any:
        return health_pb2.HealthCheckResponse.FromString(b"\x08\x63")


@contextmanager
def serving(servicer: Any = None, tls: grpc.ServerCredentials | None = None, port: int = 0) -> Iterator[int]:
    server = grpc.server(futures.ThreadPoolExecutor(2))
    if servicer is not None:
        health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    address = f"127.0.0.1:{port}"
    taken = server.add_secure_port(address, tls) if tls else server.add_insecure_port(address)
    server.start()
    yield taken
    server.stop(0).wait(5)


@pytest.fixture(scope="module")
def servicer() -> health.HealthServicer:
    known = health.HealthServicer()
    known.set("", health_pb2.HealthCheckResponse.SERVING)
    known.set("shop.Orders", health_pb2.HealthCheckResponse.SERVING)
    known.set("shop.Old", health_pb2.HealthCheckResponse.NOT_SERVING)
    known.set("shop.New", health_pb2.HealthCheckResponse.UNKNOWN)
    return known


@pytest.fixture(scope="module")
def port(servicer: health.HealthServicer) -> Iterator[int]:
    with serving(servicer) as taken:
        yield taken


@pytest.mark.parametrize("service", ["", "shop.Orders"])
def test_serving_is_ok(port: int, service: str) -> None:
    seen = see(port, service=service, timeout=3)
    assert verdict(seen) == OK
    assert seen.message.startswith("SERVING in ")
    assert seen.observed == {"address": "127.0.0.1", "health": "SERVING"}
    assert verdict(see(port, service=service, host="localhost", timeout=3)) == OK


@pytest.mark.parametrize(("service", "said"), [("shop.Old", "NOT_SERVING"), ("shop.New", "UNKNOWN")])
def test_anything_else_is_status(port: int, service: str, said: str) -> None:
    seen = see(port, service=service, timeout=3)
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == f"health of {service} is {said}, expected SERVING"


def test_a_status_that_nobody_knows_is_status() -> None:
    with serving(Odd()) as port:
        seen = see(port, timeout=3)
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "health is status 99, expected SERVING"


def test_a_service_that_the_server_does_not_know_is_status(port: int) -> None:
    seen = see(port, service="shop.Nothing", timeout=3)
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "the server's health service does not know the service 'shop.Nothing'"


def test_a_server_without_the_health_service_is_protocol() -> None:
    with serving() as port:
        seen = see(port, timeout=3)
    assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)
    assert seen.message == "the server has no health service: register grpc.health.v1.Health in it"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (grpc.StatusCode.UNAUTHENTICATED, Kind.AUTH),
        (grpc.StatusCode.PERMISSION_DENIED, Kind.AUTH),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, Kind.STATUS),
        (grpc.StatusCode.INTERNAL, Kind.PROTOCOL),
        (grpc.StatusCode.UNAVAILABLE, Kind.PROTOCOL),
    ],
)
def test_other_codes_are_told_apart_and_shown_harmless(code: grpc.StatusCode, kind: Kind) -> None:
    with serving(Refusing(code)) as port:
        seen = see(port, timeout=3)
    assert verdict(seen) == (Status.FAIL, kind)
    assert "not for you [31m xx" in seen.message
    assert seen.message.isprintable()
    assert len(seen.message) < 320
    assert seen.observed == {"address": "127.0.0.1", "grpc_status": code.name}


def test_a_call_that_hangs_is_timeout() -> None:
    servicer = Hanging()
    with serving(servicer) as port:
        seen = see(port)
        servicer.over.set()
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message == "no answer within 400 ms"


def test_a_slow_answer_is_warn_or_fail(port: int) -> None:
    assert verdict(see(port, warn_ms=0.0001, timeout=3)) == (Status.WARN, Kind.SLOW)
    assert verdict(see(port, crit_ms=0.0001, timeout=3)) == (Status.FAIL, Kind.SLOW)


def test_a_proxy_of_the_environment_is_not_used(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert verdict(see(port, timeout=3)) == OK


def test_tls_is_verified(servicer: health.HealthServicer, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate = authority.issue_cert("localhost")
    chain = b"".join(pem.bytes() for pem in certificate.cert_chain_pems)
    tls = grpc.ssl_server_credentials([(certificate.private_key_pem.bytes(), chain)])
    with serving(servicer, tls) as port:
        keys = {"tls": True, "ca_file": "ca.pem", "timeout": 3}
        assert verdict(see(port, tmp_path, host="localhost", **keys)) == OK
        assert verdict(see(port, tmp_path, **keys, server_name="localhost")) == OK
        seen = see(port, tmp_path, **keys)
        assert verdict(seen) == (Status.FAIL, Kind.TLS)
        assert verdict(see(port, host="localhost", tls=True, timeout=3)) == (Status.FAIL, Kind.TLS)
        assert verdict(see(port, timeout=3)) == (Status.FAIL, Kind.PROTOCOL)


def test_stopped_is_connect_at_once_and_started_again_is_ok(servicer: health.HealthServicer) -> None:
    port = free_port()
    for _ in range(2):
        with serving(servicer, port=port):
            assert verdict(see(port, timeout=3)) == OK
        assert verdict(see(port, timeout=3)) == (Status.FAIL, Kind.CONNECT)


def test_no_socket_and_no_thread_is_left(port: int) -> None:
    def held() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), len(list(Path("/proc/self/task").iterdir()))

    for _ in range(10):
        see(port, timeout=3)
    before = held()
    for _ in range(40):
        see(port, timeout=3)
    give_up_at = time.monotonic() + 3
    while (after := held()) > before and time.monotonic() < give_up_at:
        time.sleep(0.02)
    assert after[0] <= before[0]
    assert after[1] <= before[1] + 2
    assert not [thread for thread in threading.enumerate() if "grpc" in thread.name.lower()]


# ---- peers that break the protocol

SETTINGS = b"\0\0\0\4\0\0\0\0\0"


def endless(piece: bytes) -> Script:
    def script(connection: Connection) -> None:
        while not connection.closing.is_set():
            connection.send(piece)

    return script


@pytest.mark.parametrize(
    ("script", "kinds"),
    [
        (says(), {Kind.TIMEOUT}),
        (says(SETTINGS), {Kind.TIMEOUT}),
        (says(*[SETTINGS[n : n + 1] for n in range(9)] * 3, every_s=0.1), {Kind.TIMEOUT}),
        (says(hold=False), {Kind.PROTOCOL, Kind.TIMEOUT}),
        (says(SETTINGS, hold=False), {Kind.PROTOCOL, Kind.TIMEOUT}),
        (says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), {Kind.PROTOCOL, Kind.TIMEOUT}),
        (says(b"\xff" * 1000), {Kind.PROTOCOL, Kind.TIMEOUT}),
        (endless(b"\xff" * 60_000), {Kind.PROTOCOL, Kind.TIMEOUT}),
        (endless(SETTINGS * 1000), {Kind.PROTOCOL, Kind.TIMEOUT}),
    ],
    ids=[
        "silence",
        "settings only",
        "drips",
        "closes",
        "cut",
        "http/1",
        "garbage",
        "endless garbage",
        "endless settings",
    ],
)
def test_servers_that_break_the_protocol(script: Script, kinds: set[Kind]) -> None:
    with Peer(script) as peer:
        seen = see(peer.port)
    assert seen.status is Status.FAIL
    assert seen.kind in kinds
    assert seen.message.isprintable()


def test_a_handshake_that_hangs_is_timeout(tmp_path: Path) -> None:
    with Peer(lambda connection: connection.hold()) as peer:
        assert verdict(see(peer.port, tls=True)) == (Status.FAIL, Kind.TIMEOUT)


def test_a_name_that_does_not_exist_is_dns() -> None:
    # No resolver is asked for it: a name has 253 characters at most, and these are more.
    check = GrpcCheck.model_validate({"name": "n", "type": "grpc", "host": "x", "port": 1, "timeout": 3})
    seen = run_probe(check.model_copy(update={"host": ".".join(["x" * 60] * 5)}), Setting(Path()))
    assert verdict(seen) == (Status.FAIL, Kind.DNS)


# ---- what is needed, and what the file may say


def test_without_its_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    # None in sys.modules is how an import is blocked.
    monkeypatch.setitem(sys.modules, "grpc_health.v1.health_pb2", None)
    seen = see(1)
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert seen.message == "grpc checks need more packages; install: pip install -r requirements-extra.txt"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"host": "grpc://x"}, "expected a host name or an address"),
        ({"port": 70000}, "less than or equal to 65535"),
        ({"verify": False}, "Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        GrpcCheck.model_validate({"name": "n", "type": "grpc", "host": "x", "port": 1, **keys})
    assert message in str(raised.value)
