"""The board as a Streamlit component: it polls `/api/board` by itself, so that no script runs to refresh it."""

from __future__ import annotations

from importlib import resources

import streamlit as st

_FILES = resources.files("monitor.ui").joinpath("board")
_BOARD = st.components.v2.component(
    "greenwall_board",
    html=_FILES.joinpath("board.html").read_text("utf-8"),
    css=_FILES.joinpath("board.css").read_text("utf-8"),
    js=_FILES.joinpath("board.js").read_text("utf-8"),
)
POLL_S = 2


def show_board(wall: bool) -> None:
    """Draw the board; `wall`: fill the screen and show nothing to click."""
    data = {"every_s": POLL_S, "wall": wall, "url": "/api/board", "check_url": "check?name=", "theme": None}
    _BOARD(data=data, key="board")
