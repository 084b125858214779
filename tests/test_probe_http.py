"""The http probe against real peers on loopback: good ones, broken ones, and ones that mean harm."""

import gzip
import ipaddress
import json
import math
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pycurl
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config import HttpCheck
from monitor.model import Kind, Outcome, Result, Status
from monitor.probes import Setting, run_probe
from monitor.probes.curl import MAX_REDIRECTS, Request, blocking, fetch
from monitor.probes.jsonrules import check_rules, parse_json
from monitor.probes.predicates import show
from tests.authorities import serving
from tests.conftest import GRACE_S
from tests.servers import OK, Connection, Peer, Script, answer, drip, flood, redirect, reset, then_silence

SETTING = Setting(Path())
TIMEOUT_S = 0.3
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
# No resolver is asked for it: a label may have 63 characters.
NO_SUCH_NAME = "http://" + "x" * 64 + ".invalid/"


def probe(url: str, setting: Setting = SETTING, **keys: Any) -> Outcome:
    return run_probe(HttpCheck.model_validate({"name": "c", "type": "http", "url": url, "timeout": 5, **keys}), setting)


def probe_peer(*scripts: bytes | Script, path: str = "/", **keys: Any) -> Outcome:
    with Peer(*scripts) as peer:
        return probe(peer.url + path, **keys)


def request_sent(*scripts: bytes | Script, **keys: Any) -> bytes:
    """Return the last request that a probe of these scripts made."""
    with Peer(*scripts) as peer:
        probe(peer.url + "/a?b=c", **keys)
        return peer.requests[-1]


@pytest.fixture(scope="module")
def good_tls(ca: trustme.CA) -> ssl.SSLContext:
    return serving(ca.issue_cert("127.0.0.1", "localhost"))


# ---- what is well


def test_an_answer_with_2xx_is_ok_and_has_code_latency_phases_and_address() -> None:
    seen = probe_peer(OK)
    assert (seen.status, seen.kind, seen.code, seen.findings) == (Status.OK, None, 200, ())
    assert seen.latency_ms is not None
    assert 0 < seen.latency_ms < 2000
    assert set(seen.phases_ms) == {"dns", "connect", "ttfb", "total"}
    assert seen.observed == {"address": "127.0.0.1"}
    assert seen.message.startswith("200 in ")


def test_https_has_a_tls_phase_of_its_own(good_tls: ssl.SSLContext, ca_folder: Path) -> None:
    with Peer(OK, tls=good_tls) as peer:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem")
    assert seen.status is Status.OK
    assert seen.phases_ms["tls"] > 0


@pytest.mark.parametrize(
    ("code", "expected", "status"),
    [
        ("200 OK", None, Status.OK),
        ("204 No Content", None, Status.OK),
        ("299 Odd", None, Status.OK),
        ("300 Choose", None, Status.FAIL),
        ("304 Not Modified", None, Status.FAIL),
        ("404 Not Found", None, Status.FAIL),
        ("500 Oops", None, Status.FAIL),
        ("404 Not Found", 404, Status.OK),
        ("200 OK", 404, Status.FAIL),
        ("503 Busy", [200, 503], Status.OK),
        ("500 Oops", [200, 503], Status.FAIL),
    ],
)
def test_the_status_code_must_be_an_expected_one(code: str, expected: Any, status: Status) -> None:
    seen = probe_peer(answer("", code), **({} if expected is None else {"expect_status": expected}))
    assert seen.status is status
    assert seen.code == int(code[:3])
    assert seen.kind is (None if status is Status.OK else Kind.STATUS)


def test_a_wrong_status_says_what_came_and_what_was_expected() -> None:
    seen = probe_peer(answer("it broke", "503 Busy"), expect_status=[200, 204])
    assert seen.message == "status is 503, expected 200 or 204"
    assert seen.observed["body"] == "it broke"


@pytest.mark.parametrize("code", ["401 Unauthorized", "407 Proxy Authentication Required"])
def test_an_answer_that_asks_for_credentials_is_auth(code: str) -> None:
    assert probe_peer(answer("", code)).kind is Kind.AUTH


# ---- rules on JSON


def verdict(body: bytes | str, *rules: dict[str, Any]) -> Outcome:
    return probe_peer(answer(body), expect_jsonpath=rules)


