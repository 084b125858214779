"""The smtp probe against a real mail server (aiosmtpd), and against peers that reply oddly or not at all."""

from __future__ import annotations

import ssl
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from pydantic import ValidationError

from monitor.config.kinds.smtp import SmtpCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.authorities import Authority
from tests.conftest import GRACE_S, free_port
from tests.servers import Connection, Peer, Script

OK = (Status.OK, None)
STATUS = (Status.FAIL, Kind.STATUS)
PROTOCOL = (Status.FAIL, Kind.PROTOCOL)
TLS = (Status.FAIL, Kind.TLS)
AUTH = (Status.FAIL, Kind.AUTH)
TIMEOUT = (Status.FAIL, Kind.TIMEOUT)
TIMEOUT_S = 0.4
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


class Mailbox:
    """Takes a login with the right password."""

    def __init__(self) -> None:
        self.logins: list[bytes] = []
        self.mails = 0

    def authenticate(self, _s: SMTP, _session: Session, _e: Envelope, _mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.login)
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        self.mails += 1
        return "250 OK"


Start = Callable[..., int]


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def start(mailbox: Mailbox) -> Iterator[Start]:
    started: list[Controller] = []

    def start_one(tls: ssl.SSLContext | None = None, implicit: ssl.SSLContext | None = None, **more: Any) -> int:
        secure = {"tls_context": tls} if tls else {}
        secure |= {"ssl_context": implicit} if implicit else {}
        controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **secure, **more)
        controller.start()
        started.append(controller)
        return int(controller.port)

    yield start_one
    for controller in started:
        controller.stop()


def check_of(port: int = 25, **keys: Any) -> SmtpCheck:
    return SmtpCheck.model_validate({"name": "n", "type": "smtp", "host": "127.0.0.1", "port": port, **keys})


def see(port: int, folder: Path = Path(), **keys: Any) -> Outcome:
    keys = {"timeout": 5, **keys}
    began = time.monotonic()
    outcome = run_probe(check_of(port, **keys), Setting(folder))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    assert PASSWORD not in f"{outcome} {outcome.message} {outcome.findings}"
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


def replies(*lines: bytes, tls: ssl.SSLContext | None = None) -> Script:
    """Greet with the first line and answer each command with the next one; `TLS` stands for the handshake."""

    def script(line: Connection) -> None:
        reader = line.sock.makefile("rb")
        sock: Any = line.sock
        sock.sendall(lines[0])
        for reply in lines[1:]:
            line.request += reader.readline()
            if reply == b"TLS":
                sock.sendall(b"220 go\r\n")
                assert tls is not None
                sock = tls.wrap_socket(sock, server_side=True)
                reader = sock.makefile("rb")
                line.request += reader.readline()
                sock.sendall(b"250 secret\r\n")
            else:
                sock.sendall(reply)
        while more := reader.readline():
            line.request += more

    return script


# ---- a real server


def test_a_mail_server_is_greeted_and_nothing_is_sent(start: Start, mailbox: Mailbox) -> None:
    outcome = see(start())
    assert verdict(outcome) == OK
    assert outcome.message.startswith("greeted, in ")
    assert "SMTP" in str(outcome.observed["greeting"])
    assert "8BITMIME" in str(outcome.observed["extensions"])
    assert "tls_version" not in outcome.observed
    assert outcome.code == 250
    assert mailbox.mails == 0


def test_starttls_verifies_and_watches_the_certificate(start: Start, authority: Authority) -> None:
    port = start(tls=authority.context())
    outcome = see(port, authority.folder, starttls="required", ca_file="ca.pem", host="localhost")
    assert verdict(outcome) == OK
    assert outcome.observed["tls_version"] == "TLSv1.3"
    assert outcome.observed["cert_days"] == pytest.approx(60, abs=0.2)
    assert "certificate for 60 days more" in outcome.message
    assert outcome.phases_ms.keys() == {"dns", "connect", "tls", "total"}
    untrusted = see(port, starttls="required")
    assert verdict(untrusted) == TLS
    assert "CN=Test Root, unknown here" in untrusted.message
    assert untrusted.observed["cert_subject"] == "CN=localhost"
    assert verdict(see(port, starttls="required", verify=False)) == OK


