"""How often each remedy ran, helped, did not, was refused and why: for pages and metrics. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from monitor.alerts import Alert
from monitor.remedies.past import Effect, Past, Run
from monitor.units import seconds_between


@dataclass(frozen=True, slots=True)
class Figures:
    """What became of one remedy. `failed` are runs that the far side did not accept; they are among `no effect`.

    `recovery_s` is the median time from the beginning of a run that helped to the verdict that says so.
    """

    key: str
    runs: int = 0
    failed: int = 0
    effects: Mapping[Effect, int] = field(default_factory=dict)
    refused: Mapping[str, int] = field(default_factory=dict)
    recovery_s: float | None = None
    last: Run | None = None


def figures(alerts: Iterable[Alert]) -> dict[str, Figures]:
    """Return the figures of every remedy that is on the record of these alerts, by its key (`shop#0`)."""
    past = Past(alerts)
    runs = dict(past.runs())
    return {key: _of(key, runs.get(key, ()), past.refused.get(key, {})) for key in {**runs, **past.refused}}


def _of(key: str, runs: Sequence[Run], refused: Mapping[str, int]) -> Figures:
    took = [
        seconds_between(run.started_at, run.judged_at)
        for run in runs
        if run.effect is Effect.HELPED and run.judged_at is not None
    ]
    return Figures(
        key=key,
        runs=len(runs),
        failed=sum(run.ok is False for run in runs),
        effects=Counter(run.effect for run in runs if run.effect is not None),
        refused=dict(refused),
        recovery_s=median(took) if took else None,
        last=runs[-1] if runs else None,
    )
