"""Who may act. With MONITOR_PASSWORD: whoever knows it. Without: only who sits at this machine.

The cookie is signed and expires; its key is made from the password, so that a new password ends all sessions and a
restart ends none. Guesses are counted by address and all together.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from itsdangerous import BadSignature, URLSafeTimedSerializer

COOKIE = "greenwall_operator"
SESSION_S = 12 * 3600
TRIES_PER_ADDRESS = 5
TRIES_TOGETHER = 30
WINDOW_S = 60.0
_FORWARDED = ("x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via")
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1", "[::1]")


@dataclass(frozen=True)
class Visitor:
    """What is known of a request: the peer's address, its headers (names in lower case) and cookies."""

    address: str | None
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_local(self) -> bool:
        """Whether the request comes from this machine itself, to a local name, through no proxy.

        A proxy on this machine makes strangers look local, and a foreign name that points here is how a page in
        the operator's browser would reach us: neither counts.
        """
        if any(name in self.headers for name in _FORWARDED):
            return False
        return _is_loopback(self.address) and _host_name(self.headers.get("host", "")) in _LOCAL_NAMES

    @property
    def is_cross_site(self) -> bool:
        """Whether a page of another site sent the request."""
        origin = self.headers.get("origin")
        if origin and origin.partition("://")[2] != self.headers.get("host"):
            return True
        return self.headers.get("sec-fetch-site") in ("cross-site", "same-site")


def _is_loopback(address: str | None) -> bool:
    try:
        return ipaddress.ip_address((address or "").removeprefix("::ffff:")).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()


@lru_cache(maxsize=4)
def _key(password: str) -> bytes:
    # Slow on purpose: whoever gets hold of a cookie cannot guess the password from it cheaply.
    return hashlib.scrypt(password.encode(), salt=b"greenwall operator cookie", n=2**14, r=8, p=1)


class Operator:
    """The operator's door. One for a process: it counts wrong passwords."""

    def __init__(
        self,
        password: Callable[[], str] = lambda: os.environ.get("MONITOR_PASSWORD", ""),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._password = password
        self._clock = clock
        self._lock = threading.Lock()
        self._wrong: deque[tuple[float, str]] = deque()

    @property
    def has_password(self) -> bool:
        return bool(self._password())

    def may_act(self, visitor: Visitor) -> bool:
        """Return whether this visitor may act."""
        if visitor.is_cross_site:
            return False
        if not self.has_password:
            return visitor.is_local
        return self._has_cookie(visitor) or self._has_bearer(visitor)

    def why_not(self, visitor: Visitor) -> str:
        """Return what a visitor who may not act should do."""
        if visitor.is_cross_site:
            return "this request comes from another site"
        if self.has_password:
            return "log in at /operator/login, or send the password as a Bearer token"
        return (
            "no MONITOR_PASSWORD is set, so acting works only on the machine itself, at http://127.0.0.1 or localhost"
        )

    def log_in(self, password: str, visitor: Visitor) -> str | None:
        """Return the cookie's value for the right password, else None. Raises TooManyTries."""
        return self._sign() if self._is_right(password, visitor) else None

    def _is_right(self, password: str, visitor: Visitor) -> bool:
        address = visitor.address or "?"
        with self._lock:
            now = self._clock()
            while self._wrong and self._wrong[0][0] < now - WINDOW_S:
                self._wrong.popleft()
            mine = sum(who == address for _, who in self._wrong)
            if mine >= TRIES_PER_ADDRESS or len(self._wrong) >= TRIES_TOGETHER:
                raise TooManyTries
            right = self.has_password and hmac.compare_digest(password.encode(), self._password().encode())
            if not right:
                self._wrong.append((now, address))
            return right

    def _sign(self) -> str:
        return str(self._serializer().dumps("operator"))

    def _has_cookie(self, visitor: Visitor) -> bool:
        try:
            return bool(self._serializer().loads(visitor.cookies.get(COOKIE, ""), max_age=SESSION_S) == "operator")
        except BadSignature:
            return False

    def _has_bearer(self, visitor: Visitor) -> bool:
        scheme, _, token = visitor.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        try:
            return self._is_right(token.strip(), visitor)
        except TooManyTries:
            return False

    def _serializer(self) -> URLSafeTimedSerializer:
        return URLSafeTimedSerializer(_key(self._password()), salt="operator")


class TooManyTries(Exception):
    """Too many wrong passwords in the last minute; the next try is refused unseen."""
