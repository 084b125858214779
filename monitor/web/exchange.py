"""What every handler needs: who sends a request, its body as JSON, bounded, and the answer that says what is wrong."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse

from monitor.web.operator import Visitor


class Refused(Exception):
    """The request is not taken: the status and all that is wrong with it."""

    def __init__(self, status: int, *errors: str, **headers: str) -> None:
        super().__init__("; ".join(errors))
        self.status, self.errors = status, errors
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def answer(self) -> JSONResponse:
        return trouble(self.status, *self.errors, **self.headers)


def trouble(status: int, *errors: str, **headers: str) -> JSONResponse:
    return JSONResponse({"errors": list(errors)}, status_code=status, headers=headers or None)


def visitor_of(request: Request) -> Visitor:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Visitor(request.client.host if request.client else None, headers, request.cookies)


async def bounded_body(request: Request, most_bytes: int) -> bytes | None:
    """Return the body, None when it is longer."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            return None
    return bytes(body)


async def json_body(request: Request, most_bytes: int) -> tuple[bytes, Any]:
    """Return the body as it came and what it holds, `{}` for none; Refused with 400, 413 or 415."""
    # A page of another site can send a form without asking first, but not this content type.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "expected the header Content-Type: application/json")
    raw = await bounded_body(request, most_bytes)
    if raw is None:
        raise Refused(413, f"expected a body of at most {most_bytes} bytes")
    try:
        return raw, orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"expected JSON: {error}") from error
