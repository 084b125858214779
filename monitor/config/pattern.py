"""Regular expressions of the file, compiled once by RE2: linear in the text, whatever a target answers."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Protocol

import re2

_BACKTRACKING = re.compile(r"\(\?<?[=!]|\(\?>|\\[1-9]|\(\?P=|[*+?}]\+")


class Pattern(Protocol):
    """What is used of a compiled pattern."""

    def search(self, text: str | bytes) -> object | None: ...


@lru_cache(maxsize=10_000)
def compile_pattern(pattern: str) -> Pattern:
    """Return the compiled pattern; ValueError that says why when RE2 cannot read it."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    try:
        compiled: Pattern = re2.compile(pattern, options)
    except re2.error as error:
        raise ValueError(
            f"expected a regular expression as RE2 has it, got {pattern!r} ({_why(pattern, error)})"
        ) from error
    except UnicodeEncodeError as error:
        raise ValueError("expected a regular expression in Unicode, got one with half a surrogate pair") from error
    return compiled


def _why(pattern: str, error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
    # They are what makes a search take for ever.
    missing = "; RE2 has no look-ahead, look-behind, back-reference or atomic group"
    return text + (missing if _BACKTRACKING.search(pattern) else "")
