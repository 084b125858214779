"""Board: everything at once. The component reads `/api/board` itself; `?wall=1` is for the screen on the wall."""

import streamlit as st

from monitor.ui import frame
from monitor.ui.board_component import show_board
from monitor.ui.shared import views

is_wall = st.query_params.get("wall") == "1"
show_board(wall=is_wall)
if not is_wall:
    st.caption("[Open the wall](/?wall=1): the same board without anything around it, for a big screen.")
    snapshot = views().now().snapshot
    if snapshot and snapshot.checker.demo_url and frame.visitor().is_local:
        st.caption(f"Break something: [the demo's control panel]({snapshot.checker.demo_url}/).")
