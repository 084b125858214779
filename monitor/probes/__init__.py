"""Probes: one plain function per kind of check, from its model to what it saw.

    check, setting ──▶ PROBES[check.type] ──▶ Outcome        every probe ends by check.timeout

A probe knows nothing of schedules, streaks or alerts, and takes and returns picklable values, so that any
`concurrent.futures` executor can run it. A new kind is one model in `config`, one function, one row here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from monitor.config import CheckBase
from monitor.model import Kind, Outcome, Status
from monitor.probes.host import probe_host
from monitor.probes.http import probe_http
from monitor.probes.job import probe_job
from monitor.probes.redaction import redacted
from monitor.probes.setting import Setting
from monitor.units import plain

log = logging.getLogger(__name__)

# Each function takes its own model; the table is keyed by the model's `type`, which mypy cannot follow.
PROBES: dict[str, Callable[[Any, Setting], Outcome]] = {
    "http": probe_http,
    "job": probe_job,
    "host": probe_host,
}

__all__ = ["PROBES", "Setting", "redacted", "run_probe"]


def run_probe(check: CheckBase, setting: Setting) -> Outcome:
    """Return what the check's probe saw; a fault of ours is UNKNOWN/internal, never the target's FAIL."""
    try:
        return PROBES[str(check.type)](check, setting)  # type: ignore[attr-defined]
    except Exception as error:  # the edge: a bug or an exhausted machine must not look like an outage
        log.exception("probe of %s broke", check.name)
        what = plain(f"{type(error).__name__}: {error}")
        return Outcome(Status.UNKNOWN, Kind.INTERNAL, f"Greenwall could not run this check: {what}")
