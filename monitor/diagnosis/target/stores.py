"""What kinds look at that log in to a store: database, redis, queue. Their URLs hold passwords. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from monitor.config.kinds.database import DatabaseCheck
from monitor.config.kinds.queue import QueueCheck
from monitor.config.kinds.redis import KeyRule, RedisCheck
from monitor.config.redisurl import RedisUrl
from monitor.config.valuerules import ValueRule
from monitor.diagnosis.target.look import Look, counted, in_time, lasting, limit, look_at_url, percent, said, some

_SIGNS = {"equals": "=", "not_equals": "not", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_LOGIN = ("user name and password",)


def _rule(what: str, rule: ValueRule) -> str:
    values = {name: f"{value:g}" if isinstance(value, float) else value for name, value in rule.limits.items()}
    return f"{what} {' and '.join(f'{_SIGNS[name]} {value}' for name, value in values.items())}".strip()


def database(check: DatabaseCheck) -> Look:
    url = check.database
    expected = (
        *said(
            counted("at least {}", check.min_rows, "row"),
            counted("at most {}", check.max_rows, "row"),
            *(_rule(rule.column or "the first value", rule) for rule in check.expect),
            limit("more than {} % of its connections in use is WARN", check.warn_connections_percent),
            limit("more than {} % of its connections in use is FAIL", check.crit_connections_percent),
            lasting("a replica at most {} behind", check.max_lag),
            f"the query {check.query}",
        ),
        *in_time(check),
    )
    if url is None:
        return Look(does="asks the database", what="(no URL)", expected=expected, parts=some(query=check.query))
    is_file = url.dialect == "sqlite"
    return Look(
        does="asks the database",
        what=url.place + (f" at {url.socket}" if url.socket else ""),
        scheme=url.dialect,
        host=url.host,
        port=url.port if url.host else 0,
        expected=expected,
        left_out=() if is_file else _LOGIN,
        parts=some(
            dialect=url.dialect,
            name=url.name,
            query=check.query,
            socket=url.socket,
            file=url.name if is_file else None,
            tls=check.tls or url.tls,
            starttls={"postgresql": "postgres", "mysql": "mysql"}.get(url.dialect),
        ),
        reaches_out=bool(url.host),
        is_here=not url.host,
    )


def redis(check: RedisCheck) -> Look:
    url = check.server
    expected = (
        *said(
            "PONG",
            *percent(check, "memory"),
            counted("at most {}", check.max_clients, "client"),
            limit("the role {}", check.role),
            lasting("a replica that heard from its master within {}", check.max_lag),
            *map(_key, check.expect_keys),
        ),
        *in_time(check),
    )
    if url is None:
        return Look(does="asks the Redis server", what="(no URL)", expected=expected)
    return _at_redis(url, "asks the Redis server", url.place, expected, check)


def _key(rule: KeyRule) -> str:
    there = None if rule.exists is None else "there" if rule.exists else "missing"
    lengths = (rule.min_length, "at least"), (rule.max_length, "at most")
    return _rule(f"key {rule.key}", rule) + "".join(
        f" {clause}" for clause in said(there, *(None if n is None else f"{word} {n} long" for n, word in lengths))
    )


def _at_redis(url: RedisUrl, does: str, what: str, expected: Sequence[str], check: Any, **parts: object) -> Look:
    return Look(
        does=does,
        what=what,
        scheme="rediss" if url.is_encrypted else "redis",
        host=url.host,
        port=url.port if url.host else 0,
        expected=tuple(expected),
        left_out=_LOGIN if url.user or url.password else (),
        parts=some(
            socket=url.socket, db=url.database, tls=url.is_encrypted, insecure=not check.verify or url.is_unverified,
            ca_file=check.ca_file, server_name=check.server_name, login=bool(url.user or url.password), **parts,
        ),
        reaches_out=bool(url.host),
        is_here=not url.host,
    )  # fmt: skip


def queue(check: QueueCheck) -> Look:
    expected = (
        *said(
            limit("deeper than {} is WARN", check.warn_depth),
            limit("deeper than {} is FAIL", check.crit_depth),
            counted("at least {}", check.min_consumers, "consumer"),
            lasting("no message older than {}", check.max_age),
        ),
        *in_time(check),
    )
    name = check.queue or check.list or check.stream or ""
    parts = some(queue=check.queue, vhost=check.vhost, list=check.list, stream=check.stream, group=check.consumer_group)
    if not check.is_configured:
        return Look(does="measures the queue", what=name or "(no URL)", expected=expected, parts=parts)
    if check.redis:
        return _at_redis(check.redis, "measures the queue", f"{name} at {check.redis.place}", expected, check, **parts)
    path = f"/api/queues/{quote(check.vhost, safe='')}/{quote(check.queue or '', safe='')}"
    return look_at_url(
        check.management + path,
        "measures the queue",
        expected=expected,
        left_out=_LOGIN,
        parts=parts | some(insecure=not check.verify, ca_file=check.ca_file),
    )
