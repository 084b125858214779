"""The ssh probe against a real OpenSSH server, and against peers that identify themselves oddly or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from monitor.config.kinds.ssh import SshCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import GRACE_S, eventually, free_port, program
from tests.servers import Connection, Peer, greets

OK = (Status.OK, None)
PROTOCOL = (Status.FAIL, Kind.PROTOCOL)
TIMEOUT_S = 0.4


class Sshd:
    """An OpenSSH server that nobody can log in to."""

    def __init__(self, folder: Path) -> None:
        self.program, keygen = program("sshd", "openssh-server"), program("ssh-keygen", "openssh-client")
        self.folder, self.port = folder, free_port()
        key = folder / "key"
        subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
        (folder / "sshd_config").write_text(
            f"HostKey {key}\nListenAddress 127.0.0.1\nPort {self.port}\nPidFile none\nUsePAM no\n"
            f"AuthorizedKeysFile none\nStrictModes no\nLoginGraceTime 30\n"
        )
        if os.geteuid() == 0:
            # Where no service manager has made it.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-D", "-e", "-f", str(self.folder / "sshd_config")], stderr=log, start_new_session=True
            )
        eventually(self._listens, 15, f"sshd listens: {self.log()}")

    def _listens(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"sshd ended with {self.process.returncode}: {self.log()}")
        return "Server listening" in self.log()

    def log(self) -> str:
        return (self.folder / "log").read_text("utf-8", "replace")

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture(scope="module")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    server = Sshd(tmp_path_factory.mktemp("sshd"))
    server.start()
    yield server
    server.stop()


def see(port: int, **keys: Any) -> Outcome:
    keys = {"host": "127.0.0.1", "timeout": 5, **keys}
    check = SshCheck.model_validate({"name": "n", "type": "ssh", "port": port, **keys})
    began = time.monotonic()
    outcome = run_probe(check, Setting(Path()))
    assert time.monotonic() - began < keys["timeout"] + GRACE_S
    return outcome


def verdict(outcome: Outcome) -> tuple[Status, Kind | None]:
    return outcome.status, outcome.kind


# ---- a real server


def test_openssh_is_ok_and_its_software_is_seen(sshd: Sshd) -> None:
    outcome = see(sshd.port)
    assert verdict(outcome) == OK
    assert str(outcome.observed["software"]).startswith("OpenSSH_")
    assert outcome.observed["ssh_version"] == "2.0"
    assert outcome.message.startswith("OpenSSH_")
    assert outcome.phases_ms.keys() == {"dns", "connect", "total"}


def test_the_probe_does_not_look_like_a_scan_in_the_servers_log(sshd: Sshd) -> None:
    before = sshd.log().count("[preauth]")
    assert verdict(see(sshd.port)) == OK
    eventually(lambda: sshd.log().count("[preauth]") > before, 10, "the server has written its log")
    assert "error:" not in sshd.log()
    assert "Bad protocol version" not in sshd.log()


def test_expectations_on_the_identification(sshd: Sshd) -> None:
    assert verdict(see(sshd.port, expect_contains="OpenSSH", expect_matches=r"^SSH-2\.0-OpenSSH_\d")) == OK
    wrong = see(sshd.port, expect_contains="dropbear")
    assert verdict(wrong) == (Status.FAIL, Kind.CONTENT)
    assert wrong.message.startswith("identification is 'SSH-2.0-OpenSSH_")


def test_a_server_that_hangs_is_a_timeout(sshd: Sshd) -> None:
    sshd.signal(signal.SIGSTOP)
    try:
        seen = see(sshd.port, timeout=TIMEOUT_S)
        assert verdict(seen) == (Status.FAIL, Kind.TIMEOUT)
        assert seen.message == "connected, but no SSH identification within 400 ms"
    finally:
        sshd.signal(signal.SIGCONT)
    eventually(lambda: verdict(see(sshd.port)) == OK, 10, "the server answers again")


def test_a_server_that_is_gone_is_no_connection_and_back_it_is_ok(sshd: Sshd) -> None:
    sshd.stop()
    assert verdict(see(sshd.port)) == (Status.FAIL, Kind.CONNECT)
    (sshd.folder / "log").write_text("")
    sshd.start()
    assert verdict(see(sshd.port)) == OK


# ---- peers that are legal and odd


@pytest.mark.parametrize(
    ("raw", "software"),
    [
        (b"SSH-2.0-dropbear_2022.83\r\n", "dropbear_2022.83"),
        (b"SSH-1.99-Cisco-1.25\n", "Cisco-1.25"),
        (b"SSH-2.0-x comment with blanks\r\n", "x comment with blanks"),
        (b"Welcome!\r\nAuthorised use only\r\n\r\nSSH-2.0-OpenSSH_9.2\r\n", "OpenSSH_9.2"),
        (b"line\n" * 500 + b"SSH-2.0-late\n", "late"),
        (b"SSH-2.0-k\r\n\x00\x00\x01\x02\x06\x14", "k"),
        (b"SSH-2.0-" + b"l" * 300 + b"\r\n", "l" * 199 + "…"),
    ],
)
def test_identifications_that_are_allowed(raw: bytes, software: str) -> None:
    with Peer(greets(raw)) as peer:
        outcome = see(peer.port)
    assert verdict(outcome) == OK
    assert outcome.observed["software"] == software


@pytest.mark.parametrize("raw", [b"SSH-1.5-old\r\n", b"SSH-3.0-new\r\n", b"SSH-\r\n", b"SSH-2.0\xff-x\r\n"])
def test_other_versions_fail(raw: bytes) -> None:
    with Peer(greets(raw)) as peer:
        outcome = see(peer.port)
    assert verdict(outcome) == PROTOCOL
    assert outcome.message.startswith("version of SSH is ")


def test_what_the_server_said_before_it_hung_up_is_why() -> None:
    with Peer(greets(b"Not allowed at this time\r\n", hold=False)) as peer:
        outcome = see(peer.port)
    assert verdict(outcome) == PROTOCOL
    assert outcome.message == "no SSH identification, but 'Not allowed at this time'"


def test_something_else_is_no_ssh_server() -> None:
    with Peer(greets(b"", hold=False), greets(b"HTTP/1.1 400 Bad Request\r\n\r\n", hold=False)) as peer:
        assert verdict(see(peer.port)) == PROTOCOL
        assert "HTTP/1.1 400" in see(peer.port).message


def test_lines_without_an_end_are_bounded() -> None:
    def flood(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"more\r\n" * 1000)

    def one_line(line: Connection) -> None:
        while not line.closing.is_set():
            line.send(b"x" * 10000)

    with Peer(flood, one_line) as peer:
        assert see(peer.port).message == "no SSH identification within 1000 lines"
        assert verdict(see(peer.port)) == PROTOCOL


def test_a_drip_ends_with_the_deadline() -> None:
    def drip(line: Connection) -> None:
        while not line.closing.wait(0.02):
            line.send(b"S")

    with Peer(drip) as peer:
        assert verdict(see(peer.port, timeout=TIMEOUT_S)) == (Status.FAIL, Kind.TIMEOUT)


def test_slow_is_warn() -> None:
    def late(line: Connection) -> None:
        line.closing.wait(0.1)
        line.send(b"SSH-2.0-late\r\n")
        line.hold()

    with Peer(late) as peer:
        assert verdict(see(peer.port, warn_ms=50)) == (Status.WARN, Kind.SLOW)
        assert verdict(see(peer.port, crit_ms=50)) == (Status.FAIL, Kind.SLOW)