def test_a_certificate_that_is_about_to_end_is_warn_and_fail(start: Start, authority: Authority) -> None:
    port = start(tls=authority.context(authority.intermediate.signed("l", (-80, 10))))
    keys = {"starttls": "required", "ca_file": "ca.pem", "folder": authority.folder}
    assert verdict(see(port, **keys)) == (Status.WARN, Kind.TLS)
    assert verdict(see(port, **keys, warn_days=9)) == OK
    assert verdict(see(port, **keys, crit_days=11)) == TLS


def test_if_offered_takes_both(start: Start, authority: Authority) -> None:
    keys = {"starttls": "if_offered", "ca_file": "ca.pem", "folder": authority.folder}
    assert "tls_version" in see(start(tls=authority.context()), **keys).observed
    plain = see(start(), **keys)
    assert verdict(plain) == OK
    assert "tls_version" not in plain.observed


def test_required_and_not_offered_fails(start: Start) -> None:
    outcome = see(start(), starttls="required")
    assert verdict(outcome) == TLS
    assert outcome.message == "the server does not start TLS: it does not offer STARTTLS"


def test_tls_from_the_first_byte(start: Start, authority: Authority) -> None:
    port = start(implicit=authority.context())
    assert verdict(see(port, authority.folder, tls=True, ca_file="ca.pem")) == OK
    assert verdict(see(port, timeout=TIMEOUT_S)) in (TIMEOUT, PROTOCOL)
    assert verdict(see(start(), tls=True)) == TLS


def test_the_right_password_logs_in_and_a_wrong_one_is_auth(
    start: Start, authority: Authority, mailbox: Mailbox
) -> None:
    port = start(tls=authority.context(), authenticator=mailbox.authenticate, auth_require_tls=True)
    keys = {"starttls": "required", "ca_file": "ca.pem", "folder": authority.folder, "username": "monitor"}
    inside = see(port, **keys, password=PASSWORD)
    assert verdict(inside) == OK
    assert "logged in" in inside.message
    assert inside.code == 235
    outside = see(port, **keys, password="wrong")
    assert verdict(outside) == AUTH
    assert outside.code == 535
    assert outside.message.startswith("the reply to AUTH is 535 5.7.8")
    assert mailbox.logins == [b"monitor", b"monitor"]


def test_a_server_that_offers_no_login_is_auth(start: Start, authority: Authority) -> None:
    port = start(tls=authority.context(), auth_exclude_mechanism=["PLAIN", "LOGIN"])
    outcome = see(port, authority.folder, starttls="required", ca_file="ca.pem", username="u", password="p")
    assert verdict(outcome) == AUTH
    assert "no login by PLAIN or LOGIN" in outcome.message


def test_a_server_that_is_gone_is_no_connection() -> None:
    assert verdict(see(free_port())) == (Status.FAIL, Kind.CONNECT)


# ---- greetings and replies


def test_expectations_on_the_greeting() -> None:
    with Peer(replies(b"220-mail.example\r\n220 ESMTP Postfix\r\n", b"250 mail.example\r\n")) as peer:
        assert verdict(see(peer.port, expect_contains="Postfix", expect_matches=r"^mail\.example\n")) == OK
        wrong = see(peer.port, expect_contains="Exim")
        assert verdict(wrong) == (Status.FAIL, Kind.CONTENT)
        assert wrong.message == "greeting is 'mail.example ESMTP Postfix', expected to contain 'Exim'"


def test_a_greeting_that_is_no_text_holds_no_expectation() -> None:
    with Peer(replies(b"220 m\xfcller\r\n", b"250 x\r\n")) as peer:
        assert verdict(see(peer.port)) == OK
        assert verdict(see(peer.port, expect_contains="m")) == (Status.FAIL, Kind.CONTENT)


def test_replies_of_many_lines_and_bare_ones_are_read() -> None:
    many = b"".join(b"250-X%d\r\n" % n for n in range(100)) + b"250 STARTTLS\r\n"
    with Peer(replies(b"220\r\n", many)) as peer:
        assert verdict(see(peer.port)) == OK
    with Peer(replies(b"220-\n220 \n", b"250\n")) as peer:
        assert verdict(see(peer.port)) == OK


def test_a_server_that_knows_no_ehlo_is_asked_by_helo() -> None:
    with Peer(replies(b"220 old\r\n", b"502 what?\r\n", b"250 old, and pleased\r\n")) as peer:
        assert verdict(see(peer.port)) == OK
    asked = peer.requests[0].splitlines()
    assert asked == [b"EHLO [127.0.0.1]", b"HELO [127.0.0.1]", b"QUIT"]


