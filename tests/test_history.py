"""Files that are appended: a line is there whole or not at all, whatever happens on the way."""

import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.history.jsonl import JsonlWriter, read_lines, to_line
from monitor.history.results import ResultLog, hour_file, results_since
from monitor.model import Kind, Status
from tests.make import T0, at, quick, result

HOUR = 3600.0


@pytest.fixture
def full_disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A disk with room for `room[0]` bytes more: a write takes what fits, the next one fails."""
    room, write = [0], os.write

    def short_write(file: int, data: bytes) -> int:
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        written = write(file, data[: room[0]])
        room[0] -= written
        return written

    with monkeypatch.context() as patch:
        patch.setattr("monitor.history.jsonl.os.write", short_write)
        yield room


def test_lines_are_appended_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.jsonl"
    writer = JsonlWriter(path, fsync=True)
    writer.append([to_line({"n": 1}), to_line({"n": 2})])
    writer.append([])
    writer.close()
    again = JsonlWriter(path)
    again.append([to_line({"n": 3})])
    again.close()

    assert list(read_lines(path)) == [{"n": 1}, {"n": 2}, {"n": 3}]


@quick
@given(
    st.lists(st.dictionaries(st.text(max_size=5), st.integers(0, 9), max_size=2), max_size=4), st.binary(max_size=30)
)
def test_a_torn_tail_is_cut_off_and_nothing_else(lines: list[dict[str, int]], tail: bytes) -> None:
    whole = b"".join(to_line({**line}) for line in lines)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.jsonl"
        path.write_bytes(whole + tail.replace(b"\n", b" "))

        writer = JsonlWriter(path)
        writer.append([to_line({"next": True})])
        writer.close()

        assert path.read_bytes() == whole + b'{"next":true}\n'


@pytest.mark.parametrize("room", [0, 1, 11, 20])
def test_a_full_disk_takes_a_batch_back_whole(tmp_path: Path, full_disk: list[int], room: int) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"old":1}\n')
    writer = JsonlWriter(path)
    full_disk[0] = room

    with pytest.raises(OSError, match="No space left"):
        writer.append([to_line({"new": 1}), to_line({"new": 2}), to_line({"new": 3})])

    assert path.read_bytes() == b'{"old":1}\n'
    full_disk[0] = 1000
    writer.append([to_line({"new": 1})])
    writer.close()
    assert list(read_lines(path)) == [{"old": 1}, {"new": 1}]


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("monitor.history.jsonl.os.write", lambda file, data: write(file, data[:3]))
    writer = JsonlWriter(tmp_path / "a.jsonl")

    writer.append([to_line({"a": "long text"})])
    writer.close()

    assert list(read_lines(tmp_path / "a.jsonl")) == [{"a": "long text"}]


def test_lines_that_are_no_objects_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"n":1}\n\n[2]\nnot json\n\xff\xfe\n"text"\n{"n":3}\n{"torn":')

    assert list(read_lines(path)) == [{"n": 1}, {"n": 3}]
    assert "left out 6 lines" in caplog.text
    assert list(read_lines(tmp_path / "nothing.jsonl")) == []


def test_a_text_that_is_no_unicode_and_a_huge_number_do_not_break_the_line() -> None:
    line = orjson.loads(to_line({"a": "x\ud800y", "b": [10**30, {"c": "\udfff"}], "d": None, "e": 1.5, "f\udfff": 7}))

    assert line == {"a": "x?y", "b": [str(10**30), {"c": "?"}], "d": None, "e": 1.5, "f?": 7}


def test_results_go_to_the_file_of_their_hour(tmp_path: Path) -> None:
    log = ResultLog(tmp_path)
    for seconds in (0, 10, HOUR, 2 * HOUR):
        log.add(result(seconds=seconds))
    log.flush()
    log.close()

    assert [(p.name, len(p.read_bytes().splitlines())) for p in sorted(tmp_path.iterdir())] == [
        ("2026-11-20T14.jsonl", 2),
        ("2026-11-20T15.jsonl", 1),
        ("2026-11-20T16.jsonl", 1),
    ]


def test_after_a_kill_results_go_on_where_they_were_torn(tmp_path: Path) -> None:
    first = ResultLog(tmp_path)
    first.add(result(seconds=0))
    first.flush()
    first.close()
    path = hour_file(tmp_path, T0)
    path.write_bytes(path.read_bytes() + path.read_bytes()[:40])

    again = ResultLog(tmp_path)
    again.add(result(seconds=1))
    again.flush()
    again.close()

    assert [r.at for r in results_since(tmp_path, at(-1), at(60))] == [at(0), at(1)]


def test_while_the_disk_is_full_results_wait_and_none_is_lost_or_doubled(tmp_path: Path, full_disk: list[int]) -> None:
    log = ResultLog(tmp_path)
    log.add(result(seconds=0))
    log.add(result(seconds=HOUR))
    full_disk[0] = len(to_line(result().to_json())) + 10  # the first hour fits, the second does not

    for _ in range(2):
        with pytest.raises(OSError, match="No space left"):
            log.flush()
    log.add(result(seconds=HOUR + 1))
    full_disk[0] = 10_000
    log.flush()
    log.close()

    assert [r.at for r in results_since(tmp_path, at(-1), at(2 * HOUR))] == [at(0), at(HOUR), at(HOUR + 1)]
    assert log.lost == 0


def test_what_waits_for_a_full_disk_is_bounded_and_the_oldest_go(
    tmp_path: Path, full_disk: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.history.results.MAX_WAITING", 3)
    log = ResultLog(tmp_path)
    for seconds in range(5):
        log.add(result(seconds=seconds))
    with pytest.raises(OSError, match="No space left"):
        log.flush()
    full_disk[0] = 10_000
    log.flush()
    log.close()

    assert log.lost == 2
    assert [r.at for r in results_since(tmp_path, at(-1), at(60))] == [at(2), at(3), at(4)]


def test_a_file_that_was_deleted_under_the_writer_is_made_again(tmp_path: Path) -> None:
    log = ResultLog(tmp_path)
    log.add(result(seconds=0))
    log.flush()
    hour_file(tmp_path, T0).unlink()
    log.add(result(seconds=1))
    log.flush()
    log.close()

    assert [r.at for r in results_since(tmp_path, at(-1), at(60))] == [at(1)]


def test_reading_back_begins_after_the_time_and_leaves_out_what_is_no_result(tmp_path: Path) -> None:
    log = ResultLog(tmp_path)
    for seconds in (-HOUR, 0, 1, HOUR):
        log.add(result(Status.FAIL, seconds, kind=Kind.DNS, message="no name"))
    log.flush()
    log.close()
    with hour_file(tmp_path, T0).open("ab") as file:
        file.write(b'{"name":"shop"}\n{"at":"soon","name":"shop","status":"OK"}\n')

    assert list(results_since(tmp_path, at(0), at(HOUR))) == [
        result(Status.FAIL, seconds, kind=Kind.DNS, message="no name") for seconds in (1, HOUR)
    ]
