"""The host probe: what it measures against psutil itself, its limits, and whom it names."""

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from monitor.config import HostCheck
from monitor.model import Kind, Outcome, Status
from monitor.probes import Setting, host, run_probe

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
    """A thread that uses a core."""
    done = threading.Event()
    thread = threading.Thread(target=lambda: [None for _ in iter(done.is_set, True)])
    thread.start()
    yield
    done.set()
    thread.join()


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
    monkeypatch.setattr(host.psutil, "cpu_times", lambda: next(looks))
    monkeypatch.setattr(host.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(host.time, "sleep", lambda seconds: None)
    sample = host._CpuSample()
    assert sample.percent("a") == 0.0
    # 80 busy seconds and 10 idle ones: waiting for a disk is idle, and guest time is within user time.
    assert sample.percent("a") == pytest.approx(100 * 80 / 90)


@pytest.mark.parametrize("metric", ["memory", "disk", "cpu"])
def test_above_a_limit_is_warn_or_fail_and_at_it_is_ok(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host._METRICS, metric, lambda check: (80.0, {}))
    assert probe(metric).status is Status.OK
    assert probe(metric, warn_percent=80, crit_percent=80).status is Status.OK
    warned, failed = probe(metric, warn_percent=79, crit_percent=90), probe(metric, warn_percent=60, crit_percent=79.5)
    assert (warned.status, warned.kind) == (Status.WARN, Kind.RESOURCE)
    assert (failed.status, failed.kind) == (Status.FAIL, Kind.RESOURCE)
    assert warned.message == f"{metric} used is 80.0 %, expected at most 79 %"
    assert failed.findings[0].expected == "at most 79.5 %"


def test_a_value_just_above_its_limit_is_not_rounded_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(host._METRICS, "memory", lambda check: (90.3, {}))
    assert probe("memory", crit_percent=90).message == "memory used is 90.3 %, expected at most 90 %"


def test_a_path_that_is_not_there_could_not_be_judged() -> None:
    seen = probe("disk", path="/no/such/path", crit_percent=1)
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.INTERNAL)
    assert "/no/such/path" in seen.message


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
    monkeypatch.setattr(host.psutil, "process_iter", lambda attrs: [Process(info) for info in infos])
    top = probe("memory", crit_percent=0.001).observed["top"]
    assert top == [f"[2J {'x' * 35}… (1): 50 %", "? (2): 0 %"]
