"""The host probe: what it measures against psutil itself, its limits, and whom it names."""

import errno
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest
from pydantic import ValidationError

from monitor.config import HostCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, bounded, run_probe
from monitor.probes.host import processes, usage
from tests.conftest import eventually

SETTING = Setting(Path())


def probe(metric: str, name: str = "this", **keys: Any) -> Outcome:
    return run_probe(HostCheck.model_validate({"name": name, "type": "host", "metric": metric, **keys}), SETTING)


class Times(NamedTuple):
    user: float
    system: float
    idle: float
    iowait: float = 0.0
    guest: float = 0.0
    guest_nice: float = 0.0


@pytest.fixture
def busy() -> Iterator[None]:
    """A process that uses a core."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    yield
    process.kill()
    process.wait(5)


def test_disk_is_the_share_that_psutil_and_the_system_see(tmp_path: Path) -> None:
    seen = probe("disk", path=str(tmp_path))
    total, _, free = shutil.disk_usage(tmp_path)
    assert seen.status is Status.OK
    assert seen.observed["percent"] == pytest.approx(psutil.disk_usage(str(tmp_path)).percent, abs=1)
    assert seen.observed["free_gib"] == pytest.approx(free / 1024**3, abs=1)
    assert seen.observed["path"] == str(tmp_path)
    assert total > 0


def test_memory_is_the_share_that_psutil_sees() -> None:
    seen = probe("memory")
    assert seen.observed["percent"] == pytest.approx(psutil.virtual_memory().percent, abs=5)
    assert seen.observed["available_gib"] == pytest.approx(psutil.virtual_memory().available / 1024**3, rel=0.2)
    assert seen.message.endswith(" % used")


@pytest.mark.usefixtures("busy")
def test_cpu_is_a_share_of_all_cores_and_sees_a_busy_one() -> None:
    seen = probe("cpu", name="busy")
    percent = seen.observed["percent"]
    assert isinstance(percent, float)
    assert 40 / (psutil.cpu_count() or 1) <= percent <= 100
    assert seen.observed["cores"] == psutil.cpu_count()


def test_cpu_is_that_of_the_time_since_the_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = iter([Times(10, 0, 90), Times(10, 0, 190), Times(85, 5, 195, 5, 5)])
    clock = iter([0.0, 0.5, 30.0, 30.0])
    monkeypatch.setattr(usage.psutil, "cpu_times", lambda: next(looks))
    monkeypatch.setattr(usage.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(usage.time, "sleep", lambda seconds: None)
    sample = usage.CpuSample()
    assert sample.percent("a") == 0.0
    # 80 busy seconds and 10 idle ones: waiting for a disk is idle, and guest time is within user time.
    assert sample.percent("a") == pytest.approx(100 * 80 / 90)


@pytest.mark.parametrize("metric", ["memory", "disk", "cpu"])
def test_above_a_limit_is_warn_or_fail_and_at_it_is_ok(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(usage.METRICS, metric, lambda check: (80.0, {}))
    assert probe(metric).status is Status.OK
    assert probe(metric, warn_percent=80, crit_percent=80).status is Status.OK
    warned, failed = probe(metric, warn_percent=79, crit_percent=90), probe(metric, warn_percent=60, crit_percent=79.5)
    assert (warned.status, warned.kind) == (Status.WARN, Kind.RESOURCE)
    assert (failed.status, failed.kind) == (Status.FAIL, Kind.RESOURCE)
    assert warned.message == f"{metric} used is 80.0 %, expected at most 79 %"
    assert failed.findings[0].expected == "at most 79.5 %"


def test_a_value_just_above_its_limit_is_not_rounded_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(usage.METRICS, "memory", lambda check: (90.3, {}))
    assert probe("memory", crit_percent=90).message == "memory used is 90.3 %, expected at most 90 %"


@pytest.mark.parametrize("metric", ["disk", "inode"])
@pytest.mark.parametrize("path", ["/no/such/path", "/etc/passwd/below"])
def test_a_path_that_is_not_there_fails_for_its_mount_may_be_lost(
    metric: str, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    seen = probe(metric, path=path)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == f"there is no {path}; is its file system mounted?"
    assert [(f.what, f.expected, f.got) for f in seen.findings] == [(path, "to be there", "missing")]
    assert seen.observed["path"] == path
    assert not caplog.records


def test_a_path_that_greenwall_may_not_see_is_not_the_targets_failure(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    monkeypatch.setattr(usage.psutil, "disk_usage", refuse)
    seen = probe("disk", path="/root/data")
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert seen.message == "Greenwall may not look at /root/data (Permission denied)"
    assert not caplog.records


@pytest.mark.parametrize("metric", ["disk", "inode"])
def test_a_mount_that_is_gone_is_not_taken_for_the_file_system_below(metric: str, tmp_path: Path) -> None:
    assert probe(metric, path="/", mounted=True).status is Status.OK
    unmounted = probe(metric, path=str(tmp_path), mounted=True)
    assert (unmounted.status, unmounted.kind) == (Status.FAIL, Kind.CONTENT)
    assert unmounted.message == f"nothing is mounted at {tmp_path}: it is a folder of the file system above it"
    assert [(f.what, f.expected, f.got) for f in unmounted.findings] == [
        (str(tmp_path), "a mount point", "a folder of the file system above it")
    ]
    assert unmounted.observed == {"path": str(tmp_path), "mounted": False}
    assert probe(metric, path=str(tmp_path)).status is Status.OK


def test_the_evidence_names_the_three_processes_that_use_most_memory() -> None:
    seen = probe("memory", crit_percent=0.001)
    top = seen.observed["top"]
    assert isinstance(top, list)
    assert 1 <= len(top) <= 3
    shares = [float(str(line).rsplit(": ", 1)[1].removesuffix(" %")) for line in top]
    assert shares == sorted(shares, reverse=True)
    assert all(psutil.pid_exists(int(str(line).rsplit("(", 1)[1].split(")")[0])) for line in top)


@pytest.mark.usefixtures("busy")
def test_the_evidence_of_a_busy_cpu_names_who_is_busy_now_even_at_the_first_look() -> None:
    psutil.process_iter.cache_clear()
    seen = probe("cpu", name="first look", crit_percent=0.001)
    assert seen.kind is Kind.RESOURCE
    top = seen.observed["top"]
    assert isinstance(top, list)
    # The busiest has a share: psutil gives 0 for each process at its first look.
    assert float(str(top[0]).rsplit(": ", 1)[1].removesuffix(" %")) > 0, top


def test_the_evidence_of_a_full_disk_names_no_process() -> None:
    assert probe("disk", crit_percent=0.001).observed["top"] == []


def test_a_process_whose_name_means_harm_is_named_harmlessly(monkeypatch: pytest.MonkeyPatch) -> None:
    class Process(NamedTuple):
        info: dict[str, Any]

    infos = [
        {"pid": 1, "name": "\x1b[2J\n" + "x" * 500, "memory_percent": 50.0},
        {"pid": 2, "name": None, "memory_percent": None},
    ]
    monkeypatch.setattr(usage.psutil, "process_iter", lambda attrs: [Process(info) for info in infos])
    top = probe("memory", crit_percent=0.001).observed["top"]
    assert top == [f"[2J {'x' * 35}… (1): 50 %", "? (2): 0 %"]


# ---- swap, inodes, load


class Swap(NamedTuple):
    total: int
    used: int
    percent: float


def test_swap_is_what_is_used_of_it_and_none_is_none_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage.psutil, "swap_memory", lambda: Swap(8 * 1024**3, 6 * 1024**3, 75.0))
    seen = probe("swap", warn_percent=50)
    assert (seen.status, seen.kind) == (Status.WARN, Kind.RESOURCE)
    assert seen.observed["used_gib"] == 6
    assert seen.observed["top"]
    monkeypatch.setattr(usage.psutil, "swap_memory", lambda: Swap(0, 0, 0.0))
    assert probe("swap", crit_percent=1).status is Status.OK


def test_inodes_are_counted_as_df_counts_them(tmp_path: Path) -> None:
    shown = subprocess.run(["df", "-P", "-i", str(tmp_path)], capture_output=True, text=True, check=True).stdout
    wanted = shown.split()[-2]
    seen = probe("inode", path=str(tmp_path))
    assert seen.status is Status.OK
    assert seen.observed["percent"] == pytest.approx(0 if wanted == "-" else float(wanted.rstrip("%")), abs=1.5)


def test_a_file_system_without_a_fixed_number_of_inodes_is_never_short_of_them() -> None:
    assert os.statvfs("/proc").f_files == 0
    assert probe("inode", path="/proc", crit_percent=0.1).status is Status.OK


def test_load_is_per_core_and_of_the_minutes_that_the_file_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage.psutil, "getloadavg", lambda: (16.0, 8.0, 4.0))
    monkeypatch.setattr(usage.psutil, "cpu_count", lambda: 4)
    assert probe("load").message == "load5 is 2.00 per core"
    assert probe("load", warn=2, crit=2).status is Status.OK
    seen = probe("load", minutes=1, warn=1, crit=3)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.RESOURCE)
    assert seen.message == "load1 per core is 4.00, expected at most 3.00"
    assert seen.observed["top"]
    assert probe("load", minutes=15, warn=0.9).status is Status.WARN


def test_load_is_that_of_the_system() -> None:
    assert probe("load").observed["load15"] == pytest.approx(os.getloadavg()[2], abs=1)


# ---- processes


# As no other run of the tests on this machine calls them; a name has 15 bytes.
SLEEPER = f"sleeper{os.getpid()}"


@pytest.fixture
def sleepers(tmp_path: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Two processes of a name of their own, with an argument that is secret."""
    program = tmp_path / SLEEPER
    shutil.copy(shutil.which("sleep") or "", program)
    started = [subprocess.Popen([program, "611", "0.0000411"]) for _ in range(2)]
    eventually(lambda: probe("process", process=SLEEPER, min_count=2).status is Status.OK, what="they run")
    yield started
    for process in started:
        process.kill()
        process.wait(5)


def test_processes_are_counted_by_name_and_by_command_line(sleepers: list[subprocess.Popen[bytes]]) -> None:
    assert probe("process", process=SLEEPER).message.startswith("2 processes, ")
    assert probe("process", command_line=rf"{SLEEPER} 61\d").observed["count"] == 2
    assert probe("process", process=SLEEPER, command_line="612").observed["count"] == 0
    assert probe("process", process="sleeper").observed["count"] == 0
    missing = probe("process", process=SLEEPER, min_count=3)
    assert (missing.status, missing.kind) == (Status.FAIL, Kind.CONTENT)
    assert missing.message == f"number of processes '{SLEEPER}' is 2, expected at least 3"
    many = probe("process", process=SLEEPER, max_count=1)
    assert (many.status, many.kind) == (Status.FAIL, Kind.CONTENT)
    assert probe("process", process=SLEEPER, max_count=0).status is Status.FAIL
    assert probe("process", process="gw-nobody", max_count=0).status is Status.OK


def test_a_zombie_and_greenwall_itself_do_not_count(sleepers: list[subprocess.Popen[bytes]]) -> None:
    sleepers[0].kill()
    eventually(lambda: psutil.Process(sleepers[0].pid).status() == psutil.STATUS_ZOMBIE, 5, "it is a zombie")
    assert probe("process", process=SLEEPER).observed["count"] == 1
    check = HostCheck.model_validate({"name": "h", "type": "host", "metric": "process", "command_line": "."})
    found = {process.pid for process in processes.matching(check)}
    assert sleepers[1].pid in found
    assert os.getpid() not in found


