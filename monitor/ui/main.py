"""The script behind every page: navigation, and the wall without any of it (`?wall=1`)."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from monitor.ui import markup
from monitor.ui.board_component import show_age

PAGES = Path(__file__).resolve().parents[2] / "pages"
_BARE = """<style>
header[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"],
[data-testid="stStatusWidget"], footer { display: none !important; }
.block-container, [data-testid="stMainBlockContainer"] { padding: 0 !important; max-width: none !important; }
@media (min-width: 700px) and (min-height: 400px) { [data-testid="stMain"] { overflow: hidden !important; } }
[data-testid="stVerticalBlock"] { gap: 0 !important; }
/* "Connection error … streamlit run yourscript.py": the wall says itself that it is stale */
[data-testid="stDialog"] { display: none !important; }
</style>"""
_FRAME = f"""<style>
.block-container, [data-testid="stMainBlockContainer"] {{ padding: 4.5rem 2rem 3rem; max-width: 1600px; }}
@media (max-width: 640px) {{
  .block-container, [data-testid="stMainBlockContainer"] {{ padding: 4.5rem 1rem 2rem; }}
  div:has(> .st-key-wide) {{ display: none; }}
  /* beside an alert there is room for the hand alone; its word stays for those who hear it */
  [class*="st-key-ack-"] button p {{ position: absolute; clip-path: inset(50%); }}
  /* Streamlit scrolls a choice that is too wide, which cuts it off where nobody sees that it goes on */
  [data-testid="stButtonGroup"] > [role="radiogroup"] {{ flex-wrap: wrap; row-gap: 0.25rem; mask: none; }}
  [data-testid="stElementContainer"]:has(> [data-testid="stMetric"]) {{ flex: 1 1 auto; }}
  [data-testid="stMetricValue"] {{ font-size: 1.5rem; }}
}}
@media (min-width: 641px) {{ div:has(> .st-key-narrow) {{ display: none; }} }}
div:has(> .st-key-news) {{ position: absolute; }}
[data-testid="stTopNav"] {{ padding-left: calc(max(0px, (100% - 1600px) / 2) + 1.5rem); }}
[data-testid="stExpandSidebarButton"] {{ width: auto; gap: 0.25rem; }}
[data-testid="stExpandSidebarButton"]::after {{ content: "Menu"; font-size: 1rem; padding-right: 0.25rem; }}
.stApp [data-testid="stBaseButton-primary"], .stApp [data-testid="stBaseButton-primaryFormSubmit"] {{
  color: light-dark(#fff, #0b0f13); }}
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
        st.Page(PAGES / "silences.py", title="Silences", icon=":material/volume_off:", url_path="silences"),
        st.Page(PAGES / "diagnose.py", title="Diagnose", icon=":material/troubleshoot:", url_path="diagnose"),
    ],
    position="hidden" if is_wall else "top",
)
if page.url_path:
    show_age()
page.run()
