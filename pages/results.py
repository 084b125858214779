"""Results: every verdict of the last 24 hours, to filter, search and take away as CSV."""

import pandas as pd
import streamlit as st

from monitor import charts
from monitor.model import Status
from monitor.ui import cached, frame, markup, words

NEWEST = 20_000
COLUMNS = ["at", "status", "name", "kind", "latency_ms", "code", "attempts", "message"]
LISTED = 50


def filtered(results: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that the filters leave."""
    left, middle, right = st.columns([2, 3, 3])
    search = left.text_input("Search", placeholder="name or message", icon=":material/search:")
    chosen = middle.pills("Status", [s.value for s in Status], selection_mode="multi", default=[])
    names = right.multiselect("Checks", sorted(results["name"].unique()), placeholder="all")
    keep = pd.Series(True, index=results.index)
    if search:
        hay = results["name"].astype(str) + " " + results["message"].astype(str)
        keep &= hay.str.contains(search, case=False, regex=False)
    if chosen:
        keep &= results["status"].isin(chosen)
    if names:
        keep &= results["name"].isin(names)
    return results[keep]


snapshot = frame.open_page("Results", "Every verdict of the last 24 hours, the newest first.")
zone = snapshot.checker.timezone
results = cached.results(None, 24.0, NEWEST)
if results.empty:
    st.info("No verdicts yet. The first ones come within seconds of a start.", icon=":material/hourglass_empty:")
    st.stop()
if len(results) == NEWEST:
    st.caption(f"The newest {NEWEST:,} are shown; /api and data/results/ hold the others.")
shown = filtered(results)
if shown.empty:
    st.info("Nothing matches these filters.", icon=":material/filter_alt_off:")
    st.stop()
table = shown[COLUMNS].assign(at=charts.wall_clock(shown["at"], zone))
table["status"] = table["status"].map(lambda s: f"{words.SIGNS[Status(s)]} {s}")
with st.container(key="wide"):
    st.dataframe(
        table,
        hide_index=True,
        height=640,
        placeholder="",
        column_config={
            "at": st.column_config.DatetimeColumn(f"at ({zone})", format="YYYY-MM-DD HH:mm:ss", width=170),
            "status": st.column_config.TextColumn("status", width=100),
            "name": st.column_config.TextColumn("check", width=170),
            "kind": st.column_config.TextColumn("kind", width=90),
            "latency_ms": st.column_config.NumberColumn("latency", format="%.1f ms", width=90),
            "code": st.column_config.NumberColumn("code", format="%d", width=60),
            "attempts": st.column_config.NumberColumn("probes", format="%d", width=65),
            "message": st.column_config.TextColumn("message"),
        },
    )
# A table of eight columns cannot be read on a phone: there the newest stand below each other.
with st.container(key="narrow"):
    newest = table.head(LISTED)
    seen = newest["status"] + " · " + newest["at"].dt.strftime("%H:%M:%S")
    st.html(markup.table(("", "", ""), zip(seen, newest["name"], newest["message"], strict=True)))
    if len(table) > LISTED:
        st.caption(f"The newest {LISTED}; the CSV has all.")
left, right = st.columns([4, 1], vertical_alignment="center")
left.caption(f"{len(shown):,} verdicts. Times in {zone}.")
right.download_button(
    "CSV",
    table.to_csv(index=False).encode(),
    file_name="greenwall-results.csv",
    mime="text/csv",
    icon=":material/download:",
    width="stretch",
)
