"""A connection as client libraries want it: like a socket, but every read and write stands under the probe's deadline.

    Connection (TCP, TLS: libcurl)  ─┐
                                     ├─▶ Stream ─▶ pymysql, redis-py, our own PostgreSQL
    UnixConnection (a socket file)  ─┘

The time-outs of those libraries hold for one operation each: a peer that sends a byte a second would keep them busy for
ever. Here the deadline, and how many bytes may come, stand over all operations together; ProbeFailed goes through the
library to the probe. The time-outs that a library sets are not heard.
"""

from __future__ import annotations

import io
import os
import select
import socket
from types import TracebackType
from typing import Protocol

from monitor.model import Kind
from monitor.probes.awaited import Awaited
from monitor.probes.connection import Connection, Tls
from monitor.probes.deadline import Deadline
from monitor.probes.exhaustion import EXHAUSTED_CONNECTING
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration, plain

_CHUNK_BYTES = 16384


class Transport(Protocol):
    """What a `Stream` needs of a connection."""

    deadline: Deadline
    phases_ms: dict[str, float]
    address: str
    chain: tuple[bytes, ...]
    awaited: Awaited

    def open(self) -> None: ...
    def close(self) -> None: ...
    def start_tls(self, tls: Tls) -> None: ...
    def send(self, data: bytes) -> None: ...
    def receive(self, limit: int) -> bytes: ...
    def failed(self, kind: Kind, message: str) -> ProbeFailed: ...


class UnixConnection:
    """A connection to a socket file, under one deadline like a `Connection`."""

    def __init__(self, path: str, timeout_s: float) -> None:
        self.path = path
        self.deadline = Deadline(timeout_s)
        self.phases_ms: dict[str, float] = {}
        self.address = path
        self.chain: tuple[bytes, ...] = ()
        self._socket: socket.socket | None = None
        self.awaited = Awaited()

    def open(self) -> None:
        """Connect."""
        self._socket = opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        opened.settimeout(self.deadline.left_as_timeout_s)
        try:
            opened.connect(self.path)
        except TimeoutError as error:
            raise self.failed(
                Kind.TIMEOUT, f"no connection within {format_duration(self.deadline.timeout_s)}"
            ) from error
        except OSError as error:
            if error.errno in EXHAUSTED_CONNECTING:
                raise
            # A path that is too long has no error number.
            reason = os.strerror(error.errno) if error.errno else plain(str(error), 80)
            raise self.failed(Kind.CONNECT, f"no connection to {plain(self.path, 120)} ({reason})") from error
        opened.setblocking(False)
        self.phases_ms["connect"] = self.deadline.elapsed_ms

    def start_tls(self, tls: Tls) -> None:
        raise self.failed(Kind.TLS, "a Unix socket has no TLS")

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.awaited.has_begun = False
        left = memoryview(data)
        while left:
            self._wait(select.POLLOUT)
            try:
                left = left[self._open_socket.send(left) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._broken(error) from error

    def receive(self, limit: int) -> bytes:
        """Return what is there, at least one byte and at most `limit`; b"" when the peer has closed."""
        while True:
            self._wait(select.POLLIN)
            try:
                piece = self._open_socket.recv(limit)
            except BlockingIOError:
                continue
            except OSError as error:
                raise self._broken(error) from error
            self.awaited.has_begun = True
            return piece

    def failed(self, kind: Kind, message: str) -> ProbeFailed:
        return ProbeFailed(kind, message, self.phases_ms | {"total": self.deadline.elapsed_ms}, self.address)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    @property
    def _open_socket(self) -> socket.socket:
        assert self._socket is not None, "open() comes first"
        return self._socket

    def _wait(self, event: int) -> None:
        waiting = select.poll()
        waiting.register(self._open_socket, event)
        if not self.deadline.left_s or not waiting.poll(self.deadline.left_s * 1000 + 1):
            raise self.failed(Kind.TIMEOUT, self.awaited.silence(self.deadline.timeout_s))

    def _broken(self, error: OSError) -> ProbeFailed:
        reason = os.strerror(error.errno or 0)
        return self.failed(Kind.PROTOCOL, f"the connection broke{self.awaited.before}: {reason}")


class Stream(io.RawIOBase):
    """A transport with the face of a socket; at most `limit_bytes` come through it."""

    def __init__(self, transport: Transport, limit_bytes: int) -> None:
        super().__init__()
        self.transport = transport
        self._limit_bytes, self._left_bytes = limit_bytes, limit_bytes

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if not self.closed:
            self.transport.close()
        super().close()

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview, /) -> int:  # type: ignore[override]
        piece = self.recv(len(into))
        into[: len(piece)] = piece
        return len(piece)

    def recv(self, limit: int) -> bytes:
        """Receive as a socket does."""
        if self._left_bytes <= 0:
            raise self.transport.failed(
                Kind.CONTENT, f"the answer is longer than {self._limit_bytes // 1_000_000} MB, of which none was kept"
            )
        piece = self.transport.receive(min(limit, _CHUNK_BYTES))
        self._left_bytes -= len(piece)
        return piece

    def recv_into(self, into: bytearray | memoryview, *_: object) -> int:
        return self.readinto(into)

    def sendall(self, data: bytes) -> None:
        self.transport.send(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Return a reader for one phase of the talk; it may be dropped without closing the connection."""
        return io.BufferedReader(_Borrowed(self), _CHUNK_BYTES)

    def settimeout(self, _seconds: float | None) -> None: ...
    def gettimeout(self) -> float:
        return self.transport.deadline.left_s

    def shutdown(self, _how: int) -> None: ...


class _Borrowed(io.RawIOBase):
    """Reads from a stream and leaves it open when it is collected or closed."""

    def __init__(self, stream: Stream) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview, /) -> int:  # type: ignore[override]
        return self._stream.readinto(into)


def transport_to(host: str, port: int, unix_socket: str, timeout_s: float) -> Transport:
    """Return the transport, not yet opened: to the socket file when there is one, else to the host."""
    return UnixConnection(unix_socket, timeout_s) if unix_socket else Connection(host, port, timeout_s)
