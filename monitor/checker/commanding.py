"""Commands from the inbox: each is carried out once, answered, audited, and its file removed when it is on disk."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from monitor import pings
from monitor.checker.audit import Audit, Troubles
from monitor.checker.orders import Orders
from monitor.history.inbox import Command, waiting
from monitor.history.snapshot import Applied

log = logging.getLogger(__name__)
APPLIED_KEPT = 500


class Commanding:
    """Belongs to the loop's thread. `applied` are the answers to the last commands, the newest last."""

    def __init__(
        self, folder: Path, orders: Orders, audit: Audit, troubles: Troubles, commit: Callable[[], bool]
    ) -> None:
        """`commit` puts on disk what commands have changed, and says whether it is there."""
        self._folder, self._orders, self._commit = folder, orders, commit
        self._audit, self._troubles = audit, troubles
        self._carried_out: deque[str] = deque(maxlen=10 * APPLIED_KEPT)
        self._has_news = False
        self.applied: deque[Applied] = deque(maxlen=APPLIED_KEPT)

    def take(self) -> bool:
        """Carry out what waits; return whether there is an answer that nobody has seen yet."""
        paths = []
        try:
            for path, command in waiting(self._folder):
                paths.append(path)
                # One whose file could not be removed is still there.
                if command.id not in self._carried_out:
                    self._carry_out(command)
            # What they asked for is on disk before the asking is gone.
            if paths and self._commit():
                for path in paths:
                    path.unlink(missing_ok=True)
        except OSError as error:
            self._troubles.own("inbox", "commands cannot be read or removed; who owns data/inbox?", error)
        else:
            self._troubles.over("inbox")
        news, self._has_news = self._has_news, False
        return news

    def _carry_out(self, command: Command) -> None:
        self._carried_out.append(command.id)
        try:
            applied = self._orders.carry_out(command, partial(self._answer, command))
        except Exception as error:  # the edge: a command that breaks us is answered, once, and not tried for ever
            log.exception("command %s broke", command.verb)
            applied = Applied(command.id, False, f"Greenwall broke on this command: {type(error).__name__}")
        if applied:
            self._answer(command, applied)

    def _answer(self, command: Command, applied: Applied) -> None:
        self.applied.append(applied)
        self._has_news = True
        # Nobody did it: a ping asks for a look as a schedule does, and may come each second.
        if command.by != pings.BY:
            self._audit.note(
                command.verb.value, command.target, command.by, applied.detail, applied.ok, command=command.id
            )
