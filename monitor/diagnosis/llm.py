"""Asks the model, one deadline over the whole answer, given up at once when nobody wants it any more.

    stream() ── starts ──▶ thread: event loop ── asks ──▶ endpoint
       ▲                      │ pieces
       └────── queue ◀────────┘          cancel, close or deadline: the loop's task is cancelled, the thread ends

The reading runs as a task of an event loop because a task can be cancelled at any moment, also in the middle of a
read; a thread that blocks in one cannot. Called by `diagnose`; imports the `openai` client only when it is used.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Generator

from monitor.config import DiagnosisBlock, Environment
from monitor.diagnosis.ask import Ask, prepare
from monitor.diagnosis.piece import DiagnosisUnavailable
from monitor.units import format_duration

logger = logging.getLogger(__name__)

_POLL_S = 0.05
_LEAVE_S = 0.3


def stream(
    evidence_text: str, settings: DiagnosisBlock, environment: Environment, cancel: threading.Event
) -> Generator[str, None, None]:
    """Yield the model's answer as it comes; end early, without an error, once `cancel` is set.

    Raises DiagnosisUnavailable, at the first piece or at a later one, when there is no answer or no whole one
    within `settings.timeout`. Closing the generator ends the exchange too.
    """
    answer = _Answer(prepare(evidence_text, settings, environment), settings.timeout)
    answer.start()
    try:
        while not cancel.is_set():
            item = answer.next(_POLL_S)
            if isinstance(item, DiagnosisUnavailable):
                raise item
            if item is None:
                return
            if item:
                yield item
    finally:
        answer.leave()


class _Answer:
    """The exchange in its thread. `next` and `leave` are called by one other thread."""

    def __init__(self, ask: Ask, timeout_s: float) -> None:
        self._ask = ask
        self._timeout_s = timeout_s
        self._ends_at = time.monotonic() + timeout_s
        self._items: queue.SimpleQueue[str | DiagnosisUnavailable | None] = queue.SimpleQueue()
        self._left = threading.Event()
        self._thread = threading.Thread(target=self._run, name="diagnosis", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def next(self, wait_s: float) -> str | DiagnosisUnavailable | None:
        """Return the next piece, an empty text when none came in time, or the end: why it failed, or None."""
        try:
            return self._items.get(timeout=wait_s)
        except queue.Empty:
            # The thread keeps the deadline itself, unless it is stuck in an import or a name look-up.
            return "" if time.monotonic() < self._ends_at + _LEAVE_S else self._too_late()

    def leave(self) -> None:
        """End the exchange, and wait for its thread as long as that usually takes.

        A name look-up cannot be interrupted: a thread in one stays until the resolver gives up, and then ends.
        """
        self._left.set()
        self._thread.join(_LEAVE_S)

    def _too_late(self) -> DiagnosisUnavailable:
        return DiagnosisUnavailable(f"the model gave no whole answer within {format_duration(self._timeout_s)}")

    def _run(self) -> None:
        try:
            asyncio.run(self._read())
            self._items.put(None)
        except DiagnosisUnavailable as error:
            self._items.put(error)
        except TimeoutError:
            self._items.put(self._too_late())
        except Exception as error:
            logger.exception("the diagnosis by the model broke down")
            self._items.put(DiagnosisUnavailable(f"the client broke down ({type(error).__name__}); the log has more"))

    async def _read(self) -> None:
        from monitor.diagnosis.wire import read_answer

        reading = asyncio.ensure_future(read_answer(self._ask, self._items.put))
        leaving = asyncio.ensure_future(self._wait_until_left())
        try:
            async with asyncio.timeout(max(self._ends_at - time.monotonic(), 0.0)):
                await asyncio.wait({reading, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
        finally:
            reading.cancel()
            leaving.cancel()
            await asyncio.gather(reading, leaving, return_exceptions=True)

    async def _wait_until_left(self) -> None:
        while not self._left.is_set():
            await asyncio.sleep(_POLL_S)
