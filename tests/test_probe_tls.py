"""The tls probe against a real nginx and a real PostgreSQL, and against peers with every sort of bad certificate."""

from __future__ import annotations

import pickle
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.kinds.tls import TlsCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.authorities import Authority, Identity, issue
from tests.conftest import GRACE_S, eventually, free_port, program
from tests.databases import PostgresServer
from tests.servers import Connection, Peer, Script

OK = (Status.OK, None)
TLS = (Status.FAIL, Kind.TLS)
WARN = (Status.WARN, Kind.TLS)
TIMEOUT = (Status.FAIL, Kind.TIMEOUT)
PROTOCOL = (Status.FAIL, Kind.PROTOCOL)
TIMEOUT_S = 0.4


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def check_of(port: int = 443, **keys: Any) -> TlsCheck:
    return TlsCheck.model_validate({"name": "n", "type": "tls", "host": "localhost", "port": port, **keys})


def see(port: int, folder: Path = Path(), memory: Any = None, **keys: Any) -> Outcome:
    keys = {"timeout": 5, **keys}
    began = time.monotonic()
    outcome = run_probe(check_of(port, **keys), Setting(folder, memory=memory or {}))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    assert pickle.loads(pickle.dumps(outcome)) == outcome
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


def silent(line: Connection) -> None:
    line.hold()


# ---- a real web server


class Nginx:
    """Two names with a certificate each on one port, and plain http on another."""

    def __init__(self, folder: Path, authority: Authority) -> None:
        self.program, self.folder = program("nginx", "nginx-light"), folder
        self.port, self.plain = free_port(), free_port()
        self.authority = authority
        self.process: subprocess.Popen[bytes] | None = None
        self.install(authority.leaf)
        other = authority.intermediate.signed("other", names=("other.example",))
        other.write(folder / "other.pem", authority.intermediate)
        temp = "".join(f"{k}_temp_path {folder};" for k in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (folder / "nginx.conf").write_text(
            f"""daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log; events {{}}
            http {{ access_log off; {temp}
            server {{ listen 127.0.0.1:{self.port} ssl; server_name localhost;
              ssl_certificate {folder}/server.pem; ssl_certificate_key {folder}/server.pem; }}
            server {{ listen 127.0.0.1:{self.port} ssl; server_name other.example;
              ssl_certificate {folder}/other.pem; ssl_certificate_key {folder}/other.pem; }}
            server {{ listen 127.0.0.1:{self.plain}; }} }}"""
        )

    def install(self, leaf: Identity) -> None:
        leaf.write(self.folder / "server.pem", self.authority.intermediate)

    def start(self) -> None:
        command = [self.program, "-c", str(self.folder / "nginx.conf"), "-p", str(self.folder)]
        self.process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        eventually(lambda: self.see().kind is not Kind.CONNECT, 10, "nginx answers")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def restart(self, leaf: Identity) -> None:
        # After a mere reload the old workers still answer some connections.
        self.stop()
        self.install(leaf)
        self.start()

    def see(self, **keys: Any) -> Outcome:
        return see(self.port, self.authority.folder, **{"ca_file": "ca.pem", **keys})


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Nginx]:
    server = Nginx(tmp_path_factory.mktemp("nginx"), authority)
    server.start()
    yield server
    server.stop()


def test_a_good_certificate_is_ok_with_its_facts(nginx: Nginx) -> None:
    outcome = nginx.see()
    assert verdict(outcome) == OK
    assert outcome.message.startswith("certificate for 60 days more, handshake in ")
    assert outcome.observed["cert_subject"] == "CN=localhost"
    assert outcome.observed["cert_issuer"] == "CN=Test Intermediate"
    assert outcome.observed["cert_names"] == "localhost, 127.0.0.1"
    assert outcome.observed["cert_sha256"] == nginx.authority.leaf.fingerprint
    # nginx before 1.27 makes no more of it by default.
    assert outcome.observed["tls_version"] in ("TLSv1.2", "TLSv1.3")
    assert outcome.phases_ms.keys() == {"dns", "connect", "tls", "total"}
    assert outcome.memory is None


def test_each_name_has_its_certificate(nginx: Nginx) -> None:
    assert nginx.see(server_name="other.example").observed["cert_subject"] == "CN=other"
    wrong = nginx.see(server_name="third.example")
    assert verdict(wrong) == TLS
    assert wrong.message == "certificate's host is localhost, 127.0.0.1, expected third.example"


