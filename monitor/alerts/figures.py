"""How a metric is called in titles and sentences, its unit, and what it belongs to. Pure; read by `reports`.

    cpu_percent             "CPU"                 "CPU Usage"            92%            SYSTEM
    api_response_time_ms    "API response time"   "API Response Time"    1,250 ms       SYSTEM
    db_connections          "DB connections"      "DB Connections"       95             DATABASE

To teach a unit, add a row to `_UNITS`; a name that its words do not give, one to `_NAMES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from monitor.model import Category
from monitor.units import plain


@dataclass(frozen=True, slots=True)
class Metric:
    """`name` begins a sentence, `title` stands after "High" or "Low", `shown` gives a value with its unit."""

    name: str
    title: str
    category: Category
    shown: Callable[[float], str]


def number(value: float) -> str:
    """Return `92`, `95.3`, `50,000`, `0.0042`: two places, or two figures of what is smaller than that."""
    if value and (abs(value) < 0.1 or abs(value) >= 1e15):
        return f"{value:.2g}"
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < 1024:
            return f"{number(value)} {unit}"
        value /= 1024
    return f"{number(value)} TiB"


def _with(unit: str) -> Callable[[float], str]:
    return lambda value: number(value) + unit


_UNITS: tuple[tuple[str, Callable[[float], str]], ...] = (
    ("percent|pct", _with("%")),
    ("ms|millis|milliseconds", _with(" ms")),
    ("s|sec|secs|seconds", _with(" s")),
    ("bytes", _bytes),
    ("mb|megabytes", _with(" MB")),
    ("gb|gigabytes", _with(" GB")),
    ("per second|rps|qps", _with(" per second")),
    ("per minute|rpm", _with(" per minute")),
    ("per hour", _with(" per hour")),
    ("c|celsius", _with(" °C")),
)
_NAMES = {
    "cpu": ("CPU", "CPU Usage"),
    "memory": ("Memory", "Memory Usage"),
    "mem": ("Memory", "Memory Usage"),
    "swap": ("Swap", "Swap Usage"),
    "disk": ("Disk", "Disk Usage"),
    "inode": ("Inodes", "Inode Usage"),
    "inodes": ("Inodes", "Inode Usage"),
    "load": ("Load", "Load"),
    "load 1m": ("Load (1 minute)", "Load"),
    "load 5m": ("Load (5 minutes)", "Load"),
    "load 15m": ("Load (15 minutes)", "Load"),
    "disk free": ("Free disk space", "Free Disk Space"),
    "memory free": ("Free memory", "Free Memory"),
    "memory available": ("Available memory", "Available Memory"),
    "temperature": ("Temperature", "Temperature"),
}
_CATEGORIES = (
    (r"\b(?:db|database|quer(?:y|ies)|sql|postgres\w*|mysql|mariadb|replication)\b", Category.DATABASE),
    (r"\b(?:conversions?|revenue|orders|bookings?|sales|signups)\b", Category.BUSINESS),
    (r"\b(?:logins?|intrusions?)\b", Category.SECURITY),
)
_CAPITALS = frozenset(
    {"api", "cpu", "db", "dns", "gpu", "http", "https", "io", "ram", "sql", "ssl", "tcp", "tls", "url"}
)
_JOINTS = re.compile(r"[_\-./\s]+")


def metric(name: str) -> Metric:
    """Return how a metric of this name is shown; of one that nobody knows, its words."""
    words = _JOINTS.sub(" ", plain(name, 120)).strip().lower()
    bare, shown = _unit_of(words)
    found = _NAMES.get(bare)
    category = next((category for pattern, category in _CATEGORIES if re.search(pattern, words)), Category.SYSTEM)
    spelt = [word.upper() if word in _CAPITALS else word for word in bare.split()] or ["metric"]
    sentence = " ".join([spelt[0][0].upper() + spelt[0][1:], *spelt[1:]])
    title = " ".join(word[0].upper() + word[1:] for word in spelt)
    return Metric(*(found or (sentence, title)), category, shown)


def _unit_of(words: str) -> tuple[str, Callable[[float], str]]:
    """Return the words without their unit, and how a value is shown in it."""
    for unit, shown in _UNITS:
        if found := re.search(rf"(?<=\w) (?:in )?(?:{unit})\Z", words):
            return words[: found.start()], shown
    return words, number
