"""HTTP beside the pages: health, metrics, the board's document, the state, commands, and the operator's log-in.

Runs inside Streamlit's server (`app.py`) and alone beside the headless checker (`python -m monitor run --port`).
Knows nothing of Streamlit.
"""

from monitor.web.lifespan import running
from monitor.web.operator import Operator, Visitor
from monitor.web.routes import SecurityHeaders, make_routes

__all__ = ["Operator", "SecurityHeaders", "Visitor", "make_routes", "running"]