def test_the_memory_of_processes_is_added_up_and_the_evidence_has_no_arguments(
    sleepers: list[subprocess.Popen[bytes]],
) -> None:
    together = sum(psutil.Process(process.pid).memory_info().rss for process in sleepers) / 1024**2
    seen = probe("process", process=SLEEPER, warn_rss_mib=together / 2, crit_rss_mib=together * 10)
    assert (seen.status, seen.kind) == (Status.WARN, Kind.RESOURCE)
    assert seen.observed["rss_mib"] == pytest.approx(together, rel=0.3)
    assert len(list(seen.observed["top"])) == 2  # type: ignore[arg-type]
    assert "0.0000411" not in str(seen)
    assert probe("process", process=SLEEPER, crit_rss_mib=together / 2).status is Status.FAIL


def test_a_command_line_that_is_no_text_can_be_matched(monkeypatch: pytest.MonkeyPatch) -> None:
    assert processes.command_line(["caf\udce9", "x"]) == "caf� x"
    assert processes.command_line(None) == ""
    assert len(processes.command_line(["x" * 1_000_000])) == 32 * 1024


# ---- a file system that hangs


@pytest.mark.parametrize("metric", ["disk", "inode"])
def test_a_file_system_that_does_not_answer_ends_by_the_deadline_and_then_at_once(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release, asked = threading.Event(), []

    def hang(path: str) -> None:
        asked.append(path)
        release.wait(100)

    monkeypatch.setattr(usage.psutil, "disk_usage", hang)
    path, began, threads = f"/dead/{metric}", time.monotonic(), threading.active_count()
    first = probe(metric, path=path, timeout=0.2)
    assert (first.status, first.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert first.message == f"the file system of {path} did not answer within 200 ms"
    assert 0.2 <= time.monotonic() - began < 5
    eventually(lambda: "has not answered for" in probe(metric, path=path, timeout=0.2).message, 2, "it says how long")
    # However often it is asked: one thread for one path.
    began = time.monotonic()
    for _ in range(50):
        assert probe(metric, path=path, timeout=5).kind is Kind.TIMEOUT
    assert time.monotonic() - began < 5
    assert threading.active_count() == threads + 1
    assert asked == [path]
    monkeypatch.undo()
    assert probe(metric, path="/").status is Status.OK
    release.set()
    eventually(lambda: not bounded._flights, 3, "the thread ended")
    assert probe(metric, path=path).message.startswith(f"there is no {path}")


@pytest.mark.parametrize("number", [errno.ESTALE, errno.EIO, errno.ENOTCONN])
def test_a_file_system_that_is_broken_fails(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: str) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(usage.psutil, "disk_usage", broken)
    seen = probe("disk")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.RESOURCE)
    assert os.strerror(number) in seen.message


# ---- the limits of a container


@pytest.fixture
def cgroup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of cgroup v2 as they stand in a container: 1 GiB and half a core."""
    (tmp_path / "memory.max").write_text("1073741824\n")
    (tmp_path / "memory.current").write_text("966367641\n")
    (tmp_path / "memory.stat").write_text("anon 429496729\nfile 536870912\ninactive_anon 1\ninactive_file 429496729\n")
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1000000\nuser_usec 900000\nsystem_usec 100000\n")
    monkeypatch.setattr("monitor.probes.host.cgroup.FOLDER", tmp_path)
    return tmp_path


def test_in_a_container_memory_is_what_it_may_use_without_cache_that_can_go(cgroup: Path) -> None:
    seen = probe("memory")
    assert seen.observed == {"percent": 50.0, "available_gib": 0.5, "limited": True}
    (cgroup / "memory.stat").unlink()
    assert probe("memory").observed["percent"] == 90.0


@pytest.mark.parametrize("limit", ["max", "", "-5", "99999999999999999999", "many", "0"])
def test_without_a_limit_of_its_own_memory_is_that_of_the_machine(cgroup: Path, limit: str) -> None:
    (cgroup / "memory.max").write_text(limit + "\n")
    assert "limited" not in probe("memory").observed


def test_in_a_container_cpu_is_a_share_of_its_quota(cgroup: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.5, 10.0, 10.0, 20.0, 20.0])
    monkeypatch.setattr(usage.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(usage.time, "sleep", lambda seconds: None)
    sample = usage.CpuSample()
    assert sample.percent("a") == 0.0
    (cgroup / "cpu.stat").write_text("usage_usec 3375000\n")
    # 2.375 of the 4.75 seconds that half a core has in 9.5.
    assert sample.percent("a") == pytest.approx(50)
    (cgroup / "cpu.stat").write_text("usage_usec 99000000\n")
    assert sample.percent("a") == 100.0
    monkeypatch.undo()


@pytest.mark.parametrize("quota", ["max 100000", "", "0 100000", "50000", "99999999 100000", "x y"])
def test_without_a_quota_cpu_is_that_of_the_machine(cgroup: Path, quota: str) -> None:
    (cgroup / "cpu.max").write_text(quota + "\n")
    assert "limited" not in probe("cpu", name=f"no quota {quota}.", timeout=0.2).observed


# ---- the file


@pytest.mark.parametrize(
    ("keys", "wanted"),
    [
        ({"metric": "load", "warn_percent": 5}, "expected minutes, warn, crit beside metric: load, got warn_percent"),
        ({"metric": "cpu", "warn": 5}, "expected warn_percent, crit_percent beside metric: cpu, got warn"),
        ({"metric": "process"}, "expected `process` or `command_line` beside metric: process, got neither"),
        ({"metric": "process", "process": "x", "min_count": 3, "max_count": 2}, "at least min_count, 3, got 2"),
        ({"metric": "process", "command_line": "("}, "expected a regular expression"),
        ({"metric": "load", "minutes": 10}, "Input should be 1, 5 or 15"),
        (
            {"metric": "memory", "mounted": True},
            "expected warn_percent, crit_percent beside metric: memory, got mounted",
        ),
        ({"metric": "network"}, "Input should be 'cpu'"),
    ],
)
def test_what_the_file_may_not_say(keys: dict[str, Any], wanted: str) -> None:
    with pytest.raises(ValidationError, match=wanted):
        HostCheck.model_validate({"name": "h", "type": "host", **keys})


def test_each_metric_names_what_it_looks_at() -> None:
    def target(**keys: Any) -> str:
        return HostCheck.model_validate({"name": "h", "type": "host", **keys}).target

    assert target(metric="inode", path="/var") == "/var"
    assert target(metric="cpu", path="/var") == "cpu"
    assert target(metric="process", process="nginx") == "nginx"
    assert target(metric="process", command_line="^gunicorn") == "^gunicorn"
