"""`alerts.jsonl` read back, and what is old taken out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import AlertEvent, What
from monitor.history import alertlog
from monitor.history.alertlog import BookReader, forget, read_book
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.history.snapshot import replace_file
from monitor.model import Status
from tests.make import Life, at, events_in

OK, FAIL = Status.OK, Status.FAIL
OPENED = {"resource": "db", "source": "check", "title": "t", "message": "m", "severity": "P1", "category": "SYSTEM"}


def write(path: Path, *events: AlertEvent) -> None:
    path.write_bytes(b"".join(to_line(event.to_json()) for event in events))


def ended(number: int, seconds: float, what: What = What.RESOLVED) -> list[AlertEvent]:
    alert = f"a-{number}"
    queued = AlertEvent(at(0), What.QUEUED, alert, data={"event": "first_fail", "channel": "ops"})
    return [AlertEvent(at(0), What.OPENED, alert, data=OPENED), queued, AlertEvent(at(seconds), what, alert)]


def test_what_is_read_back_is_what_happened(tmp_path: Path) -> None:
    life = Life()
    life.see(FAIL, OK, FAIL)
    write(tmp_path / "alerts.jsonl", *life.events)
    assert events_in(tmp_path / "alerts.jsonl") == life.events
    assert read_book(tmp_path / "alerts.jsonl").all() == life.book.all()
    assert read_book(tmp_path / "none.jsonl").all() == []


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"what": "exploded"},
        {"what": "opened", "data": {}},
        {"what": "opened", "data": OPENED | {"severity": "P9"}},
        {"what": "opened", "data": OPENED | {"ttl_s": 1e12}},
        {"what": "raised", "data": {}},
        {"what": "raised", "data": {"severity": "P9"}},
        {"what": "suppressed", "data": {}},
        {"what": "queued", "data": {"event": "first_fail"}},
        {"what": "seen", "data": {"times": "often"}},
        {"what": "resolved", "at": "soon"},
    ],
)
def test_a_line_that_cannot_be_folded_in_is_left_out_with_a_word_and_the_others_stand(
    tmp_path: Path, line: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    good = ended(1, 5)
    path = tmp_path / "alerts.jsonl"
    odd = {"at": "2026-11-20T14:00:00Z", "alert": "a-1"} | line
    path.write_bytes(b"".join(map(to_line, [good[0].to_json(), odd, good[1].to_json()])))
    book = read_book(path)
    assert [alert.events for alert in book.all()] == [tuple(good[:2])]
    assert "left out a line that is no event" in caplog.text


def test_a_book_that_is_read_again_takes_in_what_is_new_alone(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    reader = BookReader(path)
    assert reader.read().all() == []
    first, second = ended(1, 5), ended(2, 5)
    write(path, *first[:2])
    assert [alert.id for alert in reader.read().open()] == ["a-1"]
    torn = to_line(first[2].to_json())
    with path.open("ab") as file:
        file.write(torn[:-9])
    assert [alert.id for alert in reader.read().open()] == ["a-1"]
    with path.open("ab") as file:
        file.write(torn[-9:])
    book = reader.read()
    assert [alert.events for alert in book.all()] == [tuple(first)]
    assert reader.read() is book, "nothing is read twice"

    # Taken back when the disk was full, then written anew without what is old.
    write(path, *first[:1])
    assert [len(alert.events) for alert in reader.read().open()] == [1]
    replace_file(path, b"".join(to_line(event.to_json()) for event in [*second, *first]))
    assert [alert.id for alert in reader.read().all()] == ["a-2", "a-1"]
    path.unlink()
    assert reader.read().all() == []


def test_what_is_forgotten_leaves_the_file_whole_and_what_is_written_next_is_there(tmp_path: Path) -> None:
    path = tmp_path / "alerts.jsonl"
    old, young = [*ended(1, 10), *ended(2, 10, What.EXPIRED)], ended(3, 1000)
    holds = [AlertEvent(at(s), What.HELD, "", note="parent db is down", data={"resource": "x"}) for s in (1, 1000)]
    write(path, *old, *young, *holds)
    with path.open("ab") as file:
        file.write(b"no event\n")
    reader, writer = BookReader(path), JsonlWriter(path)
    reader.read()

    forget(writer, {"a-1", "a-2"}, at(500))
    writer.append(to_line(event.to_json()) for event in ended(4, 5))
    writer.close()

    assert events_in(path) == [*young, holds[1], *ended(4, 5)]
    assert b"no event\n" in path.read_bytes()
    assert [alert.id for alert in reader.read().all()] == ["a-3", "a-4"]


def test_on_a_full_disk_nothing_is_forgotten_and_what_comes_is_appended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "alerts.jsonl"
    write(path, *ended(1, 10))
    writer = JsonlWriter(path)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(alertlog, "replace_file", full)
    with pytest.raises(OSError, match="No space"):
        forget(writer, {"a-1"}, at(500))
    writer.append(to_line(event.to_json()) for event in ended(2, 10))
    assert events_in(path) == [*ended(1, 10), *ended(2, 10)]
