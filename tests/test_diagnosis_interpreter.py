"""Commands begin with the Python that has Greenwall's packages, and show no path of the machine."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from monitor.diagnosis.interpreter import python


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a system's Python in `usr` and a virtual environment in `.venv`; only the first is on PATH."""
    for folder, names in (("usr", ("python3",)), (".venv/bin", ("python", "python3", "python3.11"))):
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            (tmp_path / folder / name).symlink_to("/bin/true")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "usr"))
    return tmp_path


def run_by(monkeypatch: pytest.MonkeyPatch, executable: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(executable))


def test_an_environment_below_here_is_named_by_its_path(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, here / ".venv/bin/python")
    assert python() == ".venv/bin/python"


def test_an_environment_that_is_active_needs_no_path(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, here / ".venv/bin/python3.11")
    monkeypatch.setenv("PATH", f"{here / '.venv/bin'}:{here / 'usr'}")
    assert shutil.which("python")
    assert python() == "python"


def test_a_machine_that_knows_no_python_but_python3_is_told_so(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, here / "usr/python3")
    assert python() == "python3"


def test_an_environment_elsewhere_is_not_shown(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_by(monkeypatch, here / ".venv/bin/python")
    monkeypatch.chdir(here / "usr")
    assert python() == "python"
