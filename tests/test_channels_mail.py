"""Mail against a real SMTP server on loopback: encryption, login, refusals, silence, threads and what a reader sees."""

import email
import email.policy
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from monitor.channels import Channel, build_channels
from monitor.channels.channel import Receipt
from monitor.channels.mail import Mail
from monitor.config import Environment, parse_config
from tests.conftest import free_port
from tests.messages import DATABASE, message_of

PASSWORD = "correct horse"
OPENED = datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC)
DB = replace(
    DATABASE,
    message="status is 503 <größer & böser>",
)
BACK = replace(DB, resolved_at=OPENED + timedelta(minutes=12), resolved_by="checker", resolution="recovered")
OPENING = message_of(DB, "first_fail", "https://wall.example.org", OPENED)
ENDING = message_of(BACK, "recovered", "https://wall.example.org", OPENED)


class Inbox:
    """What the server took, and what it answers to a recipient and to the mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.encrypted: list[bool] = []
        self.logins: list[bytes] = []
        self.answers: dict[str, str] = {}

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250") and isinstance(envelope.content, bytes):
            mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients += envelope.rcpt_tos
            self.encrypted.append(session.ssl is not None)
        return answer

    def authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: object
    ) -> AuthResult:
        assert isinstance(credentials, LoginPassword)
        self.logins.append(credentials.password)
        return AuthResult(success=credentials.password == PASSWORD.encode(), handled=False)


class Server:
    """A mail server on a free port."""

    def __init__(self, inbox: Inbox, tls: ssl.SSLContext | None = None, with_login: bool = False) -> None:
        login = {"authenticator": inbox.authenticate, "auth_require_tls": tls is not None} if with_login else {}
        self.inbox = inbox
        self.controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), tls_context=tls, **login)
        self.controller.start()

    @property
    def port(self) -> int:
        return int(self.controller.port)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


@pytest.fixture(scope="module")
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "127.0.0.1", "mail.example.org").configure_cert(context)
    return context


Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers with these arguments; all are stopped at the end."""
    servers: list[Server] = []

    def one(tls: ssl.SSLContext | None = None, with_login: bool = False) -> Server:
        servers.append(Server(Inbox(), tls, with_login))
        return servers[-1]

    yield one
    for server in servers:
        server.controller.stop()


def channel_for(port: int, limit_s: float = 10.0, **variables: str) -> Channel:
    """Return the mail channel as the environment configures it."""
    settings = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(port), "MAIL_FROM": "Greenwall <wall@example.org>"}
    settings |= {"MAIL_TO": "a@example.org, b@example.org"} | variables
    mail = build_channels(parse_config("checks: []\n", Path("checks.yaml"), Environment(settings)))["email"]
    assert isinstance(mail, Mail), mail
    return replace(mail, edge=replace(mail.edge, limit_s=limit_s))


def with_login(password: str = PASSWORD) -> dict[str, str]:
    return {"SMTP_USER": "wall@example.org", "SMTP_PASS": password}


