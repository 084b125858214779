"""Diagnose: why one check fails, streamed, with the evidence that the answer stands on."""

import threading
from collections.abc import Iterator

import streamlit as st

from monitor.diagnosis import Evidence, diagnose
from monitor.model import Status
from monitor.ui import choosing, frame, words
from monitor.ui.shared import views

LOOKBACKS = {"1 h": 3600.0, "6 h": 6 * 3600.0, "24 h": 86400.0}
WHAT_COMES = """**Diagnose** reads what was recorded in this time and writes here:

- what is wrong, and the likely cause, with how sure that is
- what else failed then, and what came of past incidents
- what to do next, and the commands to look by hand

It changes nothing. A language model answers when one is configured, else rules do; the evidence stands below it.
"""


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
if not snapshot.checks:
    st.info("No checks yet. Add one to checks.yaml; README shows how.", icon=":material/add_circle:")
    st.stop()
entry = choosing.asked_for(snapshot)
choosing.unknown(snapshot)
with st.container(horizontal=True, vertical_alignment="top"):
    choosing.chooser(snapshot, "Check", entry)
    span = st.segmented_control("Look back", list(LOOKBACKS), default="1 h", required=True, width="content")
if entry is None:
    choosing.suggested(snapshot)
    st.stop()
st.markdown(f"{words.status_badge(entry.state.status)} for {words.ago(entry.state.since).removesuffix(' ago')}")
st.text(entry.state.message)
if entry.state.status is Status.OK:
    st.caption("It is well now; a diagnosis looks at what happened before.")
if not frame.gate("ask for a diagnosis"):
    st.stop()
start = st.button("Diagnose", type="primary", icon=":material/troubleshoot:", key="start")
if start:
    if not frame.may_act():
        frame.refused()
        st.stop()
    evidence = views().evidence(entry.name, LOOKBACKS[span])
    loaded = views().config()
    stop = st.empty()
    stop.button("Stop", icon=":material/stop_circle:", key="stop")
    with st.container(border=True):
        written = st.write_stream(answer(evidence))
    stop.empty()
    text = evidence.as_text(loaded.environment.redactor()) if loaded else ""
    st.session_state["diagnosis"] = (entry.name, written, text)
elif st.session_state.get("diagnosis", ("",))[0] == entry.name:
    with st.container(border=True):
        st.markdown(st.session_state["diagnosis"][1])
else:
    st.markdown(WHAT_COMES)
if st.session_state.get("diagnosis", ("",))[0] == entry.name:
    with st.expander("Evidence", icon=":material/fact_check:"):
        st.code(st.session_state["diagnosis"][2], language=None, wrap_lines=True)
