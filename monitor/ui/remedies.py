"""What may be tried when a check fails: what became of each remedy so far, and a button to run one by hand."""

from __future__ import annotations

import streamlit as st

from monitor import commands
from monitor.config import Action
from monitor.history.snapshot import CheckEntry
from monitor.remedies import Effect, Figures, figures
from monitor.ui import frame, markup, words
from monitor.ui.shared import views
from monitor.units import format_duration

_HEADS = ("remedy", "runs", "helped", "no effect", "harmful", "not run", "well after", "last run")


def remedies(entry: CheckEntry, zone: str) -> None:
    """Draw the remedies of a check; nothing when it has none."""
    check, loaded = views().check(entry.name), views().config()
    actions = check.on_fail.actions if check else ()
    if not actions or loaded is None:
        return
    redact = loaded.environment.redactor()
    deeds = [redact(f"{action.type} {action.target}") for action in actions]
    known = figures(a for a in views().alerts() if a.source == "check" and a.resource == entry.name)
    st.subheader("Remedies", anchor=False)
    rows = [
        _row(f"{index + 1}. {deed}", known.get(f"{entry.name}#{index}", Figures("")), zone)
        for index, deed in enumerate(deeds)
    ]
    st.html(markup.table(_HEADS, rows))
    st.caption("Tried in this order once a failure is confirmed: one when those before it did not help.")
    if frame.may_act():
        with st.container(horizontal=True):
            for index, deed in enumerate(deeds):
                _by_hand(entry, index, deed, actions[index])


def _row(deed: str, known: Figures, zone: str) -> tuple[str, ...]:
    refused = ", ".join(f"{reason} {count}" for reason, count in known.refused.items())
    last = known.last
    became = (last.effect.value if last.effect else "waits for its verdict") if last else ""
    return (
        deed,
        f"{known.runs} ({known.failed} failed)" if known.failed else str(known.runs),
        str(known.effects.get(Effect.HELPED, 0)),
        str(known.effects.get(Effect.NO_EFFECT, 0)),
        str(known.effects.get(Effect.HARMFUL, 0)),
        refused or "–",
        "–" if known.recovery_s is None else format_duration(known.recovery_s),
        f"{words.local(last.started_at, zone)}, by {last.by}: {became}" if last else "–",
    )


def _by_hand(entry: CheckEntry, index: int, deed: str, action: Action) -> None:
    with st.popover(f"Run remedy {index + 1}", icon=":material/healing:"):
        st.markdown(words.md(deed))
        dry = "Dry run: it only says what it would do."
        st.caption(dry if action.dry_run else "Its lock and the hourly budgets hold for you, too.")
        if not st.button("Run it now", key=f"remedy-{index}", icon=":material/play_arrow:"):
            return
    if not frame.may_act():
        frame.refused()
        return
    applied = frame.follow(lambda: commands.remedy(views().place, entry.name, index, frame.by()))
    if applied and applied.ok:
        st.rerun()
