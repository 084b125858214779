"""The `steps` kind: several requests in order, each with what the ones before it brought.

probe.py    the walk, its time, its verdict
visit.py    one request over its redirects, with cookies
cookies.py  what is kept of Set-Cookie, and where it is sent
saved.py    values of an answer, and how they stand in the next request
"""

from monitor.probes.steps.probe import probe_steps

__all__ = ["probe_steps"]
