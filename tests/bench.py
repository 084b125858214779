"""The checker's own thread on a workbench: time passes when a test says so, probes see what it says, no thread runs."""

from __future__ import annotations

import heapq
import itertools
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import time_machine

from monitor.alerts import Alert, What
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.loop import Loop
from monitor.checker.parents import Parents
from monitor.checker.sight import Sight
from monitor.checker.watch import Watch
from monitor.config import CheckBase
from monitor.history.jsonl import read_lines
from monitor.model import Kind, Outcome, Result, Severity, Status
from monitor.probes import Setting, run_probe
from monitor.state import CheckState, Transition
from monitor.units import utc_now
from monitor.vantage import View
from tests.make import T0, load, outcome


class StillLoop(Loop):
    """A loop whose time passes only in `pass_s`."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self._clock = clock
        self._row: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()

    def post(self, job: Callable[[], None]) -> None:
        self.after(0.0, job)

    def after(self, delay_s: float, job: Callable[[], None]) -> None:
        heapq.heappush(self._row, (time.monotonic() + delay_s, next(self._number), job))

    def pass_s(self, seconds: float) -> None:
        """Let that much time pass, and everything happen that is due in it."""
        end = time.monotonic() + seconds
        while self._row and self._row[0][0] <= end + 1e-9:
            at, _, job = heapq.heappop(self._row)
            self._clock.shift(max(at - time.monotonic(), 0.0))
            job()
        self._clock.shift(max(end - time.monotonic(), 0.0))


class Told(Executor):
    """A pool whose probes see what the bench says, and take as long as it says."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        check, setting = args
        began, takes_s = time.monotonic(), self._bench.takes_s.get(check.name, 0.01)
        self._bench.probed.append(check.name)

        def end() -> None:
            seen = fn(check, setting) if check.is_computed else self._bench.see(check.name)
            future.set_result(seen if fn is run_probe or check.is_computed else (began, seen))

        self._bench.loop.after(takes_s, end)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass


class Bench:
    """Watch, parents and alert desk, put together as the checker has them."""

    def __init__(self, text: str, folder: Path, clock: Any) -> None:
        self.folder = folder
        self.loop = StillLoop(clock)
        self.sees: dict[str, Outcome] = {}
        self.takes_s: dict[str, float] = {}
        self.probed: list[str] = []
        self.results: list[Result] = []
        self.changes: list[Transition] = []
        self.views: list[View] = []
        pool = Told(self)
        self.watch = Watch(self.loop, pool, self._on_verdict, on_view=self._on_view)
        self.watch.sight = Sight(self.loop, self.watch, self._on_view, pool_of=lambda size: pool)
        self.parents = Parents(self.loop, self.watch, self._again)
        self.desk = AlertDesk(folder / "alerts.jsonl", self.loop, pool)
        self._cycle = 0
        self.configure(text)

    def configure(self, text: str) -> None:
        loaded = load(text)
        self.config = loaded.config
        self.parents.configure(loaded.checks)
        blind = self.desk.book.blindness() is not None
        self.watch.configure(loaded.checks, Setting(self.folder), lambda seen: seen, loaded.config.vantage, blind)

    def see(self, name: str) -> Outcome:
        return self.sees.get(name, outcome(Status.OK, message="fine"))

    def fail(self, *names: str, kind: Kind = Kind.CONNECT, **more: Any) -> None:
        for name in names:
            self.sees[name] = outcome(Status.FAIL, kind, message="refused", **more)

    def heal(self, *names: str) -> None:
        for name in names:
            self.sees.pop(name, None)

    def turn(self, *names: str, seconds: float = 1.0) -> None:
        """Start these checks (or all), as the timetable would, and let time pass."""
        for name in names or tuple(self.watch.watched):
            self.watch.start(name)
        self.loop.pass_s(seconds)

    def live(self, seconds: float) -> None:
        """Let time pass; every check has its turns, the first ones spread over its interval."""
        self._cycle += 1
        for index, (name, watched) in enumerate(self.watch.watched.items()):
            share = index / len(self.watch.watched)
            self.loop.after(share * watched.check.every, lambda n=name, c=self._cycle: self._turns(n, c))
        self.loop.pass_s(seconds)

    def _turns(self, name: str, cycle: int) -> None:
        if cycle == self._cycle and name in self.watch.watched:
            self.watch.start(name)
            self.loop.after(self.watch.watched[name].check.every, lambda: self._turns(name, cycle))

    def state(self, name: str) -> CheckState:
        return self.watch.watched[name].state

    def status(self, name: str) -> Status:
        return self.state(name).status

    def alert(self, name: str) -> Alert | None:
        latest = self.desk.book.latest(name)
        return latest if latest and latest.is_open else None

    def lines(self, name: str) -> list[Result]:
        return [result for result in self.results if result.name == name]

    def held(self) -> list[tuple[str, str]]:
        """Return resource and reason of every opening that was held back, as they are on disk."""
        self.desk.commit()
        events = read_lines(self.folder / "alerts.jsonl")
        return [(e["data"]["resource"], e["note"]) for e in events if e["what"] == What.HELD]  # type: ignore[call-overload,index]

    def _on_verdict(self, check: CheckBase, state: CheckState, result: Result, change: Transition | None) -> None:
        self.results.append(result)
        self._judge(check, state)
        self.parents.judged(check.name, state)
        if change:
            self.changes.append(change)

    def _judge(self, check: CheckBase, state: CheckState) -> None:
        judged = self.desk.judge(check, state, utc_now(), self.parents.hold)
        self.watch.note(check.name, judged.held)

    def _again(self, name: str) -> None:
        self._judge(self.watch.watched[name].check, self.state(name))

    def _on_view(self, view: View) -> None:
        self.views.append(view)
        self.desk.see(view, Severity.P2)


@contextmanager
def on_the_bench(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    """Yield a bench with these checks, at 14:00."""
    with time_machine.travel(T0, tick=False) as clock:
        monkeypatch.setattr(time, "monotonic", lambda: (utc_now() - T0).total_seconds())
        yield Bench(text, folder, clock)


def checks(*names: str, more: str = "") -> str:
    """Return checks of the network by these names; `more` keys for each, such as `retries: 0`."""
    rows = [f"  - {{name: {name}, type: http, url: 'http://{name}.example'{more and ', ' + more}}}" for name in names]
    return "\n".join(rows) + "\n"
