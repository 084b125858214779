"""The `heartbeat` kind: judge a job by the pings that it has sent.

    last success ── period, or to the next time of cron ──▶ due ── grace ──▶ deadline ──▶ FAIL/deadline
    start ── max_run, else grace ──▶ FAIL/deadline        fail, exit status not 0 ──▶ FAIL/status

Reads the check's file in `data/pings/`; everything after that is a pure function of pings and `now`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from cronsim import CronSim

from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.pings import FOLDER, Ping, Signal, Told, file_name, parse, settled, told
from monitor.probes.setting import Setting
from monitor.units import after, format_duration, from_rfc3339, plain, seconds_between, to_rfc3339, utc_now

_MOST_BYTES = 1 << 20
_BODY_SHOWN = 500
# Of a schedule quicker than this, seconds are told.
_QUICK_S = 600.0


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of earlier looks: when the check and its first ping were first seen, and clocks gone wrong."""

    first_seen: datetime
    first_ping: datetime | None
    ahead: Mapping[str, datetime]

    def to_json(self) -> dict[str, Json]:
        fields: dict[str, Json] = {"first_seen": to_rfc3339(self.first_seen)}
        if self.first_ping:
            fields["first_ping"] = to_rfc3339(self.first_ping)
        if self.ahead:
            fields["ahead"] = {written: to_rfc3339(seen) for written, seen in self.ahead.items()}
        return fields


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason for FAIL, and since when there is it."""

    since: datetime
    kind: Kind
    message: str
    finding: Finding
    ping: Ping | None = None


def probe_heartbeat(check: HeartbeatCheck, setting: Setting) -> Outcome:
    """Return whether the job has told in time that it ran."""
    pings = parse(_content(setting.data / FOLDER / file_name(check.name)))
    return judge(check, pings, utc_now(), setting.timezone, setting.memory)


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except FileNotFoundError:
        return b""


def judge(
    check: HeartbeatCheck, pings: Sequence[Ping], now: datetime, timezone: str, memory: Mapping[str, Json]
) -> Outcome:
    """Return the verdict. `pings` are in the order in which they came, `memory` is that of the verdict before."""
    ahead = memory.get("ahead")
    seen = {written: at for written, text in ahead.items() if (at := _time(text))} if isinstance(ahead, Mapping) else {}
    settled_pings, still_ahead = settled(pings, now, seen)
    kept = Memory(
        first_seen=min(_time(memory.get("first_seen")) or now, now),
        first_ping=_first_ping(settled_pings, _time(memory.get("first_ping")), now),
        ahead=still_ahead,
    )
    looked = _Look(check, told(settled_pings, check.run_limit_s), now, ZoneInfo(check.timezone or timezone), kept)
    return replace(looked.verdict(), memory=kept.to_json())


def _time(value: Json) -> datetime | None:
    try:
        return from_rfc3339(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _first_ping(pings: Sequence[Ping], known: datetime | None, now: datetime) -> datetime | None:
    times = [ping.at for ping in pings if ping.signal is not Signal.LOG]
    if known:
        times.append(known)
    return min([*times, now]) if times else None


def due_after(check: HeartbeatCheck, at: datetime, zone: ZoneInfo) -> datetime:
    """Return when the ping after the one at `at` is due, in the zone.

    On a day on which the clock is put forward a time that does not exist is the first one after it; when it is put
    back, a time that comes twice is its first one, as in Debian's cron.
    """
    if check.period is not None:
        return after(at.astimezone(UTC), check.period).astimezone(zone)
    # In the hour that comes twice the next time by the face of the clock may be one that has passed.
    times: Iterator[datetime] = CronSim(check.cron or "", at.astimezone(zone))
    return next(time for time in times if time.astimezone(UTC) > at)


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at what was told."""

    check: HeartbeatCheck
    told: Told
    now: datetime
    zone: ZoneInfo
    memory: Memory

    def verdict(self) -> Outcome:
        if not (self.told.success or self.told.failure or self.memory.first_ping):
            return self._new()
        problems = list(self._problems())
        return self._down(problems) if problems else self._up()

    def _new(self) -> Outcome:
        # Neither the address nor the key: both are not for everyone who reads this.
        how = "let the job run `curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY` with this Greenwall's address"
        within_s = self.check.first_ping_within
        if within_s is None:
            message = f"no ping has come yet; {how} and the check's key when it succeeds"
            return Outcome(Status.UNKNOWN, Kind.UNCONFIGURED, message, observed={"state": "new"})
        deadline = after(self.memory.first_seen, within_s)
        by = self._clock(deadline)
        if self.now <= deadline:
            message = f"no ping has come yet, the first is expected by {by}; {how} and the check's key"
            return Outcome(Status.UNKNOWN, Kind.UNCONFIGURED, message, observed={"state": "new"})
        finding = Finding("first ping", f"by {by}", "missing")
        message = f"no ping has ever come; the first was due by {by}"
        return self._down([Problem(deadline, Kind.DEADLINE, message, finding)])

    def _problems(self) -> Iterator[Problem]:
        """Yield what is wrong, the plainest first."""
        if self.told.failure:
            yield self._failure(self.told.failure)
        yield from self._hanging()
        due, deadline = self._schedule()
        if self.now > deadline:
            success, by = self.told.success, self._clock(due)
            ever = f"no success since {self._clock(success.at)}" if success else "no success yet"
            grace = format_duration(self.check.grace)
            finding = Finding("success", f"by {by}", f"missing, {self._ago(due)} late")
            yield Problem(deadline, Kind.DEADLINE, f"{ever}; was due by {by} (grace {grace})", finding)

    def _failure(self, ping: Ping) -> Problem:
        how = f"exit status {ping.exit_status}" if ping.exit_status is not None else "a fail"
        since = self.told.failing_since or ping.at
        if ping.why:
            finding = Finding("body", "as expect_body has it", ping.why)
            return Problem(since, Kind.CONTENT, f"{ping.why} ({self._ago(ping.at)} ago)", finding, ping)
        expected = "exit status 0" if ping.exit_status is not None else "a success"
        finding = Finding("end of the run", expected, how)
        return Problem(since, Kind.STATUS, f"the job reported {how}, {self._ago(ping.at)} ago", finding, ping)

    def _hanging(self) -> Iterator[Problem]:
        limit_s = self.check.run_limit_s
        limit = format_duration(limit_s)
        overdue = [ping.at for ping in self.told.open.values() if seconds_between(ping.at, self.now) > limit_s]
        if overdue:
            began = min(overdue)
            message = f"the run that began at {self._clock(began)} has not ended within {limit}"
            finding = Finding("run", f"ended within {limit}", f"not ended after {self._ago(began)}")
            yield Problem(after(began, limit_s), Kind.DEADLINE, message, finding)
        if self.told.overran_at:
            message = f"a run that should have ended by {self._clock(self.told.overran_at)} never told that it did"
            finding = Finding("run", f"ended within {limit}", "never ended")
            yield Problem(self.told.overran_at, Kind.DEADLINE, message, finding)

    def _schedule(self) -> tuple[datetime, datetime]:
        """Return when a success is due, and the deadline. A run that began in time may take what it may take."""
        base = self.told.success.at if self.told.success else self.memory.first_ping
        assert base is not None, "only what has been told of has a schedule"
        due = due_after(self.check, base, self.zone)
        deadline = after(due.astimezone(UTC), self.check.grace)
        if self.check.max_run is not None:
            in_time = [after(began, self.check.max_run) for began in self.told.starts if began <= deadline]
            deadline = max([deadline, *in_time])
        return due, deadline

    def _down(self, problems: Sequence[Problem]) -> Outcome:
        shown = problems[0]
        observed = self._observed("down")
        if ping := shown.ping:
            more: dict[str, Json] = {"exit_status": ping.exit_status, "body": plain(ping.body, _BODY_SHOWN)}
            observed |= {key: value for key, value in more.items() if value not in ("", None)}
        return Outcome(
            Status.FAIL,
            shown.kind,
            shown.message,
            findings=(shown.finding,),
            observed=observed,
            since=min(min(problem.since for problem in problems), self.now),
        )

    def _up(self) -> Outcome:
        success = self.told.success
        due, deadline = self._schedule()
        last = f"last success {self._ago(success.at)} ago" if success else "no success yet"
        late = self.now > due
        expected = f"next expected by {self._clock(due)}"
        if late:
            expected = f"was due by {self._clock(due)}, late by {self._ago(due)}, must come by {self._clock(deadline)}"
        state = "late" if late else "up"
        if self.told.open:
            state, began = "started", min(ping.at for ping in self.told.open.values())
            last = f"running for {self._ago(began)} of at most {format_duration(self.check.run_limit_s)}, {last}"
        return Outcome(Status.OK, message=f"{last}, {expected}", observed=self._observed(state))

    def _observed(self, state: str) -> dict[str, Json]:
        success, runs = self.told.success, len(self.told.open)
        fields: dict[str, Json] = {"state": state}
        if success:
            fields["last_success_at"] = to_rfc3339(success.at)
        if success or self.memory.first_ping:
            fields["due_at"] = to_rfc3339(self._schedule()[0])
        if self.told.run_s is not None:
            fields["run_s"] = round(self.told.run_s, 3)
        return fields | {"runs": runs} if runs else fields

    def _ago(self, at: datetime) -> str:
        return format_duration(seconds_between(at, self.now))

    def _clock(self, at: datetime) -> str:
        local = at.astimezone(self.zone)
        is_today = local.date() == self.now.astimezone(self.zone).date()
        is_quick = self.check.period is not None and self.check.period < _QUICK_S
        time = f"{local:%H:%M:%S %Z}" if is_quick else f"{local:%H:%M %Z}"
        return time if is_today else f"{local:%Y-%m-%d} {time}"
