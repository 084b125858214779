"""Alerts: what is open and what was, what they have in common, how channels do; one alert from near (`?alert=ID`)."""

import streamlit as st

from monitor.ui import alertlist, alertroom, channeldesk, frame, patterns
from monitor.ui.shared import views

TABS = ["Open", "Past", "Patterns", "Channels", "Send an alert"]

asked = st.query_params.get("alert")
snapshot = frame.open_page("" if asked else "Alerts")
if asked:
    alertroom.show(asked, snapshot)
    st.stop()
alerts = views().alerts()
now_open = sorted((alert for alert in alerts if alert.is_open), key=alertlist.worst_first)
# Only the tab that is looked at is drawn.
open_tab, past_tab, patterns_tab, channels_tab, send_tab = st.tabs(
    TABS, key="tab", on_change="rerun", bind="query-params"
)
with open_tab:
    if open_tab.open and now_open:
        alertlist.listed(now_open, snapshot, frame.gate("acknowledge or resolve alerts"), "open")
    elif open_tab.open:
        st.info("No alert is open.", icon=":material/check_circle:")
    if open_tab.open:
        alertlist.held_back(snapshot)
with past_tab:
    if past_tab.open:
        alertlist.past([alert for alert in alerts if not alert.is_open], snapshot)
with patterns_tab:
    if patterns_tab.open:
        patterns.show(snapshot)
with channels_tab:
    if channels_tab.open:
        channeldesk.show(snapshot)
with send_tab:
    if send_tab.open:
        channeldesk.send_by_hand(snapshot)
