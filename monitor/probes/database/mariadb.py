"""MariaDB and MySQL through PyMySQL: a session that can only read."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, TypeVar

import pymysql
from pymysql.constants import CR, FIELD_TYPE

from monitor.config.databaseurl import DatabaseUrl, TlsMode
from monitor.model import Kind
from monitor.probes.connection import Tls
from monitor.probes.database.session import Connections, DatabaseFailed, Rows, Value
from monitor.probes.stream import Stream
from monitor.probes.verdict import ProbeFailed

T = TypeVar("T")
_SHARE = 0.9
_AUTH = (1044, 1045, 1130, 1142, 1143, 1227, 1251, 1275, 1370, 1524, 1698, 1820, 1862, 3118, 3159, 3955, 4151)
_TOO_MANY = (1040, 1041, 1129, 1135, 1203, 1226)
_TOO_LONG = (1205, 1317, 1969, 3024)
_KINDS = (
    dict.fromkeys(_AUTH, Kind.AUTH) | dict.fromkeys(_TOO_MANY, Kind.RESOURCE) | dict.fromkeys(_TOO_LONG, Kind.TIMEOUT)
)
# Not what the server said, but what PyMySQL met.
_CLIENT = range(CR.CR_ERROR_FIRST, 2999)
# What PyMySQL raises when the peer speaks something else.
_GARBLED = (struct.error, ValueError, LookupError, TypeError, AttributeError, AssertionError, ArithmeticError)
_INTEGERS = (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG, FIELD_TYPE.INT24, FIELD_TYPE.YEAR)


def _decimal(text: str) -> int | float:
    return float(text) if "." in text or "e" in text.lower() else int(text)


_DECODERS: dict[int, Callable[[Any], Any]] = dict.fromkeys(_INTEGERS, int)
_DECODERS |= dict.fromkeys((FIELD_TYPE.FLOAT, FIELD_TYPE.DOUBLE), float)
_DECODERS |= dict.fromkeys((FIELD_TYPE.DECIMAL, FIELD_TYPE.NEWDECIMAL), _decimal)


class _Handshake:
    """Stands where PyMySQL has the context of `ssl`: the stream makes the handshake, under the probe's deadline."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls

    def wrap_socket(self, sock: Stream, server_hostname: str) -> Stream:
        sock.transport.start_tls(self._tls)
        return sock


class _Client(pymysql.connections.Connection):  # type: ignore[misc]
    """PyMySQL without a context of its own, which would read the system's certificates each time."""

    def __init__(self, tls: Tls, **more: Any) -> None:
        self._handshake = _Handshake(tls)
        super().__init__(defer_connect=True, **more)

    def _create_ssl_ctx(self, _settings: object) -> _Handshake:
        return self._handshake


class _NeverInClear:
    """Stands for the ways to log in by which the password goes over the wire as it is, or as good as that."""

    def __init__(self, _client: _Client) -> None:
        pass

    def authenticate(self, _packet: object) -> None:
        # Any peer can ask for them.
        said = (
            "the server asks for the password in clear text (mysql_clear_password, dialog) or as good as that "
            "(mysql_old_password), which it gets over verified TLS or a Unix socket only: set tls: verify (and ca_file)"
        )
        raise pymysql.OperationalError(CR.CR_AUTH_PLUGIN_CANNOT_LOAD, said)


_IN_CLEAR = dict.fromkeys(("mysql_clear_password", "dialog", "mysql_old_password"), _NeverInClear)


def open_mariadb(url: DatabaseUrl, tls: TlsMode, ca_file: str | None, stream: Stream) -> MariaDb:
    """Return a session that is logged in."""
    is_encrypted = tls != "off" and not url.socket
    client = _Client(
        Tls(verify=tls == "verify", ca_file=ca_file),
        host=url.host or "localhost",
        user=url.user,
        # A text would be sent in Latin-1.
        password=url.password.encode(),
        database=url.name or None,
        conv=_DECODERS,
        autocommit=None,
        charset="utf8mb4",
        program_name="greenwall",
        ssl={"required": True} if is_encrypted and tls != "prefer" else None,
        ssl_disabled=not is_encrypted,
        auth_plugin_map={} if url.socket or (is_encrypted and tls == "verify") else _IN_CLEAR,
    )
    session = MariaDb(client, stream)
    session.log_in()
    return session


