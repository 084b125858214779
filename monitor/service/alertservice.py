"""The service: commands into the inbox, and what the checker made of them."""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, Unpack

from monitor import commands
from monitor.alerts import Report
from monitor.alerts.insights import insights
from monitor.alerts.patterns import patterns
from monitor.alerts.reports import (
    FigureMore,
    More,
    application_error_report,
    harmless,
    performance_report,
    system_report,
)
from monitor.checker import Checker
from monitor.config import Environment, Place
from monitor.history.snapshot import Applied
from monitor.model import Category as AlertCategory
from monitor.service.alert import Alert, AlertPriority
from monitor.units import plain, utc_now
from monitor.views import Views

_READY_S = 30.0
_TEXT = 20_000


class NoChecker(RuntimeError):
    """No checker runs, or none has answered in time."""


class NotDone(ValueError):
    """The checker refused; the text says why."""


class AlertService:
    """Alerts of one place; safe to use from several threads.

    `own_checker`: where no checker runs, start one that delivers and checks nothing, until `close`; one that is
    started elsewhere meanwhile waits for that.
    """

    def __init__(
        self,
        place: Place | Path | str | None = None,
        *,
        by: str = "",
        wait_s: float = 10.0,
        own_checker: bool = False,
    ) -> None:
        """`place`: the checks file, or a `Place`; without it as the CLI chooses. `by` is who is said to report."""
        self.place = place if isinstance(place, Place) else Place.of(Path(place) if place else None)
        self._by = plain(by, 120) or _who()
        self._wait_s = wait_s
        self._views = Views(self.place)
        self._checker = self._started() if own_checker else None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the checker that was started here: what waits is sent first, for some seconds. Callable twice."""
        if self._checker:
            self._checker.stop()
            self._checker = None

    # ---- telling of trouble

    def create_alert(self, alert: Alert) -> Alert:
        """Open the alert, or count up the open one of its type and resource; return it as it is then.

        Raises NoChecker, or ValueError for what is no alert.
        """
        return self._tell(alert.report())

    def create_system_alert(
        self,
        metric_name: str,
        current_value: float,
        threshold_value: float,
        resource: str,
        **more: Unpack[FigureMore],
    ) -> Alert:
        """As `create_alert`, of a figure beyond its threshold; title, priority and advice follow from the figures."""
        return self._tell(system_report(metric_name, current_value, threshold_value, resource, **more))

    def create_performance_alert(
        self,
        metric_name: str,
        current_value: float,
        threshold_value: float,
        resource: str,
        percentile: str | None = None,
        **more: Unpack[FigureMore],
    ) -> Alert:
        """As `create_system_alert`, of a response time, a rate or a throughput; `percentile` is such as `P95`."""
        figures = (metric_name, current_value, threshold_value, resource)
        return self._tell(performance_report(*figures, percentile=percentile, **more))

    def create_application_error_alert(
        self,
        error_type: str,
        error_message: str,
        stack_trace: str | None = None,
        source: str = "application",
        affected_endpoint: str | None = None,
        affected_users: int | None = None,
        error_count: int = 1,
        **more: Unpack[More],
    ) -> Alert:
        """As `create_alert`, of an error in an application; priority follows from whom it hits and how often."""
        report = application_error_report(
            error_type, error_message, stack_trace, source, affected_endpoint, affected_users, error_count, **more
        )
        return self._tell(report)

    # ---- handling it

    def acknowledge_alert(self, alert_id: str, acknowledged_by: str = "", notes: str = "") -> Alert:
        """Say that somebody works on it: reminders and escalations end. NotDone when it is over or unknown."""
        return self._do(alert_id, commands.acknowledge(self.place, alert_id, self._signed(acknowledged_by), notes))

    def resolve_alert(self, alert_id: str, resolved_by: str = "", resolution_notes: str = "") -> Alert:
        """End it; who was told is told. The notes are shown when the same comes back."""
        return self._do(alert_id, commands.resolve(self.place, alert_id, self._signed(resolved_by), resolution_notes))

    def suppress_alert(
        self, alert_id: str, suppressed_by: str = "", reason: str = "", duration_hours: float = 1.0
    ) -> Alert:
        """Have nobody told of it for so long; what is still open then is told."""
        if not duration_hours > 0:
            raise ValueError(f"duration_hours: expected more than 0, got {duration_hours}")
        until = utc_now() + timedelta(hours=duration_hours)
        return self._do(alert_id, commands.suppress(self.place, alert_id, until, self._signed(suppressed_by), reason))

    acknowledge = acknowledge_alert
    resolve = resolve_alert
    suppress = suppress_alert

    # ---- looking at it

    def get_alert(self, alert_id: str) -> Alert | None:
        found = self._views.alert(alert_id)
        return Alert.of(found) if found else None

    def get_active_alerts(
        self, category: AlertCategory | None = None, priority: AlertPriority | None = None
    ) -> list[Alert]:
        """Return alerts that are not over, the newest first; of a category and a priority where they are named."""
        found = [Alert.of(alert) for alert in self._views.alerts() if alert.is_open]
        of_category = [alert for alert in found if category is None or alert.category == category]
        return [alert for alert in of_category if priority is None or alert.priority == priority]

    def get_alert_patterns(self, days: int = 7) -> Mapping[str, Any]:
        """Return what the alerts of the last days have in common; see `monitor.alerts.patterns` for every figure.

        `hourly_distribution` has 24 counts in UTC, `weekly_distribution` a row of 24 for each weekday, Monday first.
        """
        found = patterns(self._views.alerts(), utc_now(), days)
        return {
            "days": days,
            "total_alerts": found.total,
            "open_alerts": found.still_open,
            "most_common_type": found.most_common_type,
            "peak_hour": found.peak_hour,
            "avg_acknowledgement_time_minutes": found.mean_to_acknowledge_min,
            "avg_resolution_time_minutes": found.mean_to_resolve_min,
            "type_distribution": dict(found.by_type),
            "priority_distribution": {severity.value: count for severity, count in found.by_severity.items()},
            "hourly_distribution": list(found.hourly),
            "weekly_distribution": [list(day) for day in found.weekly],
            "noisiest": [{"resource": n.resource, "alerts": n.alerts, "seen": n.seen} for n in found.noisiest],
            "insights": list(insights(found)),
        }

    # ---- how

    def _started(self) -> Checker | None:
        """Return a checker that has the lock; None where another one has it."""
        # Not by the heartbeat: that of one which has just ended is still young.
        checker = Checker(self._views.file, self.place.data, start_demo=False, deliver_only=True)
        checker.start()
        if checker.ready.wait(_READY_S) and checker.role == "leader":
            return checker
        checker.stop()
        if checker.role == "follower":
            return None
        raise NoChecker(f"no checker could be started for {self.place.data} within {_READY_S:.0f} s")

    def _signed(self, by: str) -> str:
        return plain(by, 120) or self._by

    def _tell(self, report: Report) -> Alert:
        applied = self._outcome(commands.report(self.place, [_harmless(report, self._views)], self._by))
        alert = self._known(applied.alert or "")
        return replace(alert, notification_count=applied.count or alert.notification_count)

    def _do(self, alert_id: str, command: str) -> Alert:
        self._outcome(command)
        return self._known(alert_id)

    def _outcome(self, command: str) -> Applied:
        applied = commands.outcome(self.place, command, self._wait_s)
        if applied is None:
            raise NoChecker(
                f"no checker of {self.place.data} answered within {self._wait_s:g} s: it waits in the inbox for the "
                "next one; start `python -m monitor run`, or use AlertService(own_checker=True)"
            )
        if not applied.ok:
            raise NotDone(applied.detail)
        return applied

    def _known(self, alert_id: str) -> Alert:
        found = self.get_alert(alert_id)
        if found is None:
            raise NotDone(f"no alert has the id {alert_id!r}")
        return found


def _harmless(report: Report, views: Views) -> Report:
    """Return the report bounded, and without secrets that the environment knows."""
    loaded = views.config()
    redact = (loaded.environment if loaded else Environment.read(views.place.config.parent)).redactor()
    return replace(
        report,
        title=redact(report.title),
        message=redact(report.message),
        recommendations=tuple(map(redact, report.recommendations)),
        related_logs=redact(report.related_logs) if report.related_logs else None,
        # A stack trace keeps its lines.
        metadata=harmless(report.metadata, lambda text: redact(text)[:_TEXT]),
    )


def _who() -> str:
    try:
        return f"python {getpass.getuser()}"
    except (KeyError, OSError):  # a user id without a name, as in containers
        return "python"
