"""The systemd kind: what `systemctl show` was seen to print, and the machine's own systemd where it has one."""

import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest
from pydantic import ValidationError

from monitor.config import CHECK_MODELS
from monitor.model import Json, Kind, Outcome, Status
from monitor.probes import Setting, run_probe
from tests.conftest import eventually

# As systemd 252 prints it, `--property` in any order.
RUNNING = """\
Result=success
NRestarts=0
ExecMainCode=0
ExecMainStatus=0
Id=nginx.service
LoadState=loaded
ActiveState=active
SubState=running
StateChangeTimestamp=Sat 2026-11-21 05:13:55 UTC
"""
NOT_BOOTED = (
    "System has not been booted with systemd as init system (PID 1). Can't operate.\n"
    "Failed to connect to bus: Host is down\n"
)


def check(unit: str = "nginx.service", **keys: Any) -> Any:
    return CHECK_MODELS["systemd"].model_validate({"name": "s", "type": "systemd", "unit": unit, **keys})


def probe(unit: str = "nginx.service", memory: Mapping[str, Json] | None = None, **keys: Any) -> Outcome:
    return run_probe(check(unit, **keys), Setting(Path(), memory=memory or {}))


def what(seen: Outcome) -> tuple[Status, Kind | None]:
    return seen.status, seen.kind


Says = Callable[..., None]


