"""Probes of all kinds against peers that mean harm: in time, never OK, nothing left behind, no secret told."""

from __future__ import annotations

import base64
import dataclasses
import gc
import io
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dns.message
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.hostile import SECRET, TELLTALES, Peers, hostile_peers
from benchmarks.soak import DATAGRAMS, VARIANTS, made, variant_at
from monitor.config import CHECK_MODELS, CheckBase, JsonRule
from monitor.config.kinds.dns import DnsCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, timed_probe
from monitor.probes.conditions import check_condition
from monitor.probes.curl import Answer
from monitor.probes.database.postgres import Postgres
from monitor.probes.dns import probe_dns
from monitor.probes.http import judge
from monitor.probes.jsonrules import check_rules, parse_json
from monitor.probes.pool import ProbePool
from monitor.probes.predicates import same
from tests.conftest import GRACE_S, free_port
from tests.datagrams import UdpPeer
from tests.make import http_check, quick

SETTING = Setting(Path())
# The second for what ends by itself, however busy the machine is.
TIMEOUT_S, ENOUGH_S = 1.2, 10.0
# Kinds that talk to no peer over a network, or to the kernel alone.
LOCAL = {"command", "group", "heartbeat", "host", "icmp", "job", "systemd"}
# A kind of several requests, each of which is of another kind that is tried here.
MADE_OF_OTHERS = {"steps"}


@pytest.fixture(scope="module")
def peers() -> Iterator[Peers]:
    with hostile_peers() as hostile:
        yield hostile


@pytest.fixture(scope="module")
def well() -> Iterator[Peers]:
    with hostile_peers() as idle:
        yield idle


# ---- many at once


def test_hundreds_of_hostile_probes_end_in_time_and_leave_nothing_behind() -> None:
    # In a process of its own: what other tests hold, or let go of meanwhile, is not what the probes left behind.
    command = [sys.executable, "-m", "benchmarks.soak", "--probes", "500", "--allowance", str(GRACE_S)]
    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=100)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "500 hostile probes" in run.stdout


def test_two_hundred_that_hang_delay_no_probe_of_a_peer_that_is_well(peers: Peers, well: Peers) -> None:
    keys = {"type": "http", "url": "http://127.0.0.1:{port}/"}
    hanging, healthy = (
        made("hangs", keys, peers.ports["raw/stall"], timeout=3.0),
        made("well", keys, well.ports["well"], timeout=3.0),
    )
    silent = variant_at(peers, "redis", "raw", "stall", 3.0)
    assert hanging
    assert healthy
    assert silent
    with ProbePool(32, 500) as pool:
        held = [pool.submit(timed_probe, check, SETTING) for check in [hanging] * 200 + [silent] * 32]
        waited = []
        while not any(future.done() for future in held):
            asked = time.monotonic()
            assert pool.submit(timed_probe, healthy, SETTING).result(10)[1].status is Status.OK
            waited.append(time.monotonic() - asked)
        # Behind those that hang it would be one, and wait for 3 s.
        assert len(waited) > 10
        assert max(waited) < 2
        assert {future.result(10)[1].kind for future in held} == {Kind.TIMEOUT}


def test_eight_that_flood_with_small_pieces_hold_up_no_probe_of_a_peer_that_is_well(peers: Peers, well: Peers) -> None:
    keys = {"type": "http", "url": "http://127.0.0.1:{port}/"}
    flooding = made("floods", keys | {"max_body_bytes": 10**12}, peers.ports["endless chunks"], timeout=4.0)
    healthy = made("well", keys, well.ports["well"], timeout=10.0)
    assert flooding
    assert healthy
    with ProbePool(4, 500) as pool:
        held = [pool.submit(timed_probe, flooding, SETTING) for _ in range(8)]
        answered = 0
        while not any(future.done() for future in held):
            assert pool.submit(timed_probe, healthy, SETTING).result(20)[1].status is Status.OK
            answered += 1
        # Hundreds; two or three when a flood is taken as long as it lasts.
        assert answered > 20
        assert {future.result(20)[1].kind for future in held} == {Kind.TIMEOUT}


def test_a_long_answer_is_judged_while_all_threads_hang(peers: Peers) -> None:
    silent = variant_at(peers, "redis", "raw", "stall", 3.0)
    keys = {"type": "http", "url": "http://127.0.0.1:{port}/", "expect_jsonpath": [{"path": "$[0].x", "equals": 1}]}
    long = made("long", keys, peers.ports["1 MB of objects"], timeout=3.0)
    assert silent
    assert long
    with ProbePool(2, 10) as pool:
        held = [pool.submit(timed_probe, silent, SETTING) for _ in range(4)]
        assert pool.submit(timed_probe, long, SETTING).result(2)[1].status is Status.OK
        assert not any(future.done() for future in held)


