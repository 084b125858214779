"""The redis kind against a real Redis: memory, clients, keys and replicas, while it is broken; and against no Redis."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trustme

from monitor.config import Environment, parse_config
from monitor.config.kinds.redis import RedisCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import eventually, free_port
from tests.databases import RedisServer, nothing_is_left, within
from tests.servers import Connection, Peer, says

PASSWORD = "a/very@secret:word"
QUOTED = "a%2Fvery%40secret%3Aword"
SETTING = Setting(Path("conf"))


def check(url: str, **more: Any) -> RedisCheck:
    return RedisCheck.model_validate({"name": "r", "type": "redis", "url": url, "timeout": 3, **more})


def see(url: str, **more: Any) -> Outcome:
    return run_probe(check(url, **more), SETTING)


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer().started() as server:
        yield server


@pytest.fixture
def locked() -> Iterator[RedisServer]:
    """A server that wants a password."""
    with RedisServer("--requirepass", PASSWORD).started() as server:
        yield server


def test_a_server_that_answers_is_ok_and_tells_its_figures(redis: RedisServer) -> None:
    seen = see(redis.url)
    assert verdict(seen) == (Status.OK, None)
    assert seen.message.startswith("PONG in ")
    assert seen.observed["role"] == "master"
    assert seen.observed["evicted_keys"] == seen.observed["rejected_connections"] == 0
    assert {"version", "memory_bytes", "memory_percent", "connected_clients", "address"} <= seen.observed.keys()
    assert seen.phases_ms.keys() == {"dns", "connect", "login", "ping", "total"}
    assert seen.latency_ms is not None and 0 < seen.latency_ms < 3000


def test_unix_sockets_other_schemes_and_other_databases_are_reached(redis: RedisServer) -> None:
    assert verdict(see(f"unix://{redis.socket}?db=3")) == (Status.OK, None)
    assert verdict(see(f"valkey://localhost:{redis.port}/15")) == (Status.OK, None)
    assert verdict(see(f"redis://localhost:{redis.port}")) == (Status.OK, None)
    assert verdict(see(f"redis://localhost:{redis.port}/99")) == (Status.FAIL, Kind.STATUS)
    assert verdict(see(f"unix://{redis.folder}/nothing")) == (Status.FAIL, Kind.CONNECT)


def test_an_empty_url_is_not_configured() -> None:
    text = "checks:\n- name: cache\n  type: redis\n  url: ${REDIS_URL:-}\n"
    (empty,) = parse_config(text, Path("checks.yaml"), Environment()).config.checks
    seen = run_probe(empty, SETTING)
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "REDIS_URL" in seen.message


def test_a_password_is_needed_and_must_be_right_and_is_never_told(locked: RedisServer) -> None:
    host = f"127.0.0.1:{locked.port}"
    assert verdict(see(f"redis://:{QUOTED}@{host}")) == (Status.OK, None)
    assert verdict(see(f"redis://default:{PASSWORD.replace('/', '%2F')}@{host}/0")) == (Status.OK, None)
    without, wrong = see(f"redis://{host}"), see(f"redis://:{QUOTED}-not@{host}")
    assert verdict(without) == verdict(wrong) == (Status.FAIL, Kind.AUTH)
    assert "NOAUTH" in without.message
    assert "WRONGPASS" in wrong.message
    assert PASSWORD not in repr(wrong) and QUOTED not in repr(wrong)
    assert PASSWORD not in check(f"redis://:{QUOTED}@{host}").target


def test_a_user_that_may_only_ping_is_ok_until_a_figure_is_wanted(locked: RedisServer) -> None:
    with socket.create_connection(("127.0.0.1", locked.port), 5) as line:
        line.sendall(f"AUTH {PASSWORD}\r\nACL SETUSER pinger on >right +ping ~*\r\n".encode())
        line.shutdown(socket.SHUT_WR)
        assert line.makefile("rb").read() == b"+OK\r\n" * 2
    url = f"redis://pinger:right@127.0.0.1:{locked.port}"
    assert verdict(see(url)) == (Status.OK, None)
    seen = see(url, crit_percent=99)
    assert verdict(seen) == (Status.FAIL, Kind.AUTH)
    assert "NOPERM" in seen.message
    assert verdict(see(url, expect_keys=[{"key": "k", "exists": True}])) == (Status.FAIL, Kind.AUTH)


def test_memory_is_judged_by_maxmemory_and_by_the_machine_without(redis: RedisServer) -> None:
    assert verdict(see(redis.url, crit_percent=99)) == (Status.OK, None)
    redis.ask("CONFIG", "SET", "maxmemory", "3mb")
    try:
        redis.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
        redis.ask("SETRANGE", "big", "1500000", "x")
        seen = see(redis.url, warn_percent=50, crit_percent=99.9)
        assert verdict(seen) == (Status.WARN, Kind.RESOURCE)
        assert "% of maxmemory" in seen.message
        redis.ask("CONFIG", "SET", "maxmemory", "1mb")
        seen = see(redis.url, warn_percent=50, crit_percent=99.9)
        assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
        # A full server still answers: full is what the limits say.
        assert verdict(see(redis.url)) == (Status.OK, None)
    finally:
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        redis.ask("DEL", "big")


def test_too_many_clients_and_no_place_for_one_more_are_resource(redis: RedisServer) -> None:
    with socket.create_connection(("127.0.0.1", redis.port)) as other:
        other.sendall(b"PING\r\n")
        assert other.recv(10)
        assert verdict(see(redis.url, max_clients=1)) == (Status.FAIL, Kind.RESOURCE)
        assert verdict(see(redis.url, max_clients=100)) == (Status.OK, None)
        redis.ask("CONFIG", "SET", "maxclients", "1")
        try:
            seen = see(redis.url)
            assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
            assert "max number of clients" in seen.message
        finally:
            other.sendall(b"CONFIG SET maxclients 1000\r\n")
            assert other.recv(10) == b"+OK\r\n"


RULES: list[tuple[dict[str, Any], str]] = [
    ({"key": "n", "equals": 12}, ""),
    ({"key": "n", "equals": "12"}, ""),
    ({"key": "n", "gt": 11, "le": 12}, ""),
    ({"key": "n", "lt": 12}, "key n is 12, expected < 12"),
    ({"key": "n", "not_equals": 12}, "key n is 12, expected not 12"),
    ({"key": "n", "equals": True}, 'key n is "12", expected true'),
    ({"key": "f", "ge": 1.5}, ""),
    ({"key": "nan", "not_equals": "x"}, ""),
    ({"key": "nan", "lt": 5}, 'key nan is "nan", expected < 5'),
    ({"key": "text", "equals": "grün"}, ""),
    ({"key": "text", "gt": 0}, 'key text is "grün", expected > 0'),
    ({"key": "gone", "equals": 12}, "key gone is missing, expected 12"),
    ({"key": "gone", "not_equals": 12}, "key gone is missing, expected not 12"),
    ({"key": "gone", "exists": False}, ""),
    ({"key": "gone", "exists": True}, "key gone is missing, expected there"),
    ({"key": "n", "exists": True, "equals": 12}, ""),
    ({"key": "n", "exists": False}, "key n is there, expected missing"),
    ({"key": "list", "min_length": 3, "max_length": 3}, ""),
    ({"key": "list", "max_length": 2}, "key list is 3 entries, expected at most 2 entries"),
    ({"key": "list", "min_length": 4}, "key list is 3 entries, expected at least 4 entries"),
    ({"key": "list", "equals": 12}, "key list is a list, expected 12"),
    ({"key": "gone", "max_length": 2}, ""),
    ({"key": "gone", "min_length": 1}, "key gone is 0 entries, expected at least 1 entries"),
    ({"key": "n", "max_length": 5}, "key n is a string, expected at most 5 entries"),
    ({"key": "stream", "min_length": 1}, ""),
    ({"key": "hash", "min_length": 1}, ""),
    ({"key": "zset", "min_length": 1}, ""),
    ({"key": "set", "min_length": 1}, ""),
    ({"key": "long", "not_equals": "x"}, 'key long is longer than 10000 bytes, expected not "x"'),
]


@pytest.fixture(scope="module")
def filled(redis: RedisServer) -> RedisServer:
    for command in (
        "SET n 12",
        "SET f 1.50",
        "SET nan nan",
        "SET text grün",
        "RPUSH list a b c",
        "XADD stream * k v",
        "HSET hash k v",
        "ZADD zset 1 a",
        "SADD set a",
        "SETRANGE long 20000 x",
    ):
        assert not redis.ask(*command.split(" ")).startswith("-"), command
    return redis


@pytest.mark.parametrize(("rule", "finding"), RULES)
def test_keys_are_judged_strictly(filled: RedisServer, rule: dict[str, Any], finding: str) -> None:
    seen = see(filled.url, expect_keys=[rule])
    expected = (Status.FAIL, Kind.CONTENT) if finding else (Status.OK, None)
    assert (verdict(seen), seen.message if finding else "") == (expected, finding)


def test_what_a_server_says_that_it_cannot_do_is_status_with_its_words(redis: RedisServer) -> None:
    with socket.create_connection(("127.0.0.1", redis.port)) as busy:
        redis.ask("CONFIG", "SET", "busy-reply-threshold", "50")
        busy.sendall(b"EVAL 'while true do end' 0\r\n")
        seen = eventually(lambda: (found := see(redis.url, timeout=1)).kind is Kind.STATUS and found, 5)
        assert seen.message.startswith("BUSY")
        redis.ask("SCRIPT", "KILL")
    eventually(lambda: see(redis.url).status is Status.OK, 5)


def test_a_replica_without_its_master_is_told_apart_from_one_that_replicates() -> None:
    with ExitStack() as ends:
        master, replica = RedisServer("--repl-diskless-sync-delay", "0"), RedisServer("--repl-timeout", "2")
        ends.callback(master.end)
        ends.callback(replica.end)
        master.start()
        replica.start("--replicaof", f"127.0.0.1 {master.port}", "--replica-serve-stale-data", "yes")
        wanted = {"role": "replica", "max_lag": "30s"}
        eventually(lambda: see(replica.url, **wanted).status is Status.OK, 10, "it replicates")
        assert see(replica.url, **wanted).observed["master_link"] == "up"
        assert verdict(see(master.url, role="master")) == (Status.OK, None)
        assert verdict(see(master.url, max_lag=30)) == (Status.FAIL, Kind.STATUS)
        assert verdict(see(replica.url, role="master")) == (Status.FAIL, Kind.STATUS)
        with master.stopped():
            eventually(lambda: see(replica.url, **wanted).kind is Kind.STATUS, 10, "the link is down")
        master.kill()
        seen = see(replica.url, **wanted)
        assert verdict(seen) == (Status.FAIL, Kind.STATUS)
        assert "link to the master is down" in seen.message
        # Nobody said that it must replicate.
        assert verdict(see(replica.url)) == (Status.WARN, Kind.STATUS)
        replica.ask("CONFIG", "SET", "replica-serve-stale-data", "no")
        seen = see(replica.url)
        assert verdict(seen) == (Status.FAIL, Kind.STATUS)
        assert seen.message.startswith("MASTERDOWN")


def test_a_server_that_hangs_is_a_timeout_and_one_that_is_gone_is_connect() -> None:
    server = RedisServer()
    with server.started():
        with nothing_is_left(), server.stopped(), within(1.5):
            assert verdict(see(server.url, timeout=0.5)) == (Status.FAIL, Kind.TIMEOUT)
        assert verdict(see(server.url)) == (Status.OK, None)
        server.kill()
        assert verdict(see(server.url)) == (Status.FAIL, Kind.CONNECT)
        assert verdict(see(f"unix://{server.socket}")) == (Status.FAIL, Kind.CONNECT)
        server.start()
        assert verdict(see(server.url)) == (Status.OK, None)


def test_tls_is_verified_against_our_own_authority(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf = authority.issue_cert("cache.example")
    port = free_port()
    server = RedisServer("--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no")
    server.port = port
    key, chain = server.folder / "key.pem", server.folder / "chain.pem"
    leaf.private_key_pem.write_to_path(str(key))
    leaf.cert_chain_pems[0].write_to_path(str(chain))
    files = ("--tls-key-file", str(key), "--tls-cert-file", str(chain), "--tls-ca-cert-file", str(tmp_path / "ca.pem"))
    url = f"rediss://127.0.0.1:{port}/0"
    with server.started(*files):
        setting = Setting(tmp_path)
        good = check(url, ca_file="ca.pem", server_name="cache.example")
        assert verdict(run_probe(good, setting)) == (Status.OK, None)
        assert verdict(run_probe(check(url, ca_file="ca.pem"), setting)) == (Status.FAIL, Kind.TLS)
        assert verdict(run_probe(check(url, server_name="cache.example"), setting)) == (Status.FAIL, Kind.TLS)
        assert verdict(run_probe(check(url, verify=False), setting)) == (Status.OK, None)
        assert verdict(run_probe(check(f"{url}?ssl_cert_reqs=none"), setting)) == (Status.OK, None)
        assert run_probe(check(f"redis://127.0.0.1:{port}"), setting).status is Status.FAIL


def says_for_ever(start: bytes, piece: bytes, every_s: float) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.send(start)
        while not connection.closing.wait(every_s):
            connection.send(piece)

    return script


def is_silent(connection: Connection) -> None:
    connection.hold()


NO_REDIS = [
    ("an http server", says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.PROTOCOL),
    ("a mail server", says(b"220 mail.example ESMTP\r\n"), Kind.PROTOCOL),
    ("another answer", says(b"+HELLO\r\n"), Kind.PROTOCOL),
    ("a number", says(b":1\r\n"), Kind.PROTOCOL),
    ("no number", says(b":one\r\n"), Kind.PROTOCOL),
    ("a number without an end", says(b":" + b"9" * 5000 + b"\r\n"), Kind.PROTOCOL),
    ("deep lists", says(b"*1\r\n" * 100_000), Kind.PROTOCOL),
    ("a close", says(b""), Kind.TIMEOUT),
    ("silence", is_silent, Kind.TIMEOUT),
    ("half an answer", says(b"$100\r\nxx"), Kind.TIMEOUT),
    ("a drip", says_for_ever(b"$1000000\r\n", b"x", 0.02), Kind.TIMEOUT),
    ("a huge promise", says_for_ever(b"$99999999999\r\n", b"x" * 65536, 0), Kind.CONTENT),
    ("an endless line", says_for_ever(b"+", b"x" * 65536, 0), Kind.CONTENT),
    ("an endless list", says_for_ever(b"*99999999999\r\n", b":1\r\n" * 10_000, 0), None),
    ("an error full of marks", says(b"-ERR \x1b[31m\xff\r\n"), Kind.PROTOCOL),
    ("bytes that begin like an error by chance", says(b"-\xf1\x13\x88 \xff\r\n"), Kind.PROTOCOL),
]


@pytest.mark.parametrize(("name", "script", "kind"), NO_REDIS, ids=[name for name, _, _ in NO_REDIS])
def test_a_peer_that_is_no_redis_fails_in_time(name: str, script: Any, kind: Kind | None) -> None:
    with Peer(script) as peer, nothing_is_left():
        with within(4):
            seen = see(f"redis://127.0.0.1:{peer.port}", timeout=0.6)
        assert seen.status is Status.FAIL, seen
        assert kind in (None, seen.kind), seen
        assert seen.message.isprintable()
        assert len(seen.message) < 400
        for connection in peer.connections:
            connection.sock.close()


def test_a_server_that_falls_silent_is_told_by_the_command() -> None:
    with Peer(is_silent, is_silent) as peer:
        login = see(f"redis://:{'p' * 12}@127.0.0.1:{peer.port}", timeout=0.4)
        ping = see(f"redis://127.0.0.1:{peer.port}", timeout=0.4)
    assert login.message == "connected, but no answer to AUTH within 400 ms"
    assert ping.message == "connected, but no answer to PING within 400 ms"


def test_a_peer_that_closes_is_protocol() -> None:
    def closes(connection: Connection) -> None:
        connection.sock.recv(100)

    with Peer(closes) as peer:
        assert verdict(see(f"redis://127.0.0.1:{peer.port}")) == (Status.FAIL, Kind.PROTOCOL)


def test_a_loading_server_is_status() -> None:
    with Peer(says(b"-LOADING Redis is loading the dataset in memory\r\n")) as peer:
        seen = see(f"redis://127.0.0.1:{peer.port}")
        assert verdict(seen) == (Status.FAIL, Kind.STATUS)
        assert seen.message == "LOADING Redis is loading the dataset in memory"


def test_figures_that_are_none_fail_where_they_are_wanted() -> None:
    def script(connection: Connection) -> None:
        connection.sock.recv(1000)
        connection.send(b"+PONG\r\n")
        connection.sock.recv(1000)
        info = b"used_memory:many\r\nmaxmemory:0\r\nconnected_clients:-\r\nrole:slave\r\nmaster_link_status:up\r\n"
        connection.send(b"$%d\r\n%s\r\n" % (len(info), info))
        connection.hold()

    with Peer(script) as peer:
        url = f"redis://127.0.0.1:{peer.port}"
        assert verdict(see(url)) == (Status.OK, None)
        for limits in ({"crit_percent": 90}, {"warn_percent": 90}, {"max_clients": 9}, {"max_lag": 9}):
            assert verdict(see(url, **limits)) == (Status.FAIL, Kind.CONTENT), limits


def test_a_slow_server_is_slow(redis: RedisServer) -> None:
    assert verdict(see(redis.url, warn_ms=0.0001)) == (Status.WARN, Kind.SLOW)
    assert verdict(see(redis.url, crit_ms=0.0001)) == (Status.FAIL, Kind.SLOW)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "http://host"}, "expected a URL such as redis://"),
        ({"url": "redis://:secret/word@host"}, "expected"),
        ({"url": "redis://host/zero"}, "expected a database by number"),
        ({"url": "redis://host:70000"}, "expected a port"),
        ({"url": "unix://host/path"}, "expected three slashes"),
        ({"role": "master", "max_lag": 5}, "expected role: replica"),
        ({"expect_keys": [{"key": "k"}]}, "expected one of equals"),
        ({"expect_keys": [{"key": "k", "exists": False, "gt": 1}]}, "expected nothing else"),
        ({"expect_keys": [{"key": "k", "equals": [1]}]}, "expected a number, a text"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        check(**({"url": "redis://host"} | change))
    assert "secret" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]


def test_the_tls_handshake_that_hangs_ends_in_time() -> None:
    with Peer(is_silent) as peer, within(4):
        assert verdict(see(f"rediss://127.0.0.1:{peer.port}", timeout=0.5)) == (Status.FAIL, Kind.TIMEOUT)
