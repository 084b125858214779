"""Texts for chats: cut as the services count, calling nobody."""

from __future__ import annotations

import re

# Everyone would be called, or a link would hide where it leads: what a target says must not do either.
_PINGS = re.compile(r"(?<=@)(?=everyone|here|channel|all\b)|(?<=<)(?=[@!#]|at>|subteam)|(?<=\])(?=\()", re.IGNORECASE)
_BREAK = "\u200b"


def no_pings(text: str) -> str:
    """Return the text with nothing in it that chats take for a call or for a hidden link."""
    return _PINGS.sub(_BREAK, text)


def units(text: str) -> int:
    """Return the length as the services count it: an emoji is two."""
    return len(text.encode("utf-16-le", "replace")) // 2


def cut(text: str, limit: int) -> str:
    """Return the text in at most `limit` units, an ellipsis in place of what was cut."""
    if units(text) <= limit:
        return text
    kept = text.encode("utf-16-le", "replace")[: 2 * max(limit - 1, 0)]
    return kept.decode("utf-16-le", "ignore") + "…"


def body_of(text: str) -> str:
    """Return a message's text without its first line, where that one is shown by itself."""
    return text.partition("\n\n")[2] or text
