"""Uptime: how much of the time each check was up, and how fast it answered, over 24 hours, 7 or 30 days."""

from datetime import timedelta

import pandas as pd
import streamlit as st

from monitor import charts
from monitor.history.snapshot import Snapshot
from monitor.ledger import ACCOUNTING, Tally
from monitor.reports import percent
from monitor.ui import cached, frame
from monitor.units import format_duration, format_ms, seconds_between, utc_now
from monitor.views import tallies

# Span in seconds, and the bucket that makes about 50 bars of it.
SPANS = {"24 h": (86400.0, 1800.0), "7 days": (7 * 86400.0, 4 * 3600.0), "30 days": (30 * 86400.0, 12 * 3600.0)}
CHARTED = 40


def table_of(rows: dict[str, Tally], period_s: float, latencies: dict[str, dict[str, float]]) -> pd.DataFrame:
    """Return one row a check: uptime, seconds by what was known, latency."""
    return pd.DataFrame(
        {
            "check": name,
            "uptime": percent(one.uptime_ratio),
            "down": format_duration(one.down_s),
            "degraded": format_duration(one.degraded_s),
            "maintenance": format_duration(one.maintenance_s),
            "watched": percent(one.watched_s / period_s),
            "median": format_ms(latencies.get(name, {}).get("p50_ms")),
            "p95": format_ms(latencies.get(name, {}).get("p95_ms")),
        }
        for name, one in rows.items()
    )


def chosen(snapshot: Snapshot) -> list[str]:
    """Return the names of the checks that the search and the groups leave."""
    left, middle, _ = st.columns([2, 3, 3])
    asked = left.text_input("Search", placeholder="name or group", icon=":material/search:")
    groups = list(dict.fromkeys(entry.group for entry in snapshot.checks.values()))
    wanted = middle.multiselect("Groups", groups, placeholder="all")
    return [
        entry.name
        for entry in snapshot.checks.values()
        if (not wanted or entry.group in wanted)
        and all(word in f"{entry.name}\n{entry.group}".lower() for word in asked.lower().split())
    ]


def totals(together: Tally, checks: int) -> None:
    """Say how all of them did. Seconds are added up over checks, and say so."""
    added = f", sum of {checks} checks" if checks > 1 else ""
    told = {
        "Up while watched": percent(together.uptime_ratio),
        f"Down{added}": format_duration(together.down_s),
        f"Degraded{added}": format_duration(together.degraded_s),
        "Watched": percent(together.watched_s / max(together.period_s, 1)),
    }
    if together.maintenance_s:
        told[f"Maintenance{added}"] = format_duration(together.maintenance_s)
    with st.container(horizontal=True):
        for name, value in told.items():
            st.metric(name, value, border=True, width="content")


snapshot = frame.open_page("Uptime")
span = st.segmented_control("Span", list(SPANS), default="24 h", required=True, label_visibility="collapsed")
names = chosen(snapshot)
period_s, bucket_s = SPANS[span]
zone, colours = snapshot.checker.timezone, cached.palette()
# Buckets end on a minute, so that viewers share one answer.
until = utc_now().replace(second=0, microsecond=0) + timedelta(minutes=1)
since = until - timedelta(seconds=period_s)
if bucket_s >= 3600:
    # Closed days are kept as sums by the hour: buckets that begin with one are answered from those.
    since = since.replace(minute=0)
    period_s = seconds_between(since, until)
seconds = cached.seconds(since, until, bucket_s)
seconds = seconds[seconds["name"].isin(names)]
if seconds.empty:
    text = "Nothing was watched in this time yet." if names else "No check matches."
    st.info(text, icon=":material/hourglass_empty:" if names else ":material/filter_alt_off:")
    st.stop()
rows = tallies(zip(seconds["name"], seconds["status"], seconds["seconds"], strict=True), period_s)
# Trouble first; what was not watched at all last.
rows = dict(sorted(rows.items(), key=lambda row: 2.0 if row[1].uptime_ratio is None else round(row[1].uptime_ratio, 4)))
alone = [one for name, one in rows.items() if not snapshot.checks[name].is_group]
totals(sum(alone, Tally()), len(alone))
names = list(rows)[:CHARTED]
drawn = seconds[seconds["name"].isin(names)]
shares = charts.bucket_shares(drawn, names, since, until, bucket_s, zone)
clock = charts.clock_span(since, until, zone)
st.altair_chart(charts.uptime_bars(shares, names, clock, colours), width="stretch", key="bars")
if len(rows) > CHARTED:
    st.caption(f"The worst {CHARTED} of {len(rows)} checks are drawn; the table has all.")
st.caption(
    f"{ACCOUNTING}. Times in {zone}. A cell has the colour of the worst that it saw; blue is "
    "maintenance, grey was not watched. Median and p95 are those of all answers of the whole time, within 1 %."
)
latencies = cached.latencies(since, until).set_index("name").to_dict("index")
st.dataframe(table_of(rows, period_s, latencies), hide_index=True)
timed = [name for name in rows if name in latencies]
if timed:
    st.subheader("Latency", anchor=False)
    name = st.selectbox("Check", timed, label_visibility="collapsed")
    latency = cached.latency(since, until, bucket_s, name)
    st.altair_chart(charts.latency_bands(latency, zone, bucket_s, colours), width="stretch", key="latency")
    st.caption("Line: median. Band: up to the 95th percentile. A break is time that nobody watched.")
