"""An alert desk at work: its file, its outbox, channels that answer as a test says, and a clock that a test moves."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from monitor.alerts import Alert, AlertEvent, Joining, Muted, Route, Way, What, World
from monitor.channels import Letterhead, Message, Receipt
from monitor.checker import alertdesk, outbox
from monitor.checker.alertdesk import AlertDesk, Judged
from monitor.checker.loop import Loop
from monitor.checker.silencing import Silencing
from monitor.config import CheckBase
from monitor.model import Kind, Status
from monitor.state import CheckState, advance, unchecked
from tests.make import at, events_in, http_check, result


class AtOnce(Executor):
    """Does what it is given before it says that it took it."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the future's
            future.set_exception(error)
        return future


class FakeChannel:
    """Answers as it is told, and then well. `got` is what arrived: key, and what each message tells, in words."""

    def __init__(self, name: str, *receipts: Receipt, joins: bool = True) -> None:
        self.name, self.type, self.missing, self.problem, self.configured = name, "fake", (), "", True
        self.joins, self.wants_acknowledged, self.severities = joins, not joins, ()
        self.receipts = list(receipts)
        self.down = ""
        self.asked: list[str] = []
        self.got: list[tuple[str, tuple[str, ...]]] = []

    def send(self, message: Message) -> Receipt:
        self.asked.append(message.key)
        receipt = self.receipts.pop(0) if self.receipts else Receipt(self.name, ok=not self.down, detail=self.down)
        if receipt.ok:
            said = tuple(f"{one.alert.resource} {one.event}" for one in message.members)
            self.got.append((message.key, said))
        return receipt

    @property
    def told(self) -> list[str]:
        """What arrived, in order, whatever was joined."""
        return [said for _, message in self.got for said in message]


class Office:
    """Checks, channels and a desk; `start` again is what a restart does, after `crash` with what was on disk."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *channels: str) -> None:
        self.path = folder / "alerts.jsonl"
        self.seconds = self.clock_s = 0.0
        for module in (alertdesk, outbox):
            monkeypatch.setattr(module, "utc_now", self.now)
        monkeypatch.setattr(outbox, "time", SimpleNamespace(monotonic=lambda: self.clock_s))
        self.channels = {name: FakeChannel(name) for name in (*(channels or ("ops",)), "console")}
        self.world = World(fallback=tuple(channels or ("ops",)))
        self.joining = {"default": Joining(0, 0)}
        self.muted: Muted | None = None
        self.silencing: Silencing | None = None
        self.hold = ""
        self.redact: Callable[[str], str] = str
        self.states: dict[str, CheckState] = {}
        self.start()

    def now(self) -> datetime:
        return at(self.seconds)

    def start(self) -> None:
        self.loop = Loop()
        self.desk = AlertDesk(self.path, self.loop, AtOnce())
        self.configure(is_start=True)

    def configure(self, is_start: bool = False, **world: Any) -> None:
        self.world = replace(self.world, **world)
        ways = {name: Way(joins=one.joins, fallback="console") for name, one in self.channels.items()}
        self.desk.outbox.configure(dict(self.channels), ways, self.joining, Letterhead())  # type: ignore[arg-type]
        known = replace(
            self.world,
            open_of=self.desk.book.of,
            muted=self._muted,
            keeps_incidents=lambda name: name in self.channels and self.channels[name].wants_acknowledged,
            why_not=lambda name, _: "" if name in self.channels else "no such channel any more",
        )
        self.desk.configure(known, self.redact, is_start)

    def _muted(self, alert: Alert, now: datetime) -> Muted | None:
        return self.silencing.muted(alert, now) if self.silencing else self.muted

    def beat(self) -> None:
        """Look at the clock as the checker does each second."""
        if self.silencing and self.silencing.turned(self.now()):
            self.desk.look_again()
        self.desk.tick(self.now())

    def route(self, *routes: Route) -> None:
        self.joining = {route.name: Joining(0, 0) for route in routes}
        self.configure(routes=routes)

    def silence(self, muted: Muted | None) -> None:
        self.muted = muted
        self.desk.look_again()

    def see(
        self, status: Status, name: str = "shop", check: CheckBase | None = None, kind: Kind | None = None
    ) -> Judged:
        """Judge a check's verdict, a second after the last, and do what follows."""
        self.seconds += 1
        self.clock_s += 1
        state, _ = advance(self.states.get(name, unchecked(at(-1))), result(status, self.seconds, name, kind=kind))
        self.states[name] = state
        judged = self.desk.judge(check or http_check(name), state, self.now(), lambda *_: self.hold)
        self.work()
        return judged

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
        self.clock_s += seconds
        self.work()

    def work(self) -> None:
        """Do what is to be done now, until nothing is."""
        self.beat()
        for _ in range(50):
            self.desk.commit()
            self.loop.run(0)
            # What waits because nothing could go is looked at again a moment later.
            self.clock_s += 0.25
            if not (self.desk.has_news or self.desk.outbox.is_busy):
                break
        self.desk.commit()
        self.loop.run(0)
        self.desk.commit()
        assert not self.loop.faults, self.loop.last_fault

    def crash(self, lines: int | None = None) -> None:
        """Start again with so many lines of the file; those that were not stored are lost in any case."""
        self.desk.close()
        if lines is not None:
            stored = self.path.read_bytes().splitlines(keepends=True)
            self.path.write_bytes(b"".join(stored[:lines]))
        self.start()
        self.work()

    def events(self) -> list[AlertEvent]:
        return events_in(self.path)

    def whats(self) -> list[What]:
        return [event.what for event in self.events()]

    def alert(self, name: str = "shop") -> Alert:
        alert = self.desk.book.latest(name)
        assert alert is not None
        return alert

    def told(self, channel: str = "ops") -> list[str]:
        return self.channels[channel].told
