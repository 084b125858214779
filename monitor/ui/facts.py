"""What a probe observed, as people read it: a label, and a value with its unit. Pure; called by the sections of a page.

    {"memory_bytes": 1111256, "uptime_s": 149}   ──▶   Memory 1.1 MiB, Uptime 2 m 29 s

Labels and units come from the names alone, so that a new kind of check is shown without a word here. Everything
observed is untrusted: it stays text, in one line, bounded; what is long is folded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from monitor.ui import words
from monitor.units import after, clip, format_duration, format_ms, from_rfc3339, plain, seconds_between, utc_now

MOST = 60
_ITEMS = 20
_SHORT, _LONG = 110, 4_000
_LABELS = {
    "connected_clients": "Clients",
    "connected_replicas": "Replicas",
    "load1": "Load, 1 minute",
    "load5": "Load, 5 minutes",
    "load15": "Load, 15 minutes",
    "max_clients": "Most clients",
    "max_connections": "Most connections",
    "memory_percent": "Memory used",
    "oldest_age_s": "Oldest waits",
    "percent": "Used",
    "received": "Answered",
    "replication_lag_s": "Lag",
    "rss_mib": "Memory (RSS)",
    "rtt_ms": "Round trip",
    "run_s": "Last run took",
    "seen": "What was seen",
    "top": "Largest",
    "with_key": "Asked with a key",
}
_CAPITALS = {
    word: word.upper() for word in ("cpu", "dns", "grpc", "http", "id", "rss", "rtt", "ssh", "tcp", "tls", "ttl")
}
# Numbers that are names: not to be grouped by thousands.
_NAMES = re.compile(r"(^|_)(code|port|id|pid|version|status|exit)$")


@dataclass(frozen=True, slots=True)
class Fact:
    """One line; `more` is the whole of a value that was too long for it."""

    label: str
    value: str
    more: str = ""


def facts_of(observed: Mapping[str, Any], zone: str, without: Collection[str] = ()) -> list[Fact]:
    """Return at most 60 facts in the order in which they were observed; times are told in the zone."""
    facts: list[Fact] = []
    for name, value in observed.items():
        if name not in without and value is not None:
            facts += _facts(str(name), value, zone)
    return facts[:MOST]


def _facts(name: str, value: Any, zone: str) -> Iterator[Fact]:
    if isinstance(value, Mapping) and any(isinstance(one, Mapping) for one in value.values()):
        for key, one in list(value.items())[:_ITEMS]:
            yield folded(f"{label_of(name)}: {plain(str(key), 60)}", _joined(name, one, zone))
    else:
        yield folded(label_of(name), _joined(name, value, zone))


def folded(label: str, text: str) -> Fact:
    """Return the fact, its text shortened and kept whole aside where it is long."""
    whole = plain(text, _LONG)
    return Fact(label, clip(whole, _SHORT), whole if len(whole) > _SHORT else "")


def label_of(name: str) -> str:
    """Return the label of an observed value: `tls_version` is `TLS version`, `uptime_s` is `Uptime`."""
    if name in _LABELS:
        return _LABELS[name]
    bare = next((match[1] for unit, _ in _UNITS if (match := unit.fullmatch(name)) and match[1]), name)
    parts = [_CAPITALS.get(part, part) for part in plain(bare, 60).split("_") if part]
    text = " ".join(parts) or name
    return text[:1].upper() + text[1:]


def told(name: str, value: Any, zone: str) -> str:
    """Return a value with the unit that its name tells."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    for unit, form in _UNITS:
        if unit.fullmatch(name) and isinstance(value, (int, float)):
            return form(float(value))
    if isinstance(value, str) and name.endswith("_at"):
        return moment(value, zone)
    if isinstance(value, (int, float)):
        return str(value) if _NAMES.search(name) else _number(value)
    return str(value)


