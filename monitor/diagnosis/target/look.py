"""What there is to say of a check's target without its secrets, whatever kind it is. Pure.

Owns how URLs are shown (no user name, password, query value or fragment), and the words for limits.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from monitor.diagnosis.target.sent import Word
from monitor.units import format_duration, format_ms

_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_QUERY = "values of the URL's query"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a walk; `url` is shown as every URL, `sent` is what it sends."""

    name: str
    method: str
    url: str
    sent: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a check looks at: `does` and `what` read as a sentence, "connects to" and "mail.example:587".

    `host` and `port` are empty where there are none, `url` where what is asked does not speak HTTP. `expected` are
    clauses in words, `sent` is what a request sends, `left_out` what is not shown because it is secret or may be.
    `parts` are what else a command needs, by name. `reaches_out`: over a network; `is_here`: it is a part of the
    machine that Greenwall runs on.
    """

    does: str = "looks at"
    what: str = ""
    url: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    method: str = "GET"
    sent: tuple[Word, ...] = ()
    expected: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[Request, ...] = ()
    reaches_out: bool = True
    is_here: bool = False


def is_loopback(host: str) -> bool:
    """Return whether a name or an address is the machine's own: one of 127.0.0.0/8, ::1, localhost, 0.0.0.0."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_unspecified


def look_at_url(url: str, does: str = "asks", **more: Any) -> Look:
    """Return the look at a URL."""
    left_out = tuple(more.pop("left_out", ()))
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme.lower(), 0)
    except ValueError:
        return Look(does=does, what=_UNREADABLE, url=_UNREADABLE, left_out=left_out, **more)
    shown = _shown(parts)
    return Look(
        does=does,
        what=shown,
        url=shown,
        scheme=parts.scheme.lower(),
        host=parts.hostname or "",
        port=port,
        left_out=((_QUERY,) if parts.query else ()) + left_out,
        **more,
    )


_UNREADABLE = "(a URL that cannot be read)"


def shown_url(url: str) -> str:
    """Return a URL without user name, password, query values and fragment."""
    return look_at_url(url).url


def _shown(parts: SplitResult) -> str:
    names = "&".join(f"{pair.partition('=')[0]}=…" if "=" in pair else "…" for pair in parts.query.split("&"))
    where = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{where}{parts.path}" + (f"?{names}" if parts.query else "")


def harmless(text: str) -> str:
    """Return a text with every URL in it shown as one."""
    return re.sub(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", lambda url: shown_url(url[0]), text)


def said(*clauses: str | None) -> tuple[str, ...]:
    """Return the clauses that there are."""
    return tuple(clause for clause in clauses if clause)


def limit(text: str, value: object) -> str | None:
    """Return the clause with the value in it, or None when there is no such limit."""
    return None if value is None else text.format(f"{value:g}" if isinstance(value, float) else value)


def counted(text: str, number: int | None, noun: str) -> str | None:
    """Return the clause with the number and its noun, or None when there is no such limit."""
    return None if number is None else text.format(f"{number} {noun}{'' if number == 1 else 's'}")


def lasting(text: str, seconds: float | None) -> str | None:
    """Return the clause with a duration in it, or None when there is no such limit."""
    return None if seconds is None else text.format(format_duration(seconds))


def in_time(check: Any, what: str = "slower than") -> tuple[str, ...]:
    """Return the clauses on `warn_ms` and `crit_ms`."""
    rows = ((check.warn_ms, "WARN"), (check.crit_ms, "FAIL"))
    return tuple(f"{what} {format_ms(ms)} is {status}" for ms, status in rows if ms is not None)


def days(check: Any) -> tuple[str, ...]:
    """Return the clauses on `warn_days` and `crit_days` of a certificate."""
    rows = ((check.warn_days, "WARN"), (check.crit_days, "FAIL"))
    return tuple(f"fewer than {n:g} days of the certificate left is {status}" for n, status in rows if n is not None)


def percent(check: Any, what: str) -> tuple[str, ...]:
    """Return the clauses on `warn_percent` and `crit_percent`."""
    rows = ((check.warn_percent, "WARN"), (check.crit_percent, "FAIL"))
    return tuple(f"{what} above {n:g} % is {status}" for n, status in rows if n is not None)


def some(**parts: object) -> dict[str, str]:
    """Return the parts that there are, as texts; True is `yes`."""
    there = {name: value for name, value in parts.items() if value not in (None, "", False)}
    return {name: "yes" if value is True else str(value) for name, value in there.items()}
