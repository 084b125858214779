"""Probes: one plain function per kind of check, from its model to what it saw.

    check, setting ──▶ PROBES[check.type] ──▶ Outcome        every probe ends by check.timeout

A probe knows nothing of schedules, streaks or alerts, and takes and returns picklable values, so that any
`concurrent.futures` executor can run it. A new kind is one model in `config.kinds`, one function, one row here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

from monitor.config import CheckBase
from monitor.model import Kind, Outcome, Status
from monitor.probes.redaction import redacted
from monitor.probes.setting import Setting
from monitor.units import plain

log = logging.getLogger(__name__)

Probe = Callable[[Any, Setting], Outcome]
# Where the function of each type stands. It is imported with the first check of its type: who watches no database
# pays for no database library.
PROBES: dict[str, str] = {
    "http": "monitor.probes.http:probe_http",
    "job": "monitor.probes.job:probe_job",
    "host": "monitor.probes.host:probe_host",
}

__all__ = ["PROBES", "Setting", "probe_of", "redacted", "run_probe"]


@cache
def _import(place: str) -> Probe:
    module, function = place.split(":")
    probe: Probe = getattr(import_module(module), function)
    return probe


def probe_of(kind: str) -> Probe:
    """Return the function that probes checks of this type; KeyError when there is none."""
    return _import(PROBES[kind])


def run_probe(check: CheckBase, setting: Setting) -> Outcome:
    """Return what the check's probe saw; a fault of ours is UNKNOWN/internal, never the target's FAIL."""
    try:
        return probe_of(check.type)(check, setting)
    except Exception as error:  # the edge: a bug or an exhausted machine must not look like an outage
        log.exception("probe of %s broke", check.name)
        what = plain(f"{type(error).__name__}: {error}")
        return Outcome(Status.UNKNOWN, Kind.INTERNAL, f"Greenwall could not run this check: {what}")
