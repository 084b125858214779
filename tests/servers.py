"""A peer on loopback that answers each connection with raw bytes, or misbehaves as a script says.

with Peer(OK) as peer:            every connection gets these bytes after its request
with Peer(first, second) as peer: one after the other, the last one from then on
with Peer(drip(b"x")) as peer:    a script is a function of the connection
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

Script = Callable[["Connection"], None]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(body: bytes | str, status: str = "200 OK", **headers: str) -> bytes:
    """Return a whole answer; `Content_Type="…"` becomes a header, a given `Content_Length` replaces the right one."""
    raw = body.encode() if isinstance(body, str) else body
    lines = {"Content_Length": str(len(raw))} | headers
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + raw


def redirect(to: str, status: str = "302 Found") -> bytes:
    return answer("", status, Location=to)


class Connection:
    """One connection and the request that came by it; it ends when its script returns."""

    def __init__(self, sock: socket.socket, closing: threading.Event) -> None:
        self.sock, self.closing, self.request = sock, closing, b""

    def read_request(self) -> None:
        while b"\r\n\r\n" not in self.request:
            self.request += self._more()
        head, _, body = self.request.partition(b"\r\n\r\n")
        sizes = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while len(body) < sum(sizes):
            piece = self._more()
            body, self.request = body + piece, self.request + piece

    def _more(self) -> bytes:
        piece = self.sock.recv(65536)
        if not piece:
            raise ConnectionResetError("gone before its request ended")
        return piece

    def send(self, raw: bytes) -> None:
        self.sock.sendall(raw)

    def hold(self) -> None:
        """Stay silent until the client goes away."""
        while self.sock.recv(65536):
            pass


def greets(*pieces: bytes, every_s: float = 0.0, hold: bool = True) -> Script:
    """Speak first, these pieces; then listen, or go away."""

    def script(connection: Connection) -> None:
        for piece in pieces:
            connection.send(piece)
            if every_s and connection.closing.wait(every_s):
                return
        if hold:
            connection.hold()

    return script


def says(*pieces: bytes, every_s: float = 0.0, hold: bool = True) -> Script:
    """Answer what comes first with these pieces; then listen, or go away."""
    greet = greets(*pieces, every_s=every_s, hold=hold)

    def script(connection: Connection) -> None:
        connection.sock.recv(65536)
        greet(connection)

    return script


def one_by_one(*each: bytes) -> Script:
    """Answer what comes with these, one after the other, and then stay silent."""

    def script(connection: Connection) -> None:
        for reply in each:
            if not connection.sock.recv(65536):
                return
            connection.send(reply)
        connection.hold()

    return script


def then_silence(raw: bytes) -> Script:
    """Send this, and then nothing more."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(raw)
        connection.hold()

    return script


def drip(start: bytes, piece: bytes = b"x", every_s: float = 0.05) -> Script:
    """Send the start, and then a piece now and then, without an end."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        while not connection.closing.wait(every_s):
            connection.send(piece)

    return script


def flood(start: bytes, piece: bytes, pieces: int | None = None) -> Script:
    """Send the start, and then pieces as fast as they are taken: so many, or without an end."""

    def script(connection: Connection) -> None:
        connection.read_request()
        connection.send(start)
        sent = 0
        while sent != pieces and not connection.closing.is_set():
            connection.send(piece)
            sent += 1

    return script


def reset(connection: Connection) -> None:
    """Break the connection off with an RST."""
    connection.read_request()
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


class Peer:
    """The listener, its threads, and the connections that it got."""

    def __init__(self, *scripts: bytes | Script, tls: ssl.SSLContext | None = None) -> None:
        self.scripts, self.tls = list(scripts), tls
        self.connections: list[Connection] = []
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def requests(self) -> list[bytes]:
        return [connection.request for connection in self.connections]

    def __enter__(self) -> Peer:
        self._acceptor.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._closing.set()
        socket.create_connection(("127.0.0.1", self.port), 5).close()
        self._acceptor.join(5)
        self._listener.close()
        for connection in self.connections:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in (self._acceptor, *self._threads)), "a script did not end"

    def _accept(self) -> None:
        while True:
            sock, _ = self._listener.accept()
            if self._closing.is_set():
                sock.close()
                return
            if self.tls:
                sock = self.tls.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            connection = Connection(sock, self._closing)
            self.connections.append(connection)
            thread = threading.Thread(target=_serve, args=(connection, script), daemon=True)
            thread.start()
            self._threads.append(thread)


def _serve(connection: Connection, script: bytes | Script) -> None:
    # What a client that gives up does to its connection is of no interest here.
    with connection.sock, suppress(OSError):
        if isinstance(connection.sock, ssl.SSLSocket):
            connection.sock.do_handshake()
        if callable(script):
            script(connection)
            return
        connection.read_request()
        connection.send(script)
        # A close with something unread would be a reset, and the client might lose the end of its answer.
        connection.sock.shutdown(socket.SHUT_WR)
        connection.hold()