NUMERIC = {"lt": 13, "le": 12, "gt": 11, "ge": 12}


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"equals": 12}, ["12", "12.0", "1.2e1"], ["13", '"12"', "true", "null", "[12]", '{"v":12}']),
        ({"equals": True}, ["true"], ["false", "1", '"true"', "null", "[true]"]),
        ({"equals": False}, ["false"], ["true", "0", '""', "null"]),
        ({"equals": None}, ["null"], ["false", "0", '""', '"null"', "[]"]),
        ({"equals": "ok"}, ['"ok"'], ['"OK"', '" ok"', "true", "null", '["ok"]']),
        (
            {"equals": [1, {"a": None}]},
            ['[1,{"a":null}]'],
            ["[1]", '[1,{"a":0}]', '[{"a":null},1]', '[true,{"a":null}]'],
        ),
        ({"equals": {"a": [1], "b": 0}}, ['{"b":0,"a":[1]}'], ['{"a":[1]}', '{"a":[1],"b":false}', '{"a":[],"b":0}']),
        ({"not_equals": 12}, ["13", '"12"', "true", "null"], ["12", "12.0"]),
        ({"not_equals": None}, ["0", '""', "false"], ["null"]),
        ({"not_equals": {"a": 1}}, ['{"a":true}', "{}", '{"a":1,"b":1}'], ['{"a":1}', '{"a":1.0}']),
        ({"lt": 12}, ["11.999", "-1e300"], ["12", "13", '"11"', "true", "false", "null", "[11]", "{}"]),
        ({"le": 12}, ["12", "12.0"], ["12.0001", '"12"', "true", "null", "[]"]),
        ({"gt": 0}, ["1e-9"], ["0", "-1", '"1"', "true", "null", "[1]"]),
        ({"ge": 0}, ["0", "-0.0"], ["-1e-9", '"0"', "false", "true", "null"]),
        ({"gt": 1, "lt": 3}, ["2"], ["1", "3", '"2"']),
        ({"ge": 0, "not_equals": 7}, ["6"], ["7", "-1"]),
    ],
)
def test_a_rule_holds_for_values_of_its_own_type_only(rule: dict[str, Any], good: list[str], bad: list[str]) -> None:
    check = HttpCheck.model_validate(
        {"name": "c", "type": "http", "url": "http://h", "expect_jsonpath": [{"path": "$.v", **rule}]}
    )
    for status, values in ((Status.OK, good), (Status.FAIL, bad)):
        for value in values:
            document, wrong = parse_json(f'{{"v": {value}}}'.encode())
            assert wrong is None
            findings = check_rules(document, check.expect_jsonpath)
            assert bool(findings) is (status is Status.FAIL), (rule, value, findings)


@pytest.mark.parametrize(
    ("path", "body", "got"),
    [
        ("$.v", "{}", "missing"),
        ("$.v", "[]", "missing"),
        ("$.v", '"v"', "missing"),
        ("$.v", "12", "missing"),
        ("$.v", "null", "missing"),
        ("$.v", "true", "missing"),
        ("$.a.v", '{"a": 12}', "missing"),
        ("$.a.v", '{"a": null}', "missing"),
        ("$.a.v", '{"a": [{"v": 12}]}', "missing"),
        ("$.a[*].v", '{"a": []}', "missing"),
        ("$.a[*].v", '{"a": {"v": 12}}', "missing"),
        ("$.a[*]", '{"a": 12}', "missing"),
        ("$.a[0]", '{"a": "12"}', "missing"),
        ("$.a[3]", '{"a": [12]}', "missing"),
        ("$..v", '{"a": [{}, []]}', "missing"),
        ("$[?(@.v > 1)].v", "[]", "missing"),
        ("$[?(@.v > 1)].v", '[{"v": null}]', None),
        ("$.a[*].v", '{"a": [{"v": 12}, {"v": 12}, {"v": 13}]}', "13"),
        ("$..v", '{"v": 12, "a": {"v": "12"}}', '"12"'),
    ],
)
def test_a_path_without_a_match_or_with_one_bad_match_among_good_ones_fails(
    path: str, body: str, got: str | None
) -> None:
    seen = verdict(body, {"path": path, "equals": 12})
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert got is None or seen.findings[0].got == got


def test_all_matches_hold_is_ok() -> None:
    assert verdict('{"a": [{"v": 1}, {"v": 2}]}', {"path": "$.a[*].v", "lt": 3}).status is Status.OK


def test_every_rule_that_does_not_hold_is_a_finding_and_the_message_names_the_first_ones() -> None:
    rules = [{"path": f"$.v{n}", "equals": n} for n in range(5)]
    seen = verdict('{"v0": 0, "v1": "1"}', *rules)
    assert [finding.what for finding in seen.findings] == ["$.v1", "$.v2", "$.v3", "$.v4"]
    assert seen.message == (
        '$.v1 is "1", expected 1; $.v2 is missing, expected 2; $.v3 is missing, expected 3; and 1 more'
    )


def test_a_wrong_status_comes_before_what_is_wrong_in_its_body() -> None:
    seen = probe_peer(answer("{}", "503 Busy"), expect_jsonpath=[{"path": "$.v", "equals": 1}])
    assert seen.kind is Kind.STATUS
    assert [finding.what for finding in seen.findings] == ["status", "$.v"]


def test_a_byte_order_mark_is_let_pass() -> None:
    assert verdict(b'\xef\xbb\xbf{"v": 12}', {"path": "$.v", "equals": 12}).status is Status.OK


def test_rules_read_a_compressed_body() -> None:
    zipped = answer(gzip.compress(b'{"v": 12}'), Content_Encoding="gzip")
    assert probe_peer(zipped, expect_jsonpath=[{"path": "$.v", "equals": 12}]).status is Status.OK


def test_a_document_nested_without_end_is_a_failure_and_breaks_nothing() -> None:
    for body in ("[" * 100_000, '{"v":' * 900 + "1" + "}" * 900):
        seen = verdict(body, {"path": "$..w", "equals": 12})
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)


# ---- fail closed: no rule is ever green when it could not be judged

