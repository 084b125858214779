"""Errors of the system which say that the machine Greenwall runs on is exhausted: no fault of the target."""

from __future__ import annotations

import errno

# No descriptor, no memory.
EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
# For a connected socket: no free local port either.
EXHAUSTED_CONNECTING = EXHAUSTED | {errno.EADDRNOTAVAIL}
