"""Status reports: how long each service was up, what happened, what stands out. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from monitor.alerts import Alert
from monitor.ledger import ACCOUNTING, Tally
from monitor.units import format_duration, in_zone, seconds_between, to_rfc3339


@dataclass(frozen=True, slots=True)
class ServiceReport:
    """One service over the period. Seconds; ratios are 0 to 1, None when nothing was watched."""

    service: str
    uptime_ratio: float | None
    up_s: float
    degraded_s: float
    down_s: float
    unknown_s: float
    incidents: int
    mean_time_to_recover_s: float | None
    is_group: bool = False
    maintenance_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Report:
    since: datetime
    until: datetime
    services: tuple[ServiceReport, ...]
    uptime_ratio: float | None
    insights: tuple[str, ...]
    accounting: str = ACCOUNTING

    def to_json(self) -> dict[str, Any]:
        return {
            "since": to_rfc3339(self.since),
            "until": to_rfc3339(self.until),
            "uptime_ratio": self.uptime_ratio,
            "accounting": self.accounting,
            "insights": list(self.insights),
            "services": [asdict(service) for service in self.services],
        }

    def to_text(self, timezone: str = "UTC") -> str:
        """Return the report for a terminal or a mail, its period in this zone."""
        since, until = (in_zone(at, timezone) for at in (self.since, self.until))
        first = f" {since:%Z}" if since.utcoffset() != until.utcoffset() else ""
        head = f"Status report {since:%Y-%m-%d %H:%M}{first} to {until:%Y-%m-%d %H:%M %Z}"
        names = {s.service: f"{s.service} (group)" if s.is_group else s.service for s in self.services}
        width = max(map(len, names.values()), default=7)
        rows = [f"{'service':<{width}}  {'uptime':>9}  {'down':>10}  {'degraded':>10}  {'unknown':>10}  incidents"]
        for s in self.services:
            times = "  ".join(f"{format_duration(t):>10}" for t in (s.down_s, s.degraded_s, s.unknown_s))
            planned = f"  {format_duration(s.maintenance_s)} in maintenance" if s.maintenance_s else ""
            up = f"{percent(s.uptime_ratio):>9}"
            rows.append(f"{names[s.service]:<{width}}  {up}  {times}  {s.incidents:>9}{planned}")
        total = f"All together: {percent(self.uptime_ratio)} up. {self.accounting}."
        return "\n".join([head, "", *rows, "", total, *(f"- {line}" for line in self.insights)])


def percent(ratio: float | None) -> str:
    """Return `99.94 %`, never rounded up to 100, or an en dash."""
    if ratio is None:
        return "–"
    return "100 %" if ratio >= 1 else f"{min(ratio * 100, 99.99):.2f} %"


def build_report(
    tallies: Mapping[str, Tally],
    alerts: Sequence[Alert],
    since: datetime,
    until: datetime,
    names: Sequence[str],
    groups: Collection[str] = (),
) -> Report:
    """Return the report on these services; one without a verdict in the period is all unknown.

    Those of them that are `groups` have their rows; total and insights are of the others, unless there are none.
    """
    period_s = seconds_between(since, until)
    services = [
        _service(name, tallies.get(name, Tally(unknown_s=period_s)), alerts, since, until, name in groups)
        for name in names
    ]
    services.sort(key=lambda s: (s.uptime_ratio is None, s.uptime_ratio or 0.0, s.service))
    counted = [one for one in services if not one.is_group] or services
    together = sum((tallies[one.service] for one in counted if one.service in tallies), Tally())
    return Report(since, until, tuple(services), together.uptime_ratio, tuple(_insights(counted, period_s)))


def _service(
    name: str, seconds: Tally, alerts: Sequence[Alert], since: datetime, until: datetime, is_group: bool
) -> ServiceReport:
    mine = [a for a in alerts if a.resource == name and a.source == "check" and since < a.opened_at <= until]
    repairs = [seconds_between(a.opened_at, a.resolved_at) for a in mine if a.resolved_at]
    return ServiceReport(
        service=name,
        uptime_ratio=seconds.uptime_ratio,
        up_s=round(seconds.up_s, 1),
        degraded_s=round(seconds.degraded_s, 1),
        down_s=round(seconds.down_s, 1),
        unknown_s=round(seconds.unknown_s, 1),
        incidents=len(mine),
        mean_time_to_recover_s=round(sum(repairs) / len(repairs), 1) if repairs else None,
        is_group=is_group,
        maintenance_s=round(seconds.maintenance_s, 1),
    )


def _insights(services: Sequence[ServiceReport], period_s: float) -> list[str]:
    """Return what stands out, by rules."""
    watched = [s for s in services if s.uptime_ratio is not None]
    if not watched:
        return ["Nothing was watched in this period."]
    lines = []
    down = [s for s in watched if s.down_s > 0]
    if not down:
        lines.append("No service was down while it was watched.")
    for s in sorted(down, key=lambda s: -s.down_s)[:3]:
        repair = (
            f", {format_duration(s.mean_time_to_recover_s)} to recover on average" if s.mean_time_to_recover_s else ""
        )
        lines.append(
            f"{s.service} was down for {format_duration(s.down_s)} in {_counted(s.incidents, 'incident')}{repair}."
        )
    lines += [f"{s.service} answered slowly for {format_duration(s.degraded_s)}." for s in watched if s.degraded_s > 0][
        :3
    ]
    blind = [s for s in services if s.unknown_s > period_s / 2]
    if blind:
        lines.append(
            f"{_counted(len(blind), 'service')} had less than half of the period watched: their figures say little."
        )
    return lines


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
