"""Starts the checker before the first browser comes, and stops it with the server."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator

from monitor.checker import Checker
from monitor.config import ConfigError, Place

log = logging.getLogger(__name__)


@contextlib.asynccontextmanager
async def running(place: Place) -> AsyncIterator[None]:
    """Run the checker while the server lives. A configuration that is invalid from the start ends the server."""
    checker = Checker(place.config, place.data)
    try:
        await asyncio.to_thread(checker.start)
    except ConfigError as error:
        # Serving a wall without a checker would show nothing, forever.
        raise SystemExit(f"Greenwall cannot start:\n{error}") from error
    # What is loaded by now lives as long as the process: the collector need not look at it after every script run.
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        await asyncio.to_thread(checker.stop)
