"""Remedies: what is posted, what counts as done, what trouble looks like, and how often they may run."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import requests
import responses

from monitor.config import HttpPost
from monitor.remedy import cooling_down, run_action
from tests.servers import OK, Peer, then_silence

URL = "http://app.example.org/admin/reset"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def action(**keys: Any) -> HttpPost:
    return HttpPost.model_validate({"type": "http_post", "url": URL, **keys})


@pytest.mark.parametrize("payload", [{"mode": "soft", "n": [1, None]}, {}, [], "text", 0, False])
@responses.activate
def test_the_payload_is_posted_as_json_with_the_headers(payload: Any) -> None:
    responses.post(URL, status=202)
    tried = run_action(action(payload=payload, headers={"X-Token": "t"}))
    assert tried.ok
    assert tried.detail == "http_post answered 202"
    sent = responses.calls[0].request
    assert json.loads(sent.body or "null") == payload
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["X-Token"] == "t"


@responses.activate
def test_without_a_payload_no_body_is_sent() -> None:
    responses.post(URL)
    assert run_action(action()).ok
    assert not responses.calls[0].request.body


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 429, 500, 503])
@responses.activate
def test_an_answer_other_than_2xx_is_not_ok(status: int) -> None:
    responses.post(URL, status=status)
    tried = run_action(action())
    assert not tried.ok
    assert tried.detail == f"http_post answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@responses.activate
def test_a_redirect_is_not_followed_and_not_ok(status: int) -> None:
    responses.post(URL, status=status, headers={"Location": "http://elsewhere.example.org/"})
    tried = run_action(action())
    assert (tried.ok, tried.detail) == (False, f"http_post answered {status}")
    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("no route\nto host"),
        requests.Timeout("took too long"),
        requests.exceptions.SSLError("bad certificate"),
        requests.exceptions.ChunkedEncodingError("cut"),
    ],
)
@responses.activate
def test_trouble_on_the_network_is_returned_in_one_line(error: Exception) -> None:
    responses.post(URL, body=error)
    tried = run_action(action())
    assert not tried.ok
    assert tried.detail.startswith(f"http_post failed: {type(error).__name__}: ")
    assert tried.detail.isprintable()


@pytest.mark.parametrize(
    "keys",
    [
        {"url": "http://" + "x" * 64 + ".invalid/"},
        {"url": "http://a..b/"},
        {"url": "http://[::zz]/"},
        {"url": "http://127.0.0.1:99999/"},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X": "€"}},
        {"headers": {"ä": "b"}},
        {"payload": {"day": date(2026, 11, 21)}},
        {"payload": float("nan")},
    ],
)
def test_an_action_that_cannot_be_sent_is_returned_and_not_raised(keys: dict[str, Any]) -> None:
    tried = run_action(action(**{"url": "http://127.0.0.1:1/", **keys}))
    assert not tried.ok
    assert tried.detail.startswith("http_post failed: ")
    assert len(tried.detail) <= 300


def test_a_real_server_gets_one_post() -> None:
    with Peer(OK) as peer:
        assert run_action(action(url=peer.url + "/admin/reset", payload={"a": 1})).ok
        assert peer.requests[0].startswith(b"POST /admin/reset HTTP/1.1\r\n")
        assert peer.requests[0].endswith(b'{"a": 1}')


def test_a_server_that_is_silent_is_given_up_after_the_timeout() -> None:
    with Peer(then_silence(b"")) as peer:
        tried = run_action(action(url=peer.url, timeout=0.2))
    assert (tried.ok, "ReadTimeout" in tried.detail) == (False, True)


def test_a_body_without_end_is_not_read() -> None:
    with Peer(then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")) as peer:
        assert run_action(action(url=peer.url, timeout=0.2)).ok


def test_an_action_rests_for_its_cool_down_and_says_how_long() -> None:
    resting = action(cooldown="5m")
    assert cooling_down(resting, None, NOW) is None
    assert cooling_down(resting, NOW, NOW) == "cool-down: 5 m left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=200), NOW) == "cool-down: 1 m 40 s left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=299.9), NOW) == "cool-down: 100 ms left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=300), NOW) is None
    assert cooling_down(resting, NOW - timedelta(days=1), NOW) is None


def test_a_clock_that_was_put_back_does_not_end_the_cool_down() -> None:
    assert cooling_down(action(cooldown=60), NOW + timedelta(hours=1), NOW) is not None
