"""What was known before a restart: the last snapshot, and the verdicts that came after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from monitor.config import CheckBase
from monitor.history.results import results_since
from monitor.history.snapshot import Snapshot, read_snapshot
from monitor.state import AT_ONCE, CheckState, Rules, advance, unchecked
from monitor.units import utc_now

log = logging.getLogger(__name__)
# Without a snapshot the last day of results tells streaks and ticks.
_LOOK_BACK = timedelta(days=1)


def restored_states(data: Path, checks: Mapping[str, CheckBase]) -> dict[str, CheckState]:
    """Return the state of every check that the files in `data` know of; `checks` say how many rounds it takes.

    Results are on disk before the snapshot that contains them, so what a kill took from the snapshot is replayed
    from them. A damaged snapshot is set aside, not overwritten.
    """
    snapshot = _snapshot(data / "state.json")
    now = utc_now()
    since = snapshot.updated_at if snapshot else now - _LOOK_BACK
    states = {name: entry.state for name, entry in snapshot.checks.items()} if snapshot else {}
    replayed = 0
    for result in results_since(data / "results", since, now):
        state = states.get(result.name) or unchecked(result.at)
        rules = Rules.of(checks[result.name]) if result.name in checks else AT_ONCE
        states[result.name], _ = advance(state, result, rules)
        replayed += 1
    if states:
        log.info("restored %d checks; %d verdicts replayed after the last snapshot", len(states), replayed)
    return states


def _snapshot(path: Path) -> Snapshot | None:
    try:
        return read_snapshot(path)
    except ValueError as error:
        aside = path.with_name(f"state.damaged-{utc_now():%Y%m%dT%H%M%S}.json")
        path.replace(aside)
        log.error("%s; it is kept as %s, and the last day of results is replayed instead", error, aside.name)
        return None
