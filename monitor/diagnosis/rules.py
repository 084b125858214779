"""A diagnosis by fixed rules: what happened, why most likely, what to type next. Pure.

    Evidence ──▶ no verdicts │ all well │ kind (advice) + course (patterns) ──▶ Markdown

Answers when no model is configured or the model does not. Rests on facts only, and cites their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import indent

from monitor.diagnosis.advice import advice_on
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step
from monitor.diagnosis.evidence import Evidence
from monitor.diagnosis.facts import Key
from monitor.diagnosis.pattern import Pattern
from monitor.diagnosis.patterns import patterns_of
from monitor.diagnosis.quote import Quote, Redact, verdict
from monitor.model import Flag, Status
from monitor.units import format_duration, format_ms

BY_RULES = "written by fixed rules from the evidence, by no model"
_STEPS = 8


def _as_it_is(text: str) -> str:
    return text


def explain(evidence: Evidence, redact: Redact = _as_it_is, because: str = BY_RULES) -> str:
    """Return the diagnosis as Markdown; its first line says that it is rule-based, and `because` why.

    `redact` is applied to every text that is not Greenwall's own.
    """
    case = Case(evidence, Quote(redact, evidence.timezone))
    if not evidence.has_verdicts:
        body = _no_data(case)
    elif evidence.status is Status.OK and evidence.last_bad is None:
        body = _all_well(case)
    else:
        body = _trouble(case)
    return "\n\n".join([f"*Rule-based diagnosis: {because}.*", *body]) + "\n"


def _no_data(case: Case) -> list[str]:
    span = format_duration(case.evidence.lookback_s)
    missing = (
        "" if case.target and case.target.is_configured else " It is not in the configuration, or not under this name."
    )
    asked = by_hand(case)
    return [
        "### Nothing is known",
        f"There is no verdict of {case.name} in the last {span}, so there is nothing to explain{case.cite(Key.COUNTS)}."
        f"{missing}",
        "### What to do next",
        *_numbered(
            [
                Step("See on the wall whether the checker runs: its heartbeat says how old it is."),
                Step(
                    "See whether the check is there and enabled:",
                    f"grep -n -A 12 {case.arg('name: ' + case.evidence.subject)} checks.yaml",
                ),
                *([asked] if asked else []),
            ]
        ),
    ]


def _all_well(case: Case) -> list[str]:
    seen = case.evidence
    since = f" since {case.at(seen.since)}" if seen.since else ""
    count = (seen.statuses or {}).get(Status.OK, 0)
    lines = [
        f"- {count} verdicts in the last {format_duration(seen.lookback_s)}, all OK{case.cite(Key.COUNTS)}",
        f"- {seen.streak} OK in a row{since}{case.cite(Key.STATUS)}",
    ]
    if seen.latency.usual_ms is not None:
        now = f", now {format_ms(seen.latency.now_ms)}" if seen.latency.now_ms is not None else ""
        lines.append(f"- latency usually {format_ms(seen.latency.usual_ms)}{now}{case.cite(Key.LATENCY)}")
    if seen.incidents_count:
        lines.append(f"- {seen.incidents_count} past alerts{case.cite(Key.PAST)}")
    return ["### Nothing is wrong", f"{case.name} is OK{since}.", "\n".join(lines)]


def _trouble(case: Case) -> list[str]:
    kind = case.evidence.trouble
    advice = advice_on(case, kind) if kind else _unknown(case)
    patterns = patterns_of(case)
    confirms = [*(p.confirm for p in patterns), advice.confirm]
    steps = [*_before_acting(case), *(p.first for p in patterns if p.first), *advice.steps]
    steps += [p.then for p in patterns if p.then]
    return [
        "### What happened",
        " ".join(
            [*(p.ahead for p in patterns if p.ahead), *_happened(case), *(p.happened for p in patterns if p.happened)]
        ),
        "### Most likely cause",
        _cause(case, advice, patterns),
        "### Why we think so",
        "\n".join(f"- {text}" for text in _because(advice, patterns)),
        "### What to do next",
        *_numbered(steps[:_STEPS]),
        *_notes(case),
        "### What would confirm it",
        " ".join(text for text in confirms if text),
    ]


def _unknown(case: Case) -> Advice:
    asked = by_hand(case)
    return Advice(
        "It is not OK, and no kind of failure was recorded.",
        (f"It says {case.message}{case.cite(Key.STATUS)}.",),
        (asked,) if asked else (),
    )


def _happened(case: Case) -> list[str]:
    seen = case.evidence
    asks = f" It {case.target.does} {case.what}." if case.target else ""
    if seen.recovered and seen.last_bad and seen.since:
        was = verdict(seen.last_bad.status, seen.last_bad.outcome.kind)
        return [
            f"{case.name} has recovered already: OK since {case.at(seen.since)}. Before, it was {was} from "
            f"{case.at(case.onset_at)}, for {case.lasted}{case.cite(Key.STATUS, Key.FIRST_BAD)}.{asks}"
        ]
    state = verdict(seen.status, seen.kind)
    in_a_row = f", {seen.streak} verdicts in a row" if seen.streak > 1 else ""
    first = f"{case.name} is {state}; the trouble began at {case.at(case.onset_at)}, {case.lasted} ago{in_a_row}"
    return [f"{first}{case.cite(Key.STATUS, Key.FIRST_BAD)}.{asks}", *_flags(case)]


_FLAGS = {
    Flag.MAINTENANCE: "It is in maintenance: this may be meant.",
    Flag.PAUSED: "It is paused: this is how it was when last looked at.",
}


def _flags(case: Case) -> list[str]:
    return [text for flag, text in _FLAGS.items() if flag in case.evidence.flags]


def _cause(case: Case, advice: Advice, patterns: Sequence[Pattern]) -> str:
    shared = next((p.cause for p in patterns if p.cause), "")
    adds = [p.adds for p in patterns if p.adds]
    own = f"Taken by itself: {advice.cause}" if shared else advice.cause
    over = ["It is over; this was most likely it."] if case.evidence.recovered else []
    return " ".join([*over, *([shared] if shared else []), own, *adds])


def _because(advice: Advice, patterns: Sequence[Pattern]) -> list[str]:
    """Return what the cause that is named first stands on, then the rest."""
    ahead = [p.because for p in patterns if p.cause]
    return [*ahead, *advice.because, *(p.because for p in patterns if not p.cause)]


def _before_acting(case: Case) -> list[Step]:
    alert, steps = case.evidence.open_alert, []
    if alert and alert.holder:
        who = f"{case.code(alert.holder)} has alert {case.code(alert.id)}{case.cite(Key.ALERT)}"
        steps.append(Step(f"{who}: ask there before you change anything."))
    if case.evidence.runbook:
        steps.append(Step(f"Follow the runbook: {case.code(case.evidence.runbook, 200)}"))
    return steps


def _numbered(steps: Sequence[Step]) -> list[str]:
    return [f"{number}. {_step(step)}" for number, step in enumerate(steps, 1)]


def _step(step: Step) -> str:
    if not step.command:
        return step.text
    block = f"```sh\n{step.command}\n```"
    # Indented, the block belongs to its number, so that the numbering goes on after it.
    return f"{step.text}\n\n{indent(block, '   ')}"


def _notes(case: Case) -> list[str]:
    if case.target is None or not case.target.left_out:
        return []
    # No "secret:" before the list: the redactor would take what follows for one.
    return [f"Left out here, for secrets stay in `checks.yaml`: {', '.join(case.target.left_out)}."]
