"""Starts the checker before the first browser comes, and stops it with the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from monitor import garbage
from monitor.checker import Checker
from monitor.config import ConfigError
from monitor.views import Views

READY_S = 10.0


def _log_to_stderr() -> None:
    """Let the checker's own lines be seen: changes of status, commands, troubles."""
    logger = logging.getLogger("monitor")
    if not logger.handlers and not logging.getLogger().handlers:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)


def _say_hello(views: Views, checker: Checker) -> None:
    snapshot = views.now().snapshot
    if snapshot is None:
        return
    verb = "Following another checker on" if checker.role == "follower" else "Watching"
    print(f"Greenwall: {verb} {len(snapshot.checks)} checks of {checker.file.path}", flush=True)
    if snapshot.checker.demo_url:
        print(f"Greenwall: break something at the demo's control panel, {snapshot.checker.demo_url}/", flush=True)


@contextlib.asynccontextmanager
async def running(views: Views) -> AsyncIterator[None]:
    """Run the checker while the server lives. A configuration that is invalid from the start ends the server."""
    _log_to_stderr()
    checker = Checker(views.file, views.place.data)
    try:
        await asyncio.to_thread(checker.start)
    except ConfigError as error:
        # Serving a wall without a checker would show nothing, forever.
        raise SystemExit(f"Greenwall cannot start:\n{error}") from error
    await asyncio.to_thread(checker.ready.wait, READY_S)
    _say_hello(views, checker)
    # What is loaded by now lives as long as the process: the collector need not look at it after every script run.
    garbage.settle()
    try:
        yield
    finally:
        await asyncio.to_thread(checker.stop)
        garbage.release()
