"""The console: one line for each message on standard output. Needs nothing, so it is where everything falls back to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from monitor.channels.channel import Configured, Receipt, Redact
from monitor.channels.message import Message
from monitor.channels.wording import harmless, show_time
from monitor.units import utc_now


def _as_it_is(text: str) -> str:
    return text


@dataclass(frozen=True)
class Console(Configured):
    """Prints; `now` dates the line."""

    name: str = "console"
    redact: Redact = _as_it_is
    now: Callable[[], datetime] = utc_now
    type: str = "console"

    def send(self, message: Message) -> Receipt:
        try:
            encoding = sys.stdout.encoding or "utf-8"
            # A terminal that knows ASCII only shows `?` instead of failing.
            print(self.redact(line(message, self.now())).encode(encoding, "replace").decode(encoding), flush=True)
        except (OSError, ValueError) as error:
            return Receipt(self.name, ok=False, detail=f"standard output cannot be written: {type(error).__name__}")
        return Receipt(self.name, ok=True, detail="printed")


def line(message: Message, now: datetime) -> str:
    """Return `2026-11-21 14:03:07Z ALERT [P1 FAIL] db fails: status is 503, expected 200 (since 14:03:05Z)`."""
    word = "ENDED" if message.is_end else "ALERT"
    said = f"{show_time(now)} {word} {harmless(message.subject, 150)}"
    if len(message.members) > 1:
        return said
    alert = message.members[0].alert
    why = harmless(alert.message)
    if why and not message.is_end and why not in message.subject:
        said += f": {why}"
    return said + _since(alert.opened_at, now)


def _since(opened_at: datetime, now: datetime) -> str:
    day, _, time = show_time(opened_at).partition(" ")
    return f" (since {time})" if show_time(now).startswith(day) else f" (since {day} {time})"
