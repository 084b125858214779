"""What can be done: one small function for each type of action, and the table of them. Trouble is returned, not raised.

What a target or a program says is untrusted: it is cut, made plain and shown, and decides nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, quote, urlsplit

from monitor.config import Action, CommandAction, DockerRestart, HttpPost, SystemdRestart, make_redactor
from monitor.probes.bounded import Hanging, within
from monitor.probes.curl import FetchFailed, Request, fetch
from monitor.probes.jsonrules import parse_json
from monitor.probes.program import Ended, clean_environment, run_program
from monitor.probes.redaction import redactor_for, secrets_among, secrets_of_url
from monitor.probes.systemd import systemctl_environment
from monitor.units import format_duration, plain

if TYPE_CHECKING:
    from requests import PreparedRequest

# After its timeout a remedy has this long to give up by itself.
_GRACE_S = 1.0
_LONGEST_ANSWER_BYTES = 64 * 1024
_SAID = 160


@dataclass(frozen=True, slots=True)
class Tried:
    """What a remedy did: `ok` when the far side accepted it. Whether it helped, the next check tells."""

    ok: bool
    detail: str


def run_action(action: Action, folder: Path = Path()) -> Tried:
    """Do it, by its timeout. `folder` is that of `checks.yaml`."""
    try:
        return ACTIONS[action.type](action, folder)
    except Hanging:
        return Tried(False, f"{action.type} did not end within {format_duration(action.timeout)}")


def _http_post(action: HttpPost, _folder: Path) -> Tried:
    # What the file calls a timeout, requests takes for each wait: drops that come one by one would last for ever.
    return within(("http_post", action.url, repr(action.payload)), lambda: _post(action), action.timeout + _GRACE_S)


def _post(action: HttpPost) -> Tried:
    # Loaded by those who have a remedy.
    import requests

    try:
        answer = requests.post(
            action.url,
            json=action.payload,
            headers=dict(action.headers),
            auth=_as_written,
            timeout=action.timeout,
            allow_redirects=False,
            stream=True,
        )
        with answer:
            return Tried(200 <= answer.status_code <= 299, f"http_post answered {answer.status_code}")
    # Names, headers and payloads that cannot be sent come as errors of other families.
    except (requests.RequestException, ValueError, TypeError) as error:
        said = _without_secrets(action)(f"{type(error).__name__}: {error}")
        return Tried(False, plain(f"http_post failed: {said}"))


def _as_written(request: PreparedRequest) -> PreparedRequest:
    """Log in as the URL says, or not at all: requests would put what ~/.netrc says over a header of the file's."""
    from requests.auth import HTTPBasicAuth
    from requests.utils import get_auth_from_url

    user, password = get_auth_from_url(request.url or "")
    return HTTPBasicAuth(user, password)(request) if user or password else request


def _without_secrets(action: HttpPost) -> Callable[[str], str]:
    secrets = [*secrets_among(action.headers), *secrets_of_url(action.url)]
    with suppress(ValueError):
        secrets += [value for _, value in parse_qsl(urlsplit(action.url).query)]
    return redactor_for(secrets)


def _command(action: CommandAction, folder: Path) -> Tried:
    cwd = folder / action.cwd if action.cwd else folder
    return _run("command", action, list(action.command), clean_environment(action.env), cwd, action.env)


def _systemd_restart(action: SystemdRestart, _folder: Path) -> Tried:
    argv = ["systemctl", *(["--user"] if action.user else []), "--no-ask-password", "restart", "--", action.unit]
    return _run("systemd_restart", action, argv, systemctl_environment(action.user), None, {})


def _run(
    what: str, action: Action, argv: list[str], environment: Mapping[str, str], cwd: Path | None, own: Mapping[str, str]
) -> Tried:
    try:
        ended = run_program(argv, action.timeout, environment, cwd)
    except OSError as error:
        return Tried(False, plain(f"{what} failed: {error.filename or argv[0]}: {error.strerror or error}"))
    return _ended(what, action, ended, make_redactor(own.values()))


def _ended(what: str, action: Action, ended: Ended, redact: Callable[[str], str]) -> Tried:
    lines = redact((ended.errors or ended.output).decode(errors="replace")).strip().splitlines()
    said = f": {plain(lines[0], _SAID)}" if lines else ""
    if ended.flooded:
        return Tried(False, f"{what} wrote without end and was ended{said}")
    if ended.code is None:
        return Tried(False, f"{what} did not end within {format_duration(action.timeout)}{said}")
    if ended.code < 0:
        return Tried(False, f"{what} was ended by {_signal_name(-ended.code)}{said}")
    return Tried(ended.code == 0, f"{what} ended with exit code {ended.code}{said}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _docker_restart(action: DockerRestart, _folder: Path) -> Tried:
    """POST /containers/NAME/restart: Docker Engine API, "Restart a container"; 204 when it was."""
    request = Request(
        f"http://docker/containers/{quote(action.container, safe='')}/restart",
        action.timeout,
        method="POST",
        follow_redirects=False,
        unix_socket=action.socket,
        max_body_bytes=_LONGEST_ANSWER_BYTES,
    )
    try:
        answer = fetch(request)
    except FetchFailed as silent:
        return Tried(False, plain(f"docker_restart failed: {silent.outcome().message} ({action.socket})"))
    document, _ = parse_json(answer.body)
    message = document.get("message") if isinstance(document, Mapping) else None
    said = f": {plain(message, _SAID)}" if isinstance(message, str) and message else ""
    return Tried(200 <= answer.code <= 299, f"docker_restart answered {answer.code}{said}")


# A new action is a block in `config/remedies.py`, a function above and a row here.
ACTIONS: dict[str, Callable[[Any, Path], Tried]] = {
    "http_post": _http_post,
    "command": _command,
    "systemd_restart": _systemd_restart,
    "docker_restart": _docker_restart,
}
