"""The command kind: real programs, Debian's monitoring plugins with their performance data, programs that misbehave."""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitor.config import CHECK_MODELS
from monitor.contrast import facts_of
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, bounded, run_probe
from monitor.probes.command import parse_perfdata, split_output
from monitor.probes.program import KEPT_BYTES
from tests.conftest import eventually
from tests.make import quick

PLUGINS = Path("/usr/lib/nagios/plugins")


def check(command: str | list[str], **keys: Any) -> Any:
    return CHECK_MODELS["command"].model_validate({"name": "c", "type": "command", "command": command, **keys})


def probe(command: str | list[str], folder: Path = Path("/tmp"), **keys: Any) -> Outcome:
    return run_probe(check(command, **keys), Setting(folder, allows_commands=True))


def sh(script: str, **keys: Any) -> Outcome:
    return probe(["/bin/sh", "-c", script], **keys)


def what(seen: Outcome) -> tuple[Status, Kind | None]:
    return seen.status, seen.kind


def plugin(name: str) -> str:
    path = PLUGINS / name
    if not path.exists():
        reason = f"{path} is not installed (Debian package monitoring-plugins-basic)"
        if os.environ.get("GREENWALL_REQUIRE_SERVERS"):
            pytest.fail(reason)
        pytest.skip(reason)
    return str(path)


# ---- permission


def test_nothing_is_run_unless_the_file_allows_it(tmp_path: Path) -> None:
    seen = run_probe(check(["/usr/bin/touch", str(tmp_path / "ran")]), Setting(tmp_path))
    assert what(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert "allow_commands: true" in seen.message
    assert not (tmp_path / "ran").exists()


def test_no_shell_has_a_part_in_it(tmp_path: Path) -> None:
    text = "$HOME `id` $(id) ; touch x > y && * ~"
    assert probe(["echo", *text.split()], tmp_path).message == text
    assert list(tmp_path.iterdir()) == []
    assert probe("echo 'a  b' \"c d\"").message == "a b c d"


def test_the_environment_is_path_home_lang_and_what_the_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://u:hidden@h/db")
    monkeypatch.setenv("LANG", "C.UTF-8")
    seen = sh("env | cut -d= -f1 | grep -v -x -E 'PWD|_|SHLVL|OLDPWD' | sort | tr '\\n' ' '", env={"MY_PORT": "5432"})
    assert set(seen.message.split()) <= {"HOME", "LANG", "MY_PORT", "PATH"}
    assert {"MY_PORT", "PATH", "LANG"} <= set(seen.message.split())
    assert "hidden" not in str(sh("env"))


def test_a_secret_that_the_file_hands_over_does_not_come_back() -> None:
    secret = {"PGPASSWORD": "correct-horse"}
    for script in (
        "echo $PGPASSWORD",
        "echo $PGPASSWORD >&2; exit 2",
        "echo 'x|'$PGPASSWORD=1",
        "echo $PGPASSWORD; sleep 9",
    ):
        seen = sh(script, env=secret, timeout=0.5, expect_contains="nothing of it")
        assert "correct-horse" not in f"{seen}", script
    assert "correct-horse" not in repr(check("true", env=secret))
    assert "s3cr3t" not in check(["prog", "-p", "s3cr3t"]).target


def test_stdin_is_empty_and_the_folder_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    assert what(sh("read line", convention="exit", expect_exit=1)) == (Status.OK, None)
    assert probe("pwd", tmp_path).message == str(tmp_path)
    assert probe("pwd", tmp_path, cwd="inner").message == str(tmp_path / "inner")
    script = tmp_path / "own.sh"
    script.write_text("#!/bin/sh\necho mine\n")
    script.chmod(0o755)
    assert probe("./own.sh", tmp_path).message == "mine"


# ---- exit codes


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        (0, Status.OK, None),
        (1, Status.WARN, Kind.CONTENT),
        (2, Status.FAIL, Kind.CONTENT),
        (3, Status.UNKNOWN, Kind.UNCONFIGURED),
        (4, Status.FAIL, Kind.STATUS),
        (126, Status.UNKNOWN, Kind.UNCONFIGURED),
        (127, Status.UNKNOWN, Kind.UNCONFIGURED),
        (255, Status.FAIL, Kind.STATUS),
    ],
)
def test_exit_codes_mean_what_nagios_says(code: int, status: Status, kind: Kind | None) -> None:
    seen = sh(f"echo 'it says so'; exit {code}")
    assert what(seen) == (status, kind)
    assert seen.message.endswith("it says so")
    assert seen.observed["exit_code"] == code
    assert what(sh(f"exit {code}")) == (status, kind)
    assert sh(f"exit {code}").message