@pytest.mark.parametrize(
    ("lines", "said", "code"),
    [
        ([b"421 too busy\r\n"], "greeting is 421 too busy, expected 220", 421),
        ([b"554-go\r\n554 away\r\n"], "greeting is 554 go away, expected 220", 554),
        ([b"220 x\r\n", b"451 later\r\n"], "the reply to EHLO is 451 later, expected 250", 451),
        ([b"220 x\r\n", b"550 no\r\n"], "the reply to EHLO is 550 no, expected 250", 550),
    ],
)
def test_a_refusal_is_a_fault_of_status(lines: list[bytes], said: str, code: int) -> None:
    with Peer(replies(*lines)) as peer:
        outcome = see(peer.port)
    assert (verdict(outcome), outcome.message, outcome.code) == (STATUS, said, code)
    (finding,) = outcome.findings
    assert str(finding) == said


@pytest.mark.parametrize("raw", [b"SSH-2.0-x\r\n", b"\r\n", b"22\r\n", b"220hello\r\n", b"999 x\r\n"])
def test_what_is_no_reply_is_a_fault_of_protocol(raw: bytes) -> None:
    with Peer(replies(raw)) as peer:
        outcome = see(peer.port)
    assert verdict(outcome) == PROTOCOL
    assert "expected one with a code" in outcome.message


def test_silence_drips_and_floods_are_bounded() -> None:
    def drip(line: Connection) -> None:
        line.send(b"220-")
        while not line.closing.wait(0.02):
            line.send(b"x\r\n220-")

    def endless_reply(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"220-again\r\n" * 100)

    def endless_line(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"220" + b"x" * 10000)

    with Peer(replies(b""), drip, endless_reply, endless_line) as peer:
        silent = see(peer.port, timeout=TIMEOUT_S)
        assert (verdict(silent), silent.message) == (TIMEOUT, "connected, but no greeting within 400 ms")
        assert verdict(see(peer.port, timeout=TIMEOUT_S)) == TIMEOUT
        assert see(peer.port).message == "the reply has more than 200 lines"
        assert verdict(see(peer.port)) == PROTOCOL


SILENT = {
    "greeting": ([b""], {}, "connected, but no greeting within 400 ms"),
    "EHLO": ([b"220-mx\r\n220 2\r\n"], {}, "no answer to EHLO within 400 ms; the server had said 220 mx"),
    "STARTTLS": (
        [b"220 mx\r\n", b"250-mx\r\n250 STARTTLS\r\n"],
        {"starttls": "required"},
        "no answer to STARTTLS within 400 ms; the server had said 250 mx",
    ),
    "AUTH": (
        [b"220 mx\r\n", b"250-mx\r\n250 AUTH PLAIN\r\n"],
        {"tls": True},
        "no answer to AUTH within 400 ms; the server had said 250 mx",
    ),
    "AUTH LOGIN": (
        [b"220 mx\r\n", b"250-mx\r\n250 AUTH LOGIN\r\n", b"334 user\r\n", b"334 password\r\n"],
        {"tls": True},
        "no answer to AUTH within 400 ms; the server had said 334 password",
    ),
}


@pytest.mark.parametrize("step", SILENT)
def test_a_server_that_falls_silent_is_told_by_the_step_and_by_what_it_said_last(
    step: str, authority: Authority
) -> None:
    lines, keys, said = SILENT[step]
    login = {"username": "u", "password": PASSWORD} if "AUTH" in step else {}
    more = {"ca_file": "ca.pem", "timeout": TIMEOUT_S} | keys | login
    with Peer(replies(*lines), tls=authority.context() if "AUTH" in step else None) as peer:
        outcome = see(peer.port, authority.folder, **more)
    assert (verdict(outcome), outcome.message) == (TIMEOUT, said)


def test_a_server_that_hangs_up_in_the_middle_is_told_by_the_step(authority: Authority) -> None:
    def gone(line: Connection) -> None:
        line.send(b"220 mx\r\n")
        line.sock.recv(1000)

    with Peer(gone) as peer:
        assert see(peer.port).message == "the peer closed the connection before its answer to EHLO"


def test_slow_is_warn() -> None:
    def late(line: Connection) -> None:
        line.closing.wait(0.1)
        replies(b"220 late\r\n", b"250 x\r\n")(line)

    with Peer(late) as peer:
        assert verdict(see(peer.port, warn_ms=50)) == (Status.WARN, Kind.SLOW)


