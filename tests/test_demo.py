"""The demo service: what each endpoint says, what each fault breaks, what it refuses, and how it is run."""

import json
import logging
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests
from starlette.testclient import TestClient

from monitor.demo import DemoServer, create_demo
from monitor.demo.server import PortTakenError, listen, serve_forever, url_of
from monitor.demo.service import BODY_MAX_BYTES, is_foreign, read_changes
from monitor.demo.stack import DRAIN_S, FAULT_NAMES, JOBS_KEPT, Backlog, write_job_id
from tests.conftest import free_port

JOB_S = 20.0
REPOSITORY = Path(__file__).parent.parent


@dataclass
class Clock:
    """The `now` that a test moves by hand."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def job_id_file(tmp_path: Path) -> Path:
    return tmp_path / "data" / ".last_job_id"


@pytest.fixture
def demo(job_id_file: Path, clock: Clock) -> Iterator[TestClient]:
    with TestClient(create_demo(job_id_file, clock, JOB_S)) as client:
        yield client


@pytest.fixture
def server(job_id_file: Path) -> Iterator[DemoServer]:
    running = DemoServer(job_id_file, port=0)
    running.start()
    yield running
    running.stop()


def switch(demo: TestClient, **faults: bool) -> None:
    assert demo.post("/admin/faults", json=faults).status_code == 200


def wait_for_answer(url: str) -> object:
    deadline = time.monotonic() + 20
    while True:
        try:
            return requests.get(url, timeout=5).json()
        except requests.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def run_job(demo: TestClient) -> str:
    return str(demo.post("/jobs/run").json()["job_id"])


def status_of(demo: TestClient, job_id: str) -> str:
    return str(demo.get(f"/jobs/{job_id}/status").json()["status"])


def test_the_api_answers_ok(demo: TestClient) -> None:
    answer = demo.get("/api/ping")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_a_calm_database_always_passes_the_sample_check(demo: TestClient, clock: Clock) -> None:
    for _ in range(200):
        clock.at += 1.7
        health = demo.get("/db/health").json()
        assert health.keys() == {"ok", "latency_ms"}
        assert health["ok"] is True
        assert 12 <= health["latency_ms"] <= 25


def test_a_calm_queue_always_passes_the_sample_check(demo: TestClient, clock: Clock) -> None:
    for _ in range(200):
        clock.at += 1.7
        health = demo.get("/queue/health").json()
        assert health.keys() == {"depth", "oldest_age_s"}
        assert 0 <= health["depth"] < 50
        assert 0 <= health["oldest_age_s"] < 300


def test_the_figures_move_a_little(demo: TestClient, clock: Clock) -> None:
    seen = set()
    for _ in range(10):
        clock.at += 1
        seen.add(demo.get("/db/health").json()["latency_ms"])
    assert len(seen) > 2


def test_the_state_shows_faults_parts_and_jobs(demo: TestClient) -> None:
    state = demo.get("/admin/state").json()
    assert state["faults"] == dict.fromkeys(FAULT_NAMES, False)
    assert state["api"] == {"status": "ok"}
    assert state["db"]["ok"] is True
    assert state["queue"] == demo.get("/queue/health").json()
    assert [job["status"] for job in state["jobs"]] == ["succeeded"]


def test_health_may_not_be_cached(demo: TestClient) -> None:
    for path in ("/", "/api/ping", "/db/health", "/queue/health", "/admin/state"):
        assert demo.get(path).headers["cache-control"] == "no-store"


def test_one_succeeded_job_exists_from_the_start(demo: TestClient, job_id_file: Path) -> None:
    assert status_of(demo, job_id_file.read_text()) == "succeeded"


def test_an_id_left_over_from_another_run_is_replaced_at_start_up(job_id_file: Path, clock: Clock) -> None:
    write_job_id(job_id_file, "job-of-last-week")
    with TestClient(create_demo(job_id_file, clock, JOB_S)) as demo:
        assert status_of(demo, job_id_file.read_text()) == "succeeded"


def test_a_job_runs_for_its_time_and_succeeds(demo: TestClient, clock: Clock) -> None:
    answer = demo.post("/jobs/run")
    job_id = answer.json()["job_id"]
    assert (answer.status_code, answer.json()) == (202, {"job_id": job_id, "status": "running"})
    clock.at += JOB_S - 0.1
    assert status_of(demo, job_id) == "running"
    clock.at += 0.1
    assert status_of(demo, job_id) == "succeeded"


def test_a_job_tells_when_it_started_and_finished(demo: TestClient, clock: Clock) -> None:
    path = f"/jobs/{run_job(demo)}/status"
    running = demo.get(path).json()
    assert running.keys() == {"job_id", "status", "started_at", "finished_at"}
    assert running["finished_at"] is None
    assert running["started_at"].endswith("Z")
    clock.at += 100
    finished = demo.get(path).json()
    started_at, finished_at = (datetime.fromisoformat(finished[key]) for key in ("started_at", "finished_at"))
    assert finished["started_at"] == running["started_at"]
    assert (finished_at - started_at).total_seconds() == JOB_S
    assert abs((datetime.now(UTC) - started_at).total_seconds()) < 60


def test_the_file_follows_the_newest_job(demo: TestClient, job_id_file: Path) -> None:
    first = run_job(demo)
    assert job_id_file.read_text() == first
    second = run_job(demo)
    assert job_id_file.read_text() == second != first


def test_writing_the_id_leaves_no_other_file_behind(demo: TestClient, job_id_file: Path) -> None:
    run_job(demo)
    assert list(job_id_file.parent.iterdir()) == [job_id_file]


def test_a_job_whose_id_cannot_be_written_is_not_started(demo: TestClient, job_id_file: Path) -> None:
    job_id_file.unlink()
    job_id_file.mkdir()
    answer = demo.post("/jobs/run")
    assert answer.status_code == 500
    assert answer.json()["errors"][0]["what"] == "no job was started"
    assert len(demo.get("/admin/state").json()["jobs"]) == 1


def test_an_unknown_job_is_404_and_says_what_to_do(demo: TestClient) -> None:
    answer = demo.get("/jobs/job-of-last-week/status")
    assert answer.status_code == 404
    assert answer.json()["errors"] == [
        {
            "what": "unknown job",
            "expected": "the id of a job run here",
            "got": '"job-of-last-week"',
            "do": "POST /jobs/run starts a job",
        }
    ]


def test_only_the_newest_jobs_are_kept(demo: TestClient, job_id_file: Path) -> None:
    oldest = job_id_file.read_text()
    ids = [run_job(demo) for _ in range(JOBS_KEPT)]
    assert demo.get(f"/jobs/{oldest}/status").status_code == 404
    assert status_of(demo, ids[0]) == "running"


def test_api_down_makes_ping_503(demo: TestClient) -> None:
    switch(demo, api_down=True)
    answer = demo.get("/api/ping")
    assert (answer.status_code, answer.json()) == (503, {"status": "down"})


def test_api_down_leaves_the_panel_and_the_switches_working(demo: TestClient) -> None:
    switch(demo, api_down=True)
    assert demo.get("/").status_code == 200
    switch(demo, api_down=False)
    assert demo.get("/api/ping").status_code == 200


def test_db_slow_makes_the_database_not_ok_and_slow(demo: TestClient) -> None:
    switch(demo, db_slow=True)
    answer = demo.get("/db/health")
    assert answer.status_code == 200
    assert answer.json()["ok"] is False
    assert 800 <= answer.json()["latency_ms"] <= 900


def test_a_stuck_queue_is_too_deep_and_too_old_at_once_and_grows(demo: TestClient, clock: Clock) -> None:
    switch(demo, queue_stuck=True)
    soon = demo.get("/queue/health").json()
    clock.at += 60
    later = demo.get("/queue/health").json()
    assert soon["depth"] > 50
    assert soon["oldest_age_s"] > 300
    assert later["depth"] > soon["depth"] + 50
    assert later["oldest_age_s"] > soon["oldest_age_s"] + 50


def test_a_freed_queue_drains(demo: TestClient, clock: Clock) -> None:
    switch(demo, queue_stuck=True)
    clock.at += 600
    stuck = demo.get("/queue/health").json()["depth"]
    switch(demo, queue_stuck=False)
    clock.at += DRAIN_S / 2
    half = demo.get("/queue/health").json()["depth"]
    clock.at += DRAIN_S / 2
    calm = demo.get("/queue/health").json()["depth"]
    assert stuck > half > 50 > calm


def test_another_switch_does_not_stretch_the_drain(demo: TestClient, clock: Clock) -> None:
    switch(demo, queue_stuck=True)
    switch(demo, queue_stuck=False)
    clock.at += DRAIN_S / 2
    switch(demo, db_slow=True, queue_stuck=False)
    clock.at += DRAIN_S / 2
    assert demo.get("/queue/health").json()["depth"] < 10


def test_sticking_a_queue_again_keeps_what_still_waits() -> None:
    once = Backlog().turned(True, now=0).turned(False, now=1000)
    again = once.turned(True, now=1000 + DRAIN_S / 2)
    assert again.depth == pytest.approx(once.depth / 2)


def test_a_job_started_under_job_fail_fails(demo: TestClient, clock: Clock) -> None:
    switch(demo, job_fail=True)
    job_id = run_job(demo)
    assert status_of(demo, job_id) == "running"
    clock.at += JOB_S
    assert status_of(demo, job_id) == "failed"


def test_a_running_job_that_meets_job_fail_fails_even_after_a_reset(demo: TestClient, clock: Clock) -> None:
    job_id = run_job(demo)
    switch(demo, job_fail=True)
    demo.post("/admin/reset")
    clock.at += JOB_S
    assert status_of(demo, job_id) == "failed"


def test_job_fail_leaves_finished_jobs_alone(demo: TestClient, clock: Clock) -> None:
    job_id = run_job(demo)
    clock.at += JOB_S
    switch(demo, job_fail=True)
    assert status_of(demo, job_id) == "succeeded"


@pytest.mark.parametrize("name", FAULT_NAMES)
def test_a_fault_is_switched_alone_and_the_answer_shows_it(demo: TestClient, name: str) -> None:
    answer = demo.post("/admin/faults", json={name: True})
    assert answer.json()["faults"] == dict.fromkeys(FAULT_NAMES, False) | {name: True}


def test_faults_not_named_stay_as_they_are(demo: TestClient) -> None:
    switch(demo, api_down=True)
    switch(demo, db_slow=True)
    switch(demo)
    faults = demo.get("/admin/state").json()["faults"]
    assert [name for name, on in faults.items() if on] == ["api_down", "db_slow"]


def test_reset_clears_every_fault_and_calms_the_queue_at_once(demo: TestClient, clock: Clock) -> None:
    switch(demo, **dict.fromkeys(FAULT_NAMES, True))
    clock.at += 3600
    assert demo.post("/admin/reset").status_code == 200
    state = demo.get("/admin/state").json()
    assert not any(state["faults"].values())
    assert state["api"]["status"] == "ok"
    assert state["db"]["ok"] is True
    assert state["queue"]["depth"] < 50
    assert state["queue"]["oldest_age_s"] < 300


OBJECT = 'an object like {"db_slow": true}'
NAMES = "one of api_down, db_slow, queue_stuck, job_fail"
BAD_BODIES = [
    ({"api_dwn": True}, ("unknown fault", NAMES, '"api_dwn"', "did you mean api_down?")),
    ({"zzz": True}, ("unknown fault", NAMES, '"zzz"', None)),
    ({"db_slow": 1}, ("db_slow is not a boolean", "true or false", "1", None)),
    ({"db_slow": "on"}, ("db_slow is not a boolean", "true or false", '"on"', None)),
    ({"db_slow": None}, ("db_slow is not a boolean", "true or false", "null", None)),
    ([True], ("the body is not an object", OBJECT, "[true]", None)),
    ("\ud800", ("the body is not an object", OBJECT, '"\\ud800"', None)),
]


@pytest.mark.parametrize(("body", "problem"), BAD_BODIES)
def test_a_bad_body_is_422_with_what_expected_and_got(
    demo: TestClient, body: object, problem: tuple[str, str, str, str | None]
) -> None:
    answer = demo.post("/admin/faults", content=json.dumps(body))
    words = zip(("what", "expected", "got", "do"), problem, strict=True)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{word: text for word, text in words if text}]


@pytest.mark.parametrize("body", [b"", b"api_down=on", b"\xff", b"[" * 4000])
def test_a_body_that_is_not_json_is_422(demo: TestClient, body: bytes) -> None:
    answer = demo.post("/admin/faults", content=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["what"] == "the body is not JSON"


def test_all_problems_are_told_at_once_and_then_nothing_is_switched(demo: TestClient) -> None:
    answer = demo.post("/admin/faults", json={"api_down": True, "db_slow": "yes", "nope": False})
    assert [problem["got"] for problem in answer.json()["errors"]] == ['"yes"', '"nope"']
    assert demo.get("/api/ping").status_code == 200


def test_what_was_got_is_shown_short() -> None:
    _, problems = read_changes(json.dumps({"x" * 3000: True}).encode())
    assert len(problems[0].got) <= 80


def test_a_huge_body_is_refused(demo: TestClient) -> None:
    assert demo.post("/admin/faults", content=b" " * (BODY_MAX_BYTES + 1)).status_code == 413


GUARDED = [
    ("POST", "/admin/faults"),
    ("POST", "/admin/reset"),
    ("GET", "/admin/state"),
    ("POST", "/jobs/run"),
]


@pytest.mark.parametrize(("method", "path"), GUARDED)
@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://testserver:81", "http://[::1"])
def test_a_page_of_another_site_is_refused(demo: TestClient, method: str, path: str, origin: str) -> None:
    answer = demo.request(method, path, headers={"Origin": origin})
    assert answer.status_code == 403
    assert answer.json()["errors"][0]["got"] == origin


def test_what_was_refused_did_not_happen(demo: TestClient, job_id_file: Path) -> None:
    before = job_id_file.read_text()
    foreign = {"Origin": "https://evil.example"}
    demo.post("/jobs/run", headers=foreign)
    demo.post("/admin/faults", json={"api_down": True}, headers=foreign)
    assert job_id_file.read_text() == before
    assert demo.get("/api/ping").status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "foreign"),
    [
        (None, "localhost:8000", False),
        ("http://localhost:8000", "localhost:8000", False),
        ("https://Demo.Example", "demo.example", False),
        ("http://localhost:8501", "localhost:8000", True),
        ("http://127.0.0.1:8000", "localhost:8000", True),
        ("http://localhost:8000", None, True),
        ("", "localhost:8000", True),
    ],
)
def test_only_an_origin_of_the_same_host_is_ours(origin: str | None, host: str | None, foreign: bool) -> None:
    assert is_foreign(origin, host) is foreign


@pytest.mark.parametrize("path", ["/jobs/run", "/admin/faults", "/admin/reset"])
def test_nothing_changes_by_get(demo: TestClient, path: str) -> None:
    assert demo.get(path).status_code == 405


def test_the_panel_has_a_switch_for_each_fault_and_loads_nothing_else(demo: TestClient) -> None:
    answer = demo.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for name in FAULT_NAMES:
        assert name in answer.text
    for title in ("API down", "DB slow", "Queue stuck", "Job fail", "Run job", "Reset"):
        assert title in answer.text
    assert "http://" not in answer.text
    assert "https://" not in answer.text
    assert "innerHTML" not in answer.text


def test_the_server_serves_once_start_returns(server: DemoServer, job_id_file: Path) -> None:
    answer = requests.get(f"{server.base_url}/jobs/{job_id_file.read_text()}/status", timeout=5)
    assert answer.json()["status"] == "succeeded"


def test_the_panels_own_origin_may_switch_over_a_real_socket(server: DemoServer) -> None:
    url, headers = f"{server.base_url}/admin/faults", {"Origin": server.base_url}
    assert requests.post(url, json={"api_down": True}, headers=headers, timeout=5).status_code == 200
    assert requests.get(f"{server.base_url}/api/ping", timeout=5).status_code == 503


def test_a_taken_port_is_replaced_and_logged(job_id_file: Path, caplog: pytest.LogCaptureFixture) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        server = DemoServer(job_id_file, port=port)
        server.start()
        try:
            assert not server.base_url.endswith(f":{port}")
            assert requests.get(f"{server.base_url}/api/ping", timeout=5).status_code == 200
            assert f"port {port} is taken, using {server.base_url}" in caplog.text
        finally:
            server.stop()


def test_the_wanted_port_is_used_when_it_is_free(job_id_file: Path) -> None:
    port = free_port()
    server = DemoServer(job_id_file, port=port)
    server.start()
    try:
        assert server.base_url == f"http://127.0.0.1:{port}"
    finally:
        server.stop()


def test_stop_ends_within_a_second_frees_the_port_and_can_be_said_twice(job_id_file: Path) -> None:
    server = DemoServer(job_id_file, port=0)
    server.start()
    port = int(server.base_url.rpartition(":")[2])
    with requests.Session() as kept_alive:
        kept_alive.get(f"{server.base_url}/api/ping", timeout=5)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 4.0
    server.stop()
    listen("127.0.0.1", port).close()
    assert "demo-service" not in {thread.name for thread in threading.enumerate()}


def test_stop_does_not_wait_for_a_client_that_never_ends_its_request(job_id_file: Path) -> None:
    server = DemoServer(job_id_file, port=0)
    server.start()
    port = int(server.base_url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as stuck:
        stuck.sendall(b"POST /admin/faults HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n{")
        requests.get(f"{server.base_url}/api/ping", timeout=5)
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 4.0
        listen("127.0.0.1", port).close()


def test_a_stopped_server_starts_again(job_id_file: Path) -> None:
    server = DemoServer(job_id_file, port=0)
    for _ in range(2):
        server.start()
        server.start()
        assert requests.get(f"{server.base_url}/api/ping", timeout=5).status_code == 200
        server.stop()


def test_a_server_that_does_not_run_has_no_address(job_id_file: Path) -> None:
    with pytest.raises(RuntimeError, match=r"not running; call start\(\) first"):
        _ = DemoServer(job_id_file).base_url


def test_an_unwritable_job_id_file_fails_the_start(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    server = DemoServer(tmp_path, port=0)
    with pytest.raises(RuntimeError, match=r"did not start: expected .* the log has the cause"):
        server.start()
    assert "IsADirectoryError" in caplog.text
    with pytest.raises(RuntimeError):
        _ = server.base_url


def test_the_server_is_quiet_and_leaves_the_host_programs_logging_alone(
    job_id_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    access = logging.getLogger("uvicorn.access")
    before = (access.level, access.propagate, list(access.handlers), list(access.filters))
    with caplog.at_level(logging.INFO):
        server = DemoServer(job_id_file, port=0)
        server.start()
        requests.get(f"{server.base_url}/api/ping", timeout=5)
        access.info("said by the host program")
        server.stop()
    said = [record.message for record in caplog.records if record.name.startswith("uvicorn")]
    assert said == ["said by the host program"]
    assert (access.level, access.propagate, list(access.handlers), list(access.filters)) == before


def test_a_taken_port_in_the_foreground_is_an_error_that_says_what_to_do(job_id_file: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError) as caught:
            serve_forever("127.0.0.1", port, job_id_file)
    assert str(caught.value) == (
        f"the demo service cannot listen at 127.0.0.1 port {port}: expected a free port, got one in use; "
        "end the program that uses it, or choose another port"
    )


def test_in_the_foreground_it_serves_until_ctrl_c(job_id_file: Path) -> None:
    port = free_port()
    script = (
        "import sys, pathlib; from monitor.demo.server import serve_forever; "
        f"serve_forever('127.0.0.1', {port}, pathlib.Path(sys.argv[1])); print('ended')"
    )
    command = [sys.executable, "-c", script, str(job_id_file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        try:
            assert wait_for_answer(f"http://127.0.0.1:{port}/api/ping") == {"status": "ok"}
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=10)[0] == "ended\n"
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_host_that_is_not_ours_is_an_error_and_not_a_taken_port(job_id_file: Path) -> None:
    with pytest.raises(OSError, match=r"at 192\.0\.2\.1 port 8000: got .*choose an address") as caught:
        DemoServer(job_id_file, host="192.0.2.1").start()
    assert not isinstance(caught.value, PortTakenError)


def test_bound_to_all_addresses_it_is_reached_by_loopback() -> None:
    with listen("0.0.0.0", 0) as sock:
        assert url_of(sock) == f"http://127.0.0.1:{sock.getsockname()[1]}"