# ---- each kind, each misbehaviour

TLS_ENDS = {Kind.TLS, Kind.PROTOCOL, Kind.CONNECT}
BROKEN = {Kind.PROTOCOL, Kind.CONTENT}
# What a variant's peer does, and the kinds of failure that are right for it. TLS: where a handshake comes first.
BEHAVIOURS: dict[str, tuple[str, set[Kind], set[Kind]]] = {
    "refused": ("", {Kind.CONNECT}, {Kind.CONNECT}),
    "accept and silence": ("raw/stall", {Kind.TIMEOUT}, {Kind.TIMEOUT}),
    "empty close": ("raw/cut", BROKEN | {Kind.CONNECT}, TLS_ENDS),
    "reset": ("raw/reset", {Kind.PROTOCOL, Kind.CONNECT}, TLS_ENDS),
    "garbage": ("garbage/stall", BROKEN | {Kind.TIMEOUT}, TLS_ENDS),
    "garbage and close": ("garbage/cut", BROKEN, TLS_ENDS),
    "echo": ("raw/echo", BROKEN | {Kind.TIMEOUT}, TLS_ENDS | {Kind.TIMEOUT}),
    "one byte now and then": ("raw/drip", BROKEN | {Kind.TIMEOUT}, TLS_ENDS),
    "endless": ("raw/flood", BROKEN | {Kind.TIMEOUT}, TLS_ENDS),
    "cut": ("own/cut", BROKEN, TLS_ENDS | BROKEN),
    "stalled": ("own/stall", {Kind.TIMEOUT}, {Kind.TIMEOUT}),
    "broken off": ("own/reset", BROKEN | {Kind.CONNECT}, TLS_ENDS),
    "opens, then drips": ("own/drip", BROKEN | {Kind.TIMEOUT}, {Kind.TIMEOUT, Kind.TLS, Kind.CONTENT}),
    "opens, then floods": (
        "own/flood",
        BROKEN | {Kind.TIMEOUT, Kind.STATUS},
        {Kind.TIMEOUT, Kind.TLS, *BROKEN, Kind.STATUS},
    ),
    "echoes in the middle": ("own/echo", BROKEN | {Kind.TIMEOUT, Kind.STATUS}, {Kind.TIMEOUT, Kind.TLS, *BROKEN}),
}


@dataclasses.dataclass(frozen=True)
class Seen:
    check: CheckBase
    outcome: Outcome
    took_s: float


def has_tls_first(name: str) -> bool:
    return name in ("https", "smtps", "rediss", "mqtts", "wss") or "tls" in name or "inside" in name


def kinds(name: str, behaviour: str) -> set[Kind]:
    """Return the kinds of failure that are right for this variant and this misbehaviour."""
    _, right, right_with_tls = BEHAVIOURS[behaviour]
    # What asks for TLS in plain text first may meet either.
    if "starttls" in name or name in ("postgres tls", "mysql tls"):
        return right | right_with_tls
    # A local socket that its peer has closed before curl looks is one that it could not connect to.
    if name == "docker" and behaviour == "garbage and close":
        return right | {Kind.CONNECT}
    return right_with_tls if has_tls_first(name) and behaviour != "refused" else right


def told(text: str) -> bool:
    spellings = (SECRET, quote(SECRET), base64.b64encode(f"monitor:{SECRET}".encode()).decode())
    return any(spelling in text for spelling in spellings)


def checks(peers: Peers, folder: Path) -> Iterator[tuple[tuple[str, str], CheckBase]]:
    dead = folder / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(dead))
    for name, (own, keys) in VARIANTS.items():
        for behaviour, (place, _, _) in BEHAVIOURS.items():
            protocol, _, mode = place.replace("own", own).rpartition("/")
            limit_s = TIMEOUT_S if Kind.TIMEOUT in kinds(name, behaviour) else ENOUGH_S
            check = (
                variant_at(peers, name, protocol, mode, limit_s)
                if place
                else made(name, keys, free_port(), str(dead), limit_s)
            )
            if check:
                yield (name, behaviour), check
        told_by = own.removeprefix("tls:")
        if told_by in TELLTALES and own == told_by:
            check = variant_at(peers, name, told_by, "tell", TIMEOUT_S)
            if check:
                yield (name, "repeats the password"), check
        if has_tls_first(name) and "inside" not in name and own == "tls":
            check = variant_at(peers, name, "tls:raw", "stall", TIMEOUT_S)
            if check:
                yield (name, "untrusted certificate"), check
    for name, keys in DATAGRAMS.items():
        for mode in ("stall", "flood", "echo", "cut"):
            check = made(name, keys, peers.ports[f"udp/{mode}"], timeout=TIMEOUT_S)
            assert check
            yield (name, f"datagrams: {mode}"), check
        check = made(name, keys, free_port(), timeout=TIMEOUT_S)
        assert check
        yield (name, "refused"), check