# ---- TLS and login on oddly behaving servers


def test_extensions_count_only_if_they_were_said_in_secret(authority: Authority) -> None:
    script = replies(b"220 x\r\n", b"250-x\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n", b"TLS", tls=authority.context())
    with Peer(script) as peer:
        keys = {"starttls": "required", "ca_file": "ca.pem", "username": "u", "password": PASSWORD}
        outcome = see(peer.port, authority.folder, **keys)
    assert verdict(outcome) == AUTH
    assert outcome.message == "the server offers no login by PLAIN or LOGIN (offered: none)"


def test_a_refused_starttls_is_a_fault_of_tls() -> None:
    with Peer(replies(b"220 x\r\n", b"250-x\r\n250 STARTTLS\r\n", b"454 TLS not available\r\n")) as peer:
        outcome = see(peer.port, starttls="if_offered")
    assert verdict(outcome) == TLS
    assert outcome.message == "the server does not start TLS: 454 TLS not available"
    assert [str(one) for one in outcome.findings] == ["the reply to STARTTLS is 454 TLS not available, expected 220"]


@pytest.mark.parametrize(
    ("code", "said"), [(535, AUTH), (534, AUTH), (530, AUTH), (454, STATUS), (421, STATUS), (250, AUTH)]
)
def test_other_replies_to_a_login_than_235(authority: Authority, code: int, said: tuple[Status, Kind]) -> None:
    script = replies(b"220 x\r\n", b"250-x\r\n250 AUTH=PLAIN LOGIN\r\n", b"%d no\r\n" % code)
    with Peer(script, tls=authority.context()) as peer:
        keys = {"tls": True, "ca_file": "ca.pem", "username": "u", "password": PASSWORD}
        outcome = see(peer.port, authority.folder, **keys)
    assert (verdict(outcome), outcome.code) == (said, code)
    assert [(one.expected, one.got) for one in outcome.findings] == [("235", f"{code} no")]


def test_login_by_login_where_there_is_no_plain(authority: Authority) -> None:
    lines = [
        b"220 x\r\n",
        b"250-x\r\n250 AUTH LOGIN CRAM-MD5\r\n",
        b"334 VXNlcm5hbWU6\r\n",
        b"334 x\r\n",
        b"235 in\r\n",
    ]
    with Peer(replies(*lines), tls=authority.context()) as peer:
        keys = {"tls": True, "ca_file": "ca.pem", "username": "monitor", "password": PASSWORD}
        assert verdict(see(peer.port, authority.folder, **keys)) == OK
    said = peer.requests[0].splitlines()
    assert said[1] == b"AUTH LOGIN"
    assert [b64decode(line) for line in said[2:4]] == [b"monitor", PASSWORD.encode()]


def test_a_server_that_says_the_password_back_does_not_get_it_into_the_records(authority: Authority) -> None:
    together = b64encode(f"\0u\0{PASSWORD}".encode())
    echo = b"535 you said " + together + b" which is " + PASSWORD.encode() + b"\r\n"
    with Peer(replies(b"220 x\r\n", b"250-x\r\n250 AUTH PLAIN\r\n", echo), tls=authority.context()) as peer:
        keys = {"tls": True, "ca_file": "ca.pem", "username": "u", "password": PASSWORD}
        outcome = see(peer.port, authority.folder, **keys)
    assert outcome.message == "the reply to AUTH is 535 you said *** which is ***, expected 235"


# ---- the file


def test_off_may_be_written_without_quotes() -> None:
    assert check_of(starttls=False).starttls == "off"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"starttls": True}, "Input should be 'off', 'required' or 'if_offered'"),
        ({"tls": True, "starttls": "required"}, "expected one of tls and starttls"),
        ({"username": "u"}, "expected username and password together"),
        ({"password": "p"}, "expected username and password together"),
        ({"username": "u", "password": "p"}, "expected starttls: required or tls: true beside username"),
        ({"username": "u", "password": "p", "starttls": "if_offered"}, "expected starttls: required or tls: true"),
    ],
)
def test_what_cannot_be_is_said_when_the_file_is_read(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        check_of(**keys)


def test_the_password_is_not_shown_by_the_check() -> None:
    assert PASSWORD not in repr(check_of(tls=True, username="u", password=PASSWORD))
