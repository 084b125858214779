"""Diagnose: why one check fails, streamed, with the evidence that the answer stands on."""

import threading
from collections.abc import Iterator

import streamlit as st

from monitor.diagnosis import Evidence, diagnose
from monitor.model import Status
from monitor.ui import frame, words
from monitor.ui.shared import views

LOOKBACKS = {"1 h": 3600.0, "6 h": 6 * 3600.0, "24 h": 86400.0}


def answer(evidence: Evidence) -> Iterator[str]:
    """Yield the answer; closing it (another click, Stop, a closed tab) ends the request to the model."""
    loaded = views().config()
    if loaded is None:
        yield "checks.yaml is invalid, so that the model's settings cannot be read. Mend it first."
        return
    cancel = threading.Event()
    try:
        for piece in diagnose(evidence, loaded.config.diagnosis, loaded.environment, cancel):
            yield piece.text
    finally:
        cancel.set()


snapshot = frame.open_page(
    "Diagnose", "What is wrong, why, and what to do: from recent verdicts, neighbours and past incidents."
)
names = sorted(snapshot.checks, key=lambda name: (snapshot.checks[name].state.status.badness, name))
if not names:
    st.info("No checks yet. Add one to checks.yaml; README shows how.", icon=":material/add_circle:")
    st.stop()
asked = st.query_params.get("name")
left, right = st.columns([3, 2], vertical_alignment="bottom")
name = left.selectbox(
    "Check",
    names,
    index=names.index(asked) if asked in names else 0,
    format_func=lambda n: f"{words.SIGNS[snapshot.checks[n].state.status]} {n}",
)
if name != asked:
    st.query_params["name"] = name
span = right.segmented_control("Look back", list(LOOKBACKS), default="1 h", required=True)
entry = snapshot.checks[name]
st.markdown(f"{words.status_badge(entry.state.status)} for {words.ago(entry.state.since).removesuffix(' ago')}")
st.text(entry.state.message)
if entry.state.status is Status.OK:
    st.caption("It is well now; a diagnosis looks at what happened before.")
if not frame.gate():
    st.stop()
with st.container(horizontal=True):
    start = st.button("Diagnose", type="primary", icon=":material/troubleshoot:", key="start")
    st.button("Stop", icon=":material/stop_circle:", key="stop", help="Ends an answer that is being written.")
if start:
    if not frame.may_act():
        frame.refused()
        st.stop()
    evidence = views().evidence(name, LOOKBACKS[span])
    loaded = views().config()
    with st.container(border=True):
        written = st.write_stream(answer(evidence))
    st.session_state["diagnosis"] = (name, written, evidence.as_text(loaded.environment.redactor()) if loaded else "")
elif st.session_state.get("diagnosis", ("",))[0] == name:
    with st.container(border=True):
        st.markdown(st.session_state["diagnosis"][1])
if st.session_state.get("diagnosis", ("",))[0] == name:
    with st.expander("Evidence", icon=":material/fact_check:"):
        st.code(st.session_state["diagnosis"][2], language=None, wrap_lines=True)
