"""The section on remedies of a check's page: what became of them, and the button that runs one by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import AlertEvent, What
from monitor.history.inbox import Verb, waiting
from monitor.history.jsonl import JsonlWriter, to_line
from monitor.ui import frame
from monitor.units import utc_now
from monitor.web.operator import Visitor
from tests.test_pages import folder, open_page, write

__all__ = ["folder"]
URL = "http://app.example.org/reset"
CHECKS = f"""
checks:
  - name: web
    type: http
    url: http://127.0.0.1:1/
    on_fail:
      actions:
        - {{type: http_post, url: "{URL}?token=hidden-word"}}
        - {{type: http_post, url: "{URL}", dry_run: true}}
  - {{name: db, type: http, url: http://127.0.0.1:1/}}
"""


def remedy(seconds_ago: float, phase: str, note: str = "", **data: Any) -> AlertEvent:
    shared = {"key": "web#0", "action": "http_post", "target": URL, "phase": phase}
    return AlertEvent(utc_now() - timedelta(seconds=seconds_ago), What.REMEDY, "a-9", note=note, data=shared | data)


def store(folder: Path) -> None:
    data = {"resource": "web", "source": "check", "title": "t", "message": "m", "severity": "P2"}
    opened = AlertEvent(
        utc_now() - timedelta(hours=1), What.OPENED, "a-9", data=data | {"category": "DATABASE", "kind": "connect"}
    )
    events = [
        opened,
        remedy(3000, "started", kind="connect", verify_s=60),
        remedy(2999, "ran", ok=True),
        remedy(2988, "verdict", effect="helped"),
        remedy(60, "refused", note="cool-down", reason="cool-down"),
    ]
    writer = JsonlWriter(folder / "data" / "alerts.jsonl")
    writer.append([to_line(event.to_json()) for event in events])
    writer.close()


def html(app: Any) -> str:
    return " ".join(one.proto.body for one in app.get("html"))


@pytest.fixture
def shop(folder: Path) -> Path:
    write(folder)
    (folder / "checks.yaml").write_text(CHECKS)
    store(folder)
    return folder


def test_the_page_says_what_became_of_each_remedy(shop: Path) -> None:
    app = open_page("check", name="web")
    assert not app.exception
    assert "Remedies" in [one.value for one in app.subheader]
    shown = html(app)
    assert f"http_post {URL}" in shown and "hidden-word" not in shown
    for part in ("cool-down 1", "12 s", "by checker: helped"):
        assert part in shown


def test_the_button_leaves_an_order_in_the_inbox(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "follow", lambda leave: leave() and None)
    app = open_page("check", name="web")
    app.button(key="remedy-1").click().run()
    assert not app.exception
    [(_, command)] = list(waiting(shop / "data" / "inbox"))
    assert (command.verb, command.target, command.options) == (Verb.REMEDY, "web", {"index": 1})


def test_who_may_not_act_sees_no_button(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "visitor", lambda: Visitor("203.0.113.9", {"host": "wall.example.org"}))
    app = open_page("check", name="web")
    assert not app.exception
    assert not [one for one in app.button if str(one.key).startswith("remedy-")]
    assert "cool-down 1" in html(app)


def test_a_check_without_remedies_has_no_such_section(shop: Path) -> None:
    app = open_page("check", name="db")
    assert not app.exception
    assert "Remedies" not in [one.value for one in app.subheader]