def test_an_unknown_authority_is_refused_and_the_certificate_shown(nginx: Nginx) -> None:
    outcome = see(nginx.port)
    assert verdict(outcome) == TLS
    assert outcome.message == (
        "certificate's issuer is CN=Test Root, unknown here and not sent along, expected a trusted authority"
    )
    assert outcome.observed["cert_subject"] == "CN=localhost"
    assert "unable to get local issuer certificate" in str(outcome.observed["tls_error"])
    assert verdict(see(nginx.port, verify=False)) == OK


def test_plain_http_is_no_tls(nginx: Nginx) -> None:
    outcome = see(nginx.plain)
    assert verdict(outcome) == TLS
    assert outcome.message.endswith("the port does not seem to speak TLS")


def test_a_certificate_that_is_replaced_is_seen_at_once(nginx: Nginx) -> None:
    renewed = nginx.authority.intermediate.signed("localhost", (-80, 10))
    first = nginx.see(fingerprint_change=True)
    assert first.memory == {"sha256": [nginx.authority.leaf.fingerprint]}
    nginx.restart(renewed)
    try:
        changed = nginx.see(fingerprint_change=True, memory=first.memory, warn_days=5, crit_days=2)
        assert verdict(changed) == WARN
        assert renewed.fingerprint in changed.message
        assert f"{nginx.authority.leaf.fingerprint} as before" in changed.message
        again = nginx.see(fingerprint_change=True, memory=changed.memory, warn_days=5, crit_days=2)
        assert verdict(again) == OK
        assert verdict(nginx.see(fingerprint=nginx.authority.leaf.fingerprint)) == TLS
        assert verdict(nginx.see(warn_days=21)) == WARN
        assert verdict(nginx.see(crit_days=11)) == TLS
    finally:
        nginx.restart(nginx.authority.leaf)


def test_a_pin_may_have_colons_and_capitals_and_be_one_of_several(nginx: Nginx) -> None:
    pin = bytes.fromhex(nginx.authority.leaf.fingerprint).hex(":").upper()
    assert verdict(nginx.see(fingerprint=pin)) == OK
    assert verdict(nginx.see(fingerprint=["0" * 64, pin])) == OK
    assert verdict(nginx.see(fingerprint="0" * 64)) == TLS


def test_an_issuer_is_expected(nginx: Nginx) -> None:
    assert verdict(nginx.see(issuer="Test Intermediate")) == OK
    assert verdict(nginx.see(issuer="Let's Encrypt")) == TLS


def test_a_stopped_server_is_no_connection_and_a_hanging_one_a_timeout(nginx: Nginx) -> None:
    nginx.stop()
    assert verdict(nginx.see()) == (Status.FAIL, Kind.CONNECT)
    nginx.start()
    assert verdict(nginx.see()) == OK
    with Peer(silent) as peer:
        outcome = see(peer.port, timeout=TIMEOUT_S)
    assert verdict(outcome) == TIMEOUT
    assert outcome.message == "connected, but the TLS handshake did not end within 400 ms"


# ---- certificates of every sort


def seen_with(authority: Authority, leaf: Identity, *more: Identity, **keys: Any) -> Outcome:
    with Peer(silent, tls=leaf.context(authority.folder, *more)) as peer:
        return see(peer.port, authority.folder, **{"ca_file": "ca.pem", **keys})


def test_an_expired_certificate_fails_and_says_since_when(authority: Authority) -> None:
    expired = authority.intermediate.signed("l", (-90, -3))
    outcome = seen_with(authority, expired, authority.intermediate)
    assert verdict(outcome) == TLS
    assert outcome.message.startswith("the certificate expired 3 days ago, on 20")
    assert [(one.what, one.expected) for one in outcome.findings] == [("end of the certificate", "still to come")]
    assert outcome.findings[0].got.endswith(", 3 days ago")
    assert outcome.observed["cert_days"] == pytest.approx(-3, abs=0.1)
    assert "expired" in str(outcome.observed["tls_error"])
    unverified = seen_with(authority, expired, authority.intermediate, verify=False)
    assert verdict(unverified) == TLS


