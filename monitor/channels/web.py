"""HTTP to services that are told: one POST, what it means, and nothing given away.

    2xx ──▶ Answer     408 425 429 5xx, no answer ──▶ passing     other 4xx ──▶ permanent     3xx ──▶ not followed

Credentials are only those that the channel gives: neither ~/.netrc nor a redirect adds or takes some along.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import parsedate_to_datetime

import orjson
import requests
import urllib3

from monitor.channels.channel import Edge, NotDelivered, hush
from monitor.channels.wording import harmless
from monitor.model import Json
from monitor.units import seconds_between, utc_now

# 4xx that pass by themselves: the same request may be accepted later.
_PASSING = (408, 425, 429)
_LONGEST_WAIT_S = 3600.0
_BODY_BYTES = 65_536


@dataclass(frozen=True)
class Answer:
    """What a service answers: its body bounded."""

    code: int
    body: bytes = field(repr=False)

    @property
    def said(self) -> Mapping[str, Json]:
        """The body as a JSON object; empty when it is none."""
        try:
            loaded = orjson.loads(self.body)
        except ValueError:
            return {}
        return loaded if isinstance(loaded, dict) else {}


@dataclass(frozen=True)
class Login:
    """Sends this Authorization, without one the name and password of the URL, if it has any.

    As `auth`, not as a header, which requests would replace by what ~/.netrc says.
    """

    authorization: str = field(default="", repr=False)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.authorization:
            request.headers["Authorization"] = self.authorization
            return request
        user, password = requests.utils.get_auth_from_url(request.url or "")
        return requests.auth.HTTPBasicAuth(user, password)(request) if user or password else request


def bearer(token: str) -> Login:
    return Login(f"Bearer {token}" if token else "")


def post(
    edge: Edge,
    url: str,
    body: bytes | Mapping[str, str],
    auth: requests.auth.AuthBase | Login = Login(),
    headers: Mapping[str, str] | None = None,
    reads: bool = True,
) -> Answer:
    """POST the body, a mapping as a form; return the answer, or raise NotDelivered for any that is not 2xx.

    `reads`: whether what the service says is of interest; why it refuses goes into the detail then.
    """
    hush("urllib3.connectionpool")
    try:
        with requests.post(
            url,
            data=body,
            headers={"User-Agent": "Greenwall", **(headers or {})},
            auth=auth,
            timeout=edge.step_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            answer = Answer(response.status_code, _body(response) if reads else b"")
            if not 200 <= answer.code < 300:
                raise refusal(answer, response.headers.get("Retry-After", ""))
            return answer
    except requests.Timeout as error:
        raise NotDelivered(f"timeout: no answer within {edge.step_s:g} s") from error
    except (requests.RequestException, OSError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}") from error


def post_json(
    edge: Edge,
    url: str,
    body: Json,
    auth: requests.auth.AuthBase | Login = Login(),
    headers: Mapping[str, str] | None = None,
) -> Answer:
    return post(edge, url, json.dumps(body).encode(), auth, {"Content-Type": "application/json", **(headers or {})})


def _body(response: requests.Response) -> bytes:
    try:
        return response.raw.read(_BODY_BYTES, decode_content=True) or b""
    except (urllib3.exceptions.HTTPError, OSError):
        # The code alone says whether it was taken.
        return b""


def refusal(answer: Answer, retry_after: str = "") -> NotDelivered:
    """Return what an answer that is not 2xx means."""
    if 300 <= answer.code < 400:
        return NotDelivered(f"answers {answer.code}, a redirect, which is not followed: set the final URL")
    why = harmless(answer.body.decode("utf-8", "replace"), 200)
    detail = f"answers {answer.code}: {why}" if why else f"answers {answer.code}"
    return NotDelivered(detail, is_permanent(answer.code), retry_after_s(retry_after, utc_now()))


def is_permanent(code: int) -> bool:
    """Whether the same request cannot be accepted later."""
    return 400 <= code < 500 and code not in _PASSING


def retry_after_s(header: str, now: datetime) -> float | None:
    """Return the seconds of a Retry-After header, a number or a date, an hour at most; None for nonsense."""
    text = header.strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return min(float(text), _LONGEST_WAIT_S)
    try:
        at = parsedate_to_datetime(text[:60])
        wait_s = seconds_between(now, at)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait_s, 0.0), _LONGEST_WAIT_S)