RULES = [
    {"path": "$.v", "equals": 12},
    {"path": "$.v", "equals": None},
    {"path": "$.v", "not_equals": 13},
    {"path": "$.v", "lt": 13},
    {"path": "$.v", "le": 12},
    {"path": "$.v", "gt": 11},
    {"path": "$.v", "ge": 12},
    {"path": "$..v", "not_equals": None},
    {"path": "$.*", "not_equals": "x"},
]
GOOD = b'{"v": 12}'
NO_JUDGEMENT: dict[str, bytes | Script] = {
    "timeout": then_silence(b""),
    "tls in place of http": then_silence(b"\x15\x03\x01\x00\x02\x02\x28"),
    "empty body": answer(""),
    "white space": answer(" \r\n\t"),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not JSON": answer("v = 12"),
    "JSON and more": answer(GOOD + b"}"),
    "JavaScript": answer("{v: 12}"),
    "HTML": answer("<!doctype html><title>12</title>", Content_Type="text/html"),
    "missing path": answer("{}"),
    "wrong root: list": answer("[]"),
    "wrong root: string": answer('"v"'),
    "wrong root: number": answer("12"),
    "wrong root: null": answer("null"),
    "NaN": answer('{"v": NaN}'),
    "infinity": answer('{"v": Infinity}'),
    "number too large": answer('{"v": 1e400}'),
    "body shorter than its length": answer(GOOD, Content_Length="50"),
    "chunked, cut in a chunk": CHUNKED + b"20\r\n" + GOOD,
    "chunked, cut after a chunk": CHUNKED + b"9\r\n" + GOOD + b"\r\n",
    "chunked, garbage": CHUNKED + b"zz\r\n" + GOOD,
    "invalid UTF-8": answer(b'{"v": 12, "w": "\xff\xfe"}'),
    "UTF-16": answer('{"v": 12}'.encode("utf-16")),
    "UTF-16 without its mark": answer('{"v": 12}'.encode("utf-16-le")),
    "gzip garbage": answer(b"this is no gzip", Content_Encoding="gzip"),
    "gzip cut": answer(gzip.compress(GOOD)[:-12], Content_Encoding="gzip"),
    "gzip with a wrong checksum": answer(gzip.compress(GOOD)[:-8] + b"\0" * 8, Content_Encoding="gzip"),
    "gzip that is not named": answer(gzip.compress(GOOD)),
    "longer than max_body_bytes": answer(GOOD + b" " * 10_000),
    "garbage in place of HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": lambda connection: connection.read_request(),
    "reset": reset,
    "reset within the body": lambda connection: (then_reset(connection, answer(GOOD, Content_Length="50")),),
}


def then_reset(connection: Connection, raw: bytes) -> None:
    connection.read_request()
    connection.send(raw)
    reset(connection)


@pytest.mark.parametrize("cause", NO_JUDGEMENT)
def test_no_rule_is_ok_when_it_cannot_be_judged(cause: str) -> None:
    with Peer(NO_JUDGEMENT[cause]) as peer:
        for rule in RULES if cause != "timeout" else RULES[:2]:
            seen = probe(
                peer.url, timeout=0.2 if cause == "timeout" else 5, max_body_bytes=5000, expect_jsonpath=[rule]
            )
            assert seen.status is Status.FAIL, (rule, seen)
            assert seen.message


@pytest.mark.parametrize("rule", RULES)
def test_no_rule_is_ok_without_a_connection_or_with_a_bad_certificate(
    rule: dict[str, Any], closed_port: int, good_tls: ssl.SSLContext
) -> None:
    assert probe(f"http://127.0.0.1:{closed_port}", expect_jsonpath=[rule]).kind is Kind.CONNECT
    assert probe(NO_SUCH_NAME, expect_jsonpath=[rule]).kind is Kind.DNS
    with Peer(answer(GOOD), tls=good_tls) as peer:
        assert probe(peer.url, expect_jsonpath=[rule]).kind is Kind.TLS


@pytest.mark.parametrize("rule", [rule for rule in RULES if "not_equals" not in rule])
@pytest.mark.parametrize("value", ['"12"', "true", "[]", "{}", "[12]"])
def test_no_rule_is_ok_for_a_value_of_another_type(rule: dict[str, Any], value: str) -> None:
    document, _ = parse_json(f'{{"v": {value}}}'.encode())
    check = HttpCheck.model_validate({"name": "c", "type": "http", "url": "http://h", "expect_jsonpath": [rule]})
    assert check_rules(document, check.expect_jsonpath)


def test_the_body_that_the_broken_ones_are_made_of_is_well_for_the_rules() -> None:
    """Else the matrix above could not fail."""
    with Peer(answer(GOOD)) as peer:
        for rule in RULES:
            seen = probe(peer.url, expect_jsonpath=[rule])
            assert (seen.status is Status.OK) is (rule != {"path": "$.v", "equals": None}), rule


# ---- kinds


def test_a_name_that_does_not_exist_is_dns() -> None:
    seen = probe(NO_SUCH_NAME)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.DNS)
    assert seen.message.startswith("Could not resolve host: xxx")


def test_a_name_is_looked_up_anew_for_each_probe() -> None:
    with Peer(OK) as peer:
        handle = blocking._handle()
        # An address of an earlier look-up, as libcurl keeps it for a minute.
        handle.setopt(pycurl.RESOLVE, [f"+known.invalid:{peer.port}:127.0.0.1"])
        handle.setopt(pycurl.URL, f"http://known.invalid:{peer.port}/")
        handle.setopt(pycurl.WRITEFUNCTION, len)
        handle.perform()
        handle.reset()
        assert probe(f"http://known.invalid:{peer.port}/").kind is Kind.DNS


