"""The `docker` kind: ask the daemon of Docker or Podman for a container, judge its state and health.

GET /containers/NAME/json          over the Unix socket; Docker Engine API, "Inspect a container"
{"State": {"Status", "ExitCode", "OOMKilled", "StartedAt", "Health": {"Status", "FailingStreak"}}, "RestartCount", …}
"""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from monitor.config.kinds.docker import DockerCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.curl import Answer, FetchFailed, Request, fetch
from monitor.probes.jsonrules import parse_json
from monitor.probes.setting import Setting
from monitor.probes.verdict import failed, unconfigured, verdict
from monitor.units import format_duration, from_rfc3339, plain, utc_now

_LONGEST_ANSWER_BYTES = 2_000_000


@dataclass(frozen=True, slots=True)
class _Container:
    id: str
    state: str
    exit_code: int | None
    oom_killed: bool
    started_at: datetime | None
    health: str
    failing_streak: int | None
    restarts: int | None
    image: str


def probe_docker(check: DockerCheck, setting: Setting) -> Outcome:
    """Return the verdict on the container as the daemon sees it now."""
    url = f"http://docker/containers/{quote(check.container, safe='')}/json"
    request = Request(
        url,
        check.timeout,
        follow_redirects=False,
        unix_socket=check.socket,
        max_body_bytes=_LONGEST_ANSWER_BYTES,
    )
    try:
        answer = fetch(request)
    except FetchFailed as silent:
        return _no_answer(check, silent)
    return _refused(check, answer) if answer.code != 200 else _read(check, setting, answer)


def _no_answer(check: DockerCheck, silent: FetchFailed) -> Outcome:
    if silent.kind is not Kind.CONNECT:
        return silent.outcome()
    path, why = plain(check.socket, 110), _why_no_connection(check.socket)
    if why in (errno.ENOENT, errno.ENOTDIR):
        return unconfigured(f"no socket at {path}: start Docker (or Podman's podman.socket), or set `socket`")
    if why in (errno.EACCES, errno.EPERM):
        return unconfigured(
            f"no permission to use {path}: add the user that Greenwall runs as to the group docker and start it anew"
        )
    if why == errno.ECONNREFUSED and not Path(check.socket).is_socket():
        return unconfigured(f"{path} is no socket; set `socket` to that of Docker or Podman")
    if why == errno.ECONNREFUSED:
        return failed(
            Kind.CONNECT, f"nothing listens at {path}: the daemon does not run", silent.phases_ms.get("total")
        )
    return silent.outcome()


def _why_no_connection(path: str) -> int:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        return probe.connect_ex(path)


def _refused(check: DockerCheck, answer: Answer) -> Outcome:
    document, _ = parse_json(answer.body)
    said = document.get("message") if isinstance(document, Mapping) else None
    text = plain(said, 160) if isinstance(said, str) else ""
    more = f": {text}" if text else ""
    observed: dict[str, Json] = {"container": check.container}
    if answer.code in (401, 403):
        what = (
            f"the daemon does not let Greenwall see the container (status {answer.code}{more}); allow GET /containers/"
        )
        return unconfigured(what)
    kind = Kind.STATUS
    if answer.code == 404:
        # Without its message the answer is not from Docker or Podman.
        kind = Kind.CONTENT if text else Kind.PROTOCOL
    what = (
        f"no container {check.container}" if kind is Kind.CONTENT else f"the daemon answers with status {answer.code}"
    )
    return failed(kind, what + more, answer.latency_ms, phases_ms=answer.phases_ms, observed=observed)


def _read(check: DockerCheck, setting: Setting, answer: Answer) -> Outcome:
    if answer.cut:
        finding = Finding("answer", f"at most {_LONGEST_ANSWER_BYTES} bytes", "longer")
        return verdict("", answer.latency_ms, findings=[finding], phases_ms=answer.phases_ms)
    document, wrong = parse_json(answer.body)
    seen = None if wrong else _container(document)
    if seen is None:
        wrong = wrong or Finding("answer", "a container with a State", "something else")
        return verdict("", answer.latency_ms, findings=[wrong], phases_ms=answer.phases_ms)
    return _judge(check, setting, seen, answer)