@pytest.fixture(scope="module")
def all_seen(peers: Peers, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Seen]:
    """Every kind with every misbehaviour, as many at once as two processors stand."""

    def see(check: CheckBase) -> Seen:
        began = time.monotonic()
        outcome = timed_probe(check, SETTING)[1]
        return Seen(check, outcome, time.monotonic() - began)

    with ThreadPoolExecutor(24) as pool:
        found: dict[tuple[str, str], Future[Seen]] = {
            key: pool.submit(see, check) for key, check in checks(peers, tmp_path_factory.mktemp("sockets"))
        }
        return {key: future.result(60) for key, future in found.items()}


def test_every_kind_that_has_a_peer_is_tried() -> None:
    tried = {keys["type"] for _, keys in VARIANTS.values()} | {keys["type"] for keys in DATAGRAMS.values()}
    assert set(CHECK_MODELS) - LOCAL - MADE_OF_OTHERS <= tried


@pytest.mark.parametrize("name", [*VARIANTS, *DATAGRAMS])
def test_whatever_the_peer_does_the_verdict_is_in_time_and_not_ok(
    name: str, all_seen: dict[tuple[str, str], Seen]
) -> None:
    for (variant, behaviour), seen in all_seen.items():
        if variant != name:
            continue
        outcome = seen.outcome
        assert outcome.status is Status.FAIL, (behaviour, outcome)
        assert seen.took_s < seen.check.timeout + GRACE_S, (behaviour, seen.took_s)
        assert outcome.message, behaviour
        assert outcome.message.isprintable(), (behaviour, outcome.message)
        assert len(outcome.message) < 500, (behaviour, outcome.message)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_the_kind_of_failure_is_that_of_the_misbehaviour(behaviour: str, all_seen: dict[tuple[str, str], Seen]) -> None:
    for (name, what), seen in all_seen.items():
        if what != behaviour or name in DATAGRAMS:
            continue
        assert seen.outcome.kind in kinds(name, behaviour), (name, seen.outcome.kind, seen.outcome.message)


def test_a_certificate_that_nobody_trusts_is_a_failure_of_tls(all_seen: dict[tuple[str, str], Seen]) -> None:
    untrusted = {name: seen.outcome for (name, what), seen in all_seen.items() if what == "untrusted certificate"}
    assert len(untrusted) > 5
    assert {name: outcome.kind for name, outcome in untrusted.items() if outcome.kind is not Kind.TLS} == {}


def test_datagrams_that_are_no_answer_are_told_from_silence(all_seen: dict[tuple[str, str], Seen]) -> None:
    kinds = {key: seen.outcome.kind for key, seen in all_seen.items() if key[0] in DATAGRAMS}
    assert kinds["dns", "datagrams: stall"] is kinds["udp", "datagrams: stall"] is Kind.TIMEOUT
    assert kinds["dns", "datagrams: cut"] is Kind.TIMEOUT
    assert kinds["dns", "datagrams: flood"] is kinds["dns", "datagrams: echo"] is Kind.PROTOCOL
    assert kinds["udp", "datagrams: flood"] is kinds["udp", "datagrams: echo"] is Kind.CONTENT
    assert kinds["dns", "refused"] is kinds["udp", "refused"] is Kind.CONNECT


@pytest.mark.parametrize("name", VARIANTS)
def test_no_password_is_told_whatever_the_peer_says(name: str, all_seen: dict[tuple[str, str], Seen]) -> None:
    for (variant, behaviour), seen in all_seen.items():
        if variant == name:
            assert not told(repr(seen.outcome)), (behaviour, seen.outcome)


# ---- what comes is judged in no time


