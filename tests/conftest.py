"""What several test files share: a browser that may not be skipped where one is required, and a running Greenwall."""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from monitor.alerts import Joining, lanes
from tests.resolvers import Resolver

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Another one than `random`: that one is seeded by property tests, and two processes would get the same ports.
FROM_ALL = random.SystemRandom()
_GIVEN: set[int] = set()
# How late something may end that has a deadline, on a machine that is busy: without the deadline it would never end.
GRACE_S = 5.0
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    """Return a port that nobody listens on, and that the kernel gives to no connection until somebody does.

    Another one each time, and in each process that tests run in: between now and then nobody else is given it.
    """
    worker, workers = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
    ports = range(10_000 + int(worker.removeprefix("gw")), 32_000, int(workers))
    while True:
        port = FROM_ALL.choice(ports)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


def eventually(is_so: Callable[[], Any], longest_s: float = 30.0, what: str = "") -> Any:
    """Return the first true value of `is_so`; fail when there is none in time."""
    give_up_at = time.monotonic() + longest_s
    while True:
        value = is_so()
        if value:
            return value
        if time.monotonic() > give_up_at:
            pytest.fail(f"not so within {longest_s:.0f} s: {what or is_so}")
        time.sleep(0.05)


@pytest.fixture
def joined_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """What follows a message waits a moment, in place of ten seconds, to be joined with more."""
    monkeypatch.setattr(lanes, "Joining", lambda: Joining(0.1, 0.1))


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Resolver]:
    """Stands in for the system's look-up of names."""
    one = Resolver()
    monkeypatch.setattr(socket, "getaddrinfo", one)
    yield one
    one.release.set()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody else gets and on which nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_folder(ca: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A configuration's folder that holds the CA's certificate, `ca.pem`."""
    path = tmp_path_factory.mktemp("configuration")
    ca.cert_pem.write_to_path(str(path / "ca.pem"))
    return path


def program(name: str, package: str) -> str:
    """Return the program's path; without it the test is skipped, and fails where servers are required (CI)."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if found:
        return found
    reason = f"{name} is not installed (Debian package {package})"
    if os.environ.get("GREENWALL_REQUIRE_SERVERS"):
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass
class Running:
    """A Greenwall started as its users start it, in a folder of its own."""

    process: subprocess.Popen[bytes]
    url: str
    folder: Path
    log: Path

    def get(self, path: str, **more: Any) -> requests.Response:
        return requests.get(self.url + path, timeout=10, **more)

    def post(self, path: str, body: Any, **more: Any) -> requests.Response:
        return requests.post(self.url + path, json=body, timeout=30, **more)

    def state(self) -> dict[str, Any]:
        answer = self.get("/api/v1/state")
        return answer.json() if answer.ok else {"checks": {}, "checker": {}}

    def statuses(self) -> dict[str, str]:
        return {name: check["status"] for name, check in self.state()["checks"].items()}

    @property
    def demo(self) -> str:
        return str(self.state()["checker"]["demo_url"])


def environment(folder: Path, **more: str) -> dict[str, str]:
    """Return this process's environment without credentials, pointed at the folder."""
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("OPENAI_", "SMTP_", "SLACK_", "MONITOR_", "MAIL_"))
    }
    return kept | {"GREENWALL_CONFIG": str(folder / "checks.yaml"), "GREENWALL_DATA": str(folder / "data")} | more


def start_app(folder: Path, port: int, **more: str) -> Running:
    """Start `streamlit run app.py` and wait until it answers."""
    log = folder / "app.log"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with log.open("ab") as out:
        process = subprocess.Popen(command, cwd=ROOT, env=environment(folder, **more), stdout=out, stderr=out)
    app = Running(process, f"http://127.0.0.1:{port}", folder, log)

    def answers() -> bool:
        if process.poll() is not None:
            pytest.fail(f"the app ended with {process.returncode}:\n{log.read_text()}")
        try:
            return app.get("/healthz").status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    eventually(answers, 60.0, "the app answers /healthz")
    return app


def stop_app(app: Running) -> None:
    if app.process.poll() is None:
        app.process.terminate()
        app.process.wait(15)


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The shipped configuration, with the demo on a port of its own and no thresholds that a busy machine breaks."""
    folder = tmp_path_factory.mktemp("shipped")
    text = (ROOT / "checks.yaml").read_text("utf-8").replace("demo: true", f"demo: true\ndemo_port: {free_port()}")
    text = text.replace("every: 10s", "every: 2s").replace("warn_percent: 98", "warn_percent: 100")
    (folder / "checks.yaml").write_text(text, "utf-8")
    app = start_app(folder, free_port())
    yield app
    stop_app(app)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright."""
    path = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if path is None and os.environ.get("GREENWALL_REQUIRE_BROWSER"):
        pytest.fail("no Chromium on this machine, and GREENWALL_REQUIRE_BROWSER says that there must be one")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        try:
            browser = driver.chromium.launch(executable_path=path, args=BROWSER_FLAGS)
        except playwright.Error as error:
            if os.environ.get("GREENWALL_REQUIRE_BROWSER"):
                raise
            pytest.skip(f"no browser to drive: {str(error).splitlines()[0]}")
        yield browser
        browser.close()


def fill_disk_under(folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let files in folders of this name be written no more, but for their beginning."""
    write = Path.write_bytes

    def full(path: Path, content: bytes) -> int:
        if path.parent.name == folder:
            write(path, content[:10])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", full)
