"""Times, durations, names and short texts: the words' units, with no knowledge of checks.

Everything here is pure. Times are aware UTC `datetime`s inside, RFC 3339 with milliseconds outside.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Whoever says a later one means for ever.
LATEST_YEAR = 9000
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def parse_duration(text: str | int | float) -> float:
    """Return seconds for `30`, `"30"`, `"30s"`, `"1m30s"`, `"250ms"`, `"7d"`.

    Raises ValueError with the accepted forms when the text is anything else.
    """
    if isinstance(text, bool):
        raise ValueError(_duration_help(text))
    if isinstance(text, (int, float)):
        return float(text)
    compact = text.strip().lower().replace(" ", "")
    if re.fullmatch(r"\d+(?:\.\d+)?", compact):
        return float(compact)
    if not compact or _DURATION.sub("", compact):
        raise ValueError(_duration_help(text))
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(compact))


def _duration_help(got: object) -> str:
    return f"expected a duration such as 30s, 5m, 1h30m or a number of seconds, got {got!r}"


def format_duration(seconds: float) -> str:
    """Return the two largest units, as people say it: `3 m`, `2 h 5 m`, `4 d 3 h`, `850 ms`."""
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if 0 < seconds < 0.9995:
        return f"{round(seconds * 1000)} ms"
    left = round(seconds)
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
        if len(parts) == 2 or (parts and not count):
            break
    return " ".join(parts[:2]) or "0 s"


def format_ms(latency_ms: float | None) -> str:
    """Return `412 ms`, `1.93 s` or an en dash when there is no figure."""
    if latency_ms is None:
        return "–"
    if latency_ms < 1:
        return f"{latency_ms:.1f} ms"
    return f"{latency_ms:.0f} ms" if latency_ms < 999.5 else f"{latency_ms / 1000:.2f} s"


def to_rfc3339(at: datetime) -> str:
    """Return `2026-11-21T14:03:07.123Z` for an aware time; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError(f"expected an aware time, got the naive {at.isoformat()}")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_rfc3339(text: str) -> datetime:
    """Return the aware UTC time; ValueError when the text is no RFC 3339 time with an offset."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"expected a time with an offset such as 2026-11-21T14:03:07Z, got {text!r}")
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"expected a time within the years 1 to 9999 in UTC, got {text!r}") from error


def utc_now() -> datetime:
    return datetime.now(UTC)


def in_zone(at: datetime, timezone: str) -> datetime:
    # The last day of all has no time in every zone.
    return min(at, datetime(LATEST_YEAR, 1, 1, tzinfo=UTC)).astimezone(ZoneInfo(timezone))


def local(at: datetime, timezone: str) -> str:
    """Return the time in the zone, named: `2026-11-21 19:33:07 IST`."""
    return f"{in_zone(at, timezone):%Y-%m-%d %H:%M:%S %Z}"


def short(at: datetime, timezone: str) -> str:
    """Return the time in the zone, for where the zone is told beside it: `Sat 21 Nov 19:33:07`."""
    return f"{in_zone(at, timezone):%a %d %b %H:%M:%S}"


def seconds_between(earlier: datetime, later: datetime) -> float:
    return (later - earlier).total_seconds()


def after(at: datetime, seconds: float) -> datetime:
    return at + timedelta(seconds=seconds)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` was probably meant to be, or None."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return ` (did you mean 'x'?)`, or an empty string when nothing is near."""
    guess = nearest(word, known)
    return f" (did you mean {guess!r}?)" if guess else ""


def clip(text: str, limit: int) -> str:
    """Return the text in at most `limit` characters, an ellipsis in place of what was cut."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)] + "…"


def is_words(text: str) -> bool:
    """Tell whether decoded bytes are text for people, and not bytes that begin like a message by chance."""
    return "\ufffd" not in text and not _CONTROL.search(text.replace("\r", "").rstrip("\0"))


def plain(text: str, limit: int = 300) -> str:
    """Return untrusted text made safe to show on one line.

    Control characters and the marks that reverse reading order go, white space is folded, length is cut.
    """
    # Cut before folding: a target may send megabytes, of which only the first `limit` can be seen.
    folded = " ".join(_CONTROL.sub(" ", text[: limit * 4]).split())
    return clip(folded, limit)
