"""`warn_…` beside `crit_…`: a warning comes before the failure, or it never comes. Asked of every block. Pure."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from pydantic import BaseModel

# Figures of which less is worse.
_LESS_IS_WORSE = ("days", "available")


class Wrong(NamedTuple):
    key: str
    text: str


def never_warns(block: BaseModel) -> Wrong | None:
    """Return the first limit of a warning that was named and lies beyond that of the failure."""
    for warn, crit in _pairs(type(block)):
        at, fails_at = getattr(block, warn), getattr(block, crit)
        if warn not in block.model_fields_set or at is None or fails_at is None:
            continue
        less_is_worse = warn.endswith(_LESS_IS_WORSE)
        if at < fails_at if less_is_worse else at > fails_at:
            bound = "at least" if less_is_worse else "at most"
            return Wrong(warn, f"expected {bound} {crit} ({fails_at:g}), or null for none, got {at:g}")
    return None


@cache
def _pairs(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """Return the keys of each figure that has a limit for WARN and one for FAIL."""
    known = model.model_fields
    rivals = {key: key.replace("warn", "crit") for key in known if "warn" in key} | {"warn_available": "min_available"}
    return tuple((warn, crit) for warn, crit in rivals.items() if warn in known and crit in known)
