"""`/api/v1/alerts`: where applications tell of trouble and of its end, and where people and programs see and handle it.

GET   /api/v1/alerts                 open ones; ?all=1 those that are over, too; ?limit=100
POST  /api/v1/alerts                 one alert or a list, in the forms of `reportbodies`
POST  /api/v1/alerts/alertmanager    Alertmanager's webhook, version 4
POST  /api/v1/alerts/sentry          Sentry's webhook
POST  /api/v1/alerts/ID/{acknowledge,resolve,suppress}

Whoever posts has the token GREENWALL_API_TOKEN, or is the operator. It is answered once the checker has done it.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from monitor import commands
from monitor.alerts import Report
from monitor.alerts.reports import Told
from monitor.config import Environment, faults
from monitor.history.inbox import NotWritten
from monitor.history.snapshot import Applied
from monitor.units import did_you_mean, plain, utc_now
from monitor.views import Views
from monitor.web.adapters import ManagerBody, SentryBody, of_alertmanager, of_sentry
from monitor.web.alertjson import alert_json, rows_of
from monitor.web.exchange import Refused, json_body, visitor_of
from monitor.web.operator import Operator
from monitor.web.reportbodies import MOST, Duration, ReportBody, form_of

MOST_BYTES = 1_000_000
TOKEN, SENTRY_SECRET = "GREENWALL_API_TOKEN", "SENTRY_CLIENT_SECRET"
SHORTEST_TOKEN = 16
ANSWER_S, POLL_S = 5.0, 0.05
MOST_LISTED = 1000
# The wall shows every alert: it is no channel that something is sent to.
DASHBOARD = "dashboard"
_Body = TypeVar("_Body", bound=BaseModel)


class Handling(BaseModel):
    """The body of acknowledge and resolve."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    note: str = Field("", max_length=1000)
    by: str = Field("", max_length=120)


class Suppressing(Handling):
    lasts: Duration = Field(alias="for")


