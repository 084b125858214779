"""How a database learns the password: what it is told, what it must show first, and peers that want too much."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct

import pytest
import trustme

from monitor.config.databaseurl import TlsMode, parse_database_url
from monitor.model import Kind
from monitor.probes.awaited import Awaited
from monitor.probes.connection import Tls
from monitor.probes.database.mariadb import open_mariadb
from monitor.probes.database.postgres import Postgres, open_postgres
from monitor.probes.database.scram import Scram, ScramFailed
from monitor.probes.database.session import DatabaseFailed
from monitor.probes.deadline import Deadline
from monitor.probes.stream import Stream
from monitor.probes.verdict import ProbeFailed

FAR, HERE = "192.0.2.7", "127.0.0.1"
WELCOME, READY = b"R\0\0\0\x08\0\0\0\0", b"Z\0\0\0\x05I"


class Wire:
    """A transport to any address: the server's part is written down before, and what is sent is kept."""

    def __init__(self, address: str, said: bytes, chain: tuple[bytes, ...] = ()) -> None:
        self.address, self.said, self.sent = address, said, b""
        self.deadline = Deadline(5)
        self.phases_ms: dict[str, float] = {}
        self.awaited = Awaited()
        self.chain: tuple[bytes, ...] = ()
        self._shown = chain

    def open(self) -> None: ...
    def close(self) -> None: ...
    def start_tls(self, tls: Tls) -> None:
        self.chain = self._shown

    def send(self, data: bytes) -> None:
        self.sent += data

    def receive(self, limit: int) -> bytes:
        piece, self.said = self.said[:limit], self.said[limit:]
        return piece

    def failed(self, kind: Kind, message: str) -> ProbeFailed:
        return ProbeFailed(kind, message)


def wants(method: int, more: bytes = b"") -> bytes:
    return b"R" + struct.pack("!ii", len(more) + 8, method) + more


def log_in(wire: Wire, tls: TlsMode = "off", **query: str) -> Postgres:
    more = "&".join(f"{key}={value}" for key, value in query.items())
    host = "" if "host" in query else "db.example"
    url = parse_database_url(f"postgresql://u:a-secret@{host}/x?{more}")
    return open_postgres(url, tls, None, Stream(wire, 100_000))


# In clear text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "tls", "host", "is_told"),
    [
        (FAR, "off", "", False),
        (FAR, "prefer", "", False),
        (FAR, "require", "", False),
        (FAR, "verify", "", True),
        (HERE, "off", "", True),
        (HERE, "prefer", "", True),
        ("::1", "off", "", True),
        ("::ffff:192.0.2.7", "off", "", False),
        ("", "off", "", False),
        ("/run/postgresql/.s.PGSQL.5432", "prefer", "/run/postgresql", True),
    ],
)
def test_postgres_gets_the_password_in_clear_text_where_nobody_else_hears_it(
    address: str, tls: TlsMode, host: str, is_told: bool
) -> None:
    wire = Wire(address, (b"S" if tls != "off" and not host else b"") + wants(3) + WELCOME + READY)
    if is_told:
        log_in(wire, tls, **({"host": host} if host else {}))
    else:
        with pytest.raises(ProbeFailed, match=r"in clear text.*set tls: verify.*or scram-sha-256") as refused:
            log_in(wire, tls)
        assert refused.value.kind is Kind.PROTOCOL
    assert (b"a-secret" in wire.sent) is is_told


def test_a_preferred_tls_that_is_not_offered_makes_nothing_secret() -> None:
    wire = Wire(FAR, b"N" + wants(3) + WELCOME + READY)
    with pytest.raises(ProbeFailed, match="in clear text"):
        log_in(wire, "prefer")
    assert b"a-secret" not in wire.sent


GREETING = (
    b"\x0a8.0.1\0\1\0\0\0abcdefgh\0\xff\xf7\x21\2\0\xff\x81\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"
)
MY_OK = b"\0\0\0\2\0\0\0"


def packet(number: int, body: bytes) -> bytes:
    return struct.pack("<i", len(body))[:3] + bytes([number]) + body


def test_a_pooler_that_refuses_the_password_is_auth() -> None:
    refusal = message(b"E", b"SFATAL\0C08P01\0Mpassword authentication failed\0\0")
    with pytest.raises(DatabaseFailed, match="authentication failed") as refused:
        log_in(Wire(HERE, wants(5, b"salt") + refusal))
    assert refused.value.kind is Kind.AUTH
    with pytest.raises(DatabaseFailed) as refused:
        log_in(Wire(HERE, wants(5, b"salt") + WELCOME + refusal))
    assert refused.value.kind is Kind.STATUS


def test_a_mysql_server_gets_the_password_in_clear_text_over_a_unix_socket() -> None:
    # PAM over the socket is how many MariaDB servers let their own machine in.
    url = parse_database_url("mysql://u:a-secret@/x?unix_socket=/run/mysqld/mysqld.sock")
    said = packet(0, GREETING) + packet(2, b"\xfemysql_clear_password\0") + packet(4, MY_OK) + packet(1, MY_OK)
    wire = Wire("/run/mysqld/mysqld.sock", said)
    open_mariadb(url, "prefer", None, Stream(wire, 100_000))
    assert b"a-secret" in wire.sent


