"""The board, and the age of every other page, as Streamlit components.

They poll `/api/board` by themselves: no script runs to refresh them, and they notice when the server is silent.
"""

from __future__ import annotations

import time

import streamlit as st

from monitor.ui import board
from monitor.ui.shared import views

_BOARD = st.components.v2.component(
    "greenwall_board",
    html=board.markup(),
    css=board.style(),
    js=board.script(),
)
_NEWS = st.components.v2.component(
    "greenwall_news",
    html=board.markup("news"),
    css=board.style("news"),
    js=board.script("news"),
)
URL, POLL_S = "/api/board", 2


def show_board(wall: bool) -> None:
    """Draw the board; `wall`: fill the screen and show nothing to click."""
    config = views().place.config.name
    data = {"every_s": POLL_S, "wall": wall, "url": URL, "check_url": "check?name=", "config": config, "theme": None}
    _BOARD(data=data, key="board")


def show_age() -> None:
    """Draw how old the page is, loudly when there is no news from the server. It takes no room in the page."""
    with st.container(key="news"):
        _NEWS(data={"every_s": POLL_S, "url": URL, "run": time.monotonic()}, key="news_of_page")
