"""A connection under one deadline, with and without TLS, against peers that behave and peers that do not."""

from __future__ import annotations

import os
import resource
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.model import Kind, Status
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.verdict import ProbeFailed
from tests.authorities import Authority, issue
from tests.conftest import GRACE_S, ROOT, free_port, program
from tests.resolvers import Resolver
from tests.servers import Connection as Line
from tests.servers import Peer, Script, greets

TIMEOUT_S = 0.4


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def echo(line: Line) -> None:
    while data := line.sock.recv(65536):
        line.send(data)


def goodbye(_line: Line) -> None:
    pass


def reset(line: Line) -> None:
    line.sock.recv(1)
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def drip(line: Line) -> None:
    while not line.closing.wait(0.02):
        line.send(b"x")


def flood(line: Line) -> None:
    while not line.closing.is_set():
        line.send(b"x" * 65536)


def deaf(line: Line) -> None:
    line.closing.wait(30)


@contextmanager
def fails(kind: Kind, within_s: float = TIMEOUT_S + GRACE_S) -> Iterator[pytest.ExceptionInfo[ProbeFailed]]:
    began = time.monotonic()
    with pytest.raises(ProbeFailed) as caught:
        yield caught
    assert time.monotonic() - began < within_s
    assert caught.value.kind is kind, caught.value.message


