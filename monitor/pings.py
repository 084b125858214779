"""What a job tells of itself, the line that it becomes, and what a row of such lines comes to. Pure.

A file of pings is read in the order in which they came; their times are those of the clock that wrote them.

    start ──▶ a run is open ──▶ success or fail of the same run id ──▶ it has ended
                    └── limit_s passes, or the run is started again after it ──▶ it overran, until the next success

`web.pings` receives, `history.pings` writes, `probes.heartbeat` reads and judges.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import orjson

from monitor.model import Json
from monitor.units import after, clip, from_rfc3339, plain, seconds_between, to_rfc3339

FOLDER = "pings"
# Who asks for a look when a ping has come.
BY = "ping"
BODY_SHOWN = 2_000
OPEN_RUNS = 10
# Clocks of two machines differ by less than this; what is further ahead was written before a clock was set back.
AHEAD_S = 5.0
_REMEMBERED = 10


class Signal(StrEnum):
    SUCCESS = "success"
    START = "start"
    FAIL = "fail"
    LOG = "log"


@dataclass(frozen=True, slots=True)
class Ping:
    """One ping. `why` says why a body turned a success into a fail; `source` is the sender's address."""

    at: datetime
    signal: Signal
    run: str = ""
    exit_status: int | None = None
    body: str = ""
    why: str = ""
    source: str = ""

    def to_json(self) -> dict[str, Json]:
        """Return the line's fields; what is empty is left out."""
        fields: dict[str, Json] = {
            "at": to_rfc3339(self.at),
            "signal": self.signal.value,
            "run": clip(self.run, 64),
            "exit_status": self.exit_status,
            "body": plain(self.body, BODY_SHOWN),
            "why": plain(self.why),
            "source": plain(self.source, 64),
        }
        return {key: value for key, value in fields.items() if value not in ("", None)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Json]) -> Ping:
        """Return the ping of a line; KeyError, TypeError or ValueError when it is none."""
        at, exit_status = from_rfc3339(str(fields["at"])), fields.get("exit_status")
        if not 1970 <= at.year < 9999:
            raise ValueError(f"expected a time of this age, got {at}")
        return cls(
            at=at,
            signal=Signal(str(fields["signal"])),
            run=clip(str(fields.get("run") or ""), 64),
            exit_status=None if exit_status is None else int(str(exit_status)),
            body=plain(str(fields.get("body") or ""), BODY_SHOWN),
            why=plain(str(fields.get("why") or "")),
            source=plain(str(fields.get("source") or ""), 64),
        )


def file_name(check: str) -> str:
    """Return the name of a check's file: what can be read of its name, and what makes it unique."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", check)[:60].strip("-").lower()
    return f"{readable or 'check'}-{hashlib.sha256(check.encode('utf-8', 'replace')).hexdigest()[:12]}.jsonl"


def parse(content: bytes) -> list[Ping]:
    """Return the pings of a file in their order; lines that are none, such as a torn one, are left out."""
    pings = []
    for line in content.splitlines():
        try:
            value = orjson.loads(line)
            if isinstance(value, dict):
                pings.append(Ping.from_json(value))
        except (KeyError, TypeError, ValueError):
            continue
    return pings


def settled(
    pings: Sequence[Ping], now: datetime, seen: Mapping[str, datetime]
) -> tuple[list[Ping], dict[str, datetime]]:
    """Return the pings, none in the future, and when those that were ahead of the clock were first seen.

    A clock that was set back leaves pings in the future. They count from when they were first seen (`seen`, what this
    function returned before, by their own time): otherwise a wrong clock would keep a dead job green until then.
    """
    kept: dict[str, datetime] = {}
    result, later = [], now
    for ping in reversed(pings):
        is_ahead = seconds_between(now, ping.at) > AHEAD_S
        written = to_rfc3339(ping.at) if is_ahead or seen else ""
        if is_ahead or written in seen:
            # It came no later than the one after it in the file.
            ping = replace(ping, at=min(seen.get(written, later), later, ping.at))
            if len(kept) < _REMEMBERED or written in kept:
                kept[written] = ping.at
        elif ping.at > now:
            ping = replace(ping, at=now)
        later = ping.at
        result.append(ping)
    return result[::-1], kept


@dataclass
class Told:
    """What the pings come to.

    `failure` is the last one, `failing_since` the first one, and `overran_at` when a run's time was over, all of them
    since the last success; `open` are the runs that have not ended, by run id, and `starts` all since then.
    """

    success: Ping | None = None
    failure: Ping | None = None
    failing_since: datetime | None = None
    overran_at: datetime | None = None
    open: dict[str, Ping] = field(default_factory=dict)
    starts: list[datetime] = field(default_factory=list)
    run_s: float | None = None


def told(pings: Iterable[Ping], limit_s: float) -> Told:
    """Return what the pings come to, when a run may take `limit_s`."""
    sum_ = Told()
    for ping in pings:
        if ping.signal is Signal.START:
            _start(sum_, ping, limit_s)
        elif ping.signal in (Signal.SUCCESS, Signal.FAIL):
            _end(sum_, ping, limit_s)
    return sum_


def _start(sum_: Told, ping: Ping, limit_s: float) -> None:
    before = sum_.open.pop(ping.run, None)
    if before and seconds_between(before.at, ping.at) > limit_s:
        _overran(sum_, after(before.at, limit_s))
    sum_.open[ping.run] = ping
    sum_.starts.append(ping.at)
    if len(sum_.open) > OPEN_RUNS:
        oldest = sum_.open.pop(next(iter(sum_.open)))
        if seconds_between(oldest.at, ping.at) > limit_s:
            _overran(sum_, after(oldest.at, limit_s))


def _end(sum_: Told, ping: Ping, limit_s: float) -> None:
    began = sum_.open.pop(ping.run, None)
    sum_.run_s = max(seconds_between(began.at, ping.at), 0.0) if began else None
    if ping.signal is Signal.FAIL:
        sum_.failure, sum_.failing_since = ping, sum_.failing_since or ping.at
        return
    sum_.success, sum_.failure, sum_.failing_since, sum_.overran_at, sum_.starts = ping, None, None, None, []
    # A run that has hung is over with the success of one that began after its time: nothing will ever end it.
    began_at = began.at if began else ping.at
    sum_.open = {run: one for run, one in sum_.open.items() if seconds_between(one.at, began_at) <= limit_s}


def _overran(sum_: Told, at: datetime) -> None:
    sum_.overran_at = min(sum_.overran_at or at, at)


def worth_keeping(pings: Sequence[Ping], newest: int) -> list[Ping]:
    """Return the newest pings, and before them, without their bodies, those by which the others are judged."""
    old, tail = pings[: max(len(pings) - newest, 0)], list(pings[max(len(pings) - newest, 0) :])
    before = told(old, float("inf"))
    anchors = [ping for ping in (before.success, before.failure, *before.open.values()) if ping]
    ordered = [ping for ping in old if any(ping is anchor for anchor in anchors)]
    return [replace(ping, body="") for ping in ordered] + tail
