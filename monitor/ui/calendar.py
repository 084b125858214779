"""What is planned for the next two weeks, and who is on call for the next four: charts and tables in one zone."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from monitor import charts
from monitor.history.snapshot import Snapshot
from monitor.oncall import OnCall, together
from monitor.silences import Silence, coming
from monitor.ui import cached, markup, words
from monitor.ui.shared import views
from monitor.units import format_duration, seconds_between, utc_now
from monitor.windows import Stretch

DAYS, WEEKS = 14, 4
_LISTED, _MOST_ROWS = 40, 30


def silences(snapshot: Snapshot) -> None:
    """Draw when maintenance and silences hold in the next 14 days."""
    now, zone = utc_now(), snapshot.checker.timezone
    until = now + timedelta(days=DAYS)
    planned = [(one, s) for one in [*views().planned(), *views().silences()] for s in coming(one, now, until)]
    planned.sort(key=lambda pair: pair[1])
    if views().config() is None:
        _not_known("what it plans is")
    elif not planned:
        st.info("Nothing is planned for the next 14 days.", icon=":material/event_available:")
        st.caption("Planned maintenance stands in checks.yaml under `maintenance:`; README shows how.")
    if not planned:
        return
    names = list(dict.fromkeys(_name(one) for one, _ in planned))[:_MOST_ROWS]
    rows = [_row(one, stretch) for one, stretch in planned if _name(one) in names]
    chart = charts.calendar(pd.DataFrame(rows), names, zone, charts.clock_span(now, until, zone), cached.palette())
    st.altair_chart(chart, width="stretch", key="calendar")
    listed = [_line(one, stretch, zone) for one, stretch in planned[:_LISTED]]
    st.html(markup.table(("when", "for", "what", "of", "note"), listed))
    if len(planned) > _LISTED:
        st.caption(f"The first {_LISTED} of {len(planned)}.")
    st.caption(f"Times in {zone}. The chart begins now.")


def _name(one: Silence) -> str:
    return one.id if one.made_at is None else f"{one.word} {one.id}"


def _row(one: Silence, stretch: Stretch) -> dict[str, object]:
    return {
        "name": _name(one),
        "word": one.word,
        "about": str(one.match),
        "begins": pd.Timestamp(stretch.begins_at),
        "ends": pd.Timestamp(stretch.ends_at),
    }


def _line(one: Silence, stretch: Stretch, zone: str) -> tuple[str, str, str, str, str]:
    lasts = format_duration(seconds_between(stretch.begins_at, stretch.ends_at))
    return stretch.span(zone), lasts, _name(one), str(one.match), one.note


def on_call(snapshot: Snapshot) -> None:
    """Draw who is on call now, and for the next four weeks."""
    rotas = views().on_call()
    if views().config() is None:
        _not_known("who is on call is")
    elif not rotas:
        st.info("Nobody is on call: checks.yaml has no `on_call:`. README shows how.", icon=":material/group_off:")
    if not rotas:
        return
    now, zone = utc_now(), snapshot.checker.timezone
    for rota in rotas:
        _rota(rota, now, zone)
    st.caption(f"Times in {zone}. Rotas and exceptions (`instead:`) stand in checks.yaml.")


def _not_known(what: str) -> None:
    st.warning(f"checks.yaml is invalid: {what} not known here until it is mended.", icon=":material/error:")


def _rota(rota: OnCall, now: datetime, zone: str) -> None:
    shifts = together(rota.shifts(now, now + timedelta(weeks=WEEKS)))
    st.subheader(words.md(rota.name), anchor=False)
    until = f" until {words.local(shifts[1].stretch.begins_at, zone)}" if len(shifts) > 1 else ""
    st.markdown(f":material/support_agent: **{words.md(shifts[0].person)}** is on call now{until}.")
    rows = [(one.stretch.span(zone), one.person, "stands in" if one.is_exception else "by rota") for one in shifts]
    st.html(markup.table(("when", "who", ""), rows))