def test_a_certificate_that_is_not_valid_yet_fails(authority: Authority) -> None:
    early = authority.intermediate.signed("l", (2, 90))
    for verify in (True, False):
        outcome = seen_with(authority, early, authority.intermediate, verify=verify)
        assert verdict(outcome) == TLS
        assert "the certificate is not valid before 20" in outcome.message


def test_an_expired_intermediate_fails_and_is_named(authority: Authority) -> None:
    old = authority.root.signed("Old Intermediate", (-900, -2), is_authority=True)
    outcome = seen_with(authority, old.signed("l"), old)
    assert verdict(outcome) == TLS
    assert "CN=Old Intermediate in the chain" in outcome.message


def test_an_intermediate_that_ends_soon_is_a_warning(authority: Authority) -> None:
    old = authority.root.signed("Old Intermediate", (-900, 15), is_authority=True)
    outcome = seen_with(authority, old.signed("l"), old)
    assert verdict(outcome) == WARN
    assert "CN=Old Intermediate in the chain expires in 15 days, on 20" in outcome.message


def test_a_missing_intermediate_fails(authority: Authority) -> None:
    outcome = seen_with(authority, authority.leaf)
    assert verdict(outcome) == TLS
    assert "CN=Test Intermediate, unknown here and not sent along" in outcome.message


def test_a_self_signed_certificate_fails_unless_it_is_trusted_or_nobody_verifies(authority: Authority) -> None:
    alone = issue("localhost")
    outcome = seen_with(authority, alone)
    assert verdict(outcome) == TLS
    assert outcome.message == "the certificate is self-signed (CN=localhost), expected one of a trusted authority"
    assert verdict(seen_with(authority, alone, verify=False)) == OK
    (authority.folder / "alone.pem").write_bytes(alone.pem)
    assert verdict(seen_with(authority, alone, ca_file="alone.pem")) == OK


def test_needless_certificates_leave_a_healthy_server_green(authority: Authority) -> None:
    bygone = issue("DST Root CA X3", days=(-9000, -60), is_authority=True)
    cross = bygone.signed("Test Root", (-2000, -50), is_authority=True, key=authority.root.key)
    ending = bygone.signed("Test Root", (-2000, 3), is_authority=True, key=authority.root.key)
    stray = issue("Stray", days=(-900, -2))
    for more in ((cross, bygone), (ending, bygone), (stray,), (authority.root,)):
        outcome = seen_with(authority, authority.leaf, authority.intermediate, *more)
        assert verdict(outcome) == OK, outcome.message


def test_a_short_lived_certificate_is_ok_by_default(authority: Authority) -> None:
    short = authority.intermediate.signed("l", (-1, 5.5))
    assert verdict(seen_with(authority, short, authority.intermediate)) == OK
    assert verdict(seen_with(authority, short, authority.intermediate, crit_days=7)) == TLS


def test_a_server_that_wants_a_certificate_of_ours_still_shows_its_own(authority: Authority) -> None:
    context = authority.context()
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.ca_file)
    with Peer(silent, tls=context) as peer:
        assert verdict(see(peer.port, authority.folder, ca_file="ca.pem")) == OK


def test_an_old_version_is_seen_and_a_refused_one_fails(authority: Authority) -> None:
    context = authority.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with Peer(silent, tls=context) as peer:
        outcome = see(peer.port, authority.folder, ca_file="ca.pem")
    assert (verdict(outcome), outcome.observed["tls_version"]) == (OK, "TLSv1.2")

    def no_common_version(line: Connection) -> None:
        line.sock.recv(1000)
        # A fatal alert: protocol_version.
        line.send(b"\x15\x03\x03\x00\x02\x02\x46")

    with Peer(no_common_version) as peer:
        refused = see(peer.port)
    assert verdict(refused) == TLS
    assert "protocol version" in refused.message


def test_servers_behind_one_name_may_take_turns(authority: Authority) -> None:
    other = authority.intermediate.signed("localhost")
    context, second = authority.context(), authority.context(other)
    keys: dict[str, Any] = {"ca_file": "ca.pem", "fingerprint_change": True, "folder": authority.folder}
    memory: Any = {}
    verdicts = []
    with Peer(silent, tls=context) as peer, Peer(silent, tls=second) as twin:
        for port in (peer.port, twin.port, peer.port, twin.port):
            outcome = see(port, memory=memory, **keys)
            memory = outcome.memory
            verdicts.append(outcome.status.letter)
    assert "".join(verdicts) == "OWOO"
    assert memory == {"sha256": [authority.leaf.fingerprint, other.fingerprint]}


