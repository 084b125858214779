"""What can be read of one place: what a check looks at without secrets, and which checks have to do with each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from monitor.alerts import AlertEvent, What
from monitor.config import CHECK_MODELS, Match, Place
from monitor.history import pings
from monitor.history.jsonl import to_line
from monitor.pings import Ping, Signal
from monitor.silences import Silence, coming, make
from monitor.units import utc_now
from monitor.views import Relations, Views
from monitor.windows import CronWindow
from tests.make import at

SECRETS = ("pa55word", "s3cr3t-token")


def views_of(folder: Path, checks: str) -> Views:
    (folder / "checks.yaml").write_text(f"global: {{allow_commands: true}}\nchecks:\n{checks}", "utf-8")
    return Views(Place(folder / "checks.yaml", folder / "data"))


@pytest.mark.parametrize("kind", CHECK_MODELS)
def test_every_kind_says_what_it_looks_at(tmp_path: Path, kind: str) -> None:
    example = CHECK_MODELS[kind].example
    members = "- {name: one, type: tcp, host: a, port: 1, tags: [storefront]}\n" * (kind == "group")
    members += members.replace("one", "two") + members.replace("one", "three")
    views = views_of(tmp_path, example + members)
    loaded = views.config()
    assert loaded is not None
    target = views.target(next(iter(loaded.checks)))
    assert 0 < len(target) <= 300
    assert "secret" not in target, "a password of the example"


@pytest.mark.parametrize(
    ("check", "target"),
    [
        (
            "type: http, url: 'https://me:pa55word@shop.example:8443/a?token=s3cr3t-token#x'",
            "https://shop.example:8443/a?token=…",
        ),
        (
            "type: websocket, url: 'wss://me:pa55word@shop.example/live?key=s3cr3t-token'",
            "wss://shop.example/live?key=…",
        ),
        ("type: database, url: 'postgresql://me:pa55word@db.example/shop'", "db.example"),
        ("type: redis, url: 'redis://:pa55word@cache.example/1'", "cache.example"),
        ("type: queue, url: 'http://me:pa55word@mq.example:15672', queue: mail, crit_depth: 1", "mq.example"),
        ("type: command, command: [/bin/check, --password, pa55word]", "/bin/check"),
        ("type: heartbeat, key: s3cr3t-token, period: 1h", "a ping each 1 h"),
    ],
)
def test_a_target_is_told_without_its_secrets(tmp_path: Path, check: str, target: str) -> None:
    shown = views_of(tmp_path, f"- {{name: n, {check}}}\n").target("n")
    assert target in shown
    assert not any(secret in shown for secret in SECRETS)


def test_a_secret_of_the_environment_is_no_part_of_a_target(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("HOOK_TOKEN=s3cr3t-token\n")
    views = views_of(tmp_path, "- {name: n, type: http, url: 'http://a.example/${HOOK_TOKEN}/x'}\n")
    assert views.target("n") == "http://a.example/***/x"


CHECKS = """\
- {name: core, type: tcp, host: a, port: 1, tags: [t]}
- {name: api, type: tcp, host: a, port: 1, depends_on: [core], tags: [t]}
- {name: page, type: tcp, host: a, port: 1, depends_on: [api], tags: [t], enabled: false}
- {name: all, type: group, members_tag: t}
- {name: whole, type: group, members: [all, core]}
"""


def test_checks_know_with_which_others_they_have_to_do(tmp_path: Path) -> None:
    views = views_of(tmp_path, CHECKS)
    assert views.relations("page") == Relations(parents=("api", "core"))
    assert views.relations("core") == Relations(children=("api",), groups=("all", "whole"))
    assert views.relations("all") == Relations(members=("core", "api"), groups=("whole",))
    assert views.relations("nobody") == Relations()
    assert views.members() == {"all": ("core", "api"), "whole": ("all", "core")}


def test_where_the_file_was_never_valid_no_check_has_to_do_with_another(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: [")
    views = Views(Place(tmp_path / "checks.yaml", tmp_path / "data"))
    assert (views.members(), views.relations("core"), views.target("core")) == ({}, Relations(), "")


def test_pings_come_newest_first_and_none_is_no_trouble(tmp_path: Path) -> None:
    views = views_of(tmp_path, CHECKS)
    assert views.pings("job") == []
    for second in range(12):
        pings.append(tmp_path / "data", "job", Ping(at(second), Signal.SUCCESS))
    assert [ping.at for ping in views.pings("job", newest=2)] == [at(11), at(10)]
    assert len(views.pings("job")) == 10


PLANS = """\
global: {timezone: Europe/Berlin}
maintenance:
  - {name: nightly, match: {name: "db-*"}, hours: [{from: "02:00", to: "03:00"}], note: backup}
  - {name: monthly, match: {tag: eu}, cron: "0 20 1 * *", lasts: 2h}
