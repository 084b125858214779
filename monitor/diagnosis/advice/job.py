"""A batch job failed or is late: content of a job, deadline. Pure."""

from __future__ import annotations

from monitor.diagnosis.byhand import by_hand
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
    if case.type not in ("job", ""):
        return _late(case)
    job_id, state = case.observed("job_id"), case.observed("job_state")
    if not job_id:
        cause = "No run of the job is known: it was not started, or it does not write its id where it is looked for."
    elif state == "running":
        cause = f"Run {case.code(job_id)} still runs: it started late, is stuck, or has more to do than usual."
    else:
        cause = f"No run succeeded in time; the latest, {case.code(job_id)}, is {case.code(state)}."
    wants = ", ".join(case.target.expected) if case.target else ""
    return Advice(
        cause,
        (f"Expected {case.code(wants or 'a run in time')}: {case.message}{case.cite(Key.TARGET, *SEEN)}.",),
        (*job_steps(case), case.journal),
        "No entry of the scheduler at that time means it never started; a run that waits on a lock or a full queue "
        "shows no progress in its log.",
    )


def _late(case: Case) -> Advice:
    asked = by_hand(case)
    return Advice(
        f"What {case.what} should have done by now is not done: it was not started, is stuck, or takes longer.",
        case.because,
        (*((asked,) if asked else ()), case.journal),
        "Done by hand in time, it was the start; as late by hand, it is what it does.",
    )


def job_steps(case: Case) -> tuple[Step, ...]:
    file = case.detail("job_id_file") or ".last_job_id"
    return (
        Step("See which run is the latest, and when it was started:", f"ls -l {case.arg(file)}\ncat {case.arg(file)}"),
        Step("Ask for its status:", case.curl("-i")),
        Step("See whether the scheduler started it:", "systemctl list-timers --all\ncrontab -l"),
    )