def test_a_mysql_server_gets_no_hash_that_is_as_good_as_the_password() -> None:
    # That of the time before MySQL 4.1 is undone in seconds.
    url = parse_database_url("mysql://u:a-secret@db.example/x")
    wire = Wire(FAR, packet(0, GREETING) + packet(2, b"\xfemysql_old_password\0abcdefgh\0") + packet(4, MY_OK))
    with pytest.raises(ProbeFailed, match="mysql_old_password"):
        open_mariadb(url, "off", None, Stream(wire, 100_000))


# SCRAM -------------------------------------------------------------------------------------------------------------

PLAIN, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"


class Server:
    """The other side of SCRAM (RFC 5802): it knows the password, and what its own certificate is."""

    def __init__(self, password: str = "a-secret") -> None:
        self.salted = hashlib.pbkdf2_hmac("sha256", password.encode(), b"salt", 4096)

    def first(self, client_first: str) -> bytes:
        self.gs2, self.bare = client_first.split(",,")
        self.said = f"r={self.bare.split('r=')[1]}more,s={base64.b64encode(b'salt').decode()},i=4096"
        return self.said.encode()

    def final(self, client_final: str) -> bytes:
        self.channel = base64.b64decode(client_final.split(",")[0][2:])
        signed = f"{self.bare},{self.said},{client_final.rpartition(',p=')[0]}".encode()
        key = hmac.digest(self.salted, b"Server Key", "sha256")
        return b"v=" + base64.b64encode(hmac.digest(key, signed, "sha256"))


def shake_hands(scram: Scram, *offered: str) -> Server:
    server = Server()
    said = server.first(scram.first([name.encode() for name in offered]).partition(b"\0")[2][4:].decode())
    scram.verify(server.final(scram.final(said).decode()))
    return server


@pytest.mark.parametrize(
    ("endpoint", "offered", "channel"),
    [
        (b"", [PLAIN], b"n,,"),
        (b"", [PLAIN, PLUS], b"n,,"),
        # Who could do more says so: a server that can as well knows then that somebody took its offer away.
        (b"hash", [PLAIN], b"y,,"),
        (b"hash", [PLUS, PLAIN], b"p=tls-server-end-point,,hash"),
    ],
)
def test_scram_is_bound_to_the_certificate_where_there_is_one(
    endpoint: bytes, offered: list[str], channel: bytes
) -> None:
    scram = Scram("a-secret", endpoint)
    assert shake_hands(scram, *offered).channel == channel
    assert not scram.is_under_way
    assert scram.is_bound is channel.startswith(b"p")


def test_each_step_of_scram_comes_once() -> None:
    scram = Scram("a-secret")
    with pytest.raises(ScramFailed, match="order"):
        scram.final(b"r=x,s=QUJD,i=1")
    with pytest.raises(ScramFailed, match="order"):
        scram.verify(b"v=x")
    server = Server()
    said = server.first(scram.first([PLAIN.encode()]).partition(b"\0")[2][4:].decode())
    with pytest.raises(ScramFailed, match="order"):
        scram.first([PLAIN.encode()])
    scram.final(said)
    with pytest.raises(ScramFailed, match="order"):
        scram.final(said)


def test_a_server_cannot_leave_out_that_it_knows_the_password() -> None:
    wire = Wire(FAR, wants(10, PLAIN.encode() + b"\0\0") + WELCOME + READY)
    with pytest.raises(ProbeFailed, match="has not shown that it knows the password"):
        log_in(wire)


def test_a_server_cannot_change_its_mind_in_the_middle_of_scram() -> None:
    wire = Wire(HERE, wants(10, PLAIN.encode() + b"\0\0") + wants(3) + WELCOME + READY)
    with pytest.raises(ProbeFailed, match="order"):
        log_in(wire)
    assert b"a-secret" not in wire.sent


@pytest.fixture(scope="module")
def certificate() -> bytes:
    return trustme.CA().issue_cert("db.example").cert_chain_pems[0].bytes()


@pytest.mark.parametrize("said", [wants(3), wants(5, b"salt"), b"", wants(10, PLAIN.encode() + b"\0\0")])
def test_a_server_that_does_not_bind_where_it_must_is_refused(said: bytes, certificate: bytes) -> None:
    wire = Wire(HERE, b"S" + said + WELCOME + READY, (certificate,))
    with pytest.raises(ProbeFailed, match="channel_binding") as refused:
        log_in(wire, "require", channel_binding="require")
    assert refused.value.kind is Kind.PROTOCOL
    assert b"a-secret" not in wire.sent
    assert b"md5" not in wire.sent


@pytest.mark.parametrize("binding", ["disable", "prefer"])
def test_binding_can_be_switched_off(binding: str, certificate: bytes) -> None:
    wire = Wire(FAR, b"S" + wants(10, f"{PLUS}\0{PLAIN}\0\0".encode()), (certificate,))
    with pytest.raises(ProbeFailed):
        log_in(wire, "require", channel_binding=binding)
    assert (b"p=tls-server-end-point,," in wire.sent) is (binding == "prefer")
    assert (b"n,,n=,r=" in wire.sent) is (binding == "disable")


