"""Every assertion of the http kind against real peers: never green when it cannot be judged, green if only odd."""

import base64
import gzip
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import HttpCheck
from monitor.model import Kind, Outcome, Result, Status
from monitor.probes import Setting, oauth, run_probe
from monitor.probes.curl import Answer, FetchFailed
from monitor.probes.http import is_prompt, judge, request_of
from tests.authorities import serving
from tests.servers import OK, Connection, Peer, Script, answer, redirect, reset, then_silence

SETTING = Setting(Path())
NOW = datetime.now(UTC)


def check_of(url: str = "http://h/", **keys: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": "c", "type": "http", "url": url, "timeout": 5, **keys})


def probe(url: str, setting: Setting = SETTING, **keys: Any) -> Outcome:
    return run_probe(check_of(url, **keys), setting)


def probe_peer(*scripts: bytes | Script, path: str = "/", **keys: Any) -> Outcome:
    with Peer(*scripts) as peer:
        return probe(peer.url + path, **keys)


def request_sent(setting: Setting = SETTING, path: str = "/a", **keys: Any) -> bytes:
    """Return the request that a check with these keys makes."""
    with Peer(OK) as peer:
        seen = probe(peer.url + path, setting, **keys)
        assert seen.status is Status.OK, seen
        return peer.requests[-1]


# ---- fail closed: every assertion, whatever comes in place of an answer that can be judged

DOCUMENT = {"v": 12, "s": "all well", "l": [1, 2], "o": {"a": 1}, "t": NOW.isoformat(), "n": None}
BODY = json.dumps(DOCUMENT).encode()
GOOD = answer(BODY, Content_Type="application/json", X_State="ready")


def rule(path: str, **predicates: Any) -> dict[str, Any]:
    return {"expect_jsonpath": [{"path": path, **predicates}]}


ON_JSON: dict[str, dict[str, Any]] = {
    "equals": rule("$.v", equals=12),
    "equals null": rule("$.n", equals=None),
    "not_equals": rule("$.v", not_equals=13),
    "lt": rule("$.v", lt=13),
    "le": rule("$.v", le=12),
    "gt": rule("$.v", gt=11),
    "ge": rule("$.v", ge=12),
    "in": rule("$.v", **{"in": [12, 13]}),
    "not_in": rule("$.v", not_in=[13]),
    "contains text": rule("$.s", contains="well"),
    "contains element": rule("$.l", contains=2),
    "json matches": rule("$.s", matches="^all"),
    "exists": rule("$.v", exists=True),
    "exists not": rule("$.o.gone", exists=False),
    "type": rule("$.v", type="integer"),
    "length": rule("$.l", length=2),
    "max_age": rule("$.t", max_age="1h"),
    "changes_within": rule("$.v", changes_within="1h"),
    "each": rule("$.l[*]", ge=1),
    "each false": rule("$.l[*]", equals=2, each=False),
    "search": rule("$..a", equals=1),
    "expect json": {"expect": "json.v == 12"},
    "expect not": {"expect": "json.v != 13"},
    "expect has": {"expect": "has(json.v)"},
    "expect loop": {"expect": "json.l.all(n, n > 0)"},
}
ON_TEXT: dict[str, dict[str, Any]] = {
    "contains": {"expect_body": {"contains": "all well"}},
    "contains all": {"expect_body": {"contains": ["all", "well"]}},
    "not_contains": {"expect_body": {"not_contains": "broken"}},
    "matches": {"expect_body": {"matches": "all +well"}},
    "not_matches": {"expect_body": {"not_matches": ["broken", "^$"]}},
    "expect body": {"expect": "!body.contains('broken') && size(body) > 20"},
}
ON_SIZE: dict[str, dict[str, Any]] = {
    "min_body_bytes": {"min_body_bytes": 20},
    "expect size": {"expect": "size > 20"},
}
ON_HEAD: dict[str, dict[str, Any]] = {
    "status": {"expect_status": 200},
    "status range": {"expect_status": ["2xx", "300-302"]},
    "header equals": {"expect_headers": [{"name": "x-state", "equals": "ready"}]},
    "header contains": {"expect_headers": [{"name": "X-State", "contains": "read"}]},
    "header matches": {"expect_headers": [{"name": "X-State", "matches": "^r"}]},
    "header not_matches": {"expect_headers": [{"name": "X-State", "not_matches": "broken"}]},
    "header exists": {"expect_headers": [{"name": "X-State", "exists": True}]},
    "header exists not": {"expect_headers": [{"name": "X-Broken", "exists": False}]},
    "expect headers": {"expect": "headers['x-state'] == 'ready'"},
    "expect status": {"expect": "status == 200"},
    "expect latency": {"expect": "latency_ms < 60000.0 && phases.total < 60000.0"},
    "final_url": {"final_url": {"starts_with": "http"}},
    "http_version": {"http_version": "1.1"},
    "crit_ms": {"crit_ms": 60000},
    "phases": {"phases": {"ttfb_ms": 60000, "total_ms": 60000}},
}
ASSERTIONS = ON_JSON | ON_TEXT | ON_SIZE | ON_HEAD
CHUNKED = b"HTTP/1.1 200 OK\r\nX-State: ready\r\nTransfer-Encoding: chunked\r\n\r\n"


def then_reset(raw: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(raw)
        reset(connection)

    return script


NO_ANSWER: dict[str, bytes | Script] = {
    "silence": then_silence(b""),
    "half a head": then_silence(GOOD[:30]),
    "reset": reset,
    "nothing": b"",
    "another protocol": b"SSH-2.0-OpenSSH_9.6\r\n",
    "body shorter than its length": GOOD.replace(b"Content-Length: ", b"Content-Length: 9"),
    "cut in a chunk": CHUNKED + b"999\r\n" + BODY,
    "reset within the body": then_reset(GOOD.replace(b"Content-Length: ", b"Content-Length: 9")),
    "gzip garbage": answer(BODY, Content_Encoding="gzip", X_State="ready"),
}
NO_JSON: dict[str, bytes | Script] = {
    "HTML": answer("<!doctype html><title>all well</title>", X_State="ready"),
    "JSON and more": answer(BODY + b"}"),
    "JSON cut": answer(BODY[:-1]),
    "gzip cut": answer(gzip.compress(BODY)[:-12], Content_Encoding="gzip"),
    "NaN": answer(BODY.replace(b"12", b"NaN")),
    "infinity": answer(BODY.replace(b"12", b"-Infinity")),
    "text": answer('"v"'),
    "null": answer("null"),
    "number": answer("12"),
    "list": answer("[]"),
    "list of lists": answer("[[12]]"),
    "UTF-16 that is not named": answer(BODY.decode().encode("utf-16")),
    "invalid UTF-8": answer(BODY.replace(b"all well", b"all \xff well")),
}
NO_TEXT: dict[str, bytes | Script] = {
    "invalid UTF-8": answer(BODY.replace(b"well", b"well \xff\xfe")),
    "another charset than it says": answer(
        BODY.replace(b"well", b"well \xe4\xf6"), Content_Type="text/plain; charset=utf-8"
    ),
    "UTF-16 with half a character": answer(BODY.decode().encode("utf-16") + b"\0", Content_Type="text/plain"),
    "a charset that does not exist": answer(BODY, Content_Type="text/plain; charset=utf8mb4"),
    "a codec that is no charset": answer(BODY, Content_Type="text/plain; charset=zlib"),
    "a codec that only Python has": answer(BODY, Content_Type="text/plain; charset=unicode_escape"),
    "a surrogate": answer(BODY.replace(b"well", b"well \xed\xa0\x80")),
}
NO_BODY: dict[str, bytes | Script] = {
    "empty": answer("", X_State="ready"),
    "white space": answer(" \r\n\t", X_State="ready"),
    "no content": b"HTTP/1.1 204 No Content\r\nX-State: ready\r\n\r\n",
    "only a byte order mark": answer(b"\xef\xbb\xbf"),
}
CUT: dict[str, bytes | Script] = {"longer than max_body_bytes": answer(BODY + b" " * 5000, X_State="ready")}
NO_HEAD: dict[str, bytes | Script] = {
    "another status": answer(BODY, "503 Busy", X_State="ready"),
    "no such header": answer(BODY, X_Broken="yes"),
    "an empty header": answer(BODY, X_State="", X_Broken="", Content_Type="application/json"),
}


def judged_all(
    cause: bytes | Script, assertions: dict[str, dict[str, Any]], timeout_s: float = 5.0
) -> dict[str, Outcome]:
    with Peer(cause) as peer, ThreadPoolExecutor(16) as pool:
        seen = {
            name: pool.submit(probe, peer.url, timeout=timeout_s, max_body_bytes=4000, **keys)
            for name, keys in assertions.items()
        }
        return {name: future.result() for name, future in seen.items()}


def assert_none_ok(seen: dict[str, Outcome], but: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    passed = {name for name, outcome in seen.items() if outcome.status is not Status.FAIL}
    assert passed == but
    assert all(outcome.message for outcome in seen.values())


def test_every_assertion_holds_for_a_good_answer() -> None:
    """Else what follows could not fail."""
    seen = judged_all(GOOD, ASSERTIONS)
    assert {name: outcome.message for name, outcome in seen.items() if outcome.status is not Status.OK} == {}


@pytest.mark.parametrize("cause", NO_ANSWER)
def test_no_assertion_is_ok_without_a_whole_answer(cause: str) -> None:
    hangs = cause in ("silence", "half a head")
    seen = judged_all(NO_ANSWER[cause], ASSERTIONS, 0.25 if hangs else 5.0)
    assert_none_ok(seen)
    kinds = {outcome.kind for outcome in seen.values()}
    assert kinds <= ({Kind.TIMEOUT} if hangs else {Kind.PROTOCOL})


def test_no_assertion_is_ok_without_a_connection(closed_port: int) -> None:
    for keys in ASSERTIONS.values():
        assert probe(f"http://127.0.0.1:{closed_port}", **keys).kind is Kind.CONNECT


def test_no_assertion_is_ok_with_a_bad_certificate(ca: trustme.CA) -> None:
    with Peer(GOOD, tls=serving(ca.issue_cert("127.0.0.1"))) as peer:
        for keys in ASSERTIONS.values():
            assert probe(peer.url, **keys).kind is Kind.TLS


@pytest.mark.parametrize("cause", NO_JSON)
def test_no_rule_on_json_is_ok_for_what_is_none(cause: str) -> None:
    # A list may be searched through, and it may lack what must not exist.
    assert_none_ok(judged_all(NO_JSON[cause], ON_JSON))


@pytest.mark.parametrize("cause", NO_TEXT)
def test_no_assertion_on_text_is_ok_in_a_charset_that_is_not_its_own(cause: str) -> None:
    seen = judged_all(NO_TEXT[cause], ON_TEXT)
    assert_none_ok(seen)
    assert {outcome.kind for outcome in seen.values()} == {Kind.CONTENT}
    assert all(outcome.findings[0].what == "body" for outcome in seen.values())


@pytest.mark.parametrize("cause", NO_BODY)
def test_no_assertion_on_a_body_is_ok_without_one(cause: str) -> None:
    assert_none_ok(judged_all(NO_BODY[cause], ON_JSON | ON_TEXT | ON_SIZE))


@pytest.mark.parametrize("cause", CUT)
def test_no_assertion_on_a_body_is_ok_when_it_is_cut(cause: str) -> None:
    # That there are so many bytes is known all the same.
    assert_none_ok(judged_all(CUT[cause], ON_JSON | ON_TEXT | ON_SIZE), but={"min_body_bytes"})


def test_no_assertion_on_the_head_is_ok_with_another_head() -> None:
    another = judged_all(NO_HEAD["another status"], ON_HEAD)
    assert_none_ok(another)
    headers = {name: keys for name, keys in ON_HEAD.items() if "header" in name}
    assert_none_ok(judged_all(NO_HEAD["no such header"], headers))
    assert_none_ok(judged_all(NO_HEAD["an empty header"], headers), but={"header exists", "header not_matches"})


WRONG_TYPES = {
    "texts": {"v": "12", "s": "x", "l": "12", "o": "a", "t": "12:00", "n": ""},
    "lists": {key: [] for key in DOCUMENT},
    "objects": {key: {} for key in DOCUMENT},
    "true": dict.fromkeys(DOCUMENT, True),
    "null": dict.fromkeys(DOCUMENT),
    "missing": {},
}
# What they say of a value is true of one of any type, or of its absence.
TRUE_ANYWAY = {
    "texts": {"not_equals", "not_in", "exists", "changes_within", "expect not", "expect has", "length"},
    "lists": {"not_equals", "not_in", "exists", "changes_within", "expect not", "expect has", "expect loop"},
    "objects": {
        "not_equals",
        "not_in",
        "exists",
        "changes_within",
        "expect not",
        "expect has",
        "expect loop",
        "exists not",
    },
    "true": {"not_equals", "not_in", "exists", "changes_within", "expect not", "expect has"},
    "null": {
        "not_equals",
        "not_in",
        "exists",
        "changes_within",
        "expect not",
        "expect has",
        "equals null",
        "exists not",
    },
    "missing": {"exists not"},
}


@pytest.mark.parametrize("types", WRONG_TYPES)
def test_no_rule_on_json_is_ok_for_a_value_of_another_type(types: str) -> None:
    assert_none_ok(judged_all(answer(json.dumps(WRONG_TYPES[types])), ON_JSON), but=TRUE_ANYWAY[types])


# ---- what is well, and only odd

# `{"v": 12, "w": "ok ok …"}` as brotli.
BROTLI = bytes.fromhex("1b4d00f89d07762cb0c2b0741ea2482d0212b337dfeefa5267cdae58644a92ab8280999b56228a01")
JSON_RULE = {"expect_jsonpath": [{"path": "$.v", "equals": 12}]}
HEAD = b"HTTP/1.1 200 OK\r\n"
J = b'{"v": 12}'


def text(*texts: str) -> dict[str, Any]:
    return {"expect_body": {"contains": list(texts)}}


def raw_deflate(body: bytes) -> bytes:
    press = zlib.compressobj(wbits=-15)
    return press.compress(body) + press.flush()


ODD: dict[str, tuple[bytes | Script, dict[str, Any]]] = {
    "chunked with trailers": (
        CHUNKED + b"5\r\n" + J[:5] + b"\r\n4\r\n" + J[5:] + b"\r\n0\r\nX-Sum: 1\r\nX-State: late\r\n\r\n",
        JSON_RULE,
    ),
    "chunk extensions and leading zeros": (
        CHUNKED + b'0005;name="a;b"\r\n' + J[:5] + b"\r\n00004 ; x\r\n" + J[5:] + b"\r\n000\r\n\r\n",
        JSON_RULE,
    ),
    "chunked in other letters": (
        CHUNKED.replace(b": chunked", b":CHUNKED") + b"9\r\n" + J + b"\r\n0\r\n\r\n",
        JSON_RULE,
    ),
    "a chunk for each byte": (CHUNKED + b"".join(b"1\r\n%c\r\n" % c for c in J) + b"0\r\n\r\n", JSON_RULE),
    "100 Continue first": (b"HTTP/1.1 100 Continue\r\n\r\n" + answer(J), JSON_RULE),
    "many 100 Continue first": (b"HTTP/1.1 100 Continue\r\n\r\n" * 5 + answer(J), JSON_RULE),
    "102 Processing first": (b"HTTP/1.1 102 Processing\r\n\r\n" + answer(J), JSON_RULE),
    "103 Early Hints first": (
        b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer(J),
        JSON_RULE,
    ),
    "no length, ended by the close": (HEAD + b"\r\n" + J, JSON_RULE),
    "no length and no headers": (HEAD + b"\r\n", {}),
    "HTTP/1.0": (b"HTTP/1.0 200 OK\r\n\r\n" + J, {"http_version": "1.0"} | JSON_RULE),
    "HTTP/1.0 with keep-alive": (
        answer(J, Connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0"),
        JSON_RULE,
    ),
    "HEAD": (answer("", Content_Length="99"), {"method": "HEAD"}),
    "HEAD of something chunked": (CHUNKED, {"method": "HEAD"}),
    "204": (b"HTTP/1.1 204 No Content\r\n\r\n", {}),
    "204 with a length": (b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", {"expect_status": 204}),
    "205": (answer("", "205 Reset Content"), {}),
    "206 that nobody asked for": (answer(J, "206 Partial Content", Content_Range="bytes 0-8/9"), JSON_RULE),
    "304": (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 99\r\n\r\n", {"expect_status": 304}),
    "a header over several lines": (
        HEAD + b"X-Folded: a\r\n  b\r\n\tc\r\nContent-Length: 9\r\n\r\n" + J,
        {"expect_headers": [{"name": "x-folded", "equals": "a b c"}]} | JSON_RULE,
    ),
    "a header several times": (
        HEAD + b"Vary: Accept\r\nVary: Origin\r\nContent-Length: 9\r\n\r\n" + J,
        {
            "expect_headers": [
                {"name": "vary", "equals": "Origin"},
                {"name": "vary", "equals": "Accept, Origin"},
                {"name": "vary", "contains": ["Accept", "Origin"]},
            ]
        },
    ),
    "headers without a value": (
        HEAD + b"X-Empty:\r\nX-Blank:   \r\nContent-Length:9\r\n\r\n" + J,
        {"expect_headers": [{"name": "X-Empty", "equals": ""}, {"name": "x-blank", "exists": True}]} | JSON_RULE,
    ),
    "headers in lower case": (HEAD + b"content-length: 9\r\nx-a: b\r\n\r\n" + J, JSON_RULE),
    "a very long header": (
        answer(J, X_Long="x" * 60_000),
        {"expect_headers": [{"name": "X-Long", "matches": "^x{1000}"}]} | JSON_RULE,
    ),
    "many headers": (HEAD + b"".join(b"X-%d: y\r\n" % n for n in range(400)) + b"\r\n" + J, JSON_RULE),
    "a header with bytes that are no text": (
        HEAD + b"X-Raw: \xff\xfe\x01\r\nX-Latin: gr\xfcn\r\nContent-Length: 9\r\n\r\n" + J,
        {"expect_headers": [{"name": "X-Raw", "exists": True}]} | JSON_RULE,
    ),
    "a header with UTF-8": (
        HEAD + "X-Name: Grün\r\n\r\n".encode() + J,
        {"expect_headers": [{"name": "X-Name", "equals": "Grün"}]},
    ),
    "a blank before the colon's value only": (
        HEAD + b"X-A:b\r\nX-B:\t c \t\r\n\r\n",
        {"expect": "headers['x-b'] == 'c'"},
    ),
    "lines that end without CR": (b"HTTP/1.1 200 OK\nContent-Length: 9\n\n" + J, JSON_RULE),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 9\r\n\r\n" + J, JSON_RULE),
    "an empty reason": (b"HTTP/1.1 200 \r\nContent-Length: 9\r\n\r\n" + J, JSON_RULE),
    "a reason in other letters": (b"HTTP/1.1 200 alles gut, gr\xfc\xdfe\r\nContent-Length: 9\r\n\r\n" + J, JSON_RULE),
    "the same length twice": (HEAD + b"Content-Length: 9\r\nContent-Length: 9\r\n\r\n" + J, JSON_RULE),
    "length beside chunks": (CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n9\r\n" + J + b"\r\n0\r\n\r\n", JSON_RULE),
    "more than its length": (answer(J) + b"HTTP/1.1 500 Oops\r\n\r\n", JSON_RULE),
    "a Location that is none": (answer(J, Location="http://elsewhere.invalid/"), JSON_RULE),
    "a broken Set-Cookie": (answer(J, Set_Cookie="=;;; =,;Expires=never"), JSON_RULE),
    "gzip": (answer(gzip.compress(J), Content_Encoding="gzip"), JSON_RULE),
    "x-gzip": (answer(gzip.compress(J), Content_Encoding="x-gzip"), JSON_RULE),
    "gzip in other letters": (answer(gzip.compress(J), Content_Encoding="GZip"), JSON_RULE),
    "gzip in two members": (answer(gzip.compress(J), Content_Encoding="gzip"), JSON_RULE),
    "gzip twice": (answer(gzip.compress(gzip.compress(J)), Content_Encoding="gzip, gzip"), JSON_RULE),
    "gzip in chunks": (
        CHUNKED[:-2]
        + b"Content-Encoding: gzip\r\n\r\n%x\r\n" % len(gzip.compress(J))
        + gzip.compress(J)
        + b"\r\n0\r\n\r\n",
        JSON_RULE,
    ),
    "deflate": (answer(zlib.compress(J), Content_Encoding="deflate"), JSON_RULE),
    "deflate without its header": (answer(raw_deflate(J), Content_Encoding="deflate"), JSON_RULE),
    "brotli": (answer(BROTLI, Content_Encoding="br"), JSON_RULE),
    "identity": (answer(J, Content_Encoding="identity"), JSON_RULE),
    "no encoding at all": (answer(J, Content_Encoding=""), JSON_RULE),
    "UTF-16 with its mark": (answer("grün".encode("utf-16")), text("grün")),
    "UTF-16 that is named": (
        answer("grün".encode("utf-16-be"), Content_Type="text/plain; charset=utf-16be"),
        text("grün"),
    ),
    "UTF-16 JSON that is named": (
        answer('{"v": 12, "w": "ü"}'.encode("utf-16"), Content_Type="application/json; charset=UTF-16"),
        JSON_RULE,
    ),
    "Latin-1": (answer("grün".encode("latin-1"), Content_Type="text/html; charset=ISO-8859-1"), text("grün")),
    "Latin-1 JSON": (
        answer('{"v": "grün"}'.encode("latin-1"), Content_Type="application/json;charset=iso-8859-1"),
        {"expect_jsonpath": [{"path": "$.v", "equals": "grün"}]},
    ),
    "UTF-8 JSON that is called Latin-1": (
        answer('{"v": "grün"}', Content_Type="application/json;charset=ISO-8859-1"),
        {"expect_jsonpath": [{"path": "$.v", "equals": "grün"}]},
    ),
    "windows-1251": (
        answer("привет".encode("cp1251"), Content_Type="text/plain; charset=windows-1251"),
        text("привет"),
    ),
    "shift_jis": (answer("緑".encode("shift_jis"), Content_Type='text/plain; charset="Shift_JIS"'), text("緑")),
    "a charset in quotes": (answer("grün", Content_Type="text/plain; Charset='UTF-8'"), text("grün")),
    "a charset with another name": (answer("grün", Content_Type="text/plain; charset=utf8"), text("grün")),
    "a charset after other parameters": (
        answer("grün".encode("latin-1"), Content_Type='text/plain; format="flowed"; charset=latin1 ; x=y'),
        text("grün"),
    ),
    "a charset in the HTML": (answer('<meta charset="iso-8859-1">grün'.encode("latin-1")), text("grün")),
    "a charset in the HTML, the old way": (
        answer(
            '<meta http-equiv="Content-Type" content="text/html; charset=windows-1252"> 5 €'.encode("cp1252"),
            Content_Type="text/html",
        ),
        text("5 €"),
    ),
    "a charset in the XML": (
        answer('<?xml version="1.0" encoding="ISO-8859-15"?>5 €'.encode("iso-8859-15")),
        text("5 €"),
    ),
    "a byte order mark": (answer(b"\xef\xbb\xbf" + J), JSON_RULE | text('{"v"') | {"expect": "body.startsWith('{')"}),
    "a Content-Type that is none": (answer(J, Content_Type=";;=;charset"), JSON_RULE | text("12")),
    "two Content-Types": (HEAD + b"Content-Type: text/plain\r\nContent-Type: x/y\r\n\r\n" + J, JSON_RULE | text("12")),
    "zero bytes": (answer(b"a\0b\0ok"), text("ok", "a\0b")),
    "JSON that is a number": (answer("12"), {"expect_jsonpath": [{"path": "$", "equals": 12}]}),
    "JSON that is a text": (
        answer('"ok"'),
        {"expect_jsonpath": [{"path": "$", "equals": "ok"}], "expect": "json == 'ok'"},
    ),
    "JSON that is true": (answer("true"), {"expect_jsonpath": [{"path": "$", "equals": True}], "expect": "json"}),
    "JSON that is null": (answer("null"), {"expect_jsonpath": [{"path": "$", "equals": None}]}),
    "JSON that is an empty list": (answer("[]"), {"expect_jsonpath": [{"path": "$", "length": 0}]}),
    "JSON with white space around": (answer(b"\r\n\t " + J + b"\n\n"), JSON_RULE),
    "JSON with a key twice": (answer('{"v": 1, "v": 12}'), JSON_RULE),
    "JSON with escapes": (answer('{"\\u0076": 12, "w": "\\ud83d\\ude00\\u0000"}'), JSON_RULE),
    "JSON with large numbers": (
        answer('{"a": 18446744073709551615, "b": 123456789012345678901234567890, "c": -1e-400, "d": 1E+2}'),
        {
            "expect_jsonpath": [
                {"path": "$.a", "gt": 1.8e19},
                {"path": "$.b", "type": "number"},
                {"path": "$.c", "equals": 0},
                {"path": "$.d", "equals": 100},
            ],
            "expect": "json.d == 100.0",
        },
    ),
    "JSON with odd keys": (
        answer('{"": 1, "a.b": 2, "a b": 3, "$": 4, "ключ": 5}'),
        {
            "expect_jsonpath": [
                {"path": "$['a.b']", "equals": 2},
                {"path": "$['a b']", "equals": 3},
                {"path": "$['ключ']", "equals": 5},
            ]
        },
    ),
    "JSON of another type": (answer(J, Content_Type="application/problem+json"), JSON_RULE),
    "JSON that is called HTML": (answer(J, Content_Type="text/html; charset=utf-8"), JSON_RULE),
    "JSON that is called a picture": (answer(J, Content_Type="image/png"), JSON_RULE | text("12")),
    "a redirect without a scheme": (redirect("/on"), {}),
    "299": (answer(J, "299 Odd"), JSON_RULE),
    "a reserved status": (answer(J, "599 Odd"), {"expect_status": 599}),
}
FOLLOWED_BY_OK = {"a redirect without a scheme"}


@pytest.mark.parametrize("name", ODD)
def test_a_healthy_but_odd_answer_is_ok(name: str) -> None:
    script, keys = ODD[name]
    scripts = (script, OK) if name in FOLLOWED_BY_OK else (script,)
    seen = probe_peer(*scripts, **keys)
    assert (seen.status, seen.findings) == (Status.OK, ()), seen.message


REDIRECTS: dict[str, Callable[[Peer], bytes]] = {
    "relative": lambda peer: redirect("on?x=y"),
    "with a query only": lambda peer: redirect("?x=y"),
    "with a fragment": lambda peer: redirect("/on#part"),
    "without a scheme": lambda peer: redirect(peer.url.removeprefix("http:") + "/on"),
    "with blanks": lambda peer: redirect("/on here"),
    "with letters of no ASCII": lambda peer: (
        b"HTTP/1.1 302 Found\r\nLocation: /gr\xc3\xbcn\r\nContent-Length: 0\r\n\r\n"
    ),
    "with a body": lambda peer: answer("gone", "301 Moved", Location="/on"),
    "303": lambda peer: redirect("/on", "303 See Other"),
    "307": lambda peer: redirect("/on", "307 Temporary Redirect"),
    "308": lambda peer: redirect("/on", "308 Permanent Redirect"),
    "without a length": lambda peer: b"HTTP/1.1 302 Found\r\nLocation: /on\r\n\r\n",
}


@pytest.mark.parametrize("name", REDIRECTS)
def test_a_healthy_but_odd_redirect_is_followed(name: str) -> None:
    with Peer(OK) as peer:
        peer.scripts = [REDIRECTS[name](peer), answer(J)]
        seen = probe(peer.url + "/from", **JSON_RULE)
    assert (seen.status, seen.findings) == (Status.OK, ()), seen.message


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST", "localhost.", "bücher.localhost", "BÜCHER.localhost", "日本.localhost", "a_b.localhost"],
)
def test_an_odd_host_name_is_asked(host: str) -> None:
    with Peer(answer(J)) as peer:
        seen = probe(f"http://{host}:{peer.port}/grün?q=ü", query={"r": "ä b&c"}, **JSON_RULE)
        assert seen.status is Status.OK, seen.message
        line, _, rest = peer.requests[0].partition(b"\r\n")
    assert line == b"GET /gr%C3%BCn?q=%C3%BC&r=%C3%A4+b%26c HTTP/1.1"
    assert (b"xn--" in rest) is not host.isascii()


def test_an_ipv6_address_is_asked(ca: trustme.CA, ca_folder: Path) -> None:
    try:
        listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no ::1")
    context = serving(ca.issue_cert("::1"))

    def serve() -> None:
        sock, _ = listener.accept()
        with sock, context.wrap_socket(sock, server_side=True) as secure:
            secure.recv(9999)
            secure.sendall(answer(J))

    with closing(listener):
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        seen = probe(f"https://[::1]:{listener.getsockname()[1]}/", Setting(ca_folder), ca_file="ca.pem", **JSON_RULE)
        thread.join(5)
    assert (seen.status, seen.observed["address"]) == (Status.OK, "::1"), seen.message


@pytest.mark.parametrize(
    ("names", "host"),
    [
        (("*.localhost.example", "*.shop.localhost"), "a.shop.localhost"),
        (("*.shop.localhost",), "bücher.shop.localhost"),
        (("xn--bcher-kva.localhost",), "bücher.localhost"),
        (("shop.localhost", "other.example"), "SHOP.localhost"),
    ],
)
def test_a_certificate_for_an_odd_name_is_valid(
    names: tuple[str, ...], host: str, ca: trustme.CA, ca_folder: Path
) -> None:
    with Peer(OK, tls=serving(ca.issue_cert(*names))) as peer:
        seen = probe(f"https://{host}:{peer.port}/", Setting(ca_folder), ca_file="ca.pem")
    assert seen.status is Status.OK, seen.message


# ---- what is said of what is wrong


def test_a_failure_shows_what_the_target_said() -> None:
    seen = probe_peer(answer("<b>it broke\x1b[31m</b>", "503 Sorry\x07", Content_Type="text/html"))
    assert seen.observed == {
        "address": "127.0.0.1",
        "http_version": "1.1",
        "status_line": "HTTP/1.1 503 Sorry",
        "content_type": "text/html",
        "body": "<b>it broke [31m</b>",
    }


def test_the_piece_of_a_body_is_shown_in_its_charset_and_bounded() -> None:
    seen = probe_peer(answer(("grün " * 9000).encode("utf-16"), "500 Oops"))
    assert str(seen.observed["body"]).startswith("grün grün")
    assert len(str(seen.observed["body"])) <= 300


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"expect_body": {"contains": "fine"}}, "body is 'all well', expected to contain 'fine'"),
        ({"expect_body": {"not_contains": "all"}}, "body contains 'all', expected not to"),
        ({"expect_body": {"matches": "^well"}}, "body is 'all well', expected to match '^well'"),
        ({"expect_body": {"not_matches": "w.ll"}}, "body matches 'w.ll', expected not to"),
        ({"min_body_bytes": 9}, "body is 8 bytes long, expected at least 9 bytes"),
        (
            {"expect_headers": [{"name": "X-State", "equals": "on"}]},
            "header X-State is 'ready', expected 'on'",
        ),
        (
            {"expect_headers": [{"name": "X-Gone", "contains": ["a", "b"]}]},
            "header X-Gone is missing, expected to contain 'a' and 'b'",
        ),
        (
            {"expect_headers": [{"name": "X-State", "exists": False}]},
            "header X-State is 'ready', expected not to be there",
        ),
        ({"expect_status": ["3xx", "200-199", 404][::2]}, "status is 200, expected 3xx or 404"),
        ({"expect": "status == 201"}, "status == 201 is false, expected true"),
        ({"phases": {"tls_ms": 5}}, "tls is not measured, expected at most 5 ms"),
    ],
)
def test_a_failure_says_what_came_and_what_was_expected(keys: dict[str, Any], message: str) -> None:
    seen = probe_peer(answer("all well", X_State="ready"), **keys)
    assert (seen.status, seen.message) == (Status.FAIL, message)


def test_what_is_wrong_in_many_ways_is_told_in_the_order_of_the_answer() -> None:
    seen = probe_peer(
        answer("x", "500 Oops"),
        expect_headers=[{"name": "X-A", "exists": True}],
        expect_body={"contains": "y"},
        expect_jsonpath=[{"path": "$.v", "exists": True}],
        expect="json.v == 1",
        final_url="http://elsewhere/",
        crit_ms=0.001,
    )
    assert seen.kind is Kind.STATUS
    whats = [finding.what for finding in seen.findings]
    assert whats == ["status", "final URL", "header X-A", "body", "body", "body"]
    assert seen.message.endswith("; and 3 more")


@pytest.mark.parametrize(
    ("codes", "good", "bad"),
    [
        ("2xx", [200, 299], [199, 300]),
        (["2xx", 404], [204, 404], [403]),
        ("200-204", [200, 204], [205]),
        (["200-204", "4XX"], [202, 499], [302, 500]),
        ("418", [418], [200]),
    ],
)
def test_status_codes_may_be_ranges(codes: Any, good: list[int], bad: list[int]) -> None:
    accepted = check_of(expect_status=codes).accepted
    assert [any(low <= code <= high for low, high in accepted) for code in good] == [True] * len(good)
    assert [any(low <= code <= high for low, high in accepted) for code in bad] == [False] * len(bad)


def test_a_header_that_comes_several_times_must_be_clean_each_time() -> None:
    raw = HEAD + b"Set-Cookie: a=1; Secure\r\nSet-Cookie: b=secret-2\r\nContent-Length: 0\r\n\r\n"
    assert probe_peer(raw, expect_headers=[{"name": "set-cookie", "contains": "a="}]).status is Status.OK
    seen = probe_peer(raw, expect_headers=[{"name": "set-cookie", "not_matches": "^b="}])
    assert seen.status is Status.FAIL
    assert "secret-2" not in seen.message


# ---- where redirects led


@pytest.mark.parametrize(
    ("final_url", "holds"),
    [
        ("{to}/in", True),
        ("{TO}/in", True),
        ("{to}/in/", False),
        ("{to}/", False),
        ("{from}/in", False),
        ({"starts_with": "{to}"}, True),
        ({"starts_with": "{to}/i"}, True),
        ({"starts_with": "{from}"}, False),
        ({"starts_with": "http://127.0.0"}, False),
        ({"starts_with": "http:"}, True),
        ({"starts_with": "https:"}, False),
        ({"matches": "/in$"}, True),
        ({"matches": "^https"}, False),
        ({"starts_with": "{to}", "matches": "/out$"}, False),
    ],
)
def test_redirects_must_lead_where_they_should(final_url: Any, holds: bool) -> None:
    with Peer(OK) as to, Peer(redirect(f"http://me:pw@127.0.0.1:{to.port}/in?token=t#f")) as peer:

        def filled(value: str) -> str:
            return (
                value.replace("{to}", to.url)
                .replace("{TO}", to.url.replace("http", "HTTP"))
                .replace("{from}", peer.url)
            )

        wanted = filled(final_url) if isinstance(final_url, str) else {k: filled(v) for k, v in final_url.items()}
        seen = probe(peer.url, final_url=wanted)
    assert seen.status is (Status.OK if holds else Status.FAIL)
    assert seen.observed["final_url"] == f"{to.url}/in"
    if not holds:
        assert seen.kind is Kind.CONTENT
        assert seen.message.startswith(f"final URL is {to.url}/in, expected ")


def test_without_a_redirect_the_final_url_is_that_of_the_check() -> None:
    with Peer(OK) as peer:
        url = peer.url.replace("//", "//me:pw@")
        assert probe(url + "?a=b", final_url=peer.url).status is Status.OK
        assert probe(url + "/x", final_url=peer.url).message == f"final URL is {peer.url}/x, expected {peer.url}"
    assert probe_peer(redirect("/on"), OK, max_redirects=0).status is Status.FAIL
    assert probe_peer(redirect("/on"), redirect("/2"), OK, max_redirects=2).status is Status.OK


# ---- time


def slowly(connection: Connection) -> None:
    connection.read_request()
    connection.closing.wait(0.08)
    connection.send(OK)


def test_a_phase_that_took_too_long_is_slow() -> None:
    seen = probe_peer(slowly, phases={"ttfb_ms": 20, "connect_ms": 5000})
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.SLOW)
    assert [finding.what for finding in seen.findings] == ["ttfb"]
    assert probe_peer(slowly, phases={"ttfb_ms": 20}, expect_status=404).kind is Kind.STATUS
    both = probe_peer(slowly, phases={"ttfb_ms": 20}, crit_ms=20)
    assert [finding.what for finding in both.findings] == ["latency", "ttfb"]
    assert probe_peer(slowly, phases={"ttfb_ms": 60_000}, warn_ms=20).status is Status.WARN


def test_a_connection_that_was_kept_need_not_have_the_phases_of_a_new_one() -> None:
    kept = Answer(200, b"", False, 3.0, {"ttfb": 2.0, "total": 3.0}, "127.0.0.1")
    limits = {"phases": {"dns_ms": 5, "connect_ms": 5, "tls_ms": 5}, "warn_days": 10}
    assert judge(check_of("https://h/", keep_alive=True, **limits), SETTING, kept).status is Status.OK
    assert judge(check_of("https://h/", **limits), SETTING, kept).status is Status.FAIL


# ---- certificates


def ending_in(days: float, ca: trustme.CA) -> ssl.SSLContext:
    ends_at = datetime.now(UTC) + timedelta(days=days)
    return serving(ca.issue_cert("127.0.0.1", not_before=ends_at - timedelta(days=90), not_after=ends_at))


@pytest.mark.parametrize(
    ("days", "keys", "status"),
    [
        (60, {}, Status.OK),
        (20, {}, Status.WARN),
        (6, {}, Status.FAIL),
        (20, {"warn_days": 10}, Status.OK),
        (20, {"crit_days": 30}, Status.FAIL),
        (20, {"warn_days": None}, Status.OK),
        (6, {"warn_days": None, "crit_days": None}, Status.OK),
        (6, {"crit_days": None}, Status.WARN),
        (6, {"verify": False}, Status.OK),
        (6, {"verify": False, "warn_days": 10, "crit_days": 2}, Status.WARN),
        (-3, {"verify": False, "crit_days": 7}, Status.FAIL),
        (60, {"expect": "cert_days > 59.0 && cert_days < 61.0"}, Status.OK),
        (60, {"expect": "cert_days > 61", "warn_days": None, "crit_days": None}, Status.FAIL),
        (60, {"expect": "cert_days > 50", "verify": False}, Status.OK),
    ],
)
def test_a_certificate_must_have_days_left(
    days: float, keys: dict[str, Any], status: Status, ca: trustme.CA, ca_folder: Path
) -> None:
    with Peer(OK, tls=ending_in(days + 0.01, ca)) as peer:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem", **keys)
    assert seen.status is status, seen
    if status is not Status.OK and "expect" not in keys:
        assert seen.kind is Kind.TLS
        assert f"the certificate {'expires in ' if days > 0 else 'expired 3 days ago, on 20'}" in seen.message
        assert seen.observed["cert_issuer"]


def test_days_that_the_file_names_fail_where_there_is_no_certificate() -> None:
    seen = probe_peer(OK, crit_days=7)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TLS)
    assert probe_peer(OK).status is Status.OK
    assert probe_peer(OK, crit_days=None).status is Status.OK