def test_a_closed_port_is_connect_and_says_why(closed_port: int) -> None:
    seen = probe(f"http://127.0.0.1:{closed_port}/")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONNECT)
    assert f"127.0.0.1:{closed_port}" in seen.message
    assert seen.message.endswith("(Connection refused)")
    assert seen.phases_ms.keys() == {"dns", "total"}


def test_an_address_that_cannot_be_reached_is_connect_and_not_our_exhaustion() -> None:
    seen = probe("http://255.255.255.255/")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONNECT)


def test_a_certificate_that_is_well_passes_with_the_ca_file_and_fails_without(
    good_tls: ssl.SSLContext, ca_folder: Path
) -> None:
    with Peer(OK, tls=good_tls) as peer:
        assert probe(peer.url, Setting(ca_folder), ca_file="ca.pem").status is Status.OK
        assert probe(peer.url, ca_file=str(ca_folder / "ca.pem")).status is Status.OK
        untrusted = probe(peer.url)
    assert (untrusted.status, untrusted.kind) == (Status.FAIL, Kind.TLS)
    assert "unknown here and not sent along" in untrusted.message
    assert "issuer certificate" in str(untrusted.observed["tls_error"])


def self_signed(ca_folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2020, 1, 1)).not_valid_after(datetime(2090, 1, 1))  # noqa: DTZ001
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    plain_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (ca_folder / "own.pem").write_bytes(plain_key + certificate.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ca_folder / "own.pem")
    return context


def bad_certificate(why: str, ca: trustme.CA, ca_folder: Path) -> ssl.SSLContext:
    if why == "self-signed":
        return self_signed(ca_folder)
    if why == "for another host":
        return serving(ca.issue_cert("other.example.org"))
    begun, ended = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)
    return serving(ca.issue_cert("127.0.0.1", not_before=begun, not_after=ended))


@pytest.mark.parametrize(
    ("why", "said"), [("self-signed", "self-signed"), ("for another host", "127.0.0.1"), ("expired", "expired")]
)
def test_a_bad_certificate_is_tls_and_passes_only_when_it_is_not_verified(
    why: str, said: str, ca: trustme.CA, ca_folder: Path
) -> None:
    with Peer(OK, tls=bad_certificate(why, ca, ca_folder)) as peer:
        seen = probe(peer.url, Setting(ca_folder), ca_file="ca.pem")
        unverified = probe(peer.url, Setting(ca_folder), ca_file="ca.pem", verify=False)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TLS)
    assert said in seen.message
    if why == "expired":
        assert re.fullmatch(r"the certificate expired \d+ days ago, on 2020-02-01 00:00 UTC", seen.message)
        assert "has expired" in str(seen.observed["tls_error"])
    assert unverified.status is Status.OK


def test_a_certificate_that_was_swapped_since_the_last_probe_is_seen(
    good_tls: ssl.SSLContext, ca: trustme.CA, ca_folder: Path
) -> None:
    with Peer(OK, tls=good_tls) as peer:
        assert probe(peer.url, Setting(ca_folder), ca_file="ca.pem").status is Status.OK
        peer.tls = bad_certificate("expired", ca, ca_folder)
        assert probe(peer.url, Setting(ca_folder), ca_file="ca.pem").kind is Kind.TLS


def test_a_ca_file_that_is_not_there_is_our_trouble_and_not_the_targets(good_tls: ssl.SSLContext) -> None:
    with Peer(OK, tls=good_tls) as peer:
        seen = probe(peer.url, ca_file="no-such.pem")
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.INTERNAL)
    assert "no-such.pem" in seen.message


def test_http_on_a_port_that_speaks_tls_and_tls_on_one_that_does_not_fail(good_tls: ssl.SSLContext) -> None:
    with Peer(OK, tls=good_tls) as peer:
        assert probe(peer.url.replace("https", "http")).kind is Kind.PROTOCOL
    with Peer(then_silence(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer:
        # The handshake is no HTTP request, so that this script reads on until the client has gone.
        peer.scripts = [lambda connection: connection.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")]
        seen = probe(peer.url.replace("http", "https"))
    assert seen.kind is Kind.TLS
    assert seen.message == "no TLS came back (wrong version number): the port does not seem to speak TLS"


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x00\xff" * 200,
        b"HTTP/9.9 200 OK\r\n\r\n",
        answer("x", Content_Length="-1"),
        answer("x", Content_Length="1, 2"),
        b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 400_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X-Many: xxxxxxxxxxxxxxxxxxx\r\n" * 20_000 + b"\r\n",
        b"",
    ],
)
def test_garbage_in_place_of_http_is_protocol(raw: bytes) -> None:
    seen = probe_peer(raw)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.PROTOCOL)


def test_a_reset_is_protocol() -> None:
    assert probe_peer(reset).kind is Kind.PROTOCOL


def slowly(connection: Connection) -> None:
    connection.read_request()
    connection.closing.wait(0.05)
    connection.send(OK)


def test_a_slow_answer_is_warn_or_fail_by_its_limits_and_names_them() -> None:
    with Peer(slowly) as peer:
        warned = probe(peer.url, warn_ms=10, crit_ms=60_000)
        failed = probe(peer.url, warn_ms=10, crit_ms=20)
        passed = probe(peer.url, warn_ms=60_000)
    assert (warned.status, warned.kind) == (Status.WARN, Kind.SLOW)
    assert (failed.status, failed.kind) == (Status.FAIL, Kind.SLOW)
    assert passed.status is Status.OK
    assert warned.findings[0].expected == "at most 10 ms"
    assert failed.findings[0].expected == "at most 20 ms"