MB = 1_000_000
DOCUMENTS = {
    "half a million numbers": b"[" + b"1," * (MB // 2 - 2) + b"1]",
    "lists": b"[" + b"[]," * (MB // 3 - 2) + b"1]",
    "objects": b"[" + b'{"x":1},' * (MB // 8 - 2) + b"1]",
    "20,000 values": b"[" + b"1," * 19_990 + b"1]",
    "9,000 objects": b"[" + b'{"x":1},' * 9_000 + b"1]",
    "a hundred chains": b"[" + b",".join([b'{"x":' * 190 + b"1" + b"}" * 190] * 100) + b"]",
    "twenty long chains": b"[" + b",".join([b'{"x":' * 990 + b"1" + b"}" * 990] * 20) + b"]",
    "one long text": b'{"x":"' + b"a" * (MB - 20) + b'"}',
    "garbage": b"\xff" * MB,
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "$..x": {"expect_jsonpath": [{"path": "$..x", "equals": 1}]},
    "$..[?(@.x==1)]": {"expect_jsonpath": [{"path": "$..[?(@.x==1)]", "exists": True}]},
    "$[*]": {"expect_jsonpath": [{"path": "$[*]", "equals": "no", "each": False}]},
    "one of many": {"expect_jsonpath": [{"path": "$[*]", "in": list(range(2, 200)), "each": False}]},
    "holds many": {"expect_jsonpath": [{"path": "$", "contains": [1, *range(200)]}]},
    "matches": {"expect_jsonpath": [{"path": "$.x", "matches": "(a|b)*c$"}]},
    "map": {"expect": "json.map(v, v).size() < 0"},
    "filter": {"expect": "json.filter(v, v != 2).size() < 0"},
    "all in all": {"expect": "json.all(v, json.all(w, v == w)) && false"},
    "in another": {"expect": "json.all(v, v in json)"},
    "body": {"expect_body": {"matches": "(a|b)*c$", "not_matches": "zz(a|b)*c$"}},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_document_takes_seconds_to_judge(question: str) -> None:
    check = http_check(**QUESTIONS[question])
    for name, body in DOCUMENTS.items():
        answer = Answer(200, body, False, 1.0, {"total": 1.0}, "127.0.0.1")
        before = time.thread_time()
        judge(check, SETTING, answer)
        # Of the processor, not of the clock: seconds of it would be a search that runs away.
        assert time.thread_time() - before < 3, name


def test_a_long_list_is_filtered_as_long_as_that_takes_no_time() -> None:
    jobs = [{"id": number, "state": "failed" if number % 9 == 0 else "done"} for number in range(400)]
    assert check_condition("json.filter(j, j.state == 'failed').size() < 50", {"json": jobs}) is None
    # Only a look at the whole document within a loop makes it slow.
    many = {"ok": True, "jobs": jobs * 10}
    assert check_condition("json.ok && json.jobs.all(j, j.id >= 0)", {"json": many}) is None
    slow = check_condition("json.jobs.all(j, j.id in json.jobs.map(k, k.id))", {"json": many})
    assert slow
    assert slow.got == "not evaluated: its loops over this answer would take too long"


def test_reading_a_long_document_leaves_the_collector_of_python_on() -> None:
    for body in (DOCUMENTS["lists"], DOCUMENTS["garbage"]):
        parse_json(body)
        assert gc.isenabled()


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "", "1", "true"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)


@quick
@given(VALUES, st.lists(VALUES, min_size=1, max_size=4))
def test_a_value_is_among_others_when_it_is_the_same_as_one_of_them(value: Any, others: list[Any]) -> None:
    is_among = any(same(value, other) for other in others)
    for key, document, limit in (("in", value, others), ("contains", others, [value])):
        rule = JsonRule.model_validate({"path": "$", key: limit})
        assert (not check_rules(document, [rule])) is is_among
    rule = JsonRule.model_validate({"path": "$", "not_in": others})
    assert bool(check_rules(value, [rule])) is is_among


def test_a_row_of_32_767_columns_is_read_at_once() -> None:
    class Silent:
        def makefile(self, _mode: str) -> io.BytesIO:
            return io.BytesIO()

    columns = b"\0" + struct.pack("!ihihih", 0, 0, 23, 4, -1, 0)
    body = struct.pack("!h", 32767) + columns * 32767
    before = time.thread_time()
    found = Postgres(Silent())._columns(body.ljust(4 * MB))  # type: ignore[arg-type]
    assert found == [("", 23)] * 32767
    assert time.thread_time() - before < 3


def test_a_name_server_s_answer_of_thousands_of_records_is_not_read() -> None:
    def answers(datagram: bytes) -> list[bytes]:
        question = dns.message.from_wire(datagram).question[0].to_text()
        assert question.startswith("shop.example")
        return [datagram[:2] + b"\x81\x80\0\1" + struct.pack("!HHH", 4000, 0, 0) + datagram[12:]]

    with UdpPeer(answers) as peer:
        keys = {"name": "d", "type": "dns", "query": "shop.example", "resolver": f"127.0.0.1:{peer.port}", "timeout": 2}
        seen = probe_dns(DnsCheck.model_validate(keys), SETTING)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert "4000 records, expected at most 2000" in seen.message