@pytest.mark.parametrize("memory", [{"sha256": "x"}, {"sha256": [1, None]}, {"other": 1}, {"sha256": {}}])
def test_a_memory_that_is_no_list_of_fingerprints_does_no_harm(authority: Authority, memory: Any) -> None:
    with Peer(silent, tls=authority.context()) as peer:
        outcome = see(peer.port, authority.folder, memory, ca_file="ca.pem", fingerprint_change=True)
    assert outcome.status in (Status.OK, Status.WARN)


def test_a_bundle_that_is_missing_is_not_the_servers_fault(authority: Authority) -> None:
    with Peer(silent, tls=authority.context()) as peer:
        outcome = see(peer.port, ca_file="missing.pem")
    assert verdict(outcome) == (Status.UNKNOWN, Kind.INTERNAL)
    assert "missing.pem" in outcome.message


def test_slow_is_warn(authority: Authority) -> None:
    def late(line: Connection) -> None:
        line.closing.wait(0.1)
        with authority.context().wrap_socket(line.sock, server_side=True) as secure:
            secure.recv(10)

    with Peer(late) as peer:
        keys = {"ca_file": "ca.pem", "folder": authority.folder}
        assert verdict(see(peer.port, **keys, warn_ms=50)) == (Status.WARN, Kind.SLOW)
        assert verdict(see(peer.port, **keys, crit_ms=50)) == (Status.FAIL, Kind.SLOW)


# ---- from plain text to TLS


@pytest.fixture(scope="module")
def postgres(authority: Authority) -> Iterator[PostgresServer]:
    server = PostgresServer()
    pem = authority.leaf.write(server.folder / "server.pem", authority.intermediate)
    server.write(pem, pem.read_text())
    server.start("-c", "ssl=on", "-c", f"ssl_cert_file={pem}", "-c", f"ssl_key_file={pem}")
    yield server
    server.end()


def test_the_certificate_of_postgresql_is_seen(postgres: PostgresServer, authority: Authority) -> None:
    outcome = see(postgres.port, authority.folder, starttls="postgres", ca_file="ca.pem")
    assert verdict(outcome) == OK
    assert outcome.observed["cert_sha256"] == authority.leaf.fingerprint
    assert verdict(see(postgres.port, starttls="postgres")) == TLS
    assert verdict(see(postgres.port)) == TLS


def spoken(context: ssl.SSLContext, *turns: tuple[bytes, bytes]) -> Script:
    """Say and wait for what is expected in turns, and then make the handshake."""

    def script(line: Connection) -> None:
        for say, wait_for in turns:
            line.send(say)
            if wait_for:
                said = b""
                while not said.endswith(b"\n") and len(said) < 1000:
                    said += line.sock.recv(1000)
                line.request += said
                assert wait_for in said
        with context.wrap_socket(line.sock, server_side=True) as secure:
            secure.recv(10)

    return script


TALKS = {
    "smtp": (
        (b"220-mail\r\n220 ready\r\n", b"EHLO"),
        (b"250-mail\r\n250 STARTTLS\r\n", b"STARTTLS\r\n"),
        (b"220 go ahead\r\n", b""),
    ),
    "imap": ((b"* OK ready\r\n", b"a STARTTLS\r\n"), (b"* CAPABILITY IMAP4\r\na ok Begin TLS\r\n", b"")),
    "pop3": ((b"+OK ready <1@x>\r\n", b"STLS\r\n"), (b"+OK Begin TLS\r\n", b"")),
    "ftp": (
        (b"220-Welcome\r\n220-to us\r\n all of you\r\n221 no end\r\n220 ready\r\n", b"AUTH TLS\r\n"),
        (b"234 go\r\n", b""),
    ),
}


@pytest.mark.parametrize("protocol", TALKS)
def test_each_protocol_goes_over_to_tls(authority: Authority, protocol: str) -> None:
    with Peer(spoken(authority.context(), *TALKS[protocol])) as peer:
        outcome = see(peer.port, authority.folder, starttls=protocol, ca_file="ca.pem")
    assert verdict(outcome) == OK, outcome.message
    assert outcome.observed["cert_subject"] == "CN=localhost"


