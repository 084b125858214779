"""The database kind against real PostgreSQL, MariaDB and SQLite, while they are broken in many ways; and peers that are
none of them."""

from __future__ import annotations

import os
import socket
import sqlite3
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme

from monitor.config import Environment, parse_config
from monitor.config.databaseurl import parse_database_url
from monitor.config.kinds.database import DatabaseCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import eventually
from tests.databases import MariaDbServer, PostgresServer, nothing_is_left, number_in, postgres_program, within
from tests.servers import Connection, Peer, one_by_one

SETTING = Setting(Path("conf"))
Server = PostgresServer | MariaDbServer


def check(url: str, **more: Any) -> DatabaseCheck:
    return DatabaseCheck.model_validate({"name": "d", "type": "database", "url": url, "timeout": 5, **more})


def see(url: str, setting: Setting = SETTING, **more: Any) -> Outcome:
    return run_probe(check(url, **more), setting)


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.pem`, and a certificate of it for 127.0.0.1 as `key.pem` and `chain.pem`."""
    folder = tmp_path_factory.mktemp("authority")
    ca = trustme.CA()
    leaf = ca.issue_cert("127.0.0.1", "localhost")
    ca.cert_pem.write_to_path(str(folder / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(folder / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(folder / "chain.pem"))
    return folder


def with_certificate(server: Server, authority: Path) -> tuple[str, str]:
    """Return the paths of copies that the server's user may read, and nobody else: key and chain."""
    for name in ("key.pem", "chain.pem"):
        copy = server.folder / name
        copy.write_bytes((authority / name).read_bytes())
        copy.chmod(0o600)
        if server.account:
            os.chown(copy, server.account.pw_uid, server.account.pw_gid)
    return str(server.folder / "key.pem"), str(server.folder / "chain.pem")


@pytest.fixture(scope="module")
def postgres(authority: Path) -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        key, chain = with_certificate(server, authority)
        server.start("-c", "ssl=on", "-c", f"ssl_key_file={key}", "-c", f"ssl_cert_file={chain}")
        server.sql("CREATE DATABASE shop")
        server.sql(
            "CREATE ROLE monitor LOGIN PASSWORD 'right password'; CREATE ROLE odd LOGIN PASSWORD 'pä/ss@wörd:½';"
            "CREATE ROLE clear LOGIN PASSWORD 'right password'; CREATE ROLE banned LOGIN; CREATE ROLE ticket LOGIN;"
            "SET password_encryption = md5; CREATE ROLE old LOGIN PASSWORD 'right password'"
        )
        server.sql(
            "CREATE TABLE orders (n int, price numeric, name text); GRANT SELECT ON orders TO monitor;"
            "INSERT INTO orders SELECT n, n * 1.5, 'order ' || n FROM generate_series(1, 20) n; CREATE TABLE secret ()",
            "shop",
        )
        yield server
    finally:
        server.end()


@pytest.fixture(scope="module")
def mariadb(authority: Path) -> Iterator[MariaDbServer]:
    server = MariaDbServer()
    try:
        key, chain = with_certificate(server, authority)
        server.start(f"--ssl-key={key}", f"--ssl-cert={chain}")
        server.sql(
            "CREATE DATABASE shop CHARACTER SET utf8mb4; CREATE DATABASE other;"
            "CREATE USER monitor IDENTIFIED BY 'right password'; GRANT SELECT ON shop.* TO monitor;"
            "CREATE USER odd IDENTIFIED BY 'pä/ss@wörd:½'; GRANT SELECT ON shop.* TO odd;"
            "CREATE TABLE shop.orders (n int, price decimal(10,2), name text);"
            "INSERT INTO shop.orders SELECT seq, seq * 1.5, concat('order ', seq) FROM mysql.help_topic "
            "JOIN (SELECT 1 AS seq) s LIMIT 0; INSERT INTO shop.orders SELECT seq, seq * 1.5, "
            "concat('order ', seq) FROM shop.seq_1_to_20"
        )
        yield server
    finally:
        server.end()


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


# Both servers ------------------------------------------------------------------------------------------------------


def test_a_database_that_answers_is_ok_and_tells_its_figures(server: Server) -> None:
    with nothing_is_left():
        seen = see(server.url())
    assert verdict(seen) == (Status.OK, None)
    assert seen.message.startswith("1 row in ")
    assert seen.observed["max_connections"] == server.max_connections
    assert seen.observed["connections"] in range(1, 4)
    assert number_in(str(seen.observed["version"])) >= 10
    assert seen.phases_ms.keys() == {"dns", "connect", "tls", "login", "query", "total"}


def test_no_connection_is_left_open_in_the_server(server: Server) -> None:
    for _ in range(server.max_connections * 2):
        assert see(server.url()).status is Status.OK
    assert see(server.url(), query="SELECT * FROM nope").kind is Kind.STATUS
    eventually(lambda: see(server.url()).observed["connections"] == 1, 5)


LOGINS: list[tuple[dict[str, str], Kind]] = [
    ({"password": "wrong"}, Kind.AUTH),
    ({"password": ""}, Kind.AUTH),
    ({"user": "stranger"}, Kind.AUTH),
]


@pytest.mark.parametrize(("parts", "kind"), LOGINS)
def test_a_login_that_is_refused_is_auth(server: Server, parts: dict[str, str], kind: Kind) -> None:
    seen = see(server.url(**parts))
    assert verdict(seen) == (Status.FAIL, kind)
    assert "wrong" not in repr(seen)


def test_a_password_may_hold_anything(server: Server) -> None:
    quoted = server.url("odd", "p%C3%A4%2Fss%40w%C3%B6rd%3A%C2%BD")
    assert verdict(see(quoted)) == (Status.OK, None)
    # As people write it who have never heard of quoting; only a slash cannot stand there.
    assert verdict(see(server.url("odd", "pä%2Fss@wörd:½"))) == (Status.OK, None)
    assert "wörd" not in repr(see(server.url("odd", "pä%2Fss@wörd:¼")))
    assert "w" not in check(quoted).target.removeprefix("postgresql").removeprefix("mysql")


def test_an_unknown_database_is_told_in_words(server: Server) -> None:
    seen = see(server.url("root", "", "nope"))
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert "nope" in seen.message
    assert seen.observed["error"] in ("3D000", "1049")


def test_an_error_in_the_query_is_status_with_its_code(server: Server) -> None:
    seen = see(server.url(), query="SELECT * FROM nope")
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.observed["error"] in ("42P01", "1146")
    assert see(server.url(), query="SELEC 1").observed["error"] in ("42601", "1064")


def test_what_the_user_may_not_see_is_auth(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    assert verdict(see(postgres.url(), query="SELECT * FROM secret")) == (Status.FAIL, Kind.AUTH)
    assert verdict(see(mariadb.url(), query="SELECT * FROM mysql.global_priv")) == (Status.FAIL, Kind.AUTH)
    assert verdict(see(mariadb.url(name="other"))) == (Status.FAIL, Kind.AUTH)


WRITES = (
    "INSERT INTO orders (n) VALUES (99)",
    "DELETE FROM orders",
    "CREATE TABLE mine (n int)",
    "DROP TABLE orders",
)


@pytest.mark.parametrize("query", WRITES)
def test_nothing_can_be_written(server: Server, query: str) -> None:
    seen = see(server.url("root", ""), query=query)
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.observed["error"] in ("25006", "1792")
    assert verdict(see(server.url(), query="SELECT n FROM orders", min_rows=20, max_rows=20)) == (Status.OK, None)


def test_a_query_that_takes_too_long_is_ended_by_the_server(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    for server, query in ((postgres, "SELECT pg_sleep(60)"), (mariadb, "SELECT sleep(60)")):
        with nothing_is_left(), within(4):
            seen = see(server.url(), query=query, timeout=0.4)
        assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
        assert seen.observed["error"] in ("57014", "1969")
        eventually(lambda s=server: see(s.url()).observed["connections"] == 1, 5)  # type: ignore[misc]


def test_a_table_that_is_locked_is_a_timeout(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    import pymysql

    with closing(pymysql.connect(unix_socket=str(mariadb.socket), user="root", database="shop")) as other:
        other.cursor().execute("LOCK TABLES orders WRITE")
        seen = see(mariadb.url(), query="SELECT * FROM orders", timeout=0.6)
        assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)


def test_rows_are_counted(server: Server) -> None:
    query = "SELECT n FROM orders ORDER BY n"
    for limits, status in (
        ({"min_rows": 20}, Status.OK),
        ({"min_rows": 21}, Status.FAIL),
        ({"max_rows": 20}, Status.OK),
        ({"max_rows": 19}, Status.FAIL),
        ({"max_rows": 0}, Status.FAIL),
    ):
        assert see(server.url(), query=query, **limits).status is status, limits
    seen = see(server.url(), query="SELECT n FROM orders WHERE n > 100", max_rows=0)
    assert verdict(seen) == (Status.OK, None)
    assert seen.observed["rows"] == 0
    seen = see(server.url(), query=query, max_rows=5)
    assert (verdict(seen), seen.message) == ((Status.FAIL, Kind.CONTENT), "rows is 20, expected at most 5")


def test_endless_and_wide_answers_are_broken_off(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    for server, query in (
        (postgres, "SELECT n FROM generate_series(1, 5000) n"),
        (mariadb, "SELECT seq FROM seq_1_to_1000000000000"),
    ):
        seen = see(server.url(), query=query)
        assert verdict(seen) == (Status.OK, None)
        assert seen.message.startswith("1000 or more rows")
        seen = see(server.url(), query=query, max_rows=2000)
        assert (verdict(seen), seen.observed["rows"]) == ((Status.FAIL, Kind.CONTENT), 2001)
    for server in (postgres, mariadb):
        seen = see(server.url(), query="SELECT repeat('x', 9000000)")
        assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
        assert "MB" in seen.message


VALUES = (
    "SELECT 12 AS whole, 1.5 AS part, 99999999999999999999 AS big, NULL AS nothing, 'grün' AS word, '12' AS digits, "
    "0.1e0 AS tenth, DATE '2026-01-02' AS day"
)
GOOD: list[dict[str, Any]] = [
    {"equals": 12},
    {"column": "whole", "ge": 12, "lt": 13},
    {"column": "part", "equals": 1.5},
    {"column": "part", "gt": 1},
    {"column": "big", "equals": 99999999999999999999},
    {"column": "nothing", "equals": None},
    {"column": "word", "equals": "grün"},
    {"column": "word", "not_equals": "rot"},
    {"column": "digits", "equals": "12"},
    {"column": "tenth", "equals": 0.1},
    {"column": "day", "equals": "2026-01-02"},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"equals": "12"}, 'whole is 12, expected "12"'),
    ({"column": "whole", "gt": 12}, "whole is 12, expected > 12"),
    ({"column": "nothing", "lt": 5}, "nothing is null, expected < 5"),
    ({"column": "nothing", "equals": 0}, "nothing is null, expected 0"),
    ({"column": "digits", "lt": 50}, 'digits is "12", expected < 50'),
    ({"column": "word", "not_equals": "grün"}, 'word is "grün", expected not "grün"'),
    ({"column": "gone", "not_equals": 1}, "gone is missing; the columns are whole, part, big, nothing, word, digits"),
]


@pytest.mark.parametrize("rule", GOOD)
def test_a_value_that_is_as_wanted_is_ok(server: Server, rule: dict[str, Any]) -> None:
    seen = see(server.url(), query=VALUES, expect=[rule])
    assert verdict(seen) == (Status.OK, None), seen


@pytest.mark.parametrize(("rule", "message"), BAD)
def test_a_value_that_is_not_as_wanted_fails(server: Server, rule: dict[str, Any], message: str) -> None:
    seen = see(server.url(), query=VALUES, expect=[rule])
    assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
    assert seen.message.startswith(message)


def test_a_rule_without_a_row_fails(server: Server) -> None:
    seen = see(server.url(), query="SELECT n FROM orders WHERE n > 100", expect=[{"not_equals": 1}])
    assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "the first value is missing: the query gave no row, expected not 1"


def test_percent_signs_colons_and_comments_reach_the_server_as_they_are(server: Server) -> None:
    query = "SELECT count(*) AS n FROM orders WHERE name LIKE 'order 1%' AND name <> ':x;%s' -- 100 %; done\n"
    assert verdict(see(server.url(), query=query, expect=[{"column": "n", "equals": 11}])) == (Status.OK, None)
    assert verdict(see(server.url(), query="SELECT 1;")) == (Status.OK, None)


def test_connections_in_use_are_judged(server: Server) -> None:
    assert verdict(see(server.url(), crit_connections_percent=99)) == (Status.OK, None)
    assert verdict(see(server.url(), warn_connections_percent=1)) == (Status.WARN, Kind.RESOURCE)
    seen = see(server.url(), crit_connections_percent=5)
    assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
    assert f"of {server.max_connections})" in seen.message


def test_a_server_without_a_free_connection_is_resource(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    import pymysql

    with ExitStack() as held:
        for _ in range(mariadb.max_connections):
            held.enter_context(closing(pymysql.connect(unix_socket=str(mariadb.socket), user="root")))
        seen = see(mariadb.url())
        assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
        assert seen.observed["error"] == "1040"
    with ExitStack() as held:
        startup = struct.pack("!i", 196608) + b"user\0root\0database\0postgres\0\0"
        for _ in range(postgres.max_connections):
            line = held.enter_context(socket.create_connection(("127.0.0.1", postgres.port), 5))
            line.sendall(struct.pack("!i", len(startup) + 4) + startup)
            assert line.recv(1) in (b"R", b"E")
        seen = see(postgres.url())
        assert verdict(seen) == (Status.FAIL, Kind.RESOURCE)
        assert seen.observed["error"] == "53300"
    for server in (postgres, mariadb):
        eventually(lambda s=server: see(s.url()).status is Status.OK, 5)  # type: ignore[misc]


def test_a_slow_database_is_slow(server: Server) -> None:
    assert verdict(see(server.url(), warn_ms=0.001)) == (Status.WARN, Kind.SLOW)
    assert verdict(see(server.url(), crit_ms=0.001)) == (Status.FAIL, Kind.SLOW)


def test_tls_is_used_where_it_is_there_and_verified_where_it_must(server: Server, authority: Path) -> None:
    setting = Setting(authority)
    url, key = server.url(), "sslmode" if isinstance(server, PostgresServer) else "ssl-mode"
    ssl_query = (
        "SELECT ssl::text AS v FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        if isinstance(server, PostgresServer)
        else "SELECT CASE variable_value WHEN '' THEN 'false' ELSE 'true' END AS v FROM "
        "information_schema.session_status WHERE variable_name = 'Ssl_version'"
    )

    def is_encrypted(wanted: str, **more: Any) -> bool:
        return see(url, setting, query=ssl_query, expect=[{"equals": wanted}], **more).status is Status.OK

    assert is_encrypted("true")
    assert is_encrypted("true", tls="require")
    assert is_encrypted("true", tls="verify", ca_file="ca.pem")
    assert is_encrypted("false", tls="off")
    assert verdict(see(url, setting, tls="verify")) == (Status.FAIL, Kind.TLS)
    modes = {"verify-full" if key == "sslmode" else "VERIFY_IDENTITY": (Status.FAIL, Kind.TLS)}
    modes |= {"disable" if key == "sslmode" else "DISABLED": (Status.OK, None)}
    for mode, expected in modes.items():
        assert verdict(see(server.url(**{key: mode}), setting)) == expected
    root = {"sslrootcert" if key == "sslmode" else "ssl_ca": str(authority / "ca.pem")}
    assert verdict(see(server.url(**root), setting)) == (Status.OK, None)


def test_a_unix_socket_is_reached(postgres: PostgresServer, mariadb: MariaDbServer) -> None:
    url = f"postgresql://root@/shop?host={postgres.folder}&port={postgres.port}"
    seen = see(url)
    assert verdict(seen) == (Status.OK, None)
    assert verdict(see(f"mysql://root@localhost/shop?unix_socket={mariadb.socket}")) == (Status.OK, None)
    assert verdict(see("mysql://root@/shop?unix_socket=/nowhere/sock")) == (Status.FAIL, Kind.CONNECT)


def test_a_server_that_hangs_is_a_timeout(server: Server) -> None:
    with nothing_is_left(), server.stopped(), within(4):
        seen = see(server.url(), timeout=10, connect_timeout=0.5)
        assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
        assert "within 500 ms" in seen.message
    assert verdict(see(server.url())) == (Status.OK, None)


def test_a_server_that_hangs_in_the_middle_of_a_query_is_a_timeout(server: Server) -> None:
    import threading

    sleep = "pg_sleep" if isinstance(server, PostgresServer) else "sleep"
    seen: list[Outcome] = []
    probe = threading.Thread(
        target=lambda: seen.append(see(server.url(), query=f"SELECT {sleep}(60) AS asleep", timeout=0.9))
    )
    with within(8):
        probe.start()
        eventually(lambda: see(server.url()).observed["connections"] == 2, 5, "the query runs")
        with server.stopped():
            probe.join(5)
    assert verdict(seen[0]) == (Status.FAIL, Kind.TIMEOUT)
    assert "error" not in seen[0].observed


# PostgreSQL --------------------------------------------------------------------------------------------------------


def test_older_ways_to_log_in_work_and_others_are_not_configured(postgres: PostgresServer) -> None:
    assert verdict(see(postgres.url("old"))) == (Status.OK, None)
    assert verdict(see(postgres.url("clear"))) == (Status.OK, None)
    for user in ("old", "clear"):
        assert verdict(see(postgres.url(user, "wrong"))) == (Status.FAIL, Kind.AUTH)
    seen = see(postgres.url("banned"))
    assert verdict(seen) == (Status.FAIL, Kind.AUTH)
    assert "pg_hba.conf" in seen.message
    assert verdict(see(postgres.url("ticket"))) == (Status.FAIL, Kind.AUTH)


def test_a_login_is_bound_to_the_certificate(postgres: PostgresServer) -> None:
    assert verdict(see(postgres.url(channel_binding="require"))) == (Status.OK, None)
    assert verdict(see(postgres.url(channel_binding="require"), tls="off")) == (Status.FAIL, Kind.PROTOCOL)
    assert verdict(see(postgres.url("old", channel_binding="require"))) == (Status.FAIL, Kind.PROTOCOL)
    assert verdict(see(postgres.url(channel_binding="disable"))) == (Status.OK, None)


@pytest.mark.parametrize(
    "password",
    [
        "ªx",
        "ª😀",
        "Ⅷ\u2ff0",
        "ª\ufffd",
        "ª\U000e0001",
        "א1",
        "ﬁא",
        "1ﬀאb",
        "ªא",
        "\u0627ª1",
        "\u00ad",
        "x\u00a0y",
        "ª\u200b",
    ],
)
def test_a_password_is_prepared_as_postgres_prepares_it(postgres: PostgresServer, password: str) -> None:
    postgres.sql(f"DROP ROLE IF EXISTS curious; CREATE ROLE curious LOGIN PASSWORD '{password}'")
    assert verdict(see(postgres.url("curious", quote(password)))) == (Status.OK, None)


def test_postgres_knows_true_and_false_and_what_is_no_number(postgres: PostgresServer) -> None:
    query = "SELECT true AS yes, 'NaN'::float8 AS nan, 'Infinity'::numeric AS endless, now() AS now, ''::bytea AS none"
    assert verdict(see(postgres.url(), query=query, expect=[{"equals": True}])) == (Status.OK, None)
    for rule in (
        {"column": "yes", "equals": 1},
        {"column": "nan", "gt": 0},
        {"column": "nan", "le": 0},
        {"column": "endless", "gt": 0},
        {"column": "now", "gt": 0},
    ):
        assert verdict(see(postgres.url(), query=query, expect=[rule])) == (Status.FAIL, Kind.CONTENT), rule


def test_an_error_in_a_later_row_and_odd_statements(postgres: PostgresServer) -> None:
    seen = see(postgres.url(), query="SELECT 1 / (10 - n) FROM orders ORDER BY n")
    assert (verdict(seen), seen.observed["error"]) == ((Status.FAIL, Kind.STATUS), "22012")
    assert verdict(see(postgres.url(), query="SHOW server_version", expect=[{"not_equals": ""}])) == (Status.OK, None)
    assert verdict(see(postgres.url(), query="-- nothing at all")) == (Status.OK, None)
    assert verdict(see(postgres.url(), query="-- nothing at all", min_rows=1)) == (Status.FAIL, Kind.CONTENT)
    assert verdict(see(postgres.url(), query="COPY orders TO STDOUT")) == (Status.OK, None)
    assert see(postgres.url("root", ""), query="COPY orders FROM STDIN").status is Status.FAIL
    assert verdict(see(postgres.url(options="-csearch_path%3Dpg_catalog"), query="SELECT 1 FROM orders")) == (
        Status.FAIL,
        Kind.STATUS,
    )


def test_a_session_that_is_killed_tells_why(postgres: PostgresServer) -> None:
    query = "SELECT pg_terminate_backend(pg_backend_pid())"
    seen = see(postgres.url("root", ""), query=query)
    assert verdict(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.observed["error"] == "57P01"


def test_a_replica_is_told_apart_from_one_that_lost_its_primary(postgres: PostgresServer) -> None:
    replica = PostgresServer.__new__(PostgresServer)
    replica.server = postgres.server
    super(PostgresServer, replica).__init__()
    replica.data = replica.folder / "data"
    try:
        where = ("-h", "127.0.0.1", "-p", str(postgres.port), "-U", "root", "-D", str(replica.data))
        replica.run(postgres_program("pg_basebackup"), *where, "-R", "-c", "fast", "--no-sync", "-X", "stream")
        key, chain = (str(postgres.folder / name) for name in ("key.pem", "chain.pem"))
        replica.start("-c", "ssl=on", "-c", f"ssl_key_file={key}", "-c", f"ssl_cert_file={chain}")
        url = replica.url()
        eventually(lambda: see(url, max_lag="10s").status is Status.OK, 10, "it replicates")
        assert see(url, max_lag="10s").observed["replication_lag_s"] == 0
        seen = see(postgres.url(), max_lag="10s")
        assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
        assert "the server is no replica" in seen.message
        postgres.sql("CREATE TABLE later ()", "shop")
        there = "SELECT 1 FROM pg_class WHERE relname = 'later'"
        eventually(lambda: see(url, query=there, min_rows=1).status is Status.OK, 10, "it replays")
        # Its last change is some time ago, and without a primary it cannot know whether there was another.
        replica.sql("ALTER SYSTEM SET primary_conninfo = 'host=127.0.0.1 port=1'; ")
        replica.sql("SELECT pg_reload_conf()")
        eventually(lambda: see(url, max_lag="50ms").kind is Kind.RESOURCE, 10, "it lost its primary")
        assert verdict(see(url)) == (Status.OK, None)
    finally:
        replica.end()


# MariaDB -----------------------------------------------------------------------------------------------------------


def test_a_mariadb_replica_must_replicate(mariadb: MariaDbServer) -> None:
    root = mariadb.url("root", "")
    assert "no replica" in see(root, max_lag=5).message
    assert verdict(see(mariadb.url(), max_lag=5)) == (Status.FAIL, Kind.AUTH)
    mariadb.sql("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='x', MASTER_CONNECT_RETRY=1")
    try:
        seen = see(root, max_lag=5)
        assert verdict(seen) == (Status.FAIL, Kind.CONTENT)
        assert "does not run" in seen.message
        mariadb.sql("START SLAVE")
        assert verdict(see(root, max_lag=5)) == (Status.FAIL, Kind.CONTENT)
    finally:
        mariadb.sql("STOP SLAVE; RESET SLAVE ALL")


# SQLite ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "shop 100%.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE orders (n INTEGER, price REAL, name TEXT)")
        made.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, n * 1.5, f"order {n}") for n in range(1, 21)])
        made.commit()
    return path


def test_sqlite_is_read_by_relative_and_absolute_path(file: Path) -> None:
    query = "SELECT count(*) AS n, NULL AS empty, x'00' AS raw FROM orders"
    rules = [{"equals": 20}, {"column": "empty", "equals": None}]
    for url in (f"sqlite:///{file}".replace("%", "%25"), "sqlite:///shop%20100%25.db"):
        with nothing_is_left():
            seen = see(url, Setting(file.parent), query=query, expect=rules, max_rows=1)
        assert verdict(seen) == (Status.OK, None), seen
    assert verdict(see(url, Setting(file.parent), query=query, expect=[{"lt": 20}])) == (Status.FAIL, Kind.CONTENT)


def test_a_sqlite_file_is_never_made(tmp_path: Path) -> None:
    seen = see("sqlite:///gone.db", Setting(tmp_path))
    assert verdict(seen) == (Status.FAIL, Kind.CONNECT)
    os.mkfifo(tmp_path / "pipe.db")
    assert verdict(see("sqlite:///pipe.db", Setting(tmp_path))) == (Status.FAIL, Kind.CONNECT)
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.db"]


@pytest.mark.parametrize(
    "query", [*WRITES, "ATTACH 'new.db' AS new", "PRAGMA user_version = 5", "VACUUM INTO 'new.db'"]
)
def test_nothing_can_be_written_to_sqlite(file: Path, query: str) -> None:
    before, there = file.read_bytes(), set(file.parent.iterdir())
    assert see(f"sqlite:///{file.name}".replace("%", "%25"), Setting(file.parent), query=query).status is Status.FAIL
    assert file.read_bytes() == before
    assert set(file.parent.iterdir()) == there
    assert not Path("new.db").exists()


def test_sqlite_in_wal_mode_is_read_while_another_writes(file: Path) -> None:
    url = "sqlite:///shop%20100%25.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("BEGIN IMMEDIATE")
        writer.execute("DELETE FROM orders")
        seen = see(url, Setting(file.parent), query="SELECT count(*) FROM orders", expect=[{"equals": 20}])
        assert verdict(seen) == (Status.OK, None)


def test_a_sqlite_file_that_is_locked_is_a_timeout_and_one_that_is_none_is_protocol(file: Path) -> None:
    url, setting = "sqlite:///shop%20100%25.db", Setting(file.parent)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer, within(4):
        writer.execute("BEGIN EXCLUSIVE")
        assert verdict(see(url, setting, query="SELECT * FROM orders", timeout=0.4)) == (Status.FAIL, Kind.TIMEOUT)
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c"
    with nothing_is_left(), within(4):
        assert verdict(see(url, setting, query=endless, timeout=0.4)) == (Status.FAIL, Kind.TIMEOUT)
    assert verdict(see(url, setting, query="SELECT zeroblob(90000000)")) == (Status.FAIL, Kind.CONTENT)
    assert verdict(see(url, setting, query="SELECT * FROM nope")) == (Status.FAIL, Kind.STATUS)
    file.write_bytes(b"no database at all " * 100)
    assert verdict(see(url, setting, query="SELECT * FROM orders")) == (Status.FAIL, Kind.PROTOCOL)


def test_a_sqlite_path_that_cannot_be_opened_is_no_fault_of_ours(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    (tmp_path / "circle.db").symlink_to("circle.db")
    deep = "/".join(["d" * 200] * 3)
    (tmp_path / deep).mkdir(parents=True)
    (tmp_path / deep / "x.db").touch()
    # The third is too long for the system, the last too long for SQLite.
    for name in ("folder.db", "circle.db", "x" * 300 + ".db", f"{deep}/x.db"):
        with nothing_is_left():
            seen = see(f"sqlite:///{name}", Setting(tmp_path))
        assert verdict(seen) == (Status.FAIL, Kind.CONNECT), (name, seen)


# Peers that are none -----------------------------------------------------------------------------------------------


def greets(greeting: bytes, piece: bytes = b"", every_s: float = 0.02) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        connection.send(greeting)
        while piece and not connection.closing.wait(every_s):
            connection.send(piece)
        connection.hold()

    return script


def closes(connection: Connection) -> None:
    connection.sock.recv(100)


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


READY, WELCOME = message(b"Z", b"I"), message(b"R", bytes(4))
SASL = message(b"R", struct.pack("!i", 10) + b"SCRAM-SHA-256\0\0")
REFUSED = message(b"E", b"SFATAL\0C28P01\0MPasswort \xff\x1b[31m falsch\0\0")


def floods(*replies: bytes, piece: bytes) -> Callable[[Connection], None]:
    def script(connection: Connection) -> None:
        for reply in replies:
            connection.sock.recv(10_000)
            connection.send(reply)
        while not connection.closing.is_set():
            connection.send(piece)

    return script


NO_POSTGRES: list[tuple[str, Any, Kind | None]] = [
    ("silence", one_by_one(), Kind.TIMEOUT),
    ("a close", closes, Kind.PROTOCOL),
    ("an http server", one_by_one(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.PROTOCOL),
    ("http after all", one_by_one(b"N", b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.PROTOCOL),
    ("a mail server", greets(b"220 mail.example ESMTP\r\n"), Kind.PROTOCOL),
    ("no handshake", one_by_one(b"S"), Kind.TIMEOUT),
    ("another handshake", one_by_one(b"S", b"HTTP/1.1 400 Bad Request\r\n\r\n"), Kind.TLS),
    ("bytes before the handshake", one_by_one(b"S" + WELCOME + READY), None),
    ("half a login", one_by_one(b"N", b"R\0\0"), Kind.TIMEOUT),
    ("a drip", greets(b"N", b"R"), None),
    ("a huge promise", one_by_one(b"N", WELCOME + READY, b"D" + struct.pack("!i", 2**31 - 1)), Kind.CONTENT),
    ("a size below zero", one_by_one(b"N", WELCOME + READY, b"D" + struct.pack("!i", -5)), Kind.PROTOCOL),
    ("another language", one_by_one(b"N", WELCOME + READY, b"\0\0\0\0\0\0\0"), Kind.PROTOCOL),
    ("silence after the login", one_by_one(b"N", WELCOME + READY), Kind.TIMEOUT),
    ("silence after the first", one_by_one(b"N", WELCOME + READY, READY), Kind.TIMEOUT),
    ("a short row", one_by_one(b"N", WELCOME + READY, READY, message(b"D", b"\0")), Kind.PROTOCOL),
    ("a row of too many", one_by_one(b"N", WELCOME + READY, READY, message(b"D", b"\0\5")), Kind.PROTOCOL),
    ("a column without an end", one_by_one(b"N", WELCOME + READY, READY, message(b"T", b"\0\1x")), Kind.PROTOCOL),
    ("endless notices", floods(b"N", WELCOME + READY, piece=message(b"N", bytes(5000)) * 20), Kind.CONTENT),
    ("endless settings", floods(b"N", piece=message(b"S", b"a\0b\0") * 1000), None),
    ("a refusal in another language", one_by_one(b"N", REFUSED), Kind.AUTH),
    ("an unknown way to log in", one_by_one(b"N", message(b"R", struct.pack("!i", 99))), Kind.UNCONFIGURED),
    ("a way to log in that is none", one_by_one(b"N", message(b"R", b"")), Kind.PROTOCOL),
    ("scram without sense", one_by_one(b"N", SASL, message(b"R", struct.pack("!i", 11) + b"x")), Kind.PROTOCOL),
    ("scram without an order", one_by_one(b"N", message(b"R", struct.pack("!i", 12) + b"v=x")), Kind.PROTOCOL),
]


@pytest.mark.parametrize(("name", "script", "kind"), NO_POSTGRES, ids=[name for name, _, _ in NO_POSTGRES])
def test_a_peer_that_is_no_postgres_fails_in_time(name: str, script: Any, kind: Kind | None) -> None:
    with Peer(script) as peer, nothing_is_left():
        with within(4):
            seen = see(f"postgresql://u:a-secret@127.0.0.1:{peer.port}/x", timeout=0.3)
        assert seen.status is (Status.UNKNOWN if kind is Kind.UNCONFIGURED else Status.FAIL), seen
        assert kind in (None, seen.kind), seen
        assert seen.kind is not Kind.INTERNAL
        assert seen.message.isprintable() and "a-secret" not in repr(seen)
        for connection in peer.connections:
            connection.sock.close()


def test_a_server_cannot_make_us_hash_for_ever() -> None:
    def script(connection: Connection) -> None:
        connection.sock.recv(100)
        connection.send(b"N")
        connection.sock.recv(1000)
        connection.send(SASL)
        nonce = connection.sock.recv(1000).partition(b"r=")[2]
        connection.send(message(b"R", struct.pack("!i", 11) + b"r=" + nonce + b"x,s=QUJD,i=2147483647"))
        connection.hold()

    with Peer(script) as peer, within(4):
        seen = see(f"postgresql://u:p@127.0.0.1:{peer.port}/x")
        assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)
        assert "2147483647" in seen.message


def test_a_server_that_does_not_know_the_password_is_not_believed() -> None:
    def script(connection: Connection) -> None:
        connection.sock.recv(100)
        connection.send(b"N")
        connection.sock.recv(1000)
        connection.send(SASL)
        nonce = connection.sock.recv(1000).partition(b"r=")[2]
        connection.send(message(b"R", struct.pack("!i", 11) + b"r=" + nonce + b"x,s=QUJD,i=4096"))
        connection.sock.recv(1000)
        connection.send(message(b"R", struct.pack("!i", 12) + b"v=QUJD") + WELCOME + READY)
        connection.hold()

    with Peer(script) as peer:
        seen = see(f"postgresql://u:p@127.0.0.1:{peer.port}/x")
        assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL)
        assert "does not know the password" in seen.message


GREETING = (
    b"\x0a8.0.1\0\1\0\0\0abcdefgh\0\xff\xf7\x21\2\0\xff\x81\x15" + bytes(10) + b"ijklmnopqrst\0mysql_native_password\0"
)


def packet(number: int, body: bytes) -> bytes:
    return struct.pack("<i", len(body))[:3] + bytes([number]) + body


MY_OK = b"\0\0\0\2\0\0\0"
NO_MARIADB: list[tuple[str, Any, Kind | None]] = [
    ("silence", one_by_one(), Kind.TIMEOUT),
    ("a close", lambda connection: None, Kind.PROTOCOL),
    ("a mail server", greets(b"220 mail.example ESMTP\r\n"), None),
    ("an http server", greets(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n" * 10), Kind.PROTOCOL),
    ("a drip", greets(b"", b"x"), None),
    ("a slow packet", greets(b"\xff\xff\x01\0", b"x"), Kind.TIMEOUT),
    ("an empty packet", greets(packet(0, b"")), Kind.PROTOCOL),
    ("an old version", greets(packet(0, b"\x09x\0")), Kind.PROTOCOL),
    ("a cut greeting", greets(packet(0, GREETING[:20])), Kind.PROTOCOL),
    ("silence after the greeting", greets(packet(0, GREETING)), Kind.TIMEOUT),
    ("an endless flood", floods(piece=b"x" * 65536), None),
    ("an endless packet", floods(piece=b"\xff\xff\xff\0" + b"x" * 65536), None),
]


@pytest.mark.parametrize(("name", "script", "kind"), NO_MARIADB, ids=[name for name, _, _ in NO_MARIADB])
def test_a_peer_that_is_no_mariadb_fails_in_time(name: str, script: Any, kind: Kind | None) -> None:
    with Peer(script) as peer, nothing_is_left():
        with within(4):
            seen = see(f"mysql://u:a-secret@127.0.0.1:{peer.port}/x", timeout=0.3)
        assert seen.status is Status.FAIL, seen
        assert kind in (None, seen.kind), seen
        assert seen.message.isprintable() and "a-secret" not in repr(seen)
        for connection in peer.connections:
            connection.sock.close()


def test_a_mysql_server_cannot_ask_for_a_file_of_ours() -> None:
    def script(connection: Connection) -> None:
        connection.send(packet(0, GREETING.replace(b"\xff\xf7", b"\xff\xf7")))
        connection.sock.recv(10_000)
        connection.send(packet(2, MY_OK))
        connection.sock.recv(10_000)
        connection.send(packet(1, MY_OK))
        connection.sock.recv(10_000)
        connection.send(packet(1, b"\xfb/etc/passwd"))
        connection.hold()

    with Peer(script) as peer:
        seen = see(f"mysql://u:p@127.0.0.1:{peer.port}/x", tls="off")
        assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL), seen


@pytest.mark.parametrize("way", [b"mysql_clear_password", b"dialog"])
def test_a_mysql_server_does_not_get_the_password_in_clear_text(way: bytes) -> None:
    got: list[bytes] = []

    def script(connection: Connection) -> None:
        connection.send(packet(0, GREETING))
        got.append(connection.sock.recv(10_000))
        connection.send(packet(2, b"\xfe" + way + b"\0\2Password: "))
        got.append(connection.sock.recv(10_000))

    with Peer(script) as peer:
        seen = see(f"mysql://u:a-secret@127.0.0.1:{peer.port}/x", tls="off")
        assert verdict(seen) == (Status.FAIL, Kind.PROTOCOL), seen
        assert "in clear text" in seen.message
    assert b"a-secret" not in b"".join(got)


# The file ----------------------------------------------------------------------------------------------------------


def test_an_empty_url_is_not_configured() -> None:
    text = "checks:\n- name: db\n  type: database\n  url: ${DATABASE_URL:-}\n  max_lag: 5\n"
    (empty,) = parse_config(text, Path("checks.yaml"), Environment()).config.checks
    seen = run_probe(empty, SETTING)
    assert verdict(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "DATABASE_URL" in seen.message
    assert empty.target == "no URL"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgres://u:p@host/name", "postgresql://host:5432/name"),
        ("postgresql+asyncpg://u:p@host:6432/name?pool_size=5&schema=public", "postgresql://host:6432/name"),
        ("postgresql://u:p@[::1]:5432/name", "postgresql://[::1]:5432/name"),
        ("mysql+aiomysql://u:p@host/name?charset=utf8mb4", "mysql://host:3306/name"),
        ("mariadb://u:p:q@r@host/name", "mysql://host:3306/name"),
        ("postgresql://u@/name?host=/run/postgresql", "postgresql:///name"),
        ("sqlite:////var/lib/shop.db", "sqlite:////var/lib/shop.db"),
        ("sqlite+aiosqlite:///shop.db", "sqlite:///shop.db"),
    ],
)
def test_urls_are_understood_as_people_have_them(url: str, place: str) -> None:
    assert parse_database_url(url).place == place


def test_a_password_is_what_stands_before_the_last_at_sign() -> None:
    parts = parse_database_url("mariadb://u:p:q@r%25@host/name")
    assert (parts.user, parts.password, parts.host) == ("u", "p:q@r%", "host")
    assert "p:q" not in repr(parts)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"url": "oracle://u:secret@host/x"}, "expected postgresql://, mysql://, mariadb:// or sqlite://"),
        ({"url": "host/x"}, "expected a URL such as"),
        ({"url": "postgresql://host/x"}, "expected a user name"),
        ({"url": "postgresql://u:secret/word@host/x"}, "expected"),
        ({"url": "postgresql://u:p@a:1,b:2/x"}, "expected one host"),
        ({"url": "postgresql://u:p@host/x?sslmode=maybe"}, "sslmode: expected disable, prefer"),
        ({"url": "postgresql://u:p@host/x?sslcert=me.pem"}, "'sslcert' is not supported"),
        ({"url": "sqlite://shop.db"}, "expected three slashes"),
        ({"url": "sqlite://"}, "expected the file"),
        ({"url": "sqlite:///:memory:"}, "expected the file"),
        ({"url": "sqlite:///x.db", "max_lag": 5}, "max_lag: expected a postgresql or mysql URL"),
        ({"query": "SELECT 1; SELECT 2"}, "expected one statement"),
        ({"query": "SELECT 1; -- a comment\n SELECT 2"}, "expected one statement"),
        ({"min_rows": 5, "max_rows": 4}, "expected min_rows of at most max_rows"),
        ({"expect": [{"column": "n"}]}, "expected one of equals"),
        ({"expect": [{"equals": [1]}]}, "expected a number, a text, true, false or null"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_sentence(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence) as refused:
        check(**({"url": "postgresql://u:p@host/x"} | change))
    assert "secret" not in str(refused.value.errors()[0]["msg"])  # type: ignore[attr-defined]


@pytest.mark.parametrize("query", ["SELECT ';' AS \";\"", "SELECT 1 /* ; */ ; ", "SELECT $a$ ; $a$", "SELECT 1 -- ;"])
def test_a_semicolon_in_a_text_or_a_comment_ends_nothing(query: str) -> None:
    assert check("postgresql://u:p@host/x", query=query).query == query
