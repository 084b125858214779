"""Tokens of OAuth 2.0 client credentials (RFC 6749, 4.4): asked for, read, and kept in this process until they expire.

A token is found by a digest of its client: neither it nor the secret is in a message, a log or an exception.
"""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

import orjson

from monitor.config.credentials import OAuth2
from monitor.model import Json, Kind, Outcome
from monitor.probes.curl import Answer, FetchFailed, harmless
from monitor.probes.verdict import failed
from monitor.units import plain

# It must still hold when it arrives.
_MARGIN_S = 30.0
# When the endpoint does not say.
_LIFE_S = 300.0
_MOST_KEPT = 1000
_kept: dict[str, tuple[str, float]] = {}


def kept_token(client: OAuth2) -> str:
    """Return the token that is kept for this client, or an empty text."""
    token, until = _kept.get(_digest(client), ("", 0.0))
    return token if time.monotonic() < until else ""


def forget_token(client: OAuth2) -> None:
    _kept.pop(_digest(client), None)


def token_form(client: OAuth2) -> tuple[Mapping[str, str], str]:
    """Return headers and body of the request for a token."""
    form = {"grant_type": "client_credentials", "scope": client.scope, "audience": client.audience}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    secret = client.client_secret.get_secret_value()
    if client.credentials == "body":
        form |= {"client_id": client.client_id, "client_secret": secret}
    else:
        # Both are form-encoded before they are joined (RFC 6749, 2.3.1).
        pair = f"{quote_plus(client.client_id)}:{quote_plus(secret)}"
        headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return headers, urlencode({key: value for key, value in form.items() if value})


def read_token(client: OAuth2, answer: Answer | FetchFailed) -> str | Outcome:
    """Return the token and keep it, or the verdict that there is none; it names the endpoint, and no secret."""
    endpoint = plain(harmless(client.token_url), 200)
    if isinstance(answer, FetchFailed):
        ours = answer.kind if answer.kind in (Kind.INTERNAL, Kind.VANTAGE, Kind.UNCONFIGURED) else Kind.AUTH
        return failed(ours, f"no token from {endpoint}: {answer.message}", phases_ms=answer.phases_ms)
    token, life_s, why = _read(answer)
    if why:
        observed: dict[str, Json] = {"token_url": endpoint, "token_status": answer.code}
        return failed(Kind.AUTH, f"no token from {endpoint}: {why}", observed=observed)
    if life_s > _MARGIN_S:
        _keep(_digest(client), token, life_s - _MARGIN_S)
    return token


def _read(answer: Answer) -> tuple[str, float, str]:
    """Return the token and its seconds, or why there is none."""
    try:
        document = None if answer.cut else orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        document = None
    fields = document if isinstance(document, dict) else {}
    if answer.code != 200:
        # The error's code only: its description may repeat what was sent.
        error = fields.get("error")
        named = f" ({error})" if isinstance(error, str) and re.fullmatch(r"[\w.-]{1,60}", error) else ""
        return "", 0.0, f"status is {answer.code}{named}, expected 200"
    token = fields.get("access_token")
    if not isinstance(token, str) or not re.fullmatch(r"[\x21-\x7e]{1,20000}", token):
        return "", 0.0, "the answer is JSON without an access_token" if fields else "the answer is no JSON object"
    return token, _life_s(fields.get("expires_in")), ""


def _life_s(value: object) -> float:
    # Some endpoints send the number as a text.
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return _LIFE_S
    try:
        seconds = float(value)
    except ValueError:
        return _LIFE_S
    return seconds if 0 <= seconds < 366 * 86400 else _LIFE_S


def _keep(digest: str, token: str, seconds: float) -> None:
    if len(_kept) >= _MOST_KEPT:
        _kept.clear()
    _kept[digest] = (token, time.monotonic() + seconds)


def _digest(client: OAuth2) -> str:
    parts = (
        client.token_url,
        client.client_id,
        client.client_secret.get_secret_value(),
        client.scope or "",
        client.audience or "",
        client.credentials,
    )
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()