class TestDelivery:
    def test_it_is_encrypted_logged_in_and_reaches_every_recipient(
        self, start: Start, tls: ssl.SSLContext, ca_file: Path
    ) -> None:
        server = start(tls, with_login=True)
        receipt = channel_for(server.port, SMTP_CA_FILE=str(ca_file), **with_login()).send(OPENING)
        assert replace(receipt, reference="") == Receipt("email", ok=True, detail="accepted for 2 of 2 recipients")
        assert receipt.reference == server.inbox.mails[0]["Message-ID"]
        assert server.inbox.encrypted == [True]
        assert server.inbox.recipients == ["a@example.org", "b@example.org"]

    def test_port_465_is_encrypted_from_the_first_byte(
        self, tls: ssl.SSLContext, ca_file: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        inbox = Inbox()
        controller = Controller(inbox, hostname="127.0.0.1", port=free_port(), ssl_context=tls)
        controller.start()
        monkeypatch.setattr("monitor.channels.mail.IMPLICIT_TLS_PORT", controller.port)
        try:
            assert channel_for(controller.port, SMTP_CA_FILE=str(ca_file)).send(OPENING).ok
        finally:
            controller.stop()
        assert len(inbox.mails) == 1

    def test_a_reader_sees_text_and_html_and_who_it_is_from(self, start: Start) -> None:
        server = start()
        assert channel_for(server.port).send(OPENING).ok
        (mail,) = server.inbox.mails
        assert (mail["Subject"], mail["From"], mail["To"]) == (
            "[P1 FAIL] orders-db answers with an error",
            "Greenwall <wall@example.org>",
            "a@example.org, b@example.org",
        )
        text, page = mail.get_body(("plain",)), mail.get_body(("html",))
        assert text is not None and page is not None
        assert text.get_content().replace("\r\n", "\n") == OPENING.text + "\n"
        assert "status is 503 &lt;größer &amp; böser&gt;" in page.get_content()
        assert mail["Auto-Submitted"] == "auto-generated"

    def test_the_recovery_stands_in_the_thread_of_the_failure(self, start: Start) -> None:
        server = start()
        channel = channel_for(server.port)
        for message in (OPENING, ENDING, ENDING):
            assert channel.send(message).ok
        opening, ending, again = server.inbox.mails
        assert opening["In-Reply-To"] is None
        assert ending["In-Reply-To"] == ending["References"] == opening["Message-ID"]
        assert ending["Message-ID"] == again["Message-ID"] != opening["Message-ID"]

    def test_nothing_hostile_becomes_a_header_or_a_recipient(self, start: Start) -> None:
        server = start()
        nasty = "x\r\nBcc: thief@example.org\r\n\r\n.\r\nRCPT TO:<thief@example.org>\r\n" + "A" * 100_000
        message = message_of(replace(DB, resource=nasty, title=nasty, message=nasty), "first_fail", None, OPENED)
        assert channel_for(server.port).send(replace(message, subject=nasty, text=nasty)).ok
        (mail,) = server.inbox.mails
        assert "thief@example.org" not in server.inbox.recipients
        assert mail["Bcc"] is None
        assert len(mail["Subject"]) <= 150

    def test_a_server_on_loopback_without_encryption_is_fine(self, start: Start) -> None:
        server = start(with_login=True)
        assert channel_for(server.port, **with_login()).send(OPENING).ok
        assert server.inbox.encrypted == [False]
        assert server.inbox.logins == [PASSWORD.encode()]


class TestEncryption:
    def test_a_server_elsewhere_without_starttls_gets_nothing(
        self, start: Start, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = start(with_login=True)
        resolve = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve("127.0.0.1", *rest, **more))
        receipt = channel_for(server.port, SMTP_HOST="mail.example.org", **with_login()).send(OPENING)
        assert not receipt.ok
        assert "mail.example.org offers no STARTTLS: nothing was sent" in receipt.detail
        assert server.inbox.logins == []
        assert server.inbox.mails == []

    def test_a_certificate_of_an_unknown_authority_is_refused_on_loopback_too(
        self, start: Start, tls: ssl.SSLContext
    ) -> None:
        server = start(tls, with_login=True)
        receipt = channel_for(server.port, **with_login()).send(OPENING)
        assert not receipt.ok
        assert not receipt.permanent
        assert "certificate of 127.0.0.1 is not trusted" in receipt.detail
        assert "SMTP_CA_FILE" in receipt.detail
        assert server.inbox.logins == []

    def test_a_certificate_for_another_host_is_refused(
        self, start: Start, authority: trustme.CA, ca_file: Path
    ) -> None:
        other = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("other.example.org").configure_cert(other)
        receipt = channel_for(start(other).port, SMTP_CA_FILE=str(ca_file)).send(OPENING)
        assert not receipt.ok
        assert "not trusted" in receipt.detail

    def test_a_ca_file_that_is_not_there_is_named(self, start: Start, tls: ssl.SSLContext, tmp_path: Path) -> None:
        receipt = channel_for(start(tls).port, SMTP_CA_FILE=str(tmp_path / "none.pem")).send(OPENING)
        assert not receipt.ok
        assert "SMTP_CA_FILE cannot be used" in receipt.detail


class TestRefusals:
    def test_a_wrong_password_is_permanent_and_in_no_text(
        self, start: Start, tls: ssl.SSLContext, ca_file: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        server = start(tls, with_login=True)
        channel = channel_for(server.port, SMTP_CA_FILE=str(ca_file), **with_login("wrong staple"))
        receipt = channel.send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, True)
        assert receipt.detail.startswith("535 ")
        greenwall = [r.getMessage() for r in caplog.records if not r.name.startswith(("mail.", "asyncio"))]
        assert "wrong staple" not in f"{receipt!r} {channel!r} {greenwall}"

    def test_a_password_in_letters_that_smtp_does_not_know_is_a_receipt(
        self, start: Start, caplog: pytest.LogCaptureFixture
    ) -> None:
        receipt = channel_for(start(with_login=True).port, **with_login("grün-und-geheim")).send(OPENING)
        assert not receipt.ok
        assert "geheim" not in receipt.detail + caplog.text

    def test_a_login_that_the_server_does_not_offer_is_permanent(self, start: Start) -> None:
        receipt = channel_for(start().port, **with_login()).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, True)

    @pytest.mark.parametrize(("answer", "permanent"), [("550 no such user", True), ("450 mailbox busy", False)])
    def test_when_every_recipient_is_refused_nothing_was_told(self, start: Start, answer: str, permanent: bool) -> None:
        server = start()
        server.inbox.answers = {"a@example.org": answer, "b@example.org": answer}
        receipt = channel_for(server.port).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, permanent)
        assert receipt.detail == f"every recipient was refused: a@example.org: {answer}, b@example.org: {answer}"

    def test_one_refused_recipient_is_named_and_the_others_are_told_once(self, start: Start) -> None:
        server = start()
        server.inbox.answers = {"b@example.org": "550 no such user"}
        receipt = channel_for(server.port).send(OPENING)
        assert receipt.ok
        assert receipt.detail == "accepted for 1 of 2 recipients; b@example.org: 550 no such user"
        assert server.inbox.recipients == ["a@example.org"]

    @pytest.mark.parametrize(("answer", "permanent"), [("451 try again later", False), ("554 looks like spam", True)])
    def test_4xx_passes_and_5xx_stays(self, start: Start, answer: str, permanent: bool) -> None:
        server = start()
        server.inbox.answers = {"DATA": answer}
        receipt = channel_for(server.port).send(OPENING)
        assert receipt == Receipt("email", ok=False, detail=answer, permanent=permanent)


class TestSilence:
    def test_a_dead_server_is_a_receipt(self) -> None:
        receipt = channel_for(free_port()).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert "ConnectionRefusedError" in receipt.detail

    def test_a_server_that_never_greets_is_given_up_in_time(self) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as silent:
            receipt = channel_for(silent.getsockname()[1], limit_s=0.3).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert "time" in receipt.detail

    @pytest.mark.parametrize("greeting", [b"", b"220 hello\r\n", b"\xff\x00 nonsense\r\n", b"421 too busy\r\n"])
    def test_a_server_that_hangs_up_is_a_receipt(self, greeting: bytes) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as rude:
            thread = threading.Thread(target=hang_up_after, args=(rude, greeting))
            thread.start()
            receipt = channel_for(rude.getsockname()[1]).send(OPENING)
            thread.join(5)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert receipt.detail.isprintable()


def hang_up_after(listener: socket.socket, greeting: bytes) -> None:
    listener.settimeout(5)
    connection, _ = listener.accept()
    with closing(connection):
        connection.sendall(greeting)
