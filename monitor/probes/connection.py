"""One TCP connection, with or without TLS, for probes that talk a protocol of their own.

    with connect("mail.example", 25, timeout_s=10) as connection:
        greeting = connection.read_until(b"\\r\\n", 1000)
        connection.send(b"STARTTLS\\r\\n")
        connection.read_until(b"\\r\\n", 1000)
        connection.start_tls(Tls())

One deadline stands over name look-up, connect, handshake and all that is said. libcurl connects (IPv6 and IPv4 side by
side) and encrypts, and its words are those of the `http` checks. Two handles share one socket: the first one connected
it, the second one makes the handshake on it.

What is received is untrusted: show it through `plain`.
"""

from __future__ import annotations

import ipaddress
import os
import re
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import pycurl

from monitor.model import Finding, Kind
from monitor.probes.awaited import Awaited
from monitor.probes.curl import exhausted, kind_of_error
from monitor.probes.curl.failure import no_name, tls_words
from monitor.probes.curl.names import is_name
from monitor.probes.curl.reading import chain_of
from monitor.probes.deadline import Deadline
from monitor.probes.resolve import look_up
from monitor.probes.verdict import ProbeFailed
from monitor.units import format_duration, plain

_CHUNK_BYTES = 16384
_STUCK_AT = {False: "no connection", True: "connected, but the TLS handshake did not end"}
_NEGOTIATED = re.compile(r"SSL connection using (\S+) / (\S+)")


@dataclass(frozen=True, slots=True)
class Tls:
    """How to encrypt. `server_name` is what is asked for and verified, the host without it; `ca_file` an own bundle."""

    verify: bool = True
    ca_file: str | None = None
    server_name: str | None = None


def connect(
    host: str,
    port: int,
    timeout_s: float,
    tls: Tls | None = None,
    upgrade: Callable[[Connection], None] | None = None,
) -> Connection:
    """Return the connection, encrypted when `tls` is given; raise ProbeFailed when there is none by the deadline.

    `upgrade` talks in plain text first, until the peer is ready for the handshake (STARTTLS).
    """
    connection = Connection(host, port, timeout_s)
    try:
        connection.open()
        if upgrade:
            upgrade(connection)
        if tls:
            connection.start_tls(tls)
    except BaseException:
        connection.close()
        raise
    return connection


