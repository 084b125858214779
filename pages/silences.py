"""Silences: who is not told of what and until when, what is planned, who is on call (`?alert=ID`, `?check=NAME`)."""

import streamlit as st

from monitor.ui import calendar, frame, silenceform, silencelist
from monitor.ui.shared import views

TABS = ["Silences", "Calendar", "On call"]

snapshot = frame.open_page("Silences")
asked, check = st.query_params.get("alert", ""), st.query_params.get("check", "")
alert = views().alert(asked) if asked else None
if asked and alert is None:
    st.warning("The alert of this address is not known any more.", icon=":material/search_off:")
silences_tab, calendar_tab, on_call_tab = st.tabs(TABS, key="view", on_change="rerun", bind="query-params")
with silences_tab:
    if silences_tab.open:
        with st.expander("New silence or maintenance", icon=":material/add_circle:", expanded=bool(alert or check)):
            silenceform.draw(snapshot, alert, check)
        silencelist.draw(snapshot)
with calendar_tab:
    if calendar_tab.open:
        calendar.silences(snapshot)
with on_call_tab:
    if on_call_tab.open:
        calendar.on_call(snapshot)
