"""A session with a Redis server through redis-py, over a `Stream`: under one deadline, with a bounded answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import redis
from redis.connection import AbstractConnection

from monitor.config.redisurl import RedisUrl
from monitor.model import Kind
from monitor.probes.connection import Tls
from monitor.probes.stream import Stream, transport_to
from monitor.probes.verdict import ProbeFailed
from monitor.units import is_words, plain

_MOST_BYTES = 2_000_000
# What redis-py raises when the peer speaks something else.
_GARBLED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, AssertionError)
# The first word of an error says what it is: https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors
_KINDS = {
    "NOAUTH": Kind.AUTH,
    "WRONGPASS": Kind.AUTH,
    "NOPERM": Kind.AUTH,
    "DENIED": Kind.AUTH,
    "OOM": Kind.RESOURCE,
    "WRONGTYPE": Kind.CONTENT,
}
T = TypeVar("T")
Reply = Any


class RedisRefused(Exception):
    """The server answered with an error: the kind of failure, and its own words."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class _Line(AbstractConnection):
    """redis-py's connection on a stream that is open already."""

    host = ""

    def __init__(self, stream: Stream, url: RedisUrl) -> None:
        self._stream = stream
        super().__init__(
            db=url.database,
            username=url.user or None,
            password=url.password or None,
            protocol=2,
            driver_info=None,
            socket_timeout=None,
            socket_connect_timeout=None,
        )

    def _connect(self) -> Stream:
        return self._stream

    def _host_error(self) -> str:
        return "the server"

    def repr_pieces(self) -> list[tuple[str, str]]:
        return []


class RedisServer:
    """A session that is logged in; `with` closes it."""

    def __init__(self, url: RedisUrl, tls: Tls, timeout_s: float) -> None:
        self.transport = transport_to(url.host, url.port, url.socket, timeout_s)
        self._stream = Stream(self.transport, _MOST_BYTES)
        self._line = _Line(self._stream, url)
        self._url, self._tls = url, tls

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.disconnect()  # type: ignore[no-untyped-call]
        self._stream.close()

    def log_in(self) -> None:
        """Connect and log in; ProbeFailed when there is no connection, RedisRefused when the server says no."""
        self.transport.open()
        if self._url.is_encrypted:
            self.transport.start_tls(self._tls)
        before = self.transport.deadline.elapsed_ms
        self.transport.awaited.what = f"answer to {'AUTH' if self._url.password else 'SELECT'}"
        self._do(self._line.connect)
        self.transport.phases_ms["login"] = self.transport.deadline.elapsed_ms - before

    def ask(self, *command: str | int) -> Reply:
        """Return the reply to one command: bytes, an integer, None or a list of them."""

        self.transport.awaited.what = f"answer to {command[0]}"

        def talk() -> Reply:
            self._line.send_command(*command)  # type: ignore[no-untyped-call]
            return self._line.read_response()

        return self._do(talk)

    def info(self) -> dict[str, str]:
        """Return the fields of INFO, of all its sections."""
        reply = self.ask("INFO")
        if not isinstance(reply, bytes):
            raise self.transport.failed(Kind.PROTOCOL, "INFO gave no text")
        rows = (line.partition(":") for line in reply.decode("utf-8", "replace").splitlines())
        return {name: value for name, sign, value in rows if sign}

    def _do(self, talk: Callable[[], T]) -> T:
        try:
            return talk()
        except ProbeFailed:
            raise
        except redis.RedisError as error:
            raise self._refusal(error) from error
        except _GARBLED as error:
            what = f"not as Redis speaks ({type(error).__name__})"
            raise self.transport.failed(Kind.PROTOCOL, what) from error

    def _refusal(self, error: redis.RedisError) -> RedisRefused | ProbeFailed:
        """Return the failure that a reply stands for; redis-py takes the first word away from some of them."""
        word = str(getattr(error, "status_code", None) or "")
        said = f"{word} {error}".strip()
        words = plain(said, 200)
        if not is_words(said):
            return self.transport.failed(Kind.PROTOCOL, f"not as Redis speaks: {words}")
        if word and not words.startswith("ERR max number of clients"):
            is_auth = isinstance(error, redis.AuthenticationError)
            return RedisRefused(Kind.AUTH if is_auth else _KINDS.get(word, Kind.STATUS), words)
        if isinstance(error, redis.ResponseError):
            return RedisRefused(_KINDS.get(words.split(" ")[0], Kind.STATUS), words or "an error without words")
        if "max number of clients" in words:
            return RedisRefused(Kind.RESOURCE, words)
        return self.transport.failed(Kind.PROTOCOL, words or "the server closed the connection")


def tls_of(verify: bool, ca_file: str | None, server_name: str | None, url: RedisUrl) -> Tls:
    """Return how to encrypt: what the check says, and `ssl_cert_reqs=none` of its URL."""
    return Tls(verify=verify and not url.is_unverified, ca_file=ca_file, server_name=server_name)
