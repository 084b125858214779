"""Remedies in a whole checker: behind a parent, by command, over a restart."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from monitor import commands
from monitor.alerts import What
from monitor.history.jsonl import read_lines
from monitor.model import Status
from tests.conftest import eventually
from tests.test_checker import House, Target


@pytest.fixture
def target() -> Iterator[Target]:
    with closing(Target()) as one:
        yield one


@pytest.fixture
def house(tmp_path: Path, joined_soon: None) -> Iterator[House]:
    one = House(tmp_path)
    yield one
    one.stop()


def checks(parent: str, child: str, every: str = "1h", **action: str) -> str:
    keys = ", ".join(f"{key}: {value}" for key, value in ({"type": "http_post", "url": f'"{child}"'} | action).items())
    return f"""
global: {{every: {every}, retries: 0, timeout: 2s}}
checks:
  - {{name: db, type: http, url: "{parent}"}}
  - {{name: web, type: http, url: "{child}", depends_on: [db], on_fail: {{actions: [{{{keys}}}]}}}}
"""


def phases(house: House) -> list[str]:
    return [str(event.data.get("phase")) for event in house.events() if event.what is What.REMEDY]


def test_an_alert_that_opens_once_its_parent_was_looked_at_has_its_remedy_at_once(house: House, target: Target) -> None:
    with closing(Target()) as parent:
        target.code = 500
        house.write(checks(parent.url, target.url))
        house.start()
        eventually(lambda: target.posts, what="long before the next turn")
        eventually(lambda: phases(house) == ["started", "ran", "verdict"], what="judged")


def test_behind_a_parent_that_is_down_nothing_is_tried(house: House, target: Target) -> None:
    with closing(Target()) as parent:
        parent.code = target.code = 500
        house.write(checks(parent.url, target.url, every="100ms"))
        house.start()
        eventually(lambda: len([r for r in house.results() if r["name"] == "web"]) > 5, what="some verdicts")
        assert any(event.what is What.HELD for event in house.events())
        assert target.posts == []


def test_a_person_has_one_run_which_is_audited(house: House, target: Target) -> None:
    house.write(checks(target.url, target.url))
    house.start()
    eventually(lambda: house.status() is Status.OK, what="well")
    applied = commands.outcome(house.place, commands.remedy(house.place, "web", 0, "ann"))
    assert applied is not None and applied.ok and applied.detail.startswith("remedy 1 of web (http_post) is run now")
    eventually(lambda: target.posts, what="it ran")
    eventually(lambda: len(list(read_lines(house.place.audit))) == 2, what="the order and the run are in the audit")
    assert {line["by"] for line in read_lines(house.place.audit)} == {"ann"}
    refused = commands.outcome(house.place, commands.remedy(house.place, "web", 7, "ann"))
    assert refused is not None and not refused.ok and "web has no remedy 8: it has 1" in refused.detail


def test_a_restart_forgets_no_attempt(house: House, target: Target) -> None:
    with closing(Target()) as parent, closing(Target()) as nowhere:
        target.code = 500
        house.write(checks(parent.url, target.url, every="100ms", url=f'"{nowhere.url}/"', verify="0"))
        house.start()
        eventually(lambda: "verdict" in phases(house), what="no effect")
        house.stop()
        house.start()
        eventually(lambda: any(e.data.get("reason") == "attempts" for e in house.events()), what="it is spent")
        assert len(nowhere.posts) == 1


def test_the_message_of_the_end_names_the_remedy_that_helped(
    house: House, target: Target, capsys: pytest.CaptureFixture[str]
) -> None:
    said: list[str] = []

    def ended() -> bool:
        said.append(capsys.readouterr().out)
        return "web recovered after" in "".join(said)

    with closing(Target()) as parent, closing(Target()) as healer:
        target.code = 500
        house.write(checks(parent.url, target.url, every="200ms", url=f'"{healer.url}/"'))
        house.start()
        eventually(lambda: "ran" in phases(house), what="it ran")
        target.code = 200
        eventually(ended, what="the end is told")
        assert ", http_post helped" in "".join(said)
