"""Builders of the words that tests speak in: the fewest facts, the rest chosen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from monitor.alerts import Alert, AlertBook, AlertEvent, Decision, Muted, Route, What, World, on_verdict, tell
from monitor.config import CheckBase, Environment, HttpCheck, LoadedConfig, parse_config
from monitor.history.jsonl import read_lines
from monitor.history.snapshot import CheckEntry, CheckerInfo, Snapshot
from monitor.model import Kind, Outcome, Result, Severity, Status
from monitor.state import AT_ONCE, CheckState, Rules, advance, unchecked

# Property tests on a busy machine: few examples, and no limit of time that one of them could miss.
quick = settings(max_examples=50, deadline=None)

T0 = datetime(2026, 11, 20, 14, 0, 0, 123000, tzinfo=UTC)
TIMES = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def at(seconds: float = 0.0) -> datetime:
    return T0 + timedelta(seconds=seconds)


def outcome(status: Status = Status.OK, kind: Kind | None = None, **fields: Any) -> Outcome:
    return Outcome(status, None if status is Status.OK else kind or Kind.STATUS, **fields)


def result(
    status: Status = Status.OK, seconds: float = 0.0, name: str = "shop", kind: Kind | None = None, **fields: Any
) -> Result:
    own = {key: fields.pop(key) for key in ("attempts", "covers_s", "flags") if key in fields}
    return Result(at(seconds), name, outcome(status, kind, **fields), **own)


def events_in(path: Path) -> list[AlertEvent]:
    return [AlertEvent.from_json(line) for line in read_lines(path)]


def http_check(name: str = "shop", **keys: Any) -> HttpCheck:
    return HttpCheck.model_validate({"name": name, "type": "http", "url": "http://shop.example/health"} | keys)


def load(text: str, variables: dict[str, str] | None = None) -> LoadedConfig:
    return parse_config(text, Path("checks.yaml"), Environment(variables or {}))


def entry(name: str = "shop", status: Status = Status.OK, **fields: Any) -> CheckEntry:
    kind = None if status is Status.OK else Kind.STATUS
    known = {"since": at(), "checked_at": at(), "streak": 1, "kind": kind, "message": "", "ticks": status.letter}
    state = CheckState(status, **known | fields.pop("state", {}))
    return CheckEntry(
        name=name,
        **{
            "type": "http",
            "group": "Services",
            "tags": (),
            "severity": Severity.P2,
            "every_s": 30.0,
            "stale_after_s": 70.0,
            "state": state,
        }
        | fields,
    )


def snapshot(*entries: CheckEntry, **fields: Any) -> Snapshot:
    checker = CheckerInfo(pid=7, started_at=at(-60), heartbeat_at=at())
    return Snapshot(**{"updated_at": at(), "checker": checker, "checks": {e.name: e for e in entries}} | fields)


class Life:
    """One check from verdict to verdict, a second each: its state, its book, its last decision, who is told.

    `channels` are told of what no route covers; `muted` is why nobody is told now.
    """

    def __init__(self, check: CheckBase | None = None, channels: tuple[str, ...] = ("email", "slack")) -> None:
        self.check = check or http_check()
        self.channels = channels
        self.routes: tuple[Route, ...] = ()
        self.muted: Muted | None = None
        self.rules: Rules = AT_ONCE
        self.hold = ""
        self.state = unchecked(at(-1))
        self.book = AlertBook()
        self.events: list[AlertEvent] = []
        self.second = 0.0

    def see(self, *statuses: Status, kind: Kind | None = None, message: str = "") -> Decision:
        for status in statuses:
            verdict = result(status, self.second, kind=kind, message=message)
            self.state, _ = advance(self.state, verdict, self.rules)
            name = self.check.name
            latest, held = self.book.latest(name), self.book.held(name)
            decision = self.take(on_verdict(self.check, self.state, latest, verdict.at, lambda *_: self.hold, held))
        return decision

    def take(self, decision: Decision) -> Decision:
        """Do what was decided, and tell who is to be told of it; return it with those events, too."""
        for event in decision.events:
            self.record(event)
        told = self.tell(decision.events[-1].at if decision.events else at(self.second))
        self.second += 1
        return replace(decision, events=(*decision.events, *told))

    def tell(self, now: datetime) -> list[AlertEvent]:
        """Tell what is to be told of all alerts now; return the events of that."""
        told = []
        for alert in self.book.all():
            events = tell(alert, self.world, now).events
            told += [self.record(event) for event in events]
        return told

    def record(self, event: AlertEvent) -> AlertEvent:
        if event.what is What.QUEUED and "batch" not in event.data:
            # Each goes by itself, as it does from a channel that joins nothing.
            key = f"{event.alert}:{event.data['event']}:{event.data['channel']}"
            event = replace(event, data={**event.data, "batch": key})
        self.events.append(event)
        self.book.apply(event)
        return event

    @property
    def world(self) -> World:
        return World(self.routes, muted=lambda *_: self.muted, open_of=self.book.of, fallback=self.channels)

    @property
    def alert(self) -> Alert:
        latest = self.book.latest(self.check.name)
        assert latest is not None
        return latest

    def queued(self, event: str) -> list[str]:
        return [n.channel for alert in self.book.all() for n in alert.notifications.values() if n.event == event]
