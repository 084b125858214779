"""What one look at the course of a trouble adds to the answer, and how checks are listed in it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from monitor.diagnosis.case import Case, Step
from monitor.diagnosis.neighbours import Neighbour

_SHOWN = 4


@dataclass(frozen=True, slots=True)
class Pattern:
    """What it adds to the answer; an empty text adds nothing. `cause` takes the place of the kind's.

    `ahead` is said before anything else; `first` is done before the kind's own steps, `then` after them.
    """

    because: str
    ahead: str = ""
    happened: str = ""
    cause: str = ""
    adds: str = ""
    first: Step | None = None
    then: Step | None = None
    confirm: str = ""


def named(case: Case, neighbours: Sequence[Neighbour]) -> str:
    """Return the first of them by name, and how many more there are."""
    shown = [case.code(n.name, 60) + (f" ({n.kind})" if n.kind else "") for n in neighbours[:_SHOWN]]
    more = len(neighbours) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
