"""The `job` kind: follow the latest run of a batch job, and hold it to its deadlines.

The id of the latest run stands in a file that the job writes; it is read anew each time. Deadlines:

    success_by "23:30"         a run must have succeeded in the 24 h before the latest 23:30 that has passed, or since
    minutes_after_start 30     a run may not be unfinished 30 minutes after it started
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from monitor.config import JobCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.curl import Answer, FetchFailed, Request, fetch
from monitor.probes.http import kind_of
from monitor.probes.jsonrules import parse_json
from monitor.probes.setting import Setting
from monitor.probes.verdict import describe
from monitor.units import format_duration, from_rfc3339, plain, utc_now

_STATES = ("running", "succeeded", "failed")


@dataclass(frozen=True, slots=True)
class Run:
    """The latest run of a job, as its status URL tells it."""

    id: str
    state: str
    started_at: datetime | None
    finished_at: datetime | None


def probe_job(check: JobCheck, setting: Setting) -> Outcome:
    """Return whether the latest run is well and in time."""
    now = utc_now()
    id_file = setting.folder / check.job_id_file
    job_id, id_at = _latest_id(id_file)
    if not job_id:
        return _never_ran(check, id_file, now, setting)
    url = check.status_url.replace("{job_id}", quote(job_id, safe=""))
    try:
        answer = fetch(Request(url, check.timeout))
    except FetchFailed as failed:
        return failed.outcome()
    run = _read_run(job_id, answer, id_at)
    if isinstance(run, Finding):
        return _outcome(answer, Status.FAIL, kind_of(run, answer), str(run), run)
    return _judge(check, run, answer, now, setting)


def _latest_id(path: Path) -> tuple[str, datetime | None]:
    # No file is no run yet. One that cannot be read is trouble of ours, and no reason to call a deadline missed.
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(200).strip(), datetime.fromtimestamp(os.fstat(file.fileno()).st_mtime, tz=UTC)
    except (FileNotFoundError, NotADirectoryError):
        return "", None


def _never_ran(check: JobCheck, id_file: Path, now: datetime, setting: Setting) -> Outcome:
    if check.success_by:
        deadline = last_deadline(check.success_by, setting.timezone, now)
        missing = f"no run was ever seen; {id_file.name} holds no id, expected success by {deadline:%H:%M %Z}"
        return Outcome(Status.FAIL, Kind.DEADLINE, missing)
    message = f"no run yet: {id_file.name} holds no id; it is written when the job starts"
    return Outcome(Status.UNKNOWN, Kind.UNCONFIGURED, message)


def _read_run(job_id: str, answer: Answer, id_at: datetime | None) -> Run | Finding:
    if not 200 <= answer.code <= 299:
        return Finding("status", "200 to 299", str(answer.code))
    if answer.cut:
        return Finding("body", "a short JSON answer", f"longer than {len(answer.body)} bytes")
    document, finding = parse_json(answer.body)
    if finding:
        return finding
    if not isinstance(document, Mapping) or document.get("status") not in _STATES:
        got = document.get("status", "missing") if isinstance(document, Mapping) else "no object"
        return Finding("$.status", " or ".join(_STATES), plain(str(got), 60))
    started_at = _time(document.get("started_at")) or id_at
    return Run(job_id, document["status"], started_at, _time(document.get("finished_at")))


def _time(value: Any) -> datetime | None:
    try:
        return from_rfc3339(value)
    except (TypeError, ValueError):
        return None


def _judge(check: JobCheck, run: Run, answer: Answer, now: datetime, setting: Setting) -> Outcome:
    late = _missed_success_by(check, run, now, setting) or _runs_too_long(check, run, now)
    if late:
        return _outcome(answer, Status.FAIL, Kind.DEADLINE, late.got, late, run)
    if run.state == "failed":
        finding = Finding(f"run {plain(run.id, 60)}", "succeeded", "failed")
        return _outcome(answer, Status.FAIL, Kind.CONTENT, str(finding), finding, run)
    took = _took_too_long(check, run)
    if took:
        return _outcome(answer, Status.WARN, Kind.DEADLINE, str(took), took, run)
    return _outcome(answer, Status.OK, None, f"{run.state} ({plain(run.id, 60)})", None, run)


def last_deadline(success_by: str, timezone: str, now: datetime) -> datetime:
    """Return the latest time of day `success_by` that has passed, in the zone, by its wall clock.

    Where the clock is put back and shows the time twice, the first one counts.
    """
    zone = ZoneInfo(timezone)
    deadline = datetime.combine(now.astimezone(zone).date(), time.fromisoformat(success_by), tzinfo=zone)
    # Within one zone Python compares the faces of the clocks: in the hour that comes twice that goes back in time.
    return deadline if deadline.astimezone(UTC) <= now.astimezone(UTC) else deadline - timedelta(days=1)


def _missed_success_by(check: JobCheck, run: Run, now: datetime, setting: Setting) -> Finding | None:
    if not check.success_by:
        return None
    deadline = last_deadline(check.success_by, setting.timezone, now)
    # Without a finishing time the start stands for it: a job that is never started again must not stay green.
    succeeded_at = (run.finished_at or run.started_at) if run.state == "succeeded" else None
    if succeeded_at and succeeded_at > deadline - timedelta(days=1):
        return None
    if run.started_at and run.started_at > deadline and run.state != "succeeded":
        # The run for the next deadline; whether the last one was met, this URL no longer tells.
        return None
    late = format_duration((now - deadline).total_seconds())
    state = f"{run.state} at {run.finished_at:%Y-%m-%d %H:%M %Z}" if run.finished_at else run.state
    expected = f"success by {deadline:%H:%M %Z}"
    return Finding("deadline", expected, f"missed its deadline {deadline:%H:%M %Z} by {late}; last run {state}")


def _runs_too_long(check: JobCheck, run: Run, now: datetime) -> Finding | None:
    if not check.minutes_after_start or run.state != "running" or not run.started_at:
        return None
    ran_s, limit_s = (now - run.started_at).total_seconds(), check.minutes_after_start * 60
    if ran_s <= limit_s:
        return None
    limit = format_duration(limit_s)
    return Finding("run", f"success within {limit}", f"still running after {format_duration(ran_s)}, limit {limit}")


def _took_too_long(check: JobCheck, run: Run) -> Finding | None:
    if not (check.minutes_after_start and run.started_at and run.finished_at):
        return None
    took_s, limit_s = (run.finished_at - run.started_at).total_seconds(), check.minutes_after_start * 60
    if took_s <= limit_s:
        return None
    return Finding("run time", f"at most {format_duration(limit_s)}", format_duration(took_s))


def _outcome(
    answer: Answer, status: Status, kind: Kind | None, message: str, finding: Finding | None, run: Run | None = None
) -> Outcome:
    observed: dict[str, Json] = {"address": answer.address}
    if run:
        observed |= {"job_id": plain(run.id, 60), "job_state": run.state}
    findings = (finding,) if finding else ()
    text = message or describe(list(findings))
    return Outcome(status, kind, text, answer.latency_ms, answer.phases_ms, answer.code, findings, observed)
