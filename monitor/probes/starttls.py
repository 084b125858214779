"""How protocols go over from plain text to TLS, and replies with a code, which SMTP and FTP have in common.

STARTTLS["imap"](connection)     says what must be said; the handshake is next
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from monitor.model import Kind
from monitor.probes.connection import Connection
from monitor.probes.verdict import ProbeFailed
from monitor.units import plain

_LINE_BYTES = 4096
_LINES = 200
_CODED = re.compile(rb"([1-5]\d\d)(?:([ -])(.*))?", re.DOTALL)
# PostgreSQL, "Message Formats": SSLRequest.
_POSTGRES_SSL = struct.pack("!ii", 8, 80877103)


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of one or more lines; `text` is what stands behind the codes, a line each, as it came."""

    code: int
    text: bytes

    def __str__(self) -> str:
        return plain(f"{self.code} {self.text.decode(errors='replace')}", 120)

    @property
    def is_positive(self) -> bool:
        return self.code < 400


def read_line(connection: Connection) -> bytes:
    """Return the next line without its end."""
    return connection.read_until(b"\n", _LINE_BYTES).rstrip(b"\r\n")


def read_reply(connection: Connection) -> Reply:
    """Return the next reply; raise ProbeFailed with Kind.PROTOCOL when it is none."""
    line = read_line(connection)
    coded = _CODED.fullmatch(line)
    if coded is None:
        got = plain(line.decode(errors="replace"), 60)
        raise connection.failed(Kind.PROTOCOL, f"the reply is {got!r}, expected one with a code")
    lines, goes_on = [coded[3] or b""], coded[2] == b"-"
    while goes_on:
        if len(lines) > _LINES:
            raise connection.failed(Kind.PROTOCOL, f"the reply has more than {_LINES} lines")
        line = read_line(connection)
        found = _CODED.fullmatch(line)
        if found and found[1] == coded[1]:
            lines.append(found[3] or b"")
            goes_on = found[2] == b"-"
        else:
            # In FTP a line between may be anything.
            lines.append(line)
    return Reply(int(coded[1]), b"\n".join(lines))


def ask(connection: Connection, command: str) -> Reply:
    """Return the reply to a command."""
    connection.send(command.encode() + b"\r\n")
    return read_reply(connection)


def greeting_of(connection: Connection) -> Reply:
    """Return the greeting of an SMTP or FTP server; raise ProbeFailed with Kind.STATUS when it turns us away."""
    reply = read_reply(connection)
    if reply.code != 220:
        raise connection.failed(Kind.STATUS, f"greeting is {reply}, expected 220", reply.code)
    return reply


def say_hello(connection: Connection) -> Reply:
    """Return the reply to EHLO, or to HELO where the server is too old for that: a name, then its extensions."""
    local = connection.local_address
    me = f"[IPv6:{local}]" if ":" in local else f"[{local}]"
    reply = ask(connection, f"EHLO {me}")
    if 500 <= reply.code <= 504:
        reply = ask(connection, f"HELO {me}")
        reply = Reply(reply.code, reply.text.partition(b"\n")[0])
    if reply.code != 250:
        raise connection.failed(Kind.STATUS, f"the reply to EHLO is {reply}, expected 250", reply.code)
    return reply


def smtp_starttls(connection: Connection) -> None:
    """Ask for the handshake."""
    reply = ask(connection, "STARTTLS")
    if reply.code != 220:
        raise refused(connection, str(reply), reply.code)


def refused(connection: Connection, answer: str, code: int | None = None) -> ProbeFailed:
    return connection.failed(Kind.TLS, f"the server does not start TLS: {answer}", code)


def _smtp(connection: Connection) -> None:
    greeting_of(connection)
    say_hello(connection)
    smtp_starttls(connection)


def _ftp(connection: Connection) -> None:
    greeting_of(connection)
    reply = ask(connection, "AUTH TLS")
    if reply.code != 234:
        raise refused(connection, str(reply), reply.code)


def _imap(connection: Connection) -> None:
    greeting = _text_line(connection)
    if not greeting.upper().startswith("* OK"):
        kind = Kind.STATUS if greeting.startswith("* ") else Kind.PROTOCOL
        raise connection.failed(kind, f"greeting is {greeting!r}, expected * OK")
    connection.send(b"a STARTTLS\r\n")
    for _ in range(_LINES):
        answer = _text_line(connection)
        if answer.upper().startswith("A OK"):
            return
        if not answer.startswith("* "):
            break
    raise refused(connection, answer)


def _pop3(connection: Connection) -> None:
    greeting = _text_line(connection)
    if not greeting.startswith("+OK"):
        kind = Kind.STATUS if greeting.startswith("-ERR") else Kind.PROTOCOL
        raise connection.failed(kind, f"greeting is {greeting!r}, expected +OK")
    connection.send(b"STLS\r\n")
    answer = _text_line(connection)
    if not answer.startswith("+OK"):
        raise refused(connection, answer)


def _postgres(connection: Connection) -> None:
    connection.send(_POSTGRES_SSL)
    answer = connection.receive(1)
    if answer == b"N":
        raise refused(connection, "ssl is off")
    if answer != b"S":
        got = f"{answer!r}"[1:] if answer else "the end of the connection"
        raise connection.failed(Kind.PROTOCOL, f"the answer to SSLRequest is {got}, expected S or N")


def _text_line(connection: Connection) -> str:
    return plain(read_line(connection).decode(errors="replace"), 120)


STARTTLS: dict[str, Callable[[Connection], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
    "ftp": _ftp,
}
