"""Every run of a remedy, as the events of alerts tell them: what guards look back at, also after a restart. Pure.

started ──▶ ran ──▶ verdict        one run: events `remedy` on its alert, joined by the remedy's key
refused                            none was started, and why; each reason once until the next start
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from monitor.alerts import CHECKER, Alert, AlertEvent, What
from monitor.config import Action, CheckBase


class Phase(StrEnum):
    STARTED = "started"
    RAN = "ran"
    REFUSED = "refused"
    VERDICT = "verdict"


class Effect(StrEnum):
    HELPED = "helped"
    NO_EFFECT = "no effect"
    HARMFUL = "harmful"
    NOT_KNOWN = "not known"


@dataclass(frozen=True, slots=True)
class Remedy:
    """One action of a check. `target` is what it acts on, without secrets."""

    check: CheckBase
    index: int
    target: str

    @property
    def action(self) -> Action:
        return self.check.on_fail.actions[self.index]

    @property
    def key(self) -> str:
        return f"{self.check.name}#{self.index}"

    @property
    def lock(self) -> str:
        return self.action.lock or f"{self.action.type} {self.target}"

    @property
    def deed(self) -> str:
        return f"{self.action.type} {self.target}"


@dataclass(frozen=True, slots=True)
class Run:
    """One run. `kind` is how the check failed when it began, empty when it did not.

    `ok` is None while it runs, and when Greenwall was stopped meanwhile. `effect` is None until a verdict tells.
    """

    key: str
    alert: str
    type: str
    target: str
    started_at: datetime
    by: str = CHECKER
    lock: str = ""
    group: str = ""
    kind: str = ""
    verify_s: float = 0.0
    ended_at: datetime | None = None
    ok: bool | None = None
    detail: str = ""
    effect: Effect | None = None
    judged_at: datetime | None = None

    @property
    def check(self) -> str:
        return self.key.rpartition("#")[0]

    @property
    def is_automatic(self) -> bool:
        return self.by == CHECKER

    @property
    def deed(self) -> str:
        return f"{self.type} {self.target}"


class Past:
    """All runs, the newest last. Changed only by `apply`."""

    def __init__(self, alerts: Iterable[Alert] = ()) -> None:
        self._runs: dict[str, list[Run]] = {}
        self._starts: list[Run] = []
        self._told: dict[str, tuple[str, set[str]]] = {}
        self.pending: dict[str, Run] = {}
        self.refused: dict[str, Counter[str]] = {}
        events = [event for alert in alerts for event in alert.events if event.what is What.REMEDY]
        for event in sorted(events, key=lambda event: event.at):
            self.apply(event)

    def apply(self, event: AlertEvent) -> None:
        """Fold one event in."""
        key, data = str(event.data.get("key")), event.data
        # Events from before there were phases say only whether it ran.
        phase = data.get("phase") or (Phase.RAN if data.get("ran") else Phase.REFUSED)
        if phase == Phase.REFUSED:
            self._refuse(key, event)
        elif phase == Phase.STARTED:
            self._start(_begun(key, event))
        elif phase == Phase.RAN:
            if key not in self.pending:
                self._start(_begun(key, event))
            ok = data.get("ok")
            ran = replace(
                self.pending[key], ended_at=event.at, ok=ok if isinstance(ok, bool) else None, detail=event.note
            )
            # Of those from before there were phases nobody kept whether they helped.
            self._become(ran if "phase" in data else replace(ran, effect=Effect.NOT_KNOWN, judged_at=event.at))
        elif phase == Phase.VERDICT and key in self.pending:
            effect = Effect(str(data["effect"]))
            self._become(replace(self.pending[key], effect=effect, judged_at=event.at))

    def runs(self) -> Iterable[tuple[str, Sequence[Run]]]:
        """Return the key of every remedy that ever ran, and its runs."""
        return self._runs.items()

    def of(self, remedy: Remedy) -> list[Run]:
        """Return its runs. Those of another action that stood in its place in the file are not its own."""
        return [run for run in self._runs.get(remedy.key, ()) if _is_of(run, remedy)]

    def of_alert(self, remedy: Remedy, alert: str) -> list[Run]:
        """Return the runs that Greenwall began by itself for this alert."""
        return [run for run in self.of(remedy) if run.alert == alert and run.is_automatic]

    def since(self, at: datetime) -> list[Run]:
        """Return the runs that began after that, as they began."""
        found = []
        for run in reversed(self._starts):
            if run.started_at <= at:
                break
            found.append(run)
        return found

    def pending_of(self, check: str) -> list[Run]:
        """Return this check's runs that have no verdict yet: one at most, but for an edited file."""
        return [run for run in self.pending.values() if run.check == check]

    def was_told(self, key: str, alert: str, reason: str) -> bool:
        """Return whether it is on the record already that it was refused for this reason, since it ran last."""
        told_of, reasons = self._told.get(key, ("", set()))
        return told_of == alert and reason in reasons

    def _refuse(self, key: str, event: AlertEvent) -> None:
        reason = str(event.data.get("reason") or "cool-down")
        self.refused.setdefault(key, Counter())[reason] += 1
        told_of, reasons = self._told.get(key, ("", set()))
        self._told[key] = (event.alert, (reasons if told_of == event.alert else set()) | {reason})

    def _start(self, run: Run) -> None:
        self._runs.setdefault(run.key, []).append(run)
        self._starts.append(run)
        self._told.pop(run.key, None)
        self.pending[run.key] = run

    def _become(self, run: Run) -> None:
        self._runs[run.key][-1] = run
        if run.effect is None:
            self.pending[run.key] = run
        else:
            del self.pending[run.key]


def _begun(key: str, event: AlertEvent) -> Run:
    data = event.data
    return Run(
        key=key,
        alert=event.alert,
        type=str(data.get("action") or ""),
        target=str(data.get("target") or ""),
        started_at=event.at,
        by=event.by,
        lock=str(data.get("lock") or ""),
        group=str(data.get("group") or ""),
        kind=str(data.get("kind") or ""),
        verify_s=float(str(data.get("verify_s") or 0.0)),
    )


def _is_of(run: Run, remedy: Remedy) -> bool:
    return run.type == remedy.action.type and run.target in ("", remedy.target)
