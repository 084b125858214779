"""What a target said against `expect_contains` and `expect_matches`, as a text or as bytes."""

from __future__ import annotations

from monitor.config.endpoint import unescape
from monitor.config.pattern import compile_pattern
from monitor.model import Finding
from monitor.units import plain

_SHOWN = 80


def check_text(what: str, said: bytes, contains: str | None, matches: str | None) -> list[Finding]:
    """Return what does not hold of the text, and that it is none; without an expectation it may be anything."""
    if contains is None and matches is None:
        return []
    try:
        text = said.decode()
    except UnicodeDecodeError:
        return [Finding(what, "text in UTF-8", f"{len(said)} bytes that are none")]
    findings = []
    if contains is not None and contains not in text:
        findings.append(Finding(what, f"to contain {plain(contains, _SHOWN)!r}", shown(text)))
    if matches is not None and not compile_pattern(matches).search(text):
        findings.append(Finding(what, f"to match {plain(matches, _SHOWN)!r}", shown(text)))
    return findings


def check_bytes(what: str, said: bytes, contains: str | None, matches: str | None) -> list[Finding]:
    """Return what does not hold of bytes that may be no text; `contains` has the escapes of a payload.

    A pattern looks at them as UTF-8, or as Latin-1 when they are none: a character for each byte.
    """
    findings = []
    if contains is not None and unescape(contains) not in said:
        findings.append(Finding(what, f"to contain {plain(contains, _SHOWN)!r}", shown(said)))
    if matches is not None and not compile_pattern(matches).search(_as_text(said)):
        findings.append(Finding(what, f"to match {plain(matches, _SHOWN)!r}", shown(said)))
    return findings


def _as_text(said: bytes) -> str:
    try:
        return said.decode()
    except UnicodeDecodeError:
        return said.decode("latin-1")


def shown(said: str | bytes) -> str:
    """Return the start of what a target said, harmless and in quotes."""
    text = said[: 4 * _SHOWN].decode(errors="replace") if isinstance(said, bytes) else said
    return repr(plain(text, _SHOWN)) if text else "empty"
