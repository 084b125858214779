"""Rules: alerts on facts of checks, beside their own verdicts. Pure.

    verdict ──facts──▶ condition of each rule that may apply ──turns──▶ Fired, Cleared ──decisions──▶ events

    facts       what a condition may name, of one verdict
    rule        a rule for use: to which checks it applies, whether it holds, how bad that is
    turns       how long each has held for each check: when it fires and when it is over
    decisions   what that means for alerts, with a reason

A check's own alert says that it is down. A rule says nothing beside it: it is noted there. Blocks of the file are in
`config.ruleblock`; `checker.ruling` asks at each verdict and stores what comes of it.
"""

from monitor.rules.decisions import on_cleared, on_fired, on_rule_removed
from monitor.rules.facts import Look
from monitor.rules.rule import NotJudged, Rule, rules_of
from monitor.rules.turns import Cleared, Fired, Turns, Unjudged
from monitor.rules.uptime import Uptime

__all__ = [
    "Cleared",
    "Fired",
    "Look",
    "NotJudged",
    "Rule",
    "Turns",
    "Unjudged",
    "Uptime",
    "on_cleared",
    "on_fired",
    "on_rule_removed",
    "rules_of",
]
