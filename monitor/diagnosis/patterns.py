"""What the course of a trouble says, whatever its kind: a parent that is down, others failing with it, flapping.

Each pattern is a small function `Case -> Pattern | None`; `PATTERNS` is the order in which they are said, and the
first that names a cause wins over the kind's own. Pure; called by `rules` only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.diagnosis.byhand import again_and_again
from monitor.diagnosis.case import Case, Step
from monitor.diagnosis.commands import explained
from monitor.diagnosis.facts import Key, shown_difference
from monitor.diagnosis.neighbours import SAME_TIME_S, Relative, Tie
from monitor.diagnosis.pattern import Pattern, named
from monitor.diagnosis.quote import verdict
from monitor.diagnosis.together import exhausted, same_answer, same_group, same_host, same_machine, vantage
from monitor.model import Flag, Kind, Status
from monitor.units import format_duration, format_ms, seconds_between

FLAPS = 4
# What the target says of itself in so many words. Who speaks as expected is at the right address, too.
_TOLD = frozenset({Kind.AUTH, Kind.TLS, Kind.RESOURCE})
_OURS = frozenset({Kind.INTERNAL, Kind.VANTAGE, Kind.UNCONFIGURED})


def _parent(case: Case) -> Pattern | None:
    down = case.evidence.parents_down
    if not down:
        return _unsure_parent(case)
    # The one that is furthest up explains the others.
    top = down[-1]
    are = f"{_relatives(case, down)}{case.cite(Key.PARENTS)}"
    step = Step(
        f"Look at {case.code(top.name)} first, and have it explained:",
        explained(case, top.name),
    )
    if _began_later(case, down):
        return Pattern(
            f"What it depends on is down too, and went down later: {are}.",
            ahead=f"What it depends on is down as well: {are}.",
            adds="Both may have one cause; a parent that went down later does not explain this by itself.",
            first=step,
        )
    return Pattern(
        f"What it depends on is down: {are}.",
        ahead=f"What it depends on is down, so look there first: {are}.",
        cause=f"The failure of {case.code(top.name)}: without it this check cannot be well.",
        first=step,
        confirm=f"When {case.code(top.name)} is OK again, this check is looked at anew; if it still fails then, it has "
        "a cause of its own.",
    )


def _began_later(case: Case, down: Sequence[Relative]) -> bool:
    """Return whether all of them went down later than a look at them, and its retries, may have lagged behind."""
    return all(
        one.since is not None and seconds_between(case.onset_at, one.since) > SAME_TIME_S + 2 * one.every_s
        for one in down
    )


def _unsure_parent(case: Case) -> Pattern | None:
    unsure = [parent for parent in case.evidence.parents if parent.status in (Status.UNKNOWN, Status.WARN)]
    if not unsure:
        return None
    are = f"{_relatives(case, unsure)}{case.cite(Key.PARENTS)}"
    return Pattern(
        f"What it depends on is not well, or could not be judged: {are}.",
        ahead=f"What it depends on is not down, and not OK either: {are}.",
    )


def _relatives(case: Case, relatives: Sequence[Relative]) -> str:
    shown = [
        f"{case.code(one.name, 60)} is {verdict(one.status, one.kind)}"
        + (f" since {case.at(one.since)}" if one.since else "")
        for one in relatives[:4]
    ]
    more = len(relatives) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")


def _children(case: Case) -> Pattern | None:
    others = [n for n in case.evidence.neighbours if n.tie is Tie.CHILD and n.status is Status.FAIL]
    if not others or case.evidence.parents_down:
        return None
    return Pattern(
        f"Checks that depend on it fail too: {named(case, others)}{case.cite(Key.NEIGHBOURS)}.",
        adds="What depends on it fails with it, and most likely is over with it.",
    )


def _differences(case: Case) -> Pattern | None:
    # The code of an answer stands among the findings.
    found = [one for one in case.evidence.differences if one.what != "code"]
    if not found or case.type == "group":
        return None
    shown = [
        f"{case.code(one.what, 40)} {case.code(before, 60)} to {case.code(after, 60)}"
        for one in found[:3]
        for before, after in [shown_difference(one)]
    ]
    return Pattern(
        f"Since the last good verdict this has changed: {', '.join(shown)}{case.cite(Key.DIFFERENCES)}.",
        adds=_MEANING.get(next((one.what for one in found if one.what in _MEANING), ""), ""),
    )


# What it says when one of these is not what it was.
_MEANING = {
    "address": "As another address answers than before, think of a failover, a new machine or a changed record.",
    "version": "As its version is another one than before, think of the upgrade first.",
    "software": "As its software is another one than before, think of the upgrade first.",
    "image": "As its image is another one than before, think of the deployment first.",
    "cert_sha256": "As its certificate is another one than before, think of the renewal first.",
    "role": "As its role is another one than before, think of a failover.",
    "server": "As another name server answers than before, think of the one that no longer does.",
}


def _never_worked(case: Case) -> Pattern | None:
    if case.evidence.ever_good or case.evidence.trouble in _OURS:
        return None
    return Pattern(
        f"No good verdict of it is known{case.cite(Key.COUNTS, Key.FIRST_BAD)}.",
        happened="It has never been seen OK.",
        cause=""
        if case.evidence.trouble in _TOLD or "tls" in case.phases_ms or case.says("had said")
        else "The check itself, rather than an outage: its address, port or expectation is wrong, or what it asks for "
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
    asked = again_and_again(case)
    several = asked is not None and case.has_url
    return Pattern(
        f"It changed {count} times in {span}{case.cite(Key.CHANGES)}.",
        happened=f"It flaps: {count} changes of status in {span}.",
        adds="As it comes and goes, think of load, a limit that is reached and freed, one bad instance of several "
        "behind a balancer, or a process that keeps restarting."
        if case.type != "heartbeat"
        else "As it comes and goes, think of runs that now and then take longer than `grace` allows.",
        first=asked,
        confirm="Bad answers from one address only mean one bad instance." if several else "",
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
        f"It had {count} alert{'s' if count != 1 else ''} before, one at {case.at(latest.opened_at)} that lasted "
        f"{format_duration(latest.lasted_s)}{case.cite(Key.PAST)}.",
        first=Step(
            f"Last time ({case.at(latest.opened_at)}, {format_duration(latest.lasted_s)}) somebody noted "
            f"{case.code(noted.notes[-1], 200)}: see whether that is it again."
        )
        if noted
        else None,
    )


PATTERNS: tuple[Callable[[Case], Pattern | None], ...] = (
    _parent,
    vantage,
    same_host,
    same_machine,
    same_answer,
    same_group,
    _never_worked,
    _differences,
    _children,
    exhausted,
    _slow_before,
    _after_pause,
    _flapping,
    _seen_before,
)


# What others that fail at the same time say is said better by a parent that is down, or by a group's own members.
_OF_OTHERS = frozenset({vantage, same_host, same_machine, same_answer, same_group, _never_worked, exhausted})


def patterns_of(case: Case) -> list[Pattern]:
    """Return the patterns that hold, in the order of the table."""
    found = [(look, pattern) for look in PATTERNS if (pattern := look(case)) is not None]
    is_explained = case.type == "group" or any(look is _parent and pattern.cause for look, pattern in found)
    return [pattern for look, pattern in found if not (is_explained and look in _OF_OTHERS)]
