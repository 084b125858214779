"""`type: queue`."""

from __future__ import annotations

import re
from functools import cached_property
from typing import ClassVar, Literal
from urllib.parse import unquote, urlsplit

from pydantic import Field, model_validator

from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Duration, Number
from monitor.config.redisurl import RedisUrl, is_redis_url, parse_redis_url
from monitor.model import Category

_HTTP = re.compile(r"https?://", re.IGNORECASE)


class QueueCheck(CheckBase):
    """Measure how many messages wait in a queue, how old the oldest is, and who takes them.

    RabbitMQ by its management API: `url: http://user:password@host:15672` and `queue`. Redis by `url: redis://…` and
    `list`, or `stream` with the `consumer_group` that reads it. An empty URL, as from `${QUEUE_URL:-}`, is UNKNOWN: not
    configured.

    Depth is what waits and what was handed out and not acknowledged yet; `counts` has RabbitMQ's `ready` or `unacked`
    alone. Of a stream without a consumer group, all entries count. A Redis list that is missing is empty; a RabbitMQ
    queue, a stream or a group that is missing is FAIL. RabbitMQ's figures are some seconds old.

    `max_age` needs times: a stream has them, RabbitMQ only when whoever publishes sets `timestamp`; a list has none.
    """

    example: ClassVar[str] = """\
- name: mail queue
  type: queue
  url: http://monitor:${RABBITMQ_PASSWORD:-secret}@queue.example:15672
  queue: mail
  warn_depth: 1000
  crit_depth: 10000
  min_consumers: 1
"""
    trouble: ClassVar[Category] = Category.PERFORMANCE

    type: Literal["queue"]
    url: str = Field(
        description="`http://` or `https://` of RabbitMQ's management, or `redis://`, `rediss://`, `unix://`"
    )
    queue: str | None = Field(None, min_length=1, max_length=255, description="RabbitMQ: name of the queue")
    vhost: str = Field("/", min_length=1, max_length=255, description="RabbitMQ: virtual host")
    counts: Literal["messages", "ready", "unacked"] = Field("messages", description="RabbitMQ: what is the depth")
    list: str | None = Field(None, min_length=1, max_length=1000, description="Redis: key of a list")
    stream: str | None = Field(None, min_length=1, max_length=1000, description="Redis: key of a stream")
    consumer_group: str | None = Field(
        None, min_length=1, max_length=1000, description="Redis: consumer group of the stream"
    )
    warn_depth: Count | None = Field(None, description="deeper is WARN")
    crit_depth: Count | None = Field(None, description="deeper is FAIL")
    min_consumers: Count | None = Field(None, description="fewer consumers are FAIL; not of a list")
    max_age: Duration | None = Field(None, description="an older message that still waits is FAIL")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    verify: bool = Field(True, description="https, rediss: the certificate must be valid")
    ca_file: str | None = Field(None, description="https, rediss: trust this CA bundle instead of the system's")
    server_name: str | None = Field(None, description="https, rediss: the name in the certificate, if not the host")

    @property
    def is_configured(self) -> bool:
        """Whether there is a URL."""
        return bool(self.url.strip())

    @cached_property
    def redis(self) -> RedisUrl | None:
        """The parts of a Redis URL; None for RabbitMQ."""
        return parse_redis_url(self.url) if is_redis_url(self.url) else None

    @property
    def management(self) -> str:
        """RabbitMQ's management URL without user and password."""
        parts = urlsplit(self.url.strip())
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"

    @property
    def login(self) -> tuple[str, str]:
        """User and password of RabbitMQ's URL; `guest` is its default."""
        user, _, password = urlsplit(self.url.strip()).netloc.rpartition("@")[0].partition(":")
        return (unquote(user), unquote(password)) if user else ("guest", "guest")

    @property
    def target(self) -> str:
        where = self.redis.place if self.redis else self.management if self.is_configured else "no URL"
        return f"{where} {self.queue or self.list or self.stream or ''}".strip()

    @model_validator(mode="after")
    def _fits_together(self) -> QueueCheck:
        if not self.is_configured:
            return self
        if self.redis:
            return self._fits_redis()
        # An address without a port, or with a blank, is none; it may hold a password, and is not repeated.
        if not re.fullmatch(
            r"https?://(?:[^\s/]*@)?(?:\[[0-9A-Fa-f:.%]+\]|[^\s/@:?#]+)(?::\d{1,5})?(?:/[^\s?#]*)?",
            self.url.strip(),
            re.IGNORECASE,
        ):
            scheme = self.url.split("://")[0] if re.match(r"[a-z+]{1,20}://", self.url) else ""
            got = f", got {scheme}://" if scheme and not _HTTP.match(self.url) else ""
            raise ValueError(f"url: expected http://user:password@host:15672 or redis://host:6379{got}")
        if not self.queue:
            raise ValueError("expected queue, the name of a RabbitMQ queue, beside an http URL")
        unfit = [name for name in ("list", "stream", "consumer_group") if getattr(self, name)]
        if unfit:
            raise ValueError(f"{unfit[0]}: expected a redis URL for it, got http")
        return self

    def _fits_redis(self) -> QueueCheck:
        if self.queue:
            raise ValueError("queue: expected an http URL of RabbitMQ's management for it, got redis")
        if (self.list is None) == (self.stream is None):
            raise ValueError("expected either list or stream beside a redis URL")
        if self.consumer_group and not self.stream:
            raise ValueError("consumer_group: expected stream beside it, got list")
        if self.list and (self.max_age is not None or self.min_consumers is not None):
            raise ValueError("expected stream for max_age and min_consumers: a list knows no times and no consumers")
        if self.min_consumers is not None and not self.consumer_group:
            raise ValueError("min_consumers: expected consumer_group beside it")
        return self
