"""What the wall shows: the document, its counts, what is stale, and when it counts as changed."""

import gzip
from dataclasses import replace
from typing import Any

import orjson
import pytest

from monitor.alerts import AlertStatus
from monitor.board import board, is_stale, render, summary
from monitor.history.snapshot import CheckEntry, Notice, OpenAlert
from monitor.ledger import Tally
from monitor.model import Flag, Kind, Severity, Status
from monitor.state import Trouble, Turn
from tests.make import at, entry, snapshot


def flags(*names: Flag) -> dict[str, Any]:
    return {"flags": frozenset(names)}


def test_an_empty_wall_has_its_shape() -> None:
    assert board(snapshot(), at()) == {
        "version": 1,
        "title": "Greenwall",
        "timezone": "UTC",
        "stale_after_s": 60.0,
        "counts": {"OK": 0, "WARN": 0, "FAIL": 0, "UNKNOWN": 0, "PAUSED": 0, "MAINTENANCE": 0},
        "uptime": None,
        "notices": [],
        "groups": [],
        "checks": [],
        "alerts": [],
    }


def test_a_tile_has_all_that_is_shown_of_a_check() -> None:
    state = {"kind": Kind.TIMEOUT, "message": "no answer in 10 s", "latency_ms": 10000.26, "ticks": "OOF"} | flags(
        Flag.PAUSED, Flag.ACKNOWLEDGED
    )
    state |= {"trouble": Trouble(note="parent db is down")}
    alert = OpenAlert("a-1", "shop", "check", "shop fails", Severity.P1, AlertStatus.ACKNOWLEDGED, at(), "ann")
    by_hand = OpenAlert("a-2", "shop", "manual", "by hand", Severity.P1, AlertStatus.ACTIVE, at(), "bob")
    seen = snapshot(entry("shop", Status.FAIL, state=state, tags=("eu", "web")), alerts=(by_hand, alert))

    assert board(seen, at(5))["checks"] == [
        {
            "name": "shop",
            "group": "Services",
            "status": "FAIL",
            "flags": ["acknowledged", "paused"],
            "since": "2026-11-20T14:00:00.123Z",
            "checked_at": "2026-11-20T14:00:00.123Z",
            "severity": "P2",
            "kind": "timeout",
            "latency_ms": 10000.3,
            "message": "no answer in 10 s",
            "held": "parent db is down",
            "summary": "paused",
            "ticks": "OOF",
            "alert": "ACKNOWLEDGED",
            "taken_by": "ann",
            "untold": None,
            "tags": ["eu", "web"],
            "stale": False,
            "interval_s": 30.0,
        }
    ]


def test_a_check_that_nobody_took_is_nobodys_and_an_ok_one_needs_no_ticks() -> None:
    alert = OpenAlert("a-1", "db", "check", "db fails", Severity.P1, AlertStatus.ACTIVE, at(), "")
    shop, db = board(snapshot(entry("shop"), entry("db", Status.FAIL), alerts=(alert,)), at())["checks"]

    untold = replace(alert, untold="quiet hours until 07:00")
    (seen,) = board(snapshot(entry("db", Status.FAIL), alerts=(untold,)), at())["checks"]
    assert (seen["taken_by"], seen["untold"]) == (None, "quiet hours until 07:00")
    assert (shop["taken_by"], shop["ticks"], shop["kind"]) == (None, "", None)
    assert (db["taken_by"], db["ticks"], db["kind"]) == (None, "F", "status")


def test_a_tile_has_the_alert_of_its_check_else_what_a_rule_found_that_nobody_has() -> None:
    def open_alert(number: int, name: str, source: str, by: str = "") -> OpenAlert:
        status = AlertStatus.ACKNOWLEDGED if by else AlertStatus.ACTIVE
        return OpenAlert(f"a-{number}", name, source, "x", Severity.P1, status, at(), by)

    alerts = (
        open_alert(1, "own", "check", "ann"),
        open_alert(2, "own", "rule"),
        open_alert(3, "ruled", "rule"),
        open_alert(4, "ruled", "rule", "bob"),
        open_alert(5, "none", "manual"),
    )
    checks = [entry(name, Status.WARN) for name in ("own", "ruled", "none")]
    tiles = board(snapshot(*checks, alerts=alerts), at())["checks"]

    assert [(one["alert"], one["taken_by"]) for one in tiles] == [
        ("ACKNOWLEDGED", "ann"),
        ("ACTIVE", None),
        (None, None),
    ]


