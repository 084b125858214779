"""Takes out of Markdown what a page would load or hide: images, raw HTML, links under another text. Pure.

Works on a stream: a mark that is cut in two by the chunks is still found.
"""

from __future__ import annotations

import re

# One space after the first character is enough for CommonMark to see plain text, and reads well in code too:
# `<b>` to `< b>`, `![a](u)` to `! [a] (u)`, `[a]: u` to `[a] : u`. `[::1]:80` stays.
_MARK = re.compile(r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=\(|:(?!\d))")
# At the end of a chunk, what of these is a mark depends on what comes next.
_UNDECIDED = re.compile(r"[<!\]:]+\Z")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def neutralise(text: str) -> str:
    """Return the whole text with these marks taken apart and control characters taken out."""
    return _MARK.sub(lambda mark: mark[0] + " ", _CONTROL.sub("", text))


class Neutraliser:
    """`neutralise` for a text that comes in chunks."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, chunk: str) -> str:
        """Return what can be decided on; the last characters may be held back until the next call."""
        text = self._held + _CONTROL.sub("", chunk)
        undecided = _UNDECIDED.search(text)
        self._held = undecided[0] if undecided else ""
        return neutralise(text.removesuffix(self._held))

    def rest(self) -> str:
        """Return what is held back at the end of the text."""
        held, self._held = self._held, ""
        return neutralise(held)
