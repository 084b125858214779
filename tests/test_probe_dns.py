"""The dns probe against a real BIND, and against servers that are silent, broken or mean harm."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from pydantic import ValidationError

from monitor.config.kinds.dns import DnsCheck
from monitor.model import Json, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import GRACE_S, eventually, free_port, program
from tests.datagrams import Answers, UdpPeer, silence
from tests.servers import Peer, says

SETTING = Setting(Path())
ENOUGH_S, TIMEOUT_S = 5.0, 0.4
ZONE = """\
$TTL 300
@       IN SOA ns.shop.test. admin.shop.test. 1 3600 600 86400 60
@       IN NS  ns.shop.test.
@       IN MX  10 Mail.Shop.test.
@       IN TXT "v=spf1 -all" " and more"
@       IN CAA 0 issue "letsencrypt.org"
ns      IN A   127.0.0.1
www     IN A   10.0.0.80
www     IN A   10.0.0.81
www     IN AAAA 2001:db8::1
short   20 IN A 10.0.0.9
alias   IN CNAME www
lost    IN CNAME nowhere
_sip._tcp IN SRV 5 10 5060 ns
big     IN TXT "0123456789012345678901234567890123456789"
$GENERATE 1-90 many TXT "record $ with some text that fills a datagram"
"""


class Bind:
    def __init__(self, folder: Path) -> None:
        self.port, self.folder, self.program = free_port(), folder, program("named", "bind9")
        reverse = "$TTL 60\n@ SOA ns. a. 1 1 1 1 1\n@ NS ns.\n80 PTR www.shop.test.\n"
        (folder / "zone").write_text(ZONE)
        (folder / "reverse").write_text(reverse)
        (folder / "named.conf").write_text(
            f"""options {{ directory "{folder}"; listen-on port {self.port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
              pid-file "{folder}/pid"; session-keyfile "{folder}/key"; recursion no; dnssec-validation no;
              managed-keys-directory "{folder}"; notify no; }};
            controls {{ }};
            zone "shop.test" {{ type primary; file "zone"; }};
            zone "0.0.10.in-addr.arpa" {{ type primary; file "reverse"; }};"""
        )

    def start(self) -> None:
        command = [self.program, "-f", "-n", "1", "-c", str(self.folder / "named.conf"), "-L", str(self.folder / "log")]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(lambda: self.see(query="ns.shop.test").status is Status.OK, 10, "BIND answers")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def see(self, setting: Setting = SETTING, **keys: Any) -> Outcome:
        return see(self.port, setting, timeout=3, **{"query": "www.shop.test", **keys})


def see(port: int, setting: Setting = SETTING, **keys: Any) -> Outcome:
    keys = {"resolver": f"127.0.0.1:{port}", "query": "www.shop.test", "timeout": ENOUGH_S, **keys}
    return run_probe(DnsCheck.model_validate({"name": "n", "type": "dns", **keys}), setting)


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


@pytest.fixture(scope="module")
def bind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bind]:
    server = Bind(tmp_path_factory.mktemp("bind"))
    try:
        server.start()
        yield server
    finally:
        server.stop()


OK = (Status.OK, None)
WRONG = (Status.FAIL, Kind.CONTENT)


# ---- a real server


def test_a_record_is_ok_and_shows_answers_ttl_and_server(bind: Bind) -> None:
    seen = bind.see()
    assert verdict(seen) == OK
    assert seen.observed == {
        "server": f"127.0.0.1:{bind.port}",
        "rcode": "NOERROR",
        "answers": ["10.0.0.80", "10.0.0.81"],
        "ttl": 300,
    }
    assert seen.message.startswith("10.0.0.80, 10.0.0.81 in ")
    assert seen.latency_ms == seen.phases_ms["total"]


@pytest.mark.parametrize(
    ("query", "record", "expect"),
    [
        ("www.shop.test", "AAAA", "2001:0DB8:0::1"),
        ("alias.shop.test.", "cname", "WWW.shop.test"),
        ("SHOP.test", "MX", "10 mail.shop.test."),
        ("shop.test", "NS", "ns.shop.test"),
        ("shop.test", "TXT", "v=spf1 -all and more"),
        ("shop.test", "TXT", '"v=spf1 -all" " and more"'),
        ("shop.test", "CAA", '0 issue "letsencrypt.org"'),
        ("shop.test", "SOA", "ns.shop.test admin.shop.test 1 3600 600 86400 60"),
        ("_sip._tcp.shop.test", "SRV", "5 10 5060 ns.shop.test"),
        ("80.0.0.10.in-addr.arpa", "PTR", "www.shop.test"),
        ("10.0.0.80", "PTR", "www.shop.test"),
    ],
)
def test_each_record_type_is_compared_as_text_without_case_and_final_dot(
    bind: Bind, query: str, record: str, expect: str
) -> None:
    assert verdict(bind.see(query=query, record=record, expect=[expect], match="exactly")) == OK


def test_cnames_are_followed(bind: Bind) -> None:
    seen = bind.see(query="alias.shop.test", expect=["10.0.0.80", "10.0.0.81"], match="exactly")
    assert verdict(seen) == OK


def test_the_case_of_a_text_record_counts(bind: Bind) -> None:
    assert verdict(bind.see(query="shop.test", record="TXT", expect=["V=SPF1 -all and more"])) == WRONG


@pytest.mark.parametrize(
    ("match", "expect", "holds"),
    [
        ("all", ["10.0.0.80"], True),
        ("all", ["10.0.0.80", "10.0.0.7"], False),
        ("any", ["10.0.0.80", "10.0.0.7"], True),
        ("any", ["10.0.0.7"], False),
        ("only", ["10.0.0.80", "10.0.0.81", "10.0.0.7"], True),
        ("only", ["10.0.0.80"], False),
        ("exactly", ["10.0.0.81", "10.0.0.80"], True),
        ("exactly", ["10.0.0.80", "10.0.0.81", "10.0.0.7"], False),
        ("none", ["10.0.0.7"], True),
        ("none", ["10.0.0.7", "10.0.0.81"], False),
    ],
)
def test_match_says_how_the_expected_answers_are_meant(bind: Bind, match: str, expect: list[str], holds: bool) -> None:
    assert verdict(bind.see(expect=expect, match=match)) == (OK if holds else WRONG)


def test_what_differs_is_said(bind: Bind) -> None:
    seen = bind.see(expect=["10.0.0.7"], match="all")
    assert seen.message == "A record is 10.0.0.80, 10.0.0.81, expected 10.0.0.7"


def test_a_name_without_such_a_record_fails_unless_none_is_needed(bind: Bind) -> None:
    assert verdict(bind.see(query="ns.shop.test", record="AAAA")) == WRONG
    assert verdict(bind.see(query="ns.shop.test", record="AAAA", min_answers=0)) == OK
    assert verdict(bind.see(query="ns.shop.test", record="AAAA", max_answers=0)) == OK
    assert verdict(bind.see(query="ns.shop.test", record="AAAA", expect=["::1"], match="none")) == WRONG


def test_the_number_of_answers_and_their_ttl_have_limits(bind: Bind) -> None:
    assert verdict(bind.see(min_answers=2, max_answers=2)) == OK
    assert verdict(bind.see(min_answers=3)) == WRONG
    assert verdict(bind.see(max_answers=1)) == WRONG
    assert verdict(bind.see(query="short.shop.test", min_ttl="20s")) == OK
    assert bind.see(query="short.shop.test", min_ttl="1m").message == "TTL is 20 s, expected at least 1 m"


def test_an_unknown_name_is_dns_and_can_be_what_is_expected(bind: Bind) -> None:
    seen = bind.see(query="nobody.shop.test")
    assert verdict(seen) == (Status.FAIL, Kind.DNS)
    assert seen.message == "rcode is NXDOMAIN, expected NOERROR"
    assert verdict(bind.see(query="nobody.shop.test", rcode="nxdomain")) == OK
    assert verdict(bind.see(rcode="NXDOMAIN")) == (Status.FAIL, Kind.DNS)
    assert verdict(bind.see(query="lost.shop.test")) == (Status.FAIL, Kind.DNS)


def test_a_server_that_is_not_asked_for_this_zone_refuses(bind: Bind) -> None:
    assert bind.see(query="other.test").message == "rcode is REFUSED, expected NOERROR"
    assert verdict(bind.see(query="other.test")) == (Status.FAIL, Kind.DNS)
    assert verdict(bind.see(query="other.test", rcode="REFUSED")) == OK


def test_an_answer_that_is_too_long_for_a_datagram_comes_over_tcp(bind: Bind) -> None:
    seen = bind.see(query="many.shop.test", record="TXT", min_answers=90)
    assert verdict(seen) == OK
    assert seen.observed["tcp"] is True
    assert len(seen.observed["answers"]) == 10  # type: ignore[arg-type]


def test_it_can_be_asked_over_tcp_at_once(bind: Bind) -> None:
    seen = bind.see(tcp=True)
    assert verdict(seen) == OK
    assert seen.observed["tcp"] is True


def test_an_answer_that_was_not_validated_fails_where_that_is_required(bind: Bind) -> None:
    assert bind.see(dnssec=True).message == "DNSSEC is not validated, expected validated (AD flag)"


def test_a_slow_answer_is_warn_or_fail(bind: Bind) -> None:
    assert verdict(bind.see(warn_ms=0.0001)) == (Status.WARN, Kind.SLOW)
    assert verdict(bind.see(crit_ms=0.0001)) == (Status.FAIL, Kind.SLOW)


def test_stopped_is_connect_and_started_again_is_ok(bind: Bind) -> None:
    bind.stop()
    for tcp in (False, True):
        assert verdict(bind.see(tcp=tcp)) == (Status.FAIL, Kind.CONNECT)
    bind.start()
    assert verdict(bind.see()) == OK


# ---- a change


def answering(*addresses: str, **changes: Any) -> Answers:
    def answers(datagram: bytes) -> Iterable[bytes]:
        return [reply(datagram, *addresses, **changes)]

    return answers


def reply(datagram: bytes, *addresses: str, rcode: str = "NOERROR", flags: int = 0, number: int | None = None) -> bytes:
    question = dns.message.from_wire(datagram)
    answer = dns.message.make_response(question)
    answer.set_rcode(dns.rcode.from_text(rcode))
    answer.flags |= flags
    if addresses:
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "A", *addresses))
    if number is not None:
        answer.id = number
    return answer.to_wire()


def test_a_change_warns_once() -> None:
    memory: dict[str, Json] = {}
    seen: list[tuple[Status, Kind | None]] = []
    with UdpPeer() as peer:
        for addresses in (["10.0.0.1", "10.0.0.2"], ["10.0.0.2", "10.0.0.1"], ["10.0.0.3"], ["10.0.0.3"]):
            peer.answers = answering(*addresses)
            outcome = see(peer.port, Setting(Path(), memory=memory), changed=True)
            memory = dict(outcome.memory or {})
            seen.append(verdict(outcome))
            if outcome.status is Status.WARN:
                assert outcome.message == "A record is 10.0.0.3, expected 10.0.0.1, 10.0.0.2 as before"
        # What was remembered of another question says nothing of this one.
        other = see(peer.port, Setting(Path(), memory=memory), changed=True, query="other.test")
    assert seen == [OK, OK, (Status.WARN, Kind.CONTENT), OK]
    assert verdict(other) == OK


def test_a_failure_does_not_forget_what_the_answers_were() -> None:
    with UdpPeer(answering(rcode="SERVFAIL")) as peer:
        assert see(peer.port, changed=True).memory is None


# ---- odd, and well


def test_a_lost_datagram_is_sent_again() -> None:
    with UdpPeer() as peer:

        def second_only(datagram: bytes) -> Iterable[bytes]:
            return [reply(datagram, "10.0.0.1")] if len(peer.received) > 1 else []

        peer.answers = second_only
        assert verdict(see(peer.port)) == OK


def test_stray_and_forged_datagrams_before_the_answer_do_no_harm() -> None:
    def answers(datagram: bytes) -> Iterable[bytes]:
        wrong_id = (int.from_bytes(datagram[:2]) + 1) % 65536
        other = dns.message.make_query("evil.test", "A", id=int.from_bytes(datagram[:2])).to_wire()
        forged = reply(other, "6.6.6.6")
        return [b"", b"garbage", reply(datagram, "6.6.6.6", number=wrong_id), forged, reply(datagram, "10.0.0.1")]

    with UdpPeer(answers) as peer:
        assert verdict(see(peer.port, expect=["10.0.0.1"], match="exactly")) == OK


def test_a_validated_answer_holds_where_that_is_required() -> None:
    with UdpPeer(answering("10.0.0.1", flags=dns.flags.AD)) as peer:
        assert verdict(see(peer.port, dnssec=True)) == OK
        assert dns.message.from_wire(peer.received[0]).ednsflags & dns.flags.DO


def test_a_server_from_before_edns_is_asked_without_it() -> None:
    def answers(datagram: bytes) -> Iterable[bytes]:
        question = dns.message.from_wire(datagram)
        if question.edns < 0:
            return [reply(datagram, "10.0.0.1")]
        return [datagram[:2] + b"\x81\x81" + b"\0" * 8]

    with UdpPeer(answers) as peer:
        assert verdict(see(peer.port)) == OK
        assert len(peer.received) == 2


def test_a_name_in_another_script_is_asked_for_in_ascii() -> None:
    with UdpPeer(answering("10.0.0.1")) as peer:
        assert verdict(see(peer.port, query="bücher.test")) == OK
        assert b"xn--bcher-kva" in peer.received[0]


def test_without_a_resolver_the_system_s_are_asked_and_the_next_one_when_one_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class System:
        port = 0
        nameservers = ("127.0.0.1", "127.0.0.2")

    with UdpPeer(answering(rcode="SERVFAIL")) as first, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        monkeypatch.setattr(System, "port", first.port)
        monkeypatch.setattr("dns.resolver.Resolver", System)
        second.bind(("127.0.0.2", first.port))
        seen = see(0, resolver=None, timeout=1)
        assert verdict(seen) == (Status.FAIL, Kind.DNS)
        assert seen.message == "rcode is SERVFAIL, expected NOERROR"
        first.answers = silence
        seen = see(0, resolver=None, timeout=TIMEOUT_S)
        assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
        assert "127.0.0.1" in seen.message
        assert "127.0.0.2" in seen.message


def test_a_machine_without_name_servers_is_not_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr("dns.resolver.Resolver", none)
    seen = see(0, resolver=None)
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "set `resolver`" in seen.message


# ---- broken


def ends_in_time(port: int, **keys: Any) -> Outcome:
    began = time.monotonic()
    seen = see(port, timeout=TIMEOUT_S, **keys)
    assert time.monotonic() - began < TIMEOUT_S + GRACE_S
    return seen


def test_silence_is_timeout() -> None:
    with UdpPeer() as peer:
        seen = ends_in_time(peer.port)
    assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert seen.message.endswith("no answer within 400 ms")


@pytest.mark.parametrize("garbage", [b"", b"\xff" * 500, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_garbage_is_protocol(garbage: bytes) -> None:
    with UdpPeer(lambda _: [garbage] * 3) as peer:
        seen = ends_in_time(peer.port)
    assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)


def test_an_answer_to_another_question_is_protocol() -> None:
    with UdpPeer(lambda datagram: [reply(datagram, "10.0.0.1", number=1), datagram]) as peer:
        assert verdict(ends_in_time(peer.port)) == (Status.FAIL, Kind.PROTOCOL)


def test_endless_datagrams_end_with_the_deadline() -> None:
    def flood(_: bytes) -> Iterable[bytes]:
        end = time.monotonic() + 2 * TIMEOUT_S
        while time.monotonic() < end:
            yield b"\xff" * 1000

    with UdpPeer(flood) as peer:
        assert verdict(ends_in_time(peer.port)) == (Status.FAIL, Kind.PROTOCOL)


def test_cnames_that_go_round_in_a_circle_are_protocol() -> None:
    def answers(datagram: bytes) -> Iterable[bytes]:
        question = dns.message.from_wire(datagram)
        answer = dns.message.make_response(question)
        for here, there in (("www.shop.test.", "b.test."), ("b.test.", "www.shop.test.")):
            answer.answer.append(dns.rrset.from_text(here, 60, "IN", "CNAME", there))
        return [answer.to_wire()]

    with UdpPeer(answers) as peer:
        assert verdict(see(peer.port)) == (Status.FAIL, Kind.PROTOCOL)


def test_hostile_text_in_an_answer_is_shown_harmless() -> None:
    def answers(datagram: bytes) -> Iterable[bytes]:
        question = dns.message.from_wire(datagram)
        answer = dns.message.make_response(question)
        rows = ['"\\027[31m<script>\\226\\128\\174x"', *(f'"{n} {"y" * 200}"' for n in range(60))]
        answer.answer.append(dns.rrset.from_text(question.question[0].name, 60, "IN", "TXT", *rows))
        return [answer.to_wire(max_size=65535)]

    with UdpPeer(answers) as peer:
        seen = see(peer.port, record="TXT", expect=["x"])
    assert verdict(seen) == WRONG
    assert seen.message.isprintable()
    assert len(seen.message) < 600
    assert len(str(seen.observed)) < 2500
    assert all(text.isprintable() for text in seen.observed["answers"])  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (says(), Kind.TIMEOUT),
        (says(b"\x01\x00" + b"x" * 100), Kind.TIMEOUT),
        (says(*[b"\x01"] * 100, every_s=0.1, hold=False), Kind.TIMEOUT),
        (says(hold=False), Kind.PROTOCOL),
        (says(b"\x01\x00" + b"x" * 100, hold=False), Kind.PROTOCOL),
        (says(b"\x00\x00", hold=False), Kind.PROTOCOL),
        (says(b"HTTP/1.1 400 Bad Request\r\n" + b"x" * 65535, hold=False), Kind.PROTOCOL),
        (says(*[b"\xff" * 65536] * 50, hold=False), Kind.PROTOCOL),
    ],
    ids=["silence", "stalls", "drips", "closes", "cut", "empty", "another protocol", "endless"],
)
def test_tcp_servers_that_do_harm(script: Any, kind: Kind) -> None:
    with Peer(script) as peer:
        assert verdict(ends_in_time(peer.port, tcp=True)) == (Status.FAIL, kind)


def test_a_cut_datagram_whose_tcp_port_is_closed_is_connect() -> None:
    with UdpPeer(lambda datagram: [reply(datagram, flags=dns.flags.TC)]) as peer:
        assert verdict(ends_in_time(peer.port)) == (Status.FAIL, Kind.CONNECT)


# ---- what the file may say


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"resolver": "ns.example"}, "expected an address, with or without a port"),
        ({"resolver": "10.0.0.1:99999"}, "expected an address, with or without a port"),
        ({"query": "http://shop.test/"}, "expected a name to look up such as shop.example, got 'http://shop.test/'"),
        ({"query": "a..b"}, "expected a name to look up"),
        ({"query": "10.0.0.1"}, "expected record: PTR for the address 10.0.0.1, got A"),
        ({"match": "all"}, "expected `expect` beside match: all, got none"),
        ({"rcode": "NXDOMAIN", "expect": ["10.0.0.1"]}, "expected no `expect` beside rcode: NXDOMAIN"),
        ({"min_answers": 2, "max_answers": 1}, "expected max_answers to be at least 2"),
        ({"record": "ANY"}, "Input should be 'A'"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_file_is_read(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        DnsCheck.model_validate({"name": "n", "type": "dns", "query": "shop.test", **keys})
    assert message in str(raised.value)


@pytest.mark.parametrize("resolver", ["10.0.0.1", "10.0.0.1:5353", "::1", "[::1]:53", "[fe80::1]"])
def test_a_resolver_is_an_address(resolver: str) -> None:
    DnsCheck.model_validate({"name": "n", "type": "dns", "query": "shop.test", "resolver": resolver})


def test_an_expectation_that_no_such_record_can_be_is_not_configured() -> None:
    seen = see(1, expect=["not an address"], match="none")
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "'not an address' is no A record" in seen.message
