"""Greenwall: `streamlit run app.py` starts the checker, serves the pages, and the HTTP routes beside them."""

import streamlit as st
from starlette.middleware import Middleware

from monitor.ui.shared import OPERATOR, views
from monitor.web import SecurityHeaders, make_routes, running

# A direct call, or `streamlit run` does not find it and serves an empty page without a checker.
app = st.App(
    "monitor/ui/main.py",
    lifespan=lambda _app: running(views()),
    routes=make_routes(views(), OPERATOR),
    middleware=[Middleware(SecurityHeaders)],
)
