"""`type: redis`."""

from __future__ import annotations

from functools import cached_property
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Duration, Many, Number, Percent
from monitor.config.redisurl import RedisUrl, parse_redis_url
from monitor.config.valuerules import PREDICATES, ValueRule
from monitor.model import Category

_LENGTHS = ("min_length", "max_length")


class KeyRule(ValueRule):
    """What a key must be. A key that is missing, or of another type, is a failure.

    A value is text. `lt`, `le`, `gt`, `ge` and a number in `equals` take it as a number, and fail when it is none.
    `min_length` and `max_length` count entries of a list, set, sorted set, hash or stream; a key that is missing has
    none, so that an empty list is well.
    """

    key: str = Field(min_length=1, max_length=1000, description="name of the key")
    exists: bool | None = Field(None, description="the key must be there, or must not")
    min_length: Count | None = Field(None, description="fewer entries are FAIL")
    max_length: Count | None = Field(None, description="more entries are FAIL")

    @model_validator(mode="after")
    def _has_a_limit(self) -> KeyRule:
        lengths = self.min_length is not None or self.max_length is not None
        if not self.limits and not lengths and self.exists is None:
            raise ValueError(f"expected one of {', '.join((*PREDICATES, 'exists', *_LENGTHS))} beside key {self.key!r}")
        if self.exists is False and (self.limits or lengths):
            raise ValueError(f"expected nothing else beside exists: false of key {self.key!r}")
        return self


class RedisCheck(CheckBase):
    """Log in to a Redis (or Valkey) server, PING it, and judge its memory, its clients, its replication and its keys.

    `redis://`, `rediss://` (TLS) and `unix://` URLs. An empty URL, as from `${REDIS_URL:-}`, is UNKNOWN: not
    configured. Memory in percent is that of `maxmemory`, and of the machine's memory where there is no such limit. A
    server that still loads its data, is busy with a script or has lost its primary is FAIL with its own words. Nothing
    is written. `observed` holds memory, clients, evicted keys and rejected connections.
    """

    example: ClassVar[str] = """\
- name: cache
  type: redis
  url: redis://:${REDIS_PASSWORD:-secret}@cache.example:6379/0
  warn_percent: 80
  crit_percent: 95
  expect_keys:
    - {key: jobs, max_length: 1000}
"""
    trouble: ClassVar[Category] = Category.DATABASE

    type: Literal["redis"]
    url: str = Field(description="URL of the server; write it as `${REDIS_URL:-}`")
    warn_percent: Percent | None = Field(None, description="more memory in use is WARN")
    crit_percent: Percent | None = Field(None, description="more memory in use is FAIL")
    max_clients: Count | None = Field(None, description="more connected clients are FAIL")
    role: Literal["master", "replica"] | None = Field(None, description="what the server must be")
    max_lag: Duration | None = Field(
        None, description="the server must be a replica that heard from its master within this time; else FAIL"
    )
    expect_keys: Many[KeyRule] = Field((), max_length=50, description="rules on keys, all must hold")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN: connect, log in and PING together")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    verify: bool = Field(True, description="rediss: the certificate must be valid")
    ca_file: str | None = Field(None, description="rediss: trust this CA bundle instead of the system's")
    server_name: str | None = Field(None, description="rediss: the name in the certificate, where it is not the host")

    @cached_property
    def server(self) -> RedisUrl | None:
        """The parts of the URL; None when it is empty: not configured."""
        return parse_redis_url(self.url) if self.url.strip() else None

    @property
    def target(self) -> str:
        return self.server.place if self.server else "no URL"

    @model_validator(mode="after")
    def _fits_together(self) -> RedisCheck:
        if self.server is not None and self.max_lag is not None and self.role == "master":
            raise ValueError("max_lag: expected role: replica for it, or no role, got role: master")
        return self
