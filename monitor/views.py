"""What pages, CLI and HTTP read. Everything comes from the files, so that a follower sees what the leader writes.

Nothing here changes anything. Files are parsed again only when they have changed.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from zoneinfo import ZoneInfo

from monitor.alerts import Alert, AlertEvent, UsedUp, used_up
from monitor.alerts.patterns import Patterns, patterns
from monitor.channels import Letterhead, preview, read_templates, sample
from monitor.config import (
    CheckBase,
    ConfigFile,
    GroupCheck,
    LoadedConfig,
    Place,
    ancestors_of,
    members_of,
)
from monitor.diagnosis import Evidence, gather
from monitor.diagnosis.target import shown_url
from monitor.history.alertlog import BookReader
from monitor.history.latency import latency_by_bucket, latency_by_check
from monitor.history.query import DamagedHistory, changes_frame, results_frame
from monitor.history.seconds import seconds_frame, totals
from monitor.history.silencelog import read_silences
from monitor.history.snapshot import Snapshot
from monitor.history.statefile import StateFile
from monitor.ledger import MAINTENANCE, Tally, tally
from monitor.model import Result, Status, Subject
from monitor.oncall import OnCall
from monitor.pings import FOLDER, Ping, file_name, parse
from monitor.silences import Quiet, Silence, SilenceBook, planned, quiet
from monitor.units import plain, seconds_between, utc_now

if TYPE_CHECKING:
    import pandas as pd

# The checker writes its heartbeat each second; a process that is suspended or a full disk stops it.
HEARTBEAT_OLD_S = 10.0
# Clocks of two machines differ by less than this.
AHEAD_S = 5.0
_UPTIME_KEPT_S = 300.0
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")
T = TypeVar("T")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Now:
    """The snapshot as it can be read: `trouble` says why there is none, `age_s` how old its heartbeat is."""

    snapshot: Snapshot | None
    trouble: str = ""
    age_s: float | None = None

    @property
    def is_old(self) -> bool:
        return self.age_s is None or self.age_s > HEARTBEAT_OLD_S


@dataclass(frozen=True)
class Relations:
    """The checks that one has to do with, by name.

    `parents` are those that it depends on, the nearest first; `children` those that depend on it directly; `members`
    what it is made of, as a group; `groups` the groups that it is a member of.
    """

    parents: tuple[str, ...] = ()
    children: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class _Kept:
    """Values made from files, kept until the files change. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[object, tuple[object, Any]] = {}

    def get(self, key: object, stamp: object, make: Callable[[], T]) -> T:
        with self._lock:
            known = self._values.get(key)
        if known is not None and known[0] == stamp:
            value: T = known[1]
            return value
        value = make()
        with self._lock:
            self._values[key] = (stamp, value)
        return value


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0, 0)
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)