def test_a_slow_answer_with_an_old_certificate_tells_both(ca: trustme.CA, ca_folder: Path) -> None:
    with Peer(slowly, tls=ending_in(20, ca)) as peer:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem", warn_ms=20)
    assert (seen.status, seen.kind, len(seen.findings)) == (Status.WARN, Kind.TLS, 2)


def test_a_certificate_that_is_refused_tells_what_is_wrong_with_it(ca: trustme.CA, ca_folder: Path) -> None:
    with Peer(OK, tls=serving(ca.issue_cert("other.example"))) as peer, Peer(redirect(peer.url)) as before:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem")
        redirected = probe(before.url, Setting(ca_folder), ca_file="ca.pem")
    assert (seen.kind, redirected.kind) == (Kind.TLS, Kind.TLS)
    assert [str(finding) for finding in seen.findings] == ["certificate's host is other.example, expected 127.0.0.1"]
    assert seen.observed["cert_names"] == redirected.observed["cert_names"] == "other.example"
    assert redirected.findings == ()


def test_a_client_that_must_show_a_certificate_does(ca: trustme.CA, ca_folder: Path) -> None:
    ours = ca.issue_cert("client@example.org")
    ours.private_key_and_cert_chain_pem.write_to_path(str(ca_folder / "both.pem"))
    ours.cert_chain_pems[0].write_to_path(str(ca_folder / "client.pem"))
    ours.private_key_pem.write_to_path(str(ca_folder / "client.key"))
    context = serving(ca.issue_cert("127.0.0.1"))
    context.verify_mode = ssl.CERT_REQUIRED
    ca.configure_trust(context)
    with Peer(OK, tls=context) as peer:
        keys = {"ca_file": "ca.pem"}
        assert probe(peer.url, Setting(ca_folder), client_cert="both.pem", **keys).status is Status.OK
        assert (
            probe(peer.url, Setting(ca_folder), client_cert="client.pem", client_key="client.key", **keys).status
            is Status.OK
        )
        without = probe(peer.url, Setting(ca_folder), **keys)
        # With TLS 1.3 the refusal comes after the handshake, in place of the answer.
        assert without.kind in (Kind.TLS, Kind.PROTOCOL)
        missing = probe(peer.url, Setting(ca_folder), client_cert="gone.pem", **keys)
    assert (missing.status, missing.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "gone.pem" in missing.message


def test_another_name_than_the_hosts_may_be_asked_for(ca: trustme.CA, ca_folder: Path) -> None:
    with Peer(OK, tls=serving(ca.issue_cert("shop.example"))) as peer:
        assert probe(peer.url, Setting(ca_folder), ca_file="ca.pem").kind is Kind.TLS
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem", server_name="shop.example")
    assert seen.status is Status.OK, seen.message


# ---- what is sent


def test_a_value_is_sent_as_json() -> None:
    sent = request_sent(method="POST", json={"a": [1, None, "ü"]})
    assert b"\r\nContent-Type: application/json\r\n" in sent
    assert sent.endswith('\r\n\r\n{"a":[1,null,"ü"]}'.encode())
    assert request_sent(method="POST", json=None).endswith(b"\r\n\r\nnull")
    assert request_sent(method="PUT", json=False).endswith(b"\r\n\r\nfalse")
    own = request_sent(method="POST", json={}, headers={"content-type": "application/vnd.x+json"})
    assert own.lower().count(b"\r\ncontent-type: ") == 1
    assert b"application/vnd.x+json" in own


def test_fields_are_sent_as_a_form() -> None:
    sent = request_sent(method="POST", form={"a": "b c&d", "n": 5, "yes": True, "ü": "ß"})
    assert b"\r\nContent-Type: application/x-www-form-urlencoded\r\n" in sent
    assert sent.endswith(b"\r\n\r\na=b+c%26d&n=5&yes=true&%C3%BC=%C3%9F")


def test_a_file_is_sent_as_it_is_and_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "body.bin").write_bytes(b"\x00\xffraw\r\n")
    assert request_sent(Setting(tmp_path), method="POST", body_file="body.bin").endswith(b"\r\n\r\n\x00\xffraw\r\n")
    (tmp_path / "body.bin").write_bytes(b"other")
    assert request_sent(Setting(tmp_path), method="POST", body_file="body.bin").endswith(b"\r\n\r\nother")
    missing = probe("http://127.0.0.1:1/", Setting(tmp_path), body_file="gone")
    assert (missing.status, missing.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert missing.message == "body_file: 'gone' cannot be read (No such file or directory)"


@pytest.mark.parametrize(
    ("path", "query", "asked"),
    [
        ("/a", {"b": "c d"}, "/a?b=c+d"),
        ("/a?x=1", {"b": 2}, "/a?x=1&b=2"),
        ("/a?", {"b": False}, "/a?b=false"),
        ("/a#part", {"b": "ü"}, "/a?b=%C3%BC"),
        ("/a%20b", {}, "/a%20b"),
        ("", {"b": 1.5}, "/?b=1.5"),
    ],
)
def test_parameters_are_added_to_the_url(path: str, query: dict[str, Any], asked: str) -> None:
    assert request_sent(path=path, query=query).startswith(f"GET {asked} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize(
    ("method", "sent"), [("PURGE", "PURGE"), ("get", "GET"), ("M-SEARCH", "M-SEARCH"), ("Odd", "Odd")]
)
def test_a_method_may_be_any_word(method: str, sent: str) -> None:
    assert request_sent(method=method).startswith(f"{sent} /a HTTP/1.1\r\n".encode())


def test_credentials_are_sent_with_the_first_request() -> None:
    basic = base64.b64encode("ann:pä:ss".encode())
    sent = request_sent(basic={"username": "ann", "password": "pä:ss"})
    assert b"\r\nAuthorization: Basic " + basic + b"\r\n" in sent
    assert b"\r\nAuthorization: Bearer abc.def\r\n" in request_sent(bearer="abc.def")


def test_an_older_version_of_http_than_the_expected_one_fails(ca: trustme.CA, ca_folder: Path) -> None:
    old = probe_peer(b"HTTP/1.0 200 OK\r\n\r\n", http_version="1.1")
    assert (old.status, old.kind, old.message) == (Status.FAIL, Kind.PROTOCOL, "HTTP version is 1.0, expected 1.1")
    with Peer(OK, tls=serving(ca.issue_cert("127.0.0.1"))) as peer:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem", http_version=2)
    assert (seen.status, seen.message) == (Status.FAIL, "HTTP version is 1.1, expected 2")


def test_http_1_0_is_spoken_when_it_is_asked_for() -> None:
    with Peer(OK) as peer:
        seen = probe(peer.url, http_version=1.0)
        assert peer.requests[0].startswith(b"GET / HTTP/1.0\r\n")
    # The answer names the highest version that the server knows.
    assert (seen.status, seen.observed["http_version"]) == (Status.OK, "1.1")


def test_a_proxy_is_gone_through_and_its_password_is_not_told() -> None:
    with Peer(answer(J)) as proxy:
        where = proxy.url.replace("//", "//ann:hunter2xyz@")
        assert probe("http://shop.invalid/x", proxy=where, **JSON_RULE).status is Status.OK
        assert proxy.requests[0].startswith(b"GET http://shop.invalid/x HTTP/1.1\r\n")
        assert b"Proxy-Authorization: Basic " in proxy.requests[0]
    seen = probe("http://shop.invalid/x", proxy=where, timeout=1)
    assert seen.status is Status.FAIL
    assert "hunter2xyz" not in str(seen)


# ---- OAuth 2.0


@pytest.fixture
def no_tokens() -> Iterator[None]:
    oauth._kept.clear()
    yield
    oauth._kept.clear()


def client(url: str, **keys: Any) -> dict[str, Any]:
    return {"oauth2": {"token_url": url, "client_id": "me", "client_secret": "s3cr3t/value", **keys}}


def token(value: str = "t-1-aaaaaa", **fields: Any) -> bytes:
    return answer(json.dumps({"access_token": value, "token_type": "Bearer", **fields}))


pytestmark = pytest.mark.usefixtures("no_tokens")


def test_a_token_is_fetched_once_and_sent_until_it_expires() -> None:
    with Peer(token(expires_in=3600)) as idp, Peer(OK) as peer:
        for _ in range(3):
            assert probe(peer.url, **client(idp.url + "/token", scope="a b", audience="shop")).status is Status.OK
        assert [b"\r\nAuthorization: Bearer t-1-aaaaaa\r\n" in sent for sent in peer.requests] == [True] * 3
        (asked,) = idp.requests
    head, _, body = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert b"Basic " + base64.b64encode(b"me:s3cr3t%2Fvalue") in head
    assert parse_qs(body.decode()) == {"grant_type": ["client_credentials"], "scope": ["a b"], "audience": ["shop"]}


def test_id_and_secret_go_into_the_form_where_the_endpoint_wants_them_there() -> None:
    with Peer(token()) as idp, Peer(OK) as peer:
        assert probe(peer.url, **client(idp.url, credentials="body")).status is Status.OK
        head, _, body = idp.requests[0].partition(b"\r\n\r\n")
    assert b"Authorization" not in head
    assert parse_qs(body.decode())["client_secret"] == ["s3cr3t/value"]


@pytest.mark.parametrize(
    ("expires_in", "fetched"), [(3600, 1), ("3600", 1), (None, 1), ("soon", 1), (31, 1), (30, 3), (0, 3), (True, 1)]
)
def test_a_token_is_kept_until_half_a_minute_before_its_end(expires_in: Any, fetched: int) -> None:
    with Peer(token(expires_in=expires_in)) as idp, Peer(OK) as peer:
        for _ in range(3):
            assert probe(peer.url, **client(idp.url)).status is Status.OK
        assert len(idp.requests) == fetched


def test_a_kept_token_that_is_refused_is_fetched_anew_once() -> None:
    denied = answer("", "401 Unauthorized")
    tokens = (token("t-old-aaaa", expires_in=900), token("t-new-bbbb", expires_in=900))
    with Peer(*tokens) as idp, Peer(OK, denied, OK, denied) as peer:
        assert probe(peer.url, **client(idp.url)).status is Status.OK
        assert probe(peer.url, **client(idp.url)).status is Status.OK
        assert b"t-new-bbbb" in peer.requests[-1]
        assert len(idp.requests) == 2
        refused = probe(peer.url, **client(idp.url))
        assert (refused.status, refused.kind, refused.code) == (Status.FAIL, Kind.AUTH, 401)
        assert len(idp.requests) == 3
        assert len(peer.requests) == 5


def test_a_new_token_that_is_refused_is_not_fetched_again() -> None:
    with Peer(token()) as idp, Peer(answer("", "401 Unauthorized")) as peer:
        assert probe(peer.url, **client(idp.url)).kind is Kind.AUTH
        assert (len(idp.requests), len(peer.requests)) == (1, 1)


BAD_TOKENS: dict[str, bytes | Script] = {
    "503": answer("busy", "503 Busy"),
    "invalid_client": answer('{"error": "invalid_client", "error_description": "s3cr3t/value"}', "401 Unauthorized"),
    "redirect": redirect("http://elsewhere.invalid/"),
    "not JSON": answer("t-1"),
    "a list": answer("[]"),
    "no token": answer("{}"),
    "token of another type": answer('{"access_token": 5}'),
    "empty token": answer('{"access_token": ""}'),
    "token with a line break": answer('{"access_token": "a\\r\\nX-Evil: 1"}'),
    "token without an end": answer('{"access_token": "' + "x" * 200_000 + '"}'),
    "empty": answer(""),
    "reset": reset,
    "silence": then_silence(b""),
}


@pytest.mark.parametrize("name", BAD_TOKENS)
def test_without_a_token_the_check_is_auth_and_names_the_endpoint(name: str) -> None:
    with Peer(BAD_TOKENS[name]) as idp, Peer(OK) as peer:
        url = idp.url.replace("//", "//u:pw-abcdef@") + "/token?key=abcdef"
        seen = probe(peer.url, timeout=0.3 if name == "silence" else 5, **client(url))
        assert peer.requests == []
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.AUTH)
        assert seen.message.startswith(f"no token from {idp.url}/token: ")
        for secret in ("s3cr3t", "abcdef"):
            assert secret not in str(seen)


