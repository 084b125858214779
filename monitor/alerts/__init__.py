"""Alerts: when one opens and ends, who is told, and what goes out next. Pure: takes facts and `now`.

    verdict ──policy─┐
    report ──report──┼─▶ events ──book──▶ Alert ──telling──▶ notifications ──lanes──▶ messages
    person ──people──┘

    policy, report, people    open, count up, raise and end; what they do not do has a reason, too
    telling   who is told of an alert now, who later, and why somebody is not
    lanes     what goes out next on each channel: joined, in order, again after a failure

Everything that happens is an `AlertEvent`, appended to `data/alerts.jsonl` before it takes effect; an `Alert` is what
folding its events gives, and the outbox is every notification that was queued and has no end yet. All three look at
levels, not edges: what a crash left undone is done when they are asked the next time.
"""

from monitor.alerts.alert import Alert, AlertStatus, Notification, changed, opened
from monitor.alerts.book import AlertBook
from monitor.alerts.decision import Decision
from monitor.alerts.lanes import GIVE_UP_AFTER, Dispatch, Joining, Lanes, Way
from monitor.alerts.limit import UsedUp, used_up
from monitor.alerts.people import acknowledge, due_at, hears_again, on_time, resolve, suppress
from monitor.alerts.policy import (
    Hold,
    category_of,
    ended_by_hand,
    may_not_open,
    on_blind,
    on_removed,
    on_sight,
    on_verdict,
)
from monitor.alerts.record import CHECKER, CONFIGURATION, GREENWALL, LAST_RESORT, AlertEvent, What, alert_id, redacted
from monitor.alerts.report import Report, counted_every_s, on_report
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
    "UsedUp",
    "Way",
    "What",
    "World",
    "acknowledge",
    "alert_id",
    "category_of",
    "changed",
    "counted_every_s",
    "due_at",
    "ended_by_hand",
    "hears_again",
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
    "used_up",
]
