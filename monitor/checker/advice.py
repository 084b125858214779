"""What to do about a check that fails, for its alert: the same table as for reports, with what the check looks at."""

from __future__ import annotations

from monitor.alerts import Report, category_of
from monitor.alerts.recommend import recommend
from monitor.config import CheckBase
from monitor.model import Json
from monitor.state import CheckState

# Beside what failed and since when there is room for the first of them.
STEPS = 4


def advice_on(check: CheckBase, state: CheckState) -> tuple[str, ...]:
    """Return what to do, the most specific first; nothing in it is secret."""
    # Loaded when something fails: it brings all of diagnosis with it.
    from monitor.diagnosis.target import target_of

    target = target_of(check)
    named: dict[str, Json] = {"url": target.url, "host": target.host, **target.parts}
    report = Report(
        type=check.type,
        resource=check.name,
        title=check.name,
        message=state.message,
        severity=check.severity,
        category=category_of(check, state.kind),
        source="check",
        kind=state.kind,
        metadata={key: value for key, value in named.items() if value},
    )
    return recommend(report, STEPS)
