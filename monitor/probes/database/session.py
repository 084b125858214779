"""What a probe asks of a database, whichever it is, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from monitor.model import Kind
from monitor.units import plain

# More than this of one answer is not taken: who watches selects what is to be seen.
MOST_BYTES = 4_000_000
# So many rows are counted at least, so that an error in a later row is seen; then the query is broken off.
FEWEST_ROWS = 1000

Value = bool | int | float | str | None


@dataclass(frozen=True, slots=True)
class Rows:
    """The first row, and how many there are. `cut`: there may be more, reading stopped there."""

    columns: tuple[str, ...] = ()
    first: tuple[Value, ...] | None = None
    count: int = 0
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Connections:
    used: int
    most: int

    @property
    def percent(self) -> float:
        return 100.0 * self.used / self.most if self.most > 0 else float("nan")


class DatabaseFailed(Exception):
    """The database said no: the kind of failure, its own words, and its error code (SQLSTATE, errno)."""

    def __init__(self, kind: Kind, message: str, code: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.message = plain(message)
        self.code = plain(code, 40)


class Session(Protocol):
    """A session that is logged in and can only read; every method may raise DatabaseFailed or ProbeFailed."""

    @property
    def version(self) -> str:
        """What the server says that it is."""

    def query(self, sql: str, most_rows: int) -> Rows:
        """Return the rows of one statement, broken off after `most_rows`."""

    def connections(self) -> Connections | None:
        """Return how many connections are in use, of how many; None where that does not apply."""

    def lag_s(self) -> float:
        """Return how many seconds the replica is behind; DatabaseFailed when it is none, or cannot say."""

    def close(self) -> None:
        """Say goodbye where there is time for it, and close."""
