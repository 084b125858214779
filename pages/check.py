"""Check: one check from near. What it is, how it is, what was expected and got, how it came to be so."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from monitor import charts, commands
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.history.snapshot import CheckEntry, Snapshot
from monitor.model import Flag, Status
from monitor.ui import alertlist, cached, choosing, frame, remedies, sections
from monitor.ui.heading import heading
from monitor.ui.shared import views
from monitor.units import utc_now
from monitor.views import Relations

DIAGNOSE = Path(__file__).with_name("diagnose.py")
HOURS = {"1 h": 1.0, "6 h": 6.0, "24 h": 24.0}


@st.fragment(run_every=5)
def live_heading(name: str) -> None:
    """Draw the heading anew by itself: "checked 3 s ago" is not to stand there for an hour."""
    snapshot = views().now().snapshot
    if snapshot and name in snapshot.checks:
        heading(snapshot.checks[name], snapshot)


def act(entry: CheckEntry) -> None:
    """Run now, pause or resume, diagnose."""
    if not frame.gate("run, pause or diagnose this check"):
        return
    is_paused = Flag.PAUSED in entry.state.flags
    with st.container(horizontal=True):
        run = st.button("Run now", icon=":material/play_arrow:", key="run")
        turn = st.button(
            "Resume" if is_paused else "Pause",
            icon=":material/play_circle:" if is_paused else ":material/pause_circle:",
            key="pause",
        )
        if st.button("Diagnose", icon=":material/troubleshoot:", key="diagnose"):
            st.switch_page(DIAGNOSE, query_params={"name": entry.name})
        if st.button("Silence …", icon=":material/volume_off:", key="silence"):
            st.switch_page(DIAGNOSE.with_name("silences.py"), query_params={"check": entry.name})
    if not (run or turn):
        return
    if not frame.may_act():
        frame.refused()
        return
    turned = commands.resume if is_paused else commands.pause
    command = commands.run_now if run else turned
    if frame.follow(lambda: command(views().place, entry.name, frame.by())):
        st.rerun()


def draw_time(entry: CheckEntry, results: pd.DataFrame, hours: float, zone: str) -> None:
    """Draw the status over the time, and the latency where there is one."""
    if results.empty:
        st.info("No verdict in this time: it was not watched.", icon=":material/visibility_off:")
        return
    colours, until = cached.palette(), utc_now()
    span = charts.clock_span(until - timedelta(hours=hours), until, zone)
    st.altair_chart(charts.status_strip(results, zone, span, colours), width="stretch", key="strip")
    if results["latency_ms"].notna().any():
        chart = charts.latency_chart(results, zone, span, entry.every_s, colours)
        st.altair_chart(chart, width="stretch", key="latency")
    st.caption(f"Times in {zone}. Blue is maintenance, grey could not be judged, empty was not watched.")


def verdict(entry: CheckEntry, snapshot: Snapshot, last: dict[str, Any], related: Relations, zone: str) -> None:
    """Draw all that is known of the newest verdict."""
    observed = last.get("observed", {})
    left, right = st.columns([3, 2], gap="large")
    with left:
        if last:
            rows = observed.get("findings") or []
            sections.findings(entry, rows, Status(last["status"]), last["kind"], int(last["attempts"]))
        sections.changed(entry, zone)
        sections.steps(views().check(entry.name), observed)
        sections.members(entry, snapshot, related.members, observed)
        if entry.type == "heartbeat":
            check = views().check(entry.name)
            sections.heartbeat(entry, check if isinstance(check, HeartbeatCheck) else None, observed, zone)
        if entry.type != "steps":
            sections.phases(last.get("phases_ms", {}))
    with right:
        told = sections.figures(entry, observed, zone)
        sections.certificate(observed)
        if last:
            sections.seen(entry, observed, last["code"], zone, told)
        sections.related(snapshot, "Depends on", related.parents)
        sections.related(snapshot, "Needed by", related.children)
        sections.related(snapshot, "Part of", related.groups)


def transitions(entry: CheckEntry, hours: float, timezone: str) -> None:
    st.subheader("Changes of status", anchor=False)
    changes = cached.changes(entry.name, hours)
    changes = changes[changes["before"].notna()]
    if changes.empty:
        st.caption("None in this time.")
        return
    table = changes.assign(
        at=charts.wall_clock(changes["at"], timezone), change=changes["before"] + " → " + changes["status"]
    )
    st.dataframe(
        table[["at", "change", "kind", "message"]],
        hide_index=True,
        placeholder="",
        column_config={"at": st.column_config.DatetimeColumn(f"at ({timezone})", format="YYYY-MM-DD HH:mm:ss")},
    )


snapshot = frame.open_page()
if not snapshot.checks:
    st.info("No checks yet. Add one to checks.yaml; README shows how.", icon=":material/add_circle:")
    st.stop()
entry = choosing.asked_for(snapshot)
if entry is None:
    st.title("Check", anchor=False)
    choosing.unknown(snapshot)
    choosing.chooser(snapshot, "Check", None)
    choosing.suggested(snapshot)
    st.stop()
left, right = st.columns([3, 1], gap="small")
with left:
    live_heading(entry.name)
    act(entry)
with right:
    choosing.chooser(snapshot, "Another check", entry)
span = st.segmented_control("Time", list(HOURS), default="1 h", required=True, label_visibility="collapsed")
zone, results = snapshot.checker.timezone, cached.results(entry.name, HOURS[span])
draw_time(entry, results, HOURS[span], zone)
verdict(entry, snapshot, cached.newest(entry, results), views().relations(entry.name), zone)
remedies.remedies(entry, zone)
transitions(entry, HOURS[span], zone)
alertlist.of_check(entry.name, zone)
