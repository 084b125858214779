"""What a check looks at, as it may be shown: no user name, password or query value of its URL. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import SplitResult, urlsplit

from monitor.config import CheckBase, HostCheck, HttpCheck, JobCheck

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Target:
    """Of a network check `url`, `host` and `port`; of a host check `metric` and `path`; the rest is empty."""

    type: str
    group: str
    every_s: float
    timeout_s: float
    severity: str
    url: str = ""
    scheme: str = ""
    host: str = ""
    port: int = 0
    method: str = "GET"
    hides_query: bool = False
    expected: tuple[str, ...] = ()
    metric: str = ""
    path: str = ""
    job_id_file: str = ""


def target_of(check: CheckBase) -> Target:
    """Return the target; a type of check that this does not know gives its schedule only."""
    common = Target(
        type=check.type,
        group=check.group,
        every_s=check.every,
        timeout_s=check.timeout,
        severity=f"{check.severity.value} {check.severity.word}",
    )
    fields: dict[str, Any] = {}
    if isinstance(check, HttpCheck):
        fields = _of_url(check.url) | {"method": check.method, "expected": _expected(check)}
    elif isinstance(check, JobCheck):
        fields = _of_url(check.status_url) | {"job_id_file": check.job_id_file, "expected": _deadlines(check)}
    elif isinstance(check, HostCheck):
        fields = {"metric": check.metric, "path": check.path if check.metric == "disk" else ""}
    return replace(common, **fields)


def _expected(check: HttpCheck) -> tuple[str, ...]:
    limits = (("slower than {:g} ms is WARN", check.warn_ms), ("slower than {:g} ms is FAIL", check.crit_ms))
    codes = " or ".join(map(str, check.expect_status)) or "200 to 299"
    return (f"status {codes}", *(text.format(ms) for text, ms in limits if ms is not None))


def _deadlines(check: JobCheck) -> tuple[str, ...]:
    by = (f"success by {check.success_by}",) if check.success_by else ()
    within = (f"success within {check.minutes_after_start:g} m",) if check.minutes_after_start else ()
    return by + within


def _of_url(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return {"url": "(a URL that cannot be read)"}
    host = parts.hostname or ""
    shown = _shown(parts)
    return {"url": shown, "scheme": parts.scheme, "host": host, "port": port, "hides_query": bool(parts.query)}


def _shown(parts: SplitResult) -> str:
    names = "&".join(f"{pair.partition('=')[0]}=…" if "=" in pair else "…" for pair in parts.query.split("&"))
    where = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{where}{parts.path}" + (f"?{names}" if parts.query else "")


def shown_url(url: str) -> str:
    """Return a URL without user name, password, query values and fragment."""
    return str(_of_url(url)["url"])
