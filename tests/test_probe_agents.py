"""The agents kind: registries of many shapes over HTTP and in files; what cannot be read is never left out."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from monitor.config.kinds.agents import AgentsCheck
from monitor.model import Kind, Outcome, Result, Status
from monitor.probes import Setting, run_probe
from monitor.units import to_rfc3339, utc_now
from tests.servers import Peer, Script, answer, drip, flood, redirect, then_silence

SEEDS = {"agents": [{"name": n, "status": s} for n, s in (("a", "idle"), ("b", "busy"), ("c", "idle"))]}


def check_of(**keys: Any) -> AgentsCheck:
    return AgentsCheck.model_validate({"name": "agents", "type": "agents", "timeout": 3} | keys)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path


def judge(document: Any, **keys: Any) -> Outcome:
    """Return the verdict on a registry that is served by HTTP."""
    body = document if isinstance(document, (bytes, str)) else json.dumps(document)
    with Peer(answer(body, Content_Type="application/json")) as peer:
        return run_probe(check_of(url=f"{peer.url}/agents", **keys), Setting(Path()))


def agents(*entries: Any, **fields: Any) -> dict[str, Any]:
    return {"agents": list(entries)} | fields


def agent(name: str = "a", status: Any = "idle", **fields: Any) -> dict[str, Any]:
    return {"name": name, "status": status} | fields


def ago(seconds: float) -> str:
    return to_rfc3339(utc_now() - timedelta(seconds=seconds))


def everything(outcome: Outcome) -> str:
    return json.dumps(Result(utc_now(), "s", outcome).to_json()) + repr(outcome)


# ---- shapes that are well


WELL: dict[str, Any] = {
    "a list under agents": SEEDS,
    "a list": SEEDS["agents"],
    "workers": {"workers": SEEDS["agents"]},
    "by name": {"agents": {"a": {"status": "idle"}, "b": {"status": "busy"}, "c": {"state": "idle"}}},
    "by name at the root": {"a": {"status": "idle"}, "b": {"status": "busy"}, "c": {"status": "idle"}},
    "words by name": {"agents": {"a": "idle", "b": "busy", "c": "idle"}},
    "counts": {"agent_breakdown": {"idle": 2, "busy": 1, "error": 0, "offline": 0}, "pending_tasks": 10},
    "counts at the root": {"idle": 2, "busy": 1},
    "other words and cases": agents(agent("a", "Ready"), agent("b", " RUNNING "), agent("c", "Waiting")),
    "states and ids": [{"id": 1, "state": "idle"}, {"id": 2, "state": "busy"}, {"agent_id": "x", "state": "idle"}],
    "without names": [{"status": "idle"}, {"status": "busy"}, {"status": "idle"}],
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(SEEDS).encode(),
    "queues that are names": agents(*(agent(n, "idle", queue="mail") for n in "ab"), agent("c", "busy", queue=None)),
}


@pytest.mark.parametrize("shape", WELL)
def test_agents_that_are_well_are_ok_in_any_shape(shape: str) -> None:
    seen = judge(WELL[shape])
    assert (seen.status, seen.kind) == (Status.OK, None), seen
    assert seen.message.startswith("3 of 3 agents available, in ")
    assert (seen.observed["idle"], seen.observed["busy"], seen.observed["agents"]) in ((2, 1, 3), (2, 1, 3))
    assert seen.code == 200


def test_the_first_document_shape_of_an_orchestrator_is_read() -> None:
    seen = judge(
        {
            "status": "healthy",
            "total_agents": 5,
            "agent_breakdown": {"idle": 3, "busy": 2, "error": 0, "offline": 0},
            "pending_tasks": 10,
        },
        warn_depth=10,
        crit_depth=20,
    )
    assert (seen.status, seen.observed["depth"]) == (Status.OK, 10), seen


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("$.teams[*].members[*]", 3),
        ("$.teams[*].members", 3),
        ("$.teams[0].members", 2),
        ("$..members[?name = 'a']", 1),
    ],
)
def test_a_path_leads_to_the_agents_wherever_they_are(path: str, count: int) -> None:
    document = {"teams": [{"members": [agent("a"), agent("b")]}, {"members": [agent("c")]}]}
    seen = judge(document, agents_path=path)
    assert (seen.status, seen.observed["agents"]) == (Status.OK, count), seen


def test_an_agent_alone_is_one() -> None:
    seen = judge({"it": agent("a")}, agents_path="$.it")
    assert (seen.status, seen.observed["agents"]) == (Status.OK, 1)


def test_fields_can_have_other_names() -> None:
    document = [{"host": "a", "mode": "zzz", "beat": ago(5), "load": 3}]
    keys = {"name_field": "host", "status_field": ["x", "mode"], "seen_field": "beat", "depth_field": "load"}
    more = {"states": {"ZZZ": "idle"}, "stale_after": "1m", "warn_depth": 3, "expect_agents": ["a"]}
    seen = judge(document, **keys, **more)
    assert (seen.status, seen.observed["depth"]) == (Status.OK, 3), seen


def test_an_empty_registry_fails_unless_none_need_be_available() -> None:
    for empty in ({"agents": []}, [], {"agents": {}}):
        seen = judge(empty)
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.STATUS), seen
        assert seen.message == "number of available agents is 0 of 0, expected at least 1"
        assert judge(empty, min_available=0).status is Status.OK


# ---- limits


MIXED = agents(agent("a"), agent("b", "busy"), agent("c", "error"), agent("d", "offline"), agent("e", "stopped"))


@pytest.mark.parametrize(
    ("keys", "status", "message"),
    [
        ({"min_available": 3}, Status.FAIL, "number of available agents is 2 of 5, expected at least 3"),
        ({"warn_available": 3}, Status.WARN, "number of available agents is 2 of 5, expected at least 3"),
        ({}, Status.WARN, "number of agents in error is 1 (c), expected at most 0"),
        ({"crit_error": 0}, Status.FAIL, "number of agents in error is 1 (c), expected at most 0"),
        ({"warn_error": 1, "warn_offline": 1}, Status.WARN, "number of agents offline is 2 (d, e), expected at most 1"),
        (
            {"warn_error": None, "crit_offline": 1},
            Status.FAIL,
            "number of agents offline is 2 (d, e), expected at most",
        ),
        ({"expect_agents": ["a", "z"]}, Status.FAIL, "agent z is missing, expected in the registry"),
        ({"warn_error": None, "warn_offline": 2, "crit_offline": 2, "min_available": 2}, Status.OK, "2 of 5 agents"),
    ],
)
def test_counts_are_held_to_their_limits(keys: dict[str, Any], status: Status, message: str) -> None:
    seen = judge(MIXED, **keys)
    assert seen.status is status, seen
    assert message in seen.message


@pytest.mark.parametrize(
    ("keys", "status", "kind"),
    [
        ({"warn_depth": 12, "crit_depth": 12}, Status.OK, None),
        ({"warn_depth": 11}, Status.WARN, Kind.RESOURCE),
        ({"warn_depth": 5, "crit_depth": 11}, Status.FAIL, Kind.RESOURCE),
        ({"warn_agent_depth": 10}, Status.OK, None),
        ({"warn_agent_depth": 9}, Status.WARN, Kind.RESOURCE),
        ({"crit_agent_depth": 9}, Status.FAIL, Kind.RESOURCE),
    ],
)
def test_queues_are_held_to_their_limits(keys: dict[str, Any], status: Status, kind: Kind | None) -> None:
    seen = judge(agents(agent("a", queue_depth=2), agent("b", pending_tasks=10)), **keys)
    assert (seen.status, seen.kind, seen.observed["depth"]) == (status, kind, 12), seen


def test_the_depth_of_all_stands_beside_the_agents_or_where_a_path_says() -> None:
    document = agents(agent(), pending_tasks=7, totals={"waiting": 9})
    assert judge(document, warn_depth=6).status is Status.WARN
    assert judge(document, warn_depth=7).status is Status.OK
    assert judge(document, warn_depth=8, depth_path="$.totals.waiting").status is Status.WARN
    assert judge(document, crit_depth=8, depth_path="$.totals.waiting").status is Status.FAIL


def test_one_that_was_not_seen_of_late_is_offline() -> None:
    document = agents(
        agent("a", last_seen=ago(10)),
        agent("b", "busy", last_heartbeat=ago(500)),
        agent("c", last_seen=None),
        agent("d", "offline"),
        agent("e", last_seen=datetime.now(UTC).timestamp()),
        agent("f", last_seen=datetime.now(UTC).timestamp() * 1000),
        agent("g", last_seen=(datetime.now(UTC) - timedelta(seconds=5)).isoformat()),
    )
    seen = judge(document, stale_after="2m", crit_offline=2)
    assert seen.status is Status.FAIL, seen
    assert "number of agents offline is 3 (b: last seen 8 m 20 s ago, c: never seen, d)" in seen.message
    assert (seen.observed["idle"], seen.observed["busy"], seen.observed["offline"]) == (4, 0, 3)
    assert judge(document).observed["offline"] == 1


def test_slowness_is_a_warning_or_a_failure() -> None:
    assert judge(SEEDS, warn_ms=0.0001).kind is Kind.SLOW
    assert judge(SEEDS, crit_ms=0.0001).status is Status.FAIL


# ---- fail closed


def test_a_status_word_that_is_not_known_counts_as_error_and_is_named() -> None:
    seen = judge(agents(agent("a"), agent("b", "zombie"), agent("c", "<b>\x1b[31m" + "x" * 500)))
    assert (seen.status, seen.kind, seen.observed["error"]) == (Status.WARN, Kind.STATUS, 2)
    assert "b: 'zombie'" in seen.message
    assert seen.message.isprintable()
    assert len(seen.message) < 300
    assert judge(agents(agent("b", "zombie")), states={"Zombie": "busy"}).status is Status.OK
    counted = judge({"agents": {"idle": 3, "zombie": 2}})
    assert (counted.status, counted.observed["error"]) == (Status.WARN, 2)
    assert "unknown status 'zombie'" in counted.message
    assert judge({"agents": {"idle": 3, "zombie": 0}}).status is Status.OK


@pytest.mark.parametrize("status", [None, 1, True, ["idle"], {"is": "idle"}])
def test_a_status_that_is_no_text_is_a_failure(status: Any) -> None:
    seen = judge(agents(agent("a"), agent("b", status)))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen
    assert "status of agent b is" in seen.message


@pytest.mark.parametrize("entry", ["idle", 1, None, [], [agent()]])
def test_an_entry_that_is_no_object_is_a_failure(entry: Any) -> None:
    seen = judge(agents(agent("a"), entry))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


@pytest.mark.parametrize("depth", ["3", None, True, -1, [], "mail", {"n": 1}])
def test_a_depth_that_is_no_number_is_a_failure_where_a_limit_needs_it(depth: Any) -> None:
    document = agents(agent("a", queue_depth=1), agent("b", queue_depth=depth))
    for keys in ({"warn_depth": 100}, {"crit_agent_depth": 100}):
        seen = judge(document, **keys)
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), (keys, seen)
        assert "queue depth of agent b is" in seen.message
    assert judge(document).status is Status.OK
    at_path = judge(agents(agent(), depth=depth), depth_path="$.depth")
    assert (at_path.status, at_path.kind) == (Status.FAIL, Kind.CONTENT), at_path


def test_a_depth_that_is_nowhere_is_a_failure_where_a_limit_needs_it() -> None:
    for keys in ({"warn_depth": 100}, {"warn_agent_depth": 100}, {"depth_path": "$.x"}):
        seen = judge(SEEDS, **keys)
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), (keys, seen)
    seen = judge(agents(agent(), a=[1, 2]), depth_path="$.a[*]")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert "queue depth of agent a is missing" in judge(agents(agent("b", queue=1), agent("a")), warn_depth=1).message


def in_future() -> str:
    return (utc_now() + timedelta(hours=2)).isoformat()


UNREADABLE = ["", "yesterday", "2026-11-21T10:00:00", True, [], 1e300, pytest.param(in_future(), id="in two hours")]


@pytest.mark.parametrize("seen_at", UNREADABLE)
def test_a_time_that_cannot_be_read_is_a_failure_where_a_limit_needs_it(seen_at: Any) -> None:
    document = agents(agent("a", last_seen=seen_at))
    seen = judge(document, stale_after="2m")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen
    assert "last seen of agent a is" in seen.message
    assert judge(document).status is Status.OK


def test_an_agent_without_a_time_is_a_failure_where_a_limit_needs_it() -> None:
    seen = judge(agents(agent("a")), stale_after="2m")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "last seen of agent a is missing, expected a time with an offset from UTC"


@pytest.mark.parametrize("keys", [{"stale_after": "2m"}, {"expect_agents": ["a"]}, {"warn_agent_depth": 3}])
def test_counts_alone_cannot_say_what_is_asked_of_agents(keys: dict[str, Any]) -> None:
    seen = judge({"agents": {"idle": 3}}, **keys)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


@pytest.mark.parametrize("count", [-1, 1.5, 1e30])
def test_a_count_that_is_none_is_a_failure(count: float) -> None:
    seen = judge({"agents": {"idle": 3, "error": count}})
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "null",
        "12",
        '"idle"',
        "{}",
        '{"agents": null}',
        '{"agents": "none"}',
        '{"a": 1, "b": {"status": "idle"}}',
        '{"agents": [{"name": "a", "status": NaN}]}',
        '{"agents": [{"name": "a", "status": "idle"}]',
        b'{"agents": [{"name": "\xff", "status": "idle"}]}',
        b"\x00\x01",
    ],
)
def test_what_is_no_registry_is_a_failure(body: bytes | str) -> None:
    seen = judge(body, min_available=0, warn_error=None)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


@pytest.mark.parametrize("path", ["$.workers", "$.agents[9]", "$.agents[0].name", "$.a"])
def test_a_path_that_leads_to_no_agents_is_a_failure(path: str) -> None:
    seen = judge(SEEDS | {"a": 1}, agents_path=path)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


# ---- bounds, and what a hostile registry may try


def test_thousands_of_bad_agents_make_a_short_verdict() -> None:
    names = [f"agent number {n} " + "x" * 200 for n in range(5000)]
    seen = judge(agents(*(agent(name, "zombie" * 50) for name in names)), crit_error=0)
    assert seen.status is Status.FAIL
    assert len(everything(seen)) < 8000
    seen = judge(agents(*(agent(name, 7) for name in names)), min_available=0)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert len(everything(seen)) < 16_000


def test_a_registry_without_an_end_is_a_failure() -> None:
    head = b"HTTP/1.1 200 OK\r\n\r\n"
    with Peer(flood(head, b"[" * 65536)) as peer:
        seen = run_probe(check_of(url=peer.url), Setting(Path()))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert "longer" in seen.message


@pytest.mark.parametrize("script", [then_silence(b""), drip(b"HTTP/1.1 200 OK\r\n\r\n"), drip(b"HTTP/1.1 200 O")])
def test_a_server_that_does_not_end_is_a_timeout(script: Script) -> None:
    with Peer(script) as peer:
        seen = run_probe(check_of(url=peer.url, timeout=0.3), Setting(Path()))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)


@pytest.mark.parametrize(
    ("status", "kind"), [("401 Unauthorized", Kind.AUTH), ("404 Not Found", Kind.STATUS), ("500 Oops", Kind.STATUS)]
)
def test_a_status_that_is_no_success_is_a_failure(status: str, kind: Kind) -> None:
    with Peer(answer(json.dumps(SEEDS), status)) as peer:
        seen = run_probe(check_of(url=peer.url), Setting(Path()))
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, kind, int(status[:3]))


def test_headers_are_sent_to_their_own_host_and_recorded_nowhere() -> None:
    token = "token-5f3e9a77b1" * 5
    with Peer(answer(json.dumps(agents(agent(token, token))))) as elsewhere, Peer(redirect(elsewhere.url)) as peer:
        check = check_of(url=peer.url, headers={"Authorization": f"Bearer {token}"})
        seen = run_probe(check, Setting(Path()))
        assert token.encode() in peer.requests[0]
        assert token.encode() not in elsewhere.requests[0]
    assert seen.status is Status.FAIL
    assert token[:16] not in everything(seen)


# ---- a file


def of_file(folder: Path, name: str = "agents.json", **keys: Any) -> Outcome:
    return run_probe(check_of(file=name, **keys), Setting(folder))


def test_a_file_beside_the_configuration_is_read_anew_each_time(folder: Path) -> None:
    path = folder / "agents.json"
    path.write_text(json.dumps(SEEDS))
    assert of_file(folder).status is Status.OK
    path.write_text(json.dumps(agents(agent("a", "crashed"))))
    seen = of_file(folder)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.STATUS)
    path.unlink()
    seen = of_file(folder)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "file agents.json is No such file or directory, expected a readable file"


def test_a_file_that_is_no_longer_written_is_a_failure(folder: Path) -> None:
    path = folder / "agents.json"
    path.write_text(json.dumps(SEEDS))
    assert of_file(folder, max_age="1m").status is Status.OK
    os.utime(path, (1, utc_now().timestamp() - 300))
    seen = of_file(folder, max_age="1m")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert seen.message == "age of the file is 5 m, expected at most 1 m"


def test_a_file_that_may_not_be_read_is_not_configured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (folder / "agents.json").write_text("[]")
    monkeypatch.setattr("monitor.probes.agents.source.os.open", refuse)
    seen = of_file(folder)
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)


def test_a_pipe_a_folder_and_a_long_file_end_at_once(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "long").write_bytes(b"[" * 6_000_000)
    before = threading.active_count()
    for name in ("pipe", ".", "long"):
        seen = of_file(folder, name, timeout=2)
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), (name, seen)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "expected one of url and file, got none"),
        ({"url": "http://h/", "file": "x"}, "expected one of url and file, got both"),
        ({"url": "http://h/", "max_age": "1m"}, "max_age: expected file"),
        ({"file": "x", "headers": {"A": "b"}}, "headers: expected url"),
        ({"file": "x", "states": {"zombie": "dead"}}, "Input should be 'idle', 'busy', 'error' or 'offline'"),
        ({"file": "x", "agents_path": "$["}, "expected a JSONPath"),
    ],
)
def test_what_the_file_says_wrongly_is_told(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match="1 validation error") as told:
        check_of(**keys)
    assert message in told.value.errors()[0]["msg"]
