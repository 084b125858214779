"""A registry's bytes, by HTTP or from a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config import HttpCheck
from monitor.config.kinds.agents import AgentsCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.bounded import Hanging, within
from monitor.probes.curl import Answer, FetchFailed, fetch
from monitor.probes.deadline import Deadline
from monitor.probes.http import kind_of
from monitor.probes.httprequest import request_of
from monitor.probes.setting import Setting
from monitor.probes.verdict import failed, unconfigured, verdict
from monitor.units import format_duration, plain, utc_now

LONGEST_BYTES = 5_000_000


@dataclass(frozen=True, slots=True)
class Source:
    """The registry's bytes, and how they came."""

    body: bytes
    is_cut: bool
    latency_ms: float
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    code: int | None = None
    observed: Mapping[str, Json] = field(default_factory=dict)
    age_s: float = 0.0


def http_check_of(check: AgentsCheck) -> HttpCheck:
    """Return the http check that fetches the registry."""
    keys = ("name", "url", "timeout", "verify", "ca_file", "server_name")
    same = {key: getattr(check, key) for key in keys}
    headers = {"Accept": "application/json", **check.headers}
    return HttpCheck.model_validate({"type": "http", "headers": headers, "max_body_bytes": LONGEST_BYTES, **same})


def ask(check: AgentsCheck, setting: Setting) -> Source | Outcome:
    request = request_of(http_check_of(check), setting)
    if isinstance(request, Outcome):
        return request
    try:
        answer = fetch(request)
    except FetchFailed as error:
        return error.outcome()
    observed: dict[str, Json] = {"address": answer.address} if answer.address else {}
    if not 200 <= answer.code <= 299:
        return _wrong_status(answer, observed)
    return Source(answer.body, answer.cut, answer.latency_ms, answer.phases_ms, answer.code, observed)


def _wrong_status(answer: Answer, observed: Mapping[str, Json]) -> Outcome:
    finding = Finding("status", "200 to 299", str(answer.code))
    return verdict(
        "",
        answer.latency_ms,
        findings=[finding],
        kind=kind_of(finding, answer),
        phases_ms=answer.phases_ms,
        code=answer.code,
        observed=observed,
    )


def read(check: AgentsCheck, setting: Setting) -> Source | Outcome:
    path = setting.folder / (check.file or "")
    deadline = Deadline(check.timeout)
    try:
        body, written_at = within(("agents", str(path)), lambda: _read_file(path), check.timeout)
    except Hanging:
        return failed(Kind.TIMEOUT, f"the file could not be read within {format_duration(check.timeout)}")
    except PermissionError:
        return unconfigured(
            f"no permission to read {plain(str(path), 200)}: give it to the user that Greenwall runs as"
        )
    except OSError as error:
        finding = Finding(f"file {plain(str(check.file), 120)}", "a readable file", error.strerror or "not readable")
        return verdict("", findings=[finding])
    latency_ms = deadline.elapsed_ms
    age_s = max(utc_now().timestamp() - written_at, 0.0)
    observed: dict[str, Json] = {"written_s_ago": round(age_s, 1)}
    return Source(body[:LONGEST_BYTES], len(body) > LONGEST_BYTES, latency_ms, observed=observed, age_s=age_s)


def _read_file(path: Path) -> tuple[bytes, float]:
    # Without O_NONBLOCK the opening of a pipe would wait for somebody to write.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        known = os.fstat(descriptor)
        if not stat.S_ISREG(known.st_mode):
            raise OSError(0, "no regular file")
        return file.read(LONGEST_BYTES + 1), known.st_mtime
