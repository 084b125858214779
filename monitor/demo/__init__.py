"""A small production stack that breaks on demand, to try Greenwall on without breaking anything real.

Owns the target only: `stack` is what it is, `service` is what it says over HTTP, `server` is how it runs.
Called by the command line, the app and tests. To the checker it is a target like any other, so of `monitor`
this may import nothing but `units`.
"""

from monitor.demo.server import DemoServer
from monitor.demo.service import create_demo

__all__ = ["DemoServer", "create_demo"]
