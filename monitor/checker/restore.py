"""What was known before a restart: the last snapshot, and the verdicts that came after it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor.config import CheckBase
from monitor.history import child
from monitor.history.results import results_since
from monitor.history.snapshot import Snapshot, read_snapshot
from monitor.state import AT_ONCE, CheckState, Rules, advance, unchecked
from monitor.units import utc_now

log = logging.getLogger(__name__)
# Without a snapshot the last day of results tells streaks and ticks.
_LOOK_BACK = timedelta(days=1)
# Most checks have run in the last lines of the hour file; older verdicts are asked for in a child process.
_RECENT = timedelta(minutes=5)


def restored_states(data: Path, checks: Mapping[str, CheckBase]) -> dict[str, CheckState]:
    """Return the state of every check that the files in `data` know of; `checks` say how many rounds it takes.

    Results are on disk before the snapshot that contains them, so what a kill took from the snapshot is replayed
    from them. So is the last verdict of a check that was well: should it fail now, the two are compared. A damaged
    snapshot is set aside, not overwritten.
    """
    snapshot = _snapshot(data / "state.json")
    now = utc_now()
    since = snapshot.updated_at if snapshot else now - _LOOK_BACK
    states = {name: entry.state for name, entry in snapshot.checks.items()} if snapshot else {}
    wanted = {name: at for name, state in states.items() if name in checks and (at := state.good_at)}
    recent = [at for at in wanted.values() if at > since - _RECENT]
    replayed = 0
    for result in results_since(data / "results", min(recent, default=since) - timedelta(milliseconds=1), now):
        if result.at > since:
            state = states.get(result.name) or unchecked(result.at)
            rules = Rules.of(checks[result.name]) if result.name in checks else AT_ONCE
            states[result.name], _ = advance(state, result, rules)
            replayed += 1
        elif wanted.get(result.name) == result.at:
            states[result.name] = replace(states[result.name], good=result)
    if states:
        log.info("restored %d checks; %d verdicts replayed after the last snapshot", len(states), replayed)
    return states | _older(data / "results", states, wanted)


def _older(folder: Path, states: Mapping[str, CheckState], wanted: Mapping[str, datetime]) -> dict[str, CheckState]:
    """Return the states of checks that run rarely, each with its good verdict."""
    missing = {name: at for name, at in wanted.items() if states[name].good_at}
    if not missing:
        return {}
    try:
        found = list(child.good_verdicts(folder, missing))
    except OSError as error:
        log.error("the last good verdicts of %d checks cannot be read; they go on without: %s", len(missing), error)
        return {}
    return {result.name: replace(states[result.name], good=result) for result in found}


def _snapshot(path: Path) -> Snapshot | None:
    try:
        return read_snapshot(path)
    except ValueError as error:
        aside = path.with_name(f"state.damaged-{utc_now():%Y%m%dT%H%M%S}.json")
        path.replace(aside)
        log.error("%s; it is kept as %s, and the last day of results is replayed instead", error, aside.name)
        return None
