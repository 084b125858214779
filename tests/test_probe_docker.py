"""The docker kind: answers as Docker and Podman give them, daemons that misbehave, a real Docker where one starts."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config import CHECK_MODELS
from monitor.model import Json, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from monitor.units import utc_now
from tests.conftest import eventually
from tests.servers import answer

# What Docker 20.10 answered to `GET /containers/web/json`, without what is not read.
RUNNING: dict[str, Any] = {
    "Id": "68d65cee8441d77751859d79084228dcfc531cf815251227365c1eab70134cec",
    "State": {
        "Status": "running",
        "Running": True,
        "Paused": False,
        "Restarting": False,
        "OOMKilled": False,
        "Dead": False,
        "Pid": 5930,
        "ExitCode": 0,
        "Error": "",
        "StartedAt": "2026-11-21T05:08:51.291443126Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
        "Health": {"Status": "healthy", "FailingStreak": 0, "Log": []},
    },
    "Name": "/web",
    "RestartCount": 0,
    "Config": {"Image": "greenwall/busy:1", "Env": ["DB_PASSWORD=hidden-value"]},
}
PODMAN_404 = {"cause": "no such container", "message": 'no container with name or ID "nope" found: no such container'}


class Daemon:
    """A listener on a Unix socket that gives each connection these bytes after its request."""

    def __init__(self, path: Path) -> None:
        self.path, self.raw, self.requests = path, b"", list[bytes]()
        self.then: Callable[[socket.socket], None] = lambda connection: None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(8)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                request = b""
                while b"\r\n\r\n" not in request:
                    request += connection.recv(65536)
                self.requests.append(request)
                connection.sendall(self.raw)
                self.then(connection)
                connection.shutdown(socket.SHUT_WR)

    def says(self, document: object = None, status: str = "200 OK", **changed: Any) -> None:
        body = RUNNING if document is None else document
        if changed and isinstance(body, dict):
            top = {key: changed.pop(key) for key in ("Id", "RestartCount") if key in changed}
            body = body | {"State": body["State"] | changed} | top
        self.raw = answer(body if isinstance(body, (str, bytes)) else json.dumps(body), status)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    server = Daemon(tmp_path / "docker.sock")
    server.says()
    yield server
    server.close()


def check(path: Path | str, container: str = "web", **keys: Any) -> Any:
    written = {"name": "d", "type": "docker", "container": container, "socket": str(path)}
    return CHECK_MODELS["docker"].model_validate(written | keys)


def probe(path: Path, container: str = "web", memory: Mapping[str, Json] | None = None, **keys: Any) -> Outcome:
    return run_probe(check(path, container, **keys), Setting(Path(), memory=memory or {}))


def what(seen: Outcome) -> tuple[Status, Kind | None]:
    return seen.status, seen.kind


def test_a_healthy_container_is_ok_and_nothing_secret_is_kept_of_it(daemon: Daemon) -> None:
    seen = probe(daemon.path)
    assert (what(seen), seen.message) == ((Status.OK, None), "running, healthy")
    assert seen.observed["image"] == "greenwall/busy:1"
    assert seen.latency_ms is not None
    assert "hidden-value" not in str(seen)
    assert daemon.requests[0].startswith(b"GET /containers/web/json HTTP/1.1\r\n")


@pytest.mark.parametrize("health", [None, {}, {"Status": ""}, {"Status": "none"}])
def test_without_a_health_check_the_state_decides(daemon: Daemon, health: object) -> None:
    daemon.says(Health=health)
    assert (what(probe(daemon.path)), probe(daemon.path).message) == ((Status.OK, None), "running")
    assert what(probe(daemon.path, require_health=True)) == (Status.FAIL, Kind.STATUS)


def test_an_unhealthy_container_fails(daemon: Daemon) -> None:
    daemon.says(Health={"Status": "unhealthy", "FailingStreak": 4, "Log": [{"Output": "hidden-value"}]})
    seen = probe(daemon.path)
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "health of container web is unhealthy, 4 times in a row, expected healthy"
    assert "hidden-value" not in str(seen)


def test_a_starting_container_is_ok_for_its_grace_and_then_a_warning(daemon: Daemon) -> None:
    started_at = (utc_now() - timedelta(seconds=60)).strftime("%Y-%m-%dT%H:%M:%S.123456789Z")
    daemon.says(Health={"Status": "starting"}, StartedAt=started_at)
    assert (what(probe(daemon.path)), probe(daemon.path).message) == ((Status.OK, None), "running, starting")
    late = probe(daemon.path, grace="30s")
    assert what(late) == (Status.WARN, Kind.STATUS)
    assert "starting for 1 m" in late.message


def test_a_container_that_does_not_run_says_how_it_ended(daemon: Daemon) -> None:
    daemon.says(Status="exited", ExitCode=137, OOMKilled=True)
    seen = probe(daemon.path)
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "container web is exited (exit code 137, killed for want of memory), expected running"
    for state in ("created", "paused", "restarting", "removing", "dead", "no-such-state", ""):
        daemon.says(Status=state)
        assert what(probe(daemon.path)) == (Status.FAIL, Kind.STATUS), state


def test_a_container_that_has_done_its_work_is_judged_by_its_exit_code(daemon: Daemon) -> None:
    # Its last health is left behind.
    daemon.says(Status="exited", ExitCode=0, Health={"Status": "unhealthy"})
    assert what(probe(daemon.path, state=["exited", "running"])) == (Status.OK, None)
    daemon.says(Status="exited", ExitCode=3)
    assert what(probe(daemon.path, state="exited")) == (Status.FAIL, Kind.STATUS)
    assert what(probe(daemon.path, state="exited", expect_exit=[0, 3])) == (Status.OK, None)
    daemon.says(Status="exited", ExitCode="0")
    assert what(probe(daemon.path, state="exited")) == (Status.FAIL, Kind.STATUS)


def test_more_restarts_than_at_the_last_verdict_are_a_warning_once(daemon: Daemon) -> None:
    first = probe(daemon.path)
    assert first.memory == {"id": RUNNING["Id"], "restarts": 0}
    daemon.says(RestartCount=2)
    second = probe(daemon.path, memory=first.memory)
    assert what(second) == (Status.WARN, Kind.RESOURCE)
    assert "number of restarts of container web is 2, expected at most 0 since the last verdict" in second.message
    assert what(probe(daemon.path, memory=second.memory)) == (Status.OK, None)
    assert what(probe(daemon.path, memory=first.memory, max_restarts=2)) == (Status.OK, None)
    assert what(probe(daemon.path, memory=first.memory, max_restarts=None)) == (Status.OK, None)
    daemon.says(Id="another", RestartCount=9)
    assert what(probe(daemon.path, memory=second.memory)) == (Status.OK, None)
    daemon.says(RestartCount=0)
    assert what(probe(daemon.path, memory=second.memory)) == (Status.OK, None)
    daemon.says(RestartCount="2")
    assert what(probe(daemon.path, memory=second.memory)) == (Status.FAIL, Kind.CONTENT)
    assert what(probe(daemon.path, memory=second.memory, max_restarts=None)) == (Status.OK, None)


def test_what_was_killed_for_memory_in_a_running_container_is_a_warning(daemon: Daemon) -> None:
    daemon.says(OOMKilled=True)
    assert what(probe(daemon.path)) == (Status.WARN, Kind.RESOURCE)


def test_a_container_that_is_not_there_fails(daemon: Daemon) -> None:
    for said in ({"message": "No such container: nope"}, PODMAN_404):
        daemon.says(said, "404 Not Found")
        seen = probe(daemon.path, "nope")
        assert what(seen) == (Status.FAIL, Kind.CONTENT)
        assert seen.message.startswith("no container nope: ")


def test_other_answers_are_told_apart(daemon: Daemon) -> None:
    daemon.says("404 page not found", "404 Not Found")
    assert what(probe(daemon.path)) == (Status.FAIL, Kind.PROTOCOL)
    daemon.says("<html>Forbidden</html>", "403 Forbidden")
    assert what(probe(daemon.path)) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    daemon.says({"message": "broken \x1b[31m" + "x" * 5000}, "500 Internal Server Error")
    seen = probe(daemon.path)
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message.isprintable() and len(seen.message) < 300
    daemon.raw = b"SSH-2.0-OpenSSH_9.2\r\n"
    assert what(probe(daemon.path)) == (Status.FAIL, Kind.PROTOCOL)
    daemon.raw = answer("", "301 Moved", Location="http://127.0.0.1:1/")
    assert what(probe(daemon.path)) == (Status.FAIL, Kind.STATUS)


@pytest.mark.parametrize(
    "body",
    ["", "{", "[]", "null", "{}", '{"State": null}', '{"State": {"Status": 1}}', '{"State": {"Status": "running"}}'],
)
def test_an_answer_that_describes_no_container_fails_closed(daemon: Daemon, body: str) -> None:
    daemon.says(body)
    assert what(probe(daemon.path)) == (Status.FAIL, Kind.CONTENT)


def test_an_answer_without_an_end_is_cut(daemon: Daemon) -> None:
    daemon.says(RUNNING | {"Config": {"Labels": {"x": "y" * 3_000_000}}})
    seen = probe(daemon.path)
    assert what(seen) == (Status.FAIL, Kind.CONTENT)
    assert "at most 2000000 bytes" in seen.message


def test_a_daemon_that_hangs_ends_by_the_deadline(daemon: Daemon) -> None:
    daemon.raw, done = b"", threading.Event()
    daemon.then = lambda connection: bool(done.wait(60)) and None
    began = time.monotonic()
    assert what(probe(daemon.path, timeout=0.3)) == (Status.FAIL, Kind.TIMEOUT)
    assert time.monotonic() - began < 5
    done.set()


def test_without_a_socket_or_the_permission_the_check_is_unconfigured(
    tmp_path: Path, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = probe(tmp_path / "none.sock")
    assert what(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "start Docker" in seen.message
    (tmp_path / "file").write_text("")
    assert "is no socket" in probe(tmp_path / "file").message
    daemon.close()
    assert what(probe(daemon.path)) == (Status.FAIL, Kind.CONNECT)
    assert "the daemon does not run" in probe(daemon.path).message
    # Root may use every socket, so that only the system's answer can be made up.
    monkeypatch.setattr("monitor.probes.docker._why_no_connection", lambda path: 13)
    refused = probe(daemon.path)
    assert what(refused) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "to the group docker" in refused.message


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_system_says_that_the_permission_is_missing(daemon: Daemon) -> None:
    daemon.path.chmod(0o600)
    daemon.path.parent.chmod(0o755)
    code = f"import socket; print(socket.socket(socket.AF_UNIX).connect_ex({str(daemon.path)!r}))"
    ran = subprocess.run(["python3", "-c", code], user=65534, capture_output=True, text=True, timeout=10, check=False)
    assert ran.stdout.strip() == "13"


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"container": "a/b"}, "expected the name or id of a container"),
        ({"container": ""}, "expected the name or id of a container"),
        ({"socket": "docker.sock"}, "expected the path of a Unix socket such as /var/run/docker.sock"),
        ({"socket": "tcp://10.0.0.1:2375"}, "expected the path of a Unix socket"),
        ({"socket": "/" + "x" * 104}, "expected the path of a Unix socket"),
        ({"state": "healthy"}, "Input should be 'created'"),
        ({"grace": -1}, "greater than 0"),
    ],
)
def test_what_the_file_may_not_say(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        check("/s", **keys)


def test_names_are_taken_as_docker_writes_them() -> None:
    written = check("unix:///run/podman/podman.sock", "/web")
    assert (written.container, written.socket, written.target) == ("web", "/run/podman/podman.sock", "web")


# ---- a real one


class Docker:
    def __init__(self, folder: Path) -> None:
        self.socket, self.client = folder / "d.sock", shutil.which("docker", path="/usr/bin:/usr/local/bin") or ""
        command = ["dockerd", f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
        command += [
            "--bridge=none",
            "--iptables=false",
            "--ip6tables=false",
            "--ip-forward=false",
            "--ip-masq=false",
            "--storage-driver=vfs",
            f"-H=unix://{self.socket}",
        ]
        self.log = folder / "log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)

    def __call__(self, *words: str, stdin: bytes | None = None) -> None:
        command = [self.client, "-H", f"unix://{self.socket}", *words]
        ran = subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=False)
        assert ran.returncode == 0, ran.stderr.decode()

    def run(self, name: str, *words: str, options: tuple[str, ...] = ()) -> None:
        self("run", "-d", "--name", name, "--network=none", *options, "greenwall/busy", *words)


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docker]:
    """A Docker of one's own, with an image that holds busybox and nothing else.

    It needs root and the right to mount and to make cgroups, which few containers have: it is skipped there, even where
    servers are required.
    """
    # The path of a Unix socket is short.
    folder = Path(tmp_path_factory.mktemp("dk"))
    busybox = Path("/bin/busybox")
    if os.geteuid() != 0 or not shutil.which("dockerd") or not busybox.exists():
        pytest.skip("a Docker of one's own needs root, dockerd (Debian package docker.io) and busybox-static")
    started = Docker(folder)
    try:
        give_up_at = time.monotonic() + 10
        while probe(started.socket, timeout=2).kind is not Kind.CONTENT:
            if started.process.poll() is not None or time.monotonic() > give_up_at:
                pytest.skip(f"dockerd does not start here: {started.log.read_text()[-300:]}")
            time.sleep(0.1)
        (folder / "root" / "bin").mkdir(parents=True)
        shutil.copy(busybox, folder / "root" / "bin" / "busybox")
        for name in ("sh", "sleep", "test", "touch", "false"):
            (folder / "root" / "bin" / name).symlink_to("busybox")
        packed = subprocess.run(["tar", "-C", str(folder / "root"), "-c", "."], capture_output=True, check=True).stdout
        started("import", "-", "greenwall/busy", stdin=packed)
        try:
            started.run("first", "sleep", "600")
        except AssertionError as error:
            pytest.skip(f"containers do not start here: {str(error)[-300:]}")
        yield started
        names = subprocess.run(
            [started.client, "-H", f"unix://{started.socket}", "ps", "-aq"], capture_output=True, text=True, check=True
        ).stdout.split()
        started("rm", "-f", *names)
    finally:
        started.process.terminate()
        started.process.wait(20)


def test_a_real_docker_is_understood(docker: Docker) -> None:
    def see(container: str, **keys: Any) -> Outcome:
        return probe(docker.socket, container, **keys)

    health = ("--health-cmd=test ! -e /sick", "--health-interval=0.3s", "--health-retries=1")
    docker.run("web", "sleep", "600", options=health)
    docker.run("job", "false")
    docker.run("loop", "sleep", "0.2", options=("--restart=always",))
    docker.run("hog", "sh", "-c", "x=a; while :; do x=$x$x; done", options=("--memory=16m",))
    before = see("loop").memory
    eventually(lambda: see("web", require_health=True).message == "running, healthy", 60, "it is healthy")
    assert what(see("first")) == (Status.OK, None)
    assert what(see("nope")) == (Status.FAIL, Kind.CONTENT)
    eventually(lambda: "exited (exit code 1)" in see("job").message, 60, "it exited")
    assert what(see("job", state="exited", expect_exit=1)) == (Status.OK, None)
    eventually(lambda: see("loop", memory=before).kind is Kind.RESOURCE, 60, "it was started again")
    eventually(lambda: "killed for want of memory" in see("hog").message, 60, "it was killed")
    docker("exec", "web", "touch", "/sick")
    eventually(lambda: "unhealthy" in see("web").message, 60, "it is unhealthy")
    docker("pause", "web")
    assert "is paused" in see("web").message
    docker("unpause", "web")
    docker("kill", "web")
    assert "exited (exit code 137)" in see("web").message
