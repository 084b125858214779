"""What the alerts of some days have in common: how many, when, how fast people were, what is noisy and why."""

from __future__ import annotations

import streamlit as st

from monitor import charts
from monitor.alerts.insights import insights
from monitor.alerts.patterns import Patterns
from monitor.history.snapshot import Snapshot
from monitor.ui import cached, markup, sections, words
from monitor.ui.facts import Fact
from monitor.ui.shared import views
from monitor.units import format_duration

DAYS = {"24 h": 1, "7 days": 7, "30 days": 30, "90 days": 90}
EVERY_TYPE = "all types"
_ACCOUNTING = (
    "An alert counts in the hour in which it opened. Time to acknowledge: alerts that somebody took. Time to resolve: "
    "alerts that ended, without those that expired or whose check was removed. Times in {zone}."
)


def show(snapshot: Snapshot) -> None:
    """Draw them for the days that are chosen."""
    chosen = st.segmented_control("Opened in the last", list(DAYS), default="7 days", required=True, key="days")
    found = views().patterns(DAYS[chosen])
    if not found.total:
        st.info("No alert opened in this time.", icon=":material/check_circle:")
        return
    _figures(found)
    st.markdown("\n".join(f"- {words.md(line)}" for line in insights(found)))
    _when(found)
    left, right = st.columns([2, 3], gap="large")
    with left:
        _types(found)
    with right:
        _noisy(found, snapshot)
    st.caption(_ACCOUNTING.format(zone=snapshot.checker.timezone))


def _figures(found: Patterns) -> None:
    peak = f"{found.peak_hour:02}:00–{(found.peak_hour + 1) % 24:02}:00" if found.peak_hour is not None else "–"
    told = {
        "Alerts": f"{found.total:,}",
        "Still open": f"{found.still_open:,}",
        "Most common": found.most_common_type or "–",
        "Peak hour": peak,
        "Mean time to acknowledge": _minutes(found.mean_to_acknowledge_min),
        "Mean time to resolve": _minutes(found.mean_to_resolve_min),
    }
    with st.container(horizontal=True):
        for name, value in told.items():
            st.metric(name, value, border=True, width="content")


def _minutes(minutes: float | None) -> str:
    return "–" if minutes is None else format_duration(minutes * 60)


def _when(found: Patterns) -> None:
    st.subheader("When they open", anchor=False)
    types = [EVERY_TYPE, *found.by_type]
    chosen = st.selectbox("Type", types, label_visibility="collapsed", width=320) if len(types) > 2 else EVERY_TYPE
    week = found.weekly if chosen == EVERY_TYPE else found.weekly_of_type[chosen]
    st.altair_chart(charts.heat_map(week, cached.palette()), width="stretch", key="heat")


def _types(found: Patterns) -> None:
    st.subheader("By type", anchor=False)
    rows = [(name, f"{count:,}") for name, count in list(found.by_type.items())[:20]]
    st.html(markup.table(("type", "alerts"), rows))
    levels = [f"{severity.value} {count:,}" for severity, count in found.by_severity.items() if count]
    st.caption(" · ".join(levels))


def _noisy(found: Patterns, snapshot: Snapshot) -> None:
    st.subheader("Noisiest, and what would quieten it", anchor=False)
    if not found.noisiest:
        st.caption("Nothing came more than once.")
        return
    rows = []
    for one in found.noisiest:
        entry = snapshot.checks.get(one.resource)
        heard = f"{one.alerts:,} alerts, {one.messages:,} messages"
        hints = "; ".join(hint.sentence.replace("`", "") for hint in one.hints) or "these figures do not tell"
        rows.append((sections.link(entry) if entry else one.resource, heard, Fact("", hints)))
    st.html(markup.table(("what", "heard", "what would help"), rows))
