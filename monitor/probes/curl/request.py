"""What to ask, what came back, and why nothing did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.model import Kind
from monitor.probes.verdict import ProbeFailed

MAX_REDIRECTS = 5


# Neither of these two is ever changed. Frozen ones take three times as long to make: 4 % of a whole http check.
@dataclass(slots=True)
class Request:
    """What to ask. One deadline, `timeout_s`, stands over all of it; `max_body_bytes` bounds the decoded body.

    `basic` is user name and password. `server_name` is what TLS asks for and verifies, where that is not the host of
    the URL. `http_version` is one of `1.0 1.1 2 3`, and None leaves it to what both sides know. `wants_chain` has the
    certificates of the last https hop kept.
    """

    url: str
    timeout_s: float
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | str | None = None
    follow_redirects: bool = True
    max_redirects: int = MAX_REDIRECTS
    verify: bool = True
    ca_file: str | None = None
    server_name: str | None = None
    basic: tuple[str, str] | None = field(default=None, repr=False)
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    keep_alive: bool = False
    http_version: str | None = None
    unix_socket: str | None = None
    max_body_bytes: int = 1_000_000
    wants_chain: bool = False

    @property
    def is_https(self) -> bool:
        return self.url[:6].lower() == "https:"


@dataclass(slots=True)
class Answer:
    """What came back. `cut`: the body was longer than allowed, and reading stopped there.

    `redirected_to` is where the answer came from when that is not where it was asked for, without what may be secret.
    `header_block` is the final answer's head as it was received; `chain` its certificates as PEM, leaf first.
    """

    code: int
    body: bytes
    cut: bool
    latency_ms: float
    phases_ms: dict[str, float]
    address: str
    redirected_to: str = ""
    header_block: tuple[bytes, ...] = ()
    http_version: str = ""
    chain: tuple[bytes, ...] = ()
    redirects: int = 0

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Name and value of each header of the final answer, in their order; folded lines are joined."""
        pairs: list[tuple[str, str]] = []
        for line in self.header_block[1:]:
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if text[:1] in (" ", "\t") and pairs:
                name, value = pairs[-1]
                pairs[-1] = (name, f"{value} {text.strip()}".strip())
            elif ":" in text:
                name, _, value = text.partition(":")
                pairs.append((name.strip(), value.strip()))
        return tuple(pairs)

    @property
    def content_type(self) -> str:
        """The value of the first Content-Type, or an empty text. Cheaper than all headers."""
        for line in self.header_block:
            if line[:13].lower() == b"content-type:":
                return line[13:].decode("utf-8", "replace").strip()
        return ""

    @property
    def reason(self) -> str:
        """The status line as it was received, without its line end."""
        return self.header_block[0].decode("utf-8", "replace").strip() if self.header_block else ""


class FetchFailed(ProbeFailed):
    """There is no answer to judge. `header_block` is the head of what began as one."""

    def __init__(
        self,
        kind: Kind,
        message: str,
        phases_ms: Mapping[str, float],
        address: str = "",
        header_block: tuple[bytes, ...] = (),
        chain: tuple[bytes, ...] = (),
    ) -> None:
        super().__init__(kind, message, phases_ms, address, chain)
        self.header_block = header_block
