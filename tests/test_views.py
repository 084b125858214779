"""What can be read of one place: what a check looks at without secrets, and which checks have to do with each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.config import CHECK_MODELS, Place
from monitor.history import pings
from monitor.pings import Ping, Signal
from monitor.views import Relations, Views
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
    (tmp_path / "checks.yaml").write_text("checks: [")
    assert (views.members(), views.relations("core"), views.target("core")) == ({}, Relations(), "")


def test_pings_come_newest_first_and_none_is_no_trouble(tmp_path: Path) -> None:
    views = views_of(tmp_path, CHECKS)
    assert views.pings("job") == []
    for second in range(12):
        pings.append(tmp_path / "data", "job", Ping(at(second), Signal.SUCCESS))
    assert [ping.at for ping in views.pings("job", newest=2)] == [at(11), at(10)]
    assert len(views.pings("job")) == 10
