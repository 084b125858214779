"""Peers that mean harm, in a process of their own, and one that is well: `with hostile_peers() as peers`.

Each stands on a port of loopback. It opens as a good server of its protocol would, and then misbehaves by its mode:

    cut     closes                 stall   says nothing more        reset   breaks the connection off
    drip    a byte now and then    flood   as fast as it is taken   echo    says what it hears

`raw` has no opening: cut is an empty close, and stall the silence after the connection. `tls:` before a protocol is the
same behind a handshake with a certificate that nobody trusts.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import json
import logging
import os
import random
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme

MODES = ("cut", "stall", "reset", "drip", "flood", "echo")
SECRET = "s3cret-pass-word"
_CHUNK_BYTES, _DRIP_S, _LONGEST_S, _BIG_BODY_BYTES = 65536, 0.05, 60.0, 500_000_000
_RESET = struct.pack("ii", 1, 0)


class Talk:
    """One connection, as its peer sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def hear(self) -> bytes:
        return await self._reader.read(_CHUNK_BYTES)

    async def say(self, raw: bytes) -> bytes:
        """Say it, and return what is said to that."""
        await self.tell(raw)
        return await self.hear()

    async def tell(self, raw: bytes) -> None:
        if self._writer.is_closing():
            raise ConnectionResetError("the client is gone")
        self._writer.write(raw)
        await self._writer.drain()

    async def misbehave(self, mode: str, piece: bytes) -> None:
        if mode == "stall":
            while await self.hear():
                pass
        elif mode == "echo":
            while heard := await self.hear():
                await self.tell(heard)
        elif mode == "reset":
            self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._writer.transport.abort()
        elif mode == "drip":
            for at in range(10_000):
                await self.tell(piece[at % len(piece) :][:1])
                await asyncio.sleep(_DRIP_S)
        elif mode == "flood":
            chunk = piece * (_CHUNK_BYTES // len(piece) + 1)
            for _ in range(_BIG_BODY_BYTES // len(chunk)):
                await self.tell(chunk)


Opening = Callable[[Talk], Awaitable[Any]]


def _after_hearing(answer: bytes) -> Opening:
    async def opening(talk: Talk) -> None:
        await talk.hear()
        await talk.tell(answer)

    return opening


def _packet(number: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "little") + bytes([number % 256]) + body


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _mysql_greeting(has_tls: bool) -> bytes:
    low = b"\xff\xff" if has_tls else b"\xff\xf7"
    body = b"\x0a8.0.0\0" + bytes(4) + b"12345678\0" + low + b"\x2d\2\0\x08\0\x15" + bytes(10) + b"123456789012\0"
    return _packet(0, body + b"mysql_native_password\0")


async def _mysql(talk: Talk) -> None:
    await talk.say(_mysql_greeting(False))
    asked = await talk.say(_packet(2, b"\0\0\0\2\0\0\0"))
    while b"SET" in asked[:12]:
        asked = await talk.say(_packet(1, b"\0\0\0\2\0\0\0"))
    column = b"\x03def\0\0\0\x01n\0\x0c\x2d\0\x0b\0\0\0\x03\0\0\0\0\0"
    await talk.tell(_packet(1, b"\1") + _packet(2, column) + _packet(3, b"\xfe\0\0\2\0"))


async def _mysql_tls(talk: Talk) -> None:
    await talk.say(_mysql_greeting(True))
    await talk.tell(_SERVER_HELLO)


async def _postgres(talk: Talk) -> None:
    ready = _message(b"Z", b"I")
    await talk.hear()
    await talk.say(_message(b"R", bytes(4)) + ready)
    await talk.say(_message(b"C", b"BEGIN\0") + ready)
    await talk.tell(_message(b"T", b"\0\1n\0" + struct.pack("!ihihih", 0, 0, 23, 4, -1, 0)))


async def _postgres_tls(talk: Talk) -> None:
    await talk.hear()
    await talk.say(b"S")
    await talk.tell(_SERVER_HELLO)


async def _redis(talk: Talk) -> None:
    await talk.hear()
    await talk.say(b"+OK\r\n")
    await talk.say(b"+PONG\r\n")
    await talk.tell(b"$1900000\r\n")


async def _mqtt(talk: Talk) -> None:
    await talk.hear()
    await talk.say(b"\x20\2\0\0")
    await talk.tell(b"\x90\3\0\1\0")


async def _websocket(talk: Talk) -> bytes:
    head = await talk.hear()
    key = next((line[19:] for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")), b"")
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    agreed = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    await talk.tell(agreed + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
    return head


async def _smtp(talk: Talk) -> None:
    await talk.say(b"220 mail.example\r\n")


async def _smtp_tls(talk: Talk) -> None:
    await talk.say(b"220 mail.example\r\n")
    await talk.say(b"250-mail.example\r\n250 STARTTLS\r\n")
    await talk.say(b"220 go ahead\r\n")
    await talk.tell(_SERVER_HELLO)


# The same in every run; it begins like no message of any protocol.
_GARBAGE = b"\xf1" + random.Random(0).randbytes(300).replace(b"\n", b"\xff") + b"\r\n\r\n"


async def _garbage(talk: Talk) -> None:
    await talk.tell(_GARBAGE)


async def _nothing(_talk: Talk) -> None:
    pass


async def _chain(talk: Talk) -> None:
    await talk.hear()
    await asyncio.sleep(0.02)
    await talk.tell(_http(b"", b"Location: /" + os.urandom(4).hex().encode(), b"302 Found"))


def _http(body: bytes, header: bytes = b"X-Peer: hostile", status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 " + status + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n" + header
    return head + b"\r\nConnection: close\r\n\r\n" + body


_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n"
# Its first chunk, after which chunks may come that are decompressed to nothing.
_GZIP_IN_CHUNKS = _CHUNKED + b"Content-Encoding: gzip\r\n\r\n" + b"a\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff\r\n"
_SERVER_HELLO = b"\x16\3\3\x40\0\2\0\x3f\xfc\3\3"
_ROW = _message(b"D", struct.pack("!hi", 1, 1) + b"1")
# What each protocol opens with, and the piece that drip and flood repeat.
OPENINGS: dict[str, tuple[Opening, bytes]] = {
    "raw": (_nothing, b"\xfe no protocol has this line \xff"),
    "garbage": (_garbage, b"\xff"),
    "http": (_after_hearing(_OK + b'\r\n{"x": [1'), b", 1"),
    "tls": (_after_hearing(_SERVER_HELLO), b"\0"),
    "dns": (_after_hearing(b"\xff\xff"), b"\0"),
    "tcp": (_nothing, b"x"),
    "ssh": (_nothing, b"a line before\r\n"),
    "smtp": (_smtp, b"250-mail.example\r\n"),
    "smtp starttls": (_smtp_tls, b"\0"),
    "redis": (_redis, b"x"),
    "mqtt": (_mqtt, b"\x30\5\0\1tno"),
    "websocket": (_websocket, b"\x89\0"),
    "postgres": (_postgres, _ROW),
    "postgres tls": (_postgres_tls, b"\0"),
    "mysql": (_mysql, b"".join(_packet(4 + number, b"\x011") for number in range(256))),
    "mysql tls": (_mysql_tls, b"\0"),
    "grpc": (_after_hearing(bytes(3) + b"\4" + bytes(5)), b"\0\0\x08\6" + bytes(5) + b"12345678"),
}
# Answers over http by themselves, each in the mode that goes with it.
ANSWERS: dict[str, tuple[Opening, bytes, str]] = {
    "well": (_after_hearing(_http(b'{"ok": true}')), b"", "cut"),
    "endless headers": (_after_hearing(b"HTTP/1.1 200 OK\r\n"), b"X-Header: value\r\n", "flood"),
    "dripping headers": (_after_hearing(b"HTTP/1.1 200 OK\r\n"), b"X-Header: value\r\n", "drip"),
    "one endless header": (_after_hearing(b"HTTP/1.1 200 OK\r\nX-Header: "), b"x", "flood"),
    "100,000 headers": (_after_hearing(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000 + b"\r\n{}"), b"", "cut"),
    "endless hints": (_after_hearing(b""), b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n", "flood"),
    "endless chunks": (_after_hearing(_CHUNKED + b"\r\n"), b"1\r\n1\r\n", "flood"),
    "endless empty chunks": (_after_hearing(_GZIP_IN_CHUNKS), b"5\r\n\0\0\0\xff\xff\r\n", "flood"),
    "stalled body": (_after_hearing(_OK + b"Content-Length: 1000000\r\n\r\n["), b"", "stall"),
    "500 MB": (_after_hearing(_OK + b"Content-Length: 500000000\r\n\r\n"), b" ", "flood"),
    "redirect loop": (_after_hearing(_http(b"", b"Location: /", b"302 Found")), b"", "cut"),
    "redirect chain": (_chain, b"", "cut"),
    "deep JSON": (_after_hearing(_http(b'{"x":' * 160_000)), b"", "cut"),
    "JSON nested 1,000 times": (_after_hearing(_http(b'{"x":' * 1000 + b"1" + b"}" * 1000)), b"", "cut"),
    "1 MB of lists": (_after_hearing(_http(b"[" + b"[]," * 330_000 + b"1]")), b"", "cut"),
    "1 MB of objects": (_after_hearing(_http(b"[" + b'{"x":1},' * 120_000 + b"1]")), b"", "cut"),
    "20,000 values": (_after_hearing(_http(b"[" + b"1," * 19_990 + b"1]")), b"", "cut"),
}


async def _tell_http(talk: Talk) -> None:
    heard = await talk.hear()
    login = b"".join(base64.b64decode(word + b"==") for word in heard.split() if word.startswith(b"bW9uaXRvc"))
    said = (heard + login).decode("latin-1")
    names = ("ok", "name", "status", "messages", "consumers", "data", "error", "message", "state", "State")
    body = json.dumps(dict.fromkeys(names, said) | {"agents": [{"name": said, "status": said}]})
    await talk.tell(_http(body.encode()))


async def _tell_redis(talk: Talk) -> None:
    heard = await talk.hear()
    await talk.tell(b"-ERR unknown command, with args beginning with: " + heard.replace(b"\r\n", b" ") + b"\r\n")


async def _tell_postgres(talk: Talk) -> None:
    await talk.hear()
    heard = await talk.say(_message(b"R", struct.pack("!i", 3)))
    await talk.tell(_message(b"E", b"SFATAL\0C28P01\0Mwrong: " + heard[5:] + b"\0"))


async def _tell_mysql(talk: Talk) -> None:
    await talk.say(_mysql_greeting(False))
    heard = await talk.say(_packet(2, b"\xfemysql_clear_password\0"))
    await talk.tell(_packet(4, b"\xff\x15\4#28000wrong: " + heard[4:]))


async def _tell_mqtt(talk: Talk) -> None:
    heard = await talk.hear()
    await talk.say(b"\x20\2\0\0")
    message = b"\0\1t" + heard[-100:]
    await talk.tell(b"\x90\3\0\1\0" + b"\x30" + bytes([len(message)]) + message)


async def _tell_websocket(talk: Talk) -> None:
    key = next(line for line in (await _websocket(talk)).split(b"\r\n") if line.startswith(b"X-Api-Key"))
    await talk.tell(b"\x81" + bytes([len(key)]) + key)


# Peers that repeat the password that they were sent, by protocol.
TELLTALES: dict[str, Opening] = {
    "http": _tell_http,
    "redis": _tell_redis,
    "postgres": _tell_postgres,
    "mysql": _tell_mysql,
    "mqtt": _tell_mqtt,
    "websocket": _tell_websocket,
}


def _bomb() -> tuple[Opening, bytes, str]:
    squeezed = gzip.compress(bytes(100_000_000))
    return _after_hearing(_http(squeezed, b"Content-Encoding: gzip")), b"", "cut"


# ---- the process of the peers


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, mode: str) -> None:
        self._mode = mode
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, peer: Any) -> None:
        assert self._transport is not None
        answers = {"flood": [os.urandom(500)] * 200, "cut": [data[:2] + b"\x83\0" + bytes(8)], "echo": [data]}
        for answer in answers.get(self._mode, []):
            self._transport.sendto(answer, peer)


async def _serve(folder: Path) -> None:
    context = _untrusted()
    ports: dict[str, int] = {}
    for protocol, (opening, piece) in OPENINGS.items():
        for mode in MODES:
            handler = _handler(opening, piece, mode)
            ports[f"{protocol}/{mode}"] = await _listen(handler, None)
            ports[f"tls:{protocol}/{mode}"] = await _listen(handler, context)
            await asyncio.start_unix_server(handler, folder / f"{protocol}-{mode}.sock")
    for name, (opening, piece, mode) in (ANSWERS | {"zip bomb": _bomb()}).items():
        ports[name] = await _listen(_handler(opening, piece, mode), None)
    for protocol, opening in TELLTALES.items():
        ports[f"{protocol}/tell"] = await _listen(handler := _handler(opening, b"", "stall"), None)
        await asyncio.start_unix_server(handler, folder / f"{protocol}-tell.sock")
    loop = asyncio.get_running_loop()
    for mode in ("stall", "flood", "cut", "echo"):
        # A datagram that is cut has the client ask again over TCP, where it finds the silent one.
        ports[f"udp/{mode}"] = port = await _listen(_handler(_nothing, b"", "stall"), None)
        await loop.create_datagram_endpoint(lambda mode=mode: _Datagrams(mode), ("127.0.0.1", port))  # type: ignore[misc]
    print(json.dumps(ports), flush=True)
    await asyncio.to_thread(sys.stdin.read)


async def _listen(handler: Any, context: ssl.SSLContext | None) -> int:
    server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=context, backlog=1000)
    return int(server.sockets[0].getsockname()[1])


def _handler(opening: Opening, piece: bytes, mode: str) -> Any:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Talk(reader, writer)
        with suppress(OSError, TimeoutError, ssl.SSLError):
            async with asyncio.timeout(_LONGEST_S):
                await opening(talk)
                await talk.misbehave(mode, piece or b"\0")
        with suppress(OSError, RuntimeError):
            writer.close()

    return handle


def _untrusted() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf = trustme.CA().issue_cert("127.0.0.1", "localhost")
    leaf.configure_cert(context)
    return context


# ---- who uses them


@dataclass(frozen=True)
class Peers:
    """Ports by name: `redis/flood`, or one of ANSWERS; `folder` holds Unix sockets, `redis-flood.sock`."""

    ports: dict[str, int]
    folder: Path
    process: subprocess.Popen[bytes]


@contextmanager
def hostile_peers() -> Iterator[Peers]:
    """Run the peers until the block ends."""
    with tempfile.TemporaryDirectory(prefix="greenwall-") as name:
        command = [sys.executable, "-m", "benchmarks.hostile", name]
        root = Path(__file__).resolve().parents[1]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=root)
        assert process.stdin is not None and process.stdout is not None
        try:
            yield Peers(json.loads(process.stdout.readline()), Path(name), process)
        finally:
            # It ends with us, too.
            process.stdin.close()
            process.stdout.close()
            process.terminate()
            process.wait(20)


if __name__ == "__main__":
    # asyncio tells of every connection that breaks, which is what these are for.
    logging.disable()
    asyncio.run(_serve(Path(sys.argv[1])))
