"""What the patterns of alerts say, in sentences: only what their figures support. Pure.

    Database queries slow down between 14:00 and 15:00 (12 of 12 times, on 5 days of the week): add indexes, …

An hour stands out when it has five alerts at least, three standard deviations more than an even day would give it
(the counts taken as Poisson's), and on three days of the week: one bad afternoon is no habit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from monitor.alerts.patterns import Patterns, Week
from monitor.units import format_duration

_ENOUGH, _DAYS, _LONGEST_STRETCH = 5, 3, 8
_FEW = 3
_LARGE_SHARE = 0.3
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Hours of the day that stand out: from `begins` until `ends`, with so many alerts on so many days of the week."""

    begins: int
    ends: int
    alerts: int
    days: int

    def __str__(self) -> str:
        return f"between {self.begins:02}:00 and {self.ends:02}:00"


# What happens then and what to do, by words of the alert's type; `{at}` is when it begins.
_HABITS = (
    (r"slow.?(?:database.?)?quer|query.?time", "Database queries slow down", "add indexes, or scale it before {at}"),
    (r"cpu|\bload", "The processors are busiest", "move batch work to other hours, or add a machine before {at}"),
    (r"memory|swap", "Memory is shortest", "see what runs then, or add memory"),
    (r"response.?time|latency|slow", "Answers are slowest", "see what runs then, or scale before {at}"),
    (r"login|brute.?force", "Most log-ins fail", "slow down failed log-ins, and see where they come from"),
)


def insights(patterns: Patterns) -> tuple[str, ...]:
    """Return what is worth knowing about the alerts of some days, one sentence each; at least one."""
    if not patterns.total:
        return (f"No alert opened in the last {_days(patterns)}.",)
    return tuple(sentence for say in _SAYINGS for sentence in say(patterns))


def _total(patterns: Patterns) -> Iterator[str]:
    still = f"; {patterns.still_open} still open" if patterns.still_open else ""
    yield f"{_alerts(patterns)} opened in the last {_days(patterns)}{still}."


def _most_common(patterns: Patterns) -> Iterator[str]:
    type_, count = next(iter(patterns.by_type.items()))
    if count >= _FEW:
        yield f"Most common is {type_}: {count} of {_alerts(patterns)}."


def _rush(patterns: Patterns) -> Iterator[str]:
    if found := _standing_out(patterns.weekly):
        yield f"Most alerts open {found}: {found.alerts} of {patterns.total}, on {found.days} days of the week."


def _habits(patterns: Patterns) -> Iterator[str]:
    for type_ in list(patterns.by_type)[:_SHOWN]:
        found = _standing_out(patterns.weekly_of_type[type_])
        if found:
            default = (f"{type_} comes most often", "see what runs then")
            happens, do = next(((what, do) for words, what, do in _HABITS if re.search(words, type_.lower())), default)
            figures = f"{found.alerts} of {patterns.by_type[type_]} times, on {found.days} days of the week"
            yield f"{happens} {found} ({figures}): {do.replace('{at}', f'{found.begins:02}:00')}."


def _reaction(patterns: Patterns) -> Iterator[str]:
    acknowledged, resolved = patterns.mean_to_acknowledge_min, patterns.mean_to_resolve_min
    if acknowledged is not None:
        who, taken = sum(patterns.acknowledged_by.values()), format_duration(acknowledged * 60)
        yield f"Alerts were acknowledged after {taken} on average ({who} of {patterns.total})."
    elif patterns.total >= _FEW:
        yield f"None of the {_alerts(patterns)} was acknowledged."
    if resolved is not None:
        yield f"Alerts were resolved after {format_duration(resolved * 60)} on average."


def _expired(patterns: Patterns) -> Iterator[str]:
    expired = patterns.expired
    if expired >= _FEW and expired * 2 >= patterns.total:
        yield (
            f"{expired} of {_alerts(patterns)} expired: nobody resolved them, and what reported them did not say that "
            "they were over."
        )


def _noise(patterns: Patterns) -> Iterator[str]:
    for noise in patterns.noisiest[:_SHOWN]:
        is_large = noise.alerts >= _FEW and noise.alerts >= _LARGE_SHARE * patterns.total
        if noise.hints:
            yield f"{noise.resource}: {noise.hints[0].sentence}."
        elif is_large:
            yield f"{noise.resource} alone has {noise.alerts} of {_alerts(patterns)}."


def _again(patterns: Patterns) -> Iterator[str]:
    for one in patterns.recurring[:1]:
        if one.alerts >= _FEW:
            every = format_duration(one.every_s)
            yield f"{one.type} of {one.resource} came {one.alerts} times, typically {every} after the time before."


_SAYINGS: tuple[Callable[[Patterns], Iterator[str]], ...] = (
    _total,
    _most_common,
    _rush,
    _habits,
    _reaction,
    _expired,
    _noise,
    _again,
)


def _standing_out(week: Week) -> _Stretch | None:
    """Return the hours around the peak that stand out, None when no hour does."""
    hours = [sum(day[hour] for day in week) for hour in range(24)]
    mean, peak = sum(hours) / 24, max(hours)
    if peak < _ENOUGH or peak < mean + 3 * math.sqrt(mean):
        return None
    first = hours.index(peak)
    least = max(peak / 2, mean)
    begins, ends = first, first + 1
    while hours[ends % 24] >= least and ends - begins < 24:
        ends += 1
    while hours[(begins - 1) % 24] >= least and ends - begins < 24:
        begins -= 1
    within = [hour % 24 for hour in range(begins, ends)]
    days = sum(any(day[hour] for hour in within) for day in week)
    if days < _DAYS or len(within) > _LONGEST_STRETCH:
        return None
    return _Stretch(begins % 24, ends % 24, sum(hours[hour] for hour in within), days)


def _alerts(patterns: Patterns) -> str:
    return f"{patterns.total} alert{'s' if patterns.total != 1 else ''}"


def _days(patterns: Patterns) -> str:
    return "24 hours" if patterns.days == 1 else f"{patterns.days} days"
