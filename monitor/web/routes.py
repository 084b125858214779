"""The routes: each handler turns a request into a call of a view or a command, and the answer into HTTP.

GET  /healthz  /metrics  /api/board  /api/v1/state             read
POST /api/v1/commands/monitor/{health-check,diagnose,alert}    act: the operator only
POST /api/v1/commands/monitor/status-report                    read
GET, POST /operator/login, POST /operator/logout               who may act
GET, POST /api/v1/alerts...                                    trouble that others tell of (reported.py)
GET, POST, HEAD /ping/KEY...                                   jobs tell that they ran (pings.py)
"""

from __future__ import annotations

import asyncio
import gzip
import html
import string
import time
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import Any, TypeVar
from urllib.parse import parse_qs, quote

from pydantic import BaseModel, ValidationError
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from monitor.board import Page, board, render
from monitor.config import faults
from monitor.history.inbox import NotWritten
from monitor.history.snapshot import Snapshot
from monitor.metrics import exposition
from monitor.units import utc_now
from monitor.views import Now, Views
from monitor.web import monitor_commands as acts
from monitor.web.bodies import AlertBody, DiagnoseBody, HealthCheckBody, StatusReportBody
from monitor.web.exchange import Refused, bounded_body, json_body, trouble, visitor_of
from monitor.web.operator import COOKIE, SESSION_S, Operator, TooManyTries
from monitor.web.pings import METHODS, Pings
from monitor.web.reported import Reported

MAX_BODY_BYTES = 100_000
Body = TypeVar("Body", bound=BaseModel)


class Reading:
    """Handlers that only show."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._page: tuple[Snapshot, int, Page] | None = None

    async def healthz(self, _request: Request) -> Response:
        now = self._views.now()
        body: dict[str, Any] = {"ok": not now.is_old, "heartbeat_age_s": now.age_s}
        if now.snapshot:
            body |= {"checks": len(now.snapshot.checks), "lag_s": now.snapshot.checker.lag_s}
        if now.is_old:
            body["trouble"] = now.trouble or f"the checker's last heartbeat is {now.age_s:.0f} s old"
        return JSONResponse(body, status_code=503 if now.is_old else 200, headers={"Cache-Control": "no-store"})

    async def metrics(self, _request: Request) -> Response:
        text = exposition(self._views.now().snapshot)
        return Response(text, media_type="text/plain; version=1.0.0; charset=utf-8")

    async def state(self, _request: Request) -> Response:
        try:
            content = await asyncio.to_thread(self._views.place.state.read_bytes)
        except OSError:
            return trouble(503, "no checker has written data/state.json yet")
        return Response(content, media_type="application/json", headers={"Cache-Control": "no-cache"})

    async def board(self, request: Request) -> Response:
        now = self._views.now()
        if now.snapshot is None:
            return trouble(503, now.trouble)
        page = await self._render(now)
        headers = {"ETag": page.etag, "Cache-Control": "no-cache", "Greenwall-Heartbeat-Age": f"{now.age_s:.2f}"}
        if request.headers.get("if-none-match") == page.etag:
            return Response(status_code=304, headers=headers)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(gzip.decompress(page.body), media_type="application/json", headers=headers)
        return Response(page.body, media_type="application/json", headers=headers | {"Content-Encoding": "gzip"})

    async def _render(self, now: Now) -> Page:
        """Return the page for this snapshot, made once for all viewers."""
        assert now.snapshot is not None
        # A check grows stale by time alone: made anew each second also when nothing is written any more.
        turn = int(time.monotonic()) if now.is_old else 0
        kept = self._page
        if kept is None or kept[0] is not now.snapshot or kept[1] != turn:
            together = await asyncio.to_thread(self._views.together)
            members = await asyncio.to_thread(self._views.members)
            kept = self._page = (now.snapshot, turn, render(board(now.snapshot, utc_now(), together, members)))
        return kept[2]


class Acting:
    """The four commands of the devops monitor."""

    def __init__(self, views: Views, operator: Operator) -> None:
        self._views = views
        self._operator = operator

    async def health_check(self, request: Request) -> Response:
        return await self._act(
            request, HealthCheckBody, lambda body: acts.health_check(self._views, body, _by(request))
        )

    async def diagnose(self, request: Request) -> Response:
        return await self._act(request, DiagnoseBody, lambda body: acts.diagnose_service(self._views, body))

    async def alert(self, request: Request) -> Response:
        return await self._act(request, AlertBody, lambda body: acts.send_alert(self._views, body, _by(request)))

    async def status_report(self, request: Request) -> Response:
        return await _answer(request, StatusReportBody, lambda body: acts.status_report(self._views, body).to_json())

    async def _act(self, request: Request, model: type[Body], act: Callable[[Body], dict[str, Any]]) -> Response:
        visitor = visitor_of(request)
        if not self._operator.may_act(visitor):
            status = 401 if self._operator.has_password and not visitor.is_cross_site else 403
            return trouble(status, self._operator.why_not(visitor))
        return await _answer(request, model, act)


async def _answer(request: Request, model: type[Body], act: Callable[[Body], dict[str, Any]]) -> Response:
    try:
        _, raw = await json_body(request, MAX_BODY_BYTES)
        body = model.model_validate(raw)
    except Refused as refused:
        return refused.answer()
    except ValidationError as error:
        return trouble(422, *faults(error, model))
    try:
        return JSONResponse(await asyncio.to_thread(act, body))
    except acts.NotFound as error:
        return trouble(404, str(error))
    except NotWritten as error:
        return trouble(507, str(error))


def _by(request: Request) -> str:
    return f"api {request.client.host if request.client else ''}".strip()


class Door:
    """The operator's log-in and log-out."""

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._page = string.Template(resources.files("monitor.web").joinpath("login.html").read_text("utf-8"))

    async def show(self, request: Request) -> Response:
        return self._show("Alerts, pauses and diagnoses are the operator's.", request.query_params.get("next", "/"))

    async def log_in(self, request: Request) -> Response:
        raw = await bounded_body(request, MAX_BODY_BYTES)
        form = parse_qs((raw or b"").decode(errors="replace"))
        target, visitor = _local_path(form.get("next", ["/"])[0]), visitor_of(request)
        if visitor.is_cross_site:
            return self._show("This log-in came from another site.", target, 403)
        if not self._operator.has_password:
            return self._show(self._operator.why_not(visitor), target, 403)
        try:
            cookie = await asyncio.to_thread(self._operator.log_in, form.get("password", [""])[0], visitor)
        except TooManyTries:
            return self._show("Too many tries. Wait a minute.", target, 429)
        if cookie is None:
            return self._show("That is not the password.", target, 401)
        answer = RedirectResponse(target, status_code=303)
        secure = request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https"
        answer.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="strict", secure=secure)
        return answer

    async def log_out(self, request: Request) -> Response:
        if visitor_of(request).is_cross_site:
            return trouble(403, "this request comes from another site")
        answer = RedirectResponse("/", status_code=303)
        answer.delete_cookie(COOKIE)
        return answer

    def _show(self, message: str, target: str, status: int = 200) -> Response:
        tone = "bad" if status >= 400 else ""
        page = self._page.substitute(message=html.escape(message), next=html.escape(_local_path(target)), tone=tone)
        return HTMLResponse(page, status_code=status, headers={"Cache-Control": "no-store"})


