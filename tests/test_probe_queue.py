"""The queue kind against a real RabbitMQ and a real Redis, and against peers that are neither."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.config import Environment, parse_config
from monitor.config.kinds.queue import QueueCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import eventually
from tests.databases import RabbitMqServer, RedisServer, nothing_is_left, within
from tests.servers import Peer, answer, drip, flood, one_by_one, then_silence

SETTING = Setting(Path("conf"))
OLD = 1_700_000_000


def check(url: str, **more: Any) -> QueueCheck:
    return QueueCheck.model_validate({"name": "q", "type": "queue", "url": url, "timeout": 3, **more})


def see(url: str, **more: Any) -> Outcome:
    return run_probe(check(url, **more), SETTING)


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


@pytest.fixture(scope="module", autouse=True)
def starting() -> Iterator[RabbitMqServer | None]:
    """RabbitMQ takes long to start: it begins with the first test, and the last tests need it."""
    try:
        server = RabbitMqServer()
    except pytest.skip.Exception:
        yield None
        return
    try:
        server.start()
        yield server
    finally:
        server.end()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    with RedisServer().started() as server:
        yield server


def test_an_empty_url_is_not_configured() -> None:
    text = "checks:\n- name: mail\n  type: queue\n  url: ${QUEUE_URL:-}\n"
    (empty,) = parse_config(text, Path("checks.yaml"), Environment()).config.checks
    assert verdict(run_probe(empty, SETTING)) == (Status.UNKNOWN, Kind.UNCONFIGURED)


def test_the_length_of_a_redis_list_is_its_depth(redis: RedisServer) -> None:
    redis.ask("RPUSH", "jobs", *"abcde")
    seen = see(redis.url, list="jobs", warn_depth=5, crit_depth=10)
    assert verdict(seen) == (Status.OK, None)
    assert seen.observed["depth"] == 5
    assert seen.message.startswith("5 waiting")
    assert verdict(see(redis.url, list="jobs", warn_depth=4, crit_depth=10)) == (Status.WARN, Kind.RESOURCE)
    seen = see(redis.url, list="jobs", warn_depth=1, crit_depth=4)
    assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
    assert seen.message == "depth is 5, expected at most 4"
    # An empty list does not exist.
    assert verdict(see(redis.url, list="done", crit_depth=0)) == (Status.OK, None)


def test_what_is_no_list_and_no_stream_fails(redis: RedisServer) -> None:
    redis.ask("SET", "text", "1")
    assert verdict(see(redis.url, list="text")) == (Status.FAIL, Kind.CONTENT)
    assert verdict(see(redis.url, stream="text")) == (Status.FAIL, Kind.CONTENT)
    seen = see(redis.url, stream="nothing")
    assert (verdict(seen), seen.message) == ((Status.FAIL, Kind.CONTENT), "no such stream: 'nothing'")
    seen = see(redis.url, stream="nothing", consumer_group="g")
    assert (verdict(seen), seen.message) == ((Status.FAIL, Kind.CONTENT), "no such stream: 'nothing'")


def test_a_stream_counts_what_its_group_has_not_acknowledged(redis: RedisServer) -> None:
    key, group = "events", {"stream": "events", "consumer_group": "workers"}
    redis.ask("XGROUP", "CREATE", key, "workers", "0", "MKSTREAM")
    seen = see(redis.url, **group, crit_depth=0, max_age=1)
    assert (verdict(seen), seen.observed["depth"]) == ((Status.OK, None), 0)
    now_ms = int(time.time() * 1000)
    for number in range(5):
        redis.ask("XADD", key, f"{now_ms - 60_000 + number}-0", "k", "v")
    assert see(redis.url, stream=key).observed["depth"] == 5
    assert see(redis.url, **group).observed["depth"] == 5
    assert verdict(see(redis.url, **group, min_consumers=1)) == (Status.FAIL, Kind.STATUS)
    assert verdict(see(redis.url, **group, max_age=30)) == (Status.FAIL, Kind.RESOURCE)
    assert verdict(see(redis.url, stream=key, max_age=30)) == (Status.FAIL, Kind.RESOURCE)
    assert verdict(see(redis.url, **group, max_age="5m")) == (Status.OK, None)

    redis.ask("XREADGROUP", "GROUP", "workers", "me", "COUNT", "3", "STREAMS", key, ">")
    seen = see(redis.url, **group, min_consumers=1)
    assert verdict(seen) == (Status.OK, None)
    assert (seen.observed["depth"], seen.observed["pending"], seen.observed["lag"]) == (5, 3, 2)
    redis.ask("XACK", key, "workers", f"{now_ms - 60_000}-0", f"{now_ms - 59_999}-0")
    assert see(redis.url, **group).observed["depth"] == 3
    # A pending entry is waiting too, though everything was handed out.
    redis.ask("XREADGROUP", "GROUP", "workers", "me", "STREAMS", key, ">")
    assert verdict(see(redis.url, **group, max_age=30)) == (Status.FAIL, Kind.RESOURCE)


def test_a_stream_whose_lag_redis_does_not_know_is_counted(redis: RedisServer) -> None:
    for number in range(1, 8):
        redis.ask("XADD", "holes", f"{number}-0", "k", "v")
    redis.ask("XGROUP", "CREATE", "holes", "workers", "1-0")
    redis.ask("XDEL", "holes", "3-0")
    assert "lag\r\n$-1" in redis.ask("XINFO", "GROUPS", "holes")
    holes = {"stream": "holes", "consumer_group": "workers"}
    assert see(redis.url, **holes, crit_depth=100).observed["depth"] == 5
    assert verdict(see(redis.url, **holes, crit_depth=5)) == (Status.OK, None)
    assert verdict(see(redis.url, **holes, crit_depth=4)) == (Status.FAIL, Kind.RESOURCE)


def test_a_redis_that_hangs_is_a_timeout_and_one_that_is_gone_is_connect() -> None:
    server = RedisServer("--requirepass", "a secret word")
    try:
        server.start()
        url = f"redis://:a%20secret%20word@127.0.0.1:{server.port}"
        assert verdict(see(url, list="jobs")) == (Status.OK, None)
        wrong = see(url.replace("word", "name"), list="jobs")
        assert verdict(wrong) == (Status.FAIL, Kind.AUTH)
        assert "secret" not in repr(wrong)
        with server.stopped(), within(4):
            assert verdict(see(url, list="jobs", timeout=0.5)) == (Status.FAIL, Kind.TIMEOUT)
        server.kill()
        assert verdict(see(url, list="jobs")) == (Status.FAIL, Kind.CONNECT)
    finally:
        server.end()


@pytest.mark.parametrize(
    "replies",
    [
        (b"$2\r\n12\r\n",),
        (b":-1\r\n",),
        (b"*0\r\n",),
        (b"$-1\r\n",),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n",),
    ],
)
def test_a_depth_of_a_list_that_is_no_number_fails(replies: tuple[bytes, ...]) -> None:
    with Peer(one_by_one(*replies)) as peer:
        seen = see(f"redis://127.0.0.1:{peer.port}", list="jobs", crit_depth=10)
        assert seen.status is Status.FAIL
        assert seen.kind in (Kind.CONTENT, Kind.PROTOCOL)


@pytest.mark.parametrize(
    "groups",
    [
        b"*1\r\n:1\r\n",
        b":1\r\n",
        b"*1\r\n*2\r\n$4\r\nname\r\n$1\r\ng\r\n",
        b"*1\r\n*6\r\n$4\r\nname\r\n$1\r\ng\r\n$7\r\npending\r\n$1\r\nx\r\n$17\r\nlast-delivered-id\r\n$3\r\na-b\r\n",
    ],
)
def test_a_stream_of_another_shape_fails(groups: bytes) -> None:
    with Peer(one_by_one(b":1\r\n", groups)) as peer:
        seen = see(f"redis://127.0.0.1:{peer.port}", stream="s", consumer_group="g", timeout=1)
        assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)


QUEUE = '{"name": "mail", "messages": 3, "messages_ready": 2, "messages_unacknowledged": 1, "consumers": 2}'

ANSWERS: list[tuple[bytes, dict[str, Any], Status, Kind | None]] = [
    (answer(QUEUE), {"crit_depth": 3, "min_consumers": 2}, Status.OK, None),
    (answer(QUEUE), {"crit_depth": 2}, Status.FAIL, Kind.RESOURCE),
    (answer(QUEUE), {"crit_depth": 2, "counts": "ready"}, Status.OK, None),
    (answer(QUEUE), {"crit_depth": 0, "counts": "unacked"}, Status.FAIL, Kind.RESOURCE),
    (answer(QUEUE), {"warn_depth": 2}, Status.WARN, Kind.RESOURCE),
    (answer(QUEUE), {"min_consumers": 3}, Status.FAIL, Kind.STATUS),
    (answer(QUEUE), {"max_age": 60}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"messages": 3', '"messages": "3"')), {}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"messages": 3', '"messages": true')), {}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"messages": 3', '"messages": null')), {}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"messages": 3', '"messages": -1')), {}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"messages": 3', '"messages": 3.5')), {}, Status.FAIL, Kind.CONTENT),
    (answer('{"name": "mail"}'), {}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"consumers": 2', '"consumers": "2"')), {"min_consumers": 1}, Status.FAIL, Kind.CONTENT),
    (answer(QUEUE.replace('"name"', '"state": "down", "name"')), {}, Status.FAIL, Kind.STATUS),
    (answer(QUEUE.replace('"name"', '"state": "running", "name"')), {}, Status.OK, None),
    (answer(QUEUE.replace('"messages_ready": 2', '"messages_ready": 0')), {"max_age": 60}, Status.OK, None),
    (answer("[]"), {}, Status.FAIL, Kind.CONTENT),
    (answer("<html>"), {}, Status.FAIL, Kind.CONTENT),
    (answer(""), {}, Status.FAIL, Kind.CONTENT),
    (answer("no", "401 Unauthorized"), {}, Status.FAIL, Kind.AUTH),
    (answer("no", "403 Forbidden"), {}, Status.FAIL, Kind.AUTH),
    (answer('{"error": "Object Not Found"}', "404 Not Found"), {}, Status.FAIL, Kind.CONTENT),
    (answer("not here", "404 Not Found"), {}, Status.FAIL, Kind.STATUS),
    (answer("", "302 Found", Location="/login"), {}, Status.FAIL, Kind.STATUS),
    (answer("", "503 Unavailable"), {}, Status.FAIL, Kind.STATUS),
]


@pytest.mark.parametrize(("raw", "more", "status", "kind"), ANSWERS)
def test_what_the_management_says_is_judged_strictly(
    raw: bytes, more: dict[str, Any], status: Status, kind: Kind | None
) -> None:
    with Peer(raw) as peer:
        seen = see(f"http://monitor:p%40ss@127.0.0.1:{peer.port}/", queue="mail/new", vhost="/", **more)
        assert verdict(seen) == (status, kind), seen
        assert peer.requests[0].startswith(b"GET /api/queues/%2F/mail%2Fnew HTTP/1.1")
        # monitor:p@ss
        assert b"Authorization: Basic bW9uaXRvcjpwQHNz" in peer.requests[0]
        assert "p@ss" not in repr(seen) and "p%40ss" not in repr(seen)


HOSTILE = [
    ("silence", then_silence(b""), Kind.TIMEOUT),
    ("half an answer", then_silence(answer(QUEUE)[:60]), Kind.TIMEOUT),
    ("a drip", drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"), Kind.TIMEOUT),
    ("a flood", flood(b"HTTP/1.1 200 OK\r\n\r\n{", b" " * 65536), Kind.CONTENT),
    ("garbage", b"\x00\x01\x02\x03" * 100, Kind.PROTOCOL),
]


@pytest.mark.parametrize(("name", "script", "kind"), HOSTILE, ids=[name for name, _, _ in HOSTILE])
def test_a_hostile_management_fails_in_time(name: str, script: Any, kind: Kind) -> None:
    with Peer(script) as peer, within(4):
        assert verdict(see(f"http://127.0.0.1:{peer.port}", queue="mail", timeout=0.6)) == (Status.FAIL, kind)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "amqp://u:secret@host", "queue": "q"}, "expected http://user:password@host:15672 or redis://"),
        ({"url": "http://u:secret word@host", "queue": "q"}, "expected http://"),
        ({"url": "http://host:15672"}, "expected queue, the name of a RabbitMQ queue"),
        ({"url": "http://host", "queue": "q", "list": "l"}, "list: expected a redis URL"),
        ({"url": "redis://host", "queue": "q"}, "queue: expected an http URL"),
        ({"url": "redis://host"}, "expected either list or stream"),
        ({"url": "redis://host", "list": "l", "stream": "s"}, "expected either list or stream"),
        ({"url": "redis://host", "list": "l", "consumer_group": "g"}, "expected stream beside it"),
        ({"url": "redis://host", "list": "l", "max_age": 5}, "expected stream for max_age"),
        ({"url": "redis://host", "stream": "s", "min_consumers": 1}, "expected consumer_group beside it"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        check(**change)
    assert "secret" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]


def test_targets_hold_no_secrets() -> None:
    assert check("https://u:secret@host:15671/rabbit/", queue="q").target == "https://host:15671/rabbit q"
    assert check("redis://:secret@host", list="l").target == "redis://host:6379/0 l"


@pytest.fixture(scope="module")
def rabbitmq(starting: RabbitMqServer | None) -> RabbitMqServer:
    """RabbitMQ with a queue `mail` of three old messages, and one `new` of a message without a time."""
    server = starting or RabbitMqServer()
    server.until_it_answers()
    assert server.api("PUT", "/api/vhosts/shop").ok
    assert server.api("PUT", "/api/permissions/shop/guest", {"configure": ".*", "write": ".*", "read": ".*"}).ok
    assert server.api("PUT", "/api/users/nobody", {"password": "right", "tags": ""}).ok
    for name, count, properties in (("mail", 3, {"timestamp": OLD}), ("new", 1, {}), ("empty", 0, {})):
        assert server.api("PUT", f"/api/queues/shop/{name}", {"durable": True}).ok
        message = {"properties": properties, "routing_key": name, "payload": "x", "payload_encoding": "string"}
        for _ in range(count):
            assert server.api("POST", "/api/exchanges/shop/amq.default/publish", message).json()["routed"]
    # Its figures are gathered every five seconds.
    for name, count in (("mail", 3), ("new", 1), ("empty", 0)):
        path = f"/api/queues/shop/{name}"
        eventually(lambda p=path, n=count: server.api("GET", p).json().get("messages") == n, 20, path)  # type: ignore[misc]
    return server


def test_a_rabbitmq_queue_tells_its_depth_consumers_and_age(rabbitmq: RabbitMqServer) -> None:
    mail = {"vhost": "shop", "queue": "mail"}
    seen = see(rabbitmq.url(), **mail, warn_depth=3, crit_depth=3)
    assert verdict(seen) == (Status.OK, None)
    assert seen.observed["depth"] == seen.observed["messages_ready"] == 3
    assert seen.observed["consumers"] == 0
    assert verdict(see(rabbitmq.url(), **mail, warn_depth=2)) == (Status.WARN, Kind.RESOURCE)
    assert verdict(see(rabbitmq.url(), **mail, crit_depth=2)) == (Status.FAIL, Kind.RESOURCE)
    assert verdict(see(rabbitmq.url(), **mail, crit_depth=2, counts="unacked")) == (Status.OK, None)
    assert verdict(see(rabbitmq.url(), **mail, min_consumers=1)) == (Status.FAIL, Kind.STATUS)
    assert verdict(see(rabbitmq.url(), **mail, max_age="1d")) == (Status.FAIL, Kind.RESOURCE)
    new, empty = ({"vhost": "shop", "queue": name, "max_age": "1d"} for name in ("new", "empty"))
    assert verdict(see(rabbitmq.url(), **new)) == (Status.FAIL, Kind.CONTENT)
    assert verdict(see(rabbitmq.url(), **empty)) == (Status.OK, None)


def test_rabbitmq_refuses_what_it_should(rabbitmq: RabbitMqServer) -> None:
    mail = {"vhost": "shop", "queue": "mail"}
    assert verdict(see(rabbitmq.url("guest", "wrong"), **mail)) == (Status.FAIL, Kind.AUTH)
    assert verdict(see(rabbitmq.url("nobody", "right"), **mail)) == (Status.FAIL, Kind.AUTH)
    seen = see(rabbitmq.url(), vhost="shop", queue="none")
    assert (verdict(seen), seen.message) == ((Status.FAIL, Kind.CONTENT), "no such queue: 'none' in vhost 'shop'")
    assert verdict(see(rabbitmq.url(), vhost="none", queue="mail")) == (Status.FAIL, Kind.CONTENT)
    # The port of AMQP itself, which is no HTTP.
    assert see(f"http://127.0.0.1:{rabbitmq.port}", queue="mail").status is Status.FAIL


def test_rabbitmq_that_hangs_is_a_timeout_and_that_is_gone_is_connect(rabbitmq: RabbitMqServer) -> None:
    mail = {"vhost": "shop", "queue": "mail"}
    with nothing_is_left(), rabbitmq.stopped(), within(4):
        assert verdict(see(rabbitmq.url(), **mail, timeout=0.5)) == (Status.FAIL, Kind.TIMEOUT)
    assert verdict(see(rabbitmq.url(), **mail)) == (Status.OK, None)
    rabbitmq.kill()
    eventually(lambda: see(rabbitmq.url(), **mail).kind is Kind.CONNECT, 5)
