"""The machine, the configuration or Greenwall itself: resource, unconfigured, vantage, internal. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.job import job_steps
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.facts import Key


def resource(case: Case) -> Advice:
    metric = case.evidence.target.metric if case.evidence.target else ""
    finding = f"{case.finding(0)}" if case.findings else case.message
    top = case.bad.outcome.observed.get("top") if case.bad else None
    users = ", ".join(case.code(one, 60) for one in top) if isinstance(top, (list, tuple)) and top else ""
    cause, steps, confirm = _RESOURCES.get(metric, _RESOURCES["cpu"])
    path = case.arg((case.evidence.target.path if case.evidence.target else "") or "/")
    return Advice(
        cause + (f" Most of it was used by {users}." if users else ""),
        (f"{finding}{case.cite(*SEEN)}.",),
        tuple(Step(step.text, step.command.replace("PATH", path)) for step in steps),
        confirm,
    )


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
}


def unconfigured(case: Case) -> Advice:
    return Advice(
        "The check cannot run because something that it needs is not set up; nothing is known of the target.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        (
            Step("Read the check:", f"grep -n -A 12 {case.arg('name: ' + case.evidence.subject)} checks.yaml"),
            Step("See which variables are set, names only:", "cut -d= -f1 .env"),
            *(job_steps(case)[:1] if case.evidence.target and case.evidence.target.job_id_file else ()),
        ),
        "When what is missing is set, the next verdict is OK or FAIL, no longer UNKNOWN.",
    )


def vantage(case: Case) -> Advice:
    return Advice(
        "The machine that Greenwall runs on has lost its network, so that the target cannot be judged from here.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        (
            Step("See whether there is a route, and a gateway that answers:", "ip route\nping -c 3 1.1.1.1"),
            Step("See whether names resolve:", "resolvectl status\ngetent hosts example.com"),
            Step("Ask the target from another machine:", case.curl("-o /dev/null -w '%{http_code}\\n'")),
        ),
        "If another machine reaches the target and this one reaches nothing, it is this machine's network.",
    )


def internal(case: Case) -> Advice:
    return Advice(
        "Greenwall itself is in trouble; the target was not judged, and may well be fine.",
        (f"Greenwall says {case.message}{case.cite(Key.STATUS, *SEEN)}.",),
        (
            Step("See whether its disk is full:", "df -h .\ndf -i ."),
            Step(
                "See whether this machine is out of files, memory or processes:",
                "cat /proc/sys/fs/file-nr\nfree -h\nuptime",
            ),
            Step("Ask the target by hand:", case.curl("-i")),
            Step("Read Greenwall's log for the traceback of that time; it names the place."),
        ),
        "If the target answers by hand as expected, only Greenwall was in trouble.",
    )