def held() -> int:
    """Return how many descriptors this process holds."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 1


# ---- plain


def test_what_comes_is_read_by_line_and_by_piece() -> None:
    with Peer(greets(b"one\r\ntwo\r", b"\nrest")) as peer, connect("127.0.0.1", peer.port, 5) as connection:
        assert connection.read_until(b"\r\n", 100) == b"one\r\n"
        assert connection.read_until(b"\r\n", 100) == b"two\r\n"
        assert connection.receive(2) == b"re"
        assert connection.receive(100) == b"st"
        assert connection.address == "127.0.0.1"
        assert connection.local_address == "127.0.0.1"
        assert connection.phases_ms.keys() == {"dns", "connect"}
        assert connection.chain == ()
        assert 0 < connection.deadline.left_s < 5


def test_a_lot_is_sent_and_received() -> None:
    data = os.urandom(3_000_000)
    with Peer(echo) as peer, connect("localhost", peer.port, 10) as connection:
        back = bytearray()
        for at in range(0, len(data), 50_000):
            connection.send(data[at : at + 50_000])
            while len(back) < at + 50_000:
                back += connection.receive(65536)
        assert back == data


def test_the_end_of_the_connection_is_empty_and_stays_so() -> None:
    with Peer(goodbye) as peer, connect("127.0.0.1", peer.port, 5) as connection:
        assert connection.receive(10) == b""
        assert connection.receive(10) == b""


def test_a_close_before_the_marker_is_a_fault_of_protocol() -> None:
    def half(line: Line) -> None:
        line.send(b"half a li")

    with Peer(goodbye) as peer, fails(Kind.PROTOCOL) as caught, connect("127.0.0.1", peer.port, 5) as connection:
        connection.read_until(b"\n", 100)
    assert caught.value.message == "the peer closed the connection without a word"
    with Peer(half) as peer, fails(Kind.PROTOCOL) as caught, connect("127.0.0.1", peer.port, 5) as connection:
        connection.read_until(b"\n", 100)
    assert caught.value.message == "the peer closed the connection after 'half a li'"


def test_a_reset_is_a_fault_of_protocol() -> None:
    with Peer(reset) as peer, fails(Kind.PROTOCOL) as caught, connect("127.0.0.1", peer.port, 5) as connection:
        connection.send(b"hello")
        connection.receive(10)
    assert caught.value.message == "the connection broke: Connection reset by peer"


def test_silence_ends_with_the_deadline_and_says_so() -> None:
    with Peer(deaf) as peer, fails(Kind.TIMEOUT) as caught, connect("127.0.0.1", peer.port, TIMEOUT_S) as connection:
        connection.receive(10)
    assert caught.value.message == "connected, but no answer within 400 ms"
    assert caught.value.phases_ms["total"] >= 400
    assert caught.value.address == "127.0.0.1"


def test_a_byte_now_and_then_ends_with_the_deadline() -> None:
    with Peer(drip) as peer, fails(Kind.TIMEOUT) as caught, connect("127.0.0.1", peer.port, TIMEOUT_S) as connection:
        connection.read_until(b"\n", 10_000)
    assert caught.value.message == "the answer began but did not end within 400 ms"


def test_bytes_without_an_end_are_cut() -> None:
    with Peer(flood) as peer, fails(Kind.PROTOCOL) as caught, connect("127.0.0.1", peer.port, 5) as connection:
        connection.read_until(b"\r\n", 1000)
    assert caught.value.message.startswith("no end of line within 1000 bytes, got 'xxx")


def test_a_peer_that_reads_nothing_ends_with_the_deadline() -> None:
    with Peer(deaf) as peer, fails(Kind.TIMEOUT), connect("127.0.0.1", peer.port, TIMEOUT_S) as connection:
        connection.send(b"x" * 30_000_000)


def test_the_deadline_stands_over_everything_together() -> None:
    with Peer(drip) as peer, fails(Kind.TIMEOUT), connect("127.0.0.1", peer.port, TIMEOUT_S) as connection:
        while connection.receive(1):
            pass


def test_a_closed_port_is_no_connection() -> None:
    port = free_port()
    for host in ("127.0.0.1", "localhost", "::1"):
        with fails(Kind.CONNECT) as caught:
            connect(host, port, TIMEOUT_S)
        assert "Connection refused" in caught.value.message


def test_an_ipv6_address_is_a_host() -> None:
    listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
    with listener, connect("::1", listener.getsockname()[1], 5) as connection:
        assert (connection.address, connection.local_address) == ("::1", "::1")


def test_a_name_that_nobody_has_is_a_fault_of_dns() -> None:
    # A label of 64 characters asks no resolver.
    with fails(Kind.DNS) as caught:
        connect(f"{'x' * 64}.invalid", 80, TIMEOUT_S)
    assert "resolve" in caught.value.message


@pytest.mark.parametrize("host", ["shop.example", "Shop.Example.", "bücher.example"])
def test_a_name_is_looked_up_and_the_next_address_tried_when_the_first_refuses(resolver: Resolver, host: str) -> None:
    resolver.addresses = ["127.0.0.9", "::1", "127.0.0.1"]
    with Peer(greets(b"hello\r\n")) as peer, connect(host, peer.port, 5) as connection:
        assert connection.read_until(b"\r\n", 100) == b"hello\r\n"
        assert connection.address == "127.0.0.1"
        assert connection.phases_ms["dns"] > 0
    assert resolver.asked == [host]


def test_a_name_is_looked_up_anew_for_each_connection(resolver: Resolver) -> None:
    with Peer(greets(b"x")) as peer:
        connect("shop.example", peer.port, 5).close()
        resolver.addresses = ["127.0.0.9"]
        with fails(Kind.CONNECT):
            connect("shop.example", peer.port, 5)


SLOW_LOOKUP = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
typedef int look_up(const char *, const char *, const struct addrinfo *, struct addrinfo **);
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found) {
    if (name && strstr(name, "slow.invalid")) { sleep(60); return EAI_AGAIN; }
    return ((look_up *)dlsym(RTLD_NEXT, "getaddrinfo"))(name, service, hints, found);
}
"""
LOOK_UP = """
import os, time
from monitor.probes.connection import ProbeFailed, connect
began = time.monotonic()
try:
    connect("slow.invalid", 80, 0.4)
except ProbeFailed as failure:
    print(failure.kind, "|", failure.message, "|", time.monotonic() - began < 10, flush=True)
os._exit(0)
"""