def _container(document: object) -> _Container | None:
    """Return the container that Docker or Podman describes, or None when this is none."""
    if not isinstance(document, Mapping) or not isinstance(state := document.get("State"), Mapping):
        return None
    if not isinstance(state.get("Status"), str):
        return None
    health, config = state.get("Health"), document.get("Config")
    health = health if isinstance(health, Mapping) else {}
    image = config.get("Image") if isinstance(config, Mapping) else None
    return _Container(
        id=_text(document.get("Id"))[:64],
        state=state["Status"],
        exit_code=_whole(state.get("ExitCode")),
        oom_killed=state.get("OOMKilled") is True,
        started_at=_time(state.get("StartedAt")),
        # Podman has an empty status, Docker none or "none", where there is no health check.
        health="" if health.get("Status") == "none" else _text(health.get("Status")),
        failing_streak=_whole(health.get("FailingStreak")),
        restarts=_whole(document.get("RestartCount")),
        image=_text(image),
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53 else None


def _time(value: object) -> datetime | None:
    try:
        # Nanoseconds are more than Python takes. The year 1 stands for never.
        at = from_rfc3339(re.sub(r"(\.\d{6})\d+", r"\1", _text(value)))
    except ValueError:
        return None
    return at if at.year > 1 else None


# ---- judging


def _judge(check: DockerCheck, setting: Setting, seen: _Container, answer: Answer) -> Outcome:
    what = f"container {check.container}"
    findings = _wrong_state(check, seen, what) or _wrong_health(check, seen, what)
    wrong_count = check.max_restarts is not None and seen.restarts is None
    if wrong_count and not findings:
        missing = Finding(f"RestartCount of {what}", "a number (or set max_restarts: null)", "missing")
        return verdict("", answer.latency_ms, findings=[missing], phases_ms=answer.phases_ms, observed=_observed(seen))
    warnings = _starting(check, seen, what)
    warning_kind = Kind.STATUS if warnings else Kind.RESOURCE
    memory, restarted = _restarts(check, setting, seen, what)
    warnings += restarted
    if seen.oom_killed and seen.state == "running":
        warnings.append(Finding(what, "never short of memory", "running, but something in it was killed for memory"))
    health = f", {plain(seen.health, 30)}" if seen.health else ""
    return verdict(
        f"{plain(seen.state, 30)}{health}",
        answer.latency_ms,
        findings=findings,
        kind=Kind.STATUS,
        warnings=warnings,
        warning_kind=warning_kind,
        phases_ms=answer.phases_ms,
        observed=_observed(seen),
        memory=memory,
    )


def _observed(seen: _Container) -> dict[str, Json]:
    observed: dict[str, Json] = {"state": plain(seen.state, 30)}
    if seen.health:
        observed["health"] = plain(seen.health, 30)
    if seen.image:
        observed["image"] = plain(seen.image, 160)
    if seen.restarts is not None:
        observed["restarts"] = seen.restarts
    if seen.started_at:
        observed["started_at"] = seen.started_at.isoformat(timespec="seconds")
    if seen.state != "running" and seen.exit_code is not None:
        observed["exit_code"] = seen.exit_code
    return observed


def _wrong_state(check: DockerCheck, seen: _Container, what: str) -> list[Finding]:
    ended = seen.state in ("exited", "dead", "restarting") and seen.exit_code is not None
    how = f" (exit code {seen.exit_code}{', killed for want of memory' if seen.oom_killed else ''})" if ended else ""
    got = f"{plain(seen.state, 30) or 'in no state'}{how}"
    if seen.state not in check.state:
        return [Finding(what, " or ".join(check.state), got)]
    if seen.state == "exited" and seen.exit_code not in check.expect_exit:
        return [Finding(what, f"exited with {' or '.join(map(str, check.expect_exit))}", got)]
    return []


def _wrong_health(check: DockerCheck, seen: _Container, what: str) -> list[Finding]:
    # Of one that does not run the last health is left.
    if seen.state != "running" or seen.health in ("healthy", "starting"):
        return []
    if not seen.health:
        return (
            [Finding(f"health of {what}", "healthy", "unknown: it has no health check")] if check.require_health else []
        )
    streak = f", {seen.failing_streak} times in a row" if seen.failing_streak else ""
    return [Finding(f"health of {what}", "healthy", f"{plain(seen.health, 30)}{streak}")]


def _starting(check: DockerCheck, seen: _Container, what: str) -> list[Finding]:
    if seen.state != "running" or seen.health != "starting" or seen.started_at is None:
        return []
    since_s = (utc_now() - seen.started_at).total_seconds()
    if since_s <= check.grace:
        return []
    expected = f"healthy within {format_duration(check.grace)}"
    return [Finding(f"health of {what}", expected, f"starting for {format_duration(since_s)}")]


def _restarts(
    check: DockerCheck, setting: Setting, seen: _Container, what: str
) -> tuple[dict[str, Json] | None, list[Finding]]:
    """Return what to remember, and the finding that the daemon had to start it again since the last verdict."""
    if seen.restarts is None or check.max_restarts is None:
        return None, []
    memory: dict[str, Json] = {"id": seen.id, "restarts": seen.restarts}
    before = setting.memory.get("restarts")
    # A new container of the same name counts from 0, and so does one that was started by hand.
    is_same = setting.memory.get("id") == seen.id and isinstance(before, int)
    if not is_same or seen.restarts - int(str(before)) <= check.max_restarts:
        return memory, []
    grown = seen.restarts - int(str(before))
    return memory, [
        Finding(f"number of restarts of {what}", f"at most {check.max_restarts} since the last verdict", str(grown))
    ]
