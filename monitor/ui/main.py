"""The script behind every page: navigation, and the wall without any of it (`?wall=1`)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from monitor.ui import markup

PAGES = Path(__file__).resolve().parents[2] / "pages"
_BARE = """<style>
header[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"],
[data-testid="stStatusWidget"], footer { display: none !important; }
.block-container, [data-testid="stMainBlockContainer"] { padding: 0 !important; max-width: none !important; }
[data-testid="stMain"] { overflow: hidden !important; }
[data-testid="stVerticalBlock"] { gap: 0 !important; }
[role="dialog"][aria-label*="onnection"] { display: none !important; }
</style>"""
_FRAME = f"""<style>
.block-container, [data-testid="stMainBlockContainer"] {{ padding: 4.5rem 2rem 3rem; max-width: 1600px; }}
@media (max-width: 640px) {{ .block-container, [data-testid="stMainBlockContainer"] {{ padding: 4.5rem 1rem 2rem; }} }}
{markup.STYLE}</style>"""

st.set_page_config(page_title="Greenwall", page_icon="🟩", layout="wide")
is_wall = st.query_params.get("wall") == "1"
st.html(_BARE if is_wall else _FRAME)
page = st.navigation(
    [
        st.Page(PAGES / "board.py", title="Board", icon=":material/grid_view:", default=True),
        st.Page(PAGES / "check.py", title="Check", icon=":material/monitor_heart:", url_path="check"),
        st.Page(PAGES / "results.py", title="Results", icon=":material/table_rows:", url_path="results"),
        st.Page(PAGES / "uptime.py", title="Uptime", icon=":material/bar_chart:", url_path="uptime"),
        st.Page(PAGES / "alerts.py", title="Alerts", icon=":material/notifications:", url_path="alerts"),
        st.Page(PAGES / "diagnose.py", title="Diagnose", icon=":material/troubleshoot:", url_path="diagnose"),
    ],
    position="hidden" if is_wall else "top",
)
page.run()
