"""Pings from the wire to the file: the curl lines of healthchecks.io, hostile senders, two writers, full disks."""

from __future__ import annotations

import asyncio
import errno
import json
import multiprocessing
import os
import re
import socket
import subprocess
import uuid
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from monitor.config import Place
from monitor.history import pings as store
from monitor.history.pings import KEPT, MAX_FILE_BYTES, append
from monitor.history.snapshot import entry_json, snapshot_json
from monitor.model import Flag, Status
from monitor.pings import FOLDER, Ping, Signal, file_name, parse, told, worth_keeping
from monitor.views import Views
from monitor.web import Operator, make_routes
from monitor.web import pings as web
from tests.conftest import Running, eventually, free_port, program, start_app, stop_app
from tests.make import entry, quick, snapshot

KEY, OTHER = "3f0c9a6e-5f7b-4f5e-9a57-0a8f7b1c2d3e", "a-slug-of-its-own"
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
CURL = ("-fsS", "-m", "10", "--retry", "5", "-o", "/dev/null")

T = TypeVar("T")


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def kept(data: Path, check: str = "nightly") -> list[Ping]:
    path = data / FOLDER / file_name(check)
    return parse(path.read_bytes()) if path.exists() else []


# ---- the file


@pytest.mark.parametrize("name", ["nightly", "../../etc/passwd", "a/b", "CON", "日本", " ", "." * 120, "x" * 120])
def test_every_name_of_a_check_has_a_safe_file_of_its_own(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]{1,60}-[0-9a-f]{12}\.jsonl", file_name(name))
    assert file_name(name) != file_name(name + "x")


def test_a_ping_is_one_short_line_and_comes_back_as_it_was(tmp_path: Path) -> None:
    ping = Ping(NOON, Signal.FAIL, str(uuid.uuid4()), 3, "line 1 line 2", "why", "192.0.2.7")
    append(tmp_path, "nightly", ping)
    content = (tmp_path / FOLDER / file_name("nightly")).read_bytes()
    assert content.count(b"\n") == 1 and content.endswith(b"\n")
    assert kept(tmp_path) == [ping]


def test_a_line_after_a_torn_one_is_whole(tmp_path: Path) -> None:
    append(tmp_path, "nightly", Ping(at(0), Signal.START))
    path = tmp_path / FOLDER / file_name("nightly")
    with path.open("ab") as file:
        file.write(b'{"at":"2026-11-21T12:00:00.000Z","signal":"succ')
    append(tmp_path, "nightly", Ping(at(1), Signal.SUCCESS))
    assert [ping.signal for ping in kept(tmp_path)] == [Signal.START, Signal.SUCCESS]


def test_the_file_never_grows_beyond_its_bound_and_the_newest_are_there(tmp_path: Path) -> None:
    path = tmp_path / FOLDER / file_name("nightly")
    append(tmp_path, "nightly", Ping(at(0), Signal.SUCCESS, body="the last success"))
    append(tmp_path, "nightly", Ping(at(1), Signal.START, "r1"))
    largest = 0
    for number in range(2, 400):
        append(tmp_path, "nightly", Ping(at(number), Signal.LOG, body="ü" * 5000))
        largest = max(largest, path.stat().st_size)
    assert largest <= MAX_FILE_BYTES
    assert not list(tmp_path.rglob("*.part"))
    pings = kept(tmp_path)
    assert pings[-1].at == at(399)
    sum_ = told(pings, 60)
    assert sum_.success is not None and sum_.success.at == at(0), "by it the job is judged"
    assert list(sum_.open) == ["r1"]


