"""`type: job`."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from monitor.config.checkbase import CheckBase
from monitor.config.fields import ClockTime, Number
from monitor.model import Category


class JobCheck(CheckBase):
    """Follow the latest run of a batch job by its status URL.

    The job writes its id into `job_id_file` when it starts; `status_url` answers
    `{"status": "running|succeeded|failed", "started_at": …, "finished_at": …}` (times in RFC 3339, optional).
    `success_by`: a run must have succeeded in the 24 hours before the latest such time that has passed.
    """

    example: ClassVar[str] = """\
- name: nightly export
  type: job
  status_url: http://jobs.example/{job_id}
  success_by: "07:30"
"""
    trouble: ClassVar[Category] = Category.BUSINESS

    type: Literal["job"]
    status_url: str = Field(description="URL with `{job_id}`; answers JSON with `status`")
    job_id_file: str = Field(".last_job_id", description="file that holds the latest id, read anew each time")
    success_by: ClockTime | None = Field(None, description='today\'s run must have succeeded by "HH:MM"')
    minutes_after_start: Number | None = Field(None, gt=0, description="must succeed within this many minutes")

    @property
    def target(self) -> str:
        return self.status_url
