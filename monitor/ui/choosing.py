"""Choosing the one check that a page is about: the address names it, or a list does. No page guesses."""

from __future__ import annotations

import streamlit as st

from monitor.history.snapshot import CheckEntry, Snapshot
from monitor.model import Status
from monitor.ui import sections, words
from monitor.units import nearest


def asked_for(snapshot: Snapshot) -> CheckEntry | None:
    """Return the check that the address names, if there is one of that name."""
    return snapshot.checks.get(st.query_params.get("name", ""))


def chooser(snapshot: Snapshot, label: str, entry: CheckEntry | None) -> None:
    """Draw the list of checks, the worst first; whoever picks another one gets the page about that."""
    names = sorted(snapshot.checks, key=lambda name: (snapshot.checks[name].state.status.badness, name))
    name = st.selectbox(
        label,
        names,
        index=names.index(entry.name) if entry else None,
        placeholder="Choose a check",
        format_func=lambda one: f"{words.SIGNS[snapshot.checks[one].state.status]} {one}",
    )
    if name and (entry is None or name != entry.name):
        st.query_params["name"] = name
        st.rerun()


def unknown(snapshot: Snapshot) -> None:
    """Say that no check has the name of the address, and which is near it; nothing when it has none."""
    asked = st.query_params.get("name")
    if not asked or asked in snapshot.checks:
        return
    st.warning(f"No check is called {words.md(repr(asked))}. It may have been renamed or removed.")
    near = nearest(asked, snapshot.checks)
    sections.related(snapshot, "Did you mean", [near] if near else [])


def suggested(snapshot: Snapshot) -> None:
    """List the checks that one may have come for: those in trouble."""
    bad = [entry.name for entry in snapshot.checks.values() if entry.state.status is not Status.OK]
    sections.related(snapshot, "Worst now", bad)
    if not bad:
        st.caption("All checks are well.")