def test_a_slow_answer_that_is_wrong_is_wrong_first() -> None:
    assert probe_peer(slowly, expect_status=404, crit_ms=1).kind is Kind.STATUS


# ---- the deadline stands over everything

HANGING: dict[str, tuple[Script, str, set[str]]] = {
    "accepts and is silent": (lambda c: c.hold(), "connected, but no answer", {"connect"}),
    "reads and is silent": (then_silence(b""), "connected, but no answer", {"connect"}),
    "half a status line": (then_silence(b"HTTP/1."), "connected, but no answer", {"connect"}),
    "status line, then silence": (then_silence(b"HTTP/1.1 200 OK\r\n"), "the answer began but", {"connect", "ttfb"}),
    "headers, then silence": (then_silence(OK[:-2]), "the answer began but", {"connect", "ttfb"}),
    "100 Continue without end": (
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.01),
        "the answer began but",
        {"connect", "ttfb"},
    ),
    "a byte now and then": (drip(answer("", Content_Length="9999")), "the answer began but", {"connect", "ttfb"}),
    "a byte of status line now and then": (drip(b"HTTP/1.1 200 "), "connected, but no answer", {"connect"}),
    "a byte of header now and then": (drip(b"HTTP/1.1 200 OK\r\nX: "), "the answer began but", {"connect", "ttfb"}),
    "a chunk now and then": (drip(CHUNKED, b"1\r\nx\r\n"), "the answer began but", {"connect", "ttfb"}),
    "a body without end": (drip(b"HTTP/1.1 200 OK\r\n\r\n"), "the answer began but", {"connect", "ttfb"}),
}


def assert_ends_in_time(url: str, where: str, reached: set[str], **keys: Any) -> Outcome:
    began = time.monotonic()
    seen = probe(url, timeout=TIMEOUT_S, **keys)
    took_s = time.monotonic() - began
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT), seen
    assert TIMEOUT_S - 0.05 <= took_s <= TIMEOUT_S + GRACE_S
    assert seen.message.startswith(where)
    assert seen.message.endswith(" within 300 ms")
    assert seen.phases_ms.keys() == {"dns", "total"} | reached
    return seen


@pytest.mark.parametrize("how", HANGING)
def test_a_peer_that_hangs_is_timeout_by_the_deadline_and_the_message_says_where(how: str) -> None:
    script, where, reached = HANGING[how]
    with Peer(script) as peer:
        assert_ends_in_time(peer.url, where, reached)


def test_a_handshake_that_hangs_is_timeout_and_the_message_says_so() -> None:
    with Peer(lambda connection: connection.hold()) as peer:
        assert_ends_in_time(
            peer.url.replace("http:", "https:"), "connected, but the TLS handshake did not end", {"connect"}
        )


def test_silence_after_the_handshake_is_no_answer(good_tls: ssl.SSLContext) -> None:
    with Peer(then_silence(b""), tls=good_tls) as peer:
        assert_ends_in_time(peer.url, "connected, but no answer", {"connect", "tls"}, verify=False)


def test_silence_after_a_redirect_is_told_from_an_answer_that_began() -> None:
    with Peer(then_silence(b"")) as silent, Peer(redirect(f"http://me:secret@127.0.0.1:{silent.port}/x?key=1")) as peer:
        where = f"redirected to {silent.url}/x, but no answer from there"
        assert_ends_in_time(peer.url, where, {"connect"})


def test_a_redirect_whose_body_does_not_end_is_followed_or_ends_in_time() -> None:
    with Peer(drip(redirect("/x", "302 Found").replace(b"Length: 0", b"Length: 99")), OK) as peer:
        began = time.monotonic()
        probe(peer.url, timeout=TIMEOUT_S)
        assert time.monotonic() - began <= TIMEOUT_S + GRACE_S


def test_a_peer_that_takes_no_connections_is_no_connection() -> None:
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        # The queue of a listener that accepts nothing is full after these, and a further SYN gets no answer.
        for waiting in (first, second):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        assert_ends_in_time(f"http://127.0.0.1:{listener.getsockname()[1]}", "no connection", set())


def test_a_request_body_that_is_not_read_ends_in_time() -> None:
    with Peer(lambda connection: connection.closing.wait(2)) as peer:
        began = time.monotonic()
        seen = probe(peer.url, timeout=TIMEOUT_S, method="POST", body="x" * 7_900_000)
        assert seen.kind is Kind.TIMEOUT
        assert time.monotonic() - began <= TIMEOUT_S + GRACE_S


@pytest.mark.parametrize("piece", [b"X-Header: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n" * 100, b"x" * 4096])
def test_endless_headers_end_in_time_and_in_little_memory(piece: bytes) -> None:
    began = time.monotonic()
    seen = probe_peer(flood(b"HTTP/1.1 200 OK\r\nX: ", piece), timeout=TIMEOUT_S)
    assert seen.status is Status.FAIL
    assert seen.kind in (Kind.PROTOCOL, Kind.TIMEOUT)
    assert time.monotonic() - began <= TIMEOUT_S + GRACE_S


# ---- redirects