class Views:
    """Everything that can be read of one place."""

    def __init__(self, place: Place) -> None:
        self.place = place
        # For the checker of this process too: what is read is there once.
        self.file = ConfigFile(place.config)
        self._state = StateFile(place.state)
        self._kept = _Kept()
        self._book = BookReader(place.alerts)
        self._heartbeat = (datetime.min.replace(tzinfo=UTC), 0.0)

    def now(self) -> Now:
        """Return the present, or why it cannot be read."""
        try:
            snapshot = self._kept.get("state", _stamp(self.place.state), self._state.read)
        except (ValueError, OSError) as error:
            return Now(None, str(error))
        if snapshot is None:
            return Now(None, "no checker has written data/state.json yet")
        return Now(snapshot, age_s=self._age_s(snapshot.checker.heartbeat_at))

    def _age_s(self, heartbeat_at: datetime) -> float:
        """Return the heartbeat's age by the clock, or by how long this process has seen it unchanged, if that is more.

        One that lies in the future was written before the clock was set back: it is as old as it is ahead.
        """
        if heartbeat_at != self._heartbeat[0]:
            self._heartbeat = (heartbeat_at, time.monotonic())
        age_s = seconds_between(heartbeat_at, utc_now())
        by_clock_s = -age_s if age_s < -AHEAD_S else max(age_s, 0.0)
        return max(by_clock_s, time.monotonic() - self._heartbeat[1])

    def config(self) -> LoadedConfig | None:
        """Return the configuration that holds: the last good one while the file is invalid, as the checker does.

        None where this process has never seen it good; the snapshot's notice says what is wrong.
        """
        return self.file.last_good()

    def check(self, name: str) -> CheckBase | None:
        """Return the check as configured."""
        loaded = self.config()
        return loaded.checks.get(name) if loaded else None

    def target(self, name: str) -> str:
        """Return what the check looks at, without secrets; empty when that is not known."""
        loaded, check = self.config(), self.check(name)
        if loaded is None or check is None:
            return ""
        shown = _URL.sub(lambda url: shown_url(url[0]), check.target)
        return plain(loaded.environment.redactor()(shown), 300)

    def members(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the checks that each group is made of; nothing where it is not known."""
        loaded = self.config()
        return self._kept.get("members", loaded.sources.stamps, lambda: _members(loaded.checks)) if loaded else {}

    def relations(self, name: str) -> Relations:
        """Return which checks this one has to do with; none where it is not known."""
        loaded, members = self.config(), self.members()
        if loaded is None or name not in loaded.checks:
            return Relations()
        return Relations(
            parents=ancestors_of(name, loaded.checks),
            children=tuple(one.name for one in loaded.checks.values() if name in one.depends_on),
            members=members.get(name, ()),
            groups=tuple(group for group, names in members.items() if name in names),
        )

    def pings(self, name: str, newest: int = 10) -> list[Ping]:
        """Return the last pings of a heartbeat, the newest first."""
        path = self.place.data / FOLDER / file_name(name)
        try:
            return parse(path.read_bytes())[: -newest - 1 : -1]
        except FileNotFoundError:
            return []

    def alerts(self) -> list[Alert]:
        """Return all alerts, the newest first."""
        return self._book.read().all()[::-1]

    def alert(self, identifier: str) -> Alert | None:
        return self._book.read().get(identifier)

    def held(self, resource: str) -> AlertEvent | None:
        """Return the last record of why a failure of this check opened no alert."""
        return self._book.read().held(resource)

    def joined(self, batch: str) -> int:
        """Return how many alerts the message with this key told of."""
        path = self.place.alerts
        counts = self._kept.get("joined", _stamp(path), lambda: _batches(self._book.read().all()))
        return counts.get(batch, 0)

    def limit(self, channel: str) -> UsedUp | None:
        """Return that a channel has sent as many messages as it may in an hour; None while it may send more."""
        loaded, snapshot = self.config(), self.now().snapshot
        blocks = loaded.config.channels if loaded else ()
        per_hour = next((block.per_hour for block in blocks if block.name == channel), None)
        if per_hour is None or snapshot is None:
            return None
        return used_up(self._book.read().all(), channel, per_hour, snapshot.checker.started_at, utc_now())

    def patterns(self, days: int) -> Patterns:
        """Return what the alerts of the last days have in common, in the zone of the configuration."""
        loaded = self.config()
        zone = ZoneInfo(loaded.config.general.timezone if loaded else "UTC")
        return patterns(self._book.read().all(), utc_now(), days, zone)

    def silences(self) -> Sequence[Silence]:
        """Return the silences that people made, and the maintenance; those that are over, too. The newest first."""
        path = self.place.silences
        return self._kept.get("silences", _stamp(path), lambda: SilenceBook(read_silences(path)).all())[::-1]

    def planned(self) -> tuple[Silence, ...]:
        """Return the maintenance that the configuration plans; none where it is not known."""
        loaded = self.config()
        return self._kept.get("planned", loaded.sources.stamps, lambda: planned(loaded)) if loaded else ()

    def subjects(self) -> Mapping[str, Subject]:
        """Return what silences look at of each check; nothing where it is not known."""
        loaded = self.config()
        return self._kept.get("subjects", loaded.sources.stamps, lambda: _subjects(loaded.checks)) if loaded else {}

    def meant(self) -> list[Subject]:
        """Return what a silence can mean: checks, and what open alerts are about; nothing where it is not known."""
        checks = list(self.subjects().values())
        return [*checks, *(alert.subject for alert in self.alerts() if alert.is_open)] if checks else []

    def holding(self) -> list[Silence]:
        """Return the silences and the maintenance that hold now."""
        now = utc_now()
        return [one for one in (*self.silences(), *self.planned()) if one.stretch(now)]

    def quiet(self, name: str) -> Quiet | None:
        """Return the silence or maintenance that this check is meant by now."""
        subject = self.subjects().get(name)
        return quiet(subject, self.holding(), utc_now()) if subject else None

    def on_call(self) -> tuple[OnCall, ...]:
        """Return the rotas; none where it is not known."""
        loaded = self.config()
        return tuple(one.plan(loaded.config.general.timezone) for one in loaded.config.on_call) if loaded else ()

    def preview(self, event: str, count: int = 1) -> Mapping[str, str]:
        """Return what channels would get for made-up alerts: subject, text, html, short."""
        loaded, now = self.config(), utc_now()
        templates, _ = read_templates(self.place.config.parent)
        general = loaded.config.general if loaded else None
        zone, url = (general.timezone, general.wall_url) if general else ("UTC", None)
        return preview(sample(now, event, count), Letterhead(url, zone, templates), now)

    def results(
        self,
        since: datetime,
        until: datetime,
        name: str | None = None,
        statuses: Sequence[Status] = (),
        newest: int = 50_000,
    ) -> pd.DataFrame:
        """Return verdicts, the newest first, with the columns of a result line."""
        return results_frame(self.place.results, since, until, name, statuses, newest)

    def seconds(self, since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
        """Return name, bucket, status, seconds, verdicts."""
        return seconds_frame(self.place.results, since, until, bucket_s)

    def latencies(self, since: datetime, until: datetime) -> pd.DataFrame:
        """Return name, p50_ms, p95_ms of each check, within 1 %."""
        return latency_by_check(self.place.results, since, until)

    def latency(self, since: datetime, until: datetime, bucket_s: float, name: str) -> pd.DataFrame:
        """Return bucket, p50_ms, p95_ms of one check, exactly."""
        return latency_by_bucket(self.place.results, since, until, bucket_s, name)

    def tallies(self, since: datetime, until: datetime) -> dict[str, Tally]:
        """Return how each check, endpoints checked by hand among them, spent the time."""
        return tallies(totals(self.place.results, since, until), seconds_between(since, until))

    def changes(self, since: datetime, until: datetime, name: str | None = None) -> pd.DataFrame:
        """Return at, name, before, status, kind, message of verdicts that changed a status, the newest first."""
        return changes_frame(self.place.results, since, until, name)

    def uptime(self, days: int = 30) -> float | None:
        """Return the uptime ratio of all configured checks together, groups aside, at most five minutes old."""
        together = self.together(days)
        return together.uptime_ratio if together else None

    def together(self, days: int = 30) -> Tally | None:
        """Return how all configured checks together spent the time, groups aside, at most five minutes old."""
        turn = int(time.monotonic() // _UPTIME_KEPT_S)
        return self._kept.get(("together", days), turn, lambda: self._together(days))

    def _together(self, days: int) -> Tally | None:
        until = utc_now()
        since = until - timedelta(days=days)
        snapshot = self.now().snapshot
        try:
            rows = self.tallies(since, until)
        except DamagedHistory:
            log.exception("the uptime of %d days cannot be read; the board goes without it", days)
            return None
        counted = {one.name for one in snapshot.checks.values() if not one.is_group} if snapshot else set()
        return sum((t for name, t in rows.items() if name in counted), Tally())

    def evidence(self, subject: str, lookback_s: float) -> Evidence:
        """Return what is known of a check, or of an endpoint that was checked by hand, for its diagnosis."""
        until = utc_now()
        since = until - timedelta(seconds=lookback_s)
        own = to_results(self.results(since, until, subject, newest=500))[::-1]
        bad = (Status.FAIL, Status.WARN, Status.UNKNOWN)
        others = [r for r in to_results(self.results(since, until, statuses=bad, newest=500)) if r.name != subject]
        snapshot, loaded = self.now().snapshot, self.config()
        entry = snapshot.checks.get(subject) if snapshot else None
        return gather(
            subject=subject,
            now=until,
            results=own,
            neighbours=others,
            state=entry.state if entry else None,
            alerts=[alert for alert in self.alerts() if alert.resource == subject],
            check=self.check(subject),
            lookback_s=lookback_s,
            checks=loaded.checks if loaded else {},
            states={name: one.state for name, one in snapshot.checks.items()} if snapshot else {},
            timezone=loaded.config.general.timezone if loaded else "UTC",
        )

    def known_subjects(self, lookback_s: float) -> list[str]:
        """Return the names of checks, and of endpoints with results in the time, that a diagnosis can be asked for."""
        snapshot = self.now().snapshot
        until = utc_now()
        watched = self.tallies(until - timedelta(seconds=lookback_s), until)
        return list(dict.fromkeys([*(snapshot.checks if snapshot else ()), *watched]))


def _batches(alerts: Iterable[Alert]) -> Mapping[str, int]:
    carried = {(n.batch, alert.id) for alert in alerts for n in alert.notifications.values() if n.batch}
    return Counter(batch for batch, _ in carried)


def _subjects(checks: Mapping[str, CheckBase]) -> dict[str, Subject]:
    return {name: check.subject for name, check in checks.items() if check.enabled}


def _members(checks: Mapping[str, CheckBase]) -> dict[str, tuple[str, ...]]:
    groups = {
        name: members_of(check, checks.values()) for name, check in checks.items() if isinstance(check, GroupCheck)
    }
    return {name: tuple(one for one in names if checks[one].enabled) for name, names in groups.items()}


def tallies(rows: Iterable[tuple[str, str, float]], period_s: float) -> dict[str, Tally]:
    """Return the tally of each check from rows of check, status or MAINTENANCE, and seconds.

    The seconds add up to the period at most.
    """
    sums: dict[str, dict[str, float]] = {}
    for name, status, seconds in rows:
        of_name = sums.setdefault(name, {})
        of_name[status] = of_name.get(status, 0.0) + float(seconds)
    return {name: _tally(seconds, period_s) for name, seconds in sums.items()}


def _tally(sums: Mapping[str, float], period_s: float) -> Tally:
    judged = {Status(status): seconds for status, seconds in sums.items() if status != MAINTENANCE}
    return tally(judged, period_s, sums.get(MAINTENANCE, 0.0))


def to_results(frame: pd.DataFrame) -> list[Result]:
    """Return the verdicts of a results frame, in its order."""
    import orjson
    import pandas as pd

    found = []
    for row in frame.to_dict("records"):
        line: dict[str, Any] = {str(k): None if _is_missing(v, pd) else v for k, v in row.items()}
        line["at"] = line["at"].isoformat()
        line["observed"] = orjson.loads(line["observed"]) if line["observed"] else {}
        line["flags"] = list(line["flags"]) if line["flags"] is not None else []
        line["code"] = None if line["code"] is None else int(line["code"])
        found.append(Result.from_json(line))
    return found


def _is_missing(value: Any, pd: Any) -> bool:
    return value is None or (not hasattr(value, "__len__") and bool(pd.isna(value)))
