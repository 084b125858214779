"""How protocols go over from plain text to TLS, and replies with a code, which SMTP and FTP have in common.

STARTTLS["imap"](connection)     says what must be said; the handshake is next
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

from monitor.model import Finding, Kind
from monitor.probes.connection import Connection
from monitor.probes.verdict import ProbeFailed
from monitor.units import clip, plain

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
    connection.awaited.said = plain((coded[1] + b" " + lines[0]).decode(errors="replace"), 80)
    return Reply(int(coded[1]), b"\n".join(lines))


def ask(connection: Connection, command: str, step: str = "") -> Reply:
    """Return the reply to a command; `step` names it where its first word does not."""
    connection.awaited.what = f"answer to {step or command.partition(' ')[0]}"
    connection.send(command.encode() + b"\r\n")
    return read_reply(connection)


def greeting_of(connection: Connection) -> Reply:
    """Return the greeting of an SMTP or FTP server; raise ProbeFailed with Kind.STATUS when it turns us away."""
    connection.awaited.what = "greeting"
    reply = read_reply(connection)
    if reply.code != 220:
        raise unexpected(connection, Kind.STATUS, Finding("greeting", "220", str(reply)), reply.code)
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
        raise unexpected(connection, Kind.STATUS, Finding("the reply to EHLO", "250", str(reply)), reply.code)
    return reply


def smtp_starttls(connection: Connection) -> None:
    """Ask for the handshake."""
    reply = ask(connection, "STARTTLS")
    if reply.code != 220:
        raise refused(connection, Finding("the reply to STARTTLS", "220", str(reply)), reply.code)


def unexpected(connection: Connection, kind: Kind, finding: Finding, code: int | None = None) -> ProbeFailed:
    """Return the failure of a step that was answered otherwise than it must be."""
    return connection.failed(kind, str(finding), code, [finding])


def refused(connection: Connection, finding: Finding, code: int | None = None) -> ProbeFailed:
    return connection.failed(Kind.TLS, f"the server does not start TLS: {finding.got}", code, [finding])


def _smtp(connection: Connection) -> None:
    greeting_of(connection)
    say_hello(connection)
    smtp_starttls(connection)


def _ftp(connection: Connection) -> None:
    greeting_of(connection)
    reply = ask(connection, "AUTH TLS")
    if reply.code != 234:
        raise refused(connection, Finding("the reply to AUTH TLS", "234", str(reply)), reply.code)


def _imap(connection: Connection) -> None:
    greeting = _text_line(connection, "greeting")
    if not greeting.upper().startswith("* OK"):
        kind = Kind.STATUS if greeting.startswith("* ") else Kind.PROTOCOL
        raise unexpected(connection, kind, Finding("greeting", "* OK", repr(greeting)))
    connection.send(b"a STARTTLS\r\n")
    for _ in range(_LINES):
        answer = _text_line(connection, "answer to STARTTLS")
        if answer.upper().startswith("A OK"):
            return
        if not answer.startswith("* "):
            break
    raise refused(connection, Finding("the answer to STARTTLS", "a OK", answer))


def _pop3(connection: Connection) -> None:
    greeting = _text_line(connection, "greeting")
    if not greeting.startswith("+OK"):
        kind = Kind.STATUS if greeting.startswith("-ERR") else Kind.PROTOCOL
        raise unexpected(connection, kind, Finding("greeting", "+OK", repr(greeting)))
    connection.send(b"STLS\r\n")
    answer = _text_line(connection, "answer to STLS")
    if not answer.startswith("+OK"):
        raise refused(connection, Finding("the answer to STLS", "+OK", answer))


def _postgres(connection: Connection) -> None:
    connection.awaited.what = "answer to SSLRequest"
    connection.send(_POSTGRES_SSL)
    answer = connection.receive(1)
    if answer == b"N":
        raise refused(connection, Finding("the answer to SSLRequest", "S", "ssl is off"))
    if answer != b"S":
        got = f"{answer!r}"[1:] if answer else "the end of the connection"
        raise connection.failed(Kind.PROTOCOL, f"the answer to SSLRequest is {got}, expected S or N")


def _text_line(connection: Connection, what: str) -> str:
    connection.awaited.what = what
    line = plain(read_line(connection).decode(errors="replace"), 120)
    connection.awaited.said = clip(line, 80)
    return line


STARTTLS: dict[str, Callable[[Connection], None]] = {
    "smtp": _smtp,
    "imap": _imap,
    "pop3": _pop3,
    "postgres": _postgres,
    "ftp": _ftp,
}
