"""What a target said against `expect_contains` and `expect_matches`, fail closed: what is no text is a finding."""

from __future__ import annotations

from monitor.config.pattern import compile_pattern
from monitor.model import Finding
from monitor.units import plain

_SHOWN = 80


def check_text(what: str, said: bytes, contains: str | None, matches: str | None) -> list[Finding]:
    """Return what does not hold of the text; without an expectation it may be anything."""
    if contains is None and matches is None:
        return []
    try:
        text = said.decode()
    except UnicodeDecodeError:
        return [Finding(what, "text in UTF-8", f"{len(said)} bytes that are none")]
    findings = []
    if contains is not None and contains not in text:
        findings.append(Finding(what, f"containing {plain(contains, _SHOWN)!r}", shown(text)))
    if matches is not None and not compile_pattern(matches).search(text):
        findings.append(Finding(what, f"matching {plain(matches, _SHOWN)!r}", shown(text)))
    return findings


def shown(said: str | bytes) -> str:
    """Return the start of what a target said, harmless and in quotes."""
    text = said[: 4 * _SHOWN].decode(errors="replace") if isinstance(said, bytes) else said
    return repr(plain(text, _SHOWN)) if text else "empty"
