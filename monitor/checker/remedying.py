"""Remedies in the checker: starts them, writes down what became of them, has the check looked at again.

    judged ──guards──▶ started (recorded) ──stored──▶ start: a thread ──▶ ran (recorded, audited) ──▶ look
       ▲                                                                          └─ `verify` is over ──▶ look
       └──────────────────────────── verdict ◀────────────────────────────────────────┘
            of a run that waits for it: helped, no effect, harmful; then the next one, if there is to be one

At most once: a run begins when it is on the disk that it did. One that Greenwall's end has cut off counts as a run, and
is judged by the next verdicts.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path

from monitor.alerts import CHECKER, Alert, AlertBook, AlertEvent, What
from monitor.checker.loop import Loop
from monitor.checker.watch import Watch
from monitor.config import Action, CheckBase, LoadedConfig, ancestors_of, make_redactor
from monitor.model import Json, Status
from monitor.remedies import (
    AUTOMATIC,
    BY_HAND,
    Effect,
    Judgement,
    Limits,
    Past,
    Phase,
    Reason,
    Refusal,
    Remedy,
    Run,
    Situation,
    Tried,
    effect_of,
    first_refusal,
    run_action,
)
from monitor.state import CheckState
from monitor.units import seconds_between, utc_now

log = logging.getLogger(__name__)
Record = Callable[[AlertEvent], object]
Note = Callable[[str, str, str, str, bool], None]


class Remedies:
    """Runs remedies. Belongs to the loop's thread; each run has a thread of its own, which the budget bounds."""

    def __init__(self, loop: Loop, watch: Watch, book: AlertBook, record: Record, note: Note) -> None:
        """`record` stores an event with the next commit; `note(action, target, by, detail, ok)` is for the audit."""
        self._loop, self._watch, self._book = loop, watch, book
        self._record, self._note = record, note
        self._past = Past(book.all())
        # Pending runs whose time to help has passed: the next verdict tells.
        self._over: set[str] = set()
        self._ready: list[tuple[str, Action]] = []
        self._limits = Limits()
        self._checks: Mapping[str, CheckBase] = {}
        self._folder = Path()
        self._redact: Callable[[str], str] = make_redactor(())
        self._took_over = False

    def configure(self, loaded: LoadedConfig) -> None:
        """Comes after the watch's own; the first time what a former checker left unjudged is taken over."""
        general = loaded.config.general
        self._limits = Limits(general.remedies_per_hour, general.remedies_per_group)
        self._redact, self._folder, self._checks = loaded.environment.redactor(), loaded.folder, loaded.checks
        for run in list(self._past.pending.values()):
            if run.check not in self._checks:
                self._conclude(run, Judgement(Effect.NOT_KNOWN, "the check was removed from the configuration"))
            elif not self._took_over:
                self._take_over(run)
        self._took_over = True

    def judged(self, check: CheckBase, state: CheckState, alert: Alert | None, now: datetime) -> None:
        """Act on a verdict: judge the run that waits for it, and begin the next one that an open alert is to have.

        `alert` is the check's newest. Costs next to nothing for a check without remedies.
        """
        if not check.on_fail.actions and not self._past.pending:
            return
        for run in self._past.pending_of(check.name):
            judgement = effect_of(run, state, self._broken(check, run), run.key in self._over)
            if judgement:
                self._conclude(run, judgement)
        if alert and alert.is_open and state.status is Status.FAIL and not self._past.pending_of(check.name):
            self._try_in_order(check, state, alert, now)

    def by_hand(self, name: str, index: int, by: str) -> str:
        """Run one for a person; return what is done. ValueError says why it is not."""
        watched = self._watch.watched.get(name)
        actions = watched.check.on_fail.actions if watched else ()
        if watched is None or not 0 <= index < len(actions):
            which = f" {index + 1}: it has {len(actions)}" if actions else ""
            raise ValueError(f"{name} has no remedy{which}")
        alert = self._book.latest(name)
        remedy = self._remedy(watched.check, index)
        situation = self._situation(remedy, watched.state, alert, utc_now())
        refusal = first_refusal(situation, BY_HAND)
        if refusal is None:
            self._begin(situation, by)
            return f"remedy {index + 1} of {name} ({remedy.action.type}) is run now; the check is looked at afterwards"
        self._keep(_event(situation, Phase.REFUSED, by, str(refusal), reason=refusal.reason.value))
        if refusal.reason is Reason.DRY_RUN:
            return str(refusal)
        raise ValueError(f"not run, {refusal}")

    def start(self) -> None:
        """Start what was begun; comes after the commit, so that nothing is done that is not on record."""
        ready, self._ready = self._ready, []
        for key, action in ready:
            # A daemon: one that hangs must not keep Greenwall from ending.
            threading.Thread(target=self._run, args=(key, action), name="remedy", daemon=True).start()

    # ---- beginning

    def _try_in_order(self, check: CheckBase, state: CheckState, alert: Alert, now: datetime) -> None:
        for index in range(len(check.on_fail.actions)):
            remedy = self._remedy(check, index)
            situation = self._situation(remedy, state, alert, now)
            refusal = first_refusal(situation, AUTOMATIC)
            if refusal is None:
                self._begin(situation, CHECKER)
                return
            self._refuse(situation, refusal)
            was_tried = bool(self._past.of_alert(remedy, alert.id))
            if refusal.reason in (Reason.LOCKED, Reason.COOL_DOWN) and not was_tried:
                # It comes soon; what stands below it is for when it did not help.
                return

    def _begin(self, situation: Situation, by: str) -> None:
        remedy, state = situation.remedy, situation.state
        event = _event(
            situation,
            Phase.STARTED,
            by,
            remedy.deed,
            lock=remedy.lock,
            group=remedy.check.group,
            kind=state.kind.value if state.status is Status.FAIL and state.kind else "",
            verify_s=remedy.action.verify,
        )
        self._keep(event)
        self._ready.append((remedy.key, remedy.action))

    def _refuse(self, situation: Situation, refusal: Refusal) -> None:
        remedy = situation.remedy
        if self._past.was_told(remedy.key, situation.alert, refusal.reason):
            return
        self._keep(_event(situation, Phase.REFUSED, CHECKER, str(refusal), reason=refusal.reason.value))
        log.info("remedy for %s is not run: %s", remedy.check.name, refusal)
        if refusal.reason is Reason.STOPPED:
            self._note("remedy", remedy.check.name, CHECKER, f"{remedy.deed}: {refusal}", False)

    def _remedy(self, check: CheckBase, index: int) -> Remedy:
        return Remedy(check, index, self._redact(check.on_fail.actions[index].target))

    def _situation(self, remedy: Remedy, state: CheckState, alert: Alert | None, now: datetime) -> Situation:
        is_blind = self._watch.sight.is_blind
        parent = self._parent_down(remedy.check.name)
        return Situation(remedy, state, alert.id if alert else "", self._past, self._limits, now, is_blind, parent)

    def _parent_down(self, name: str) -> str:
        watched = self._watch.watched
        parents = (watched[one] for one in ancestors_of(name, self._checks) if one in watched)
        return next((one.check.name for one in parents if one.is_looked_at and one.state.is_down), "")

    # ---- running, in a thread of its own

    def _run(self, key: str, action: Action) -> None:
        try:
            tried = run_action(action, self._folder)
        except Exception as error:  # the edge: what breaks in an action is told as its failure
            log.exception("remedy %s broke", key)
            tried = Tried(False, f"{action.type} broke: {type(error).__name__}")
        self._loop.post(partial(self._ran, key, tried))

    # ---- what became of it

    def _ran(self, key: str, tried: Tried) -> None:
        run = self._past.pending.get(key)
        if run is None:
            return
        detail = self._redact(tried.detail)
        self._keep(_after(run, Phase.RAN, detail, ok=tried.ok))
        self._note("remedy", run.check, run.by, f"{run.deed}: {detail}", tried.ok)
        log.info("remedy for %s: %s", run.check, detail)
        if not tried.ok:
            self._conclude(self._past.pending[key], Judgement(Effect.NO_EFFECT, "it failed"))
        else:
            self._loop.after(run.verify_s, partial(self._time_is_up, key, run.started_at))
        # Whether it helped is for the check to say, now rather than at its next turn.
        self._watch.look(run.check, again=True)

    def _time_is_up(self, key: str, started_at: datetime) -> None:
        run = self._past.pending.get(key)
        if run is None or run.started_at != started_at:
            return
        self._over.add(key)
        watched = self._watch.watched.get(run.check)
        if watched is None or not watched.is_looked_at:
            self._conclude(run, Judgement(Effect.NOT_KNOWN, "the check is not looked at"))
        else:
            self._watch.look(run.check, again=True)

    def _take_over(self, run: Run) -> None:
        if run.ended_at is None:
            note = "Greenwall was stopped while it ran; what became of it is not known"
            self._keep(_after(run, Phase.RAN, note, ok=None))
            self._note("remedy", run.check, run.by, f"{run.deed}: {note}", False)
        left_s = run.verify_s - seconds_between(run.ended_at or utc_now(), utc_now())
        self._loop.after(max(left_s, 0.0), partial(self._time_is_up, run.key, run.started_at))

    def _conclude(self, run: Run, judgement: Judgement) -> None:
        self._over.discard(run.key)
        note = f"{judgement.effect.value}: {judgement.text}"
        self._keep(_after(run, Phase.VERDICT, note, ok=run.ok, effect=judgement.effect.value))
        log.info("remedy for %s: %s: %s", run.check, run.deed, note)

    def _broken(self, check: CheckBase, run: Run) -> list[str]:
        """Return the other checks of its group that were well when it ran, fail now, and not because of this one.

        Those that were not seen well since it began may have failed with it, in the same outage.
        """
        failing = [
            one.check
            for one in self._watch.watched.values()
            if one.check.group == check.group
            and one.state.status is Status.FAIL
            and (good := one.state.trouble.last_good)
            and good.at > run.started_at
        ]
        own = {check.name, *(one.name for one in failing if one.is_computed)}
        return [
            one.name
            for one in failing
            if one.name not in own and check.name not in ancestors_of(one.name, self._checks)
        ]

    def _keep(self, event: AlertEvent) -> None:
        self._record(event)
        self._past.apply(event)


def _event(situation: Situation, phase: Phase, by: str, note: str, **more: Json) -> AlertEvent:
    remedy = situation.remedy
    data: dict[str, Json] = {"key": remedy.key, "action": remedy.action.type, "target": remedy.target}
    return AlertEvent(situation.now, What.REMEDY, situation.alert, by, note, data | {"phase": phase.value} | more)


def _after(run: Run, phase: Phase, note: str, **more: Json) -> AlertEvent:
    data: dict[str, Json] = {"key": run.key, "action": run.type, "target": run.target}
    return AlertEvent(utc_now(), What.REMEDY, run.alert, run.by, note, data | {"phase": phase.value} | more)
