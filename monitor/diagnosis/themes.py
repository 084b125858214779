"""What a check's own name and path say about the service behind it: a table to extend. Pure.

Only words of the configuration count, never those of a target.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from monitor.diagnosis.case import Case, Step


@dataclass(frozen=True, slots=True)
class Theme:
    """A sort of service: the words that give it away, its usual cause of trouble, how to look into it."""

    words: frozenset[str]
    cause: str
    steps: tuple[Step, ...]


_ACTIVITY = (
    "SELECT pid, state, wait_event_type, now() - query_start AS runs, left(query, 80) FROM pg_stat_activity "
    "WHERE state != 'idle' ORDER BY runs DESC LIMIT 10"
)
_CONNECTIONS = "SELECT state, count(*) FROM pg_stat_activity GROUP BY state"

_THEMES = (
    Theme(
        frozenset({"db", "database", "postgres", "postgresql", "pg", "mysql", "mariadb", "sql"}),
        " For a database that is most often a long query, a lock that others wait for, or a connection pool that is "
        "used up.",
        (
            Step(
                "See what the database works on and who waits (PostgreSQL):", f'psql "$DATABASE_URL" -c "{_ACTIVITY}"'
            ),
            Step(
                "See whether its connections are used up (PostgreSQL; MySQL: `SHOW FULL PROCESSLIST`):",
                f'psql "$DATABASE_URL" -c "{_CONNECTIONS}" -c "SHOW max_connections"',
            ),
        ),
    ),
    Theme(
        frozenset({"queue", "queues", "worker", "workers", "celery", "rabbitmq", "kafka", "broker"}),
        " For a queue that is most often workers that are down or stuck, or more work coming in than they can do.",
        (
            Step(
                "See whether the workers run (use the line of your system):", "pgrep -af worker\ncelery inspect active"
            ),
            Step("See what waits, and who takes it (RabbitMQ):", "rabbitmqctl list_queues name messages consumers"),
        ),
    ),
    Theme(
        frozenset({"redis", "cache", "memcached", "valkey"}),
        " For a cache that is most often memory at its limit, a slow command, or too many clients.",
        (
            Step("See its memory and clients:", 'redis-cli -u "$REDIS_URL" INFO memory clients'),
            Step("See its slow commands and its latency:", 'redis-cli -u "$REDIS_URL" SLOWLOG GET 10'),
        ),
    ),
)


_GUESSED = frozenset({"http", "job", "steps", "tcp", "grpc"})


def theme_of(case: Case) -> Theme | None:
    """Return the theme whose words stand in the check's name or path, or None; other kinds say what they look at."""
    target = case.target
    if target is not None and target.type not in _GUESSED:
        return None
    path = target.url.partition("://")[2].partition("/")[2] if target else ""
    words = set(re.split(r"[^a-z]+", f"{case.evidence.subject} {path}".lower()))
    return next((theme for theme in _THEMES if theme.words & words), None)
