"""The demo service over HTTP: one path per part of the stack, the control panel, and the switches.

Owns the paths, what they accept and refuse, and who may ask. Run by `server`, or by any ASGI server. Must not
decide what the parts say: that is `stack`. Refusals are `{"errors": [{what, expected, got, do}]}`.

    GET  /api/ping   /db/health   /queue/health   /jobs/{job_id}/status      what a monitor checks
    POST /jobs/run   /admin/faults   /admin/reset    GET /admin/state   /    what breaks and mends it
"""

import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import wraps
from importlib import resources
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from monitor.demo.stack import FAULT_NAMES, Stack
from monitor.units import clip, nearest

BODY_MAX_BYTES = 4096

# The panel is one file with its style and script inside, so 'unsafe-inline' is needed; nothing else may load.
PANEL_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a request, in the words that the caller reads."""

    what: str
    expected: str
    got: str
    do: str = ""

    def as_json(self) -> dict[str, str]:
        return {word: text for word, text in asdict(self).items() if text}


def create_demo(
    job_id_file: Path,
    now: Callable[[], float] = time.monotonic,
    job_s: float = 20.0,
) -> Starlette:
    """Return the demo as an ASGI app; it knows one succeeded job from the start.

    `job_id_file` (its folder is made) gets that job's id when the app starts up, and that of each later job;
    when it cannot be written, start-up fails with the OSError. `now` gives seconds on any steady scale.
    """
    stack = Stack(job_id_file, now, job_s)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        stack.publish_last_job()
        yield

    return Starlette(routes=_Endpoints(stack).routes(), lifespan=lifespan, max_body_size=BODY_MAX_BYTES)


def read_changes(body: bytes) -> tuple[dict[str, bool], list[Problem]]:
    """Return the faults that a request body switches, and all that is wrong with it (then switch none)."""
    try:
        given: object = json.loads(body)
    except (ValueError, RecursionError) as error:
        return {}, [Problem("the body is not JSON", 'an object like {"db_slow": true}', str(error))]
    if not isinstance(given, dict):
        return {}, [Problem("the body is not an object", 'an object like {"db_slow": true}', _shown(given))]
    problems = [problem for name, value in given.items() if (problem := _problem_of(name, value))]
    return {} if problems else given, problems


def _problem_of(name: str, value: object) -> Problem | None:
    if name not in FAULT_NAMES:
        guess = nearest(name, FAULT_NAMES)
        hint = f"did you mean {guess}?" if guess else ""
        return Problem("unknown fault", "one of " + ", ".join(FAULT_NAMES), _shown(name), hint)
    if not isinstance(value, bool):
        return Problem(f"{name} is not a boolean", "true or false", _shown(value))
    return None


def _shown(value: object) -> str:
    # As JSON in ASCII: a lone surrogate in what was sent could not be encoded in the answer.
    return clip(json.dumps(value), 80)


Endpoint = Callable[[Request], Awaitable[Response]]


def is_foreign(origin: str | None, host: str | None) -> bool:
    """Return whether a request comes from a page of another site; without an Origin it is not from a page."""
    if origin is None:
        return False
    _, found, origin_host = origin.partition("://")
    return not found or host is None or origin_host.lower() != host.lower()


def same_site(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint, which answers 403 to pages of other sites."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        origin, host = request.headers.get("origin"), request.headers.get("host")
        if not is_foreign(origin, host):
            return await endpoint(request)
        return _refusal(403, Problem("cross-site request", f"Origin of this host, {host}", str(origin)))

    return guarded


def _answer(body: Mapping[str, object], status_code: int = 200) -> Response:
    return JSONResponse(body, status_code, headers={"Cache-Control": "no-store"})


def _refusal(status_code: int, *problems: Problem) -> Response:
    return _answer({"errors": [problem.as_json() for problem in problems]}, status_code)


class _Endpoints:
    """One method per path, each only turns the stack's answer into HTTP."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._panel = resources.files("monitor.demo").joinpath("panel.html").read_text(encoding="utf-8")

    def routes(self) -> list[Route]:
        return [
            Route("/", self.panel),
            Route("/api/ping", self.ping),
            Route("/db/health", self.db),
            Route("/queue/health", self.queue),
            Route("/jobs/run", same_site(self.run_job), methods=["POST"]),
            Route("/jobs/{job_id}/status", self.job_status),
            Route("/admin/faults", same_site(self.change_faults), methods=["POST"]),
            Route("/admin/reset", same_site(self.reset), methods=["POST"]),
            Route("/admin/state", same_site(self.state)),
        ]

    async def panel(self, _: Request) -> Response:
        return HTMLResponse(self._panel, headers=PANEL_HEADERS)

    async def ping(self, _: Request) -> Response:
        api = self._stack.api()
        return _answer(api, 200 if api["status"] == "ok" else 503)

    async def db(self, _: Request) -> Response:
        return _answer(self._stack.db())

    async def queue(self, _: Request) -> Response:
        return _answer(self._stack.queue())

    async def run_job(self, _: Request) -> Response:
        try:
            job = self._stack.run_job()
        except OSError as error:
            got, do = error.strerror or str(error), "make its folder writable, then run the job again"
            return _refusal(500, Problem("no job was started", "to write its id to the job id file", got, do))
        return _answer({"job_id": job["job_id"], "status": job["status"]}, 202)

    async def job_status(self, request: Request) -> Response:
        job_id = str(request.path_params["job_id"])
        job = self._stack.job(job_id)
        if job is None:
            do = "POST /jobs/run starts a job"
            return _refusal(404, Problem("unknown job", "the id of a job run here", _shown(job_id), do))
        return _answer(job)

    async def change_faults(self, request: Request) -> Response:
        changes, problems = read_changes(await request.body())
        if problems:
            return _refusal(422, *problems)
        self._stack.change_faults(changes)
        return _answer(self._stack.as_json())

    async def reset(self, _: Request) -> Response:
        self._stack.reset()
        return _answer(self._stack.as_json())

    async def state(self, _: Request) -> Response:
        return _answer(self._stack.as_json())
