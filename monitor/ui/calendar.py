"""What is planned for the next two weeks, and who is on call for the next four: charts and tables in one zone."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pandas as pd
import streamlit as st

from monitor import charts
from monitor.history.snapshot import Snapshot
from monitor.oncall import OnCall, Shift
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
    return _span(stretch, zone), lasts, _name(one), str(one.match), one.note


def _span(stretch: Stretch, zone: str) -> str:
    begin, end = (at.astimezone(ZoneInfo(zone)) for at in (stretch.begins_at, stretch.ends_at))
    last = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%a %d %b %H:%M}"
    return f"{begin:%a %d %b %H:%M} – {last}"


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
    shifts = _together(rota.shifts(now, now + timedelta(weeks=WEEKS)))
    st.subheader(words.md(rota.name), anchor=False)
    until = f" until {words.local(shifts[1].stretch.begins_at, zone)}" if len(shifts) > 1 else ""
    st.markdown(f":material/support_agent: **{words.md(shifts[0].person)}** is on call now{until}.")
    rows = [(_span(one.stretch, zone), one.person, "stands in" if one.is_exception else "by rota") for one in shifts]
    st.html(markup.table(("when", "who", ""), rows))


def _together(shifts: Iterable[Shift]) -> list[Shift]:
    """Return shifts of one person that follow each other as one."""
    found: list[Shift] = []
    for one in shifts:
        last = found[-1] if found else None
        if last and (last.person, last.is_exception) == (one.person, one.is_exception):
            found[-1] = Shift(one.person, Stretch(last.stretch.begins_at, one.stretch.ends_at), one.is_exception)
        else:
            found.append(one)
    return found
