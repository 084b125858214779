"""The history asked in a child process: the same answers, and an end with its parent."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.history import child
from monitor.history.results import ResultLog
from monitor.ledger import MAINTENANCE
from monitor.model import Flag, Result, Status
from tests.conftest import ROOT
from tests.make import at, result

OK, FAIL = Status.OK, Status.FAIL
HOUR = 3600.0
_PARENT = """
import sys
from pathlib import Path
from monitor.history import child
from tests.make import at
list(child.seconds_by_hour(Path(sys.argv[1]), at(-3600), at(3600)))
"""


def write(folder: Path, *results: Result) -> Path:
    log = ResultLog(folder / "results")
    for one in results:
        log.add(one)
    log.flush()
    log.close()
    return folder / "results"


def test_seconds_are_those_of_verdicts_until_then_by_the_hour(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        result(FAIL, HOUR, covers_s=1.5 * HOUR),
        result(OK, 2 * HOUR, covers_s=HOUR),
        result(OK, 2 * HOUR, "api", flags=(Flag.MAINTENANCE,), covers_s=10.0),
        # After it: whoever asks counts this one by itself.
        result(OK, 3 * HOUR, covers_s=2 * HOUR),
    )
    first = int(at(0).timestamp() // 3600)

    assert at(0).minute == 0
    assert dict(child.seconds_by_hour(folder, at(-HOUR), at(2.5 * HOUR))) == {
        "api": [[first + 1, MAINTENANCE, 10.0]],
        "shop": [[first - 1, "FAIL", 1800.0], [first, "FAIL", 3600.0], [first + 1, "OK", 3600.0]],
    }


def test_good_verdicts_come_with_their_code_and_what_was_observed(tmp_path: Path) -> None:
    seen = {"code": 204, "observed": {"address": "192.0.2.1"}}
    folder = write(tmp_path, result(OK, 0, **seen), result(OK, 60, "api", **seen), result(FAIL, 90))

    found = list(child.good_verdicts(folder, {"shop": at(0), "api": at(61)}))

    assert [(one.at, one.name, one.outcome.code) for one in found] == [(at(0), "shop", 204)]
    assert found[0].outcome.observed == seen["observed"]


def test_a_closed_hour_is_compacted(tmp_path: Path) -> None:
    folder = write(tmp_path, result(OK, 0), result(OK, 2 * HOUR))

    child.compact(folder, at(2 * HOUR + 60), 90)

    assert [path.suffix for path in sorted(folder.iterdir())] == [".parquet", ".jsonl"]


def test_a_damaged_history_says_what_is_wrong_with_it(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    folder = write(tmp_path, result(OK, 0))
    (folder / f"{at(-HOUR):%Y-%m-%dT%H}.parquet").write_bytes(b"nothing of the kind")

    with pytest.raises(OSError, match=r"DamagedHistory: Invalid Input Error.*parquet"):
        list(child.seconds_by_hour(folder, at(-2 * HOUR), at(HOUR)))
    assert "Traceback" in capfd.readouterr().err


def test_an_answer_that_nobody_waits_for_any_more_ends_the_child(tmp_path: Path) -> None:
    folder = write(tmp_path, *(result(OK, 0, f"check-{number}", covers_s=1.0) for number in range(3)))
    rows = child.seconds_by_hour(folder, at(-HOUR), at(HOUR))

    assert next(rows)[0] == "check-0"
    rows.close()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file that keeps its reader waiting")
def test_a_child_ends_with_its_parent_however_that_ends(tmp_path: Path) -> None:
    folder = write(tmp_path)
    fifo = folder / f"{at(0):%Y-%m-%dT%H}.jsonl"
    os.mkfifo(fifo)
    parent = subprocess.Popen([sys.executable, "-c", _PARENT, str(folder)], cwd=ROOT, stderr=subprocess.PIPE)
    assert parent.stderr
    with fifo.open("wb"):  # once the child reads it
        parent.kill()
        parent.wait()
        # The child has the other end of it, too.
        parent.stderr.read()
    parent.stderr.close()


def test_the_checker_itself_loads_no_database() -> None:
    code = "import sys, monitor.checker, monitor.views; sys.exit('duckdb' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
