"""Silences and maintenance: when nobody is told of what opens. Pure.

    silence       made by a person, for a time or until an alert is over; kept in `data/silences.jsonl`
    maintenance   planned in `checks.yaml`, once, weekly or by cron, or made by a person; its time is booked as
                  maintenance, not as down

Both keep back openings only: whoever was told that it broke is told that it is over. When one ends, what is still open
is told then.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from monitor.config import LoadedConfig, Match
from monitor.model import Json, Subject
from monitor.units import from_rfc3339, local, to_rfc3339
from monitor.windows import OnceWindow, Stretch, Window, next_opening, open_stretch

# A window that opens each minute is not told one by one.
_MOST_STRETCHES = 200


class SilenceWhat(StrEnum):
    MADE = "made"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class SilenceEvent:
    """One line of `silences.jsonl`."""

    at: datetime
    what: SilenceWhat
    silence: str
    by: str
    note: str = ""
    data: Mapping[str, Json] = field(default_factory=dict)

    def to_json(self) -> dict[str, Json]:
        line: dict[str, Json] = {"at": to_rfc3339(self.at), "what": self.what.value, "silence": self.silence}
        return line | {"by": self.by, "note": self.note, "data": dict(self.data)}

    @classmethod
    def from_json(cls, line: Mapping[str, Json]) -> SilenceEvent:
        """Return the event of a line; KeyError, TypeError or ValueError when it is none."""
        data = line.get("data")
        event = cls(
            at=from_rfc3339(str(line["at"])),
            what=SilenceWhat(str(line["what"])),
            silence=str(line["silence"]),
            by=str(line.get("by") or ""),
            note=str(line.get("note") or ""),
            data=data if isinstance(data, Mapping) else {},
        )
        if event.what is SilenceWhat.MADE:
            _made(event)
        return event


@dataclass(frozen=True, slots=True)
class Silence:
    """Who is meant, when, and by whose order. `until_resolved` is the id of an alert with which it ends."""

    id: str
    match: Match
    windows: tuple[Window, ...]
    by: str
    note: str = ""
    is_maintenance: bool = False
    until_resolved: str = ""
    made_at: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""

    def stretch(self, now: datetime) -> Stretch | None:
        """Return the time for which it holds now; None when it does not."""
        return None if self.ended_at and self.ended_at <= now else open_stretch(self.windows, now)

    def opens_at(self, now: datetime) -> datetime | None:
        """Return when it holds the next time; None when it never does again."""
        return None if self.ended_at else next_opening(self.windows, now)

    def is_over(self, now: datetime) -> bool:
        return self.stretch(now) is None and self.opens_at(now) is None

    @property
    def over_at(self) -> datetime | None:
        """Return when one for a single time is over: as it was made, or ended by hand; None when it comes again."""
        ends = [one.stretch.ends_at for one in self.windows if isinstance(one, OnceWindow)]
        return self.ended_at or max(ends, default=None)

    @property
    def word(self) -> str:
        return "maintenance" if self.is_maintenance else "silence"


@dataclass(frozen=True, slots=True)
class Quiet:
    """That somebody is meant by a silence now, and until when at the longest."""

    silence: Silence
    until: datetime

    @property
    def reason(self) -> str:
        silence = self.silence
        said = f"in maintenance {silence.id}" if silence.is_maintenance else f"silenced by {silence.by} ({silence.id})"
        return f"{said}: {silence.note}" if silence.note else said


def quiet(subject: Subject, silences: Iterable[Silence], now: datetime) -> Quiet | None:
    """Return the silence that covers the subject now; of several the one that ends last."""
    found = []
    for silence in silences:
        stretch = silence.stretch(now)
        if stretch and silence.match.covers(subject):
            found.append(Quiet(silence, stretch.ends_at))
    return max(found, key=lambda one: one.until, default=None)


def in_words(
    silence: Silence, subjects: Iterable[Subject], now: datetime, timezone: str, quoted: Callable[[str], str] = str
) -> list[str]:
    """Return part by part how many it covers, when, by whose order and why.

    `subjects` are those of the checks; what people wrote goes through `quoted`.
    """
    count = sum(silence.match.covers(one) for one in subjects)
    said = [f"covers {count} check{'s' if count != 1 else ''}", _when(silence, now, timezone, quoted)]
    said.append(f"by {quoted(silence.by)}")
    if silence.until_resolved:
        said.append(f"or until alert {silence.until_resolved} is over")
    if silence.made_at is None:
        said.append(f"planned as {quoted(silence.id)}: it is ended there")
    return [*said, quoted(silence.note)] if silence.note else said


def _when(silence: Silence, now: datetime, timezone: str, quoted: Callable[[str], str]) -> str:
    if stretch := silence.stretch(now):
        return f"until {local(stretch.ends_at, timezone)}"
    if opens_at := silence.opens_at(now):
        return f"from {local(opens_at, timezone)}"
    by = f" by {quoted(silence.ended_by)}" if silence.ended_by else ""
    return f"ended {local(silence.over_at, timezone)}{by}" if silence.over_at else "over"


def planned(loaded: LoadedConfig) -> tuple[Silence, ...]:
    """Return the maintenance that the configuration plans."""
    timezone = loaded.config.general.timezone
    return tuple(
        Silence(block.name, block.match, block.windows(timezone), loaded.path.name, block.note, is_maintenance=True)
        for block in loaded.config.maintenance
    )


def coming(silence: Silence, now: datetime, until: datetime) -> Iterator[Stretch]:
    """Yield when it holds from now until then, in order; at most 200 times."""
    if silence.ended_at and silence.ended_at <= now:
        return
    stretch, at = silence.stretch(now), now
    for _ in range(_MOST_STRETCHES):
        if stretch:
            yield stretch
            at = max(stretch.ends_at, at)
        opens_at = silence.opens_at(at - timedelta(microseconds=1))
        if opens_at is None or opens_at >= until:
            return
        stretch, at = silence.stretch(opens_at), opens_at


def make(
    match: Match,
    begins_at: datetime,
    ends_at: datetime,
    by: str,
    note: str,
    now: datetime,
    until_resolved: str = "",
    is_maintenance: bool = False,
) -> SilenceEvent:
    """Return the making of a silence; ValueError when it would hold for no time."""
    if ends_at <= max(begins_at, now):
        raise ValueError("expected an end after now and after its beginning")
    data: dict[str, Json] = {
        "match": match.model_dump(mode="json", exclude_defaults=True),
        "from": to_rfc3339(begins_at),
        "until": to_rfc3339(ends_at),
    }
    if until_resolved:
        data["until_resolved"] = until_resolved
    if is_maintenance:
        data["maintenance"] = True
    facts = f"{to_rfc3339(now)}|{by}|{note}|{data}"
    identifier = ("m-" if is_maintenance else "s-") + hashlib.sha256(facts.encode()).hexdigest()[:8]
    return SilenceEvent(now, SilenceWhat.MADE, identifier, by, note, data)


def end(silence: Silence, by: str, note: str, now: datetime) -> SilenceEvent:
    """Return the end of a silence before its time."""
    return SilenceEvent(now, SilenceWhat.ENDED, silence.id, by, note)


class SilenceBook:
    """The silences that people made, as their events tell them."""

    def __init__(self, events: Iterable[SilenceEvent] = ()) -> None:
        self._silences: dict[str, Silence] = {}
        for event in events:
            self.apply(event)

    def apply(self, event: SilenceEvent) -> Silence | None:
        if event.what is SilenceWhat.MADE:
            self._silences[event.silence] = _made(event)
        elif event.silence in self._silences:
            known = self._silences[event.silence]
            self._silences[event.silence] = replace(known, ended_at=event.at, ended_by=event.by)
        return self._silences.get(event.silence)

    def get(self, identifier: str) -> Silence | None:
        return self._silences.get(identifier)

    def all(self) -> Sequence[Silence]:
        return list(self._silences.values())

    def standing(self, now: datetime) -> list[Silence]:
        """Return those that hold now or will."""
        return [silence for silence in self._silences.values() if not silence.is_over(now)]


def _made(event: SilenceEvent) -> Silence:
    data = event.data
    stretch = Stretch(from_rfc3339(str(data["from"])), from_rfc3339(str(data["until"])))
    return Silence(
        id=event.silence,
        match=Match.model_validate(data.get("match") or {}),
        windows=(OnceWindow(stretch),),
        by=event.by,
        note=event.note,
        is_maintenance=bool(data.get("maintenance")),
        until_resolved=str(data.get("until_resolved") or ""),
        made_at=event.at,
    )
