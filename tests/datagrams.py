"""A UDP peer on loopback that answers each datagram as a script says, or says nothing.

with UdpPeer(lambda datagram: [b"pong"]) as peer:    these datagrams for each one that comes
with UdpPeer() as peer:                              silence
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable, Iterable
from types import TracebackType

Answers = Callable[[bytes], Iterable[bytes]]


def silence(_datagram: bytes) -> Iterable[bytes]:
    return ()


class UdpPeer:
    def __init__(self, answers: Answers = silence, port: int = 0) -> None:
        self.answers = answers
        self.received: list[bytes] = []
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.bind(("127.0.0.1", port))
        self.port: int = self._sock.getsockname()[1]
        self._wake, self._stop = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> UdpPeer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop.close()
        self._thread.join(5)
        assert not self._thread.is_alive(), "a script did not end"
        self._sock.close()
        self._wake.close()

    def _serve(self) -> None:
        while True:
            ready, _, _ = select.select([self._sock, self._wake], [], [])
            if self._wake in ready:
                return
            datagram, peer = self._sock.recvfrom(65535)
            self.received.append(datagram)
            for piece in self.answers(datagram):
                self._sock.sendto(piece, peer)
