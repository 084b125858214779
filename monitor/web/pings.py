"""`/ping/KEY…`: where jobs tell that they ran. The key is all that a sender needs, and nothing says which ones exist.

GET, POST, HEAD  /ping/KEY  /ping/KEY/start  /ping/KEY/fail  /ping/KEY/log  /ping/KEY/0 … /ping/KEY/255   ?rid=UUID

A ping is on disk before it is answered with OK. Whoever sends it is no operator and may be another site's page: it can
append to the file of the one check whose key it knows, bounded in rate and size, and hurry that check's next look.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
import time
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from monitor import commands
from monitor.config import LoadedConfig
from monitor.config.kinds.heartbeat import HeartbeatCheck
from monitor.history import pings
from monitor.model import Flag, Status
from monitor.pings import BY, Ping, Signal
from monitor.probes.httprules import check_body
from monitor.units import utc_now
from monitor.views import Views

METHODS = ("GET", "POST", "HEAD")
BODY_BYTES = 10_000
# More is read and thrown away, so that the sender sees its answer; beyond this it is cut off.
DRAINED_BYTES = 10_000_000
BODY_S = 10.0
PER_SECOND = 5
# So often the checker is asked to look now; then pings wait for the check's turn.
HURRIED, HURRIED_IN_S = 6, 30.0

log = logging.getLogger(__name__)
_ACTIONS = {"": Signal.SUCCESS, "start": Signal.START, "fail": Signal.FAIL, "log": Signal.LOG}
_HEADERS = {
    "Cache-Control": "no-store",
    "Access-Control-Allow-Origin": "*",
    "Ping-Body-Limit": str(BODY_BYTES),
}


class Refused(Exception):
    """The ping is not taken: the status and the text of the answer."""

    def __init__(self, status: int, text: str, **headers: str) -> None:
        super().__init__(text)
        self.status, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """The heartbeats of a configuration by the digest of their key: looking one up takes as long as not finding it."""

    loaded: LoadedConfig
    checks: dict[bytes, HeartbeatCheck]
    redact: Callable[[str], str]

    @classmethod
    def of(cls, loaded: LoadedConfig) -> Known:
        found = [check for check in loaded.checks.values() if isinstance(check, HeartbeatCheck)]
        # A key that stands twice is the first one's.
        checks = {_digest(check.key.get_secret_value()): check for check in reversed(found)}
        return cls(loaded, checks, loaded.environment.redactor())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "replace")).digest()


class Pings:
    """The handler. One for a process: it counts."""

    def __init__(self, views: Views, clock: Callable[[], float] = time.monotonic) -> None:
        self._views = views
        self._clock = clock
        self._known: Known | None = None
        self._taken: dict[str, deque[float]] = {}
        self._hurried: dict[str, deque[float]] = {}

    async def receive(self, request: Request) -> Response:
        """Answer one ping."""
        try:
            await self._take(request)
        except Refused as refused:
            return PlainTextResponse(str(refused), refused.status, _HEADERS | refused.headers)
        except ClientDisconnect:
            # Nobody is there to be answered; a sender that means it comes again.
            return PlainTextResponse("the ping was not sent to its end", 400, _HEADERS)
        return PlainTextResponse("OK", headers=_HEADERS)

    async def _take(self, request: Request) -> None:
        key, action = _parts(request.path_params.get("path", ""))
        known, check = await asyncio.to_thread(self._check_of, key)
        if check.methods == "post" and request.method != "POST":
            raise Refused(405, "this check takes POST only", Allow="POST")
        signal, exit_status = _signal(action)
        run = _run_id(request.query_params.get("rid"))
        self._count(check)
        body, is_cut = await _body(request)
        text = body.decode("utf-8", "replace")
        why = _unexpected(check, body, is_cut) if signal is Signal.SUCCESS else ""

        def clean(part: str) -> str:
            return known.redact(part).replace(key, "***")

        ping = Ping(
            at=utc_now(),
            signal=Signal.FAIL if why else signal,
            run=run,
            exit_status=exit_status,
            body=clean(text),
            why=clean(why),
            source=request.client.host if request.client else "",
        )
        await asyncio.to_thread(self._keep, check, ping)

    def _check_of(self, key: str) -> tuple[Known, HeartbeatCheck]:
        loaded = self._views.config()
        # An edit that does not hold leaves the last good configuration running, here too.
        if loaded is not None and (self._known is None or self._known.loaded is not loaded):
            self._known = Known.of(loaded)
        known = self._known
        if known is None:
            raise Refused(503, "there is no valid configuration", Retry_After="5")
        check = known.checks.get(_digest(key))
        if check is None:
            raise _unknown()
        return known, check

    def _count(self, check: HeartbeatCheck) -> None:
        if not _may(self._taken.setdefault(check.name, deque(maxlen=PER_SECOND)), self._clock(), 1.0):
            raise Refused(429, f"expected at most {PER_SECOND} pings a second", Retry_After="1")

    def _keep(self, check: HeartbeatCheck, ping: Ping) -> None:
        try:
            pings.append(self._views.place.data, check.name, ping)
        except OSError as error:
            log.error("Greenwall's own trouble: a ping of %s could not be kept: %s", check.name, error)
            raise Refused(503, "Greenwall cannot keep this ping now", Retry_After="5") from error
        try:
            self._hurry(check, ping.signal)
        except OSError as error:
            log.warning("%s: its ping is kept, and waits for its turn: %s", check.name, error)

    def _hurry(self, check: HeartbeatCheck, signal: Signal) -> None:
        """Have the check judged now when the ping is news; what only confirms the verdict waits for its turn."""
        present = self._views.now()
        # Without a checker nobody would take the commands away.
        entry = present.snapshot.checks.get(check.name) if present.snapshot and not present.is_old else None
        if entry is None or not check.enabled or Flag.PAUSED in entry.state.flags:
            return
        hurried = self._hurried.setdefault(check.name, deque(maxlen=HURRIED))
        if _is_news(signal, entry.state.status) and _may(hurried, self._clock(), HURRIED_IN_S):
            commands.run_now(self._views.place, check.name, BY)


def _may(before: deque[float], now: float, within_s: float) -> bool:
    """Return whether there is room for one more among the last of them, and take it."""
    if len(before) == before.maxlen and now - before[0] < within_s:
        return False
    before.append(now)
    return True


def _parts(path: str) -> tuple[str, str]:
    key, _, action = path.removesuffix("/").partition("/")
    if "/" in action:
        raise _unknown()
    return key, action


def _unknown() -> Refused:
    return Refused(404, "not found")


def _signal(action: str) -> tuple[Signal, int | None]:
    if action in _ACTIONS:
        return _ACTIONS[action], None
    if not re.fullmatch(r"[0-9]{1,3}", action) or int(action) > 255:
        raise Refused(400, "expected /start, /fail, /log or an exit status of 0 to 255 after the key")
    return (Signal.FAIL if int(action) else Signal.SUCCESS), int(action)


def _run_id(text: str | None) -> str:
    if text is None:
        return ""
    try:
        return str(uuid.UUID(text[:64]))
    except ValueError:
        raise Refused(400, "rid: expected a UUID") from None


async def _body(request: Request) -> tuple[bytes, bool]:
    """Return the body's first bytes, and whether there were more."""
    kept, came = bytearray(), 0
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.stream():
                came += len(chunk)
                kept += chunk[: BODY_BYTES - len(kept)]
                if came > DRAINED_BYTES:
                    break
    except TimeoutError as error:
        raise Refused(408, f"the body did not come within {BODY_S:.0f} s", Connection="close") from error
    return bytes(kept), came > BODY_BYTES


def _unexpected(check: HeartbeatCheck, body: bytes, is_cut: bool) -> str:
    """Return what is wrong with the body of a success; what cannot be judged is wrong."""
    if check.expect_body is None:
        return ""
    if is_cut or not body:
        return f"body is {f'longer than {BODY_BYTES} bytes' if is_cut else 'empty'}, expected one to judge by"
    try:
        return "; ".join(map(str, check_body(body.decode(), check.expect_body)))
    except UnicodeDecodeError:
        return "body is no text in UTF-8"


def _is_news(signal: Signal, status: Status) -> bool:
    if signal is Signal.START:
        return status is Status.UNKNOWN
    told = {Signal.SUCCESS: Status.OK, Signal.FAIL: Status.FAIL}.get(signal)
    return told is not None and status is not told
