"""The state of the demo: its faults, its queue's backlog and its jobs, and what each part says of itself.

Owns that state and the job id file. Called by `service` only, from one event loop. Must not sleep, start
threads or read a clock but the `now` it was given (the date of a job's start is the one exception): what it
says is computed from the state and `now` at the moment it is asked.

    job    run_job ─► running ── job_s later ──────────────────► succeeded
                         └────── job_fail on at any moment ────► failed (also job_s later)

    queue  calm ── queue_stuck on ─► growing ── off ─► draining ── DRAIN_S later ─► calm
             ▲                        │                    │
             └─────────── reset ──────┴────────────────────┘

    .last_job_id   the id of the newest job, nothing else in it; replaced atomically
"""

import math
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from monitor.units import after, to_rfc3339, utc_now

DRAIN_S = 15.0
STUCK_DEPTH = 64.0
STUCK_AGE_S = 340.0
STUCK_GROWTH_PER_S = 1.5
JOBS_KEPT = 100
JOBS_SHOWN = 10


@dataclass(frozen=True)
class Faults:
    """Which parts are broken on purpose."""

    api_down: bool = False
    db_slow: bool = False
    queue_stuck: bool = False
    job_fail: bool = False


FAULT_NAMES = tuple(field.name for field in fields(Faults))


@dataclass(frozen=True)
class Backlog:
    """What waits in the queue beyond the everyday, as it was at `at`, and whether it grows since."""

    depth: float = 0.0
    age_s: float = 0.0
    at: float = 0.0
    stuck: bool = False

    def moved_to(self, now: float) -> "Backlog":
        """Return the backlog as it is by `now`: to show, not to store, as a drain is timed from `at`."""
        elapsed_s = now - self.at
        if self.stuck:
            grown = self.depth + elapsed_s * STUCK_GROWTH_PER_S
            return replace(self, depth=grown, age_s=self.age_s + elapsed_s, at=now)
        left_ratio = max(0.0, 1.0 - elapsed_s / DRAIN_S)
        return replace(self, depth=self.depth * left_ratio, age_s=self.age_s * left_ratio, at=now)

    def turned(self, stuck: bool, now: float) -> "Backlog":
        """Return the backlog after the fault was switched to `stuck` at `now`; the same one if it was so."""
        if stuck == self.stuck:
            return self
        moved = replace(self.moved_to(now), stuck=stuck)
        if not stuck:
            return moved
        return replace(moved, depth=max(moved.depth, STUCK_DEPTH), age_s=max(moved.age_s, STUCK_AGE_S))


@dataclass(frozen=True)
class Job:
    """One run: `started` is on the scale of `now`, `started_at` is its date; `fails` is fixed once true."""

    job_id: str
    started: float
    started_at: datetime
    duration_s: float
    fails: bool

    def left_s(self, now: float) -> float:
        return max(0.0, self.started + self.duration_s - now)

    def as_json(self, now: float) -> dict[str, str | None]:
        """Return the job as `GET /jobs/{job_id}/status` gives it; `finished_at` is null while it runs."""
        running = self.left_s(now) > 0
        finished_at = None if running else to_rfc3339(after(self.started_at, self.duration_s))
        status = "running" if running else "failed" if self.fails else "succeeded"
        return {
            "job_id": self.job_id,
            "status": status,
            "started_at": to_rfc3339(self.started_at),
            "finished_at": finished_at,
        }


class Stack:
    """The state of the demo. One event loop calls it and no method waits, so it needs no lock."""

    def __init__(self, job_id_file: Path, now: Callable[[], float], job_s: float) -> None:
        self._job_id_file = job_id_file
        self._now = now
        self._job_s = job_s
        self._faults = Faults()
        self._backlog = Backlog()
        self._jobs: dict[str, Job] = {}
        self._keep(self._new_job(ago_s=job_s + 1))  # exactly job_s could round to still running

    def publish_last_job(self) -> None:
        """Write the newest job's id to the file; raise OSError when that cannot be done."""
        write_job_id(self._job_id_file, next(reversed(self._jobs)))

    def run_job(self) -> dict[str, str | None]:
        """Start a job and return it; raise OSError, and start none, when its id cannot be written."""
        job = self._new_job()
        write_job_id(self._job_id_file, job.job_id)
        self._keep(job)
        return job.as_json(self._now())

    def job(self, job_id: str) -> dict[str, str | None] | None:
        """Return the job, or None when it is not known (any more: the newest JOBS_KEPT are)."""
        job = self._jobs.get(job_id)
        return None if job is None else job.as_json(self._now())

    def change_faults(self, changes: Mapping[str, bool]) -> None:
        """Switch the named faults; a job that is running while `job_fail` is on will end as failed."""
        self._faults = replace(self._faults, **changes)
        now = self._now()
        self._backlog = self._backlog.turned(self._faults.queue_stuck, now)
        if self._faults.job_fail:
            running = [job for job in self._jobs.values() if job.left_s(now) > 0]
            self._jobs.update({job.job_id: replace(job, fails=True) for job in running})

    def reset(self) -> None:
        """Clear every fault and empty the queue at once; jobs keep the outcome that they have."""
        self._faults = Faults()
        self._backlog = Backlog()

    def api(self) -> dict[str, str]:
        return {"status": "down" if self._faults.api_down else "ok"}

    def db(self) -> dict[str, bool | int]:
        slow, now = self._faults.db_slow, self._now()
        latency_ms = 850 + 40 * wobble(now) if slow else 18 + 6 * wobble(now)
        return {"ok": not slow, "latency_ms": round(latency_ms)}

    def queue(self) -> dict[str, int]:
        now = self._now()
        backlog = self._backlog.moved_to(now)
        depth = backlog.depth + 5 + 3 * wobble(now)
        oldest_age_s = backlog.age_s + 4 + 2 * wobble(now + 5)
        return {"depth": round(depth), "oldest_age_s": round(oldest_age_s)}

    def as_json(self) -> dict[str, object]:
        """Return all that the panel shows; jobs newest first, with the seconds that they still run."""
        now = self._now()
        newest = list(reversed(self._jobs.values()))[:JOBS_SHOWN]
        return {
            "at": to_rfc3339(utc_now()),
            "faults": asdict(self._faults),
            "api": self.api(),
            "db": self.db(),
            "queue": self.queue(),
            "jobs": [job.as_json(now) | {"left_s": round(job.left_s(now), 1)} for job in newest],
            "job_s": self._job_s,
        }

    def _new_job(self, ago_s: float = 0.0) -> Job:
        return Job(
            job_id=f"job-{secrets.token_hex(4)}",
            started=self._now() - ago_s,
            started_at=after(utc_now(), -ago_s),
            duration_s=self._job_s,
            fails=self._faults.job_fail,
        )

    def _keep(self, job: Job) -> None:
        self._jobs[job.job_id] = job
        while len(self._jobs) > JOBS_KEPT:
            del self._jobs[next(iter(self._jobs))]


def wobble(now: float) -> float:
    """Return a value in -1..1 that wanders with `now`: jitter that a test can repeat."""
    return 0.6 * math.sin(now * 0.9) + 0.4 * math.sin(now * 2.3)


def write_job_id(path: Path, job_id: str) -> None:
    """Replace the file's text by the id, so that a reader sees the old one or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(job_id, encoding="utf-8")
    part.replace(path)