def test_a_certificate_that_cannot_be_read_binds_nothing() -> None:
    wire = Wire(FAR, b"S" + wants(10, f"{PLUS}\0{PLAIN}\0\0".encode()), (b"-----BEGIN CERTIFICATE-----\nQUJD\n",))
    with pytest.raises(ProbeFailed):
        log_in(wire, "require")
    assert b"n,,n=,r=" in wire.sent


# Before the login --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["prefer", "require"])
def test_a_postgres_that_cannot_start_a_process_says_why(tls: TlsMode) -> None:
    wire = Wire(FAR, b"Ecould not fork new process for connection: Cannot allocate memory\n\0")
    with pytest.raises(ProbeFailed, match="could not fork new process for connection: Cannot allocate") as failed:
        log_in(wire, tls)
    assert failed.value.kind is Kind.STATUS
    assert "tls" not in failed.value.message


def test_what_refuses_before_it_was_asked_who_is_there_says_why() -> None:
    wire = Wire(FAR, message(b"E", b"SFATAL\0C53300\0Mtoo many clients\0\0"))
    with pytest.raises(DatabaseFailed, match="too many clients") as refused:
        log_in(wire, "require")
    assert refused.value.kind is Kind.RESOURCE


@pytest.mark.parametrize("rest", [b"\xf1\x13\x88", b"HLO\x01", b"x\xffy\r\n"])
def test_bytes_that_begin_like_an_error_by_chance_are_no_words_of_postgres(rest: bytes) -> None:
    with pytest.raises(ProbeFailed, match="this is no PostgreSQL server") as failed:
        log_in(Wire(FAR, b"E" + rest), "require")
    assert failed.value.kind is Kind.PROTOCOL


@pytest.mark.parametrize("part", ["u%00:p@h/x", "u:p@h/x%00", "u:p%00@h/x", "u:p@h/x?options=a%00b"])
def test_a_url_has_no_nul_in_it(part: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        parse_database_url(f"postgresql://{part}")


@pytest.mark.parametrize(
    "query", ["channel_binding=maybe", "gssencmode=require", "ssl_min_protocol_version=TLSv1.3", "require_auth=md5"]
)
def test_no_wish_for_secrecy_is_left_unheard(query: str) -> None:
    with pytest.raises(ValueError, match=query.partition("=")[0]):
        parse_database_url(f"postgresql://u:p@h/x?{query}")


@pytest.mark.parametrize("query", ["sslmode=require&sslrootcert=ca.pem", "sslrootcert=ca.pem&sslmode=require"])
def test_a_root_certificate_is_there_to_verify_with(query: str) -> None:
    # As libpq has it: with a root certificate `require` means `verify-ca`.
    assert parse_database_url(f"postgresql://u:p@h/x?{query}").tls == "verify"


# Answers that do not fit -------------------------------------------------------------------------------------------


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


COLUMN = b"a\0" + struct.pack("!ihihih", 0, 0, 23, 4, -1, 0)
ROW = b"\0\1" + struct.pack("!i", 1) + b"7"


@pytest.mark.parametrize(
    "said",
    [
        message(b"T", b"\0\1" + COLUMN) + message(b"D", ROW) + message(b"T", b"\0\2" + COLUMN * 2),
        message(b"T", b"\0\1" + COLUMN) + message(b"D", b"\0\1" + struct.pack("!i", 100) + b"7"),
        message(b"T", b"\0\1" + COLUMN) + message(b"D", ROW + b"more"),
    ],
    ids=["columns that change", "a value that is cut", "more than a row"],
)
def test_an_answer_that_does_not_fit_is_not_taken(said: bytes) -> None:
    wire = Wire(HERE, WELCOME + READY + READY + said + READY)
    session = log_in(wire)
    with pytest.raises(ProbeFailed, match="not as PostgreSQL speaks") as failed:
        session.query("SELECT 1", 10)
    assert failed.value.kind is Kind.PROTOCOL


def test_who_is_asked_for_rows_to_copy_gives_none_and_asks_to_go_on() -> None:
    # A server that copies has not heard the Sync that was sent before.
    refusal = message(b"E", b"SERROR\0C57014\0MCOPY failed\0\0")
    wire = Wire(HERE, WELCOME + READY + READY + message(b"G", b"\0\0\0") + refusal + READY)
    with pytest.raises(DatabaseFailed, match="COPY failed"):
        log_in(wire).query("COPY x FROM STDIN", 10)
    assert wire.sent.endswith(message(b"f", b"read only\0") + message(b"S", b""))


def test_what_a_pooler_says_is_a_refusal_and_not_another_protocol() -> None:
    # PgBouncer has 08P01 for everything: no such database, no server behind it.
    wire = Wire(HERE, message(b"E", b"SFATAL\0C08P01\0Mno such database: x\0\0"))
    with pytest.raises(DatabaseFailed, match="no such database") as refused:
        log_in(wire)
    assert (refused.value.kind, refused.value.code) == (Kind.STATUS, "08P01")