class MariaDb:
    """A session over a stream."""

    def __init__(self, client: _Client, stream: Stream) -> None:
        self._client, self._stream = client, stream
        self._is_bounded = False

    @property
    def version(self) -> str:
        # MariaDB says 5.5.5 first, for the sake of old replicas.
        return str(self._client.get_server_info()).removeprefix("5.5.5-")

    @property
    def _is_mariadb(self) -> bool:
        return "mariadb" in self.version.lower()

    def log_in(self) -> None:
        """Log in; DatabaseFailed when the server refuses."""
        self._do(lambda: self._client.connect(self._stream))

    def query(self, sql: str, most_rows: int) -> Rows:
        """Return the rows of one statement; the server stops after `most_rows`."""
        if not self._is_bounded:
            self._bound()
        self._ask(f"SET SESSION sql_select_limit = {most_rows}")
        return self._ask(sql, most_rows)

    def connections(self) -> Connections:
        used = self._ask("SHOW GLOBAL STATUS LIKE 'Threads_connected'").first
        most = self._ask("SELECT @@global.max_connections").first
        try:
            return Connections(int(str((used or ())[1])), int(str((most or ())[0])))
        except (LookupError, ValueError) as error:
            raise DatabaseFailed(Kind.CONTENT, "the server has no figures about its connections") from error

    def lag_s(self) -> float:
        rows = self._all("SHOW ALL SLAVES STATUS" if self._is_mariadb else self._replica_status)
        if not rows:
            raise DatabaseFailed(Kind.CONTENT, "the server is no replica")
        lags = [row.get("Seconds_Behind_Master", row.get("Seconds_Behind_Source")) for row in rows]
        numbers = [lag for lag in lags if isinstance(lag, (int, float))]
        if len(numbers) < len(lags):
            raise DatabaseFailed(Kind.CONTENT, "replication does not run (Seconds_Behind_Master is NULL)")
        return float(max(numbers))

    def close(self) -> None:
        """Say goodbye, and close."""
        if self._client.open:
            self._client.close()
        self._stream.close()

    @property
    def _replica_status(self) -> str:
        major = self.version.split(".")[0]
        return "SHOW REPLICA STATUS" if major.isdigit() and int(major) >= 8 else "SHOW SLAVE STATUS"

    def _bound(self) -> None:
        """Let the session only read, and end what takes longer than is left."""
        self._is_bounded = True
        left_s = self._stream.transport.deadline.left_s * _SHARE
        self._ask("SET SESSION TRANSACTION READ ONLY")
        limit = (
            f"max_statement_time = {left_s:.3f}" if self._is_mariadb else f"max_execution_time = {left_s * 1000:.0f}"
        )
        try:
            self._ask(f"SET SESSION lock_wait_timeout = {math.ceil(left_s)}, SESSION {limit}")
        except DatabaseFailed as error:
            # What only speaks the protocol may not know these; the deadline here stands in any case.
            if error.kind is not Kind.STATUS:
                raise

    def _ask(self, sql: str, most_rows: int = 1) -> Rows:
        return self._do(lambda: self._fetch(sql, most_rows))

    def _fetch(self, sql: str, most_rows: int) -> Rows:
        with self._client.cursor() as cursor:
            cursor.execute(sql)
            columns = tuple(str(column[0]) for column in cursor.description or ())
            first = cursor.fetchone() if columns else None
            count = cursor.rowcount if columns else 0
        row = None if first is None else tuple(map(_value, first))
        return Rows(columns, row, count, cut=count >= most_rows)

    def _all(self, sql: str) -> list[dict[str, Any]]:
        def fetch() -> list[dict[str, Any]]:
            with self._client.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        return self._do(fetch)

    def _do(self, talk: Callable[[], T]) -> T:
        """Return what the talk returns; what PyMySQL raises becomes a failure with a kind."""
        try:
            return talk()
        except ProbeFailed:
            raise
        except pymysql.MySQLError as error:
            raise self._refusal(error) from error
        except RuntimeError as error:
            # It has no package for this way to log in, or the server asks for a file of this machine.
            kind = Kind.UNCONFIGURED if "package is required" in str(error) else Kind.PROTOCOL
            raise DatabaseFailed(kind, str(error)) from error
        except UnicodeDecodeError as error:
            raise DatabaseFailed(Kind.CONTENT, "the answer holds text that is not UTF-8") from error
        except _GARBLED as error:
            what = f"not as MySQL or MariaDB speaks ({type(error).__name__})"
            raise self._stream.transport.failed(Kind.PROTOCOL, what) from error

    def _refusal(self, error: pymysql.MySQLError) -> DatabaseFailed | ProbeFailed:
        code, words = (*error.args, "", "")[:2]
        if not isinstance(code, int) or code == 0 or code in _CLIENT or isinstance(error, pymysql.InterfaceError):
            kind = Kind.TLS if code == CR.CR_SSL_CONNECTION_ERROR else Kind.PROTOCOL
            said = str(words if isinstance(code, int) else code) or "the server closed the connection"
            return self._stream.transport.failed(kind, said.replace("MySQL server", "the server")[:200])
        return DatabaseFailed(_KINDS.get(code, Kind.STATUS), str(words), str(code))


def _value(value: object) -> Value:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
