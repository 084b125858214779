"""A job does not say that it ran, says that it failed, or never said anything: the heartbeat kind. Pure.

The key of a check is all that is needed to ping it: commands have ADDRESS and KEY in their places.
"""

from __future__ import annotations

from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.facts import Key

_PING = "curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY"


def _scheduler(case: Case) -> Step:
    since = f"{case.quote.local(case.onset_at):%Y-%m-%d}"
    return Step(
        "On the job's machine, see whether it was started, and what became of it:",
        f"crontab -l\nsystemctl list-timers --all\njournalctl --since {since} -u cron -u crond --no-pager | tail -30",
    )


def _line(case: Case) -> Step:
    cron, zone = case.detail("cron"), case.detail("timezone")
    text = "Compare the job's line with this (ADDRESS is Greenwall's, KEY the check's; COMMAND is the job):"
    if not cron:
        return Step(text, f"COMMAND && {_PING}")
    in_zone = f"CRON_TZ={case.arg(zone)}\n" if zone else ""
    return Step(text, f"{in_zone}{case.quote.bare(cron, 200)} COMMAND && {_PING}")


def _reach(case: Case) -> Step:
    step = by_hand(case)
    assert step is not None, "a heartbeat has a ping"
    return step


def missed(case: Case) -> Advice:
    if case.found("run"):
        return _hangs(case)
    last = case.observed("last_success_at")
    fact = (f"Its last success came at {case.code(case.quote.moment(last))}{case.cite(*SEEN)}.",) if last else ()
    return Advice(
        "The job did not tell in time that it ran: it was not started, failed before its last line, or could not reach "
        "Greenwall.",
        (f"Expected {case.code(', '.join(case.target.expected) if case.target else 'a ping')}: "
         f"{case.message}{case.cite(Key.TARGET, *SEEN)}.", *fact),
        (
            _scheduler(case),
            _reach(case),
            _line(case),
            Step("If it takes longer by now, raise `grace` or `max_run`; if it was moved, correct the schedule."),
        ),
        "No entry of the scheduler at that time means that it was never started; an entry without a ping, that it "
        "failed or could not reach Greenwall; both, that it was late.",
    )  # fmt: skip


def _hangs(case: Case) -> Advice:
    return Advice(
        "A run of the job has begun and did not tell that it ended: it hangs, takes longer than usual, or was ended "
        "from outside.",
        case.because,
        (
            Step(
                "On the job's machine, see whether it still runs, and since when (JOB is a word of its command line):",
                "ps -eo pid,etime,stat,args | grep '[J]OB'",
            ),
            Step("See whether the kernel ended it for want of memory:", "dmesg -T | grep -i -E 'out of memory|killed'"),
            _scheduler(case),
            Step("If runs may take so long, raise `max_run`."),
        ),
        "A process that is hours old is stuck: its log, or what it waits for, says why; none at all means that it was "
        "ended.",
    )


def reported(case: Case) -> Advice:
    status, body = case.observed("exit_status"), case.observed("body")
    words = (f"With its ping it said {case.code(body, 200)}{case.cite(*SEEN)}.",) if body else ()
    how = f" with exit status {case.code(status)}" if status is not None else ""
    return Advice(
        f"The job itself says that it failed{how}: the schedule and the way to Greenwall work.",
        (*case.because, *words),
        (
            Step(
                "Read what the job wrote, on its own machine:",
                "journalctl --since '-1d' -u cron -u crond --no-pager | tail -50",
            ),
            Step(
                "Run it by hand as the user that the scheduler takes (USER), with as little in its environment:",
                "sudo -u USER env -i PATH=/usr/bin:/bin HOME=/home/USER sh -c 'COMMAND'; echo \"exit status $?\"",
            ),
            case.journal,
            case.deployed,
        ),
        "The same exit status by hand confirms it; the next success ends the failure.",
    )


def wrong_body(case: Case) -> Advice:
    advice = reported(case)
    return Advice(
        "The job ran and said so, and its words are not those that are expected: it did less than it should, or its "
        "output has changed.",
        advice.because,
        (*advice.steps[:2], Step("If its new words are right, correct `expect_body`."), case.deployed),
        "A ping whose body holds what is expected ends the failure.",
    )


def never(case: Case) -> Advice:
    if case.says("no ping"):
        cause = "The job has never pinged: nothing is known of it yet."
    else:
        cause = "The check cannot run because something that it needs is not set up; nothing is known of the job."
    return Advice(
        cause,
        case.because,
        (_line(case), _reach(case), _scheduler(case)),
        "With the first ping the check is OK, and from then on it is due by its schedule.",
    )
