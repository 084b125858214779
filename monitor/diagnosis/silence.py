"""How far a probe came that got no answer; whatever answers proves that its host and its process live. Pure.

    name ── Silence.NAME ──▶ host ── Silence.HOST ──▶ port ── Silence.PORT ──▶ process ── Silence.PROCESS ──▶ answer

Only checks that are silent in the same way may have one cause.
"""

from __future__ import annotations

from enum import StrEnum

from monitor.diagnosis.target import Target
from monitor.diagnosis.target.look import is_loopback
from monitor.model import Kind, Outcome


class Silence(StrEnum):
    """What did not answer."""

    NAME = "no resolver has the name"
    HOST = "no sign of life from the host"
    PORT = "the host refuses the connection"
    PROCESS = "the process says nothing"


def silence_of(outcome: Outcome, target: Target | None) -> Silence | None:
    """Return what did not answer; None when something did, or when nothing was asked over a network."""
    if target is not None and not target.reaches_out:
        return None
    if outcome.kind is Kind.DNS:
        # To a look-up that is the answer.
        return None if target is not None and target.type == "dns" else Silence.NAME
    is_here = any(map(is_loopback, (target.host if target else "", str(outcome.observed.get("address") or ""))))
    if outcome.kind is Kind.CONNECT:
        # A refusal is an answer of the host's kernel, and has no kind of its own.
        return Silence.PORT if is_here or "refused" in outcome.message.lower() else Silence.HOST
    if outcome.kind is not Kind.TIMEOUT or outcome.observed.get("subscribed"):
        return None
    # The kernel of our own machine is there: it drops a connection only when the process accepts none.
    return Silence.PROCESS if is_here or "connect" in outcome.phases_ms else Silence.HOST
