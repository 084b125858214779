"""Greenwall: watches services, shows them on a wall that never lies, tells the right person once.

The package runs without Streamlit (`python -m monitor run`); only `monitor.ui` and `pages` import it.
Arrows point down: ui, web, cli -> board, charts, metrics, reports -> checker | commands | views
-> remedies -> probes, channels, diagnosis, history -> state, alerts, ledger -> config -> model -> units.
"""

__version__ = "0.1.0"
