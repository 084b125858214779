"""The top of the page of one check: its name and status in words, what it looks at, and what else is to be known."""

from __future__ import annotations

import streamlit as st

from monitor.flapping import percent_of_change
from monitor.history.snapshot import CheckEntry, Snapshot
from monitor.model import Flag
from monitor.ui import markup, words
from monitor.ui.shared import views

_QUIET = {"maintenance": ":material/construction:", "silence": ":material/volume_off:"}


def heading(entry: CheckEntry, snapshot: Snapshot) -> None:
    """Draw it."""
    state = entry.state
    badges = [words.status_badge(state.status), words.severity_badge(entry.severity), words.flag_badges(state.flags)]
    st.title(words.md(entry.name), anchor=False)
    st.markdown(" ".join(badges))
    st.text(state.message)
    st.html(markup.target(entry.type, views().target(entry.name)))
    st.caption(" · ".join(_said(entry, snapshot)))
    if entry.runbook:
        st.link_button("Runbook", entry.runbook, icon=":material/menu_book:")
    _explain(entry, snapshot.checker.timezone)


def _said(entry: CheckEntry, snapshot: Snapshot) -> list[str]:
    state = entry.state
    said = [
        f"for {words.ago(state.since).removesuffix(' ago')}",
        f"{state.streak} verdict{'s in a row' if state.streak != 1 else ''}",
    ]
    said += [f"checked {words.ago(state.checked_at)}"] if state.checked_at else []
    said += [words.md(entry.schedule), words.md(entry.group)]
    said += [f"owner {words.md(entry.owner)}"] if entry.owner else []
    said += [f"{state.trouble.settled.value} before that"] if state.trouble.settled else []
    alert = snapshot.alert_of(entry.name)
    if alert:
        said.append(f"alert since {words.local(alert.opened_at, snapshot.checker.timezone)}")
        nobody = "nobody has it yet" if alert.untold else "**nobody has it yet**"
        said.append(f"taken by {words.md(alert.acknowledged_by)}" if alert.acknowledged_by else nobody)
    return said


def _explain(entry: CheckEntry, zone: str) -> None:
    """Say why no alert opens, or nobody is told, though it fails."""
    state = entry.state
    if quiet := views().quiet(entry.name):
        word, reason = quiet.silence.word, words.md(quiet.reason)
        until = words.local(quiet.until, zone)
        counted = ", and this time does not count as down" if quiet.silence.is_maintenance else ""
        st.info(f"Nobody is told of what opens until {until}{counted}: {reason}.", icon=_QUIET[word])
    if Flag.FLAPPING in state.flags:
        change = f"{percent_of_change(state.ticks):.0f} %"
        text = f"It flaps: it fails and recovers so often (change: {change}) that its failures open no new alert."
        st.info(text, icon=":material/swap_vert:")
    elif state.note:
        st.info(f"No alert opens for this now: {words.md(state.note)}.", icon=":material/notifications_paused:")
