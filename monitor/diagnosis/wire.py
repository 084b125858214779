"""The exchange with the model: one streamed chat completion, bounded in bytes, its failures as plain reasons.

Imported late, by the thread that needs it: `openai` takes seconds to import. Knows no deadline: whoever runs
`read_answer` cancels it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from functools import lru_cache

import httpx2
import openai
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient
from openai.types.chat import ChatCompletionChunk

from monitor.diagnosis.ask import Ask
from monitor.diagnosis.piece import DiagnosisUnavailable
from monitor.units import plain

LONGEST_ANSWER = 12_000
# The stream of a longest answer, one character to a chunk, with room to spare.
LONGEST_STREAM_BYTES = 8_000_000
_NO_STREAM = "what it sends is not a model's streamed answer; check OPENAI_BASE_URL"


async def read_answer(ask: Ask, put: Callable[[str], None]) -> None:
    """Hand every piece of the answer to `put`; raise DiagnosisUnavailable when it is none, or not a whole one."""
    # `from None`: the client's errors repeat what the endpoint said, which may hold the key, and tracebacks are logged.
    try:
        await _read(ask, put)
    except openai.APIStatusError as error:
        raise DiagnosisUnavailable(_refused(error, ask)) from None
    except openai.APIConnectionError as error:
        raise DiagnosisUnavailable(_no_connection(error)) from None
    except openai.APIResponseValidationError:
        raise DiagnosisUnavailable(f"the endpoint is wrong: {_NO_STREAM}") from None
    except openai.APIError as error:
        raise DiagnosisUnavailable(f"the endpoint reports an error{_said(error, ask)}") from None
    except ValueError:  # not JSON, not UTF-8: the client lets its decoders' errors through
        raise DiagnosisUnavailable(f"the endpoint is wrong: {_NO_STREAM}") from None


async def _read(ask: Ask, put: Callable[[str], None]) -> None:
    http = DefaultAsyncHttpxClient(verify=_trusted(), event_hooks={"response": [_bound]}, follow_redirects=False)
    # Compressed, a small stream could unfold to any size.
    plain_only = {"Accept-Encoding": "identity"}
    async with AsyncOpenAI(
        api_key=ask.key,
        base_url=ask.base_url,
        timeout=None,
        max_retries=0,
        http_client=http,
        default_headers=plain_only,
    ) as client:
        stream = await client.chat.completions.create(
            model=ask.model,
            messages=[{"role": "system", "content": ask.system}, {"role": "user", "content": ask.prompt}],
            stream=True,
        )
        async with stream:
            await _relay(stream, put)


@lru_cache(maxsize=1)
def _trusted() -> ssl.SSLContext:
    # Loading the bundle of certificates takes longer than the rest of the way to the first byte.
    return httpx2.create_ssl_context()


async def _relay(stream: AsyncStream[ChatCompletionChunk], put: Callable[[str], None]) -> None:
    length, ended, events, blank = 0, "", 0, True
    async for chunk in stream:
        events += 1
        text, finish = _of_chunk(chunk)
        ended = finish or ended
        if text:
            put(text[: LONGEST_ANSWER - length])
            length, blank = length + len(text), blank and not text.strip()
        if length > LONGEST_ANSWER:
            put(f"\n\n*(The answer was cut at {LONGEST_ANSWER} characters.)*")
            return
    if not events:
        content_type = plain(stream.response.headers.get("content-type", "nothing"), 60)
        raise DiagnosisUnavailable(f"the endpoint answers with {content_type}: {_NO_STREAM}")
    _judge_end(ended, blank)
    if ended == "length":
        put("\n\n*(The model stopped at its own limit of length.)*")


def _judge_end(ended: str, blank: bool) -> None:
    if ended == "content_filter":
        raise DiagnosisUnavailable("the model's content filter stopped the answer")
    if blank:
        raise DiagnosisUnavailable("the model gave an empty answer")
    if not ended:
        raise DiagnosisUnavailable("the endpoint ended the answer before it was complete")


def _of_chunk(chunk: object) -> tuple[str, str]:
    """Return text and reason of ending; the client does not check what it was sent, so nothing is taken for given."""
    choices = getattr(chunk, "choices", None)
    choice = choices[0] if isinstance(choices, list) and choices else None
    text = getattr(getattr(choice, "delta", None), "content", None)
    finish = getattr(choice, "finish_reason", None)
    return text if isinstance(text, str) else "", finish if isinstance(finish, str) else ""


async def _bound(response: httpx2.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise DiagnosisUnavailable("the endpoint sends a compressed answer, which was not asked for")
    if isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _BoundedStream(response.stream)


class _BoundedStream(httpx2.AsyncByteStream):
    """A body that ends with an error once it is longer than any answer: the client itself would read on."""

    def __init__(self, inner: httpx2.AsyncByteStream) -> None:
        self._inner = inner

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = LONGEST_STREAM_BYTES
        async for data in self._inner:
            left -= len(data)
            if left < 0:
                raise DiagnosisUnavailable("the endpoint sends far more than an answer")
            yield data

    async def aclose(self) -> None:
        await self._inner.aclose()


_REFUSALS = {
    401: "the endpoint does not accept the key (401); check OPENAI_API_KEY",
    403: "the endpoint denies this key the model (403); check OPENAI_API_KEY and diagnosis.model",
    404: "the endpoint does not know the model or the address (404); check diagnosis.model and OPENAI_BASE_URL",
    429: "the endpoint's limit is used up (429): too many requests, or no credit left",
}


def _refused(error: openai.APIStatusError, ask: Ask) -> str:
    code = error.status_code
    if code in (401, 403):
        # Endpoints repeat parts of the key here, so what they say is left out.
        return _REFUSALS[code]
    if 300 <= code <= 399:
        return f"the endpoint has moved ({code}); write its final address into OPENAI_BASE_URL"
    usual = f"the endpoint itself fails ({code})" if code >= 500 else f"the endpoint refuses the request ({code})"
    return _REFUSALS.get(code, usual) + _said(error, ask)


def _said(error: openai.APIError, ask: Ask) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    text = message if isinstance(message, str) else ""
    quoted = plain(ask.redact(text), 160).replace('"', "'")
    return f'; it says "{quoted}"' if text else ""


def _no_connection(error: BaseException) -> str:
    # Only the types are read: the texts of such errors can hold headers, and so the key.
    causes = list(_chain(error))
    # The client wraps whatever our own hook raises.
    ours = next((cause.reason for cause in causes if isinstance(cause, DiagnosisUnavailable)), "")
    known = (text for kind, text in _CAUSES if any(isinstance(cause, kind) for cause in causes))
    why = next(known, "no connection came about; check OPENAI_BASE_URL and the network")
    return ours or f"the endpoint cannot be used: {why}"


_CAUSES: tuple[tuple[type[BaseException], str], ...] = (
    (ConnectionRefusedError, "connection refused; check OPENAI_BASE_URL"),
    (socket.gaierror, "its name does not resolve; check OPENAI_BASE_URL"),
    (ssl.SSLError, "its TLS certificate or handshake is not right"),
    (httpx2.UnsupportedProtocol, "OPENAI_BASE_URL is not an http or https address"),
    (ConnectionResetError, "it broke the connection off"),
    (httpx2.RemoteProtocolError, "it broke the connection off"),
    (httpx2.ReadError, "it broke the connection off"),
)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _chain(inner)
        error = error.__cause__ or error.__context__