def test_exit_codes_mean_what_the_file_says() -> None:
    assert what(sh("exit 3", convention="exit", expect_exit=[0, 3])) == (Status.OK, None)
    seen = sh("echo 'a | b'; exit 1", convention="exit")
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "exit code is 1, expected 0: a | b"


def test_an_end_by_a_signal_is_a_failure() -> None:
    seen = sh("kill -SEGV $$")
    assert what(seen) == (Status.FAIL, Kind.STATUS)
    assert seen.message == "exit code is none: ended by SIGSEGV, expected 0 to 3"
    assert what(sh("kill -KILL $$", convention="exit")) == (Status.FAIL, Kind.STATUS)


def test_what_cannot_be_run_is_unconfigured_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "plain.txt").write_text("x")
    (tmp_path / "lost.sh").write_text("#!/no/such/interpreter\n")
    (tmp_path / "lost.sh").chmod(0o755)
    (tmp_path / "bare").write_text("echo no first line\n")
    (tmp_path / "bare").chmod(0o755)
    reasons = {
        "no-such-program": "not found; install it",
        "./plain.txt": "Permission denied",
        "./lost.sh": "interpreter that its first line names is not there",
        "./bare": "names no interpreter",
        str(tmp_path): "Permission denied",
    }
    for command, reason in reasons.items():
        seen = probe([command], tmp_path)
        assert what(seen) == (Status.UNKNOWN, Kind.UNCONFIGURED), command
        assert reason in seen.message
    assert "is no folder" in probe("true", cwd="/no/such").message


