"""Keeps an http check's own secrets out of its verdict: a target may repeat what it was sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from urllib.parse import quote, quote_plus, unquote

from monitor.config import HttpCheck
from monitor.model import Outcome
from monitor.probes.redaction import redacted

_SECRET_NAME = re.compile(r"auth|key|token|secret|credential|passw|signature|session|cookie", re.IGNORECASE)
_USER_INFO = re.compile(r"//([^/?#]*)@")
# A shorter one would take harmless words with it.
_SHORTEST, _SHORTEST_PART = 4, 8
# In place of what was cut off a text, as `units.clip` has it.
_CUT = "…"


def without_secrets(check: HttpCheck, outcome: Outcome, *more: str) -> Outcome:
    """Return the outcome with the check's secrets, and these, taken out of every text in it."""
    redact = _redactor([*_secrets(check), *more])
    findings = tuple(replace(finding, what=redact(finding.what)) for finding in outcome.findings)
    return redacted(redact, replace(outcome, findings=findings))


def redactor_of(check: HttpCheck) -> Callable[[str], str]:
    """Return a function that takes the check's secrets out of a text."""
    return _redactor(_secrets(check))


def _secrets(check: HttpCheck) -> Iterator[str]:
    if check.bearer:
        yield check.bearer.get_secret_value()
    if check.basic:
        password = check.basic.password.get_secret_value()
        yield password
        yield base64.b64encode(f"{check.basic.username}:{password}".encode()).decode()
    if check.oauth2:
        yield check.oauth2.client_secret.get_secret_value()
    for pairs in (check.headers, check.query, check.form or {}):
        for value in (value for name, value in pairs.items() if _SECRET_NAME.search(name)):
            # `Bearer x` and `session=x; other=y` have their secret inside.
            yield value
            yield from (part for part in re.split(r"[;\s=]+", value) if len(part) >= _SHORTEST_PART)
    for url in (check.url, check.proxy or "", check.oauth2.token_url if check.oauth2 else ""):
        for user_info in _USER_INFO.findall(url):
            password = user_info.partition(":")[2]
            yield from (password, unquote(password))


def _redactor(secrets: Iterable[str]) -> Callable[[str], str]:
    known = {secret for secret in secrets if len(secret) >= _SHORTEST}
    spelled = {form for secret in known for form in (secret, repr(secret)[1:-1], quote(secret), quote_plus(secret))}
    longest_first = sorted(spelled, key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in longest_first:
            text = _without_its_start(text.replace(secret, "***"), secret)
        return text

    return redact


def _without_its_start(text: str, secret: str) -> str:
    """Take out the part of a secret that stands where a text was cut."""
    if _CUT not in text:
        return text
    for size in range(len(secret) - 1, _SHORTEST - 1, -1):
        text = text.replace(secret[:size] + _CUT, f"***{_CUT}")
    return text
