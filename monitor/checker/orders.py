"""What people ask of the checker: each verb is one small function that returns a sentence on what became of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from pydantic import ValidationError

from monitor.alerts import (
    Alert,
    AlertStatus,
    Report,
    acknowledge,
    alert_id,
    ended_by_hand,
    hears_again,
    on_report,
    resolve,
    suppress,
)
from monitor.channels import Receipt, trial_message
from monitor.checker.alertdesk import AlertDesk
from monitor.checker.remedying import Remedies
from monitor.checker.reporting import NotAReport, take_reports
from monitor.checker.silencing import Silencing
from monitor.checker.watch import Watch
from monitor.config import Config, Match, faults
from monitor.history.inbox import Command, Verb
from monitor.history.results import ResultLog
from monitor.history.snapshot import Applied
from monitor.model import Category, Flag, Json, Result, Severity, Status
from monitor.silences import end, make
from monitor.units import LATEST_YEAR, did_you_mean, format_duration, from_rfc3339, local, plain, to_rfc3339, utc_now


class Refused(ValueError):
    """The command cannot be carried out; the text says why and what to do."""


class Orders:
    """Carries commands out. Belongs to the loop's thread."""

    def __init__(
        self, watch: Watch, desk: AlertDesk, silencing: Silencing, remedies: Remedies, results: ResultLog
    ) -> None:
        self._watch = watch
        self._desk = desk
        self._silencing = silencing
        self._remedies = remedies
        self._results = results
        self._longest_silence_s, self._timezone = 0.0, "UTC"
        self._verbs: dict[Verb, Callable[[Command], tuple[str, Alert | None]]] = {
            Verb.RUN: self._run,
            Verb.PAUSE: self._pause,
            Verb.RESUME: self._resume,
            Verb.ACKNOWLEDGE: self._acknowledge,
            Verb.RESOLVE: self._resolve,
            Verb.SUPPRESS: self._suppress,
            Verb.ALERT: self._alert,
            Verb.REMEDY: self._remedy,
            Verb.SILENCE: self._silence,
            Verb.END_SILENCE: self._end_silence,
            Verb.REPORT: self._report,
            Verb.RECORD: self._record,
        }

    def configure(self, config: Config) -> None:
        self._longest_silence_s, self._timezone = config.general.longest_silence, config.general.timezone

    def carry_out(self, command: Command, later: Callable[[Applied], None]) -> Applied | None:
        """Return what became of the command; a refusal is an answer too. None: `later` is called with the answer."""
        try:
            if command.verb is Verb.TEST:
                self._test(command, later)
                return None
            detail, alert = self._verbs[command.verb](command)
        except Refused as refused:
            return Applied(command.id, False, str(refused))
        return Applied(command.id, True, detail, *((alert.id, alert.count) if alert else ()))

    def _known(self, name: str) -> str:
        if name not in self._watch.watched:
            raise Refused(f"no check is called {name!r}{did_you_mean(name, self._watch.watched)}")
        return name

    def _open_alert(self, target: str) -> Alert:
        """Return the alert of that id, or the open one of that check."""
        alert = self._desk.book.get(target) or self._desk.book.latest(target)
        if alert is None:
            raise Refused(f"no alert has the id, and no check with an alert the name, {target!r}")
        if not alert.is_open:
            word = "expired" if alert.status is AlertStatus.EXPIRED else f"resolved already, by {alert.resolved_by}"
            raise Refused(f"alert {alert.id} of {alert.resource} is {word}")
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
        alert = self._open_alert(command.target)
        taken = self._desk.take(acknowledge(alert, command.by, _note(command), utc_now()))
        self._mark(alert, True)
        return f"alert {alert.id} of {alert.resource} is acknowledged by {command.by}", taken

    def _resolve(self, command: Command) -> tuple[str, Alert | None]:
        alert = self._open_alert(command.target)
        watched = self._watch.watched.get(alert.resource) if alert.source == "check" else None
        still = watched.state.status if watched and watched.state.status in (Status.FAIL, Status.WARN) else None
        taken = self._desk.take(resolve(alert, command.by, _note(command), utc_now(), still.value if still else ""))
        self._mark(alert, False)
        said = f"alert {alert.id} of {alert.resource} is resolved by {command.by}"
        if watched and still:
            # Pages say so now, not at its next verdict.
            self._watch.note(alert.resource, ended_by_hand(watched.state, taken))
            verb = "fails" if still is Status.FAIL else "warns"
            said += f"; the check still {verb}: nobody is told of it until {hears_again(still)}"
        return said, taken

    def _mark(self, alert: Alert, acknowledged: bool) -> None:
        if alert.source == "check" and alert.resource in self._watch.watched:
            self._watch.flag(alert.resource, Flag.ACKNOWLEDGED, acknowledged)

    def _suppress(self, command: Command) -> tuple[str, Alert | None]:
        alert, until = self._open_alert(command.target), _time(command, "until")
        if until <= utc_now():
            raise Refused(f"until: expected a time in the future, got {to_rfc3339(until)}")
        self._must_end(until, "a suppression")
        taken = self._desk.take(suppress(alert, until, command.by, _note(command), utc_now()))
        return f"nobody is told of alert {alert.id} of {alert.resource} until {local(until, self._timezone)}", taken

    def _silence(self, command: Command) -> tuple[str, None]:
        now, options = utc_now(), command.options
        begins_at = _time(command, "from") if options.get("from") else now
        ends_at = self._end_of(command, now)
        asked = str(options.get("until_resolved") or "")
        until_resolved = self._open_alert(asked).id if asked else ""
        matched = options.get("match")
        try:
            match = Match.model_validate(matched if isinstance(matched, dict) else {})
            made = make(
                match,
                begins_at,
                ends_at,
                command.by,
                _note(command),
                now,
                until_resolved=until_resolved,
                is_maintenance=bool(options.get("maintenance")),
            )
        except ValidationError as error:
            raise Refused("; ".join(faults(error, Match))) from error
        except ValueError as error:
            raise Refused(str(error)) from error
        if not match.model_fields_set and not options.get("everything"):
            raise Refused("match: expected at least one key, or this would silence everything")
        silence = self._silencing.store(made)
        word = silence.word if silence else "silence"
        latest = local(ends_at, self._timezone)
        until = f"alert {until_resolved} is over, at the latest {latest}" if until_resolved else latest
        return f"{word} {made.silence} for {match} holds until {until}", None

    def _end_of(self, command: Command, now: datetime) -> datetime:
        latest = now + timedelta(seconds=self._longest_silence_s)
        if not command.options.get("until"):
            if command.options.get("until_resolved"):
                return latest
            raise Refused("until: missing")
        until = _time(command, "until")
        if not command.options.get("maintenance"):
            self._must_end(until, "a silence")
        return until

    def _must_end(self, until: datetime, what: str) -> None:
        # A command waits a moment in the inbox.
        if until > utc_now() + timedelta(seconds=self._longest_silence_s, minutes=1):
            longest = format_duration(self._longest_silence_s)
            raise Refused(f"until: {what} lasts at most {longest} (global: longest_silence)")

    def _end_silence(self, command: Command) -> tuple[str, None]:
        silence = self._silencing.book.get(command.target)
        if silence is None:
            raise Refused(f"no silence has the id {command.target!r}; what checks.yaml plans is ended there")
        if silence.is_over(utc_now()):
            raise Refused(f"{silence.word} {silence.id} is over already")
        self._silencing.store(end(silence, command.by, _note(command), utc_now()))
        return f"{silence.word} {silence.id} is ended by {command.by}: what is open is told now", None

    def _alert(self, command: Command) -> tuple[str, Alert | None]:
        channels = self._named_channels(command)
        try:
            severity = Severity.parse(str(command.options.get("severity") or "P3"))
        except ValueError as error:
            raise Refused(f"severity: {error}") from error
        message, resource = plain(str(command.options.get("message") or ""), 2000), plain(command.target, 120)
        said = message[:80] or "manual alert"
        report = Report(
            type="manual",
            resource=resource,
            title=f"{resource}: {said}",
            message=message,
            severity=severity,
            category=Category.APPLICATION,
            source="manual",
            opening="manual",
            channels=channels,
        )
        # Each that somebody sends is one of its own. A crash may leave the command in the inbox though it was done.
        identifier = alert_id(command.id, command.at)
        taken = self._desk.book.get(identifier) or self._desk.take(
            on_report(report, None, None, command.by, utc_now(), identifier=identifier)
        )
        told = ", ".join(taken.told) if taken else ""
        return f"alert for {command.target} goes to {told}", taken

    def _named_channels(self, command: Command) -> tuple[str, ...] | None:
        """Return the channels that were named, which are all tried: one that is not configured says so."""
        known = self._desk.outbox.channels
        wanted = tuple(map(str, _list(command.options.get("channels"))))
        unknown = [name for name in wanted if name not in known]
        if unknown:
            hint = did_you_mean(unknown[0], known)
            raise Refused(f"no channel is called {unknown[0]!r}{hint}; known: {', '.join(known)}")
        return wanted or None

    def _test(self, command: Command, later: Callable[[Applied], None]) -> None:
        outbox = self._desk.outbox
        channel = outbox.channels.get(command.target)
        if channel is None:
            hint = did_you_mean(command.target, outbox.channels)
            raise Refused(f"no channel is called {command.target!r}{hint}; known: {', '.join(outbox.channels)}")
        if not channel.configured:
            raise Refused(f"{channel.name} is not configured: {channel.problem}")
        message = trial_message(channel.name, command.by, outbox.letterhead, utc_now())

        def answer(receipt: Receipt) -> None:
            later(Applied(command.id, receipt.ok, f"{channel.name}: {receipt.detail}"))

        outbox.send_now(channel, message, answer)

    def _report(self, command: Command) -> tuple[str, Alert | None]:
        try:
            return take_reports(self._desk, command, utc_now())
        except NotAReport as error:
            raise Refused(str(error)) from error

    def _remedy(self, command: Command) -> tuple[str, None]:
        index = command.options.get("index")
        try:
            said = self._remedies.by_hand(
                self._known(command.target), index if isinstance(index, int) else -1, command.by
            )
        except Refused:
            raise
        except ValueError as error:
            raise Refused(str(error)) from error
        return said, None

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


def _time(command: Command, key: str) -> datetime:
    try:
        at = from_rfc3339(str(command.options.get(key)))
    except ValueError as error:
        raise Refused(
            f"{key}: expected a time such as 2026-11-21T14:00:00Z, got {command.options.get(key)!r}"
        ) from error
    if at.year >= LATEST_YEAR:
        # At the end of the calendar, zones would have no time to show for it.
        raise Refused(f"{key}: expected a time before the year {LATEST_YEAR}, got {to_rfc3339(at)}")
    return at


def _list(value: Json) -> list[Json]:
    return list(value) if isinstance(value, (list, tuple)) else []
