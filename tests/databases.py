"""Real servers on loopback, each in a folder of its own: PostgreSQL, MariaDB, Redis, RabbitMQ.

A database server refuses to run as root, and a test may run as root: then it runs as the user of its Debian package.
"""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.conftest import eventually, free_port, program


def postgres_program(name: str) -> str:
    """Return the path of a program of the newest PostgreSQL server; Debian has them in no folder of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else program(name, "postgresql")


class Service:
    """A process that serves in a folder of its own, as another user where the tests run as root."""

    user = ""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="greenwall-test-"))
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.account = _account(self.user)
        if self.account:
            os.chown(self.folder, self.account.pw_uid, self.account.pw_gid)

    def run(self, *command: str) -> str:
        """Run a program to its end, as the server's user, and return what it said."""
        done = subprocess.run(
            command, **self._as_user(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False
        )
        said = done.stdout.decode(errors="replace")
        assert done.returncode == 0, f"{command[0]} ended with {done.returncode}: {said[-2000:]}"
        return said

    def spawn(self, *command: str, **environment: str) -> None:
        """Start the server; it is ended with all its children."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command,
                **self._as_user(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _as_user(self, environment: dict[str, str] | None = None) -> dict[str, object]:
        home = {"HOME": str(self.folder), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        more: dict[str, object] = {"cwd": self.folder, "env": home | (environment or {})}
        if self.account:
            more |= {"user": self.account.pw_uid, "group": self.account.pw_gid, "extra_groups": []}
        return more

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def until_it_listens(self, longest_s: float = 30.0) -> None:
        def listens() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                pytest.fail(f"the server ended with {self.process.returncode}: {self.log()[-2000:]}")
            with suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return True
            return False

        eventually(listens, longest_s, "the server listens")

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Within, the server and its children hang: connections are taken by the kernel, and nothing is said."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the server and its children; PostgreSQL's have left its process group."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self.process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.send_signal(number)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        if self.process is not None:
            self.signal(signal.SIGKILL)
            self.process.wait(10)

    def end(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def _account(user: str) -> pwd.struct_passwd | None:
    if not user or os.geteuid() != 0:
        return None
    for name in (user, "nobody"):
        with suppress(KeyError):
            return pwd.getpwnam(name)
    return None


class PostgresServer(Service):
    """Few connections, passwords by SCRAM, MD5 and in clear, TLS when it gets a certificate."""

    user = "postgres"
    max_connections = 12

    def __init__(self) -> None:
        self.server, initdb = postgres_program("postgres"), postgres_program("initdb")
        super().__init__()
        self.data = self.folder / "data"
        self.run(initdb, "-D", str(self.data), "-U", "root", "-A", "trust", "-E", "UTF8", "--no-sync")
        hba = self.data / "pg_hba.conf"
        self.write(
            hba,
            "local all all trust\nhost all root 127.0.0.1/32 trust\nhost all old 127.0.0.1/32 md5\n"
            "host all clear 127.0.0.1/32 password\nhost all banned 127.0.0.1/32 reject\n"
            "host all ticket 127.0.0.1/32 ident\nhost replication root 127.0.0.1/32 trust\n"
            "host all all 127.0.0.1/32 scram-sha-256\n",
        )

    def write(self, path: Path, text: str) -> None:
        path.write_text(text, "utf-8")
        path.chmod(0o600)
        if self.account:
            os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self, *more: str) -> None:
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self.folder,
            "max_connections": self.max_connections,
            "superuser_reserved_connections": 2,
            "fsync": "off",
            "shared_buffers": "16MB",
            "max_wal_senders": 3,
            "wal_receiver_status_interval": "1s",
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self.spawn(self.server, "-D", str(self.data), *options, *more)
        # The folder of the socket needs no look-up and no password.
        eventually(lambda: self._is_ready(), 30, "PostgreSQL answers")

    def _is_ready(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"PostgreSQL ended with {self.process.returncode}: {self.log()[-2000:]}")
        with suppress(AssertionError):
            return "1" in self.sql("SELECT 1")
        return False

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as the superuser."""
        psql = postgres_program("psql")
        where = ("-h", str(self.folder), "-p", str(self.port), "-U", "root", "-d", database)
        return self.run(psql, *where, "-Xqtc", text)

    def url(self, user: str = "monitor", password: str = "right password", name: str = "shop", **query: str) -> str:
        more = "&".join(f"{key}={value}" for key, value in query.items())
        secret = f":{password.replace(' ', '%20')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{name}{f'?{more}' if more else ''}"


class MariaDbServer(Service):
    user = "mysql"
    max_connections = 10

    def __init__(self) -> None:
        self.server = program("mariadbd", "mariadb-server")
        install = program("mariadb-install-db", "mariadb-server")
        super().__init__()
        self.data, self.socket = self.folder / "data", self.folder / "sock"
        here = ("--no-defaults", f"--datadir={self.data}")
        self.run(install, *here, "--skip-test-db", "--auth-root-authentication-method=normal")

    def start(self, *more: str) -> None:
        self.spawn(
            self.server,
            "--no-defaults",
            f"--datadir={self.data}",
            f"--socket={self.socket}",
            f"--pid-file={self.folder}/pid",
            f"--port={self.port}",
            "--bind-address=127.0.0.1",
            f"--max-connections={self.max_connections}",
            "--extra-max-connections=2",
            "--innodb-buffer-pool-size=8M",
            "--innodb-flush-log-at-trx-commit=0",
            "--skip-name-resolve",
            *more,
        )
        self.until_it_listens()

    def sql(self, text: str) -> str:
        client = program("mariadb", "mariadb-client")
        return self.run(client, "--no-defaults", f"--socket={self.socket}", "-u", "root", "-N", "-e", text)

    def url(self, user: str = "monitor", password: str = "right password", name: str = "shop", **query: str) -> str:
        more = "&".join(f"{key}={value}" for key, value in query.items())
        secret = f":{password.replace(' ', '%20')}" if password else ""
        return f"mysql://{user}{secret}@127.0.0.1:{self.port}/{name}{f'?{more}' if more else ''}"


class RedisServer(Service):
    def __init__(self, *more: str) -> None:
        self.server, self.more = program("redis-server", "redis-server"), more
        super().__init__()
        self.socket = self.folder / "sock"

    @contextmanager
    def started(self, *more: str) -> Iterator[RedisServer]:
        """Within, the server runs; it is ended however the start went."""
        try:
            self.start(*more)
            yield self
        finally:
            self.end()

    def start(self, *more: str) -> None:
        here = ("--bind", "127.0.0.1", "--dir", str(self.folder), "--unixsocket", str(self.socket))
        port = () if "--port" in self.more else ("--port", str(self.port))
        self.spawn(self.server, *port, *here, "--save", "", "--enable-debug-command", "yes", *self.more, *more)
        self.until_it_listens()

    def ask(self, *command: str) -> str:
        """Say one command, without logging in."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as line:
            parts = [part.encode() for part in command]
            line.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            return line.recv(65536).decode()

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"


class RabbitMqServer(Service):
    """RabbitMQ with its management; slow to start, so `start` does not wait and `until_it_answers` does."""

    user = "rabbitmq"

    def __init__(self) -> None:
        # The package's own program changes to its user and its folders: this one does not.
        program("rabbitmq-server", "rabbitmq-server")
        found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin/rabbitmq-server"))
        self.server = str(found[-1]) if found else program("rabbitmq-server", "rabbitmq-server")
        super().__init__()
        self.management, self.distribution, self.epmd = free_port(), free_port(), free_port()
        self.mapper: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config, plugins = self.folder / "rabbitmq.conf", self.folder / "enabled_plugins"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nmanagement.tcp.ip = 127.0.0.1\n"
            f"management.tcp.port = {self.management}\ncollect_statistics_interval = 1000\n"
            # A machine with a full disk or little memory is no reason for the tests to fail.
            "disk_free_limit.absolute = 1MB\nvm_memory_high_watermark.absolute = 4GB\n"
        )
        plugins.write_text("[rabbitmq_management].\n")
        # Its own port mapper, as a child of ours: the one that Erlang starts by itself would stay for ever.
        epmd = program("epmd", "erlang-base")
        with (self.folder / "epmd.log").open("ab") as log:
            self.mapper = subprocess.Popen(
                [epmd, "-port", str(self.epmd), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                **self._as_user(),
            )
        self.spawn(
            self.server,
            RABBITMQ_NODENAME=f"greenwall{self.port}@localhost",
            RABBITMQ_NODE_PORT=str(self.port),
            RABBITMQ_DIST_PORT=str(self.distribution),
            RABBITMQ_CONFIG_FILE=str(config),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(plugins),
            RABBITMQ_MNESIA_BASE=str(self.folder / "mnesia"),
            RABBITMQ_LOG_BASE=str(self.folder / "logs"),
            RABBITMQ_PID_FILE=str(self.folder / "pid"),
            RABBITMQ_CONF_ENV_FILE=str(self.folder / "none"),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 1:1 -kernel inet_dist_use_interface {127,0,0,1}",
            ERL_EPMD_PORT=str(self.epmd),
            ERL_EPMD_ADDRESS="127.0.0.1",
        )

    def until_it_answers(self) -> None:
        import requests

        def answers() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                pytest.fail(f"RabbitMQ ended with {self.process.returncode}: {self.log()[-2000:]}")
            with suppress(requests.RequestException):
                return self.api("GET", "/api/overview").ok
            return False

        eventually(answers, 90, "RabbitMQ's management answers")

    def api(self, method: str, path: str, body: object = None):  # type: ignore[no-untyped-def]
        import requests

        url = f"http://127.0.0.1:{self.management}{path}"
        return requests.request(method, url, json=body, auth=("guest", "guest"), timeout=10)

    def end(self) -> None:
        self.kill()
        if self.mapper is not None:
            self.mapper.kill()
            self.mapper.wait(10)
        super().end()

    def url(self, user: str = "guest", password: str = "guest") -> str:
        return f"http://{user}:{password}@127.0.0.1:{self.management}"


@contextmanager
def nothing_is_left() -> Iterator[None]:
    """Fail when a thread or a descriptor more is open afterwards than before."""
    threads, before = threading.active_count(), _descriptors()
    yield
    eventually(lambda: threading.active_count() <= threads, 5, "no thread is left")
    assert _descriptors() <= before


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


@contextmanager
def within(longest_s: float) -> Iterator[None]:
    """Fail when it took longer."""
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    assert took <= longest_s, f"it took {took:.2f} s, expected at most {longest_s} s"


def number_in(text: str) -> int:
    """Return the first number of a text."""
    found = re.search(r"\d+", text)
    assert found, text
    return int(found[0])
