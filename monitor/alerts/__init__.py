"""Alerts: when one opens and closes, who is told, and the record of it. Pure: takes facts and `now`.

    verdict FAIL, this outage has no alert ──▶ opened ──▶ acknowledged ──▶ resolved
    verdict OK or WARN, an alert is open   ──────────────────────────────▲
    verdict FAIL while a parent is down, or while it flaps ──▶ held: it opens when that is over and it still fails
    verdict UNKNOWN                            changes nothing: it could not be judged

Everything that happens is an `AlertEvent`, appended to `data/alerts.jsonl` before it takes effect; an `Alert` is
what folding its events gives, and the outbox is every notification that was queued and has no end yet. The policy
looks at levels, not edges: a crash between a verdict and its alert is made good by the next verdict.
"""

from monitor.alerts.policy import (
    Decision,
    acknowledge,
    category_of,
    manual_alert,
    may_not_open,
    on_blind,
    on_removed,
    on_sight,
    on_verdict,
    resolve,
)
from monitor.alerts.record import (
    CHECKER,
    CONFIGURATION,
    GREENWALL,
    Alert,
    AlertBook,
    AlertEvent,
    AlertStatus,
    Notification,
    What,
    alert_id,
)

__all__ = [
    "CHECKER",
    "CONFIGURATION",
    "GREENWALL",
    "Alert",
    "AlertBook",
    "AlertEvent",
    "AlertStatus",
    "Decision",
    "Notification",
    "What",
    "acknowledge",
    "alert_id",
    "category_of",
    "manual_alert",
    "may_not_open",
    "on_blind",
    "on_removed",
    "on_sight",
    "on_verdict",
    "resolve",
]
