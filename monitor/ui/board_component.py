"""The board as a Streamlit component: it polls `/api/board` by itself, so that no script runs to refresh it."""

from __future__ import annotations

import streamlit as st

from monitor.ui import board

_BOARD = st.components.v2.component(
    "greenwall_board",
    html=board.markup(),
    css=board.style(),
    js=board.script(),
)
POLL_S = 2


def show_board(wall: bool) -> None:
    """Draw the board; `wall`: fill the screen and show nothing to click."""
    data = {"every_s": POLL_S, "wall": wall, "url": "/api/board", "check_url": "check?name=", "theme": None}
    _BOARD(data=data, key="board")