def test_a_name_look_up_that_hangs_does_not_hold_up_the_deadline(tmp_path: Path) -> None:
    library = tmp_path / "slow.so"
    (tmp_path / "slow.c").write_text(SLOW_LOOKUP)
    subprocess.run(
        [program("cc", "gcc"), "-shared", "-fPIC", "-o", str(library), str(tmp_path / "slow.c"), "-ldl"], check=True
    )
    environment = os.environ | {"LD_PRELOAD": str(library)}
    done = subprocess.run([sys.executable, "-c", LOOK_UP], cwd=ROOT, env=environment, capture_output=True, timeout=30)
    assert done.stdout.decode() == "timeout | the name look-up did not end within 400 ms | True\n", done.stderr


def test_connections_leave_no_descriptors_behind(authority: Authority) -> None:
    trusting = Tls(ca_file=str(authority.ca_file))
    with Peer(greets(b"x"), tls=authority.context()) as peer, Peer(greets(b"hello\r\n")) as plain:
        connect("localhost", peer.port, 5, trusting).close()
        before = held()
        for _ in range(10):
            connect("localhost", peer.port, 5, trusting).close()
            for failing in ((peer.port, Tls()), (plain.port, trusting), (free_port(), None)):
                with pytest.raises(ProbeFailed):
                    connect("localhost", failing[0], 5, failing[1])
    # The peers hold theirs until here.
    assert held() <= before


def test_a_machine_without_descriptors_is_our_own_trouble() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with Peer(greets(b"x")) as peer:
        resource.setrlimit(resource.RLIMIT_NOFILE, (held(), hard))
        try:
            with fails(Kind.INTERNAL) as caught:
                connect("127.0.0.1", peer.port, TIMEOUT_S)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert caught.value.outcome().status is Status.UNKNOWN


# ---- TLS


def test_a_handshake_gives_the_chain_as_it_was_sent_and_how_it_is_encrypted(authority: Authority) -> None:
    with (
        Peer(greets(b"hello\n"), tls=authority.context()) as peer,
        connect("localhost", peer.port, 5, Tls(ca_file=str(authority.ca_file))) as connection,
    ):
        assert connection.read_until(b"\n", 100) == b"hello\n"
        assert [pem.strip() for pem in connection.chain] == [
            one.pem.strip() for one in (authority.leaf, authority.intermediate)
        ]
        assert connection.tls_version == "TLSv1.3"
        assert connection.cipher.startswith("TLS_")
        assert connection.phases_ms.keys() == {"dns", "connect", "tls"}


def test_a_lot_is_sent_and_received_by_tls(authority: Authority) -> None:
    data = os.urandom(500_000)
    trusting = Tls(ca_file=str(authority.ca_file))
    with Peer(echo, tls=authority.context()) as peer, connect("localhost", peer.port, 10, trusting) as connection:
        connection.send(data)
        back = b""
        while len(back) < len(data):
            back += connection.receive(65536)
        assert back == data


def test_a_certificate_that_is_not_trusted_is_refused_and_shown(authority: Authority) -> None:
    with Peer(greets(b"x"), tls=authority.context()) as peer, fails(Kind.TLS) as caught:
        connect("localhost", peer.port, 5, Tls())
    assert len(caught.value.chain) == 2


def test_the_name_that_is_verified_is_the_host_or_the_one_that_is_given(authority: Authority) -> None:
    ca_file = str(authority.ca_file)
    context = authority.context(authority.intermediate.signed("l", names=("shop.example", "127.0.0.1")))
    with Peer(greets(b"x"), tls=context) as peer:
        connect("127.0.0.1", peer.port, 5, Tls(ca_file=ca_file)).close()
        connect("localhost", peer.port, 5, Tls(ca_file=ca_file, server_name="shop.example")).close()
        connect("localhost", peer.port, 5, Tls(verify=False)).close()
        with fails(Kind.TLS) as caught:
            connect("localhost", peer.port, 5, Tls(ca_file=ca_file))
    assert "localhost" in caught.value.message
    assert len(caught.value.chain) == 2


