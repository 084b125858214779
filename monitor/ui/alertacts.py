"""What an operator does to an alert: acknowledge, resolve with a note, suppress for a time, silence."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import streamlit as st

from monitor import commands
from monitor.alerts import Alert, AlertStatus
from monitor.ui import frame
from monitor.ui.shared import views
from monitor.units import utc_now

PAGES = Path(__file__).resolve().parents[2] / "pages"
MINUTES = {"15 min": 15, "1 h": 60, "4 h": 240}
TOMORROW, AT = "tomorrow 9:00", "at …"


def note_of(alert: Alert) -> str:
    return st.text_input(
        "Note",
        key=f"note-{alert.id}",
        placeholder="Note: what you found, or did",
        label_visibility="collapsed",
        max_chars=1000,
    )


def acknowledge_button(alert: Alert, key: str = "ack") -> bool:
    """Draw it; those with the key `ack` stand beside a line of a list, where a phone has no room for the word."""
    is_taken = alert.status is AlertStatus.ACKNOWLEDGED
    return st.button("Acknowledge", key=f"{key}-{alert.id}", icon=":material/back_hand:", disabled=is_taken)


def resolve_button(alert: Alert) -> bool:
    return st.button("Resolve", key=f"end-{alert.id}", icon=":material/check:")


def act(alert: Alert, took: bool, ended: bool, note: str) -> None:
    """Leave the command for what was clicked."""
    if not (took or ended):
        return
    if not frame.may_act():
        frame.refused()
        return
    command = commands.acknowledge if took else commands.resolve
    _after(frame.follow(lambda: command(views().place, alert.id, frame.by(), note)))


def suppress(alert: Alert, note: str, zone: str) -> None:
    """Draw for how long nobody is to be told, and do it."""
    with st.popover("Suppress", icon=":material/notifications_paused:"):
        st.caption("Nobody is told of this alert meanwhile. If it is still open then, it is told.")
        chosen = st.pills("For", [*MINUTES, TOMORROW, AT], default="1 h", required=True, key=f"for-{alert.id}")
        now = utc_now().astimezone(ZoneInfo(zone))
        until = ending(chosen, now)
        if until is None:
            picked = st.datetime_input(
                f"Until ({zone})", value=(now + timedelta(hours=8)).replace(tzinfo=None), key=f"until-{alert.id}"
            )
            until = picked.replace(tzinfo=ZoneInfo(zone))
        st.caption(f"Until {until:%a %d %b %H:%M %Z}.")
        if st.button("Suppress until then", key=f"suppress-{alert.id}", type="primary"):
            if not frame.may_act():
                frame.refused()
                return
            _after(frame.follow(lambda: commands.suppress(views().place, alert.id, until, frame.by(), note)))


def ending(chosen: str, now: datetime) -> datetime | None:
    """Return the end of what was chosen, in the zone of `now`; None when it is to be asked for."""
    if chosen in MINUTES:
        return now + timedelta(minutes=MINUTES[chosen])
    if chosen == TOMORROW:
        return (now + timedelta(days=1)).replace(hour=9, minute=0, second=0, microsecond=0)
    return None


def silence_button(alert: Alert) -> None:
    if st.button("Silence …", key=f"silence-{alert.id}", icon=":material/volume_off:"):
        st.switch_page(PAGES / "silences.py", query_params={"alert": alert.id})


def _after(applied: object) -> None:
    if applied and getattr(applied, "ok", False):
        st.rerun()
