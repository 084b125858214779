"""Mail over SMTP: text and HTML, encrypted, and a recovery that stands below the failure it ends.

port 465                        TLS from the first byte
the server offers STARTTLS      TLS, certificate verified
it does not, host is loopback   plain: nothing leaves the machine
it does not, elsewhere          refused: nothing is sent, no credentials either
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime

from monitor.alerts import Notification
from monitor.channels.channel import Delivering, Receipt
from monitor.channels.message import Message
from monitor.channels.wording import harmless
from monitor.units import utc_now

IMPLICIT_TLS_PORT = 465
# Of many alerts: a header has to end somewhere.
_REFERENCES = 10
_MESSAGE_ID = re.compile(r"<[0-9a-f]{32}@[A-Za-z0-9.-]+>")


class NoTlsError(Exception):
    """There is no way to encrypt, and without one nothing is sent."""


@dataclass(frozen=True)
class Mail(Delivering):
    """Sends through one server. Without `user` it does not log in; without `ca_file` the system's CAs are trusted."""

    host: str
    port: int
    sender: Address
    to: tuple[Address, ...]
    user: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    type: str = "email"

    def _deliver(self, message: Message) -> Receipt:
        mail = to_mail(message, self.sender, self.to)
        try:
            refused = self._hand_over(mail)
        except smtplib.SMTPRecipientsRefused as error:
            return self._refused(error.recipients)
        except smtplib.SMTPResponseException as error:
            return self._failed(_answer(error.smtp_code, error.smtp_error), permanent=error.smtp_code >= 500)
        except smtplib.SMTPNotSupportedError as error:
            return self._failed(str(error), permanent=True)
        except ssl.SSLCertVerificationError as error:
            # Not permanent: certificates are renewed, and the message is still worth having then.
            hint = "; for a private CA set SMTP_CA_FILE"
            return self._failed(f"certificate of {self.host} is not trusted: {error.verify_message}{hint}")
        except (NoTlsError, smtplib.SMTPException, OSError) as error:
            return self._failed(f"{type(error).__name__}: {error}")
        return self._accepted(refused, str(mail["Message-ID"]))

    def _hand_over(self, mail: EmailMessage) -> dict[str, tuple[int, bytes]]:
        """Return the recipients that the server refused, when it took the mail for at least one."""
        server = self._connect()
        try:
            if self.user:
                server.login(self.user, self.password)
            return server.send_message(mail)
        finally:
            # Said, not asked: a server that stumbles over QUIT has the mail already, and must not get it twice.
            with suppress(smtplib.SMTPException, OSError):
                server.putcmd("QUIT")
            server.close()

    def _connect(self) -> smtplib.SMTP:
        """Return a session that may carry the message; raises NoTlsError, ssl.SSLError, SMTPException or OSError."""
        timeout = self.edge.step_s
        if self.port == IMPLICIT_TLS_PORT:
            return smtplib.SMTP_SSL(self.host, self.port, timeout=timeout, context=self._trust())
        server = smtplib.SMTP(self.host, self.port, timeout=timeout)
        try:
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=self._trust())
            elif not is_loopback(self.host):
                raise NoTlsError(f"{self.host} offers no STARTTLS: nothing was sent; use a server or port with TLS")
        except BaseException:
            server.close()
            raise
        return server

    def _trust(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as error:
            raise NoTlsError(f"SMTP_CA_FILE cannot be used: {error}") from error

    def _accepted(self, refused: dict[str, tuple[int, bytes]], reference: str) -> Receipt:
        accepted = len(self.to) - len(refused)
        detail = f"accepted for {accepted} of {len(self.to)} recipients"
        # Sending again for one bad address would tell all the others twice.
        return self._taken(f"{detail}; {_refusals(refused)}" if refused else detail, reference)

    def _refused(self, recipients: dict[str, tuple[int, bytes]]) -> Receipt:
        permanent = all(code >= 500 for code, _ in recipients.values())
        return self._failed(f"every recipient was refused: {_refusals(recipients)}", permanent)

    def _failed(self, detail: str, permanent: bool = False) -> Receipt:
        return Receipt(self.name, ok=False, detail=detail, permanent=permanent)


def _answer(code: int, text: bytes | str) -> str:
    return f"{code} {text.decode(errors='replace') if isinstance(text, bytes) else text}"


def _refusals(recipients: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(f"{address}: {_answer(code, text)}" for address, (code, text) in recipients.items())


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def to_mail(message: Message, sender: Address, to: tuple[Address, ...]) -> EmailMessage:
    """Return the mail. Header values are made plain first: what came from a target cannot start a header."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = harmless(message.subject, 150)
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = message_id(message.key, sender)
    openings = list(dict.fromkeys(_id_of(one.opening, sender) for one in message.members if one.opening))
    if openings:
        mail["In-Reply-To"] = openings[0]
        mail["References"] = " ".join(openings[:_REFERENCES])
    # RFC 3834: keeps holiday replies away.
    mail["Auto-Submitted"] = "auto-generated"
    # Quoted-printable: a server without 8BITMIME takes it, and no line grows beyond what SMTP allows.
    mail.set_content(_encodable(message.text), cte="quoted-printable")
    mail.add_alternative(_encodable(message.html), subtype="html", cte="quoted-printable")
    return mail


def _id_of(opening: Notification, sender: Address) -> str:
    """Return what the mail about the opening was called, also when a crash came before that was recorded."""
    return opening.reference if _MESSAGE_ID.fullmatch(opening.reference) else message_id(opening.batch, sender)


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def message_id(key: str, sender: Address) -> str:
    """Return the Message-ID for a key: the same mail sent again has the same, and mail programs show it once."""
    domain = sender.domain if sender.domain.isascii() else "greenwall.invalid"
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"
