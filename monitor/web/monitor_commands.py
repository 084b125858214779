"""The four commands of the devops monitor: health-check, diagnose, alert, status-report. Each is a plain function
from its body to the JSON of its answer; the routes run them in threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from monitor import commands
from monitor.alerts import What
from monitor.config import Environment, HttpCheck
from monitor.diagnosis import diagnose
from monitor.history.snapshot import CheckEntry
from monitor.model import Outcome, Result
from monitor.probes import Setting, redacted, run_probe
from monitor.reports import Report, build_report
from monitor.units import nearest, to_rfc3339, utc_now
from monitor.views import Views
from monitor.web.bodies import AlertBody, DiagnoseBody, HealthCheckBody, StatusReportBody

RECEIPT_WAIT_S = 10.0
_WORKERS = 16


class NotFound(LookupError):
    """What was asked for is not known; the text names what is near."""


def health_check(views: Views, body: HealthCheckBody, by: str) -> dict[str, Any]:
    """Check endpoints now and record the verdicts; without endpoints, have every http check run now."""
    if body.endpoints:
        results = _probe_endpoints(views, body.endpoints, body.timeout_seconds)
        commands.record(views.place, results, by)
        rows = [_row(r.name, r.outcome, r.at) for r in results]
    else:
        rows = _run_configured(views, body.timeout_seconds, by)
    up = sum(row["status"] in ("OK", "WARN") for row in rows)
    return {"checked_at": to_rfc3339(utc_now()), "total": len(rows), "healthy": up, "results": rows}


def endpoint_name(url: str) -> str:
    """Return the name under which an endpoint's verdicts are kept: the URL without user, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _probe_endpoints(views: Views, urls: Sequence[str], timeout_s: float) -> list[Result]:
    setting, loaded = Setting(views.place.config.parent), views.config()
    redact = loaded.environment.redactor() if loaded else Environment.read(views.place.config.parent).redactor()

    def probe(url: str) -> Result:
        check = HttpCheck(name=endpoint_name(url)[:120], type="http", url=url, timeout=timeout_s)
        return Result(utc_now(), check.name, redacted(redact, run_probe(check, setting)))

    with ThreadPoolExecutor(min(_WORKERS, len(urls))) as pool:
        return list(pool.map(probe, urls))


def _run_configured(views: Views, timeout_s: float, by: str) -> list[dict[str, Any]]:
    snapshot = views.now().snapshot
    names = [name for name, entry in snapshot.checks.items() if entry.type == "http"] if snapshot else []
    asked_at = utc_now()
    for name in names:
        commands.run_now(views.place, name, by)
    give_up_at = time.monotonic() + timeout_s
    while True:
        entries = _entries(views, names)
        done = all(e.state.checked_at and e.state.checked_at >= asked_at for e in entries)
        if done or time.monotonic() >= give_up_at:
            return [_entry_row(entry, asked_at) for entry in entries]
        time.sleep(0.1)


def _entries(views: Views, names: Sequence[str]) -> list[CheckEntry]:
    snapshot = views.now().snapshot
    return [snapshot.checks[name] for name in names if name in snapshot.checks] if snapshot else []


def _row(name: str, outcome: Outcome, at: datetime) -> dict[str, Any]:
    return {
        "endpoint": name,
        "status": outcome.status.value,
        "kind": outcome.kind.value if outcome.kind else None,
        "status_code": outcome.code,
        "response_time_ms": None if outcome.latency_ms is None else round(outcome.latency_ms, 2),
        "message": outcome.message,
        "checked_at": to_rfc3339(at),
    }


def _entry_row(entry: CheckEntry, asked_at: datetime) -> dict[str, Any]:
    state = entry.state
    return {
        "endpoint": entry.name,
        "status": state.status.value,
        "kind": state.kind.value if state.kind else None,
        "response_time_ms": state.latency_ms,
        "message": state.message,
        "checked_at": to_rfc3339(state.checked_at) if state.checked_at else None,
        "fresh": bool(state.checked_at and state.checked_at >= asked_at),
    }


