"""What kinds look at that speak HTTP: http, job, websocket, service, agents, steps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from monitor.config import HttpCheck, JobCheck, JsonRule
from monitor.config.kinds.agents import AgentsCheck
from monitor.config.kinds.service import ServiceCheck
from monitor.config.kinds.steps import Step, StepsCheck
from monitor.config.kinds.websocket import WebsocketCheck
from monitor.diagnosis.target.look import Look, Request, days, in_time, lasting, limit, look_at_url, said, some
from monitor.diagnosis.target.sent import sent

# Where each service is, the variable of its key, the page on which it tells of its own troubles.
_SERVICES = {
    "anthropic": ("https://api.anthropic.com", "ANTHROPIC_API_KEY", "https://status.anthropic.com"),
    "openai": ("https://api.openai.com/v1", "OPENAI_API_KEY", "https://status.openai.com"),
    "hubspot": ("https://api.hubapi.com", "HUBSPOT_API_KEY", "https://status.hubspot.com"),
    "sendgrid": ("https://api.sendgrid.com", "SENDGRID_API_KEY", "https://status.sendgrid.com"),
    "stripe": ("https://api.stripe.com", "STRIPE_API_KEY", "https://status.stripe.com"),
    "github": ("https://api.github.com", "GITHUB_TOKEN", "https://www.githubstatus.com"),
    "slack": ("https://slack.com/api", "SLACK_BOT_TOKEN", "https://slack-status.com"),
}


def http(check: HttpCheck) -> Look:
    is_https = check.url.lower().startswith("https:")
    return look_at_url(
        check.url,
        f"asks {check.method}",
        method=check.method,
        sent=sent(check.model_dump(by_alias=True, include=_SENT), "check"),
        expected=(*_wants(check), *in_time(check), *(days(check) if is_https and check.wants_certificate else ())),
        left_out=said(
            "parameters that `query` adds" if check.query else None,
            "headers" if check.headers else None,
            "credentials" if check.basic or check.bearer or check.oauth2 else None,
            "the body that is sent" if _sends(check) else None,
            "our certificate" if check.client_cert else None,
            "the proxy" if check.proxy else None,
        ),
        parts=some(insecure=not check.verify, ca_file=check.ca_file, server_name=check.server_name),
    )


# As `by_alias` does not go for these names: `json_` is `json` in the file.
_SENT = {"headers", "body", "json_", "form", "body_file", "basic", "bearer"}


def _sends(check: HttpCheck) -> bool:
    return any(value is not None for value in (check.body, check.json_, check.form, check.body_file))


def _wants(check: HttpCheck) -> tuple[str, ...]:
    codes = " or ".join(map(str, check.expect_status)) or "200 to 299"
    return said(
        f"status {codes}",
        f"HTTP version {check.http_version}" if check.http_version else None,
        "rules on the final URL" if check.final_url else None,
        f"rules on the headers {', '.join(rule.name for rule in check.expect_headers)}"
        if check.expect_headers
        else None,
        "rules on the body" if check.expect_body else None,
        _paths(check.expect_jsonpath),
        limit("the condition {}", check.expect),
    )


def _paths(rules: Sequence[JsonRule]) -> str | None:
    return f"rules on {', '.join(rule.path for rule in rules)}" if rules else None


def job(check: JobCheck) -> Look:
    return look_at_url(
        check.status_url,
        "asks GET",
        expected=said(
            limit("success by {}", check.success_by), limit("success within {} m", check.minutes_after_start)
        ),
        parts={"job_id_file": check.job_id_file},
    )


def websocket(check: WebsocketCheck) -> Look:
    return look_at_url(
        check.url,
        "opens a WebSocket at",
        expected=(
            *said(
                "status 101, an upgrade",
                limit("the subprotocol {}", check.subprotocol),
                limit("a message that contains {}", check.expect_contains),
                limit("a message that matches {}", check.expect_matches),
            ),
            *in_time(check),
        ),
        left_out=said("headers" if check.headers else None, "the message that is sent" if check.send else None),
        parts=some(insecure=not check.verify, ca_file=check.ca_file),
    )


def service(check: ServiceCheck) -> Look:
    base, variable, page = _SERVICES.get(check.service, (check.url or "", "", ""))
    look = look_at_url(
        check.url or base,
        "asks the service",
        expected=(f"status {' or '.join(map(str, check.expect_status)) or '200'}", *in_time(check)),
        left_out=("the key",),
        parts=some(
            service=check.service, variable=variable, page=page, own_key=check.key is not None, own_url=bool(check.url),
            insecure=not check.verify, ca_file=check.ca_file,
        ),
    )  # fmt: skip
    return replace(look, what=f"{check.service} at {look.url}")


def agents(check: AgentsCheck) -> Look:
    rows = (
        ("agents in error", check.warn_error, check.crit_error),
        ("agents offline", check.warn_offline, check.crit_offline),
        ("a queue depth", check.warn_depth, check.crit_depth),
        ("a queue depth of one agent", check.warn_agent_depth, check.crit_agent_depth),
    )
    above = (
        f"{what} above {n:g} is {s}" for what, *two in rows for n, s in zip(two, _LEVELS, strict=True) if n is not None
    )
    least = ((check.warn_available, "WARN"), (check.min_available, "FAIL"))
    expected = (
        *(f"fewer than {count} agents idle or busy is {status}" for count, status in least if count is not None),
        *above,
        *said(
            f"agents {', '.join(check.expect_agents)} in it" if check.expect_agents else None,
            lasting("last seen within {}", check.stale_after),
            lasting("the file no older than {}", check.max_age),
        ),
        *in_time(check),
    )
    if check.url:
        parts = some(insecure=not check.verify, ca_file=check.ca_file)
        left_out = ("headers",) if check.headers else ()
        return look_at_url(check.url, "reads the registry", expected=expected, left_out=left_out, parts=parts)
    file = check.file or ""
    return Look(
        does="reads the registry", what=file, expected=expected, parts=some(file=file), reaches_out=False, is_here=True
    )


_LEVELS = ("WARN", "FAIL")


def steps(check: StepsCheck) -> Look:
    """Return the look at the first step's host; each step is a request of its own."""
    requests = tuple(_request(step) for step in check.steps)
    first = look_at_url(str(check.steps[0].template.get("url", "")))
    return replace(
        first,
        does="walks through the steps",
        what=", ".join(request.name for request in requests),
        expected=(*(f"{r.name}: {r.method} {r.url}" for r in requests), *in_time(check, "all steps slower than")),
        left_out=("headers, credentials and bodies of the steps, and the values that they save",),
        requests=requests,
    )


def _request(step: Step) -> Request:
    template = step.template
    method, url = str(template.get("method", "GET")).upper(), look_at_url(str(template.get("url", ""))).url
    return Request(step.name, method, url, sent(template, step.name))