def test_the_given_name_is_asked_for(authority: Authority) -> None:
    asked: list[str | None] = []
    context = authority.context(authority.intermediate.signed("l", names=("shop.example",)))
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with Peer(greets(b"x"), tls=context) as peer:
        connect("127.0.0.1", peer.port, 5, Tls(ca_file=str(authority.ca_file), server_name="shop.example")).close()
    assert asked == ["shop.example"]


def test_a_handshake_that_hangs_ends_with_the_deadline() -> None:
    with Peer(deaf) as peer, fails(Kind.TIMEOUT) as caught:
        connect("127.0.0.1", peer.port, TIMEOUT_S, Tls())
    assert caught.value.message == "connected, but the TLS handshake did not end within 400 ms"


def test_a_handshake_that_drips_ends_with_the_deadline() -> None:
    def slowly(line: Line) -> None:
        # A record of handshake that promises 16 KiB.
        line.send(b"\x16\x03\x03\x40\x00")
        drip(line)

    with Peer(slowly) as peer, fails(Kind.TIMEOUT):
        connect("127.0.0.1", peer.port, TIMEOUT_S, Tls())


@pytest.mark.parametrize("greeting", [b"220 mail ESMTP\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-x\r\n"])
def test_a_peer_that_speaks_plain_text_does_not_speak_tls(greeting: bytes) -> None:
    with Peer(greets(greeting)) as peer, fails(Kind.TLS) as caught:
        connect("127.0.0.1", peer.port, 5, Tls())
    assert caught.value.message.endswith("the port does not seem to speak TLS")


def test_a_peer_that_hangs_up_makes_no_handshake() -> None:
    with Peer(goodbye) as peer, fails(Kind.TLS):
        connect("127.0.0.1", peer.port, 5, Tls())


def test_a_bundle_that_cannot_be_read_is_our_own_trouble(authority: Authority) -> None:
    with Peer(greets(b"x"), tls=authority.context()) as peer, fails(Kind.INTERNAL):
        connect("localhost", peer.port, 5, Tls(ca_file="/no/such/file.pem"))


# ---- from plain text to TLS


def starttls(context: ssl.SSLContext, after: bytes = b"") -> Script:
    def script(line: Line) -> None:
        line.sock.recv(100)
        line.send(b"go\n" + after)
        with context.wrap_socket(line.sock, server_side=True) as secure:
            secure.sendall(b"in secret\n")
            while secure.recv(1000):
                pass

    return script


def ask_for_it(connection: Connection) -> None:
    connection.send(b"starttls\n")
    assert connection.read_until(b"\n", 10) == b"go\n"


def test_tls_begins_on_the_same_connection(authority: Authority) -> None:
    with (
        Peer(starttls(authority.context())) as peer,
        connect("localhost", peer.port, 5, Tls(ca_file=str(authority.ca_file)), ask_for_it) as connection,
    ):
        assert connection.read_until(b"\n", 100) == b"in secret\n"
        assert len(connection.chain) == 2
        assert len(peer.connections) == 1


def test_what_was_said_in_plain_text_is_not_taken_for_secret(authority: Authority) -> None:
    trusting = Tls(ca_file=str(authority.ca_file))
    with Peer(starttls(authority.context(), b"injected\n")) as peer, fails(Kind.PROTOCOL) as caught:
        connect("localhost", peer.port, 5, trusting, ask_for_it)
    assert caught.value.message == "the peer sent 9 bytes too many before the handshake"


def test_a_talk_before_the_handshake_stands_under_the_same_deadline() -> None:
    with Peer(deaf) as peer, fails(Kind.TIMEOUT):
        connect("127.0.0.1", peer.port, TIMEOUT_S, Tls(), ask_for_it)


def test_a_self_made_certificate_is_taken_when_nobody_verifies(tmp_path: Path) -> None:
    context = issue("self-made").context(tmp_path)
    with Peer(starttls(context)) as peer, connect("127.0.0.1", peer.port, 5, Tls(verify=False), ask_for_it) as made:
        assert len(made.chain) == 1