def test_short_pings_are_pruned_to_the_newest(tmp_path: Path) -> None:
    path = tmp_path / FOLDER / file_name("nightly")
    append(tmp_path, "nightly", Ping(at(0), Signal.SUCCESS))
    line = path.read_bytes()
    path.write_bytes(line * (MAX_FILE_BYTES // len(line)))
    append(tmp_path, "nightly", Ping(at(1), Signal.FAIL))
    assert len(kept(tmp_path)) <= KEPT + 2
    assert kept(tmp_path)[-1].signal is Signal.FAIL


SIGNALS = st.lists(st.tuples(st.sampled_from(Signal), st.sampled_from(["", "r1", "r2", "r3"])), max_size=40)


@quick
@given(SIGNALS, st.integers(0, 20))
def test_pruning_forgets_nothing_by_which_a_job_is_judged(signals: list[tuple[Signal, str]], newest: int) -> None:
    pings = [Ping(at(60 * number), signal, run) for number, (signal, run) in enumerate(signals)]
    before, after = told(pings, 1e9), told(worth_keeping(pings, newest), 1e9)
    assert (before.success, before.failure, before.open) == (after.success, after.failure, after.open)
    assert len(worth_keeping(pings, newest)) <= newest + 12


def write_many(data: Path, writer: int, size: int) -> None:
    for number in range(60):
        append(data, "nightly", Ping(at(number), Signal.LOG, body=f"{writer}-{number} " + "x" * size))


@pytest.mark.parametrize("size", [100, 1900])
def test_two_processes_write_whole_lines_and_lose_none_also_while_one_prunes(tmp_path: Path, size: int) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_many, args=(tmp_path, writer, size)) for writer in range(2)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(60)
    assert [process.exitcode for process in writers] == [0, 0]
    lines = (tmp_path / FOLDER / file_name("nightly")).read_bytes().splitlines()
    said = [json.loads(line)["body"].split()[0] for line in lines]
    assert len(said) == len(set(said))
    for writer in ("0", "1"):
        own = [int(text.split("-")[1]) for text in said if text.startswith(writer)]
        # What is pruned is the oldest; of the rest nothing is missing.
        assert own == list(range(own[0], 60)) if own else said[-1].startswith("1" if writer == "0" else "0")
    assert len(said) == 120 or size > 1000


def test_a_full_disk_leaves_no_part_of_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(tmp_path, "nightly", Ping(at(0), Signal.SUCCESS))
    real_write, calls = os.write, []

    def write(file: int, data: bytes) -> int:
        calls.append(file)
        if len(calls) == 2:
            raise OSError(errno.ENOSPC, "no space left on device")
        return real_write(file, data[:10])

    monkeypatch.setattr(store.os, "write", write)
    with pytest.raises(OSError, match="no space left"):
        store._append(tmp_path / FOLDER / file_name("nightly"), b'{"a": "line of some length"}\n')
    monkeypatch.undo()
    assert (tmp_path / FOLDER / file_name("nightly")).read_bytes().endswith(b"}\n")
    assert len(kept(tmp_path)) == 1


def test_a_lock_that_is_held_for_ever_is_an_error_and_no_hang(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(store, "LOCK_WAIT_S", 0.1)
    (tmp_path / FOLDER).mkdir()
    with FileLock(tmp_path / FOLDER / ".lock"), pytest.raises(OSError, match=r"was not free within"):
        append(tmp_path, "nightly", Ping(at(0), Signal.SUCCESS))


# ---- the routes, in this process

CHECKS = f"""
global: {{every: 1h}}
checks:
  - {{name: nightly, type: heartbeat, key: {KEY}, period: 1d}}
  - {{name: posted, type: heartbeat, key: {OTHER}, period: 1d, methods: post}}
  - {{name: words, type: heartbeat, key: words-key, period: 1d,
     expect_body: {{contains: done, not_contains: [error]}}}}
"""


class Wall:
    """The routes over a folder, without a checker."""

    def __init__(self, folder: Path) -> None:
        self.place = Place(folder / "checks.yaml", folder / "data")
        self.place.config.write_text(CHECKS)
        self.views = Views(self.place)
        self.client = TestClient(Starlette(routes=make_routes(self.views, Operator(lambda: "a password"))))

    def ping(self, path: str, method: str = "GET", **more: Any) -> Any:
        return self.client.request(method, "/ping/" + path, **more)

    def kept(self, check: str = "nightly") -> list[Ping]:
        return kept(self.place.data, check)

    @property
    def commands(self) -> list[dict[str, Any]]:
        return [json.loads(path.read_bytes()) for path in sorted(self.place.inbox.glob("*.json"))]

    def shows(self, status: Status, flags: frozenset[Flag] = frozenset()) -> None:
        """Write the state.json of a checker that runs."""
        one = entry("nightly", status, state={"flags": flags})
        text = json.loads(snapshot_json(snapshot(one), [entry_json(one)]))
        text["checker"]["heartbeat_at"] = datetime.now(UTC).isoformat()
        self.place.data.mkdir(exist_ok=True)
        self.place.state.write_text(json.dumps(text))


@pytest.fixture
def wall(tmp_path: Path) -> Wall:
    return Wall(tmp_path)


@pytest.mark.parametrize(
    ("path", "signal", "exit_status"),
    [
        (KEY, Signal.SUCCESS, None),
        (KEY + "/", Signal.SUCCESS, None),
        (KEY + "/start", Signal.START, None),
        (KEY + "/fail", Signal.FAIL, None),
        (KEY + "/log", Signal.LOG, None),
        (KEY + "/0", Signal.SUCCESS, 0),
        (KEY + "/1", Signal.FAIL, 1),
        (KEY + "/255", Signal.FAIL, 255),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_each_address_is_a_signal(wall: Wall, path: str, signal: Signal, exit_status: int | None, method: str) -> None:
    answer = wall.ping(path, method)
    assert (answer.status_code, answer.text) == (200, "" if method == "HEAD" else "OK")
    assert answer.headers["content-type"].startswith("text/plain")
    (ping,) = wall.kept()
    assert (ping.signal, ping.exit_status, ping.source) == (signal, exit_status, "testclient")
    assert abs((ping.at - datetime.now(UTC)).total_seconds()) < 5


@pytest.mark.parametrize("path", [f"{KEY}/256", f"{KEY}/-1", f"{KEY}/finish", f"{KEY}/1e1", f"{KEY}/٣", f"{KEY}?rid=7"])
def test_a_wrong_address_with_the_right_key_is_told_what_is_wrong(wall: Wall, path: str) -> None:
    answer = wall.ping(path)
    assert answer.status_code == 400
    assert "expected" in answer.text
    assert wall.kept() == []


@pytest.mark.parametrize(
    "path",
    [
        "",
        "nosuchkey",
        KEY.upper(),
        KEY[:-1],
        "nightly",
        f"{KEY}/start/now",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e/%2e%2e/checks.yaml",
        f"{KEY}%00",
        "%00",
        "%ff%fe",
        "x" * 5000,
        "nosuchkey/256",
        "nosuchkey?rid=7",
    ],
)
def test_a_wrong_key_is_not_found_and_leaves_nothing(wall: Wall, path: str) -> None:
    answer = wall.ping(path, "POST", content=b"x" * 100)
    assert (answer.status_code, answer.text) == (404, "not found")
    assert not wall.place.data.exists()


def test_other_methods_are_refused(wall: Wall) -> None:
    for method in ("PUT", "DELETE", "PATCH"):
        assert wall.ping(KEY, method).status_code == 405


def test_methods_post_refuses_what_previews_of_links_send(wall: Wall) -> None:
    assert [wall.ping(OTHER, method).status_code for method in ("GET", "HEAD", "POST")] == [405, 405, 200]
    assert len(wall.kept("posted")) == 1


def test_a_page_of_another_site_may_ping_and_no_password_is_asked_for(wall: Wall) -> None:
    headers = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site", "X-Forwarded-For": "192.0.2.7"}
    answer = wall.ping(KEY, "POST", headers=headers, data={"a": "form"})
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert wall.kept()[0].body == "a=form"


def test_a_run_id_is_a_uuid_in_any_spelling(wall: Wall) -> None:
    run = uuid.uuid4()
    wall.ping(f"{KEY}/start?rid={run}")
    wall.ping(f"{KEY}?rid={str(run).upper()}")
    assert [ping.run for ping in wall.kept()] == [str(run)] * 2


def test_a_body_is_kept_harmless_short_and_without_secrets(wall: Wall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BACKUP_PASSWORD", "hunter2hunter2")
    said = f"\x1b[31mred\x00\u202e\nhunter2hunter2 {KEY}\udcff".encode("utf-8", "surrogateescape") + b"x" * 9000
    wall.ping(f"{KEY}/fail", "POST", content=said)
    (ping,) = wall.kept()
    assert ping.body.startswith("[31mred *** ***")
    assert ping.body.isprintable() and len(ping.body) == 2000
    assert b"hunter2" not in (wall.place.data / FOLDER / file_name("nightly")).read_bytes()


def test_the_key_is_in_no_file(wall: Wall) -> None:
    wall.ping(f"{KEY}/fail", "POST", content=f"curl http://wall/ping/{KEY}".encode())
    assert KEY.encode() not in b"".join(path.read_bytes() for path in wall.place.data.rglob("*") if path.is_file())
    assert not [path for path in wall.place.data.rglob("*") if KEY in path.name]


@pytest.mark.parametrize(
    ("body", "signal", "why"),
    [
        (b"all done", Signal.SUCCESS, ""),
        (b"working", Signal.FAIL, "to contain 'done'"),
        (b"done with an error", Signal.FAIL, "body contains 'error', expected not to"),
        (b"", Signal.FAIL, "empty"),
        (b"done \xff", Signal.FAIL, "no text in UTF-8"),
        (b"done" + b" " * web.BODY_BYTES, Signal.FAIL, "longer than 10000 bytes"),
    ],
)
def test_a_success_s_body_must_be_as_expected(wall: Wall, body: bytes, signal: Signal, why: str) -> None:
    assert wall.ping("words-key/0", "POST", content=body).status_code == 200
    (ping,) = wall.kept("words")
    assert ping.signal is signal
    assert why in ping.why and bool(ping.why) is bool(why)
    wall.ping("words-key/start")
    assert wall.kept("words")[-1].signal is Signal.START


def test_more_than_five_pings_a_second_with_one_key_are_refused(wall: Wall) -> None:
    now = [0.0]
    handler = web.Pings(wall.views, lambda: now[0])
    client = TestClient(Starlette(routes=[Route("/ping/{path:path}", handler.receive, methods=web.METHODS)]))
    codes = []
    for second in (0.0, 0.0, 0.5, 0.5, 0.9, 0.95, 1.0, 1.0, 1.2):
        now[0] = second
        codes.append(client.get(f"/ping/{KEY}").status_code)
    assert codes == [200, 200, 200, 200, 200, 429, 200, 200, 429]
    assert client.get(f"/ping/{KEY}").headers["Retry-After"] == "1"
    assert len(wall.kept()) == codes.count(200)
    assert client.get("/ping/words-key/start").status_code == 200, "another key"


def test_an_invalid_edit_leaves_the_last_good_keys_in_force(wall: Wall) -> None:
    assert wall.ping(KEY).status_code == 200
    wall.place.config.write_text("checks: [{name: broken}]")
    assert wall.ping(KEY).status_code == 200
    wall.place.config.write_text(CHECKS.replace(KEY, "a-new-key-for-it"))
    assert [wall.ping(KEY).status_code, wall.ping("a-new-key-for-it").status_code] == [404, 200]


def test_without_any_valid_configuration_it_is_to_be_tried_again(wall: Wall) -> None:
    wall.place.config.write_text("checks: [{name: broken}]")
    answer = wall.ping(KEY)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_ping_that_cannot_be_kept_is_not_answered_with_ok(wall: Wall, caplog: pytest.LogCaptureFixture) -> None:
    wall.place.data.write_text("a file where the folder should be")
    answer = wall.ping(KEY)
    assert answer.status_code == 503
    assert "Greenwall's own trouble" in caplog.text
    assert KEY not in caplog.text


# ---- the checker is hurried only by news


@pytest.mark.parametrize(
    ("status", "path", "hurries"),
    [
        ("FAIL", "", True),
        ("OK", "", False),
        ("OK", "/fail", True),
        ("FAIL", "/1", False),
        ("OK", "/start", False),
        ("UNKNOWN", "/start", True),
        ("UNKNOWN", "", True),
        ("FAIL", "/log", False),
    ],
)
def test_news_has_the_check_judged_now(wall: Wall, status: str, path: str, hurries: bool) -> None:
    wall.shows(Status(status))
    wall.ping(KEY + path)
    assert [(c["verb"], c["target"], c["by"]) for c in wall.commands] == [("run", "nightly", "ping")] * hurries


def test_many_pings_leave_few_commands(wall: Wall) -> None:
    wall.shows(Status.OK)
    now = [0.0]
    handler = web.Pings(wall.views, lambda: now[0])
    client = TestClient(Starlette(routes=[Route("/ping/{path:path}", handler.receive, methods=web.METHODS)]))
    for second in range(30):
        now[0] = float(second)
        assert client.get(f"/ping/{KEY}/fail").status_code == 200
    assert len(wall.commands) == web.HURRIED
    now[0] = web.HURRIED_IN_S + 1
    client.get(f"/ping/{KEY}/fail")
    assert len(wall.commands) == web.HURRIED + 1


def test_nothing_is_left_for_a_checker_that_does_not_run_or_a_check_that_rests(wall: Wall) -> None:
    assert wall.ping(KEY + "/fail").status_code == 200
    wall.shows(Status.OK, frozenset({Flag.PAUSED}))
    assert wall.ping(KEY + "/fail").status_code == 200
    assert wall.commands == []
    assert len(wall.kept()) == 2


# ---- bodies that do not end


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    # In a thread: a browser of another test may have left a loop in this one.
    with ThreadPoolExecutor(1) as one:
        return one.submit(asyncio.run, work).result(30)


def test_a_body_that_never_ends_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        read = 0

        async def stream(self) -> Any:
            while True:
                self.read += 65536
                yield b"x" * 65536

    endless = Endless()
    body, is_cut = in_a_loop(web._body(endless))  # type: ignore[arg-type]
    assert (len(body), is_cut) == (web.BODY_BYTES, True)
    assert endless.read < web.DRAINED_BYTES + 200_000


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent:
        async def stream(self) -> Any:
            await asyncio.sleep(60)
            yield b""

    monkeypatch.setattr(web, "BODY_S", 0.05)
    with pytest.raises(web.Refused) as refused:
        in_a_loop(web._body(Silent()))  # type: ignore[arg-type]
    assert refused.value.status == 408


# ---- over real HTTP, as users start it


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("heartbeats")
    (folder / "checks.yaml").write_text(
        f"""
global: {{every: 1h, retries: 5, retry_backoff_s: 60}}
checks:
  - {{name: nightly, type: heartbeat, key: "${{NIGHTLY_KEY}}", period: 1d}}
  - {{name: other, type: heartbeat, key: {OTHER}, period: 1d}}
"""
    )
    running = start_app(folder, free_port(), NIGHTLY_KEY=KEY, MONITOR_PASSWORD="open sesame")
    yield running
    stop_app(running)


def curl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([program("curl", "curl"), *arguments], capture_output=True, timeout=30)


def status(app: Running, name: str = "nightly") -> str:
    return app.statuses().get(name, "")


def test_the_curl_lines_of_healthchecks_io_work(app: Running) -> None:
    eventually(lambda: status(app) == "UNKNOWN")
    url = f"{app.url}/ping/{KEY}"
    assert curl(*CURL, f"{url}/start").returncode == 0
    eventually(lambda: status(app) == "OK", 5, "the first run has started")
    assert curl(*CURL, url).returncode == 0
    script = f'm=$(echo "disk full"; exit 3); curl -fsS -m 10 --retry 5 --data-raw "$m" {url}/$?'
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, b"OK")
    eventually(lambda: status(app) == "FAIL", 8, "judged now, not in an hour")
    check = app.state()["checks"]["nightly"]
    assert (check["kind"], check["message"].split(",")[0]) == ("status", "the job reported exit status 3")
    assert kept(app.folder / "data")[-1].body == "disk full"
    assert curl("-fsS", "--head", url).returncode == 0
    eventually(lambda: status(app) == "OK", 8, "a HEAD is a ping, too")


def test_a_wrong_key_makes_curl_fail(app: Running) -> None:
    assert curl("-fsS", f"{app.url}/ping/no-such-key").returncode == 22
    assert curl("-fsS", "--path-as-is", f"{app.url}/ping/../ping/{KEY}x").returncode == 22


@pytest.mark.parametrize("path", ["/ping", "/ping/", "/ping/x/y/z", "/ping/..%2fhealthz"])
def test_an_address_without_a_key_is_no_page_that_looks_well(app: Running, path: str) -> None:
    assert app.get(path).status_code in (400, 404)


def test_curl_comes_again_when_it_was_too_fast(app: Running) -> None:
    before = len(kept(app.folder / "data", "other"))
    lines = [f"{app.url}/ping/{OTHER}/log"] * 8
    done = curl("-fsS", "-m", "10", "--retry", "5", *lines)
    assert (done.returncode, done.stdout.count(b"OK")) == (0, 8)
    assert len(kept(app.folder / "data", "other")) == before + 8


def test_a_huge_upload_is_kept_short(app: Running, tmp_path: Path) -> None:
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(9_000_000)
    done = curl("-fsS", "-m", "20", "--retry", "5", "--data-binary", f"@{big}", f"{app.url}/ping/{OTHER}/log")
    assert (done.returncode, done.stdout) == (0, b"OK")
    chunks = requests.post(f"{app.url}/ping/{OTHER}/log", data=(b"x" * 65536 for _ in range(100)), timeout=20)
    assert chunks.status_code in (200, 429)
    assert (app.folder / "data" / FOLDER / file_name("other")).stat().st_size < MAX_FILE_BYTES


def test_a_sender_that_hangs_up_in_its_body_has_not_pinged(app: Running) -> None:
    before = len(kept(app.folder / "data", "other"))
    with socket.create_connection(("127.0.0.1", int(app.url.rpartition(":")[2])), 5) as sender:
        head = f"POST /ping/{OTHER}/fail HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\npart"
        sender.sendall(head.encode())
    assert app.get(f"/ping/{OTHER}/log").status_code in (200, 429)
    assert all(ping.signal is not Signal.FAIL for ping in kept(app.folder / "data", "other")[before:])


def test_a_page_of_another_site_may_ping_the_app_too(app: Running) -> None:
    headers = {"Origin": "http://evil.example", "Content-Type": "text/plain"}
    answer = eventually(
        lambda: (r := requests.post(f"{app.url}/ping/{OTHER}/log", headers=headers, timeout=5)).ok and r, 5
    )
    assert answer.text == "OK"


def test_a_follower_takes_pings_and_the_leader_judges_them(app: Running) -> None:
    second = start_app(app.folder, free_port(), NIGHTLY_KEY=KEY)
    try:
        assert second.state()["checker"]["pid"] == app.process.pid
        eventually(lambda: second.get(f"/ping/{OTHER}/fail").status_code == 200)
        eventually(lambda: status(app, "other") == "FAIL", 8)
    finally:
        stop_app(second)


def test_the_key_stands_in_no_log_and_no_file(app: Running) -> None:
    files = [path for path in app.folder.rglob("*") if path.is_file()]
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
