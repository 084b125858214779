"""PostgreSQL, and what speaks its protocol (version 3): a session that can only read.

    SSLRequest ─▶ TLS ─▶ StartupMessage ─▶ password (SCRAM, MD5, clear) ─▶ BEGIN READ ONLY ─▶ the query ─▶ ROLLBACK

The transaction, and not settings of the session, makes it read-only and bounds its time: behind a pooler settings would
be left to the next client. https://www.postgresql.org/docs/current/protocol.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

from monitor.config.databaseurl import DatabaseUrl, TlsMode
from monitor.model import Kind
from monitor.probes.connection import Tls
from monitor.probes.database.postgreslogin import Login
from monitor.probes.database.session import MOST_BYTES, Connections, DatabaseFailed, Rows, Value
from monitor.probes.stream import Stream
from monitor.probes.verdict import ProbeFailed
from monitor.units import is_words, plain

_PROTOCOL, _SSL_REQUEST = 196608, 80877103
# Fewer milliseconds for the server than are left here, so that it is the one to say that it took too long.
_SHARE = 0.9

_KINDS = {
    "3D000": Kind.STATUS,
    "28": Kind.AUTH,
    "42501": Kind.AUTH,
    "53": Kind.RESOURCE,
    "54": Kind.STATUS,
    "57014": Kind.TIMEOUT,
    "55P03": Kind.TIMEOUT,
}
# PgBouncer has no other code. Said to what proves the password, it means that it was wrong.
_POOLER_SAYS_NO = "08P01"
# https://www.postgresql.org/docs/current/catalog-pg-type.html
_INTEGERS, _FLOATS, _NUMERIC, _BOOL = (20, 21, 23, 26), (700, 701), 1700, 16

_CONNECTIONS = """SELECT (SELECT sum(numbackends) FROM pg_catalog.pg_stat_database)::bigint,
 pg_catalog.current_setting('max_connections')::bigint"""
# Without a connection to its primary it has replayed all that it received, and still knows nothing of what is new.
_LAG = """SELECT pg_catalog.pg_is_in_recovery(),
 CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_stat_get_wal_receiver() AS r WHERE r.pid IS NOT NULL)
   AND pg_catalog.pg_last_wal_receive_lsn() = pg_catalog.pg_last_wal_replay_lsn() THEN 0
 ELSE greatest(extract(epoch FROM clock_timestamp() - pg_catalog.pg_last_xact_replay_timestamp()), 0) END::float8"""


def open_postgres(url: DatabaseUrl, tls: TlsMode, ca_file: str | None, stream: Stream) -> Postgres:
    """Return a session that is logged in."""
    if tls != "off" and not url.socket:
        stream.transport.awaited.what = "answer to SSLRequest"
        _encrypt(stream, tls, ca_file)
    stream.transport.awaited.what = "answer at login"
    session = Postgres(stream)
    session.log_in(url, tls)
    return session


def _encrypt(stream: Stream, tls: TlsMode, ca_file: str | None) -> None:
    stream.sendall(struct.pack("!ii", 8, _SSL_REQUEST))
    said = stream.recv(1)
    if said == b"S":
        stream.transport.start_tls(Tls(verify=tls == "verify", ca_file=ca_file))
    elif said == b"E":
        rest = stream.recv(300)
        if rest[:2] == b"\0\0":
            raise _refusal(rest[4:])
        # It cannot start a process, and says so before it has read anything, in words without a form.
        words = rest.decode("utf-8", "replace")
        if not is_words(words):
            raise _no_postgres(stream, said + rest)
        raise stream.transport.failed(Kind.STATUS, f"the server broke off before the login: {plain(words, 200)}")
    elif said != b"N":
        raise _no_postgres(stream, said + (stream.recv(60) if said else b""))
    elif tls != "prefer":
        raise stream.transport.failed(Kind.TLS, "the server does not offer TLS; tls says that it must")


def _no_postgres(stream: Stream, said: bytes) -> ProbeFailed:
    got = repr(plain(said.decode("utf-8", "replace"), 60)) if said else "it closed the connection without a word"
    return stream.transport.failed(Kind.PROTOCOL, f"this is no PostgreSQL server: {got}")


class Postgres:
    """A session over a stream."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._reader = stream.makefile("rb")
        self._parameters: dict[str, str] = {}
        self._in_transaction = False

    @property
    def version(self) -> str:
        return self._parameters.get("server_version", "")

    def log_in(self, url: DatabaseUrl, tls: TlsMode) -> None:
        """Log in; DatabaseFailed when the server refuses."""
        settings = {"user": url.user, "database": url.name, "options": url.options, "application_name": "greenwall"}
        named = "".join(f"{name}\0{value}\0" for name, value in settings.items() if value)
        body = struct.pack("!i", _PROTOCOL) + f"{named}client_encoding\0UTF8\0\0".encode()
        self._stream.sendall(struct.pack("!i", len(body) + 4) + body)
        login = Login(url, tls, self._stream.transport)
        try:
            for kind, body in self._messages(first=True):
                if kind == b"R":
                    self._authenticate(login, body)
                elif kind == b"Z":
                    return
        except DatabaseFailed as error:
            if login.awaits_welcome and error.code == _POOLER_SAYS_NO:
                raise DatabaseFailed(Kind.AUTH, error.message, error.code) from error
            raise

    def _authenticate(self, login: Login, body: bytes) -> None:
        answer = login.answer(self._unpack("!i", body)[0], body[4:])
        if answer:
            self._send(b"p", answer)

    def begin(self) -> None:
        """Begin the transaction in which everything runs."""
        self._in_transaction = True
        limit_ms = max(int(self._stream.transport.deadline.left_s * 1000 * _SHARE), 1)
        self._send(b"Q", f"BEGIN READ ONLY; SET LOCAL statement_timeout = {limit_ms}\0".encode())
        self._until_ready()

    def query(self, sql: str, most_rows: int) -> Rows:
        """Return the rows of one statement. The server refuses several, and stops after `most_rows`."""
        if not self._in_transaction:
            self.begin()
        # Parse, Bind, Describe, Execute, Sync.
        self._send(b"P", b"\0" + sql.encode() + b"\0\0\0", b"B", bytes(8), b"D", b"P\0")
        self._send(b"E", b"\0" + struct.pack("!i", most_rows), b"S", b"")
        return self._rows()

    def connections(self) -> Connections:
        row = self._numbers(_CONNECTIONS)
        return Connections(int(row[0]), int(row[1]))

    def lag_s(self) -> float:
        # Whatever failed before it has ended the transaction.
        self._send(b"Q", b"ROLLBACK\0")
        self._until_ready()
        self.begin()
        row = self.query(_LAG, 1).first
        if not row or row[0] is not True:
            raise DatabaseFailed(Kind.CONTENT, "the server is no replica")
        if not isinstance(row[1], (int, float)):
            raise DatabaseFailed(Kind.CONTENT, "the replica has not replayed anything yet, and is not connected")
        return float(row[1])

    def close(self) -> None:
        """End the transaction, so that a pooler can keep its connection; then say goodbye."""
        try:
            if self._in_transaction:
                self._send(b"Q", b"ROLLBACK\0")
                self._until_ready()
            self._send(b"X", b"")
        except (DatabaseFailed, ProbeFailed):
            pass  # The verdict stands already; the server notices by itself.
        finally:
            self._stream.close()

    def _numbers(self, sql: str) -> tuple[float, ...]:
        row = self.query(sql, 1).first or ()
        numbers = tuple(value for value in row if isinstance(value, (int, float)) and not isinstance(value, bool))
        if not row or len(numbers) != len(row):
            raise DatabaseFailed(Kind.CONTENT, "the server has no figures about its connections")
        return numbers

    def _rows(self) -> Rows:
        columns: list[tuple[str, int]] = []
        first: tuple[Value, ...] | None = None
        count, cut = 0, False
        for kind, body in self._messages():
            if kind == b"T":
                if columns:
                    raise self._garbled(body)
                columns = self._columns(body)
            elif kind == b"D":
                first = self._row(body, columns) if first is None else first
                count += 1
            elif kind == b"s":
                cut = True
            elif kind == b"G":
                # The server waits for data to copy: it gets none. The Sync that was sent before it did not hear.
                self._send(b"f", b"read only\0", b"S", b"")
            elif kind == b"Z":
                break
        return Rows(tuple(name for name, _ in columns), first, count, cut)

    def _columns(self, body: bytes) -> list[tuple[str, int]]:
        (count,), at = self._unpack("!h", body), 2
        columns = []
        for _ in range(count):
            end = body.find(b"\0", at)
            if end < 0:
                raise self._garbled(body[at:])
            name, at = body[at:end], end + 1 + 18
            columns.append((name.decode("utf-8", "replace"), self._unpack("!ihihih", body[end + 1 : at])[2]))
        return columns

    def _row(self, body: bytes, columns: list[tuple[str, int]]) -> tuple[Value, ...]:
        (count,), at = self._unpack("!h", body), 2
        if count != len(columns):
            raise self._garbled()
        row = []
        for _, oid in columns:
            size = self._unpack("!i", body[at : at + 4])[0]
            at += 4
            row.append(None if size < 0 else _value(oid, body[at : at + size]))
            at += max(size, 0)
        if at != len(body):
            raise self._garbled(body)
        return tuple(row)

    def _until_ready(self) -> None:
        for kind, _ in self._messages():
            if kind == b"Z":
                return

    def _messages(self, first: bool = False) -> Iterator[tuple[bytes, bytes]]:
        """Yield messages up to ReadyForQuery; then raise what the server said was wrong."""
        refused: DatabaseFailed | None = None
        while True:
            try:
                kind, body = self._message(first)
            except ProbeFailed as error:
                # After FATAL the server closes the connection: what it said before that is the reason.
                raise refused or error from error
            if kind == b"E":
                refused = refused or _refusal(body)
            elif kind == b"S":
                name, _, value = body.rstrip(b"\0").decode("utf-8", "replace").partition("\0")
                self._parameters[name] = value
            if refused and (first or kind == b"Z"):
                raise refused
            if refused is None:
                yield kind, body
            first = first and kind not in b"KZ"

    def _message(self, first: bool) -> tuple[bytes, bytes]:
        head = self._reader.read(5)
        if len(head) < 5 or not head[:1].isalnum():
            raise self._garbled(head) if not first else _no_postgres(self._stream, head)
        size = self._unpack("!i", head[1:])[0] - 4
        if first and (head[:1] not in b"RESKZNv" or not 0 <= size <= 100_000):
            raise _no_postgres(self._stream, head)
        if size < 0:
            raise self._garbled(head)
        if size > MOST_BYTES:
            what = f"the answer has {size // 1_000_000} MB, which is more than is read; select less"
            raise self._stream.transport.failed(Kind.CONTENT, what)
        body = self._reader.read(size)
        if len(body) < size:
            raise self._garbled(head + body)
        return head[:1], body

    def _send(self, *parts: bytes) -> None:
        """Send messages: kind, body, kind, body, …"""
        pairs = zip(parts[::2], parts[1::2], strict=True)
        self._stream.sendall(b"".join(kind + struct.pack("!i", len(body) + 4) + body for kind, body in pairs))

    def _unpack(self, form: str, data: bytes) -> tuple[int, ...]:
        try:
            return struct.unpack_from(form, data)
        except struct.error as error:
            raise self._garbled(data) from error

    def _garbled(self, got: bytes = b"") -> ProbeFailed:
        if not got:
            return self._stream.transport.failed(Kind.PROTOCOL, "the server closed the connection without a word")
        shown = repr(plain(got[:80].decode("utf-8", "replace"), 60))
        return self._stream.transport.failed(Kind.PROTOCOL, f"not as PostgreSQL speaks: {shown}")


def _value(oid: int, raw: bytes) -> Value:
    """Return the value of a column; what is no number (NaN, Infinity) stays text."""
    text = raw.decode("utf-8", "replace")
    if oid == _BOOL:
        return {"t": True, "f": False}.get(text, text)
    convert: Callable[[str], int | float] | None = int if oid in _INTEGERS else float if oid in _FLOATS else None
    if oid == _NUMERIC:
        convert = float if "." in text else int
    try:
        number = convert(text) if convert and "n" not in text.lower() else text
    except ValueError:
        return text
    return number


def _refusal(body: bytes) -> DatabaseFailed:
    """Return what an ErrorResponse says, its words as the server has them."""
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code = fields.get(b"C", "")
    kind = next((_KINDS[code[:size]] for size in (5, 2) if code[:size] in _KINDS), Kind.STATUS)
    words = fields.get(b"M") or "an error without words"
    hint = fields.get(b"D", "")
    return DatabaseFailed(kind, plain(words, 200) + (f" ({plain(hint, 100)})" if hint else ""), code)