def test_redirects_are_followed_for_five_hops_and_no_more() -> None:
    hops = [redirect(f"/{n}") for n in range(MAX_REDIRECTS)]
    seen = probe_peer(*hops, OK, path="/start?key=1")
    assert seen.status is Status.OK
    assert str(seen.observed["final_url"]).endswith(f"/{MAX_REDIRECTS - 1}")
    too_many = probe_peer(*hops, redirect("/on"), OK)
    assert (too_many.status, too_many.kind) == (Status.FAIL, Kind.PROTOCOL)
    assert "redirects" in too_many.message


def test_a_redirect_loop_fails() -> None:
    with Peer(redirect("/again")) as peer:
        assert probe(peer.url).status is Status.FAIL
        assert len(peer.connections) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "to",
    [
        "file:///etc/passwd",
        "file://127.0.0.1/etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1:1/x",
        "dict://127.0.0.1/",
        "smtp://127.0.0.1/",
        "ws://127.0.0.1/",
        "FILE:///etc/passwd",
    ],
)
def test_a_redirect_to_another_scheme_fails_and_is_not_followed(to: str) -> None:
    seen = probe_peer(redirect(to))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.PROTOCOL)
    assert "root:" not in str(seen)


def test_a_redirect_to_no_url_fails() -> None:
    for to in ("http://", "http://[::zz]/", "http://127.0.0.1:99999/", "http://a b/"):
        assert probe_peer(redirect(to)).status is Status.FAIL


def test_without_follow_redirects_the_3xx_is_the_answer() -> None:
    with Peer(redirect("/on"), OK) as peer:
        seen = probe(peer.url, follow_redirects=False, expect_status=302)
        assert (seen.status, seen.code, len(peer.connections)) == (Status.OK, 302, 1)
        assert "final_url" not in seen.observed
    assert probe_peer(redirect("/on"), OK, follow_redirects=False).message == "status is 302, expected 200 to 299"


def test_where_it_was_redirected_is_told_without_password_and_query() -> None:
    with Peer(OK) as to, Peer(redirect(f"http://me:p%40ss@127.0.0.1:{to.port}/in?token=t#f")) as peer:
        assert probe(peer.url).observed["final_url"] == f"{to.url}/in"


def test_a_url_without_a_path_is_not_called_a_redirect() -> None:
    with Peer(OK) as peer:
        assert "final_url" not in probe(peer.url).observed
        assert "final_url" not in probe(f"http://me:secret@127.0.0.1:{peer.port}").observed


# ---- bodies

MEGABYTE = b"x" * 1_000_000


def bomb() -> bytes:
    """Return 100 MB of zeros, gzipped, without ever holding them."""
    press = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeros = bytes(1_000_000)
    return b"".join([press.compress(zeros) for _ in range(100)]) + press.flush()


LARGE: dict[str, Script | bytes] = {
    "50 MB": flood(answer("", Content_Length="50000000"), MEGABYTE, 50),
    "50 MB in chunks": flood(CHUNKED, b"F4240\r\n" + MEGABYTE + b"\r\n", 50),
    "without end": flood(b"HTTP/1.1 200 OK\r\n\r\n", MEGABYTE),
    "bomb": answer(bomb(), Content_Encoding="gzip"),
    "bomb in a bomb": answer(gzip.compress(bomb()), Content_Encoding="gzip, gzip"),
}


@pytest.mark.parametrize("large", LARGE)
def test_a_large_body_is_cut_in_little_memory_and_judged_by_its_status(large: str) -> None:
    with Peer(LARGE[large]) as peer:
        tracemalloc.start()
        got = fetch(Request(peer.url, 5, max_body_bytes=300_000))
        _, peak_bytes = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        seen = probe(peer.url, max_body_bytes=300_000)
    assert got.cut
    assert len(got.body) == 300_000
    assert peak_bytes < 5_000_000
    assert (seen.status, seen.code) == (Status.OK, 200)


@pytest.mark.parametrize("large", LARGE)
def test_rules_on_a_body_that_was_cut_fail(large: str) -> None:
    seen = probe_peer(LARGE[large], max_body_bytes=1000, expect_jsonpath=[{"path": "$.v", "not_equals": 1}])
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "body is longer, expected at most 1000 bytes (max_body_bytes)"


def test_a_body_as_long_as_allowed_is_whole_and_one_byte_more_is_cut() -> None:
    with Peer(answer(GOOD)) as peer:
        assert not fetch(Request(peer.url, 5, max_body_bytes=len(GOOD))).cut
        longer = fetch(Request(peer.url, 5, max_body_bytes=len(GOOD) - 1))
    assert longer.cut
    assert longer.body == GOOD[:-1]


def test_a_body_is_not_kept_in_memory_after_its_probe() -> None:
    with Peer(answer(MEGABYTE)) as peer:
        fetch(Request(peer.url, 5))
        tracemalloc.start()
        fetch(Request(peer.url, 5, max_body_bytes=2_000_000))
        kept_bytes, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert kept_bytes < 100_000


# ---- what is sent


