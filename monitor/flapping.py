"""Whether a check flaps: fails and recovers so often that an alert for each time would only be noise. Pure.

The method is that of Nagios Core ("Detection and Handling of State Flapping"): the last 21 states have 20 places
where one follows another; each change there weighs 0.8 (the oldest) to 1.2 (the newest), and

    percent = sum of the weights of the changes / 20 * 100

From `flap_high` on a check flaps, and goes on flapping until it is below `flap_low` (20 and 30: the defaults of
Nagios for services). Two things differ from there. OK and WARN are one state here: an alert opens for FAIL alone, and
a check that wavers about its limit for WARN must not hide its failure. UNKNOWN is left out: what could not be
judged is no change. Rounds are counted as they were seen, whatever `fail_after` makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from monitor.model import Status

STATES = 21
_PLACES = STATES - 1
_LIGHTEST, _HEAVIEST = 0.8, 1.2
_FAIL, _UNKNOWN = Status.FAIL.letter, Status.UNKNOWN.letter


@dataclass(frozen=True, slots=True)
class FlapMarks:
    """Percent of change: flapping begins at `high` and ends below `low`."""

    low: float = 20.0
    high: float = 30.0


def percent_of_change(ticks: str) -> float:
    """Return the weighted percent of change in the letters of verdicts, the newest last; 0 to 100.

    Fewer than 21 states that could be judged: those that are missing count as no change.
    """
    states = [letter == _FAIL for letter in ticks if letter != _UNKNOWN][-STATES:]
    oldest = STATES - len(states)
    weights = (
        _LIGHTEST + (oldest + place) * (_HEAVIEST - _LIGHTEST) / (_PLACES - 1)
        for place in range(len(states) - 1)
        if states[place] is not states[place + 1]
    )
    return sum(weights) / _PLACES * 100


def is_flapping(ticks: str, was_flapping: bool, marks: FlapMarks) -> bool:
    """Return whether the check flaps after its newest verdict."""
    # Almost every check has not failed for as long as its ticks reach.
    if _FAIL not in ticks:
        return False
    percent = percent_of_change(ticks)
    return percent >= (marks.low if was_flapping else marks.high)
