"""`AlertService`: alerts from Python programs, by the checker of a data folder.

    with AlertService() as service:                                   a running checker takes them
        service.create_system_alert("cpu_percent", 92, 80, "web-01")
    with AlertService(own_checker=True) as service: ...               where none runs, one that delivers only

It leaves commands in the inbox as pages and the CLI do, and waits until the checker has stored what came of them:
what it returned survives a crash, and is sent at least once. Where no checker answers it raises `NoChecker`.
Channels, silences and rules are for `checks.yaml` to say.
"""

from monitor.model import Category as AlertCategory
from monitor.service.alert import Alert, AlertPriority, NotificationChannel
from monitor.service.alertservice import AlertService, NoChecker, NotDone

__all__ = ["Alert", "AlertCategory", "AlertPriority", "AlertService", "NoChecker", "NotDone", "NotificationChannel"]