@pytest.mark.parametrize(
    ("protocol", "turns", "kind", "said"),
    [
        ("smtp", (b"554 go away\r\n",), Kind.STATUS, "greeting is 554 go away, expected 220"),
        ("smtp", (b"220 x\r\n", b"250 x\r\n", b"502 no\r\n"), Kind.TLS, "the server does not start TLS: 502 no"),
        ("smtp", (b"* OK imap\r\n",), Kind.PROTOCOL, "the reply is '* OK imap', expected one with a code"),
        ("imap", (b"* BYE too many\r\n",), Kind.STATUS, "greeting is '* BYE too many', expected * OK"),
        ("imap", (b"220 smtp\r\n",), Kind.PROTOCOL, "greeting is '220 smtp', expected * OK"),
        ("imap", (b"* OK x\r\n", b"a BAD what\r\n"), Kind.TLS, "the server does not start TLS: a BAD what"),
        ("pop3", (b"-ERR busy\r\n",), Kind.STATUS, "greeting is '-ERR busy', expected +OK"),
        ("pop3", (b"+OK x\r\n", b"-ERR no\r\n"), Kind.TLS, "the server does not start TLS: -ERR no"),
        ("ftp", (b"220 x\r\n", b"530 no TLS\r\n"), Kind.TLS, "the server does not start TLS: 530 no TLS"),
        ("postgres", (b"", b"N"), Kind.TLS, "the server does not start TLS: ssl is off"),
        ("postgres", (b"", b"E"), Kind.PROTOCOL, "the answer to SSLRequest is 'E', expected S or N"),
    ],
)
def test_a_server_that_does_not_start_tls_says_why(
    protocol: str, turns: tuple[bytes, ...], kind: Kind, said: str
) -> None:
    def script(line: Connection) -> None:
        for turn in turns:
            line.send(turn)
            if turn is not turns[-1]:
                line.sock.recv(1000)
        line.hold()

    with Peer(script) as peer:
        outcome = see(peer.port, starttls=protocol)
    assert (verdict(outcome), outcome.message) == ((Status.FAIL, kind), said)


@pytest.mark.parametrize("protocol", [*TALKS, "postgres"])
def test_silence_and_endless_talk_before_tls_are_bounded(protocol: str) -> None:
    def drip(line: Connection) -> None:
        while not line.closing.wait(0.02):
            line.send(b"*")

    def flood(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"* OK\r\n220-x\r\n+OK\r\n" * 100)

    with Peer(silent, drip, flood) as peer:
        quiet = see(peer.port, starttls=protocol, timeout=TIMEOUT_S)
        assert verdict(quiet) == TIMEOUT
        awaited = "answer to SSLRequest" if protocol == "postgres" else "greeting"
        assert quiet.message == f"connected, but no {awaited} within 400 ms"
        dripped = TIMEOUT if protocol != "postgres" else PROTOCOL
        assert verdict(see(peer.port, starttls=protocol, timeout=TIMEOUT_S)) == dripped
        assert see(peer.port, starttls=protocol).status is Status.FAIL


def test_an_answer_that_was_slipped_in_before_the_handshake_is_refused(authority: Authority) -> None:
    turns = ((b"+OK x\r\n", b"STLS\r\n"), (b"+OK go\r\n+OK injected\r\n", b""))
    with Peer(spoken(authority.context(), *turns)) as peer:
        outcome = see(peer.port, authority.folder, starttls="pop3", ca_file="ca.pem")
    assert verdict(outcome) == PROTOCOL


# ---- the file


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fingerprint": "abc"}, "expected a SHA-256 fingerprint of 64 hexadecimal digits, got 'abc'"),
        ({"fingerprint": ["0" * 63]}, "expected a SHA-256 fingerprint"),
        ({"server_name": "https://x"}, "expected a host name or an address"),
        ({"starttls": "xmpp"}, "Input should be"),
        ({"warn_days": -1}, "greater than or equal to 0"),
    ],
)
def test_what_cannot_be_is_said_when_the_file_is_read(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        check_of(**keys)


def test_starttls_needs_its_port() -> None:
    with pytest.raises(ValidationError, match="expected port beside starttls: smtp, got none"):
        TlsCheck.model_validate({"name": "n", "type": "tls", "host": "x", "starttls": "smtp"})
    assert TlsCheck.model_validate({"name": "n", "type": "tls", "host": "x"}).target == "x:443"
