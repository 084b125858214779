"""Takes secrets out of what a probe saw, before it goes anywhere."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from urllib.parse import quote, quote_plus, unquote

from monitor.model import Outcome

_SECRET_NAME = re.compile(r"auth|key|token|secret|credential|passw|signature|session|cookie", re.IGNORECASE)
_USER_INFO = re.compile(r"//([^/?#]*)@")
# What nobody writes in any other way.
_ONE_SPELLING = re.compile(r"[A-Za-z0-9._~-]*")
# A shorter one would take harmless words with it.
_SHORTEST, _SHORTEST_PART = 4, 8
# In place of what was cut off a text, as `units.clip` has it.
_CUT = "…"


def redacted(redact: Callable[[str], str], outcome: Outcome) -> Outcome:
    """Return the outcome with secrets taken out of every text in it."""
    findings = tuple(
        replace(f, got=redact(f.got), expected=redact(f.expected), words=redact(f.words)) for f in outcome.findings
    )
    observed = {key: redact(value) if isinstance(value, str) else value for key, value in outcome.observed.items()}
    return replace(outcome, message=redact(outcome.message), findings=findings, observed=observed)


def secrets_among(pairs: Mapping[str, str]) -> Iterator[str]:
    """Yield the values, of headers or fields, whose names say that they are secret, and what is secret in them."""
    for value in (value for name, value in pairs.items() if _SECRET_NAME.search(name)):
        # `Bearer x` and `session=x; other=y` have their secret inside.
        yield value
        yield from (part for part in re.split(r"[;\s=]+", value) if len(part) >= _SHORTEST_PART)


def secrets_of_url(url: str) -> Iterator[str]:
    """Yield its password, as it stands there and as it is sent."""
    for user_info in _USER_INFO.findall(url):
        password = user_info.partition(":")[2]
        yield from (password, unquote(password), base64.b64encode(unquote(user_info).encode()).decode())


def redactor_for(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that takes these secrets out of a text, however they are spelled there, cut ones too."""
    spelled = {form for secret in secrets for form in spellings(secret) if len(form) >= _SHORTEST <= len(secret)}
    longest_first = sorted(spelled, key=len, reverse=True)

    def redact(text: str) -> str:
        for secret in longest_first:
            text = _without_its_start(text.replace(secret, "***"), secret)
        return text

    return redact


def spellings(secret: str) -> set[str]:
    """Return how it may stand in a text: as it is, as Python shows it, with blanks folded, in URL, JSON and HTML."""
    if _ONE_SPELLING.fullmatch(secret):
        return {secret}
    raw_json, ascii_json, in_html = json.dumps(secret, ensure_ascii=False), json.dumps(secret), html.escape(secret)
    return {
        secret,
        repr(secret)[1:-1],
        " ".join(secret.split()),
        quote(secret),
        quote_plus(secret),
        raw_json[1:-1],
        ascii_json[1:-1],
        ascii_json[1:-1].replace("/", r"\/"),  # PHP
        "".join(f"\\u{ord(char):04x}" if char in "<>&" else char for char in raw_json[1:-1]),  # Go
        "".join(f"\\u{ord(char):04X}" if char in "<>&+'`\"" or char > "~" else char for char in secret),  # .NET
        in_html,
        in_html.replace("&#x27;", "&#39;").replace("&quot;", "&#34;"),
        in_html.replace("&#x27;", "&#039;"),
    }


def _without_its_start(text: str, secret: str) -> str:
    """Take out the part of a secret that stands where a text was cut."""
    if _CUT not in text:
        return text
    for size in range(len(secret) - 1, _SHORTEST - 1, -1):
        text = text.replace(secret[:size] + _CUT, f"***{_CUT}")
    return text
