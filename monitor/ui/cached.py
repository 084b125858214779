"""Questions to the history, asked at most once in ten seconds for all viewers together."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
import pandas as pd
import streamlit as st

from monitor import charts, garbage
from monitor.history.snapshot import CheckEntry
from monitor.ui.shared import views
from monitor.units import utc_now

TTL_S = 10
_LONGEST_AGO_H = 31 * 24.0
# pandas and Altair are loaded by the first page that needs them, here: the board, which is all that many screens
# ever show, does without their 100 MB. From now on they stay, and no collection after a script's run looks at them.
garbage.settle()


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


@st.cache_data(ttl=60, max_entries=16, show_spinner=False)
def _latencies(place: str, since: datetime, until: datetime) -> pd.DataFrame:
    return views().latencies(since, until)


@st.cache_data(ttl=60, max_entries=64, show_spinner=False)
def _latency(place: str, since: datetime, until: datetime, bucket_s: float, name: str) -> pd.DataFrame:
    return views().latency(since, until, bucket_s, name)


def results(name: str | None, hours: float, newest: int = 20_000) -> pd.DataFrame:
    """Return verdicts of the last hours, the newest first."""
    return _results(str(views().place.data), name, hours, newest, _turn())


def newest(entry: CheckEntry, results: pd.DataFrame) -> dict[str, Any]:
    """Return the newest verdict, of these results or from before them, `observed` and `phases_ms` as mappings.

    Empty when there is none in the time in which the check is looked at twice.
    """
    hours = min(max(24.0, 2 * entry.every_s / 3600), _LONGEST_AGO_H)
    frame = results if not results.empty else _results(str(views().place.data), entry.name, hours, 1, _turn())
    if frame.empty:
        return {}
    row = {str(column): value for column, value in frame.iloc[0].items()}
    observed = orjson.loads(row["observed"]) if isinstance(row["observed"], str) else {}
    return row | {
        "observed": observed if isinstance(observed, dict) else {},
        "phases_ms": dict(row["phases_ms"]) if row["phases_ms"] is not None else {},
        "code": None if pd.isna(row["code"]) else int(row["code"]),
    }


def changes(name: str, hours: float) -> pd.DataFrame:
    """Return the changes of a check's status in the last hours, the newest first."""
    return _changes(str(views().place.data), name, hours, _turn())


def seconds(since: datetime, until: datetime, bucket_s: float) -> pd.DataFrame:
    """Return seconds by check, bucket and status."""
    return _seconds(str(views().place.data), since, until, bucket_s)


def latencies(since: datetime, until: datetime) -> pd.DataFrame:
    """Return the median and 95th percentile of each check, within 1 %."""
    return _latencies(str(views().place.data), since, until)


def latency(since: datetime, until: datetime, bucket_s: float, name: str) -> pd.DataFrame:
    """Return the median and 95th percentile of one check by bucket."""
    return _latency(str(views().place.data), since, until, bucket_s, name)


def palette() -> charts.Palette:
    """Return the colours for the theme that this viewer has."""
    return charts.LIGHT if st.context.theme.type == "light" else charts.DARK
