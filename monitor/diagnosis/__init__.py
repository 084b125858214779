"""Says why a check fails, with evidence: by a model where one is configured, by rules where not.

    records ──gather──▶ Evidence ──diagnose──▶ Piece, Piece, …
                                      ├─ model   when OPENAI_API_KEY is set         (ask, llm, wire)
                                      └─ rules   when not, or when the model fails  (rules, advice, patterns)

Called by the page, the command line and the HTTP command. Decides nothing, changes nothing, runs no command that
it names. What a model writes is untrusted: it is handed out as text that cannot load or hide anything.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import closing

from monitor.config import DiagnosisBlock, Environment
from monitor.diagnosis.evidence import Evidence, gather
from monitor.diagnosis.llm import stream
from monitor.diagnosis.neutral import Neutraliser, neutralise
from monitor.diagnosis.piece import DiagnosisUnavailable, Piece, Source
from monitor.diagnosis.rules import explain

__all__ = ["DiagnosisUnavailable", "Evidence", "Piece", "Source", "diagnose", "explain", "gather", "stream"]

NO_MODEL = "no model is configured (set OPENAI_API_KEY to have one answer)"
NOTHING_TO_ASK = "there are no verdicts that a model could be asked about"


def diagnose(
    evidence: Evidence, settings: DiagnosisBlock, environment: Environment, cancel: threading.Event
) -> Generator[Piece, None, None]:
    """Yield the answer piece by piece; there always is one, except when `cancel` ends it early.

    The pieces of one answer, put together, are one Markdown text. When the model fails, the answer by rules
    follows what it had said; its first line says why.
    """
    if not environment.get("OPENAI_API_KEY") or not evidence.has_verdicts:
        yield _by_rules(evidence, environment, NOTHING_TO_ASK if not evidence.has_verdicts else NO_MODEL)
        return
    said = ""
    try:
        with closing(_by_model(evidence, settings, environment, cancel)) as pieces:
            for piece in pieces:
                said += piece.text
                yield piece
    except DiagnosisUnavailable as failed:
        because = f"the model's answer broke off: {failed.reason}" if said else f"no model answered: {failed.reason}"
        if said:
            yield Piece(_parting(said), Source.RULES)
        yield _by_rules(evidence, environment, because)


def _by_model(
    evidence: Evidence, settings: DiagnosisBlock, environment: Environment, cancel: threading.Event
) -> Generator[Piece, None, None]:
    neutraliser = Neutraliser()
    text = evidence.as_text(environment.redactor())
    with closing(stream(text, settings, environment, cancel)) as chunks:
        for chunk in chunks:
            if clean := neutraliser.feed(chunk):
                yield Piece(clean, Source.MODEL)
    if rest := neutraliser.rest():
        yield Piece(rest, Source.MODEL)


def _by_rules(evidence: Evidence, environment: Environment, because: str) -> Piece:
    redact = environment.redactor()
    # Again on the whole: two texts that stand side by side may only together look like a credential.
    return Piece(neutralise(redact(explain(evidence, redact, because))), Source.RULES)


def _parting(said: str) -> str:
    """Return a line between two answers; a code block that the first left open would swallow the second."""
    is_open = sum(line.lstrip().startswith("```") for line in said.splitlines()) % 2
    return ("\n```" if is_open else "") + "\n\n---\n\n"