def test_trouble_of_this_machine_is_internal(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("monitor.probes.program.subprocess.Popen", full)
    assert what(probe("true")) == (Status.UNKNOWN, Kind.INTERNAL)


# ---- output


def test_assertions_look_at_stdout_and_fail_closed() -> None:
    assert what(sh("echo 'queue: 12 waiting'", expect_contains="12", expect_matches=r"queue: \d+\b")) == (
        Status.OK,
        None,
    )
    assert what(sh("echo 12 >&2", expect_contains="12")) == (Status.FAIL, Kind.CONTENT)
    assert "to contain '13'" in sh("echo 12", expect_contains="13").message
    assert "to match '^x'" in sh("echo 12", expect_matches="^x").message
    assert what(sh("printf 'caf\\351 12'", expect_contains="12")) == (Status.OK, None)
    assert what(sh("printf 'caf\\351 12'", expect_matches="12")) == (Status.FAIL, Kind.CONTENT)
    # WARN with output that is not as expected is FAIL; what failed keeps its own word.
    assert what(sh("echo 12; exit 1", expect_contains="13")) == (Status.FAIL, Kind.CONTENT)
    assert sh("echo 12; exit 2", expect_contains="13").message == "12"


def test_of_long_output_the_start_is_kept_and_assertions_on_it_fail() -> None:
    long = f"head -c {KEPT_BYTES + 1} /dev/zero | tr '\\0' x"
    assert what(sh(long)) == (Status.OK, None)
    assert len(sh(long).message) <= 300
    seen = sh(long, expect_contains="x")
    assert what(seen) == (Status.FAIL, Kind.CONTENT)
    assert "at most 64 KiB" in seen.message


def test_output_is_made_harmless() -> None:
    seen = sh("printf '\\033[31mred\\033[0m\\r\\n|\\033[2J=5'; exit 2")
    assert seen.message == "[31mred [0m"
    assert all(text.isprintable() for text in json.loads(json.dumps(seen.observed)).get("perfdata", {}))


def test_without_stdout_the_message_is_that_of_stderr() -> None:
    assert sh("echo why >&2; exit 2").message == "why"


def test_a_long_run_is_slow() -> None:
    assert what(sh("sleep 0.06", warn_ms=50)) == (Status.WARN, Kind.SLOW)
    assert what(sh("sleep 0.06; exit 1", warn_ms=20, crit_ms=50)) == (Status.FAIL, Kind.SLOW)
    assert what(sh("sleep 0.06; exit 2", warn_ms=20)) == (Status.FAIL, Kind.CONTENT)
    assert what(sh("sleep 0.06; exit 3", crit_ms=20)) == (Status.UNKNOWN, Kind.UNCONFIGURED)


# ---- programs that misbehave


@pytest.fixture(autouse=True)
def _others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers of other tests are no children of these."""
    monkeypatch.setattr(f"{__name__}.OTHERS", {p.pid for p in psutil.Process().children(recursive=True)})


OTHERS: set[int] = set()


def children() -> list[int]:
    return [p.pid for p in psutil.Process().children(recursive=True) if p.pid not in OTHERS]


# Minutes, as no other run of the tests on this machine spells them.
LONG_S = f"321.{os.getpid()}"


def sleepers() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] == ["sleep", LONG_S]]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 321",
        "trap '' TERM INT HUP; while :; do sleep 321; done",
        "exec 1>&- 2>&-; sleep 321",
        "sleep 321 & sleep 321 & wait",
        "while :; do echo x; sleep 0.05; done",
    ],
)
def test_by_the_deadline_the_whole_group_is_ended(script: str) -> None:
    threads, began = threading.active_count(), time.monotonic()
    files = psutil.Process().num_fds()
    seen = sh(f": {os.getpid()}; {script.replace('321', LONG_S)}", timeout=0.6)
    assert time.monotonic() - began < 10
    assert what(seen) == (Status.FAIL, Kind.TIMEOUT)
    assert "did not end within" in seen.message
    eventually(lambda: not children() and threading.active_count() <= threads, 10, "nothing is left")
    assert not sleepers()
    assert psutil.Process().num_fds() == files


def test_what_a_program_leaves_behind_neither_hangs_the_probe_nor_lives_on() -> None:
    began = time.monotonic()
    seen = sh(f"sleep {LONG_S} & echo fine")
    assert (what(seen), seen.message) == ((Status.OK, None), "fine")
    assert time.monotonic() - began < 10
    eventually(lambda: not sleepers(), 10, "it is gone")


def test_a_daemon_that_keeps_the_pipe_open_does_not_hang_the_probe() -> None:
    began = time.monotonic()
    seen = sh(f"setsid sleep {LONG_S} & echo fine", timeout=60)
    try:
        assert (what(seen), seen.message) == ((Status.OK, None), "fine")
        assert time.monotonic() - began < 10
    finally:
        for daemon in sleepers():
            daemon.kill()


def test_output_without_an_end_is_cut_off_early() -> None:
    began = time.monotonic()
    seen = probe("yes", timeout=20)
    assert what(seen) == (Status.FAIL, Kind.CONTENT)
    assert "more than 16 MiB" in seen.message
    assert time.monotonic() - began < 10


def test_everything_that_was_written_before_the_end_is_seen() -> None:
    for _ in range(20):
        assert sh("echo last word", expect_contains="last word").status is Status.OK


def test_a_start_that_hangs_ends_by_the_deadline_and_the_next_probe_says_so_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()

    def stuck(*_: object, **__: object) -> None:
        release.wait(60)
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr("monitor.probes.program.subprocess.Popen", stuck)
    began = time.monotonic()
    assert what(probe("stuck", timeout=0.2)) == (Status.FAIL, Kind.TIMEOUT)
    assert time.monotonic() - began < 10
    with monkeypatch.context() as patched:
        # Whoever waited once more would break.
        patched.setattr(bounded, "wait", None)
        assert "hangs since" in probe("stuck", timeout=0.2).message
    assert what(probe("other", timeout=0.1)) == (Status.FAIL, Kind.TIMEOUT)
    release.set()
    eventually(lambda: not bounded._flights, 3, "the helper threads ended")
    assert what(probe("stuck", timeout=0.2)) == (Status.UNKNOWN, Kind.UNCONFIGURED)


# ---- plugins


def test_debians_plugins_are_read_with_their_performance_data() -> None:
    seen = probe(f"{plugin('check_load')} -w 500,500,500 -c 900,900,900")
    assert what(seen) == (Status.OK, None)
    assert seen.message.startswith("LOAD OK")
    perfdata: Any = seen.observed["perfdata"]
    assert perfdata.keys() == {"load1", "load5", "load15"}
    assert perfdata["load1"] | {"value": 0} == {"value": 0, "warn": "500.000", "crit": "900.000", "min": 0.0}
    disk: Any = probe([plugin("check_disk"), "-w", "0%", "-c", "0%", "-p", "/"]).observed["perfdata"]
    assert disk["/"]["unit"] == "B" and 0 < disk["/"]["value"] < disk["/"]["max"]


@pytest.mark.parametrize(
    ("command", "status", "kind", "message"),
    [
        ("check_dummy 0 fine", Status.OK, None, "OK: fine"),
        ("check_dummy 1", Status.WARN, Kind.CONTENT, "WARNING"),
        ("check_dummy 2 'it is gone'", Status.FAIL, Kind.CONTENT, "CRITICAL: it is gone"),
        ("check_dummy 3", Status.UNKNOWN, Kind.UNCONFIGURED, "UNKNOWN"),
        ("check_procs -w 100000 -c 200000", Status.OK, None, "PROCS OK"),
        ("check_procs -c 100000: -C greenwall-is-not-this", Status.FAIL, Kind.CONTENT, "PROCS CRITICAL"),
        ("check_tcp -H 127.0.0.1 -p 1", Status.FAIL, Kind.CONTENT, "connect to address 127.0.0.1 and port 1"),
        ("check_load --no-such-option", Status.UNKNOWN, Kind.UNCONFIGURED, "Usage:"),
    ],
)
def test_debians_plugins_are_judged(command: str, status: Status, kind: Kind | None, message: str) -> None:
    name, _, arguments = command.partition(" ")
    seen = probe(f"{plugin(name)} {arguments}")
    assert what(seen) == (status, kind), seen
    assert message in seen.message


def test_a_separator_at_the_end_of_what_a_plugin_says_is_left_out() -> None:
    seen = sh("echo 'DISK CRITICAL - free space: / 10 MB (2%);| /=9MB;;;0;9'; exit 2")
    assert seen.message == "DISK CRITICAL - free space: / 10 MB (2%)"


def test_the_exit_code_is_no_news_beside_the_status() -> None:
    assert "exit_code" not in facts_of(sh("exit 2"))


def test_performance_data_of_one_line_and_of_many() -> None:
    one = "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968"
    assert split_output(one) == ("DISK OK - free space: / 3326 MB (56%);", "/=2643MB;5948;5958;0;5968")
    # The example of the plugin guidelines.
    many = (
        "DISK OK - free space: / 3326 MB (56%); | /=2643MB;5948;5958;0;5968\n/ 15272 MB (77%);\n/boot 68 MB (69%);\n"
        "/var/log 819 MB (84%); | /boot=68MB;88;93;0;98\n/home=69357MB;253404;253409;0;253414 \n"
        "/var/log=818MB;970;975;0;980\n"
    )
    metrics: Any = parse_perfdata(split_output(many)[1])
    assert {label: metric["value"] for label, metric in metrics.items()} == {
        "/": 2643, "/boot": 68, "/home": 69357, "/var/log": 818
    }  # fmt: skip
    assert metrics["/home"] == {
        "value": 69357,
        "unit": "MB",
        "warn": "253404",
        "crit": "253409",
        "min": 0,
        "max": 253414,
    }


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("'C:\\ used %'=12%;80;90", {"C:\\ used %": {"value": 12, "unit": "%", "warn": "80", "crit": "90"}}),
        ("'it''s'=1c", {"it's": {"value": 1, "unit": "c"}}),
        ("a=U;1;2", {"a": {"value": None, "warn": "1", "crit": "2"}}),
        ("a=-1.5e-3s;@10:20;~:5", {"a": {"value": -0.0015, "unit": "s", "warn": "@10:20", "crit": "~:5"}}),
        ("rta=0,035ms;;;0", {"rta": {"value": 0.035, "unit": "ms", "min": 0}}),
        ("a=1;;;; b=2", {"a": {"value": 1}, "b": {"value": 2}}),
        ("a= b=nan c=1.2.3 d=x e=7", {"e": {"value": 7}}),
        ("used space=5", {"space": {"value": 5}}),
        ("a=1e999", {}),
        ("no metric at all", {}),
        ("'unclosed=5", {"unclosed": {"value": 5}}),
        ("", {}),
    ],
)
def test_performance_data_that_is_odd(text: str, wanted: dict[str, Any]) -> None:
    assert parse_perfdata(text) == wanted


def test_performance_data_is_bounded() -> None:
    assert len(parse_perfdata(" ".join(f"m{i}=1" for i in range(1000)))) == 20
    began = time.thread_time()
    for text in ("'" * 100_000, "'a" * 50_000, "=" * 100_000, "a=" * 50_000, "a=1;" * 30_000):
        parse_perfdata(split_output("x|" + text)[1])
    assert time.thread_time() - began < 1


@quick
@given(st.text(max_size=300))
def test_no_output_breaks_the_reading_of_performance_data(text: str) -> None:
    json.dumps(parse_perfdata(split_output(text)[1]), allow_nan=False)


# ---- the file


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"command": ""}, "expected a program and its arguments, got nothing"),
        ({"command": []}, "expected a program and its arguments, got nothing"),
        ({"command": "echo 'open"}, "expected a command whose quotes are closed"),
        ({"command": ["a\0b"]}, "without zero bytes"),
        ({"command": "true", "expect_exit": 1}, "expected convention: exit beside expect_exit, got nagios"),
        ({"command": "true", "convention": "exit", "expect_exit": 256}, "less than or equal to 255"),
        ({"command": "true", "env": {"A B": "c"}}, "expected names of letters, digits and _, got 'A B'"),
        ({"command": "true", "expect_matches": "("}, "expected a regular expression"),
    ],
)
def test_what_the_file_may_not_say(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted.replace("(", r"\(")):
        check(keys.pop("command"), **keys)


def test_two_probes_of_one_slow_mount_share_one_thread() -> None:
    gate, count = threading.Event(), []

    def work() -> int:
        count.append(1)
        gate.wait(10)
        return 7

    results: list[int] = []
    ask: Callable[[], None] = lambda: results.append(bounded.within("shared", work, 10))  # noqa: E731
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    eventually(lambda: count, 3, "the work began")
    time.sleep(0.05)
    gate.set()
    for thread in threads:
        thread.join(5)
    assert (results, count) == ([7, 7, 7], [1])