def test_every_check_is_counted_once_as_what_it_is_first_of_all() -> None:
    wall = board(
        snapshot(
            entry("a"),
            entry("b"),
            entry("c", Status.WARN),
            entry("d", Status.FAIL),
            entry("e", Status.UNKNOWN),
            entry("f", Status.FAIL, state=flags(Flag.PAUSED)),
            entry("g", Status.FAIL, state=flags(Flag.MAINTENANCE, Flag.PAUSED)),
            entry("h", Status.OK, state={"checked_at": at(-3600)}),
            entry("i", Status.FAIL, state=flags(Flag.CONFIRMING)),
        ),
        at(),
    )

    assert wall["counts"] == {"OK": 2, "WARN": 1, "FAIL": 2, "UNKNOWN": 2, "PAUSED": 1, "MAINTENANCE": 1}
    assert sum(wall["counts"].values()) == len(wall["checks"])


@pytest.mark.parametrize(
    ("age_s", "state", "stale"),
    [
        (70, {}, False),
        (70.1, {}, True),
        (70.1, flags(Flag.PAUSED), False),
        (70.1, flags(Flag.CONFIRMING), True),
        (70.1, flags(Flag.ACKNOWLEDGED, Flag.MUTED), True),
        (86400, {"checked_at": None}, False),
        (-5, {}, False),
    ],
)
def test_green_that_is_too_old_is_stale_unless_the_check_rests(
    age_s: float, state: dict[str, Any], stale: bool
) -> None:
    seen = entry("shop", Status.OK, state=state, stale_after_s=70.0)

    assert is_stale(seen, at(age_s)) is stale
    wall = board(snapshot(seen), at(age_s))
    assert wall["checks"][0]["stale"] is stale
    assert wall["counts"]["UNKNOWN"] == int(stale)


@pytest.mark.parametrize(("intervals", "stale_after_s"), [((2,), 10.0), ((300, 12), 24.0), ((300,), 60.0)])
def test_the_wall_itself_is_stale_after_two_turns_within_bounds(
    intervals: tuple[float, ...], stale_after_s: float
) -> None:
    entries = [entry(str(n), every_s=float(every_s)) for n, every_s in enumerate(intervals)]

    assert board(snapshot(*entries), at())["stale_after_s"] == stale_after_s


def test_groups_stand_in_the_order_of_the_file_and_notices_and_uptime_are_shown() -> None:
    seen = snapshot(
        entry("a", group="Shop"),
        entry("b", group="Db"),
        entry("c", group="Shop"),
        notices=(Notice("error", "x", ("y",)),),
    )
    wall = board(seen, at(), together=Tally(up_s=99_912.345, down_s=87.655, unknown_s=159_200.0))

    assert wall["groups"] == ["Shop", "Db"]
    assert wall["notices"] == [{"level": "error", "text": "x", "more": ["y"]}]
    assert wall["uptime"] == {"days": 30, "ratio": 0.999123, "watched_s": 1_000_000}


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        (entry(state={"latency_ms": 412.4}), "412 ms"),
        (entry(type="job", state={"latency_ms": 5.0, "message": "run 7 succeeded"}), "run 7 succeeded"),
        (entry(type="host", state={"message": "cpu is at 12 %"}), "cpu is at 12 %"),
        (entry(status=Status.FAIL, state={"kind": Kind.DNS}), "no name"),
        (entry(status=Status.FAIL, state={"message": "status is 503, expected 200"}), "status is 503, expected…"),
        (entry(type="tcp", state={"latency_ms": 0.21, "message": "connected in 0.2 ms"}), "0.2 ms"),
        (entry(type="tls", state={"latency_ms": 32.0, "message": "60 days left"}), "60 days left"),
        (
            entry(status=Status.FAIL, type="command", state={"kind": Kind.CONTENT, "message": "all is lost"}),
            "all is lost",
        ),
        (entry(status=Status.UNKNOWN, state={"kind": Kind.VANTAGE}), "not seen"),
        (entry(status=Status.FAIL, state={"trouble": Trouble(note="parent db is down")}), "parent db is down"),
        (entry(status=Status.FAIL, state={"trouble": Trouble(Turn(Status.OK, 1, at()))}), "recovering"),
        (
            entry(
                status=Status.FAIL,
                state={"kind": Kind.TIMEOUT, "trouble": Trouble(note="it flaps")} | flags(Flag.FLAPPING),
            ),
            "timeout",
        ),
        (entry(state=flags(Flag.PAUSED)), "paused"),
        (entry(status=Status.UNKNOWN, state={"checked_at": None, "kind": None}), "not checked yet"),
    ],
)
def test_a_small_tile_says_the_one_thing_that_matters(seen: CheckEntry, text: str) -> None:
    assert summary(seen) == text


