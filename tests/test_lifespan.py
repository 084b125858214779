"""The checker lives as long as the server, and the server is no heavier than what its viewers look at."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monitor.config import Place
from monitor.history.results import ResultLog
from monitor.views import Views
from monitor.web import running
from tests.conftest import ROOT, environment
from tests.make import result

BOARD = """
import sys
import app
from monitor.ui.shared import views
assert views().config() and views().uptime(36500) == 1.0, views().uptime(36500)
print([name for name in ("pandas", "altair", "pyarrow", "openai") if name in sys.modules])
"""


def run(coroutine: Coroutine[None, None, None]) -> None:
    """Run it in a thread of its own: a browser of other tests may have a loop open in this one."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, coroutine).result()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "checks.yaml").write_text("checks: [{name: shop, type: tcp, host: 127.0.0.1, port: 1, enabled: false}]")
    return Place.of(tmp_path / "checks.yaml", tmp_path / "data")


def test_a_server_that_ends_leaves_its_process_as_it_was(place: Place) -> None:
    settled = []

    async def serve() -> None:
        async with running(Views(place)):
            settled.append(gc.get_freeze_count())

    run(serve())
    assert settled[0] > 0
    assert gc.get_freeze_count() == 0
    assert place.state.exists()


def test_the_board_needs_no_libraries_of_tables_and_charts(place: Place) -> None:
    log = ResultLog(place.results)
    log.add(result(name="shop", covers_s=30.0))
    log.flush()
    log.close()

    async def serve() -> None:
        async with running(Views(place)):
            pass

    run(serve())
    done = subprocess.run(
        [sys.executable, "-c", BOARD], cwd=ROOT, env=environment(place.config.parent), capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr
