"""An alert as Python programs hand it over and get it back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitor import alerts as engine
from monitor.alerts import AlertStatus, Report
from monitor.alerts.recommend import advised
from monitor.alerts.reports import TTL_S
from monitor.model import Category as AlertCategory
from monitor.model import Severity
from monitor.units import plain


class AlertPriority(StrEnum):
    CRITICAL = Severity.P1.value
    HIGH = Severity.P2.value
    MEDIUM = Severity.P3.value
    LOW = Severity.P4.value


class NotificationChannel(StrEnum):
    """Usual names of channels; any name that `checks.yaml` gives one will do. The dashboard shows every alert."""

    EMAIL = "email"
    SMS = "sms"
    SLACK = "slack"
    WEBHOOK = "webhook"
    DISCORD = "discord"
    TELEGRAM = "telegram"
    TEAMS = "teams"
    DASHBOARD = "dashboard"


@dataclass
class Alert:
    """An alert to create, and one that was created: what stands from `id` on is the checker's to say.

    `metadata` may be added to: handing the alert to `create_alert` again stores it and counts up. Without a `priority`
    it is MEDIUM; without recommendations they are chosen by what it is about, and `metadata["recommendations"]` has
    them, too. `notification_channels` None: by route.
    """

    alert_type: str
    title: str
    message: str
    resource: str
    priority: AlertPriority = AlertPriority.MEDIUM
    category: AlertCategory = AlertCategory.APPLICATION
    metadata: dict[str, Any] = field(default_factory=dict)
    recommendations: Sequence[str] = ()
    related_logs: str | None = None
    affected_users: int | None = None
    notification_channels: Sequence[str] | None = None
    runbook: str | None = None
    owner: str | None = None
    group: str = ""
    tags: Sequence[str] = ()
    ttl_s: float | None = TTL_S
    id: str = ""
    status: AlertStatus = AlertStatus.ACTIVE
    notification_count: int = 1
    created_at: datetime | None = None
    acknowledged_by: str = ""
    resolved_by: str = ""
    resolution_notes: str = ""

    @classmethod
    def of(cls, alert: engine.Alert) -> Alert:
        """Return an alert of the book."""
        return cls(
            alert_type=alert.type,
            title=alert.title,
            message=alert.message,
            resource=alert.resource,
            priority=AlertPriority(alert.severity.value),
            category=alert.category,
            metadata={**alert.metadata, "recommendations": list(alert.recommendations)},
            recommendations=alert.recommendations,
            related_logs=alert.related_logs,
            affected_users=alert.affected_users,
            notification_channels=alert.channels,
            runbook=alert.runbook,
            owner=alert.owner,
            group=alert.group,
            tags=alert.tags,
            ttl_s=alert.ttl_s,
            id=alert.id,
            status=alert.status,
            notification_count=alert.count,
            created_at=alert.opened_at,
            acknowledged_by=alert.acknowledged_by,
            resolved_by=alert.resolved_by,
            resolution_notes=alert.resolution,
        )

    def report(self) -> Report:
        """Return what the checker is told; ValueError for a priority or a category that is none."""
        channels = None
        if self.notification_channels is not None:
            dashboard = NotificationChannel.DASHBOARD.value
            channels = tuple(name for name in map(str, self.notification_channels) if name != dashboard)
        report = Report(
            type=plain(self.alert_type, 120),
            resource=plain(self.resource, 120),
            title=plain(self.title, 200),
            message=plain(self.message, 2000),
            severity=Severity(self.priority),
            category=AlertCategory(self.category),
            runbook=self.runbook,
            owner=plain(self.owner, 120) if self.owner else None,
            group=plain(self.group, 120),
            tags=tuple(plain(tag, 120) for tag in self.tags),
            metadata={key: value for key, value in self.metadata.items() if key != "recommendations"},
            recommendations=tuple(plain(one, 1000) for one in self.recommendations),
            related_logs=plain(self.related_logs, 2000) if self.related_logs else None,
            affected_users=self.affected_users,
            channels=channels,
            ttl_s=self.ttl_s,
        )
        return advised(report)