@pytest.fixture
def says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Says:
    """Put a systemctl on the PATH that prints this, and keeps its arguments and environment."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(output: str = RUNNING, errors: str = "", code: int = 0, then: str = "", **changed: str) -> None:
        lines = dict(line.split("=", 1) for line in output.splitlines()) | changed
        (tmp_path / "out").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        (tmp_path / "err").write_text(errors)
        script = f'#!/bin/sh\ncd {tmp_path}\necho "$@" > argv\nenv > env\ncat out\ncat err >&2\n{then}\nexit {code}\n'
        # The old one may be running.
        (tmp_path / "new").write_text(script)
        (tmp_path / "new").chmod(0o755)
        (tmp_path / "new").rename(tmp_path / "systemctl")

    return write


def test_an_active_unit_is_ok_and_asked_for_by_name_alone(says: Says, tmp_path: Path) -> None:
    says()
    seen = probe()
    assert what(seen) == (Status.OK, None)
    assert seen.message == "nginx.service is active (running)"
    assert seen.observed["restarts"] == 0
    assert seen.observed["changed_at"] == "Sat 2026-11-21 05:13:55 UTC"
    argv = (tmp_path / "argv").read_text().split()
    assert argv[0] == "show"
    assert argv[-2:] == ["--", "nginx.service"]
    assert probe(user=True).status is Status.OK
    assert (tmp_path / "argv").read_text().startswith("--user show ")


def test_systemctl_gets_no_secrets(says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "hidden-value")
    says()
    probe()
    assert "hidden-value" not in (tmp_path / "env").read_text()


@pytest.mark.parametrize("state", ["reloading", "refreshing"])
def test_a_unit_that_reloads_is_active(says: Says, state: str) -> None:
    says(ActiveState=state, SubState="reload")
    assert what(probe()) == (Status.OK, None)


def test_a_failed_unit_says_how_it_ended(says: Says) -> None:
    says(ActiveState="failed", SubState="failed", Result="exit-code", ExecMainCode="1", ExecMainStatus="3")
    seen = probe()
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "nginx.service is failed (failed, exit-code, exit code 3), expected active"
    says(ActiveState="failed", SubState="failed", Result="signal", ExecMainCode="2", ExecMainStatus="9")
    assert "(failed, signal, SIGKILL)" in probe().message
    says(ActiveState="failed", SubState="failed", Result="core-dump", ExecMainCode="3", ExecMainStatus="11")
    assert "(failed, core-dump, SIGSEGV)" in probe().message
    says(ActiveState="activating", SubState="auto-restart", Result="exit-code", ExecMainCode="1", ExecMainStatus="1")
    assert "activating (auto-restart, exit-code, exit code 1)" in probe().message


def test_the_states_that_the_file_names_are_ok(says: Says) -> None:
    says(ActiveState="inactive", SubState="dead")
    assert what(probe()) == (Status.FAIL, Kind.STATUS)
    assert what(probe(state=["inactive", "activating"])) == (Status.OK, None)
    says()
    assert what(probe(state="inactive")) == (Status.FAIL, Kind.STATUS)
    assert what(probe(sub_state=["running", "exited"])) == (Status.OK, None)
    seen = probe(sub_state="exited")
    assert (what(seen), seen.message) == (
        (Status.FAIL, Kind.STATUS), "sub state of nginx.service is running, expected exited"
    )  # fmt: skip


def test_a_unit_that_is_not_there_fails_even_where_inactive_is_expected(says: Says) -> None:
    says(LoadState="not-found", ActiveState="inactive", SubState="dead")
    assert what(probe()) == (Status.FAIL, Kind.CONTENT)
    assert what(probe(state="inactive")) == (Status.FAIL, Kind.CONTENT)
    seen = probe(state=["not-found"])
    assert (what(seen), seen.message) == ((Status.OK, None), "nginx.service is not there, as it should be")


def test_a_masked_unit_and_one_with_a_broken_file_are_told_apart(says: Says) -> None:
    says(LoadState="masked", ActiveState="inactive", SubState="dead")
    assert "inactive (masked, dead)" in probe().message
    says(LoadState="bad-setting")
    assert what(probe()) == (Status.WARN, Kind.CONTENT)
    says(LoadState="not-found")
    assert what(probe()) == (Status.WARN, Kind.CONTENT)


def test_more_restarts_than_at_the_last_verdict_are_a_warning_once(says: Says) -> None:
    says(NRestarts="2")
    first = probe()
    assert (what(first), first.memory) == ((Status.OK, None), {"unit": "nginx.service", "restarts": 2})
    says(NRestarts="5")
    second = probe(memory=first.memory)
    assert what(second) == (Status.WARN, Kind.RESOURCE)
    assert "automatic restarts of nginx.service is 3, expected at most 0 since the last verdict" in second.message
    assert what(probe(memory=second.memory)) == (Status.OK, None)
    assert what(probe(memory=first.memory, max_restarts=3)) == (Status.OK, None)
    assert what(probe(memory=first.memory, max_restarts=None)) == (Status.OK, None)
    # By hand it starts from 0 again, and another unit has its own count.
    says(NRestarts="0")
    assert what(probe(memory=second.memory)) == (Status.OK, None)
    says(NRestarts="9", Id="other.service")
    assert what(probe("other", memory=second.memory)) == (Status.OK, None)


def test_without_systemd_the_check_is_unconfigured(says: Says, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    says("", NOT_BOOTED, 1)
    seen = probe()
    assert what(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "systemd" in seen.message
    says("", "Failed to connect to bus: Permission denied\n", 1)
    assert what(probe()) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    says("", "", 0)
    assert what(probe()) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert "systemctl cannot be run here" in probe().message


def test_a_manager_that_does_not_answer_is_a_timeout_by_the_deadline(says: Says) -> None:
    began, threads = time.monotonic(), threading.active_count()
    long_s = f"323.{os.getpid()}"
    says(then=f"sleep {long_s}")
    assert what(probe(timeout=0.5)) == (Status.FAIL, Kind.TIMEOUT)
    assert time.monotonic() - began < 10
    says("", "Failed to get properties: Connection timed out\n", 1)
    assert what(probe()) == (Status.FAIL, Kind.TIMEOUT)
    eventually(lambda: threading.active_count() <= threads, 3, "no thread is left")
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", long_s]]


def test_what_it_says_is_made_harmless_and_bounded(says: Says) -> None:
    says(Id="\x1b[2Jnginx" + "x" * 5000, SubState="\x07" + "y" * 500, NRestarts="9" * 5000)
    seen = probe()
    assert seen.message.isprintable()
    assert len(str(seen)) < 2000


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"unit": "*.service"}, "expected the name of one unit such as nginx.service"),
        ({"unit": "--help"}, "expected the name of one unit"),
        ({"unit": "a b"}, "expected the name of one unit"),
        ({"unit": "getty@.service"}, "expected an instance of the template such as getty@name.service"),
        ({"unit": "a", "state": "running"}, "Input should be 'active'"),
        ({"unit": "a", "state": []}, "at least 1 item"),
    ],
)
def test_what_the_file_may_not_say(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        check(**keys)


# ---- a real one


@pytest.mark.skipif(not Path("/run/systemd/system").is_dir(), reason="systemd does not run this machine")
def test_the_systemd_of_this_machine_is_understood() -> None:
    seen = probe("-.mount")
    assert (what(seen), seen.message) == ((Status.OK, None), "-.mount is active (mounted)")
    assert what(probe("greenwall-has-no-such.service")) == (Status.FAIL, Kind.CONTENT)


def test_the_systemctl_of_this_machine_is_understood_without_systemd() -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("systemd runs this machine")
    assert what(probe("-.mount")) == (Status.UNKNOWN, Kind.UNCONFIGURED)
