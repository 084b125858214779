"""The command line: `python -m monitor COMMAND`. Reads through views, acts through commands, decides nothing.

Exit codes: 0 well, 1 something fails (or an alert was not sent), 2 wrong use or an invalid configuration.
"""

from monitor.cli import alerting, silencing, telling, watching, why
from monitor.cli.group import cli, main

__all__ = ["alerting", "cli", "main", "silencing", "telling", "watching", "why"]
