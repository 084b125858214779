"""The URL of a Redis server, as redis-py and Celery write it. Valkey and KeyDB are reached by the same.

    redis://user:password@host:6379/0     rediss://… (TLS)     unix:///run/redis.sock?db=0

User and password may be percent-encoded; `redis://:password@host` has no user.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

_FORM = re.compile(
    r"(?P<scheme>rediss?|valkeys?|unix|redis\+socket|rediss?\+unix)://"
    r"(?:(?P<user>[^/:]*)(?::(?P<password>[^/]*))?@)?"
    r"(?:\[(?P<six>[^\]/?]+)\]|(?P<host>[^/:?]*))(?::(?P<port>[^/?]*))?"
    r"(?P<path>/[^?]*)?(?:\?(?P<query>.*))?",
    re.IGNORECASE | re.DOTALL,
)
_ENCRYPTED = ("rediss", "valkeys")
_PLAIN = ("redis", "valkey")
_IGNORED_CERTIFICATE = ("none", "cert_none", "false", "0")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """The parts of the URL. `socket` is the path of a Unix socket, `host` is empty then."""

    host: str = ""
    port: int = 6379
    database: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    socket: str = ""
    is_encrypted: bool = False
    is_unverified: bool = False

    @property
    def place(self) -> str:
        """The URL without user, password and parameters."""
        if self.socket:
            return f"unix://{self.socket}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"redis{'s' if self.is_encrypted else ''}://{host}:{self.port}/{self.database}"


def is_redis_url(text: str) -> bool:
    """Return whether the scheme is one of Redis."""
    return text.strip().split("://")[0].lower() in (*_ENCRYPTED, *_PLAIN, "unix", "redis+socket", "redis+unix")


def parse_redis_url(text: str) -> RedisUrl:
    """Return the parts of the URL; ValueError says what is expected and never repeats what may be secret."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a URL such as redis://:password@host:6379/0, rediss://… or unix:///run/redis.sock")
    scheme, path = match["scheme"].lower(), match["path"] or ""
    query = {key.lower(): value for key, value in parse_qsl(match["query"] or "", keep_blank_values=True)}
    user = unquote(match["user"] or query.get("username", ""))
    password = unquote(match["password"] or query.get("password", ""))
    if scheme not in (*_ENCRYPTED, *_PLAIN):
        if match["host"] or match["six"] or len(path) < 2:
            raise ValueError("expected three slashes and a path, such as unix:///run/redis/redis.sock")
        database = _number(query.get("db") or query.get("virtual_host") or "0", 65535, "a database by number")
        return RedisUrl("", 0, database, user, password, unquote(path))
    name = path.strip("/")
    return RedisUrl(
        match["six"] or unquote(match["host"] or "") or "localhost",
        _number(match["port"] or "6379", 65535, "a port from 1 to 65535; a / in a password is written %2F"),
        _number(name or query.get("db") or "0", 65535, "a database by number, such as /0"),
        user,
        password,
        is_encrypted=scheme in _ENCRYPTED,
        is_unverified=query.get("ssl_cert_reqs", "").lower() in _IGNORED_CERTIFICATE,
    )


def _number(text: str, most: int, what: str) -> int:
    # The text may be the rest of a password: it is not repeated.
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > most:
        raise ValueError(f"expected {what}")
    return int(text)
