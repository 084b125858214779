"""Cookies of one walk, by the rules of RFC 6265; the standard library's jar, with what it leaves open closed.

    Set-Cookie ─▶ only what RFC 6265 knows, the last of each attribute ─▶ the jar ─▶ Cookie

A cookie is not kept for a whole top-level domain, nor for a second level as in `co.uk`. The list of public suffixes is
not known: one for `github.io` would be kept, and sent to other hosts below it that the walk itself asks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit
from urllib.request import Request as JarRequest

from monitor.config.endpoint import is_address
from monitor.probes.curl import Answer
from monitor.probes.httprules import values_of

# As browsers have it: 4096 bytes of name and value, and as much again would be no attributes.
_LONGEST_LINE = 5120
_MOST_COOKIES = 100
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_NUMBER = re.compile(r"-?[0-9]{1,15}")


class Cookies:
    """What the answers so far have set."""

    def __init__(self) -> None:
        # By default a cookie of one host would go to all hosts below it, and one for `co.uk` would be taken.
        strict = DefaultCookiePolicy(strict_domain=True, strict_ns_domain=DefaultCookiePolicy.DomainStrictNonDomain)
        self._jar = CookieJar(strict)

    def keep(self, url: str, answer: Answer) -> None:
        """Note what an answer from this URL sets, as far as it may."""
        told = _Told()
        for line in values_of(answer.headers, "set-cookie"):
            if len(self._jar) + len(told.message) >= _MOST_COOKIES:
                break
            if acceptable := _acceptable(line, url):
                told.message["Set-Cookie"] = acceptable
        self._jar.extract_cookies(told, _bare(url))  # type: ignore[arg-type]

    def header(self, url: str) -> str:
        """Return the Cookie header for a request to this URL; an empty text when there are none for it."""
        request = _bare(url)
        self._jar.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def value(self, url: str, name: str) -> str | None:
        """Return the cookie of this name that would be sent to this URL; the one with the longest path wins."""
        pairs = (part.partition("=") for part in self.header(url).split("; "))
        return next((value for key, _, value in pairs if key == name), None)

    def values(self) -> Iterable[str]:
        return (cookie.value for cookie in self._jar if cookie.value)


class _Told:
    """An answer as the jar wants it."""

    def __init__(self) -> None:
        self.message = Message()

    def info(self) -> Message:
        return self.message


def _bare(url: str) -> JarRequest:
    # The jar would take user and password for a part of the host.
    parts = urlsplit(url)
    return JarRequest(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())


def _acceptable(line: str, url: str) -> str:
    """Return the line for the jar; an empty text when it may not be kept."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    pair, *attributes = line.split(";")
    # The last of each counts (RFC 6265, 5.3); the jar would take the first.
    said = {name.strip().lower(): value.strip() for name, _, value in (part.partition("=") for part in attributes)}
    domain = said.get("domain", "").lower().removeprefix(".")
    if len(line) > _LONGEST_LINE or _CONTROL.search(line) or ("secure" in said and parts.scheme.lower() != "https"):
        return ""
    if domain not in ("", host) and not _is_above(domain, host):
        return ""
    kept = [pair]
    # Of its own address or name without a dot it is anyway, and the jar would refuse it.
    kept += [f"Domain={domain}"] if "." in domain and not is_address(host) else []
    kept += [f"Path={said['path']}"] if said.get("path", "").startswith("/") else []
    kept += [f"Max-Age={said['max-age']}"] if _NUMBER.fullmatch(said.get("max-age", "")) else []
    kept += [f"Expires={said['expires']}"] if said.get("expires") else []
    kept += ["Secure"] if "secure" in said else []
    return ";".join(kept)


def _is_above(domain: str, host: str) -> bool:
    # 127.0.0.1 ends in 0.0.1, but is no part of it; and `com` or `local` would be everybody's.
    return "." in domain and host.endswith(f".{domain}") and not is_address(host)
