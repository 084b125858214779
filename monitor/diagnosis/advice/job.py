"""A batch job failed or is late: content of a job, deadline. Pure."""

from __future__ import annotations

from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.facts import Key


def job_failed(case: Case) -> Advice:
    return Advice(
        "The job's latest run has failed, or its status can no longer be read.",
        (f"Its status URL answers: {case.message}{case.cite(*SEEN)}.",),
        (*job_steps(case), case.journal),
        "The log of that run ends in an error; a run by hand succeeds once that is mended.",
    )


def deadline(case: Case) -> Advice:
    job_id = case.bad.outcome.observed.get("job_id") if case.bad else None
    state = case.bad.outcome.observed.get("job_state") if case.bad else None
    if not job_id:
        cause = "No run of the job is known: it was not started, or it does not write its id where it is looked for."
    elif state == "running":
        cause = f"Run {case.code(job_id)} still runs: it started late, is stuck, or has more to do than usual."
    else:
        cause = f"No run succeeded in time; the latest, {case.code(job_id)}, is {case.code(state)}."
    wants = ", ".join(case.evidence.target.expected) if case.evidence.target else ""
    return Advice(
        cause,
        (f"Expected {case.code(wants or 'a run in time')}: {case.message}{case.cite(Key.TARGET, *SEEN)}.",),
        (*job_steps(case), case.journal),
        "No entry of the scheduler at that time means it never started; a run that waits on a lock or a full queue "
        "shows no progress in its log.",
    )


def job_steps(case: Case) -> tuple[Step, ...]:
    file = case.evidence.target.job_id_file if case.evidence.target else ".last_job_id"
    return (
        Step("See which run is the latest, and when it was started:", f"ls -l {case.arg(file)}\ncat {case.arg(file)}"),
        Step("Ask for its status:", case.curl("-i")),
        Step("See whether the scheduler started it:", "systemctl list-timers --all\ncrontab -l"),
    )
