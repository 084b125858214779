"""The words of Greenwall: status, kind, severity, category, and the result of one verdict.

Read by everyone, imports only `units`. Nothing here does I/O or looks at a clock.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from monitor.units import from_rfc3339, to_rfc3339

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"


class Status(StrEnum):
    """What is known of a target. UNKNOWN could not be judged: never green, neither up nor down."""

    OK = "OK"
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"

    @property
    def letter(self) -> str:
        """`O W F U`: one verdict in a row of ticks."""
        return self.value[0]

    @property
    def badness(self) -> int:
        """Order of what needs a look first: FAIL 0, WARN 1, UNKNOWN 2, OK 3."""
        return _BADNESS[self]


_BADNESS = {Status.FAIL: 0, Status.WARN: 1, Status.UNKNOWN: 2, Status.OK: 3}


class Kind(StrEnum):
    """Why a verdict is not OK. Decisions use the kind, never the text of a message."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    PROTOCOL = "protocol"
    STATUS = "status"
    CONTENT = "content"
    SLOW = "slow"
    DEADLINE = "deadline"
    RESOURCE = "resource"
    AUTH = "auth"
    UNCONFIGURED = "unconfigured"
    VANTAGE = "vantage"
    INTERNAL = "internal"


class Severity(StrEnum):
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    @property
    def word(self) -> str:
        return {"P1": "critical", "P2": "high", "P3": "medium", "P4": "low"}[self.value]

    @property
    def milder(self) -> Severity:
        """The next one down; P4 has none below it."""
        steps = list(Severity)
        return steps[min(steps.index(self) + 1, len(steps) - 1)]

    @classmethod
    def parse(cls, text: str) -> Severity:
        """Return the severity for `P1`, `p1`, `critical`, …; ValueError names what is accepted."""
        wanted = text.strip().lower()
        found = _SEVERITY_WORDS.get(wanted)
        if found is None:
            raise ValueError(f"expected P1, P2, P3, P4 or {_WORDS_SAID}, got {text!r}")
        return found


_SEVERITY_WORDS = {s.value.lower(): s for s in Severity} | {s.word: s for s in Severity}
# What the seeds' own files say for the same four steps.
_SEVERITY_WORDS |= {"error": Severity.P2, "warning": Severity.P3, "info": Severity.P4}
_WORDS_SAID = "critical, high (error), medium (warning), low (info)"


class Category(StrEnum):
    SYSTEM = "SYSTEM"
    DATABASE = "DATABASE"
    APPLICATION = "APPLICATION"
    PERFORMANCE = "PERFORMANCE"
    SECURITY = "SECURITY"
    BUSINESS = "BUSINESS"
    AVAILABILITY = "AVAILABILITY"


@dataclass(frozen=True, slots=True)
class Subject:
    """What routes and silences look at of a check or an alert: `name` is a check's name or an alert's resource."""

    name: str
    type: str
    group: str = ""
    tags: tuple[str, ...] = ()
    severity: Severity = Severity.P3
    category: Category = Category.APPLICATION
    owner: str = ""


class Flag(StrEnum):
    """What is also true of a check, beside its status."""

    CONFIRMING = "confirming"
    MAINTENANCE = "maintenance"
    PAUSED = "paused"
    FLAPPING = "flapping"
    ACKNOWLEDGED = "acknowledged"
    MUTED = "muted"


class Event(StrEnum):
    """What a person can ask to be told of (`notify_on`)."""

    FIRST_FAIL = "first_fail"
    RECOVERED = "recovered"
    DEADLINE_MISS = "deadline_miss"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was compared: `what`, what was `expected`, what was `got`.

    `words` says it where these three make no good sentence.
    """

    what: str
    expected: str
    got: str
    words: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.words or f"{self.what} is {self.got}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run of a probe saw. Picklable; knows nothing of schedules, streaks or alerts.

    `observed` holds bounded, already harmless facts (resolved address, certificate days, body start). `memory` is for
    the check's next probe, small and JSON; None keeps what is remembered. `since` is when it became so, where the
    probe knows that better than the clock: a deadline that has passed.
    """

    status: Status
    kind: Kind | None = None
    message: str = ""
    latency_ms: float | None = None
    phases_ms: Mapping[str, float] = field(default_factory=dict)
    code: int | None = None
    findings: tuple[Finding, ...] = ()
    observed: Mapping[str, Json] = field(default_factory=dict)
    memory: Mapping[str, Json] | None = None
    since: datetime | None = None

    def __post_init__(self) -> None:
        if (self.status is Status.OK) != (self.kind is None):
            raise ValueError(f"a kind belongs to every status but OK, got {self.status} with {self.kind}")


@dataclass(frozen=True, slots=True)
class Result:
    """One verdict: the line that is appended to `data/results/`.

    `attempts` counts probes that led to it; `covers_s` is the seconds before `at` that it stands for.
    """

    at: datetime
    name: str
    outcome: Outcome
    attempts: int = 1
    covers_s: float = 0.0
    flags: tuple[Flag, ...] = ()

    @property
    def status(self) -> Status:
        return self.outcome.status

    def to_json(self) -> dict[str, Json]:
        """Return the line's fields in the order of the file's contract."""
        seen = self.outcome
        observed = dict(seen.observed)
        if seen.findings:
            observed["findings"] = [[f.what, f.expected, f.got] for f in seen.findings]
        return {
            "at": to_rfc3339(self.at),
            "name": self.name,
            "status": seen.status.value,
            "kind": seen.kind.value if seen.kind else None,
            "message": seen.message,
            "latency_ms": None if seen.latency_ms is None else round(seen.latency_ms, 2),
            "phases_ms": {phase: round(ms, 2) for phase, ms in seen.phases_ms.items()},
            "code": seen.code,
            "attempts": self.attempts,
            "covers_s": round(self.covers_s, 3),
            "flags": [flag.value for flag in self.flags],
            "observed": observed,
        }

    @classmethod
    def from_json(cls, line: Mapping[str, Json]) -> Result:
        """Return the verdict of a result line; ValueError, KeyError or TypeError when it is none."""
        observed = dict(_mapping(line.get("observed")))
        findings = tuple(_finding(row) for row in _sequence(observed.pop("findings", None)))
        return cls(
            at=from_rfc3339(str(line["at"])),
            name=str(line["name"]),
            outcome=Outcome(
                status=Status(str(line["status"])),
                kind=Kind(str(line["kind"])) if line.get("kind") else None,
                message=str(line.get("message") or ""),
                latency_ms=_number(line.get("latency_ms")),
                phases_ms={key: float(str(ms)) for key, ms in _mapping(line.get("phases_ms")).items()},
                code=None if line.get("code") is None else int(str(line["code"])),
                findings=findings,
                observed=observed,
            ),
            attempts=int(str(line.get("attempts") or 1)),
            covers_s=_seconds(line.get("covers_s")),
            flags=tuple(Flag(str(flag)) for flag in _sequence(line.get("flags"))),
        )


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _sequence(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def _number(value: Json) -> float | None:
    return None if value is None else float(str(value))


def _seconds(value: Json) -> float:
    seconds = _number(value) or 0.0
    if not 0.0 <= seconds < math.inf:
        raise ValueError(f"covers_s: expected 0 or more seconds, got {seconds}")
    return seconds


def _finding(row: Json) -> Finding:
    what, expected, got = (str(part) for part in _sequence(row))
    return Finding(what, expected, got)
