"""Remedies: what may be tried once a failure is confirmed, what holds it back, and whether it helped.

    guards ──refused, why──▶ on the alert
      │ none objects
      ▼
    started ──▶ action ──▶ ran, or failed ──▶ the check is looked at ──▶ helped · no effect · harmful · not known

    actions     the table of what can be done; each is one small function of its block
    guards      why one must not run now, each with a named reason; pure
    past        every run, as the events of alerts tell them: so that a restart forgets nothing; pure
    effects     what a verdict after a run says of it; pure
    figures     how often each ran, helped, was refused; pure

Called by the checker, which keeps the order of things and writes it down; by pages for the figures.
"""

from monitor.remedies.actions import Tried, run_action
from monitor.remedies.effects import Judgement, effect_of
from monitor.remedies.figures import Figures, figures
from monitor.remedies.guards import (
    AUTOMATIC,
    BY_HAND,
    Limits,
    Reason,
    Refusal,
    Situation,
    cooling_down,
    first_refusal,
)
from monitor.remedies.past import Effect, Past, Phase, Remedy, Run

__all__ = [
    "AUTOMATIC",
    "BY_HAND",
    "Effect",
    "Figures",
    "Judgement",
    "Limits",
    "Past",
    "Phase",
    "Reason",
    "Refusal",
    "Remedy",
    "Run",
    "Situation",
    "Tried",
    "cooling_down",
    "effect_of",
    "figures",
    "first_refusal",
    "run_action",
]
