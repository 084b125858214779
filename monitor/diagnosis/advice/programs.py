"""A unit or a program of this machine is not as it should be: systemd, command. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice import machine
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step
from monitor.diagnosis.commands import systemctl
from monitor.units import format_duration

KILLED = Step("See whether the kernel killed it for memory:", "dmesg -T | grep -i -E 'out of memory|oom|killed' | tail")
# ---- systemd


def _unit_log(case: Case) -> Step:
    user = " --user" if case.detail("user") else ""
    return Step("Read its last words:", f"journalctl{user} -u {case.arg(case.detail('unit'))} -n 50 --no-pager")


def unit_status(case: Case) -> Advice:
    result = str(case.observed("result") or "")
    why = {
        "oom-kill": " The kernel killed it for want of memory.",
        "timeout": " It did not start, stop or tell in time.",
        "start-limit-hit": " It failed so often in a row that systemd has given up.",
        "watchdog": " It did not tell its watchdog that it lives.",
        "signal": " A signal ended it.",
        "core-dump": " It crashed.",
        "exit-code": " It ended with an error of its own.",
    }.get(result, "")
    state = case.observed("state")
    stopped = " Nobody has started it, or somebody has stopped it." if state == "inactive" else ""
    return Advice(
        f"The unit {case.code(case.detail('unit'))} is not in the state that it should be in.{why or stopped}",
        case.because,
        steps_of(
            by_hand(case),
            _unit_log(case),
            KILLED if result in ("oom-kill", "signal") else None,
            Step("See what it needs, and whether that runs:", systemctl(case, "list-dependencies --no-pager")),
            case.deployed,
        ),
        "Its last words before the end say why; when that is mended, start it by `systemctl start`.",
    )


def unit_missing(case: Case) -> Advice:
    return Advice(
        f"The unit {case.code(case.detail('unit'))} is not there, or its file cannot be loaded any more: it was "
        "removed, renamed, has a mistake in it, or belongs to a user (`user: true`).",
        case.because,
        steps_of(
            Step("See its file, and what systemd makes of it:", systemctl(case, "cat --no-pager")),
            Step(
                "See which there are:",
                "systemctl list-unit-files --no-pager | less\nsystemctl --user list-unit-files --no-pager | less",
            ),
            by_hand(case),
            case.deployed,
        ),
        "`No files found` means that it is gone or named otherwise; `bad-setting` that its file has a mistake: "
        "`systemd-analyze verify` says where.",
    )


def unit_restarts(case: Case) -> Advice:
    return Advice(
        f"The unit {case.code(case.detail('unit'))} ended by itself and systemd started it again: it crashes, runs out "
        "of memory, or misses its watchdog.",
        case.because,
        steps_of(
            _unit_log(case),
            KILLED,
            Step("See its crashes:", "coredumpctl list --since '-1d' --no-pager"),
            by_hand(case),
        ),
        "Its log before each start says why; the same words each time mean the same cause.",
    )


def systemd_silent(case: Case) -> Advice:
    return Advice(
        "systemd itself does not answer in time: the machine is overloaded, or its bus hangs.",
        case.because,
        (
            Step("See whether the machine is busy:", "uptime\nvmstat 1 5\nfree -h"),
            Step("See whether the bus answers:", "timeout 10 busctl list --no-pager | head -5"),
            *steps_of(by_hand(case)),
        ),
        "Slow by hand too: the machine; fast: it goes with load.",
    )


# ---- command


def _rights(case: Case) -> Step:
    program = case.arg(case.detail("program"))
    return Step("See the program, and who may run it:", f"command -v {program}\nls -l {program}\nfile {program}")


def _help(case: Case) -> Step | None:
    """Return the step that reads the help of a plugin; any other program may do its work all the same."""
    program = case.detail("program")
    is_plugin = program.rpartition("/")[2].startswith("check_")
    return Step("Read how it is used:", f"{case.arg(program)} --help | head -40") if is_plugin else None


def program_says(case: Case) -> Advice:
    """Return the advice on what the program found: a plugin that warns is right most of the time."""
    return Advice(
        f"The program {case.code(case.detail('program'))} ran, and what it found is not as it should be: "
        f"{case.message}.",
        case.because,
        steps_of(
            by_hand(case),
            _help(case),
            case.journal,
        ),
        "The same words by hand mean that the program is right; others, that it depends on its user or environment.",
    )


def program_failed(case: Case) -> Advice:
    by_signal = case.says("ended by")
    return Advice(
        f"The program {case.code(case.detail('program'))} "
        + ("was ended by a signal." if by_signal else "ended with a code that is not OK: it broke, or says so by it."),
        case.because,
        steps_of(by_hand(case), _rights(case), KILLED if by_signal else None, case.journal),
        "The same exit code by hand confirms it; another one means that it depends on its user, folder or environment: "
        "Greenwall gives it PATH, HOME, LANG and `env` only.",
    )


def _program_name(case: Case) -> str:
    return case.arg(case.detail("program").rpartition("/")[2])


def program_hangs(case: Case) -> Advice:
    return Advice(
        f"The program {case.code(case.detail('program'))} did not end within {format_duration(case.deadline_s)}: it "
        "waits for something, or has more to do than that.",
        (*case.because, *case.usual_fact),
        steps_of(
            by_hand(case),
            Step(
                "While it hangs, see what it waits for (PID from the first line):",
                f"pgrep -af -- {_program_name(case)}\nls -l /proc/PID/fd\ncat /proc/PID/wchan",
            ),
            Step("If it may take so long, raise `timeout`; many plugins have an option of their own for it (`-t`)."),
            case.journal,
        ),
        "It ends by hand in time: it goes with load, or with the user; it hangs too: what it waits for is the cause.",
    )


def program_unusable(case: Case) -> Advice:
    if case.says("allow_commands"):
        return Advice(
            "Greenwall runs no programs here until the configuration allows it; nothing is known of the target.",
            case.because,
            (
                Step(
                    "See who may write the file, for whoever may can then run programs as Greenwall's user:",
                    "ls -l checks.yaml",
                ),
                Step("Write `allow_commands: true` under `global:` in `checks.yaml`."),
            ),
            "The next verdict is OK or FAIL, no longer UNKNOWN.",
        )
    return Advice(
        f"The program {case.code(case.detail('program'))} cannot be run, or says itself that it cannot judge: it is "
        "not installed, its arguments are wrong, or a right is missing.",
        case.because,
        steps_of(
            _rights(case),
            by_hand(case),
            _help(case),
            Step("See which plugins Debian has installed:", "ls /usr/lib/nagios/plugins") if _help(case) else None,
        ),
        "When it runs by hand as that user, the next verdict is OK or FAIL, no longer UNKNOWN.",
    )


def no_systemd(case: Case) -> Advice:
    return Advice(
        "systemd cannot be asked from where Greenwall runs; nothing is known of the unit.",
        case.because,
        (
            Step("See whether systemd runs this machine:", "ps -p 1 -o comm=\nls -d /run/systemd/system"),
            Step(
                "In a container there is none: run Greenwall on the machine itself, or watch the service by its port."
            ),
            *machine.read_check(case),
        ),
        "The next verdict is OK or FAIL, no longer UNKNOWN.",
    )