class Connection:
    """A connection under one deadline; made by `connect`, closed at the end of its `with`."""

    def __init__(self, host: str, port: int, timeout_s: float) -> None:
        self.host, self.port = host, port
        self.deadline = Deadline(timeout_s)
        self.phases_ms: dict[str, float] = {}
        self.address = ""
        self.local_address = ""
        # PEM, leaf first, as the peer sent them.
        self.chain: tuple[bytes, ...] = ()
        self.tls_version = ""
        self.cipher = ""
        self._handles: list[pycurl.Curl] = []
        self._buffer = bytearray()
        self.awaited = Awaited()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        if self.chain and self._handles:
            # To close with session tickets unread would be a reset, and mail servers log those.
            with suppress(BlockingIOError, pycurl.error):
                self._handles[-1].recv(_CHUNK_BYTES)
        while self._handles:
            self._handles.pop().close()

    def open(self) -> None:
        """Look up and connect."""
        self.phases_ms["dns"] = 0.0
        addresses = self._look_up() if is_name(self.host) else []
        looked_up_ms = self.deadline.elapsed_ms
        target = f"{_authority(self.host)}:{self.port}"
        curl = self._handle(f"http://{target}/")
        if addresses:
            curl.setopt(pycurl.RESOLVE, [f"{target}:{','.join(addresses)}"])
        try:
            self._perform(curl)
        finally:
            self.address = curl.getinfo(pycurl.PRIMARY_IP) or ""
            self.local_address = curl.getinfo(pycurl.LOCAL_IP) or ""
            self.phases_ms["dns"] = looked_up_ms
            connected_ms = curl.getinfo(pycurl.CONNECT_TIME) * 1000
            if connected_ms > 0:
                self.phases_ms["connect"] = connected_ms

    def _look_up(self) -> list[str]:
        try:
            return look_up(self.host, self.deadline)
        except ProbeFailed as late:
            raise self.failed(late.kind, late.message) from late
        except OSError as error:
            self.phases_ms["dns"] = self.deadline.elapsed_ms
            failure = no_name(self.host, error, self.deadline.elapsed_ms)
            raise self.failed(failure.kind, failure.message) from error

    def start_tls(self, tls: Tls) -> None:
        """Make the handshake; from here on everything is encrypted."""
        if self._buffer:
            # Whoever stands between could have put it there, to be taken for something that was said in secret.
            raise self.failed(Kind.PROTOCOL, f"the peer sent {len(self._buffer)} bytes too many before the handshake")
        before_ms = self.deadline.elapsed_ms
        sock = self._socket
        curl = self._handle(f"https://{_authority(tls.server_name or self.host)}:{self.port}/")
        # The address is known and connected; whatever the name, nothing is looked up.
        curl.setopt(pycurl.CONNECT_TO, [f"::{_authority(self.address)}:{self.port}"])
        curl.setopt(pycurl.OPENSOCKETFUNCTION, lambda _purpose, _address: socket.socket(fileno=os.dup(sock)))
        curl.setopt(pycurl.SOCKOPTFUNCTION, lambda _socket, _purpose: pycurl.SOCKOPT_ALREADY_CONNECTED)
        self._prepare_tls(curl, tls)
        try:
            self._perform(curl, secure=True)
        finally:
            self.chain = chain_of(curl)
        self.phases_ms["tls"] = self.deadline.elapsed_ms - before_ms

    def send(self, data: bytes) -> None:
        """Send all of it."""
        self.awaited.has_begun = False
        left = memoryview(data)
        while left:
            sent = self._try(self._handles[-1].send, left, select.POLLOUT)
            left = left[sent:]

    def receive(self, limit: int) -> bytes:
        """Return what is there, at least one byte and at most `limit`; b"" when the peer has closed."""
        if not self._buffer:
            self._fill(min(limit, _CHUNK_BYTES))
        taken = bytes(self._buffer[:limit])
        del self._buffer[:limit]
        return taken

    def read_until(self, marker: bytes, limit: int) -> bytes:
        """Return everything up to the marker, and the marker; what follows it is kept for the next read.

        Raises ProbeFailed with Kind.PROTOCOL when the peer closes before, or when it is not within `limit` bytes.
        """
        seen = 0
        while (at := self._buffer.find(marker, max(seen - len(marker) + 1, 0), limit)) < 0:
            seen = len(self._buffer)
            if seen >= limit:
                raise self.failed(
                    Kind.PROTOCOL, f"no {_escaped(marker)} within {limit} bytes, got {_shown(self._buffer)}"
                )
            if not self._fill(_CHUNK_BYTES):
                got = f" after {_shown(self._buffer)}" if seen else self.awaited.before or " without a word"
                raise self.failed(Kind.PROTOCOL, f"the peer closed the connection{got}")
        taken = bytes(self._buffer[: at + len(marker)])
        del self._buffer[: at + len(marker)]
        return taken

    @property
    def times_ms(self) -> dict[str, float]:
        """The phases, and `total` until now."""
        return self.phases_ms | {"total": self.deadline.elapsed_ms}

    def failed(
        self, kind: Kind, message: str, code: int | None = None, findings: Sequence[Finding] = ()
    ) -> ProbeFailed:
        """Return the failure of this connection, to be raised."""
        return ProbeFailed(kind, message, self.times_ms, self.address, self.chain, code, findings)

    @property
    def _socket(self) -> int:
        number: int = self._handles[-1].getinfo(pycurl.ACTIVESOCKET)
        return number

    def _handle(self, url: str) -> pycurl.Curl:
        curl = pycurl.Curl()
        self._handles.append(curl)
        left_ms = int(self.deadline.left_as_timeout_s * 1000)
        curl.setopt(pycurl.URL, url.encode())
        curl.setopt(pycurl.CONNECT_ONLY, 1)
        curl.setopt(pycurl.TIMEOUT_MS, left_ms)
        curl.setopt(pycurl.CONNECTTIMEOUT_MS, left_ms)
        curl.setopt(pycurl.NOSIGNAL, 1)
        curl.setopt(pycurl.PROXY, "")
        return curl

    def _prepare_tls(self, curl: pycurl.Curl, tls: Tls) -> None:
        # It would offer http, and a peer that speaks something else may refuse that.
        curl.setopt(pycurl.SSL_ENABLE_ALPN, 0)
        # A resumed session would hide a certificate that was changed or has expired since.
        curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
        curl.setopt(pycurl.OPT_CERTINFO, 1)
        # Nowhere else does libcurl tell the version.
        curl.setopt(pycurl.VERBOSE, 1)
        curl.setopt(pycurl.DEBUGFUNCTION, self._hear)
        if tls.ca_file:
            curl.setopt(pycurl.CAINFO, tls.ca_file)
        if not tls.verify:
            curl.setopt(pycurl.SSL_VERIFYPEER, 0)
            curl.setopt(pycurl.SSL_VERIFYHOST, 0)

    def _hear(self, kind: int, line: bytes) -> None:
        if kind == pycurl.INFOTYPE_TEXT and (told := _NEGOTIATED.match(line.decode("ascii", "replace"))):
            self.tls_version, self.cipher = told[1], told[2]

    def _perform(self, curl: pycurl.Curl, secure: bool = False) -> None:
        try:
            curl.perform()
        except pycurl.error as error:
            code, detail = error.args
            raise self._refused(curl, code, detail, secure) from error

    def _refused(self, curl: pycurl.Curl, code: int, detail: str, secure: bool) -> ProbeFailed:
        self.chain = chain_of(curl) if secure else ()
        ours = exhausted()
        if ours:
            what = f"no socket for this probe: {os.strerror(ours)}; Greenwall's machine is exhausted"
            return self.failed(Kind.INTERNAL, what)
        kind = kind_of_error(code)
        if kind is Kind.TIMEOUT:
            return self.failed(kind, f"{_STUCK_AT[secure]} within {format_duration(self.deadline.timeout_s)}")
        text = plain(detail or f"curl error {code}")
        reason = curl.getinfo(pycurl.OS_ERRNO)
        if kind is Kind.CONNECT and reason:
            text += f" ({os.strerror(reason)})"
        return self.failed(kind, tls_words(text) if secure else text)

    def _fill(self, limit: int) -> bool:
        """Receive once into the buffer; return whether anything came."""
        piece: bytes = self._try(self._handles[-1].recv, limit, select.POLLIN)
        self._buffer += piece
        self.awaited.has_begun = self.awaited.has_begun or bool(piece)
        return bool(piece)

    def _try(self, exchange: Callable[[Any], Any], argument: object, event: int) -> Any:
        """Return what the exchange gives, as soon as the socket lets it; try first: TLS may hold data already."""
        while True:
            if not self.deadline.left_s:
                raise self.failed(Kind.TIMEOUT, self.awaited.silence(self.deadline.timeout_s))
            try:
                return exchange(argument)
            except BlockingIOError:
                pass
            except pycurl.error as error:
                raise self._broken(error) from error
            self._wait(event)

    def _wait(self, event: int) -> None:
        waiting = select.poll()
        waiting.register(self._socket, event)
        waiting.poll(self.deadline.left_s * 1000 + 1)

    def _broken(self, error: pycurl.error) -> ProbeFailed:
        reason = self._handles[-1].getinfo(pycurl.OS_ERRNO)
        because = os.strerror(reason) if reason else plain(str(error.args[1]) or f"curl error {error.args[0]}")
        return self.failed(Kind.PROTOCOL, f"the connection broke{self.awaited.before}: {because}")


def _authority(host: str) -> str:
    """Return the host as a URL has it: an IPv6 address in brackets, a name in ASCII."""
    try:
        if ipaddress.ip_address(host).version == 6:
            return f"[{host.replace('%', '%25')}]"
    except ValueError:
        pass
    return host if host.isascii() else host.encode("idna").decode()


def _escaped(marker: bytes) -> str:
    return "end of line" if marker in (b"\n", b"\r\n") else repr(marker)[1:]


def _shown(data: bytes | bytearray) -> str:
    return repr(plain(bytes(data[:200]).decode("utf-8", "replace"), 60))