def diagnose_service(views: Views, body: DiagnoseBody) -> dict[str, Any]:
    """Explain a check, or an endpoint that was checked by hand; a part of a name is enough when it is the only one."""
    lookback_s = body.lookback_minutes * 60
    subject = _subject(body.service_name, views.known_subjects(lookback_s))
    loaded = views.config()
    if loaded is None:
        raise NotFound("checks.yaml is invalid: `python -m monitor validate` says why")
    evidence = views.evidence(subject, lookback_s)
    pieces = list(diagnose(evidence, loaded.config.diagnosis, loaded.environment, threading.Event()))
    return {
        "service_name": body.service_name,
        "subject": subject,
        "source": pieces[-1].source if pieces else "rules",
        "diagnosis": "".join(piece.text for piece in pieces),
        "evidence": evidence.as_text(loaded.environment.redactor()),
    }


def _subject(asked: str, known: Sequence[str]) -> str:
    if asked in known:
        return asked
    holding = [name for name in known if asked.lower() in name.lower()]
    if holding:
        # Several endpoints of one service: the one that was named first in the results.
        return holding[0]
    guess = nearest(asked, known)
    hint = f"did you mean {guess!r}? " if guess else ""
    raise NotFound(f"nothing called {asked!r} was checked in this time; {hint}known: {', '.join(known[:20]) or 'none'}")


def send_alert(views: Views, body: AlertBody, by: str) -> dict[str, Any]:
    """Send an alert by hand and return what each channel said to it."""
    identifier = commands.send_alert(
        views.place, body.service_name, body.severity, body.message, body.channels or [], by
    )
    applied = commands.outcome(views.place, identifier)
    if applied is None:
        return {"accepted": True, "applied": False, "detail": "no checker is running: it will be sent by the next one"}
    if not applied.ok or applied.alert is None:
        raise NotFound(applied.detail)
    receipts = wait_for_receipts(views, applied.alert)
    notified = [r["channel"] for r in receipts if r["status"] == What.SENT.value]
    return {
        "accepted": True,
        "applied": True,
        "alert_id": applied.alert,
        "channels_notified": notified,
        "receipts": receipts,
    }


def wait_for_receipts(views: Views, alert_id: str, wait_s: float = RECEIPT_WAIT_S) -> list[dict[str, Any]]:
    """Return what each channel said to an alert, waiting a while for those that have not said anything yet."""
    give_up_at = time.monotonic() + wait_s
    while True:
        alert = views.alert(alert_id)
        found = list(alert.notifications.values()) if alert else []
        if (found and all(n.ended for n in found)) or time.monotonic() >= give_up_at:
            return [
                {"channel": n.channel, "status": n.ended.value if n.ended else "waiting", "detail": n.detail}
                for n in found
            ]
        time.sleep(0.1)


def status_report(views: Views, body: StatusReportBody) -> Report:
    """Return the report on a period; `services` are names of checks, all of them without it."""
    until = utc_now()
    if body.end_date:
        until = min(until, datetime.combine(body.end_date, datetime.min.time(), UTC) + timedelta(days=1))
    since = until - timedelta(days=1)
    if body.start_date:
        since = datetime.combine(body.start_date, datetime.min.time(), UTC)
    if since >= until:
        raise NotFound(f"expected start_date before end_date and not in the future, got {since:%F} and {until:%F}")
    rows = views.tallies(since, until)
    snapshot = views.now().snapshot
    checks = snapshot.checks if snapshot else {}
    names = body.services or list(checks)
    known = {*checks, *rows}
    for name in names:
        if name not in known:
            raise NotFound(f"no service is called {name!r}; known: {', '.join(sorted(known))}")
    groups = [name for name, entry in checks.items() if entry.is_group]
    return build_report(rows, views.alerts(), since, until, names, groups)
