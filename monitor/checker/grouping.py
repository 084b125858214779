"""Which checks belong to which group, and which groups are to be looked at since a member has changed.

member changes ──▶ stirred ── a moment later, for all members that changed ──▶ looked at
                      └─ the group's own turn comes first: it has seen them all ──▶ done

After a start or an edit of the file, members that nobody has looked at yet are waited for: what is not known of them
would make the group UNKNOWN or WARN, and for a moment only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from monitor.checker.loop import Loop
from monitor.config import CheckBase, GroupCheck, members_of

# Members often change together: their group is looked at once for all of them.
_GATHER_S = 0.05


class Grouping:
    """Has groups looked at when their members change. Belongs to the loop's thread."""

    def __init__(self, loop: Loop, look: Callable[[str], object]) -> None:
        """`look` has a group looked at, once more if it is being looked at already."""
        self._loop = loop
        self._look = look
        self.members: dict[str, tuple[str, ...]] = {}
        self._groups: dict[str, list[str]] = {}
        self._stirred: set[str] = set()
        # Whose members are waited for.
        self._waiting: set[str] = set()

    def configure(self, checks: Mapping[str, CheckBase]) -> None:
        """Take over which checks each group is made of."""
        self.members = {n: members_of(c, checks.values()) for n, c in checks.items() if isinstance(c, GroupCheck)}
        self._groups = {}
        self._waiting.clear()
        for group, members in self.members.items():
            for member in members:
                self._groups.setdefault(member, []).append(group)

    def wait(self, group: str, on: bool) -> None:
        """Have it looked at whenever a member gets a verdict, or no longer."""
        (self._waiting.add if on else self._waiting.discard)(group)

    def judged(self, member: str) -> None:
        """Have those of its groups looked at in a moment that wait for a verdict on it."""
        if self._waiting:
            self._stir_soon(group for group in self._groups.get(member, ()) if group in self._waiting)

    def changed(self, member: str) -> None:
        """Have its groups looked at in a moment."""
        self._stir_soon(self._groups.get(member, ()))

    def _stir_soon(self, groups: Iterable[str]) -> None:
        for group in groups:
            if group not in self._stirred:
                self._stirred.add(group)
                self._loop.after(_GATHER_S, partial(self._stir, group))

    def is_stirred(self, group: str) -> bool:
        return group in self._stirred

    def settle(self, group: str) -> None:
        """Note that it is being looked at: nothing waits any more."""
        self._stirred.discard(group)

    def _stir(self, group: str) -> None:
        if group in self._stirred:
            self._stirred.discard(group)
            self._look(group)