def test_head_asks_for_no_body_and_reads_none() -> None:
    with Peer(answer("", Content_Length="5000")) as peer:
        assert probe(peer.url, method="HEAD").status is Status.OK
        assert peer.requests[0].startswith(b"HEAD / HTTP/1.1\r\n")


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_body_is_sent_by_the_method_that_was_asked_for(method: str) -> None:
    sent = request_sent(OK, method=method, body='{"ä": 1}')
    assert sent.startswith(f"{method} /a?b=c HTTP/1.1\r\n".encode())
    assert sent.endswith('\r\n\r\n{"ä": 1}'.encode())
    assert b"\r\nContent-Length: 9\r\n" in sent
    assert b"Content-Type" not in sent


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_method_that_wants_a_body_says_that_there_is_none(method: str) -> None:
    sent = request_sent(OK, method=method)
    assert sent.startswith(f"{method} /a?b=c".encode())
    assert b"\r\nContent-Length: 0\r\n" in sent


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
def test_a_method_without_a_body_says_nothing_of_one(method: str) -> None:
    sent = request_sent(OK, method=method)
    assert sent.startswith(f"{method} /a?b=c".encode())
    assert b"content-" not in sent.lower()


def test_a_long_body_is_sent_without_waiting_to_be_asked() -> None:
    sent = request_sent(OK, method="POST", body="x" * 2_000_000)
    assert b"Expect" not in sent
    assert sent.endswith(b"x" * 2000)


def test_headers_are_sent_and_take_the_place_of_our_own() -> None:
    headers = {"X-One": "1", "X-Empty": "", "Host": "other.example", "User-Agent": "me", "Content-Type": "text/x-y"}
    sent = request_sent(OK, method="POST", body="b", headers=headers)
    for line in (b"X-One: 1", b"X-Empty:", b"Host: other.example", b"User-Agent: me", b"Content-Type: text/x-y"):
        assert sent.count(b"\r\n" + line + b"\r\n") == 1, line
    assert sent.lower().count(b"\r\nhost:") == 1


def test_a_post_is_repeated_after_a_307_and_becomes_a_get_after_a_303() -> None:
    assert request_sent(redirect("/on", "307 Again"), OK, method="POST", body="b=1").endswith(b"\r\n\r\nb=1")
    assert request_sent(redirect("/on", "303 See"), OK, method="POST", body="b=1").startswith(b"GET /on ")
    assert request_sent(redirect("/on", "303 See"), OK, method="PUT", body="b=1").startswith(b"GET /on ")
    assert request_sent(redirect("/on", "308 Moved"), OK, method="PUT", body="b=1").startswith(b"PUT /on ")


def test_credentials_in_headers_do_not_follow_a_redirect_to_another_host() -> None:
    with Peer(OK) as other, Peer(redirect(f"http://localhost:{other.port}/")) as peer:
        assert probe(peer.url, headers={"Authorization": "Bearer s", "Cookie": "s=1"}).status is Status.OK
        assert b"Bearer s" in peer.requests[0]
        assert b"Bearer" not in other.requests[0]
        assert b"Cookie" not in other.requests[0]


def test_what_one_probe_set_does_not_reach_the_next_one() -> None:
    with Peer(OK) as peer:
        probe(peer.url, method="PUT", body="b", headers={"X-One": "1"}, verify=False, follow_redirects=False)
        probe(peer.url)
        assert peer.requests[1].startswith(b"GET / ")
        assert b"X-One" not in peer.requests[1]


def test_cookies_are_not_kept() -> None:
    with Peer(answer("", Set_Cookie="a=b")) as peer:
        probe(peer.url)
        probe(peer.url)
        assert b"Cookie" not in peer.requests[1]


def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch, closed_port: int) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{closed_port}")
    assert probe_peer(OK).status is Status.OK


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/", "http://[::zz]/"])
def test_a_url_that_is_none_is_not_green(url: str) -> None:
    assert probe(url).status is not Status.OK


# ---- what a target says is untrusted text


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for text in texts(item))
    elif isinstance(value, (list, tuple)):
        yield from (text for item in value for text in texts(item))


def assert_harmless(seen: Outcome) -> None:
    assert len(seen.message) <= 450
    line = Result(datetime(2026, 11, 21, tzinfo=UTC), "c", seen).to_json()
    for text in texts(line):
        assert len(text) <= 450
        assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in text), repr(text)
        assert not set(text) & set("\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
        text.encode()
    assert all(math.isfinite(ms) for ms in seen.phases_ms.values())


NASTY = st.one_of(
    st.binary(max_size=600),
    st.text(max_size=300).map(lambda text: text.encode(errors="replace")),
    st.text(st.sampled_from('\x00\x07\x1b[2J\r\n\t\x85\u2028\u202e\u2066"{}é'), max_size=200).map(str.encode),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["v", "w"]) | st.text(), inner),
        max_leaves=12,
    ).map(lambda value: json.dumps({"v": value}).encode()),
)


def test_whatever_the_body_and_the_reason_are_the_outcome_is_bounded_and_on_one_line() -> None:
    rules = [{"path": "$.v", "equals": "\x1b[31m"}, {"path": "$.v", "lt": 1}, {"path": "$..w", "equals": [1]}]
    with Peer(OK) as peer:

        @settings(max_examples=150, deadline=None)
        @given(body=NASTY, reason=st.binary(max_size=80), location=st.binary(max_size=80), code=st.integers(100, 999))
        def holds(body: bytes, reason: bytes, location: bytes, code: int) -> None:
            # Where a redirect may lead is not left to chance.
            onward = b"".join((b"/", location.replace(b"//", b"").replace(b":", b"").replace(b"\n", b"")))
            head = b"HTTP/1.1 %d %s\r\nLocation: %s\r\nContent-Length: %d\r\n\r\n" % (code, reason, onward, len(body))
            peer.scripts = [head + body]
            assert_harmless(probe(peer.url, timeout=1, expect_jsonpath=rules))

        holds()


