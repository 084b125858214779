"""Silences and maintenance: what holds now, with a button to end it, what comes, what is over."""

from __future__ import annotations

from datetime import datetime

import streamlit as st

from monitor import commands
from monitor.history.snapshot import Snapshot
from monitor.silences import Silence, in_words
from monitor.ui import frame, markup, words
from monitor.ui.shared import views
from monitor.units import format_duration, seconds_between, utc_now

_PAST_SHOWN = 50
_COLOURS = {"maintenance": "blue", "silence": "gray"}


def draw(snapshot: Snapshot) -> None:
    """Draw all of them."""
    now, zone = utc_now(), snapshot.checker.timezone
    every = [*views().silences(), *views().planned()]
    holding = [one for one in every if one.stretch(now)]
    st.subheader(f"Now ({len(holding)})", anchor=False)
    acting = bool(holding) and frame.may_act()
    for one in sorted(holding, key=lambda one: _ends_at(one, now)):
        _card(one, now, zone, acting)
    if not holding:
        st.caption("Nothing is silenced, and nothing is in maintenance.")
    coming = [(at, one) for one in every if not one.stretch(now) and (at := one.opens_at(now))]
    if coming:
        st.subheader(f"Coming ({len(coming)})", anchor=False)
        for at, one in sorted(coming, key=lambda pair: pair[0]):
            _card(one, now, zone, acting or frame.may_act(), at)
    _past([one for one in views().silences() if one.is_over(now)], zone)


def _ends_at(one: Silence, now: datetime) -> datetime:
    stretch = one.stretch(now)
    return stretch.ends_at if stretch else now


def _card(one: Silence, now: datetime, zone: str, acting: bool, opens_at: datetime | None = None) -> None:
    is_own = one.made_at is not None
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        with st.container(gap="xxsmall"):
            when = f"begins in {_in(now, opens_at)}" if opens_at else f"ends in {_in(now, _ends_at(one, now))}"
            st.markdown(f":{_COLOURS[one.word]}-badge[{one.word}] **{words.md(str(one.match))}** {when}")
            st.caption(" · ".join(in_words(one, views().subjects().values(), now, zone, words.md)))
        if (
            acting
            and is_own
            and st.button("Cancel" if opens_at else "End now", key=f"end-{one.id}", icon=":material/stop_circle:")
        ):
            _end(one)


def _in(now: datetime, at: datetime) -> str:
    return format_duration(max(seconds_between(now, at), 0))


def _end(one: Silence) -> None:
    if not frame.may_act():
        frame.refused()
        return
    applied = frame.follow(lambda: commands.end_silence(views().place, one.id, frame.by()))
    if applied and applied.ok:
        st.rerun()


def _past(over: list[Silence], zone: str) -> None:
    if not over:
        return
    with st.expander(f"Past ({len(over)})", icon=":material/history:"):
        rows = [
            (one.word, str(one.match), _over(one, zone), one.ended_by or "its time", one.by, one.note)
            for one in over[:_PAST_SHOWN]
        ]
        st.html(markup.table(("", "for", "ended", "ended by", "made by", "note"), rows))
        if len(over) > _PAST_SHOWN:
            st.caption(f"The last {_PAST_SHOWN} of {len(over)}.")


def _over(one: Silence, zone: str) -> str:
    return words.local(one.over_at, zone) if one.over_at else ""
