"""What a channel is, and the edge that every delivery passes: it ends in time, it cannot raise, it tells no secret.

send ──▶ deliver (in a thread, until the limit) ──▶ Receipt ──▶ redacted, plain, bounded
"""

from __future__ import annotations

import logging
import re
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol
from urllib.parse import unquote

from monitor.channels.message import Message
from monitor.channels.wording import harmless
from monitor.config import make_redactor
from monitor.model import Severity

log = logging.getLogger(__name__)
LIMIT_S = 15.0
# The wait of one socket operation: a peer that is only slow ends as its own clear error before the limit.
STEP_S = 10.0
# A receiver that drips without end, asked every few minutes, would have all sockets in some days.
MOST_HANGING = 20

Redact = Callable[[str], str]


@dataclass(frozen=True)
class Receipt:
    """How one delivery ended. `detail` is safe to store and to show.

    `permanent`: sending the same again cannot help. `retry_after_s`: how long the receiver asks to be left alone.
    `reference`: what the channel calls the message, such as Slack's `ts`; what follows it goes below it.
    """

    channel: str
    ok: bool
    detail: str
    permanent: bool = False
    retry_after_s: float | None = None
    reference: str = ""


class Channel(Protocol):
    """A way to reach people. `problem` says in one sentence why it is not configured; empty when it is."""

    @property
    def name(self) -> str: ...

    @property
    def type(self) -> str: ...

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of environment variables that are needed and not set, or of a key that is taken from such a one."""
        ...

    @property
    def problem(self) -> str: ...

    @property
    def configured(self) -> bool: ...

    @property
    def joins(self) -> bool:
        """Whether it takes several alerts in one message. What keeps incidents of its own gets each by itself."""
        ...

    @property
    def wants_acknowledged(self) -> bool:
        """Whether it is told, by the event `acknowledged`, that somebody has an alert."""
        ...

    @property
    def severities(self) -> tuple[Severity, ...]:
        """Severities that it is told of; empty: all of them."""
        ...

    def send(self, message: Message) -> Receipt:
        """Deliver; return how it went. Never raises for trouble with delivery, never takes longer than its limit."""
        ...


class Ordinary:
    """What most channels are."""

    @property
    def joins(self) -> bool:
        return True

    @property
    def wants_acknowledged(self) -> bool:
        return False

    @property
    def severities(self) -> tuple[Severity, ...]:
        return ()


class Configured(Ordinary):
    """What every channel is that can send."""

    @property
    def missing(self) -> tuple[str, ...]:
        return ()

    @property
    def problem(self) -> str:
        return ""

    @property
    def configured(self) -> bool:
        return True


class NotDelivered(Exception):
    """The receiver did not take the message. Raised while delivering, becomes the receipt."""

    def __init__(self, detail: str, permanent: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail, self.permanent, self.retry_after_s = detail, permanent, retry_after_s


@dataclass(frozen=True)
class Edge:
    """The edge of delivering: how long it may take, and what must not be said about it."""

    name: str
    redact: Redact = field(repr=False, compare=False)
    limit_s: float = LIMIT_S
    _hanging: list[threading.Thread] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def step_s(self) -> float:
        """How long one socket operation may take."""
        return min(STEP_S, self.limit_s)

    def cross(self, deliver: Callable[[], Receipt]) -> Receipt:
        """Return the receipt of `deliver`, or one that says that it broke or did not end in time.

        Timeouts of sockets start anew with every byte, so only a clock outside bounds a peer that drips. A delivery
        that is given up keeps its thread and its socket until the peer lets go; it cannot hold the process up, and
        there is an end to how many do.
        """
        self._hanging[:] = [thread for thread in self._hanging if thread.is_alive()]
        if len(self._hanging) >= MOST_HANGING:
            return Receipt(self.name, ok=False, detail=f"{MOST_HANGING} deliveries hang still: it is not asked again")
        ended: list[Receipt] = []
        thread = threading.Thread(
            target=lambda: ended.append(self._guarded(deliver)), name=f"send-{self.name}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError:
            # Of the machine, not of the receiver: it passes.
            return Receipt(self.name, ok=False, detail="this machine has no thread left to send it")
        thread.join(self.limit_s)
        if not ended:
            self._hanging.append(thread)
            return Receipt(self.name, ok=False, detail=f"timeout: no end within {self.limit_s:g} s")
        return replace(ended[0], detail=harmless(self.redact(ended[0].detail)))

    def _guarded(self, deliver: Callable[[], Receipt]) -> Receipt:
        try:
            return deliver()
        except NotDelivered as error:
            return Receipt(self.name, False, error.detail, error.permanent, error.retry_after_s)
        except Exception as error:  # noqa: BLE001 - delivering is one of the three edges: a bug is a receipt too
            log.error("channel %s broke\n%s", self.name, self.redact(traceback.format_exc()))
            return Receipt(self.name, ok=False, detail=f"Greenwall's channel broke: {type(error).__name__}")


@dataclass(frozen=True)
class Delivering(Configured):
    """A channel that delivers over a network. What is wrong is raised as NotDelivered, or is a bug."""

    edge: Edge
    severities: tuple[Severity, ...] = field(default=(), kw_only=True)

    @property
    def name(self) -> str:
        return self.edge.name

    def send(self, message: Message) -> Receipt:
        return self.edge.cross(lambda: self._deliver(message))

    def _deliver(self, message: Message) -> Receipt:
        raise NotImplementedError

    def _taken(self, detail: str, reference: str = "") -> Receipt:
        return Receipt(self.name, ok=True, detail=detail, reference=reference)


@dataclass(frozen=True)
class Unconfigured(Ordinary):
    """A channel that cannot send yet: shown with what it lacks, never an exception."""

    name: str
    type: str
    missing: tuple[str, ...] = ()
    wrong: str = ""

    @property
    def problem(self) -> str:
        return self.wrong or f"not set: {', '.join(self.missing)}"

    @property
    def configured(self) -> bool:
        return False

    def send(self, message: Message) -> Receipt:
        return Receipt(self.name, ok=False, detail=f"unconfigured: {self.problem}", permanent=True)


def redact_also(redact: Redact, *secrets: str) -> Redact:
    """Return `redact` that knows these secrets too, whole and in the pieces that errors quote (a URL's path)."""
    pieces = {piece for secret in secrets for piece in (secret, unquote(secret), *_pieces(secret)) if piece}
    own = make_redactor(pieces)
    return lambda text: own(redact(text))


def _pieces(url: str) -> list[str]:
    """Return what stands between the separators of a URL but for host names, which errors may and should name."""
    _scheme, separator, rest = url.partition("://")
    if not separator:
        return []
    found = [piece for piece in re.split(r"[/@?&=#:]+", rest) if "." not in piece and piece != "localhost"]
    found += [unquote(piece) for piece in found]
    return [*found, "/" + rest.partition("/")[2]] if "/" in rest else found


def hush(*names: str) -> None:
    """Keep these loggers from writing anything below INFO: at DEBUG they print URLs, which hold tokens.

    A filter, not a level: a level is undone by whoever configures logging later.
    """
    for name in names:
        logger = logging.getLogger(name)
        if _not_debug not in logger.filters:
            logger.addFilter(_not_debug)


def _not_debug(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.INFO
