"""The walk: which step runs, how long it may take, what it leaves for the next, and what all of it means.

step ─▶ values filled in ─▶ visit ─▶ judged as an http check ─▶ values saved ─▶ next step
                                         └ FAIL, UNKNOWN: only steps with `always` from here on
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from monitor.config import HttpCheck
from monitor.config.kinds.steps import Step, StepsCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.curl import Answer, FetchFailed
from monitor.probes.http import judge
from monitor.probes.httprequest import request_of
from monitor.probes.httpsecrets import without_secrets
from monitor.probes.redaction import spellings
from monitor.probes.setting import Setting
from monitor.probes.steps.cookies import Cookies
from monitor.probes.steps.saved import Unfit, Value, as_text, filler, find
from monitor.probes.steps.visit import visit
from monitor.probes.verdict import describe, failed, too_slow, verdict
from monitor.units import clip, format_ms

_ENDS_THE_WALK = (Status.FAIL, Status.UNKNOWN)
# A cookie as short as `dark` is no secret, and harmless words would go with it.
_SHORTEST_COOKIE = 8
# More of one does not stand in any text of an outcome, and less may, where the text was cut.
_LONGEST_SECRET, _SHORTEST_PIECE = 420, 4
_LEAST_S = 0.005
_LONGEST_MESSAGE = 400


@dataclass(frozen=True, slots=True)
class _Taken:
    """A step that ran, and what it saw; `check` is None when there was nothing to ask with."""

    step: Step
    outcome: Outcome
    check: HttpCheck | None = None

    @property
    def is_bad(self) -> bool:
        return self.outcome.status in _ENDS_THE_WALK


@dataclass
class _Walk:
    check: StepsCheck
    setting: Setting
    began: float = field(default_factory=time.monotonic)
    values: dict[str, Value] = field(default_factory=dict)
    cookies: Cookies = field(default_factory=Cookies)
    taken: list[_Taken] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    has_failed: bool = False

    def run(self) -> None:
        for index, step in enumerate(self.check.steps):
            if self.has_failed and not step.always:
                continue
            missing = [name for name in step.wanted if name not in self.values]
            if missing and self.has_failed:
                # What would have to be cleaned up never came to be.
                self.skipped.append(step.name)
                continue
            taken = _without(step, missing[0]) if missing else self._take(step, self._seconds_for(index))
            self.taken.append(taken)
            self.has_failed |= taken.is_bad and not step.always

    def _seconds_for(self, index: int) -> float:
        """Return how long this step may take: clean-ups share what is left, the others leave them their reserve."""
        now, rest = time.monotonic(), self.check.steps[index:]
        left_s = self.began + self.check.timeout - now
        waiting = [step for step in rest if step.always]
        if self.has_failed or len(waiting) == len(rest):
            return left_s / len(waiting)
        return left_s - (self.check.timeout * self.check.reserve / 100 if waiting else 0.0)

    def _take(self, step: Step, left_s: float) -> _Taken:
        if left_s < _LEAST_S:
            return _Taken(step, failed(Kind.TIMEOUT, "no time was left for it"))
        try:
            check = step.http_check(filler(self.values)).model_copy(update={"timeout": left_s})
        except Unfit as error:
            return _Taken(step, failed(Kind.CONTENT, str(error)))
        except ValidationError as error:
            # Its own sentence would show the value.
            key = next((str(part) for part in error.errors(include_url=False)[0]["loc"]), "request")
            return _Taken(step, failed(Kind.CONTENT, f"{key}: a saved value cannot stand there"))
        setting = replace(self.setting, memory=self._memory_of(step))
        request = request_of(check, setting)
        if isinstance(request, Outcome):
            return _Taken(step, request, check)
        try:
            answer, url = visit(request, self.cookies)
        except FetchFailed as error:
            return _Taken(step, judge(check, setting, error), check)
        return _Taken(step, self._save(step, answer, url, judge(check, setting, answer)), check)

    def _memory_of(self, step: Step) -> Mapping[str, Json]:
        kept = self.setting.memory.get(step.name)
        return kept if isinstance(kept, Mapping) else {}

    def _save(self, step: Step, answer: Answer, url: str, outcome: Outcome) -> Outcome:
        """Return the outcome with what could not be saved; what a failed step has serves clean-ups."""
        if not step.save:
            return outcome
        found, findings = find(step.save, answer, url, self.cookies)
        self.values |= found
        if findings and outcome.status not in _ENDS_THE_WALK:
            outcome = replace(
                outcome,
                status=Status.FAIL,
                kind=Kind.CONTENT,
                message=describe(findings),
                findings=tuple(findings),
            )
        if 200 <= answer.code <= 299:
            outcome = replace(outcome, observed={k: v for k, v in outcome.observed.items() if k != "body"})
        return outcome

    def harmless(self) -> list[_Taken]:
        """Return the steps that ran with every value and cookie of the walk taken out of what they saw."""
        cookies = [value for value in self.cookies.values() if len(value) >= _SHORTEST_COOKIE]
        secrets = [value[:_LONGEST_SECRET] for value in (*map(as_text, self.values.values()), *cookies)]
        return [
            replace(taken, outcome=without_secrets(taken.check, taken.outcome, *_seen_in(taken.outcome, secrets)))
            if taken.check
            else taken
            for taken in self.taken
        ]

    def memory(self) -> dict[str, Json] | None:
        fresh = {taken.step.name: taken.outcome.memory for taken in self.taken if taken.outcome.memory is not None}
        if not fresh:
            return None
        kept = {step.name: self._memory_of(step) for step in self.check.steps if self._memory_of(step)}
        return {**kept, **fresh}


def _seen_in(outcome: Outcome, secrets: list[str]) -> list[str]:
    """Return those of the secrets that may stand in the outcome. To look for a hundred long ones takes a second."""
    texts = [outcome.message, *(part for f in outcome.findings for part in (f.what, f.expected, f.got))]
    texts += [value for value in outcome.observed.values() if isinstance(value, str)]
    all_of_it = "\n".join(texts)

    def may_be_there(secret: str) -> bool:
        return any(form[:_SHORTEST_PIECE] in all_of_it for form in spellings(secret[:_SHORTEST_PIECE]))

    return [secret for secret in dict.fromkeys(secrets) if may_be_there(secret)]


def _without(step: Step, name: str) -> _Taken:
    return _Taken(step, failed(Kind.CONTENT, f"{{{{{name}}}}} was not saved by the steps before it"))


def probe_steps(check: StepsCheck, setting: Setting) -> Outcome:
    """Return the verdict on the walk: that of the step that ended it, or of all of them together."""
    walk = _Walk(check, setting)
    walk.run()
    taken = walk.harmless()
    latency_ms = _latency_ms(taken)
    bad = next((one for one in taken if one.is_bad and not one.step.always), None)
    untidy = [one for one in taken if one.is_bad and one.step.always]
    slow = too_slow(latency_ms, check.warn_ms, check.crit_ms, "time of all steps")
    last = bad or (untidy[0] if untidy else taken[-1])
    if bad:
        found = _as_one([bad, *untidy], bad.outcome.status)
    elif slow and slow[0] is Status.FAIL:
        found = verdict("", findings=[slow[1]], kind=Kind.SLOW)
    elif untidy:
        worst = next((one for one in untidy if one.outcome.status is Status.UNKNOWN), untidy[0])
        others = [one for one in untidy if one is not worst]
        found = _as_one([worst, *others], Status.UNKNOWN if worst.outcome.status is Status.UNKNOWN else Status.WARN)
    else:
        found = _well(taken, latency_ms, slow[1] if slow else None)
    return replace(
        found,
        latency_ms=latency_ms,
        phases_ms=_phases_ms(taken),
        code=last.outcome.code,
        observed=_observed(walk, taken, last),
        memory=walk.memory(),
    )


def _as_one(those: list[_Taken], status: Status) -> Outcome:
    """Return one verdict of several bad steps, its kind that of the first."""
    message = "; ".join(f"{_called(one)}: {one.outcome.message}" for one in those)
    findings = tuple(finding for one in those for finding in _findings(one))
    return Outcome(status, those[0].outcome.kind, clip(message, _LONGEST_MESSAGE), findings=findings)


def _called(taken: _Taken) -> str:
    return f"{'clean-up' if taken.step.always else 'step'} {taken.step.name!r}"


def _findings(taken: _Taken) -> Iterator[Finding]:
    where = f"{_called(taken)}: "
    for finding in taken.outcome.findings:
        yield replace(finding, what=where + finding.what, words=finding.words and where + finding.words)


def _well(taken: list[_Taken], latency_ms: float, slow: Finding | None) -> Outcome:
    warned = [one for one in taken if one.outcome.status is Status.WARN]
    findings = [finding for one in warned for finding in _findings(one)] + ([slow] if slow else [])
    kinds = [one.outcome.kind for one in warned if one.outcome.kind]
    return verdict(
        f"{len(taken)} steps in {format_ms(latency_ms)}",
        warnings=findings,
        warning_kind=kinds[0] if kinds else Kind.SLOW,
    )


def _latency_ms(taken: list[_Taken]) -> float:
    return sum(one.outcome.latency_ms or 0.0 for one in taken if not one.step.always)


def _phases_ms(taken: list[_Taken]) -> dict[str, float]:
    phases: dict[str, float] = {}
    for one in taken:
        for phase, ms in one.outcome.phases_ms.items() if not one.step.always else ():
            phases[phase] = phases.get(phase, 0.0) + ms
    return phases


def _observed(walk: _Walk, taken: list[_Taken], last: _Taken) -> dict[str, Json]:
    """Return what the last or the bad step saw, and the figures of each; bounded, for there are few steps."""
    observed: dict[str, Json] = dict(last.outcome.observed)
    observed["steps"] = {one.step.name: _figures(one.outcome) for one in taken}
    if walk.skipped:
        observed["skipped"] = ", ".join(walk.skipped)
    return observed


def _figures(outcome: Outcome) -> dict[str, Json]:
    phases: dict[str, Json] = {name: round(ms, 1) for name, ms in outcome.phases_ms.items() if name != "total"}
    ms = None if outcome.latency_ms is None else round(outcome.latency_ms, 1)
    return {"status": outcome.status.value, "code": outcome.code, "ms": ms, **phases}
