"""What a checker knows after a restart: what the snapshot has, and what it left out for the result lines to tell."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
import time_machine

from monitor.checker.restore import restored_states
from monitor.checker.watched import Watched, entries
from monitor.history import results as results_module
from monitor.history.compaction import compact
from monitor.history.results import ResultLog
from monitor.history.snapshot import entry_json, snapshot_json
from monitor.model import Kind, Result, Status
from monitor.state import CheckState, advance, unchecked
from tests.make import at, http_check, result, snapshot

OK, WARN, FAIL = Status.OK, Status.WARN, Status.FAIL
HOUR, DAY = 3600.0, 86400.0


class Data:
    """A data folder as a checker leaves it when it is killed at `now`, two seconds after its last snapshot."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.states: dict[str, CheckState] = {}

    def leave(self, *verdicts: Result, now: float, compacted: bool = False) -> None:
        log = ResultLog(self.folder / "results")
        for one in verdicts:
            log.add(one)
            if one.at <= at(now - 2):
                state = self.states.get(one.name) or unchecked(one.at)
                self.states[one.name], _ = advance(state, one)
        log.flush()
        log.close()
        if compacted:
            compact(self.folder / "results", at(now), 90)
        watched = [Watched(http_check(name), state) for name, state in self.states.items()]
        taken = replace(snapshot(), updated_at=at(now - 2))
        (self.folder / "state.json").write_bytes(snapshot_json(taken, map(entry_json, entries(watched))))

    def restored(self, now: float) -> dict[str, CheckState]:
        with time_machine.travel(at(now), tick=False):
            return restored_states(self.folder, {name: http_check(name) for name in self.states})


@pytest.fixture
def data(tmp_path: Path) -> Data:
    return Data(tmp_path)


def seen(name: str, seconds: float, status: Status = OK, code: int = 200) -> Result:
    return result(status, seconds, name, code=code, observed={"address": "192.0.2.1"})


def good_at(state: CheckState) -> datetime | None:
    return state.good.at if state.good else None


def test_the_last_good_verdicts_are_read_from_their_lines(data: Data) -> None:
    data.leave(*(seen(name, second) for second in (10, 40) for name in ("a", "b")), seen("a", 69), now=70)
    restored = data.restored(80)

    assert {name: good_at(state) for name, state in restored.items()} == {"a": at(69), "b": at(40)}
    failed, _ = advance(restored["b"], seen("b", 90, FAIL, 502))
    assert [str(one) for one in failed.changes] == ["code 200 → 502"]
    assert b"last_good" not in (data.folder / "state.json").read_bytes()


@pytest.mark.parametrize("compacted", [False, True])
def test_those_of_checks_that_run_rarely_are_read_from_the_history(data: Data, compacted: bool) -> None:
    rare = [seen("daily", 5), seen("weekly", -6 * DAY), seen("hourly", 20 * HOUR + 5)]
    others = [seen("other", n * HOUR + 5) for n in range(21)]
    data.leave(*sorted([*rare, *others], key=lambda one: one.at), now=20.5 * HOUR, compacted=compacted)

    found = {name: good_at(state) for name, state in data.restored(20.5 * HOUR).items()}

    assert found == {"daily": at(5), "weekly": at(-6 * DAY), "hourly": at(20 * HOUR + 5), "other": at(20 * HOUR + 5)}


def test_a_history_that_cannot_be_read_hinders_no_start(data: Data, caplog: pytest.LogCaptureFixture) -> None:
    data.leave(seen("daily", 5), now=12 * HOUR, compacted=True)
    for path in (data.folder / "results").glob("*.parquet"):
        path.write_bytes(b"damaged")

    assert data.restored(12 * HOUR)["daily"].good is None
    assert "the last good verdicts of 1 checks cannot be read" in caplog.text


def test_a_check_that_is_not_well_has_its_last_good_one_in_the_snapshot(data: Data) -> None:
    slow = replace(seen("a", 40, WARN), outcome=replace(seen("a", 40).outcome, status=WARN, kind=Kind.SLOW))
    data.leave(seen("a", 10), slow, now=70)
    failed, _ = advance(data.restored(80)["a"], seen("a", 90, FAIL, 502))

    assert [str(one) for one in failed.changes] == ["code 200 → 502"]


def test_only_the_end_of_a_long_hour_is_read(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = Result.from_json
    monkeypatch.setattr(results_module, "_STRIDE_BYTES", 2000)
    monkeypatch.setattr(results_module.Result, "from_json", lambda line: read.append(1) or real(line))
    data.leave(*(seen("a", second) for second in range(1000)), now=1000)

    assert good_at(data.restored(1010)["a"]) == at(999)
    assert len(read) < 30
