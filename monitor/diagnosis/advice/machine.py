"""The machine, the configuration or Greenwall itself: resource, unconfigured, vantage, internal. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.job import job_steps
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.facts import Key


def resource(case: Case) -> Advice:
    if case.type not in ("host", ""):
        return _at_its_limit(case)
    metric, path = case.detail("metric"), case.detail("path")
    top = case.observed("top")
    users = ", ".join(case.code(one, 60) for one in top) if isinstance(top, (list, tuple)) and top else ""
    cause, steps, confirm = _RESOURCES.get(metric, _RESOURCES["cpu"])
    if path and not case.findings:
        cause = f"The file system of {case.code(path)} does not work: its disk, or the network behind it, is broken."
        steps = (_MOUNT, *steps)
    return Advice(
        cause + (f" Most of it was used by {users}." if users else ""),
        case.because,
        tuple(Step(step.text, step.command.replace("PATH", case.arg(path or "/"))) for step in steps),
        confirm,
    )


def _at_its_limit(case: Case) -> Advice:
    return Advice(
        f"{case.what} is at one of its limits: more work than usual, a leak, or a limit that is too small.",
        case.because,
        steps_of(
            by_hand(case),
            Step(f"On {case.machine}, see what it is busy with:", "uptime\ndf -h\nfree -h\ntop -b -n 1 | head -15"),
            case.journal,
        ),
        "A figure that falls by itself was a peak; one that grows evenly is a leak.",
    )


_MOUNT = Step(
    "See where it comes from, and whether it answers at all:",
    "findmnt -T PATH\ntimeout 5 stat -f PATH\ndmesg -T | grep -i -E 'nfs|i/o error|ext4|xfs' | tail -20",
)


def hangs(case: Case) -> Advice:
    """Return the advice when the machine does not answer a question about itself: a dead network mount, most often."""
    path = case.arg(case.detail("path") or "/")
    return Advice(
        f"This machine does not answer when asked for {case.what}: a network file system whose server is gone, a disk "
        "that hangs, or a machine that is far too busy.",
        case.because,
        (
            Step(_MOUNT.text, _MOUNT.command.replace("PATH", path)),
            Step(
                "See what hangs in the kernel (state D), and in what:",
                "ps -eo pid,stat,wchan:24,args | awk '$2 ~ /^D/'",
            ),
            Step("See whether the machine is busy:", "uptime\nvmstat 1 5"),
        ),
        "If `stat` runs into its five seconds, it is that file system: see to the server behind it.",
    )


def missing(case: Case) -> Advice:
    """Return the advice on what is not there as it should be: a file system, or a number of processes."""
    return _processes(case) if case.detail("metric") == "process" else _not_mounted(case)


def _not_mounted(case: Case) -> Advice:
    path = case.arg(case.detail("path") or "/")
    return Advice(
        f"The file system of {case.code(case.detail('path') or '/')} is not mounted, or the path is another one now: "
        "an fstab entry that did not work at the last start, a disk or server that is gone, or a typing error in "
        "`path`.",
        case.because,
        (
            Step(
                "See whether it is mounted, and whether it should be:",
                f"findmnt {path}\ngrep -v '^#' /etc/fstab\nls -ld {path}",
            ),
            Step("See why it is not:", "systemctl --failed --type=mount\ndmesg -T | tail -30\nlsblk -f"),
            Step("Mount it again, as fstab has it (what was written meanwhile is below it):", f"mount {path}"),
        ),
        "When `findmnt` names the path, the next verdict is OK.",
    )


def _processes(case: Case) -> Advice:
    cause, steps, confirm = _RESOURCES["process"]
    wanted = case.detail("process") or case.detail("command_line")
    look = Step("See what runs of it:", f"pgrep -af -- {case.arg(wanted)}") if wanted else None
    return Advice(cause, case.because, steps_of(look, *steps[1:], case.journal, case.deployed), confirm)


_RESOURCES: dict[str, tuple[str, tuple[Step, ...], str]] = {
    "cpu": (
        "The processors of this machine are busy beyond the limit: a runaway process, or more work than usual.",
        (
            Step("See who uses them:", "ps -eo pid,pcpu,etime,args --sort=-pcpu | head"),
            Step(
                "See whether it rises or falls (1, 5, 15 minutes), and whether it waits for disk:", "uptime\nvmstat 1 5"
            ),
            Step("Look into the process at the top (its PID from above):", "top -H -b -n 1 -p PID | head -20"),
        ),
        "One process far above the others is the cause; many alike mean load. After 30 minutes, restart or scale.",
    ),
    "memory": (
        "The memory of this machine is used beyond the limit: a leak, or more processes than fit.",
        (
            Step("See who has it:", "ps -eo pid,pmem,rss,etime,args --sort=-rss | head"),
            Step("See what is available and whether it swaps:", "free -h\nvmstat 1 5"),
            Step(
                "See whether the kernel has killed something already:", "dmesg -T | grep -i -E 'out of memory|killed'"
            ),
        ),
        "One process whose RSS grows from look to look is a leak; it falls when that one is restarted.",
    ),
    "disk": (
        "The disk is filled beyond the limit: logs, dumps or data that nobody removes.",
        (
            Step("See space and inodes:", "df -h PATH\ndf -i PATH"),
            Step("Find the largest folders:", "du -xh --max-depth=2 PATH 2> /dev/null | sort -h | tail -20"),
            Step("Find files that are deleted and still held open:", "lsof +L1 | sort -k7 -n | tail"),
            Step("Free what is safe to free:", "journalctl --vacuum-time=7d\ndocker system df"),
        ),
        "`du` shows a folder that grows; when it is cleared `df` falls below the limit and the check turns OK.",
    ),
    "inode": (
        "The file system has hardly room for another file of any size: very many small ones that nobody removes.",
        (
            Step("See how many are used:", "df -i PATH"),
            Step("Find the folders with the most files:", "du --inodes -x --max-depth=3 PATH | sort -n | tail -20"),
        ),
        "A folder of sessions, caches or mails has a million files; when it is cleared, `df -i` falls.",
    ),
    "process": (
        "A process that should run does not, or others than expected do.",
        (
            Step("See what runs:", "ps -eo pid,ppid,etime,rss,args | less"),
            Step("See whether its service failed, and why:", "systemctl --failed\njournalctl -p err -n 50"),
            Step("See whether the kernel killed it for memory:", "dmesg -T | grep -i -E 'out of memory|killed'"),
        ),
        "Start it again by its service; if it ends at once, its log says why.",
    ),
}
_RESOURCES |= {"load": _RESOURCES["cpu"], "swap": _RESOURCES["memory"]}


def read_check(case: Case) -> tuple[Step, ...]:
    """Return the steps that show what is configured."""
    return (
        Step("Read the check:", f"grep -n -A 12 {case.arg('name: ' + case.evidence.subject)} checks.yaml"),
        Step("See which variables are set, names only:", "cut -d= -f1 .env"),
    )


def unconfigured(case: Case) -> Advice:
    return Advice(
        "The check cannot run because something that it needs is not set up; nothing is known of the target.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        (*read_check(case), *(job_steps(case)[:1] if case.detail("job_id_file") else ())),
        "When what is missing is set, the next verdict is OK or FAIL, no longer UNKNOWN.",
    )


def vantage(case: Case) -> Advice:
    asked = by_hand(case)
    return Advice(
        "The machine that Greenwall runs on has lost its network, so that the target cannot be judged from here.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        steps_of(
            Step("See whether there is a route, and a gateway that answers:", "ip route\nping -c 3 1.1.1.1"),
            Step("See whether names resolve:", "resolvectl status\ngetent hosts example.com"),
            Step("Ask the target from another machine:", asked.command) if asked else None,
        ),
        "If another machine reaches the target and this one reaches nothing, it is this machine's network.",
    )


def internal(case: Case) -> Advice:
    return Advice(
        "Greenwall itself is in trouble; the target was not judged, and may well be fine.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        steps_of(
            Step("See whether its disk is full:", "df -h .\ndf -i ."),
            Step(
                "See whether this machine is out of files, memory or processes:",
                "cat /proc/sys/fs/file-nr\nfree -h\nuptime",
            ),
            by_hand(case),
            Step("Read Greenwall's log for the traceback of that time; it names the place."),
        ),
        "If the target answers by hand as expected, only Greenwall was in trouble.",
    )
