"""Keeps an http check's own secrets out of its verdict: a target may repeat what it was sent."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace

from monitor.config import HttpCheck
from monitor.model import Outcome
from monitor.probes.redaction import redacted, redactor_for, secrets_among, secrets_of_url


def without_secrets(check: HttpCheck, outcome: Outcome, *more: str) -> Outcome:
    """Return the outcome with the check's secrets, and these, taken out of every text in it."""
    redact = redactor_for([*_secrets(check), *more])
    findings = tuple(replace(finding, what=redact(finding.what)) for finding in outcome.findings)
    return redacted(redact, replace(outcome, findings=findings))


def redactor_of(check: HttpCheck) -> Callable[[str], str]:
    """Return a function that takes the check's secrets out of a text."""
    return redactor_for(_secrets(check))


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
        yield from secrets_among(pairs)
    for url in (check.url, check.proxy or "", check.oauth2.token_url if check.oauth2 else ""):
        yield from secrets_of_url(url)
