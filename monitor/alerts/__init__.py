"""Alerts: when one opens and ends, who is told, and what goes out next. Pure: takes facts and `now`.

    verdict, report, person, time ──policy──▶ events ──book──▶ Alert ──telling──▶ notifications ──lanes──▶ messages

    policy    opens, counts up, raises and ends; what it does not do has a reason, too
    telling   who is told of an alert now, who later, and why somebody is not
    lanes     what goes out next on each channel: joined, in order, again after a failure

Everything that happens is an `AlertEvent`, appended to `data/alerts.jsonl` before it takes effect; an `Alert` is what
folding its events gives, and the outbox is every notification that was queued and has no end yet. All three look at
levels, not edges: what a crash left undone is done when they are asked the next time.
"""

from monitor.alerts.alert import Alert, AlertStatus, Notification, changed, opened
from monitor.alerts.book import AlertBook
from monitor.alerts.lanes import GIVE_UP_AFTER, Dispatch, Joining, Lanes, Way
from monitor.alerts.policy import (
    Decision,
    Hold,
    Report,
    acknowledge,
    category_of,
    counted_every_s,
    due_at,
    may_not_open,
    on_blind,
    on_removed,
    on_report,
    on_sight,
    on_time,
    on_verdict,
    resolve,
    suppress,
)
from monitor.alerts.record import CHECKER, CONFIGURATION, GREENWALL, LAST_RESORT, AlertEvent, What, alert_id, redacted
from monitor.alerts.telling import ACKNOWLEDGED, Muted, Route, Step, Telling, World, tell

__all__ = [
    "ACKNOWLEDGED",
    "CHECKER",
    "CONFIGURATION",
    "GIVE_UP_AFTER",
    "GREENWALL",
    "LAST_RESORT",
    "Alert",
    "AlertBook",
    "AlertEvent",
    "AlertStatus",
    "Decision",
    "Dispatch",
    "Hold",
    "Joining",
    "Lanes",
    "Muted",
    "Notification",
    "Report",
    "Route",
    "Step",
    "Telling",
    "Way",
    "What",
    "World",
    "acknowledge",
    "alert_id",
    "category_of",
    "changed",
    "counted_every_s",
    "due_at",
    "may_not_open",
    "on_blind",
    "on_removed",
    "on_report",
    "on_sight",
    "on_time",
    "on_verdict",
    "opened",
    "redacted",
    "resolve",
    "suppress",
    "tell",
]