def test_a_group_says_how_many_of_its_members_are_up() -> None:
    names = ("up", "slow", "down", "resting", "unseen")
    seen = snapshot(
        entry("up"),
        entry("slow", Status.WARN),
        entry("down", Status.FAIL),
        entry("resting", state=flags(Flag.PAUSED)),
        entry("unseen", state={"checked_at": at(-3600)}),
        entry("shop", Status.FAIL, type="group", state={"message": "2 of 5 members are up"}),
        entry("blind", Status.UNKNOWN, type="group"),
        entry("of nobody", Status.UNKNOWN, type="group", state={"message": "no check is a member"}),
    )
    members = {"shop": names, "blind": (*names, "renamed since"), "of nobody": ()}
    tiles = {tile["name"]: tile["summary"] for tile in board(seen, at(), members=members)["checks"]}

    assert (tiles["shop"], tiles["blind"], tiles["of nobody"]) == (
        "2 of 5 up",
        "2 of 5 known up",
        "no check is a member",
    )
    without = {tile["name"]: tile["summary"] for tile in board(seen, at())["checks"]}
    assert without["shop"] == "2 of 5 members are up", "while the configuration is invalid"


def test_every_kind_has_words_that_fit_a_small_tile() -> None:
    for kind in Kind:
        words = summary(entry(status=Status.FAIL, state={"kind": kind, "message": "m" * 99}))
        assert 0 < len(words) <= 24


def test_a_long_message_is_cut() -> None:
    (tile,) = board(snapshot(entry(status=Status.FAIL, state={"message": "m" * 1000})), at())["checks"]

    assert len(tile["message"]) == 300


def test_the_page_is_the_document_compressed() -> None:
    wall = board(snapshot(entry("shop ü")), at())

    assert orjson.loads(gzip.decompress(render(wall).body)) == wall
    assert render(wall).body[4:8] == bytes(4), "gzip's own time of day would make equal pages differ"


def test_the_etag_is_the_same_for_the_same_content_and_no_other() -> None:
    def etag(seconds: float = 1.0, **state: Any) -> str:
        return render(board(snapshot(entry("shop", state=state)), at(seconds))).etag

    assert render(board(snapshot(entry("shop")), at(1))) == render(board(snapshot(entry("shop")), at(60)))
    assert etag(1).startswith('"')
    assert etag(1).endswith('"')
    assert len({etag(1), etag(3600), etag(message="x"), etag(**flags(Flag.PAUSED)), etag(latency_ms=5.0)}) == 5


def test_a_new_heartbeat_alone_does_not_change_the_etag() -> None:
    seen = snapshot(entry("shop"))
    beaten = replace(seen, updated_at=at(1), checker=replace(seen.checker, heartbeat_at=at(1), in_flight=5, results=9))

    assert render(board(beaten, at(1))).etag == render(board(seen, at(1))).etag
