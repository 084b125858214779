"""`type: database`."""

from __future__ import annotations

import re
from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.databaseurl import DatabaseUrl, TlsMode, parse_database_url
from monitor.config.fields import Count, Duration, Many, Number, Percent
from monitor.config.valuerules import PREDICATES, ValueRule
from monitor.model import Category

_LONGEST_QUERY = 20_000
_MOST_ROWS = 100_000
# Texts, quoted names and comments, in which a semicolon ends nothing.
_QUOTED = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `[^`]*` | \$(\w*)\$.*?\$\1\$ | --[^\n]* | /\*.*?\*/""", re.DOTALL | re.VERBOSE
)
_FIGURES = ("warn_connections_percent", "crit_connections_percent", "max_lag")


class ColumnRule(ValueRule):
    """What a column of the first row must be. No row, no such column, or a value of the wrong type is a failure.

    Whole and decimal numbers are numbers, NULL is `null`, and only PostgreSQL has true and false; everything else (a
    date, a UUID) is text as the database writes it, to be compared in quotes.
    """

    column: str | None = Field(None, min_length=1, description="name of the column; the first one without it")

    @model_validator(mode="after")
    def _has_a_limit(self) -> ColumnRule:
        if not self.limits:
            raise ValueError(f"expected one of {', '.join(PREDICATES)} in each rule")
        return self


class DatabaseCheck(CheckBase):
    """Log in to a database, run one query, and judge its rows, its time and how many connections are in use.

    PostgreSQL (and what speaks its protocol), MySQL, MariaDB and SQLite, by a URL as SQLAlchemy has it:
    `postgresql://user:password@host/name`, `mysql://…`, `mariadb://…`, `sqlite:///file.db`. `postgres://` and a driver
    (`postgresql+asyncpg://`) are understood. An empty URL, as from `${DATABASE_URL:-}`, is UNKNOWN: not configured.

    Everything is read-only: the query runs in a read-only transaction with a time limit of its own in the server, an
    SQLite file is never created. Each probe has a connection of its own, closed at its end. A login that is refused is
    `auth`, no connection left is `resource`, a lock or statement time-out is `timeout`, any other error of the server
    is `status`; the server's error code stands in `observed`.

    A password goes out in clear text (LDAP, PAM, `password` in pg_hba.conf) only over `tls: verify` or a Unix socket;
    for PostgreSQL over loopback, too. `channel_binding=require` in the URL is heard.
    """

    example: ClassVar[str] = """\
- name: shop database
  type: database
  url: postgresql://monitor:${DB_PASSWORD:-secret}@db.example:5432/shop
  query: SELECT count(*) AS waiting FROM orders WHERE state = 'new'
  expect:
    - {column: waiting, lt: 1000}
  crit_connections_percent: 90
"""
    trouble: ClassVar[Category] = Category.DATABASE

    type: Literal["database"]
    url: str = Field(description="URL of the database; write it as `${DATABASE_URL:-}`")
    query: str = Field("SELECT 1", min_length=1, max_length=_LONGEST_QUERY, description="one statement that reads")
    min_rows: Count | None = Field(None, le=_MOST_ROWS, description="fewer rows are FAIL")
    max_rows: Count | None = Field(None, le=_MOST_ROWS, description="more rows are FAIL")
    expect: Many[ColumnRule] = Field((), description="rules on the first row, all must hold")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN: connect, log in and query together")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    warn_connections_percent: Percent | None = Field(
        None, description="more of the server's `max_connections` in use is WARN"
    )
    crit_connections_percent: Percent | None = Field(None, description="more in use is FAIL")
    max_lag: Duration | None = Field(
        None, description="the server must be a replica, and not further behind than this; else FAIL"
    )
    connect_timeout: Duration = Field(5.0, description="limit of connect and login, within `timeout`")
    tls: TlsMode | None = Field(
        None,
        description="`off`, `prefer` (encrypted where the server can, certificate not verified), `require`, "
        "`verify` (the certificate must be valid for the host); without it what the URL's `sslmode` says, or `prefer`",
    )
    ca_file: str | None = Field(None, description="`verify`: trust this CA bundle instead of the system's")

    @cached_property
    def database(self) -> DatabaseUrl | None:
        """The parts of the URL; None when it is empty: not configured."""
        return parse_database_url(self.url) if self.url.strip() else None

    @property
    def target(self) -> str:
        return self.database.place if self.database else "no URL"

    @model_validator(mode="after")
    def _fits_together(self) -> DatabaseCheck:
        database = self.database
        if ";" in _QUOTED.sub(" ", self.query).rstrip("; \t\r\n"):
            raise ValueError("query: expected one statement, got several with ; between them")
        if "\0" in self.query:
            raise ValueError("query: expected text, got a NUL character in it")
        if self.min_rows is not None and self.max_rows is not None and self.min_rows > self.max_rows:
            raise ValueError(f"expected min_rows of at most max_rows ({self.max_rows}), got {self.min_rows}")
        unfit = [name for name in _FIGURES if getattr(self, name) is not None]
        if database and database.dialect == "sqlite" and unfit:
            raise ValueError(f"{unfit[0]}: expected a postgresql or mysql URL for it, got sqlite")
        return self
