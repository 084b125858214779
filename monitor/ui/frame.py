"""The frame around each page but the wall: its title, what is wrong with Greenwall itself, and the operator's gate."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from monitor import commands
from monitor.history.inbox import NotWritten
from monitor.history.snapshot import Applied, Snapshot
from monitor.ui import words
from monitor.ui.shared import OPERATOR, views
from monitor.units import format_duration
from monitor.views import Now
from monitor.web.operator import COOKIE, Visitor

_ICONS = {"error": ":material/error:", "warn": ":material/warning:", "info": ":material/info:"}
_SHOW = {"error": st.error, "info": st.info}


def open_page(title: str = "", caption: str = "") -> Snapshot:
    """Draw the title and Greenwall's own troubles; return the snapshot, or end the page when there is none."""
    if title:
        st.title(title, anchor=False)
    if caption:
        st.caption(caption)
    _troubles()
    now = views().now()
    if now.snapshot is None:
        _no_snapshot(now)
    return now.snapshot or _end()


def _end() -> Snapshot:
    st.stop()


def _no_snapshot(now: Now) -> None:
    damaged = "damaged" in now.trouble
    st.info(
        "**Nothing to show yet.** "
        + (
            "What the checker wrote last cannot be read; it writes anew within a second while it runs. "
            if damaged
            else ""
        )
        + "The checker has not written its first state. It starts with `streamlit run app.py` or "
        "`python -m monitor run`; this page shows it as soon as it is there.",
        icon=":material/hourglass_empty:",
    )
    st.stop()


@st.fragment(run_every=5)
def _troubles() -> None:
    """Say so when what is shown is old, or the configuration is not the one in the file."""
    now = views().now()
    if now.snapshot is None:
        return
    if now.is_old:
        age = format_duration(now.age_s or 0)
        st.error(f"**STALE.** The checker's last heartbeat is {age} old: nobody is looking. What you see is from then.")
    for notice in now.snapshot.notices:
        # What an error says is Greenwall's own sentence; the others name what people wrote, such as `shop-*`.
        text = notice.text if notice.level == "error" else words.md(notice.text)
        _SHOW.get(notice.level, st.warning)(text, icon=_ICONS.get(notice.level))
        if notice.more:
            st.code("\n".join(notice.more), language=None, wrap_lines=True)


def visitor() -> Visitor:
    """Return who looks at this page, as the websocket's handshake told it."""
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    # Streamlit says None for a loopback address.
    address = st.context.ip_address or "127.0.0.1"
    return Visitor(address, headers, {COOKIE: st.context.cookies.get(COOKIE, "")})


def may_act() -> bool:
    """Return whether this visitor may act. Asked when drawing, and again by every action."""
    return OPERATOR.may_act(visitor())


def gate(act: str) -> bool:
    """Return whether this visitor may act; say how to become the operator, who may `act`, when not."""
    if may_act():
        return True
    if OPERATOR.has_password:
        st.caption(f":material/lock: Log in as the operator to {act}.")
        st.link_button("Log in", "/operator/login", icon=":material/login:")
    else:
        why = OPERATOR.why_not(visitor())
        st.caption(f":material/lock: {why[0].upper()}{why[1:]}.")
    return False


def by() -> str:
    """Return who acts, for the audit."""
    return "operator" if OPERATOR.has_password else "operator (local)"


def follow(leave: Callable[[], str], timeout_s: float = 5.0) -> Applied | None:
    """Leave a command, wait for its outcome and say it; None when there is none."""
    try:
        command = leave()
    except NotWritten as error:
        st.error(f"{str(error)[0].upper()}{str(error)[1:]}.")
        return None
    with st.spinner("Waiting for the checker …"):
        applied = commands.outcome(views().place, command, timeout_s)
    if applied is None:
        st.warning("No checker has taken this yet; the next one to start will.", icon=":material/hourglass_empty:")
    elif applied.ok:
        st.toast(applied.detail, icon=":material/check:")
    else:
        st.error(applied.detail)
    return applied


def refused() -> None:
    st.error("This page may no longer act: log in again.")
