"""Cookies of one walk, by the rules of RFC 6265; the standard library's jar, with what it leaves open closed."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from email.message import Message
from http.cookiejar import CookieJar
from urllib.parse import urlsplit
from urllib.request import Request as JarRequest

from monitor.probes.curl import Answer
from monitor.probes.httprules import values_of

# As browsers have it: 4096 bytes of name and value, and as much again would be no attributes.
_LONGEST_LINE = 5120
_MOST_COOKIES = 100
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Cookies:
    """What the answers so far have set."""

    def __init__(self) -> None:
        self._jar = CookieJar()

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
    names = [attribute.partition("=")[0].strip().lower() for attribute in attributes]
    if len(line) > _LONGEST_LINE or _CONTROL.search(line) or ("secure" in names and parts.scheme.lower() != "https"):
        return ""
    domains = [attribute.partition("=")[2].strip().lower() for attribute in attributes if _is_domain(attribute)]
    domain = domains[-1].removeprefix(".") if domains else ""
    if domain == host or not domain:
        # Of its own name or address alone. The jar would refuse it where there is no dot in it.
        host_only = "." not in host or _is_address(host) or not domain
        attributes = [a for a in attributes if not (host_only and _is_domain(a))]
    elif _is_address(host) or "." not in domain or not host.endswith(f".{domain}"):
        # 127.0.0.1 ends in 0.0.1, but is no part of it; and `com` or `local` would be everybody's.
        return ""
    return ";".join([pair, *attributes])


def _is_domain(attribute: str) -> bool:
    return attribute.partition("=")[0].strip().lower() == "domain"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
