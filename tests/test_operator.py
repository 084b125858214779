"""Who may act: the password, the cookie, guesses, and visitors that only look local."""

from __future__ import annotations

import pytest
import time_machine

from monitor.web import operator
from monitor.web.operator import COOKIE, SESSION_S, Operator, TooManyTries, Visitor

LOCAL = Visitor("127.0.0.1", {"host": "localhost:8501"})
FAR = Visitor("192.0.2.7", {"host": "wall.example:8501"})


def with_password(password: str = "open sesame") -> Operator:
    return Operator(lambda: password, lambda: 0.0)


def test_without_a_password_this_machine_may_act_and_no_other() -> None:
    door = Operator(lambda: "")
    assert door.may_act(LOCAL)
    assert not door.may_act(FAR)
    assert "MONITOR_PASSWORD" in door.why_not(FAR)


@pytest.mark.parametrize(
    "visitor",
    [
        Visitor("127.0.0.1", {"host": "localhost:8501", "x-forwarded-for": "192.0.2.7"}),
        Visitor("127.0.0.1", {"host": "rebound.example:8501"}),
        Visitor("127.0.0.1", {}),
        Visitor(None, {"host": "localhost"}),
        Visitor("127.0.0.1", {"host": "localhost:8501", "origin": "http://evil.example"}),
        Visitor("127.0.0.1", {"host": "localhost:8501", "sec-fetch-site": "cross-site"}),
        Visitor("127.0.0.1", {"host": "localhost:8501", "origin": "http://localhost:9999"}),
    ],
    ids=["proxy", "rebinding", "no host", "no address", "other origin", "cross site", "other port"],
)
def test_who_only_looks_local_may_not_act(visitor: Visitor) -> None:
    assert not Operator(lambda: "").may_act(visitor)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST:80"])
def test_local_names_are_local(host: str) -> None:
    address = "::1" if "::" in host else "::ffff:127.0.0.1"
    assert Operator(lambda: "").may_act(Visitor(address, {"host": host}))


def test_with_a_password_being_local_is_not_enough() -> None:
    assert not with_password().may_act(LOCAL)


def test_the_right_password_gives_a_cookie_that_works() -> None:
    door = with_password()
    cookie = door.log_in("open sesame", FAR)
    assert cookie is not None and "sesame" not in cookie
    assert door.may_act(Visitor(FAR.address, FAR.headers, {COOKIE: cookie}))
    assert with_password().may_act(Visitor(FAR.address, FAR.headers, {COOKIE: cookie})), "it survives a restart"


def test_a_cookie_ends_after_its_time_and_with_its_password() -> None:
    with time_machine.travel("2026-11-21T12:00:00Z", tick=False) as traveller:
        cookie = with_password().log_in("open sesame", FAR)
        assert cookie is not None
        visitor = Visitor(FAR.address, FAR.headers, {COOKIE: cookie})
        assert not with_password("another").may_act(visitor)
        traveller.shift(SESSION_S - 1)
        assert with_password().may_act(visitor)
        traveller.shift(3)
        assert not with_password().may_act(visitor)


@pytest.mark.parametrize("cookie", ["", "operator", "x.y.z", "Im9wZXJhdG9yIg.aaaa.bbbb"])
def test_a_made_up_cookie_does_not_work(cookie: str) -> None:
    assert not with_password().may_act(Visitor(FAR.address, FAR.headers, {COOKIE: cookie}))


def test_the_password_as_a_bearer_token_works_for_scripts() -> None:
    door = with_password()
    assert door.may_act(Visitor("192.0.2.7", {"host": "x", "authorization": "Bearer open sesame"}))
    assert not door.may_act(Visitor("192.0.2.7", {"host": "x", "authorization": "Bearer wrong"}))
    assert not door.may_act(Visitor("192.0.2.7", {"host": "x", "authorization": "Basic open sesame"}))


def test_guesses_are_counted_by_address_and_a_minute_later_forgotten() -> None:
    now = [0.0]
    door = Operator(lambda: "open sesame", lambda: now[0])
    for _ in range(operator.TRIES_PER_ADDRESS):
        assert door.log_in("wrong", FAR) is None
    with pytest.raises(TooManyTries):
        door.log_in("open sesame", FAR)
    assert door.log_in("open sesame", Visitor("192.0.2.8")) is not None
    now[0] = operator.WINDOW_S + 1
    assert door.log_in("open sesame", FAR) is not None


def test_guesses_from_many_addresses_are_counted_together() -> None:
    door = with_password()
    for number in range(operator.TRIES_TOGETHER):
        door.log_in("wrong", Visitor(f"192.0.2.{number}"))
    with pytest.raises(TooManyTries):
        door.log_in("open sesame", Visitor("198.51.100.1"))


def test_an_empty_password_never_opens() -> None:
    assert Operator(lambda: "").log_in("", LOCAL) is None
