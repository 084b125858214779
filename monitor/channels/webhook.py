"""A webhook: the message's facts as JSON, POSTed to a URL. The receiver can tell a repetition by Idempotency-Key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote

import requests

from monitor.channels.channel import Configured, Edge, Receipt, hush
from monitor.channels.message import Message

# 4xx that pass by themselves: the same request may be accepted later.
_PASSING = (408, 425, 429)
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True)
class Webhook(Configured):
    """POSTs to `url`, with `token` as a bearer token when there is one."""

    edge: Edge
    url: str = field(repr=False)
    token: str = field(default="", repr=False)
    type: str = "webhook"

    @property
    def name(self) -> str:
        return self.edge.name

    def send(self, message: Message) -> Receipt:
        hush("urllib3.connectionpool")
        return self.edge.cross(lambda: self._deliver(message))

    def _deliver(self, message: Message) -> Receipt:
        # The key may hold the name of a channel in any script; a header holds Latin-1 without line ends.
        key = quote(f"{message.key}:{self.name}", safe=":-._~")
        try:
            with requests.post(
                self.url,
                json=dict(message.facts),
                headers={"Idempotency-Key": key, "User-Agent": "Greenwall"},
                auth=self._authorize if self.token else None,
                timeout=self.edge.step_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._judge(response)
        except requests.Timeout:
            return self._failed(f"timeout: no answer within {self.edge.step_s:g} s")
        except (requests.RequestException, OSError) as error:
            return self._failed(f"{type(error).__name__}: {error}")

    def _authorize(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        # As `auth`, not as a header, which requests would replace by what ~/.netrc says.
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request

    def _judge(self, response: requests.Response) -> Receipt:
        code = response.status_code
        if 200 <= code < 300:
            return Receipt(self.name, ok=True, detail=f"accepted with {code}")
        if 300 <= code < 400:
            return self._failed(f"answers {code}, a redirect, which is not followed: set the final URL")
        permanent = 400 <= code < 500 and code not in _PASSING
        return self._failed(f"answers {code}", permanent, retry_after_s(response.headers.get("Retry-After", "")))

    def _failed(self, detail: str, permanent: bool = False, wait_s: float | None = None) -> Receipt:
        return Receipt(self.name, ok=False, detail=detail, permanent=permanent, retry_after_s=wait_s)


def retry_after_s(header: str) -> float | None:
    """Return the seconds of a Retry-After header, an hour at most; None for a date or for nonsense."""
    text = header.strip()
    return min(float(text), _LONGEST_WAIT_S) if re.fullmatch(r"[0-9]{1,9}", text) else None
