"""A connected UDP socket under a deadline. Being connected, it hears from the network that a port is closed."""

from __future__ import annotations

import select
import socket
import time
from types import TracebackType

from monitor.model import Kind
from monitor.probes.exhaustion import EXHAUSTED_CONNECTING
from monitor.probes.verdict import ProbeFailed
from monitor.units import plain

_REFUSED = "connection refused: nothing listens on this port"


class Datagrams:
    """What goes to one address and port and comes from there; closed at the end of its `with`.

    ProbeFailed with Kind.CONNECT: the network says that nobody is there.
    """

    def __init__(self, address: str, port: int) -> None:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._sock = socket.socket(family, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        try:
            # The address is a number: nothing is looked up.
            self._sock.connect((address, port))
        except OSError as error:
            self._sock.close()
            raise _failure(error) from error

    def __enter__(self) -> Datagrams:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._sock.close()

    def send(self, datagram: bytes) -> None:
        try:
            self._sock.send(datagram)
        except BlockingIOError:
            # The queue is full; a datagram may get lost here as well as anywhere.
            return
        except OSError as error:
            raise _failure(error) from error

    def receive(self, until: float) -> bytes | None:
        """Return the next datagram; None when there is none by then (monotonic seconds)."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        while (left_s := until - time.monotonic()) > 0:
            if not poll.poll(left_s * 1000):
                continue
            try:
                return self._sock.recv(65535)
            except BlockingIOError:
                continue  # its checksum was wrong
            except OSError as error:
                raise _failure(error) from error
        return None


def _failure(error: OSError) -> Exception:
    """Return the failure; an error that is the fault of this machine stays as it is."""
    if error.errno in EXHAUSTED_CONNECTING:
        return error
    refused = isinstance(error, ConnectionRefusedError)
    return ProbeFailed(Kind.CONNECT, _REFUSED if refused else plain(error.strerror or str(error)))
