"""Both ends of an alert on loopback: a service that goes up and down, and those who are told, by HTTP and by mail."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from itertools import repeat
from types import TracebackType
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.conftest import free_port

# How a receiver behaves: it takes what comes, is busy, or never answers.
TAKES, BUSY, HANGS = "takes", "busy", "hangs"


@dataclass(frozen=True)
class Post:
    """One request that a receiver of webhooks got, whatever it answered."""

    path: str
    headers: dict[str, str]
    body: bytes
    taken: bool
    at: float = field(default_factory=time.time)

    @property
    def facts(self) -> dict[str, Any]:
        return dict(json.loads(self.body))

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]

    @property
    def told(self) -> list[tuple[str, str]]:
        """Return the id of each alert with what is told of it."""
        facts = self.facts
        return [(one["alert"]["id"], one["event"]) for one in facts.get("alerts", [facts])]


class Site:
    """An HTTP server: GET asks the service, which is down where `is_down` says so; POST tells a receiver."""

    def __init__(self) -> None:
        self.is_down: Callable[[str], bool] = lambda _path: False
        self.behaves = TAKES
        self.answers: Iterator[int] = repeat(200)
        self.posts: list[Post] = []
        self.gets = 0
        self.delay_s = 0.0
        self.port = free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def taken(self) -> list[Post]:
        return [post for post in self.posts if post.taken]

    def __enter__(self) -> Site:
        self._thread.start()
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def listen(self) -> None:
        self._run(self._listen())

    def refuse(self) -> None:
        """Take no connections any more, and let go of those that there are."""
        self._run(self._refuse())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._talk, "127.0.0.1", self.port, backlog=1024)

    async def _refuse(self) -> None:
        if self._server:
            self._server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        assert talk
        self._talks.add(talk)
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
                while True:
                    await self._answer(reader, writer)
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().rstrip().split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if method == "GET":
            self.gets += 1
            code = 503 if self.is_down(path) else 200
        else:
            code = await self._told(path, headers, await reader.readexactly(int(headers["content-length"])))
        writer.write(f"HTTP/1.1 {code} {code}\r\nContent-Length: 2\r\n\r\nok".encode())

    async def _told(self, path: str, headers: dict[str, str], body: bytes) -> int:
        code = 503 if self.behaves == BUSY else next(self.answers)
        self.posts.append(Post(path, headers, body, code == 200 and self.behaves != HANGS))
        if self.behaves == HANGS:
            await asyncio.sleep(60)
        await asyncio.sleep(self.delay_s)
        return code


@dataclass(frozen=True)
class Mail:
    """A mail that the server took."""

    message: EmailMessage
    to: tuple[str, ...]
    encrypted: bool
    user: bytes
    at: float = field(default_factory=time.time)

    @property
    def key(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        part = self.message.get_body(("plain",))
        assert part
        return str(part.get_content())


class MailServer:
    """An SMTP server; more keys are aiosmtpd's. `password` is what a log-in needs."""

    def __init__(self, password: str = "", **more: Any) -> None:
        self.mails: list[Mail] = []
        self.behaves = TAKES
        self.password = password
        self.port = free_port()
        self._more = more | ({"authenticator": self._log_in} if password else {})
        self._controller: Controller | None = None

    def __enter__(self) -> MailServer:
        self.listen()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.refuse()

    def listen(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port, **self._more)
        self._controller.start()

    def refuse(self) -> None:
        """Take no connections any more."""
        if self._controller:
            self._controller.stop()
            self._controller = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.behaves == HANGS:
            await asyncio.sleep(60)
        if self.behaves != TAKES:
            return "451 busy"
        assert isinstance(envelope.content, bytes)
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        login = session.auth_data.login if isinstance(session.auth_data, LoginPassword) else b""
        self.mails.append(Mail(message, tuple(envelope.rcpt_tos), session.ssl is not None, login))
        return "250 taken"

    def _log_in(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, credentials: Any
    ) -> AuthResult:
        is_right = isinstance(credentials, LoginPassword) and credentials.password == self.password.encode()
        return AuthResult(success=is_right, handled=False, auth_data=credentials)
