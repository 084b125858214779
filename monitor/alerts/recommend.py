"""What to do about a report: sentences, each with the command to type where there is one. Pure.

    report ──▶ rows of TABLE that fit, the most specific first ──▶ their steps, filled in ──▶ at most six sentences
               1. nothing answers              2. its words are in the type   what a step names and the report
               3. its kind                     4. in title or message         does not say leaves the step out
               5. its category

To teach one, add a row to `recommend_table`. `<name>` in a step stands for one of `particulars.PARTICULARS`; in a
command it is always one word, quoted for the shell, whatever a target has put there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace

from monitor.alerts.particulars import PARTICULARS
from monitor.alerts.recommend_table import DEFAULT, TABLE, Row, Step
from monitor.alerts.report import Report
from monitor.model import Category, Kind
from monitor.units import plain

LIMIT = 6
# Fewer than this, and what always helps is added.
_FEW = 3
_PLACE = re.compile(r"<([a-z-]+)>")
_READ = 2000
# StripeAPIError, slow_query and p95-latency are words for the table.
_JOINTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[_\-./:]+")
# Before all else: no query helps with a database that nobody can connect to.
_NO_ANSWER = (Kind.CONNECT, Kind.DNS, Kind.TLS)
_LOGS = (
    Step("Read its log", "tail -n 100 -- <log-file>"),
    Step("Read its log: <log>"),
)


def recommend(report: Report, limit: int = LIMIT) -> tuple[str, ...]:
    """Return what to do, the most specific first: at least one sentence, at most `limit`, none twice.

    Where its log is comes last and always finds room. Plain text on one line each, not Markdown.
    """
    logs = tuple(_sentences(_LOGS, report))[:limit]
    steps = [step for row in _fitting(report) for step in row.steps]
    found = _sentences(steps, report)
    if len(found) < _FEW:
        found = _sentences([*steps, *DEFAULT.steps], report)
    return (*found[: limit - len(logs)], *logs)


def advised(report: Report) -> Report:
    """Return the report with recommendations: its own where it has any."""
    return report if report.recommendations else replace(report, recommendations=recommend(report))


def _fitting(report: Report) -> list[Row]:
    """Return the rows that fit, the most specific first; of the same rank in the order of the table."""
    type_ = _words(f"{report.type} {report.metadata.get('error_type') or ''}")
    text = _words(_without_machine(f"{report.title} {report.message}", report))
    ranks: tuple[Callable[[Row], bool], ...] = (
        lambda row: report.kind in _NO_ANSWER and report.kind in row.kinds,
        lambda row: row.speaks_of(type_),
        lambda row: report.kind in row.kinds,
        lambda row: row.speaks_of(text),
        lambda row: report.category in row.categories,
    )
    ranked = (row for fits in ranks for row in TABLE if row.may_be(report.category) and fits(row))
    return list(dict.fromkeys(ranked))


def _without_machine(text: str, report: Report) -> str:
    """Return the text without the name of the machine: payment-3 being short of memory is no trouble of payments."""
    is_machine = report.category is Category.SYSTEM and report.resource
    return re.sub(rf"(?<!\w){re.escape(report.resource)}(?!\w)", " ", text) if is_machine else text


def _words(text: str) -> str:
    return plain(_JOINTS.sub(" ", text[:_READ]), _READ).lower()


def _sentences(steps: Iterable[Step], report: Report) -> tuple[str, ...]:
    """Return the steps that the report has everything for, each command once."""
    sentences: dict[str, str] = {}
    for step in steps:
        text = _filled(step.text, report, _in_words)
        command = _filled(step.command, report, shlex.quote)
        if text and command is not None:
            sentences.setdefault(command or text, f"{text}: {command}" if command else text)
    return tuple(sentences.values())


def _in_words(value: str) -> str:
    """Return a particular for a sentence, with nothing that a reader takes for the beginning of a command."""
    return value.replace(": ", ", ").replace("`", "'")


def _filled(template: str, report: Report, shown: Callable[[str], str]) -> str | None:
    """Return the template with everything it names; None when something is missing."""
    values = {name: PARTICULARS[name](report) for name in _PLACE.findall(template)}
    # Nothing that begins with a dash: a program would take it for an option.
    if any(not value or value.startswith("-") for value in values.values()):
        return None
    return _PLACE.sub(lambda place: shown(values[place[1]] or ""), template)