class Reported:
    """The handlers."""

    def __init__(self, views: Views, operator: Operator) -> None:
        self._views = views
        self._operator = operator

    def routes(self) -> list[Route]:
        verbs = {"acknowledge": self.acknowledge, "resolve": self.resolve, "suppress": self.suppress}
        return [
            Route("/api/v1/alerts", self.listed, methods=["GET"]),
            Route("/api/v1/alerts", _answered(self.report), methods=["POST"]),
            Route("/api/v1/alerts/alertmanager", _answered(self.alertmanager), methods=["POST"]),
            Route("/api/v1/alerts/sentry", _answered(self.sentry), methods=["POST"]),
            *(Route(f"/api/v1/alerts/{{id}}/{verb}", _answered(act), methods=["POST"]) for verb, act in verbs.items()),
        ]

    async def listed(self, request: Request) -> Response:
        try:
            limit = min(max(int(request.query_params.get("limit", "100")), 1), MOST_LISTED)
        except ValueError:
            return Refused(400, f"limit: expected a number of 1 to {MOST_LISTED}").answer()
        wants_all = request.query_params.get("all", "").lower() in ("1", "true", "yes")
        body = await asyncio.to_thread(self._listed, limit, wants_all)
        return JSONResponse(body, headers={"Cache-Control": "no-cache"})

    def _listed(self, limit: int, wants_all: bool) -> dict[str, Any]:
        chosen = [alert for alert in self._views.alerts() if wants_all or alert.is_open]
        return {"alerts": [alert_json(alert) for alert in chosen[:limit]], "total": len(chosen)}

    async def report(self, request: Request) -> Response:
        self._authorise(request)
        _, body = await json_body(request, MOST_BYTES)
        return await self._take(body if isinstance(body, list) else [body], _by(request), isinstance(body, list))

    async def alertmanager(self, request: Request) -> Response:
        self._authorise(request)
        _, body = await json_body(request, MOST_BYTES)
        return await self._take(of_alertmanager(_valid(ManagerBody, body)), "alertmanager")

    async def sentry(self, request: Request) -> Response:
        secret = self._environment().get(SENTRY_SECRET)
        if not secret:
            self._authorise(request)
        raw, body = await json_body(request, MOST_BYTES)
        if secret and not _is_signed(raw, secret, request.headers.get("sentry-hook-signature", "")):
            raise Refused(401, f"Sentry-Hook-Signature: expected that of this body by {SENTRY_SECRET}")
        forms = of_sentry(request.headers.get("sentry-hook-resource", ""), _valid(SentryBody, body))
        return await self._take(forms, "sentry")

    async def acknowledge(self, request: Request) -> Response:
        body, alert, by = await self._handling(request, Handling)
        return await self._handled(commands.acknowledge, alert, by, body.note)

    async def resolve(self, request: Request) -> Response:
        body, alert, by = await self._handling(request, Handling)
        return await self._handled(commands.resolve, alert, by, body.note)

    async def suppress(self, request: Request) -> Response:
        body, alert, by = await self._handling(request, Suppressing)
        until = utc_now() + timedelta(seconds=body.lasts)
        place = self._views.place
        return await self._handled(
            lambda _place, id_, who, note: commands.suppress(place, id_, until, who, note), alert, by, body.note
        )

    # who may, and what they say

    def _environment(self) -> Environment:
        """Return the variables of the process and of `.env`, read each time: a new token holds at once."""
        return Environment.read(self._views.file.path.parent)

    def _authorise(self, request: Request) -> None:
        """Raise Refused unless the sender has the token, or is the operator."""
        token, visitor = self._environment().get(TOKEN), visitor_of(request)
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        is_usable = len(token) >= SHORTEST_TOKEN
        # Beside a token, a Bearer is the token: a wrong one is no guess at the operator's password.
        if is_usable and scheme.lower() == "bearer":
            if not hmac.compare_digest(given.strip().encode(), token.encode()):
                raise Refused(401, f"Authorization: the token is not that of {TOKEN}", WWW_Authenticate="Bearer")
            return
        if self._operator.may_act(visitor):
            return
        if is_usable:
            raise Refused(401, f"expected Authorization: Bearer with the value of {TOKEN}", WWW_Authenticate="Bearer")
        short = f"{TOKEN} has fewer than {SHORTEST_TOKEN} characters" if token else f"no {TOKEN} is set"
        raise Refused(403, f"{short}: set one of {SHORTEST_TOKEN} or more; or {self._operator.why_not(visitor)}")

    def _bodies(self, forms: Sequence[Any], is_list: bool) -> list[ReportBody]:
        """Return the forms, valid; Refused with all that is wrong with them."""
        if len(forms) > MOST:
            raise Refused(413, f"expected at most {MOST} alerts, got {len(forms)}")
        found: list[ReportBody] = []
        errors: list[str] = []
        for index, form in enumerate(forms):
            where = f"{index}." if is_list else ""
            try:
                found.append(form_of(form).model_validate(form))
            except ValidationError as error:
                errors += [f"{where}{fault}" for fault in faults(error, form_of(form))]
                continue
            errors += [f"{where}channels: {text}" for text in self._unknown_channels(found[-1])]
        if errors:
            raise Refused(422, *errors[:100])
        return found

    def _unknown_channels(self, body: ReportBody) -> list[str]:
        snapshot, loaded = self._views.now().snapshot, self._views.config()
        if not body.channels or snapshot is None:
            return []
        known = [channel.name for channel in snapshot.channels]
        known += [DASHBOARD, *(one.name for one in loaded.config.on_call)] if loaded else [DASHBOARD]
        return [f"unknown channel {n!r}{did_you_mean(n, known)}" for n in body.channels if n not in known]

    # what becomes of it

    async def _take(self, forms: Sequence[Any], by: str, is_list: bool = True) -> Response:
        """Answer once it is done. What takes time for 500 of them is done in a thread: pages are served meanwhile."""
        told = await asyncio.to_thread(self._told, forms, is_list)
        if not told:
            return JSONResponse({"accepted": 0, "detail": "nothing to do", "alerts": []}, status_code=202)
        self._has_checker()
        asked_at = utc_now()
        applied = await self._outcome(await asyncio.to_thread(commands.report, self._views.place, told, by))
        rows = await asyncio.to_thread(lambda: rows_of(told, self._views.alerts(), asked_at))
        if applied.count is not None and len(rows) == 1:
            rows[0]["count"] = applied.count
        return JSONResponse({"accepted": len(rows), "detail": applied.detail, "alerts": rows}, status_code=202)

    def _told(self, forms: Sequence[Any], is_list: bool) -> list[Told]:
        """Return a report for each form, the identity of what is over for those that say so."""
        bodies, redact = self._bodies(forms, is_list), self._environment().redactor()
        try:
            return [
                _without_wall(body.report(redact)) if body.status == "firing" else body.identity() for body in bodies
            ]
        except ValueError as error:
            raise Refused(422, str(error)) from error

    def _has_checker(self) -> None:
        if self._views.now().is_old:
            raise Refused(503, "no checker is running: nothing was taken, try again later", Retry_After="5")

    async def _outcome(self, command: str) -> Applied:
        """Return what became of the command; Refused when no checker has taken it in time, or it could not be done."""
        give_up_at = time.monotonic() + ANSWER_S
        while True:
            snapshot = (await asyncio.to_thread(self._views.now)).snapshot
            found = next((one for one in snapshot.applied if one.id == command), None) if snapshot else None
            if found and not found.ok:
                raise Refused(409, found.detail)
            if found:
                return found
            if time.monotonic() >= give_up_at:
                text = f"no checker took it within {ANSWER_S:.0f} s: it waits in the inbox for the next one"
                raise Refused(503, text, Retry_After="5")
            await asyncio.sleep(POLL_S)

    async def _handling(self, request: Request, form: type[_Body]) -> tuple[_Body, str, str]:
        self._authorise(request)
        _, raw = await json_body(request, MOST_BYTES)
        body, identifier = _valid(form, raw), str(request.path_params["id"])
        if await asyncio.to_thread(self._views.alert, identifier) is None:
            raise Refused(404, f"no alert has the id {plain(identifier, 60)!r}")
        by = plain(str(getattr(body, "by", "")), 120)
        return body, identifier, f"{by} ({_by(request)})" if by else _by(request)

    async def _handled(self, leave: Callable[..., str], alert: str, by: str, note: str) -> Response:
        self._has_checker()
        applied = await self._outcome(await asyncio.to_thread(leave, self._views.place, alert, by, note))
        now = await asyncio.to_thread(self._views.alert, alert)
        return JSONResponse({"detail": applied.detail, "alert": alert_json(now) if now else None})


def _without_wall(report: Report) -> Report:
    if report.channels is None or DASHBOARD not in report.channels:
        return report
    return replace(report, channels=tuple(name for name in report.channels if name != DASHBOARD))


def _valid(form: type[_Body], body: object) -> _Body:
    try:
        return form.model_validate(body)
    except ValidationError as error:
        raise Refused(422, *faults(error, form)) from error


def _is_signed(body: bytes, secret: str, given: str) -> bool:
    expected = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), given.strip().lower().encode())


def _by(request: Request) -> str:
    return f"api {request.client.host if request.client else ''}".strip()


def _answered(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except Refused as refused:
            return refused.answer()
        except NotWritten as error:
            return Refused(507, str(error)).answer()
        except ClientDisconnect:
            # Nobody is there to be answered.
            return Refused(400, "the body was not sent to its end").answer()

    return answer
