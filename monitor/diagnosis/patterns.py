"""What the course of a trouble says, whatever its kind: others failing with it, flapping, a pause before it.

Each pattern is a small function `Case -> Pattern | None`; `PATTERNS` is the order in which they are said, and the
first that names a cause wins over the kind's own. Pure; called by `rules` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.diagnosis.case import Case, Step
from monitor.diagnosis.facts import Key, at
from monitor.diagnosis.neighbours import Neighbour
from monitor.model import Flag, Kind
from monitor.units import format_duration, format_ms

FLAPS = 4
_NETWORK = frozenset({Kind.DNS, Kind.CONNECT, Kind.TIMEOUT, Kind.VANTAGE})
_OURS = frozenset({Kind.INTERNAL, Kind.VANTAGE, Kind.UNCONFIGURED})


@dataclass(frozen=True, slots=True)
class Pattern:
    """What it adds to the answer; an empty text adds nothing. `cause` takes the place of the kind's."""

    because: str
    happened: str = ""
    cause: str = ""
    adds: str = ""
    first: Step | None = None
    confirm: str = ""


def _names(case: Case, neighbours: Sequence[Neighbour]) -> str:
    shown = [case.code(n.name, 60) + (f" ({n.kind})" if n.kind else "") for n in neighbours[:4]]
    more = len(neighbours) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _together(case: Case) -> list[Neighbour]:
    return [n for n in case.evidence.neighbours if n.together]


def _vantage(case: Case) -> Pattern | None:
    others = [n for n in _together(case) if n.kind in _NETWORK and not n.same_host]
    if case.evidence.trouble not in _NETWORK or len(others) < 2:
        return None
    return Pattern(
        f"Checks of other hosts failed in the network within 2 m of this one: {_names(case, others)}"
        f"{case.cite(Key.NEIGHBOURS)}.",
        cause="The network or the resolver of the machine that Greenwall runs on: unrelated hosts became unreachable "
        "at the same time.",
        first=Step(
            "See whether this machine reaches anything:", "ip route\nping -c 3 1.1.1.1\ngetent hosts example.com"
        ),
        confirm="If another machine reaches these hosts, it is the network of this one.",
    )


def _same_host(case: Case) -> Pattern | None:
    others = [n for n in _together(case) if n.same_host]
    if not others:
        return None
    look = "uptime; df -h; free -h; systemctl --failed"
    command = look if case.is_local else f"ssh {case.arg(case.host)} '{look}'"
    return Pattern(
        f"Checks of the same host failed within 2 m of this one: {_names(case, others)}{case.cite(Key.NEIGHBOURS)}.",
        cause=f"One cause behind {case.code(case.host)}: the machine, process or proxy that these checks share.",
        first=Step(f"Look at {case.code(case.host)} as a whole first:", command),
        confirm="If all of them turn OK together, it was one cause.",
    )


def _same_group(case: Case) -> Pattern | None:
    others = [n for n in _together(case) if n.same_group and not n.same_host]
    if not others:
        return None
    return Pattern(
        f"Checks of the same group failed within 2 m of this one: {_names(case, others)}{case.cite(Key.NEIGHBOURS)}.",
        cause="Something that the group shares: a database, a network, a deployment or a service that all call.",
        first=Step(
            "Compare what they have in common, and look at that first: a dependency, or what was deployed then."
        ),
        confirm="If all of them turn OK together, it was one cause.",
    )


def _exhausted(case: Case) -> Pattern | None:
    full = [n for n in case.evidence.neighbours if n.kind is Kind.RESOURCE]
    if not full or case.evidence.trouble is Kind.RESOURCE or not case.is_local:
        return None
    return Pattern(
        f"The machine that both run on is at its limit: {_names(case, full)}{case.cite(Key.NEIGHBOURS)}.",
        adds="The machine that it runs on is at its limit too, which alone can cause this.",
        first=Step(
            "Look at the machine first:", "uptime; df -h; free -h; ps -eo pid,pcpu,pmem,args --sort=-pcpu | head"
        ),
    )


