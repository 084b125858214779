"""Rules on an HTTP answer beside those on its JSON: text, headers, where it came from, how long each part took."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import urlsplit

from monitor.config.assertions import BodyRule, HeaderRule, PhaseLimits, UrlRule
from monitor.config.pattern import compile_pattern
from monitor.model import Finding
from monitor.units import format_ms, plain

Headers = Sequence[tuple[str, str]]
_SECRET_HEADER = re.compile(r"cookie|token|secret|session|authorization$|api-?key|password|signature", re.IGNORECASE)
_SHOWN = 80


def values_of(headers: Headers, name: str) -> list[str]:
    """Return the values of all header lines of this name."""
    wanted = name.lower()
    return [value for key, value in headers if key.lower() == wanted]


def check_body(text: str, rule: BodyRule) -> Iterator[Finding]:
    """Yield what the text should hold and does not, or should not and does."""
    start = repr(plain(text, 60))
    for part in rule.contains:
        if part not in text:
            yield Finding("body", f"to contain {_quoted(part)}", start)
    for part in rule.not_contains:
        if part in text:
            words = f"body contains {_quoted(part)}, expected not to"
            yield Finding("body", f"not to contain {_quoted(part)}", "text with it", words)
    for pattern in rule.matches:
        if not compile_pattern(pattern).search(text):
            yield Finding("body", f"to match {_quoted(pattern)}", start)
    for pattern in rule.not_matches:
        if compile_pattern(pattern).search(text):
            words = f"body matches {_quoted(pattern)}, expected not to"
            yield Finding("body", f"not to match {_quoted(pattern)}", "text that does", words)


def check_headers(headers: Headers, rules: Iterable[HeaderRule]) -> Iterator[Finding]:
    """Yield the headers that are not as their rules want them."""
    for rule in rules:
        values = values_of(headers, rule.name)
        wanted = " and ".join(_wanted(name, limit) for name, limit in rule.limits.items())
        got = _header_got(rule, values)
        if got:
            yield Finding(f"header {rule.name}", wanted, got)


def _header_got(rule: HeaderRule, values: list[str]) -> str:
    """Return what is there in place of what should be; an empty text when all is well."""
    if rule.exists is False:
        return _shown(rule.name, values) if values else ""
    if not values:
        return "missing"
    candidates = [*values, ", ".join(values)] if len(values) > 1 else values
    holds = any(_holds(rule, value) for value in candidates)
    refused = any(compile_pattern(pattern).search(value) for pattern in rule.not_matches for value in candidates)
    return "" if holds and not refused else _shown(rule.name, values)


def _holds(rule: HeaderRule, value: str) -> bool:
    if rule.equals is not None and value != rule.equals.strip():
        return False
    return all(part in value for part in rule.contains) and all(
        compile_pattern(pattern).search(value) for pattern in rule.matches
    )


def _wanted(name: str, limit: object) -> str:
    if name == "exists":
        return "to be there" if limit else "not to be there"
    words = {"equals": "", "contains": "to contain ", "matches": "to match ", "not_matches": "not to match "}
    parts = limit if isinstance(limit, tuple) else (limit,)
    return words[name] + " and ".join(_quoted(str(part)) for part in parts)


def _shown(name: str, values: list[str]) -> str:
    if _SECRET_HEADER.search(name):
        return "there with another value" if values else "missing"
    return _quoted(", ".join(values))


def _quoted(text: str) -> str:
    return repr(plain(text, _SHOWN))


def check_url(url: str, rule: UrlRule) -> Iterator[Finding]:
    """Yield that the answer came from elsewhere than it should."""
    seen, got = _canonical(url), plain(url, 200)
    if rule.equals is not None and seen != _canonical(rule.equals):
        yield Finding("final URL", plain(rule.equals, 200), got)
    if rule.starts_with is not None and not seen.startswith(_canonical(rule.starts_with)):
        yield Finding("final URL", f"to begin with {plain(rule.starts_with, 200)}", got)
    if rule.matches is not None and not compile_pattern(rule.matches).search(url):
        yield Finding("final URL", f"to match {_quoted(rule.matches)}", got)


def _canonical(url: str) -> str:
    """Return the URL with host and scheme in lower case, without the port that goes without saying."""
    if "://" not in url:
        return url.lower()
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return url
    host = (parts.hostname or "").rstrip(".")
    host = f"[{host}]" if ":" in host else host
    if port and port != {"http": 80, "https": 443}.get(parts.scheme):
        host = f"{host}:{port}"
    return f"{parts.scheme}://{host}{parts.path or '/'}"


def check_phases(phases_ms: dict[str, float], limits: PhaseLimits, may_be_kept: bool) -> Iterator[tuple[Finding, bool]]:
    """Yield what took too long, and whether it was measured at all.

    A connection that may have been kept need not have phases before its answer.
    """
    for phase, limit_ms in limits.limits.items():
        took_ms = phases_ms.get(phase)
        if took_ms is None:
            if not (may_be_kept and phase in ("dns", "connect", "tls")):
                yield Finding(phase, f"at most {format_ms(limit_ms)}", "not measured"), False
        elif took_ms > limit_ms:
            yield Finding(phase, f"at most {format_ms(limit_ms)}", format_ms(took_ms)), True