def test_the_token_and_the_answer_share_one_deadline() -> None:
    def late(connection: Connection) -> None:
        connection.read_request()
        connection.closing.wait(0.3)
        connection.send(token())

    with Peer(late) as idp, Peer(then_silence(b"")) as peer:
        began = datetime.now(UTC)
        seen = probe(peer.url, timeout=0.6, **client(idp.url))
        took_s = (datetime.now(UTC) - began).total_seconds()
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert 0.5 < took_s < 1.1


# ---- secrets stay secret

SECRET = "v3ry-s3cr3t'\"val"


def echo(connection: Connection) -> None:
    """Answer with what was sent, in many places, as a debugging page does."""
    connection.read_request()
    sent = connection.request.decode(errors="replace")
    connection.send(answer(sent.replace("\r\n", " | "), "500 Oops", X_Echo=SECRET.replace("\n", "")))


@pytest.mark.parametrize(
    "keys",
    [
        {"bearer": SECRET},
        {"headers": {"X-Api-Key": SECRET}},
        {"headers": {"Cookie": f"session={SECRET}"}},
        {"query": {"token": SECRET}},
        {"form": {"password": SECRET}, "method": "POST"},
        {"basic": {"username": "ann", "password": SECRET}},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_a_target_repeats_of_our_secrets_is_not_told(keys: dict[str, Any]) -> None:
    assertions = {
        "expect_headers": [{"name": "X-Echo", "equals": "x"}] if "query" not in keys else [],
        "expect_body": {"contains": "zzz"},
        "expect": "body == 'zzz'",
    }
    seen = probe_peer(echo, **keys, **assertions)
    assert seen.status is Status.FAIL
    told = json.dumps(Result(NOW, "c", seen).to_json()) + str(seen)
    for part in (SECRET, SECRET[:8], base64.b64encode(f"ann:{SECRET}".encode()).decode()[:12]):
        assert part not in told.replace("X-Echo", ""), told


def test_a_secret_that_is_cut_where_a_text_ends_is_not_told_in_part() -> None:
    for fill in range(280, 300):
        seen = probe_peer(answer("x" * fill + "tok-123456789-abcdef", "500 Oops"), bearer="tok-123456789-abcdef")
        assert "tok-1" not in str(seen)


def test_secrets_do_not_show_when_a_check_is_printed() -> None:
    check = check_of(bearer=SECRET)
    other = check_of(**client("http://idp/"))
    assert SECRET not in repr(check) + repr(other)
    assert "s3cr3t" not in repr(check) + repr(other) + str(other.model_dump())


def test_secrets_do_not_follow_a_redirect_to_another_host() -> None:
    with Peer(OK) as other, Peer(redirect(f"http://localhost:{other.port}/")) as peer:
        for keys in ({"bearer": "abcdefgh"}, {"basic": {"username": "a", "password": "abcdefgh"}}):
            assert probe(peer.url, **keys).status is Status.OK
        assert probe(peer.url, headers={"X-Api-Key": "abcdefgh"}).status is Status.OK
        for sent in other.requests:
            assert b"abcdefgh" not in sent
            assert b"Authorization" not in sent


# ---- memory and steps


def test_a_value_that_must_move_is_remembered_from_probe_to_probe() -> None:
    moving = {"expect_jsonpath": [{"path": "$.v", "changes_within": "1h"}]}
    with Peer(answer(J)) as peer:
        first = probe(peer.url, **moving)
        assert first.status is Status.OK
        assert first.memory is not None
        old = json.loads(json.dumps(first.memory))
        old["changes"]["$.v"]["since"] = "2020-01-01T00:00:00Z"
        still = probe(peer.url, Setting(Path(), memory=old), **moving)
        assert (still.status, still.kind) == (Status.FAIL, Kind.CONTENT)
        assert still.memory == old | {"changes": {"$.v": old["changes"]["$.v"] | {"since": "2020-01-01T00:00:00.000Z"}}}
        peer.scripts = [answer('{"v": 13}')]
        moved = probe(peer.url, Setting(Path(), memory=old), **moving)
        assert moved.status is Status.OK
        peer.scripts = [answer("oops")]
        # What cannot be read takes nothing away.
        assert probe(peer.url, Setting(Path(), memory=old), **moving).memory is None


def test_a_check_without_such_a_rule_remembers_nothing() -> None:
    assert probe_peer(answer(J), **JSON_RULE).memory is None


def test_the_steps_of_a_probe_can_be_taken_one_by_one() -> None:
    check = check_of("http://h/x", **JSON_RULE)
    request = request_of(check, SETTING)
    assert not isinstance(request, Outcome)
    assert (request.url, request.timeout_s, request.wants_chain) == ("http://h/x", 5.0, True)
    assert judge(check, SETTING, Answer(200, J, False, 1.0, {"total": 1.0}, "::1")).status is Status.OK
    failed = judge(check, SETTING, FetchFailed(Kind.DNS, "no such host", {"total": 1.0}))
    assert (failed.status, failed.kind) == (Status.FAIL, Kind.DNS)


def test_a_check_is_prompt_unless_it_needs_more_than_one_exchange_or_a_long_search() -> None:
    assert is_prompt(check_of(**JSON_RULE, expect="json.v == 1", expect_body={"matches": "x"}))
    for keys in (
        client("http://idp/"),
        {"body_file": "x"},
        {"expect_jsonpath": [{"path": "$..v", "equals": 1}]},
        {"expect": "json.all(v, v > 1)"},
    ):
        assert not is_prompt(check_of(**keys))


# ---- whatever comes, a verdict


EVERYTHING = {
    "expect_headers": [
        {"name": "x-state", "equals": "ready", "contains": "r", "matches": "^r", "not_matches": "x"},
        {"name": "content-type", "exists": False},
    ],
    "expect_body": {"contains": "all", "not_contains": "broken", "matches": "w.ll", "not_matches": "b+$"},
    "expect_jsonpath": [
        {
            "path": "$.v",
            "in": [12],
            "not_in": [1],
            "type": ["integer", None],
            "length": 1,
            "matches": "1",
            "contains": 1,
        },
        {"path": "$.v", "max_age": "1h", "changes_within": "1h", "each": False},
        {"path": "$..w", "exists": False},
    ],
    "expect": "json.v == 12 && body.contains('all') && headers['x-state'] == 'ready' && final_url != ''",
    "final_url": {"matches": "^https://h/$"},
    "phases": {"tls_ms": 1},
    "warn_days": 10,
}
CHARSETS = [
    "",
    "; charset=utf-8",
    ";charset=utf-16",
    "; charset=\x1b[2J",
    '; charset="latin1',
    "; charset=utf-7",
    ";=;",
]


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=300)
    | st.text(max_size=100).map(lambda text: text.encode("utf-16", "surrogatepass"))
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["v", "w"]), inner),
        max_leaves=6,
    ).map(lambda value: json.dumps({"v": value}).encode()),
    charset=st.sampled_from(CHARSETS),
    value=st.binary(max_size=60),
    chain=st.lists(st.binary(max_size=40), max_size=2),
)
def test_whatever_comes_there_is_a_verdict_on_one_short_line(
    body: bytes, charset: str, value: bytes, chain: list[bytes]
) -> None:
    head = (b"HTTP/1.1 200 " + value, b"X-State: " + value, b"Content-Type: text/html" + charset.encode(), value)
    got = Answer(
        200, body, False, 1.0, {"total": 1.0}, "::1", header_block=head, http_version="1.1", chain=tuple(chain)
    )
    seen = judge(check_of("https://h/", **EVERYTHING), SETTING, got)
    assert seen.status is Status.FAIL
    assert len(seen.message) <= 450
    for text_of in (seen.message, *(str(finding) for finding in seen.findings), *map(str, seen.observed.values())):
        assert len(text_of) <= 600
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text_of), repr(text_of)
        text_of.encode()