on_call:
  - {name: primary, begins: 2026-01-05, rota: [ann, bob], people: {ann: [console], bob: [console]}}
checks:
  - {name: db-1, type: tcp, host: a, port: 1}
  - {name: shop, type: tcp, host: a, port: 1, tags: [eu], group: Shop, severity: P1}
  - {name: off, type: tcp, host: a, port: 1, enabled: false}
"""


def planned_views(folder: Path) -> Views:
    (folder / "checks.yaml").write_text(PLANS, "utf-8")
    return Views(Place(folder / "checks.yaml", folder / "data"))


def test_what_is_planned_and_who_is_on_call_comes_from_the_configuration(tmp_path: Path) -> None:
    views = planned_views(tmp_path)
    assert [(one.id, one.is_maintenance, one.note) for one in views.planned()] == [
        ("nightly", True, "backup"),
        ("monthly", True, ""),
    ]
    assert [one.name for one in views.on_call()] == ["primary"]
    assert set(views.subjects()) == {"db-1", "shop"}, "what is not watched is silenced by nobody"


def test_while_the_file_is_invalid_pages_show_what_the_checker_goes_on_with(tmp_path: Path) -> None:
    views = planned_views(tmp_path)
    known = (views.planned(), views.on_call(), views.subjects())
    (tmp_path / "checks.yaml").write_text("checks: [")
    assert (views.planned(), views.on_call(), views.subjects()) == known, (
        "nobody on call, nothing planned: that is false"
    )
    (tmp_path / "checks.yaml").write_text(PLANS.replace("name: primary", "name: second"))
    assert [one.name for one in views.on_call()] == ["second"]


def test_where_the_file_was_never_valid_nothing_is_known_of_it(tmp_path: Path) -> None:
    views = Views(Place(tmp_path / "checks.yaml", tmp_path / "data"))
    (tmp_path / "checks.yaml").write_text("checks: [")
    assert views.config() is None
    assert (views.planned(), views.on_call(), views.subjects()) == ((), (), {})
    assert views.quiet("shop") is None


def test_silences_are_read_the_newest_first_and_hold_for_those_they_mean(tmp_path: Path) -> None:
    views, now = planned_views(tmp_path), utc_now()
    assert list(views.silences()) == []
    ends = (timedelta(hours=1), timedelta(hours=2))
    made = [make(Match(group=("shop",)), now, now + end, "ann", "rack", now) for end in ends]
    torn = b'{"at": 1}\nnot json\n'
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "silences.jsonl").write_bytes(b"".join(to_line(one.to_json()) for one in made) + torn)
    assert [one.id for one in views.silences()] == [made[1].silence, made[0].silence]
    found = views.quiet("shop")
    assert found and found.silence.id == made[1].silence and "rack" in found.reason
    assert views.quiet("nobody") is None


def test_what_is_coming_is_told_stretch_by_stretch_and_ends_somewhere(tmp_path: Path) -> None:
    nightly, monthly = planned_views(tmp_path).planned()
    begin = datetime(2026, 11, 20, 1, 30, tzinfo=UTC)
    nights = list(coming(nightly, begin, begin + timedelta(days=3)))
    assert [one.begins_at.isoformat() for one in nights[:2]] == [
        "2026-11-20T01:00:00+00:00",
        "2026-11-21T01:00:00+00:00",
    ]
    assert len(nights) == 4, "the one that holds now, and three more"
    assert [one.begins_at.day for one in coming(monthly, begin, begin + timedelta(days=14))] == [1]
    assert list(coming(monthly, begin, begin + timedelta(days=3))) == []
    each_minute = Silence("x", Match(), (CronWindow("* * * * *", timedelta(seconds=30), ZoneInfo("UTC")),), "ann")
    assert len(list(coming(each_minute, begin, begin + timedelta(days=14)))) == 200
    assert list(coming(replace(each_minute, ended_at=begin), begin, begin + timedelta(days=14))) == []


def test_a_message_knows_how_many_alerts_it_told_of(tmp_path: Path) -> None:
    views = planned_views(tmp_path)
    data = {"source": "check", "title": "t", "message": "m", "severity": "P2", "category": "SYSTEM"}
    events = []
    for number in range(3):
        alert = f"a-{number}"
        events.append(AlertEvent(at(), What.OPENED, alert, data=data | {"resource": alert}))
        queued = {"event": "first_fail", "channel": "email", "batch": "joined-1"}
        events.append(AlertEvent(at(1), What.QUEUED, alert, data=queued))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "alerts.jsonl").write_bytes(b"".join(to_line(one.to_json()) for one in events))
    assert (views.joined("joined-1"), views.joined("joined-2")) == (3, 0)
    assert views.patterns(3650).total == 3
    assert "orders-db" in views.preview("first_fail")["text"]
