"""Files that are replaced or dropped: read whole or not at all."""

import errno
from pathlib import Path

import orjson
import pytest

from monitor.alerts import AlertStatus
from monitor.history.inbox import Command, Verb, drop, waiting
from monitor.history.snapshot import (
    Applied,
    ChannelInfo,
    CheckerInfo,
    Notice,
    OpenAlert,
    Snapshot,
    entry_json,
    parse_snapshot,
    read_snapshot,
    replace_file,
    snapshot_json,
)
from monitor.model import Flag, Severity, Status
from tests.make import at, entry, snapshot


def everything() -> Snapshot:
    state = {"flags": frozenset({Flag.ACKNOWLEDGED}), "latency_ms": 12.5, "message": "status is 503"}
    alert = OpenAlert("a-1", "shop", "check", "shop fails", Severity.P1, AlertStatus.ACKNOWLEDGED, at(), "ann")
    return snapshot(
        entry("shop", Status.FAIL, state=state, tags=("eu",), next_at=at(30), runbook="http://wiki"),
        entry('odd "name" ü', Status.OK),
        checker=CheckerInfo(
            7, at(-60), at(), "abc", "Asia/Kolkata", in_flight=3, queued=2, results=99, overruns=2, demo_url="http://d"
        ),
        alerts=(alert,),
        notices=(Notice("error", "checks.yaml is invalid", ("line 1", "line 2")),),
        applied=(Applied("c-1", True, "done", "a-1"), Applied("c-2", False, "no")),
        channels=(ChannelInfo("console", "console"),),
    )


def test_a_snapshot_comes_back_from_its_file(tmp_path: Path) -> None:
    written = everything()
    replace_file(tmp_path / "state.json", snapshot_json(written, map(entry_json, written.checks.values())))

    read = read_snapshot(tmp_path / "state.json")

    assert read == written
    assert read is not None
    assert list(read.checks) == ["shop", 'odd "name" ü']
    assert read.alert_of("shop") == written.alerts[0]
    assert read.alert_of('odd "name" ü') is None


def test_without_a_file_there_is_no_snapshot(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "state.json") is None


def test_a_damaged_snapshot_is_a_value_error_wherever_it_was_cut() -> None:
    written = everything()
    text = snapshot_json(written, map(entry_json, written.checks.values())).rstrip()

    for length in range(len(text)):
        with pytest.raises(ValueError, match=r"state\.json is damaged"):
            parse_snapshot(text[:length])


@pytest.mark.parametrize("damage", ['{"checks":[]}', "null", "[]", '{"checks":{"shop":5}}', '{"checker":null}'])
def test_a_snapshot_of_another_shape_is_a_value_error(damage: str) -> None:
    whole = orjson.loads(snapshot_json(everything(), []))
    damaged = orjson.loads(damage)
    text = orjson.dumps({**whole, **damaged} if isinstance(damaged, dict) else damaged)

    with pytest.raises(ValueError, match=r"state\.json is damaged"):
        parse_snapshot(text)


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.json"
    replace_file(path, b"old")

    def refuse(self: Path, target: Path) -> None:
        assert self.read_bytes() == b"new"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"new")

    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("state.json", b"old")]


def command(seconds: float, target: str = "shop") -> Command:
    return Command(Verb.RUN, target, "ann", at(seconds), options={"note": "please"})


def test_commands_are_taken_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    sent = [command(seconds) for seconds in (0, 0.01, 1, 100)]
    for one in reversed(sent):
        drop(tmp_path, one)

    assert [taken for _, taken in waiting(tmp_path)] == sent


def test_an_inbox_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert list(waiting(tmp_path / "inbox")) == []


def test_a_command_that_is_still_being_written_is_not_read(tmp_path: Path) -> None:
    drop(tmp_path, command(0))
    (path,) = tmp_path.iterdir()
    path.rename(path.with_name(f".{path.stem}.part"))

    assert list(waiting(tmp_path)) == []
    assert len(list(tmp_path.glob(".*.part"))) == 1


BAD_COMMANDS = [
    b"",
    b"{",
    b"[]",
    b"5",
    b'{"verb":"run"}',
    b'{"verb":"explode","target":"a","by":"b","at":"x","id":"1"}',
]


@pytest.mark.parametrize("text", BAD_COMMANDS)
def test_a_file_that_is_no_command_is_set_aside_and_the_rest_is_taken(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "0.json").write_bytes(text)
    drop(tmp_path, command(0))

    assert [taken.target for _, taken in waiting(tmp_path)] == ["shop"]
    assert (tmp_path / "0.bad").read_bytes() == text
    assert not (tmp_path / "0.json").exists()


def test_what_cannot_be_read_at_all_does_not_stop_the_inbox(tmp_path: Path) -> None:
    (tmp_path / "0.json").mkdir()
    drop(tmp_path, command(0))

    assert [taken.target for _, taken in waiting(tmp_path)] == ["shop"]
    assert (tmp_path / "0.bad").is_dir()