def _joined(name: str, value: Any, zone: str) -> str:
    if isinstance(value, Mapping):
        if "value" in value:
            return _metric(value)
        return " · ".join(f"{key} {_joined(_inner(name, str(key)), one, zone)}" for key, one in _some(value.items()))
    if isinstance(value, (list, tuple)):
        more = f" and {len(value) - _ITEMS} more" if len(value) > _ITEMS else ""
        return ", ".join(_joined(name, one, zone) for one in _some(value)) + more
    return told(name, value, zone)


def _some(values: Any) -> list[Any]:
    return list(values)[:_ITEMS]


def _inner(outer: str, name: str) -> str:
    """Return the name by which a figure in a block gets its unit: that of the block, if it has none itself."""
    has_own = any(unit.fullmatch(name) for unit, _ in _UNITS)
    unit = re.search(r"_(ms|s|bytes|percent|days)$", outer)
    return name if has_own or unit is None else name + unit[0]


def _metric(metric: Mapping[str, Any]) -> str:
    """Return a figure of a plugin, with its limits."""
    value, unit = metric.get("value"), str(metric.get("unit") or "")
    text = "unknown" if value is None else f"{_number(value)}{'' if unit == '%' else ' '}{unit}".strip()
    names = [key for key in ("warn", "crit", "min", "max") if metric.get(key) not in (None, "")]
    limits = [f"{key} {_number(metric[key])}" for key in names]
    return f"{text} ({', '.join(limits)})" if limits else text


def moment(text: str, zone: str, later_s: float = 0.0) -> str:
    """Return a time of RFC 3339, `later_s` later, in the zone and from now; any other text as it is."""
    try:
        at = after(from_rfc3339(text), later_s)
    except (ValueError, OverflowError):
        return plain(text)
    away_s = seconds_between(utc_now(), at)
    return f"{words.local(at, zone)} ({f'in {format_duration(away_s)}' if away_s > 0 else words.ago(at)})"


def _number(value: Any) -> str:
    if not isinstance(value, (int, float)):
        return str(value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}".rstrip("0").rstrip(".")


def size(bytes_: float) -> str:
    """Return `640 B`, `1.1 MiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(bytes_) < 1024:
            return f"{bytes_:.0f} B" if unit == "B" else f"{bytes_:.1f} {unit}"
        bytes_ /= 1024
    return f"{bytes_:.1f} TiB"


def days(number: float) -> str:
    """Return `9 days`, `1 day`; below two days `36 h`."""
    if abs(number) < 2:
        return format_duration(round(number * 24) * 3600)
    return f"{int(number)} days"


_UNITS: tuple[tuple[re.Pattern[str], Callable[[float], str]], ...] = (
    (re.compile(r"(?:(.+)_)?ms"), format_ms),
    (re.compile(r"(.+)_s_ago"), lambda s: f"{format_duration(s)} ago"),
    (re.compile(r"(.+)_s"), format_duration),
    (re.compile(r"(.+)_at"), lambda s: _number(s)),
    (re.compile(r"(?:(.+)_)?percent"), lambda percent: f"{_number(percent)} %"),
    (re.compile(r"(?:(.+)_)?bytes"), size),
    (re.compile(r"(.+)_days"), days),
    (re.compile(r"(.+)_gib"), lambda gib: f"{_number(gib)} GiB"),
    (re.compile(r"(.+)_mib"), lambda mib: f"{_number(mib)} MiB"),
)


def certificate(observed: Mapping[str, Any]) -> str:
    """Return a plain sentence about the certificates of the newest handshake, empty when there is nothing to tell."""
    left = observed.get("cert_days")
    if not isinstance(left, (int, float)) or isinstance(left, bool):
        return ""
    until, leaf, first = (observed.get(key) for key in ("cert_not_after", "cert_subject", "chain_ends_with"))
    until = observed.get("chain_not_after") or until
    whose = f"{plain(str(first), 160)}, which is above it in the chain," if first else "The certificate"
    if leaf and not first:
        whose = f"The certificate of {plain(str(leaf), 160)}"
    end = f", on {plain(str(until), 40)}" if until else ""
    if left < 0:
        return f"{whose} ended {days(-left)} ago{end}."
    return f"{whose} ends in {days(left)}{end}."
