"""What people ask of the checker: each verb is one small function that returns a sentence on what became of it."""

from __future__ import annotations

from collections.abc import Callable

from monitor.alerts import Alert, acknowledge, manual_alert, resolve
from monitor.channels import default_route
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.watch import Watch
from monitor.history.inbox import Command, Verb
from monitor.history.results import ResultLog
from monitor.history.snapshot import Applied
from monitor.model import Flag, Json, Result, Severity
from monitor.units import did_you_mean, plain, utc_now


class Refused(ValueError):
    """The command cannot be carried out; the text says why and what to do."""


class Orders:
    """Carries commands out. Belongs to the loop's thread."""

    def __init__(self, watch: Watch, desk: AlertDesk, results: ResultLog) -> None:
        self._watch = watch
        self._desk = desk
        self._results = results
        self._verbs: dict[Verb, Callable[[Command], tuple[str, Alert | None]]] = {
            Verb.RUN: self._run,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.ACKNOWLEDGE: self._acknowledge,
            Verb.RESOLVE: self._resolve,
            Verb.ALERT: self._alert,
            Verb.RECORD: self._record,
        }

    def carry_out(self, command: Command) -> Applied:
        """Return what became of the command; a refusal is an answer too."""
        try:
            detail, alert = self._verbs[command.verb](command)
        except Refused as refused:
            return Applied(command.id, False, str(refused))
        return Applied(command.id, True, detail, alert.id if alert else None)

    def _known(self, name: str) -> str:
        if name not in self._watch.watched:
            raise Refused(f"no check is called {name!r}{did_you_mean(name, self._watch.watched)}")
        return name

    def _open_alert(self, command: Command) -> Alert:
        """Return the alert of that id, or the open one of that check."""
        alert = self._desk.book.get(command.target) or self._desk.book.latest(command.target)
        if alert is None:
            raise Refused(f"no alert has the id, and no check with an alert the name, {command.target!r}")
        if not alert.is_open:
            raise Refused(f"alert {alert.id} of {alert.resource} is resolved already, by {alert.resolved_by}")
        return alert

    def _run(self, command: Command) -> tuple[str, None]:
        name = self._known(command.target)
        started = self._watch.look(name, by_hand=True)
        return f"{name} is being checked now" if started else f"{name} is being checked already", None

    def _pause(self, command: Command) -> tuple[str, None]:
        self._watch.flag(self._known(command.target), Flag.PAUSED, True)
        return f"{command.target} is paused: it is not checked until it is resumed", None

    def _resume(self, command: Command) -> tuple[str, None]:
        self._watch.flag(self._known(command.target), Flag.PAUSED, False)
        self._watch.look(command.target)
        return f"{command.target} is checked again", None

    def _acknowledge(self, command: Command) -> tuple[str, Alert | None]:
        alert = self._open_alert(command)
        taken = self._desk.take(acknowledge(alert, command.by, _note(command), utc_now()))
        self._mark(alert, True)
        return f"alert {alert.id} of {alert.resource} is acknowledged by {command.by}", taken

    def _resolve(self, command: Command) -> tuple[str, Alert | None]:
        alert = self._open_alert(command)
        taken = self._desk.take(resolve(alert, command.by, _note(command), utc_now()))
        self._mark(alert, False)
        return f"alert {alert.id} of {alert.resource} is resolved by {command.by}", taken

    def _mark(self, alert: Alert, acknowledged: bool) -> None:
        if alert.source == "check" and alert.resource in self._watch.watched:
            self._watch.flag(alert.resource, Flag.ACKNOWLEDGED, acknowledged)

    def _alert(self, command: Command) -> tuple[str, Alert | None]:
        known = self._desk.outbox.channels
        wanted = tuple(map(str, _list(command.options.get("channels"))))
        unknown = [name for name in wanted if name not in known]
        if unknown:
            hint = did_you_mean(unknown[0], known)
            raise Refused(f"no channel is called {unknown[0]!r}{hint}; known: {', '.join(known)}")
        try:
            severity = Severity.parse(str(command.options.get("severity") or "P3"))
        except ValueError as error:
            raise Refused(f"severity: {error}") from error
        message = plain(str(command.options.get("message") or ""), 2000)
        # Channels that were named are all tried: one that is not configured says so in its receipt.
        channels = wanted or default_route(known, None)
        decision = manual_alert(plain(command.target, 120), severity, message, channels, command.by, utc_now())
        return f"alert for {command.target} goes to {', '.join(channels)}", self._desk.take(decision)

    def _record(self, command: Command) -> tuple[str, None]:
        lines = _list(command.options.get("results"))
        try:
            results = [Result.from_json(line) for line in lines if isinstance(line, dict)]
        except (KeyError, TypeError, ValueError) as error:
            raise Refused(f"not a result: {error}") from error
        for result in results:
            if result.name in self._watch.watched:
                raise Refused(f"{result.name} is a check: its results are its own")
            self._results.add(result)
        return f"{len(results)} results recorded", None


def _note(command: Command) -> str:
    return plain(str(command.options.get("note") or ""), 1000)


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, (list, tuple)) else []
