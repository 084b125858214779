"""`state.json` read again and again: always as a whole reading would have it, and only what has changed is parsed."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from monitor.history.snapshot import Notice, Snapshot, entry_json, read_snapshot, replace_file, snapshot_json
from monitor.history.statefile import StateFile
from monitor.model import Status
from tests.make import at, entry, snapshot

ODD = 'odd "name" ü,\n"checks":{'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.json"


def publish(path: Path, written: Snapshot) -> None:
    replace_file(path, snapshot_json(written, map(entry_json, written.checks.values())))


def test_each_reading_is_what_a_whole_reading_gives(path: Path) -> None:
    file = StateFile(path)
    assert file.read() is None
    for written in (
        snapshot(),
        snapshot(entry("a"), entry(ODD)),
        snapshot(entry(ODD, Status.FAIL), entry("a"), notices=(Notice("error", ODD, (ODD,)),)),
        snapshot(entry("a", tags=("x",), next_at=at(30))),
        snapshot(),
    ):
        publish(path, written)
        assert file.read() == read_snapshot(path) == written


def test_only_checks_that_have_changed_are_parsed_again(path: Path) -> None:
    file = StateFile(path)
    publish(path, snapshot(entry("a"), entry("b")))
    before = file.read()
    publish(path, snapshot(entry("a"), entry("b", Status.FAIL)))
    after = file.read()

    assert before and after
    assert after.checks["a"] is before.checks["a"]
    assert after.checks["b"].state.status is Status.FAIL


def test_a_file_that_somebody_has_formatted_is_read_all_the_same(path: Path) -> None:
    written = snapshot(entry("a"), entry(ODD, Status.FAIL))
    publish(path, written)
    fields = orjson.loads(path.read_bytes())
    path.write_bytes(orjson.dumps(fields, option=orjson.OPT_INDENT_2))
    assert StateFile(path).read() == written
    path.write_bytes(orjson.dumps({"checks": fields.pop("checks")} | fields) + b"\n")
    assert StateFile(path).read() == written
    path.write_bytes(orjson.dumps(fields | {"checks": {"a": entry("a").to_json(), "b": entry("b").to_json()}}) + b"\n")
    assert StateFile(path).read() == snapshot(entry("a"), entry("b"))


def test_a_damaged_file_is_a_value_error_wherever_it_was_cut(path: Path) -> None:
    publish(path, snapshot(entry("a"), entry("b")))
    text = path.read_bytes()
    file = StateFile(path)
    for length in range(len(text) - 1):
        path.write_bytes(text[:length])
        with pytest.raises(ValueError, match=r"state\.json is damaged"):
            file.read()
    for damaged in (text.replace(b'"OK"', b'"FINE"', 1), text.replace(b",\n", b"\n", 1), text[:-3] + b"}}}\n"):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"state\.json is damaged"):
            file.read()