def test_whatever_comes_in_place_of_an_answer_the_outcome_is_bounded_and_on_one_line() -> None:
    with Peer(OK) as peer:

        @settings(max_examples=80, deadline=None)
        @given(raw=st.binary(max_size=300), start=st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"]))
        def holds(raw: bytes, start: bytes) -> None:
            peer.scripts = [start + raw]
            seen = probe(peer.url, timeout=1)
            assert seen.kind is not Kind.INTERNAL
            assert_harmless(seen)

        holds()


def test_a_redirect_to_nasty_places_is_told_harmlessly() -> None:
    for to in ("http://\x1b[2J.invalid/", "http://127.0.0.1:1/\u202egnp.exe", "http://" + "y" * 5000 + "/"):
        seen = probe_peer(redirect(to))
        assert seen.status is Status.FAIL
        assert_harmless(seen)


@given(value=st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_a_value_is_shown_on_one_short_line(value: Any) -> None:
    assert len(show(value)) <= 340
    assert "\n" not in show(value)


# ---- nothing is left behind


def test_two_hundred_hostile_probes_leave_no_thread_and_no_descriptor() -> None:
    this = psutil.Process()
    scripts: list[bytes | Script] = [OK, b"garbage", b"", reset, answer("x", Content_Length="9"), redirect("/again")]
    with Peer(then_silence(b"")) as silent, Peer(*scripts) as peer:

        def round_of_probes() -> None:
            for script in scripts:
                peer.scripts = [script]
                probe(peer.url, timeout=1)
            probe(silent.url, timeout=0.02)
            probe(peer.url.replace("http:", "https:"), timeout=0.02)
            probe(NO_SUCH_NAME)
            probe("http://127.0.0.1:1/")

        round_of_probes()
        settled(peer, silent)
        threads, descriptors = this.num_threads(), this.num_fds()
        for _ in range(20):
            round_of_probes()
        settled(peer, silent)
        assert this.num_threads() <= threads
        assert this.num_fds() <= descriptors


def settled(*peers: Peer) -> None:
    """Wait until the peers' own threads have seen that their clients are gone."""
    for peer in peers:
        for thread in list(peer._threads):
            thread.join(5)


def test_probes_in_many_threads_at_once_do_not_mix() -> None:
    answers = {n: answer(f'{{"v": {n}}}') for n in range(8)}
    wrong: list[Outcome] = []

    def probe_often(peer: Peer, n: int) -> None:
        for _ in range(20):
            seen = probe(peer.url, expect_jsonpath=[{"path": "$.v", "equals": n}])
            if seen.status is not Status.OK:
                wrong.append(seen)

    peers = [Peer(raw) for raw in answers.values()]
    for peer in peers:
        peer.__enter__()
    threads = [threading.Thread(target=probe_often, args=(peer, n)) for n, peer in enumerate(peers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for peer in peers:
        peer.__exit__(None, None, None)
    assert wrong == []


EXHAUSTED = """
import json, os, resource, sys
from pathlib import Path
from monitor.config import HttpCheck, JobCheck
from monitor.probes import Setting, run_probe

http, https, folder = sys.argv[1:]
Path(folder, "id").write_text("7")
setting = Setting(Path(folder))
base = {"name": "c", "timeout": 5}
checks = [
    HttpCheck(**base, type="http", url=http),
    HttpCheck(**base, type="http", url=http.replace("127.0.0.1", "localhost")),
    HttpCheck(**base, type="http", url=https, ca_file="ca.pem"),
    JobCheck(**base, type="job", status_url=http + "/{job_id}", job_id_file="id", success_by="00:00"),
]
if sys.platform == "linux":
    open_now = len(os.listdir("/proc/self/fd"))
else:
    open_now = len(os.listdir("/dev/fd"))
verdicts = []
for check in checks:
    for free in range(0, 16):
        resource.setrlimit(resource.RLIMIT_NOFILE, (open_now + free, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        seen = run_probe(check, setting)
        verdicts.append([check.type, free, seen.status, seen.kind, seen.message])
print(json.dumps(verdicts))
"""


def test_our_own_exhaustion_is_unknown_and_never_the_targets_failure(good_tls: ssl.SSLContext, ca_folder: Path) -> None:
    well = answer('{"status": "succeeded"}')
    with Peer(well) as peer, Peer(well, tls=good_tls) as secure:
        done = subprocess.run(
            [sys.executable, "-c", EXHAUSTED, peer.url, secure.url, str(ca_folder)],
            capture_output=True,
            cwd=Path(__file__).parent.parent,
            env={**os.environ, "PYTHONPATH": "."},
            timeout=60,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    verdicts = json.loads(done.stdout.splitlines()[-1])
    wrong = [seen for seen in verdicts if (seen[2], seen[3]) not in (("OK", None), ("UNKNOWN", "internal"))]
    assert wrong == []
    # It was exhausted at first and had room in the end, or nothing was tested.
    assert {(seen[0], seen[2]) for seen in verdicts} >= {
        (kind, status) for kind in ("http", "job") for status in ("OK", "UNKNOWN")
    }
