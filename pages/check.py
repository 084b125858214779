"""Check: one check from near. What it is, how it is, what was expected and got, how it came to be so."""

import orjson
import pandas as pd
import streamlit as st

from monitor import charts, commands
from monitor.history.snapshot import CheckEntry, Snapshot
from monitor.model import Flag, Status
from monitor.ui import cached, frame, words
from monitor.ui.shared import views
from monitor.units import did_you_mean, format_ms

PHASES = ("dns", "connect", "tls", "ttfb", "total")
HOURS = {"1 h": 1.0, "6 h": 6.0, "24 h": 24.0}


def sign(snapshot: Snapshot, name: str) -> str:
    return words.SIGNS[snapshot.checks[name].state.status]


def choose(snapshot: Snapshot) -> CheckEntry:
    """Return the check of the address, or the one that is picked; the address follows the pick."""
    names = sorted(snapshot.checks, key=lambda name: (snapshot.checks[name].state.status.badness, name))
    asked = st.query_params.get("name")
    if asked and asked not in snapshot.checks:
        hint = did_you_mean(asked, names)
        st.warning(f"No check is called {words.md(repr(asked))}{words.md(hint)}. It may have been renamed or removed.")
    index = names.index(asked) if asked in names else 0
    name = st.selectbox("Another check", names, index=index, format_func=lambda n: f"{sign(snapshot, n)} {n}")
    if name != asked:
        st.query_params["name"] = name
    return snapshot.checks[name]


def head(entry: CheckEntry, snapshot: Snapshot) -> None:
    state = entry.state
    badges = [words.status_badge(state.status), words.severity_badge(entry.severity), words.flag_badges(state.flags)]
    st.title(words.md(entry.name), anchor=False)
    st.markdown(" ".join(badges))
    st.text(state.message)
    facts = [f"for {words.ago(state.since).removesuffix(' ago')}", f"{state.streak} verdicts in a row"]
    facts += [f"checked {words.ago(state.checked_at)}"] if state.checked_at else []
    facts += [f"every {entry.every_s:g} s", words.md(entry.group)]
    alert = snapshot.alert_of(entry.name)
    if alert:
        facts.append(f"alert since {words.local(alert.opened_at, snapshot.checker.timezone)}")
        facts.append(
            f"taken by {words.md(alert.acknowledged_by)}" if alert.acknowledged_by else "**nobody has it yet**"
        )
    st.caption(" · ".join(facts))
    if entry.runbook:
        st.link_button("Runbook", entry.runbook, icon=":material/menu_book:")


def act(entry: CheckEntry) -> None:
    """Run now, pause or resume, diagnose."""
    if not frame.gate():
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
            st.switch_page("pages/diagnose.py", query_params={"name": entry.name})
    if not (run or turn):
        return
    if not frame.may_act():
        frame.refused()
        return
    turned = commands.resume if is_paused else commands.pause
    command = commands.run_now if run else turned
    if frame.follow(command(views().place, entry.name, frame.by())):
        st.rerun()


def last_verdict(results: pd.DataFrame) -> None:
    """Say what was expected and got, phases, attempts and evidence of the newest verdict."""
    row = results.iloc[0]
    observed = orjson.loads(row["observed"]) if isinstance(row["observed"], str) else {}
    findings = observed.pop("findings", [])
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Expected and got", anchor=False)
        if findings:
            st.dataframe(pd.DataFrame(findings, columns=["what", "expected", "got"]), hide_index=True)
        elif row["status"] == Status.OK.value:
            st.caption("Everything was as expected.")
        else:
            st.caption("There was no answer to compare.")
        attempts = int(row["attempts"])
        st.caption(f"{attempts} probe{'s' if attempts > 1 else ''} led to this verdict.")
    with right:
        st.subheader("Evidence", anchor=False)
        phases = dict(row["phases_ms"]) if row["phases_ms"] is not None else {}
        shown = {phase: format_ms(phases[phase]) for phase in PHASES if phase in phases}
        shown |= {key: str(value) for key, value in observed.items() if value}
        if shown:
            table = pd.DataFrame(shown.items(), columns=["", "seen"])
            st.dataframe(table, hide_index=True, row_height=30)
        else:
            st.caption("This kind of check leaves none.")


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
        column_config={"at": st.column_config.DatetimeColumn(f"at ({timezone})", format="YYYY-MM-DD HH:mm:ss")},
    )


snapshot = frame.open_page()
if not snapshot.checks:
    st.info("No checks yet. Add one to checks.yaml; README shows how.", icon=":material/add_circle:")
    st.stop()
left, right = st.columns([3, 1], gap="large")
with right:
    entry = choose(snapshot)
with left:
    head(entry, snapshot)
    act(entry)
span = st.segmented_control("Time", list(HOURS), default="1 h", required=True, label_visibility="collapsed")
results = cached.results(entry.name, HOURS[span])
if results.empty:
    st.info("No verdict in this time: it was not watched.", icon=":material/visibility_off:")
    st.stop()
zone, colours = snapshot.checker.timezone, cached.palette()
st.altair_chart(charts.status_strip(results, zone, colours), width="stretch", key="strip")
if results["latency_ms"].notna().any():
    st.altair_chart(charts.latency_chart(results, zone, entry.every_s, colours), width="stretch", key="latency")
st.caption(f"Times in {zone}. Grey or empty: not watched.")
last_verdict(results)
transitions(entry, HOURS[span], zone)