def _never_worked(case: Case) -> Pattern | None:
    if case.evidence.ever_good or case.evidence.trouble in _OURS:
        return None
    return Pattern(
        f"No good verdict of it is known{case.cite(Key.COUNTS, Key.FIRST_BAD)}.",
        happened="It has never been seen OK.",
        cause="The check itself, rather than an outage: its address, port or expectation is wrong, or what it asks for "
        "was never there.",
        first=Step(
            "Compare the check with what the service offers:",
            f"grep -n -A 12 {case.arg('name: ' + case.evidence.subject)} checks.yaml",
        ),
        confirm="If the same request by hand never gave what the check expects, the check is to be corrected.",
    )


def _flapping(case: Case) -> Pattern | None:
    count = case.evidence.changes_count
    if count < FLAPS and Flag.FLAPPING not in case.evidence.flags:
        return None
    span = format_duration(case.evidence.lookback_s)
    sample = case.curl("-o /dev/null -w '%{http_code} %{time_total} %{remote_ip}\\n'")
    has_url = bool(case.evidence.target and case.evidence.target.url)
    return Pattern(
        f"It changed {count} times in {span}{case.cite(Key.CHANGES)}.",
        happened=f"It flaps: {count} changes of status in {span}.",
        adds="As it comes and goes, think of load, a limit that is reached and freed, one bad instance of several "
        "behind a balancer, or a process that keeps restarting.",
        first=Step(
            "Ask twenty times and see which answers are bad, and from which address:",
            f"for i in $(seq 20); do {sample}; sleep 1; done",
        )
        if has_url
        else None,
        confirm="Bad answers from one address only mean one bad instance.",
    )


def _slow_before(case: Case) -> Pattern | None:
    seen = case.evidence.latency
    if not seen.rose_before or seen.usual_ms is None or case.evidence.trouble in _OURS:
        return None
    return Pattern(
        f"The last good answers took {format_ms(seen.just_before_ms)}, usual is {format_ms(seen.usual_ms)}"
        f"{case.cite(Key.LATENCY)}.",
        happened=f"It had become slow before it failed: {format_ms(seen.just_before_ms)} instead of "
        f"{format_ms(seen.usual_ms)}.",
        adds="As it slowed down first, overload or something that ran full is likelier than a sudden stop.",
    )


def _after_pause(case: Case) -> Pattern | None:
    gap_s = case.evidence.unwatched_before_s
    if not gap_s:
        return None
    return Pattern(
        f"Nobody looked for {format_duration(gap_s)} before the first bad verdict{case.cite(Key.GAP, Key.LAST_GOOD)}.",
        happened=f"It was found so after {format_duration(gap_s)} in which nobody looked: it may have begun earlier.",
        adds="What changed in that pause (a maintenance, a deployment, a reboot) comes first.",
    )


def _seen_before(case: Case) -> Pattern | None:
    past = [i for i in case.evidence.incidents if i.kind is case.evidence.trouble] or list(case.evidence.incidents)
    if not past:
        return None
    noted = next((incident for incident in past if incident.notes), None)
    latest = noted or past[0]
    count = case.evidence.incidents_count
    return Pattern(
        f"It had {count} alert{'s' if count != 1 else ''} before, one at {at(latest.opened_at)} that lasted "
        f"{format_duration(latest.lasted_s)}{case.cite(Key.PAST)}.",
        first=Step(
            f"Last time ({at(latest.opened_at)}, {format_duration(latest.lasted_s)}) somebody noted "
            f"{case.code(noted.notes[-1], 200)}: see whether that is it again."
        )
        if noted
        else None,
    )


PATTERNS: tuple[Callable[[Case], Pattern | None], ...] = (
    _vantage,
    _same_host,
    _same_group,
    _never_worked,
    _exhausted,
    _slow_before,
    _after_pause,
    _flapping,
    _seen_before,
)


def patterns_of(case: Case) -> list[Pattern]:
    """Return the patterns that hold, in the order of the table."""
    return [pattern for look in PATTERNS if (pattern := look(case)) is not None]
