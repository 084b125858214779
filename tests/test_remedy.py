"""Remedies: what each action does, what counts as done, what trouble looks like, and how often they may run."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from monitor.config import CommandAction, DockerRestart, HttpPost, SystemdRestart
from monitor.remedies import cooling_down, run_action
from tests.conftest import GRACE_S
from tests.servers import OK, Peer, answer, drip, then_silence
from tests.services import Service
from tests.test_probe_docker import Daemon

URL = "http://app.example.org/admin/reset"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def action(**keys: Any) -> HttpPost:
    return HttpPost.model_validate({"type": "http_post", "url": URL, **keys})


@pytest.mark.parametrize("payload", [{"mode": "soft", "n": [1, None]}, {}, [], "text", 0, False])
@responses.activate
def test_the_payload_is_posted_as_json_with_the_headers(payload: Any) -> None:
    responses.post(URL, status=202)
    tried = run_action(action(payload=payload, headers={"X-Token": "t"}))
    assert tried.ok
    assert tried.detail == "http_post answered 202"
    sent = responses.calls[0].request
    assert json.loads(sent.body or "null") == payload
    assert sent.headers["Content-Type"] == "application/json"
    assert sent.headers["X-Token"] == "t"


@responses.activate
def test_without_a_payload_no_body_is_sent() -> None:
    responses.post(URL)
    assert run_action(action()).ok
    assert not responses.calls[0].request.body


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 429, 500, 503])
@responses.activate
def test_an_answer_other_than_2xx_is_not_ok(status: int) -> None:
    responses.post(URL, status=status)
    tried = run_action(action())
    assert not tried.ok
    assert tried.detail == f"http_post answered {status}"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@responses.activate
def test_a_redirect_is_not_followed_and_not_ok(status: int) -> None:
    responses.post(URL, status=status, headers={"Location": "http://elsewhere.example.org/"})
    tried = run_action(action())
    assert (tried.ok, tried.detail) == (False, f"http_post answered {status}")
    assert len(responses.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        requests.ConnectionError("no route\nto host"),
        requests.Timeout("took too long"),
        requests.exceptions.SSLError("bad certificate"),
        requests.exceptions.ChunkedEncodingError("cut"),
    ],
)
@responses.activate
def test_trouble_on_the_network_is_returned_in_one_line(error: Exception) -> None:
    responses.post(URL, body=error)
    tried = run_action(action())
    assert not tried.ok
    assert tried.detail.startswith(f"http_post failed: {type(error).__name__}: ")
    assert tried.detail.isprintable()


@pytest.mark.parametrize(
    "keys",
    [
        {"url": "http://" + "x" * 64 + ".invalid/"},
        {"url": "http://a..b/"},
        {"url": "http://[::zz]/"},
        {"url": "http://127.0.0.1:99999/"},
        {"headers": {"X": "a\nb"}},
        {"headers": {"X": "€"}},
        {"headers": {"ä": "b"}},
        {"payload": {"day": date(2026, 11, 21)}},
        {"payload": float("nan")},
    ],
)
def test_an_action_that_cannot_be_sent_is_returned_and_not_raised(keys: dict[str, Any]) -> None:
    tried = run_action(action(**{"url": "http://127.0.0.1:1/", **keys}))
    assert not tried.ok
    assert tried.detail.startswith("http_post failed: ")
    assert len(tried.detail) <= 300


def test_a_real_server_gets_one_post() -> None:
    with Peer(OK) as peer:
        assert run_action(action(url=peer.url + "/admin/reset", payload={"a": 1})).ok
        assert peer.requests[0].startswith(b"POST /admin/reset HTTP/1.1\r\n")
        assert peer.requests[0].endswith(b'{"a": 1}')


@pytest.mark.parametrize(
    ("login", "headers", "sent"),
    [
        ("", {"Authorization": "Bearer b-1"}, "Bearer b-1"),
        ("", {}, None),
        ("ann:secret@", {}, "Basic YW5uOnNlY3JldA=="),
    ],
)
def test_a_password_file_has_no_part_in_it(
    login: str, headers: dict[str, str], sent: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with closing(Service()) as service:
        url = service.url.replace("://", f"://{login}")
        assert run_action(action(url=url, headers=headers)).ok
        assert service.asked[0].headers.get("Authorization") == sent


def test_a_server_that_is_silent_is_given_up_after_the_timeout() -> None:
    with Peer(then_silence(b"")) as peer:
        tried = run_action(action(url=peer.url, timeout=0.2))
    assert (tried.ok, "ReadTimeout" in tried.detail) == (False, True)


def test_a_body_without_end_is_not_read() -> None:
    with Peer(then_silence(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n")) as peer:
        assert run_action(action(url=peer.url, timeout=0.2)).ok


def test_an_action_rests_for_its_cool_down_and_says_how_long() -> None:
    resting = action(cooldown="5m")
    assert cooling_down(resting, None, NOW) is None
    assert cooling_down(resting, NOW, NOW) == "cool-down: 5 m left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=200), NOW) == "cool-down: 1 m 40 s left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=299.9), NOW) == "cool-down: 100 ms left of 5 m"
    assert cooling_down(resting, NOW - timedelta(seconds=300), NOW) is None
    assert cooling_down(resting, NOW - timedelta(days=1), NOW) is None


def test_a_clock_that_was_put_back_does_not_end_the_cool_down() -> None:
    assert cooling_down(action(cooldown=60), NOW + timedelta(hours=1), NOW) is not None


def test_an_answer_that_comes_drop_by_drop_is_given_up_after_the_timeout() -> None:
    with Peer(drip(b"HTTP/1.1 200 OK\r\nX-Drop: ")) as peer:
        began = time.monotonic()
        tried = run_action(action(url=peer.url + "/drip", timeout=0.3))
    assert (tried.ok, tried.detail) == (False, "http_post did not end within 300 ms")
    assert time.monotonic() - began < 0.3 + 1 + GRACE_S


def test_no_secret_of_the_request_stands_in_what_is_said() -> None:
    url = "http://127.0.0.1:1/reset?apply=hidden-query"
    assert "hidden" not in run_action(action(url=url)).detail
    assert "hidden" not in run_action(action(url="http://ann:hidden-word@127.0.0.1:1/")).detail
    assert "hidden" not in run_action(action(url=url, headers={"X-Api-Key": "hidden\nkey"})).detail


def test_targets_show_no_secret_and_tell_apart_what_is_apart() -> None:
    one, other = action(url="http://ann:hidden@app/x?key=hidden-1"), action(url="http://app/x?key=hidden-2")
    assert one.target.startswith("http://app/x?")
    assert one.target != other.target
    first, second = command("sudo", "systemctl", "restart", "a"), command("sudo", "systemctl", "restart", "b")
    assert first.target.startswith("sudo (") and first.target != second.target
    assert SystemdRestart(type="systemd_restart", unit="shop").target == "shop.service"


# ---- command


def command(*argv: str, **keys: Any) -> CommandAction:
    return CommandAction.model_validate({"type": "command", "command": argv, **keys})


def python(code: str, **keys: Any) -> CommandAction:
    return command(sys.executable, "-c", code, **keys)


def test_a_program_runs_in_the_folder_of_the_file_and_its_first_line_is_kept(tmp_path: Path) -> None:
    tried = run_action(python("import pathlib; print(pathlib.Path.cwd()); print('more')"), tmp_path)
    assert (tried.ok, tried.detail) == (True, f"command ended with exit code 0: {tmp_path}")
    (tmp_path / "in").mkdir()
    assert run_action(python("import os; print(os.getcwd())", cwd="in"), tmp_path).detail.endswith(f"{tmp_path}/in")


def test_any_other_exit_code_is_not_ok_and_says_what_went_wrong() -> None:
    tried = run_action(python("import sys; print('fine'); sys.exit('it is locked')"))
    assert (tried.ok, tried.detail) == (False, "command ended with exit code 1: it is locked")
    assert run_action(python("import os; os.kill(os.getpid(), 9)")).detail == "command was ended by SIGKILL"


def test_a_program_gets_no_secrets_but_those_that_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hidden-token")
    tried = run_action(python("import os; print(sorted(os.environ))", env={"MODE": "soft"}))
    assert "SHOP_TOKEN" not in tried.detail and "'MODE'" in tried.detail
    given = run_action(python("import os; print(os.environ['WORD'])", env={"WORD": "hidden-word"}))
    assert given.detail == "command ended with exit code 0: ***"


def test_a_program_that_hangs_is_ended_at_its_timeout() -> None:
    began = time.monotonic()
    tried = run_action(python("import time; print('begun', flush=True); time.sleep(600)", timeout=1))
    assert (tried.ok, tried.detail.split(":")[0]) == (False, "command did not end within 1 s")
    assert time.monotonic() - began < 1 + GRACE_S


def test_a_program_that_writes_without_end_is_ended() -> None:
    tried = run_action(python("while True: print('x' * 10_000)", timeout=60))
    assert not tried.ok and "wrote without end" in tried.detail
    assert len(tried.detail) <= 300


def test_what_it_writes_is_made_harmless() -> None:
    tried = run_action(python(r"import sys; sys.stdout.buffer.write(b'\x1b[31mred\xff\x00 done\n')"))
    assert tried.ok and tried.detail.isprintable() and "done" in tried.detail


@pytest.mark.parametrize("argv", [["/no/such/program"], ["/"], [sys.executable, "-c", "x" * 3_000_000]])
def test_a_program_that_cannot_be_started_is_returned_and_not_raised(argv: list[str]) -> None:
    tried = run_action(command(*argv))
    assert not tried.ok and tried.detail.startswith("command failed: ")
    assert len(tried.detail) <= 300


def test_no_shell_reads_a_command(tmp_path: Path) -> None:
    run_action(command("echo", f"$(touch {tmp_path}/made)", ";", "touch", f"{tmp_path}/made"), tmp_path)
    assert not (tmp_path / "made").exists()


# ---- systemd_restart

Says = Callable[..., None]


@pytest.fixture
def systemctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Put a systemctl on the PATH that keeps its arguments and environment, and ends as it is told to."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(errors: str = "", code: int = 0, then: str = "") -> None:
        (tmp_path / "err").write_text(errors)
        program = tmp_path / "systemctl"
        program.write_text(f'#!/bin/sh\ncd {tmp_path}\necho "$@" > argv\nenv > env\ncat err >&2\n{then}\nexit {code}\n')
        program.chmod(0o755)

    write()
    return write


def unit(name: str = "shop", **keys: Any) -> SystemdRestart:
    return SystemdRestart.model_validate({"type": "systemd_restart", "unit": name, **keys})


def test_a_unit_is_restarted_by_its_name_alone_and_systemctl_gets_no_secrets(
    systemctl: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "hidden-token")
    assert run_action(unit("shop.service")).detail == "systemd_restart ended with exit code 0"
    assert (tmp_path / "argv").read_text() == "--no-ask-password restart -- shop.service\n"
    assert "hidden" not in (tmp_path / "env").read_text()
    assert run_action(unit(user=True)).ok
    assert (tmp_path / "argv").read_text() == "--user --no-ask-password restart -- shop\n"


def test_a_unit_that_does_not_start_says_why(systemctl: Says) -> None:
    systemctl("Failed to restart shop.service: Interactive authentication required.\nSee more", 4)
    tried = run_action(unit())
    assert not tried.ok
    assert tried.detail == (
        "systemd_restart ended with exit code 4: Failed to restart shop.service: Interactive authentication required."
    )


def test_a_systemd_that_does_not_answer_is_given_up(systemctl: Says) -> None:
    systemctl(then="sleep 600")
    assert run_action(unit(timeout=1)).detail == "systemd_restart did not end within 1 s"


def test_without_systemd_it_fails_with_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert run_action(unit()).detail == "systemd_restart failed: systemctl: No such file or directory"


# ---- docker_restart


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    server = Daemon(tmp_path / "docker.sock")
    server.raw = answer("", "204 No Content")
    yield server
    server.close()


def container(path: Path, **keys: Any) -> DockerRestart:
    written = {"type": "docker_restart", "container": "shop", "socket": str(path)}
    return DockerRestart.model_validate(written | keys)


def test_a_container_is_restarted_over_the_socket(daemon: Daemon) -> None:
    tried = run_action(container(daemon.path))
    assert (tried.ok, tried.detail) == (True, "docker_restart answered 204")
    assert daemon.requests[0].startswith(b"POST /containers/shop/restart HTTP/1.1\r\n")


def test_a_daemon_that_refuses_is_quoted(daemon: Daemon) -> None:
    daemon.raw = answer(json.dumps({"message": "No such container: shop\x1b[2J"}), "404 Not Found")
    tried = run_action(container(daemon.path))
    assert not tried.ok and tried.detail.startswith("docker_restart answered 404: No such container: shop")
    assert tried.detail.isprintable()
    daemon.raw = answer("<html>", "500 Internal Server Error")
    assert run_action(container(daemon.path)).detail == "docker_restart answered 500"


def test_a_daemon_that_is_not_there_or_hangs_is_returned_and_not_raised(daemon: Daemon, tmp_path: Path) -> None:
    gone = run_action(container(tmp_path / "gone.sock"))
    assert not gone.ok and str(tmp_path / "gone.sock") in gone.detail
    daemon.raw, daemon.then = b"", lambda connection: time.sleep(5)
    assert not run_action(container(daemon.path, timeout=0.3)).ok
