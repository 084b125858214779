"""Questions to the history, asked at most once in ten seconds for all viewers together."""

from __future__ import annotations

from datetime import datetime, timedelta

import pandas as pd
import streamlit as st

from monitor import charts
from monitor.ui.shared import views
from monitor.units import utc_now

TTL_S = 10


def _turn() -> datetime:
    """Return the present, stepped, so that viewers share answers."""
    now = utc_now()
    return now - timedelta(seconds=now.timestamp() % TTL_S, microseconds=0)


@st.cache_data(ttl=TTL_S, max_entries=64, show_spinner=False)
def _results(place: str, name: str | None, hours: float, newest: int, until: datetime) -> pd.DataFrame:
    return views().results(until - timedelta(hours=hours), until + timedelta(seconds=TTL_S), name, newest=newest)


@st.cache_data(ttl=TTL_S, max_entries=64, show_spinner=False)
def _changes(place: str, name: str, hours: float, until: datetime) -> pd.DataFrame:
    return views().changes(until - timedelta(hours=hours), until + timedelta(seconds=TTL_S), name)


@st.cache_data(ttl=60, max_entries=16, show_spinner=False)
def _seconds(place: str, since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
    return views().seconds(since, until, bucket_s)


def results(name: str | None, hours: float, newest: int = 20_000) -> pd.DataFrame:
    """Return verdicts of the last hours, the newest first."""
    return _results(str(views().place.data), name, hours, newest, _turn())


def changes(name: str, hours: float) -> pd.DataFrame:
    """Return the changes of a check's status in the last hours, the newest first."""
    return _changes(str(views().place.data), name, hours, _turn())


def seconds(since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
    """Return seconds by check, bucket and status."""
    return _seconds(str(views().place.data), since, until, bucket_s)


def palette() -> charts.Palette:
    """Return the colours for the theme that this viewer has."""
    return charts.LIGHT if st.context.theme.type == "light" else charts.DARK
