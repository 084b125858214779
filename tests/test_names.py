"""Name look-ups of the loop: shared, in order, and a name that hangs keeps nobody from theirs."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from monitor.model import Kind
from monitor.probes.curl import Answer, ExchangeLoop, FetchFailed, Request, names
from monitor.probes.curl.names import Names, is_name
from tests.conftest import eventually
from tests.resolvers import Resolver
from tests.servers import Peer, answer, redirect

pytestmark = pytest.mark.skipif(not ExchangeLoop.is_supported, reason="this system has no epoll: probes run in threads")
OK = answer('{"ok": true}')


@pytest.fixture
def ask() -> Iterator[Callable[..., list[Answer | Exception]]]:
    loop = ExchangeLoop(500)

    def submit(*urls: str, timeout_s: float = 5.0, wait: bool = True, **keys: Any) -> list[Answer | Exception]:
        told: list[Answer | Exception] = []
        for url in urls:
            loop.submit(Request(url, timeout_s, **keys), lambda _began, result: told.append(result))
        if wait:
            eventually(lambda: len(told) == len(urls))
        return told

    yield submit
    loop.close()


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("shop.example", True),
        ("shop", True),
        ("1.2.3.4.example", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("localhost", False),
        ("LOCALHOST.", False),
        ("shop.localhost", False),
        ("notlocalhost", True),
    ],
)
def test_only_names_are_looked_up(host: str, expected: bool) -> None:
    assert is_name(host) is expected


def test_a_name_is_asked_for_as_itself_and_the_look_up_is_a_phase(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as peer:
        (answered,) = ask(f"http://shop.example:{peer.port}/")
        assert isinstance(answered, Answer)
        assert b"Host: shop.example" in peer.requests[0]
    assert answered.phases_ms["dns"] > 0
    assert answered.phases_ms["total"] >= answered.phases_ms["dns"]
    assert answered.address == "127.0.0.1"


def test_each_exchange_looks_up_anew(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as peer:
        url = f"http://shop.example:{peer.port}/"
        assert isinstance(ask(url)[0], Answer)
        resolver.addresses = ["127.0.0.2"]
        ask(url)
        resolver.addresses = ["127.0.0.1"]
        assert isinstance(ask(url)[0], Answer)
    assert resolver.asked == ["shop.example"] * 3


def test_the_next_address_is_tried_when_the_first_refuses(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as peer:
        resolver.addresses = ["127.0.0.9", "127.0.0.1"]
        (answered,) = ask(f"http://shop.example:{peer.port}/")
    assert isinstance(answered, Answer)
    assert answered.address == "127.0.0.1"


def test_who_asks_for_a_name_that_is_on_its_way_shares_the_answer(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as peer:
        told = ask(*[f"http://one.slow:{peer.port}/"] * 50, wait=False)
        eventually(lambda: resolver.asked == ["one.slow"])
        resolver.release.set()
        eventually(lambda: len(told) == 50)
    assert all(isinstance(answered, Answer) for answered in told)
    assert len(resolver.asked) < 5


def test_a_name_that_does_not_exist_is_dns_in_the_words_of_libcurl(resolver: Resolver, ask: Any) -> None:
    (failed,) = ask("http://shop.none/")
    assert isinstance(failed, FetchFailed)
    assert (failed.kind, failed.message) == (Kind.DNS, "Could not resolve host: shop.none")


def test_two_hundred_names_that_hang_end_in_time_and_delay_no_other(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as peer:
        held = ask(*[f"http://name{number}.slow/" for number in range(200)], timeout_s=2.0, wait=False)
        eventually(lambda: len(resolver.asked) == 200)
        assert isinstance(ask(f"http://shop.example:{peer.port}/")[0], Answer)
        assert not held
    eventually(lambda: len(held) == 200)
    assert {(f.kind, f.message) for f in held if isinstance(f, FetchFailed)} == {
        (Kind.TIMEOUT, "the name look-up did not end within 2 s")
    }


def test_a_name_that_was_slow_waits_in_its_own_lane_until_it_is_quick_again(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_SLOW_S", 0.05)
    lanes: list[str] = []
    answered = names._addresses

    def spy(host: str) -> Any:
        lanes.append(threading.current_thread().name)
        if len(lanes) == 1:
            time.sleep(0.1)
        return answered(host)

    monkeypatch.setattr(names, "_addresses", spy)
    found: list[Any] = []
    looked = Names()
    for count in (1, 2, 3):
        looked.look_up("shop.example", found.append)
        eventually(lambda wanted=count: len(found) == wanted)  # type: ignore[misc]
    assert lanes == ["name", "slow-name", "name"]


def test_threads_of_look_ups_go_when_there_is_nothing_to_do(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "_IDLE_S", 0.05)
    before, found, looked = threading.active_count(), [], Names()
    for number in range(30):
        looked.look_up(f"name{number}.slow", found.append)
    eventually(lambda: len(resolver.asked) == 30)
    assert threading.active_count() == before + 30
    resolver.release.set()
    eventually(lambda: len(found) == 30)
    eventually(lambda: threading.active_count() == before)
    looked.look_up("shop.example", found.append)
    eventually(lambda: len(found) == 31)


def test_a_redirect_to_another_name_is_looked_up_as_well(resolver: Resolver, ask: Any) -> None:
    with Peer(OK) as last, Peer(redirect(f"http://other.example:{last.port}/")) as first:
        (answered,) = ask(f"http://shop.example:{first.port}/")
        assert isinstance(answered, Answer)
        assert answered.redirects == 1
        assert b"Host: other.example" in last.requests[0]
    assert resolver.asked == ["shop.example", "other.example"]


def test_a_name_that_comes_too_late_ends_nothing_twice(resolver: Resolver, ask: Any) -> None:
    told = ask("http://late.slow:1/", timeout_s=0.2)
    assert isinstance(told[0], FetchFailed)
    resolver.release.set()
    ask("http://shop.none/")
    assert len(told) == 1


def test_a_machine_without_threads_is_our_own_trouble_and_passes(
    resolver: Resolver, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread:
        def __init__(self, **_: Any) -> None: ...

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with Peer(OK) as peer, monkeypatch.context() as patch:
        url = f"http://shop.example:{peer.port}/"
        patch.setattr(names.threading, "Thread", NoThread)
        told = ask(url, url)
        patch.undo()
        assert isinstance(ask(url)[0], Answer)
    assert [failure.kind for failure in told] == [Kind.INTERNAL, Kind.INTERNAL]
