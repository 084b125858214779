"""Where probes run: thousands of exchanges in one loop, bounded, fair, and never lost; everything else in threads."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, wait
from pathlib import Path
from typing import Any

import psutil
import pytest

from monitor.config import CheckBase, HttpCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, curl, timed_probe
from monitor.probes.curl import Answer, ExchangeLoop, FetchFailed, Request
from monitor.probes.pool import ProbePool
from tests.conftest import eventually
from tests.make import http_check
from tests.servers import Connection, Peer, answer, flood, redirect

SETTING = Setting(Path())
OK = answer('{"ok": true}')
pytestmark = pytest.mark.skipif(not ExchangeLoop.is_supported, reason="this system has no epoll: probes run in threads")


@pytest.fixture
def pool() -> Iterator[ProbePool]:
    with ProbePool(workers=4, connections=500) as one:
        yield one


def started(pool: ProbePool, url: str, **keys: Any) -> Future[tuple[float, Outcome]]:
    return pool.submit(timed_probe, http_check(url=url, **{"timeout": 5} | keys), SETTING)


def seen(pool: ProbePool, url: str, **keys: Any) -> Outcome:
    return started(pool, url, **keys).result(10)[1]


def silence(connection: Connection) -> None:
    connection.read_request()
    connection.hold()


def test_an_http_check_in_the_loop_is_judged_as_in_a_thread(pool: ProbePool) -> None:
    rule = {"path": "$.ok", "equals": False}
    with Peer(OK) as peer:
        here = timed_probe(http_check(url=peer.url, expect_jsonpath=[rule]), SETTING)[1]
        there = seen(pool, peer.url, expect_jsonpath=[rule])
    assert (there.status, there.kind, there.message, there.code) == (here.status, here.kind, here.message, here.code)
    assert there.observed == here.observed
    assert there.phases_ms.keys() == here.phases_ms.keys()


def test_two_hundred_that_hang_take_no_thread_each_and_delay_no_other(pool: ProbePool) -> None:
    before = threading.active_count()
    with Peer(silence) as hanging, Peer(OK) as well:
        held = [started(pool, hanging.url, timeout=3) for _ in range(200)]
        eventually(lambda: len(hanging.requests) == 200)
        peer_threads = 2 * 200 + 10
        assert threading.active_count() - before < peer_threads
        began = time.monotonic()
        assert seen(pool, well.url).status is Status.OK
        assert time.monotonic() - began < 2
        assert not any(future.done() for future in held)
        done, _ = wait(held, 10)
        assert {future.result()[1].kind for future in done} == {Kind.TIMEOUT}
        assert len(done) == 200


def test_more_than_may_run_at_once_wait_their_turn_and_all_get_an_answer() -> None:
    most, now, lock = 0, 0, threading.Lock()

    def count(connection: Connection) -> None:
        nonlocal most, now
        with lock:
            now += 1
            most = max(most, now)
        connection.read_request()
        time.sleep(0.01)
        with lock:
            now -= 1
        connection.send(OK)

    with Peer(count) as peer, ProbePool(workers=1, connections=5) as pool:
        futures = [started(pool, peer.url) for _ in range(60)]
        assert {future.result(20)[1].status for future in futures} == {Status.OK}
    # One more may be accepted while the one before it is being closed.
    assert most <= 6


def test_what_waits_for_a_connection_or_a_thread_is_counted() -> None:
    is_over = threading.Event()
    with Peer(silence) as hanging, ProbePool(workers=1, connections=2) as pool:
        for _ in range(5):
            started(pool, hanging.url, timeout=60)
        eventually(lambda: pool.queued == 3)
        for _ in range(3):
            pool.submit(is_over.wait, 60)
        eventually(lambda: pool.queued == 3 + 2)
        is_over.set()
        eventually(lambda: pool.queued == 3)


def test_a_long_body_is_judged_in_a_thread(pool: ProbePool, monkeypatch: pytest.MonkeyPatch) -> None:
    from monitor.probes import pool as module

    judged_in: list[str] = []
    judge = module.judge

    def spy(check: HttpCheck, setting: Setting, answered: Answer | FetchFailed) -> Outcome:
        judged_in.append(threading.current_thread().name)
        return judge(check, setting, answered)

    monkeypatch.setattr(module, "judge", spy)
    with Peer(answer("x" * 200_000)) as long, Peer(OK) as short:
        assert seen(pool, long.url).status is Status.OK
        assert seen(pool, short.url).status is Status.OK
    assert judged_in[0].startswith("probe")
    assert judged_in[1] == "exchanges"


def in_pieces(count: int) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    return head + b"".join(b"1\r\n%c\r\n" % (48 + number % 10) for number in range(count)) + b"0\r\n\r\n"


@pytest.mark.parametrize("count", [99, 100, 101, 5_000, 100_000])
def test_a_body_in_pieces_of_one_byte_is_whole_and_in_order(count: int) -> None:
    told: Future[Answer | Exception] = Future()
    with Peer(in_pieces(count)) as peer, ProbePool(1, 10) as pool:
        assert pool._loop is not None
        pool._loop.submit(Request(peer.url, 20.0), lambda _began, result: told.set_result(result))
        answered = told.result(30)
    assert isinstance(answered, Answer)
    assert (len(answered.body), answered.cut) == (count, False)
    assert answered.body == (b"0123456789" * count)[:count]


@pytest.mark.parametrize("most", [50, 99, 100, 1_000, 4_999])
def test_a_body_in_pieces_of_one_byte_is_cut_where_it_becomes_too_long(pool: ProbePool, most: int) -> None:
    with Peer(in_pieces(5_000)) as peer:
        outcome = seen(pool, peer.url, max_body_bytes=most, expect_body={"contains": "0"})
        assert (outcome.status, outcome.kind) == (Status.FAIL, Kind.CONTENT)
        assert f"at most {most} bytes" in outcome.message
        assert seen(pool, peer.url, max_body_bytes=most).status is Status.OK


def test_a_body_in_pieces_that_ends_by_its_deadline_leaves_the_next_exchange_alone() -> None:
    endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with Peer(flood(endless, b"1\r\n1\r\n" * 10_000)) as flooding, Peer(OK) as well, ProbePool(1, 1) as pool:
        for _ in range(30):
            flooded = started(pool, flooding.url, timeout=0.1, max_body_bytes=10**12)
            assert seen(pool, well.url).message.startswith("200")
            assert flooded.result(10)[1].kind is Kind.TIMEOUT


def test_a_bug_in_judging_is_unknown_and_internal_and_the_loop_goes_on(
    pool: ProbePool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from monitor.probes import pool as module

    def bug(check: HttpCheck, setting: Setting, answered: Answer | FetchFailed) -> Outcome:
        raise RuntimeError("a bug")

    with Peer(OK) as peer:
        with monkeypatch.context() as patch:
            patch.setattr(module, "judge", bug)
            broken = seen(pool, peer.url)
        assert (broken.status, broken.kind) == (Status.UNKNOWN, Kind.INTERNAL)
        assert "RuntimeError: a bug" in caplog.text
        assert seen(pool, peer.url).status is Status.OK


def test_a_request_that_libcurl_does_not_take_is_internal_and_the_loop_goes_on(pool: ProbePool) -> None:
    with Peer(OK) as peer:
        results: list[Answer | Exception] = []
        told = threading.Event()

        def done(began: float, result: Answer | Exception) -> None:
            results.append(result)
            told.set()

        assert pool._loop is not None
        pool._loop.submit(Request(peer.url, 5.0, headers={"A": 5}), done)  # type: ignore[dict-item]
        assert told.wait(5)
        assert isinstance(results[0], AttributeError)
        assert seen(pool, peer.url).status is Status.OK


def test_other_kinds_run_in_a_thread(pool: ProbePool) -> None:
    from monitor.config import HostCheck

    check: CheckBase = HostCheck(name="disk", type="host", metric="disk")
    assert pool.submit(timed_probe, check, SETTING).result(10)[1].status is Status.OK
    assert pool.submit(threading.current_thread).result(5).name.startswith("probe")


def test_what_is_on_its_way_does_not_hold_up_a_shutdown() -> None:
    with Peer(silence) as hanging:
        pool = ProbePool(workers=1, connections=10)
        started(pool, hanging.url, timeout=60)
        eventually(lambda: len(hanging.requests) == 1)
        began = time.monotonic()
        pool.shutdown(wait=False, cancel_futures=True)
        assert time.monotonic() - began < 3
        assert pool._loop is not None
        assert not pool._loop._thread.is_alive()


def test_nothing_is_left_behind_after_many_exchanges(pool: ProbePool) -> None:
    with Peer(OK) as peer, Peer(b"garbage\r\n\r\n") as bad:

        def round_of(count: int) -> None:
            wait([started(pool, url) for url in (peer.url, bad.url) for _ in range(count)], 20)

        round_of(20)
        files, threads = psutil.Process().num_fds(), threading.active_count()
        round_of(200)
        eventually(lambda: threading.active_count() <= threads)
        eventually(lambda: psutil.Process().num_fds() <= files + 2)
        assert pool._loop is not None
        assert not pool._loop._running
        assert len(pool._loop._watched) == 0


SECRETS = {"X-Api-Key": "abcd1234", "X-Trace": "t1"}


def test_a_secret_header_does_not_follow_a_redirect_to_another_origin(pool: ProbePool) -> None:
    with Peer(OK) as other, Peer(redirect(other.url)) as first:
        outcome = seen(pool, first.url, headers=SECRETS)
        assert outcome.status is Status.OK
        assert b"abcd1234" in first.requests[0]
        assert b"abcd1234" not in other.requests[0]
        assert b"X-Trace: t1" in other.requests[0]


def test_a_secret_header_follows_within_its_origin() -> None:
    def here(connection: Connection) -> None:
        connection.read_request()
        connection.send(redirect("/next"))

    with Peer(here, OK) as peer:
        answered = curl.fetch(Request(peer.url, 5.0, headers=SECRETS))
        assert (answered.code, answered.redirects) == (200, 1)
        assert answered.redirected_to.endswith("/next")
        assert all(b"abcd1234" in request for request in peer.requests)


def test_a_loop_of_redirects_with_a_secret_header_ends_at_the_limit() -> None:
    with Peer(redirect("/again")) as peer, pytest.raises(FetchFailed, match=r"Maximum \(3\) redirects"):
        curl.fetch(Request(peer.url, 5.0, headers=SECRETS, max_redirects=3))


def test_one_deadline_stands_over_a_chain_with_a_secret_header() -> None:
    def slow(connection: Connection) -> None:
        connection.read_request()
        time.sleep(0.2)
        connection.send(redirect("/again"))

    began = time.monotonic()
    with Peer(slow) as peer, pytest.raises(FetchFailed) as failed:
        curl.fetch(Request(peer.url, 0.7, headers=SECRETS, max_redirects=20))
    assert failed.value.kind is Kind.TIMEOUT
    assert time.monotonic() - began < 2


def test_a_redirect_with_a_secret_header_leads_to_no_other_scheme() -> None:
    with Peer(redirect("ftp://127.0.0.1/")) as peer, pytest.raises(FetchFailed) as failed:
        curl.fetch(Request(peer.url, 5.0, headers=SECRETS))
    assert failed.value.kind is Kind.PROTOCOL


def test_a_body_may_hold_any_byte() -> None:
    with Peer(OK) as peer:
        assert curl.fetch(Request(peer.url, 5.0, method="POST", body=b"a\0b")).code == 200
        eventually(lambda: b"Content-Length: 3" in peer.requests[0])