def _local_path(target: str) -> str:
    """Return the target when it is a path on this server, else `/`: no one is sent elsewhere after logging in."""
    is_ours = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    return quote(target, safe="/?=&%+-._~") if is_ours else "/"


def make_routes(views: Views, operator: Operator) -> list[Route]:
    """Return all routes of Greenwall's own."""
    reading, acting, door, pings = Reading(views), Acting(views, operator), Door(operator), Pings(views)
    commands: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "health-check": acting.health_check,
        "diagnose": acting.diagnose,
        "alert": acting.alert,
        "status-report": acting.status_report,
    }
    return [
        Route("/healthz", reading.healthz),
        Route("/metrics", reading.metrics),
        Route("/api/board", reading.board),
        Route("/api/v1/state", reading.state),
        *(Route(f"/api/v1/commands/monitor/{name}", act, methods=["POST"]) for name, act in commands.items()),
        Route("/operator/login", door.show, methods=["GET"]),
        Route("/operator/login", door.log_in, methods=["POST"]),
        Route("/operator/logout", door.log_out, methods=["POST"]),
        *(Route(path, pings.receive, methods=METHODS) for path in ("/ping", "/ping/{path:path}")),
        *Reported(views, operator).routes(),
        Route("/api/{path:path}", _no_such_route),
    ]


async def _no_such_route(request: Request) -> Response:
    # Streamlit answers any unknown path with its page and 200: a mistyped API address would look well.
    return trouble(404, f"no route {request.url.path}; see README, HTTP")


class SecurityHeaders:
    """Headers that Streamlit does not set: no framing by others, no guessing of types, no leaking of addresses."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("X-Content-Type-Options", "nosniff")
                headers.setdefault("X-Frame-Options", "SAMEORIGIN")
                headers.setdefault("Content-Security-Policy", "frame-ancestors 'self'")
                headers.setdefault("Referrer-Policy", "same-origin")
            await send(message)

        await self._app(scope, receive, send_with_headers)
