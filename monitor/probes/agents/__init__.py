"""The `agents` kind: read a registry of agents, count them by state, and hold the counts to their limits.

source.py    a URL or a file ─▶ bytes
registry.py  bytes ─▶ agents and counts, and what could not be read
probe.py     limits ─▶ verdict
"""

from monitor.probes.agents.probe import probe_agents

__all__ = ["probe_agents"]
