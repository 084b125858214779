"""The `service` kind: one harmless request to a well-known service, told by its status and the shape of its answer.

    PRESETS[check.service], its key ─▶ fetch ─▶ up │ key refused │ asked too often │ down

A new service is a row here, a name in `config.kinds.service` and a row in that model's table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.config.environment import make_redactor
from monitor.config.kinds.service import ServiceCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.curl import Answer, FetchFailed, Request, fetch
from monitor.probes.httprules import values_of
from monitor.probes.jsonrules import parse_json
from monitor.probes.predicates import show
from monitor.probes.redaction import redacted
from monitor.probes.setting import Setting
from monitor.probes.verdict import too_slow, unconfigured, verdict
from monitor.units import format_ms

# The longest is a list of all models, those of one's own included.
_LONGEST_ANSWER_BYTES = 5_000_000
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,59}")

Problem = tuple[Kind, Finding]


@dataclass(frozen=True, slots=True)
class Preset:
    """One service. `{}` in `key_header` is where the key goes; without a key `keyless_path` is asked for.

    `shape` is what every good answer has, as a field and its type. `is_up` accepts an answer whatever its status.
    """

    base: str
    path: str
    shape: tuple[str, type]
    variables: tuple[str, ...]
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: tuple[str, str] = ("Authorization", "Bearer {}")
    keyless_path: str = ""
    is_up: Callable[[Answer, Mapping[str, Any]], bool] = lambda answer, document: False
    is_limited: Callable[[Answer, Mapping[str, Any]], bool] = lambda answer, document: answer.code == 429
    refusal: Callable[[Mapping[str, Any]], Problem | None] = lambda document: None


def _github_is_up(answer: Answer, document: Mapping[str, Any]) -> bool:
    # An Enterprise Server counts no requests unless it is told to, and says so.
    return answer.code == 404 and str(document.get("message")).startswith("Rate limiting is not enabled")


def _github_is_limited(answer: Answer, _document: Mapping[str, Any]) -> bool:
    # "Rate limits for the REST API": either status, with one of these headers.
    no_more = values_of(answer.headers, "x-ratelimit-remaining") == ["0"] or values_of(answer.headers, "retry-after")
    return answer.code == 429 or (answer.code == 403 and bool(no_more))


# Errors of Slack's Web API that speak of the token.
_SLACK_AUTH = {
    "not_authed",
    "invalid_auth",
    "account_inactive",
    "token_expired",
    "token_revoked",
    "no_permission",
    "not_allowed_token_type",
    "missing_scope",
    "org_login_required",
    "access_denied",
    "ekm_access_denied",
}


def _slack_is_limited(answer: Answer, document: Mapping[str, Any]) -> bool:
    return answer.code == 429 or document.get("error") in ("ratelimited", "rate_limited")


def _slack_refusal(document: Mapping[str, Any]) -> Problem | None:
    """Return why Slack says no: its status is 200 nearly always, and the verdict stands in `ok`."""
    if document["ok"] is True:
        return None
    error = document.get("error")
    kind = Kind.AUTH if error in _SLACK_AUTH else Kind.STATUS
    return kind, Finding("ok", "true", f"false ({_code(error) or 'no error named'})")


PRESETS: dict[str, Preset] = {
    "anthropic": Preset(
        "https://api.anthropic.com",
        "/v1/models?limit=1",
        ("data", list),
        ("ANTHROPIC_API_KEY",),
        headers={"anthropic-version": "2023-06-01"},
        key_header=("x-api-key", "{}"),
    ),
    "openai": Preset("https://api.openai.com/v1", "/models", ("data", list), ("OPENAI_API_KEY",)),
    "hubspot": Preset(
        "https://api.hubapi.com",
        "/account-info/v3/details",
        ("portalId", int),
        ("HUBSPOT_API_KEY", "HUBSPOT_ACCESS_TOKEN"),
    ),
    "sendgrid": Preset("https://api.sendgrid.com", "/v3/scopes", ("scopes", list), ("SENDGRID_API_KEY",)),
    "stripe": Preset(
        "https://api.stripe.com", "/v1/balance", ("available", list), ("STRIPE_API_KEY", "STRIPE_SECRET_KEY")
    ),
    # Asking for the limits does not count against them.
    "github": Preset(
        "https://api.github.com",
        "/rate_limit",
        ("resources", dict),
        ("GITHUB_TOKEN",),
        headers={"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"},
        keyless_path="/rate_limit",
        is_up=_github_is_up,
        is_limited=_github_is_limited,
    ),
    "slack": Preset(
        "https://slack.com/api",
        "/auth.test",
        ("ok", bool),
        ("SLACK_BOT_TOKEN",),
        method="POST",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        keyless_path="/api.test",
        is_limited=_slack_is_limited,
        refusal=_slack_refusal,
    ),
}


def probe_service(check: ServiceCheck, setting: Setting) -> Outcome:
    """Return the verdict on the service's answer to one harmless request."""
    preset = PRESETS[check.service]
    key = setting.environment.get(*preset.variables) if check.key is None else check.key.get_secret_value()
    if not key and not preset.keyless_path:
        return unconfigured(f"no key for {check.service}: set {_where(check, preset)}")
    if key and not _KEY.fullmatch(key):
        return unconfigured(f"the key for {check.service} is none, there are blanks in it: set {_where(check, preset)}")
    try:
        outcome = _judge(check, preset, bool(key), fetch(_request(check, preset, key, setting)))
    except FetchFailed as error:
        outcome = error.outcome()
    return redacted(make_redactor([key]), outcome)


def _where(check: ServiceCheck, preset: Preset) -> str:
    if check.key is not None:
        return "the variable that `key` names"
    return f"the environment variable {preset.variables[0]}"


def _request(check: ServiceCheck, preset: Preset, key: str, setting: Setting) -> Request:
    name, value = preset.key_header
    headers = {"Accept": "application/json", **preset.headers} | ({name: value.format(key)} if key else {})
    return Request(
        (check.url or preset.base) + (preset.path if key else preset.keyless_path),
        check.timeout,
        method=preset.method,
        headers=headers,
        # Nowhere else with the key.
        follow_redirects=False,
        verify=check.verify,
        ca_file=setting.path_of(check.ca_file),
        server_name=check.server_name,
        max_body_bytes=_LONGEST_ANSWER_BYTES,
    )


def _judge(check: ServiceCheck, preset: Preset, has_key: bool, answer: Answer) -> Outcome:
    document, wrong_json = (None, None) if answer.cut else parse_json(answer.body)
    fields = document if isinstance(document, Mapping) else {}
    failures: list[Problem] = []
    warnings: list[Problem] = []
    if preset.is_limited(answer, fields):
        warnings.append(
            (Kind.RESOURCE, Finding("status", _expected(check), f"{_got(answer, fields)}, asked too often"))
        )
    elif not _is_accepted(check, answer.code) and not preset.is_up(answer, fields):
        failures.append(_wrong_status(check, has_key, answer, fields))
    elif answer.code == 200:
        problem = _wrong_answer(preset, answer, fields, wrong_json)
        failures += [problem] if problem else []
    slow = too_slow(answer.latency_ms, check.warn_ms, check.crit_ms)
    if slow:
        (failures if slow[0] is Status.FAIL else warnings).append((Kind.SLOW, slow[1]))
    found = verdict(
        f"{check.service} answers, {answer.code} in {format_ms(answer.latency_ms)}",
        answer.latency_ms,
        findings=[finding for _, finding in failures],
        kind=failures[0][0] if failures else Kind.CONTENT,
        warnings=[finding for _, finding in warnings],
        warning_kind=warnings[0][0] if warnings else Kind.RESOURCE,
        phases_ms=answer.phases_ms,
        code=answer.code,
        observed=_observed(answer, has_key),
    )
    return replace(found, message=f"{check.service}: {found.message}") if found.kind else found


def _is_accepted(check: ServiceCheck, code: int) -> bool:
    return any(_holds(accepted, code) for accepted in check.expect_status or (200,))


def _holds(accepted: int | str, code: int) -> bool:
    if isinstance(accepted, int):
        return code == accepted
    if accepted.endswith("xx"):
        return str(code)[0] == accepted[0]
    first, _, last = accepted.partition("-")
    return int(first) <= code <= int(last)


def _expected(check: ServiceCheck) -> str:
    return " or ".join(map(str, check.expect_status)) or "200"


def _wrong_status(check: ServiceCheck, has_key: bool, answer: Answer, fields: Mapping[str, Any]) -> Problem:
    kind, got = Kind.STATUS, _got(answer, fields)
    if answer.code in (401, 403) and has_key:
        kind = Kind.AUTH
        got += ", the key is refused" if answer.code == 401 else ", the key may not ask for this"
    return kind, Finding("status", _expected(check), got)


def _wrong_answer(
    preset: Preset, answer: Answer, fields: Mapping[str, Any], wrong_json: Finding | None
) -> Problem | None:
    name, kind = preset.shape
    if answer.cut:
        return Kind.CONTENT, Finding("answer", f"at most {_LONGEST_ANSWER_BYTES} bytes", "longer")
    if wrong_json:
        return Kind.CONTENT, wrong_json
    if type(fields.get(name)) is not kind:
        got = show(fields[name]) if name in fields else "missing"
        return Kind.CONTENT, Finding(f"{name} in the answer", _TYPES[kind], got)
    return preset.refusal(fields)


_TYPES: dict[type, str] = {list: "a list", dict: "an object", int: "a whole number", bool: "true or false"}


def _got(answer: Answer, fields: Mapping[str, Any]) -> str:
    code = _error_code(fields)
    return f"{answer.code} ({code})" if code else str(answer.code)


def _error_code(fields: Mapping[str, Any]) -> str:
    """Return the service's own word for an error. Its sentence may repeat a part of the key, and is left out."""
    error = fields.get("error")
    inside = error if isinstance(error, Mapping) else {}
    candidates = (inside.get("code"), inside.get("type"), error, fields.get("category"))
    return next((code for candidate in candidates if (code := _code(candidate))), "")


def _code(value: object) -> str:
    return value if isinstance(value, str) and _CODE.fullmatch(value) else ""


def _observed(answer: Answer, has_key: bool) -> dict[str, Json]:
    observed: dict[str, Json] = {"address": answer.address} if answer.address else {}
    observed["with_key"] = has_key
    retry_after = values_of(answer.headers, "retry-after")
    if retry_after and re.fullmatch(r"\d{1,9}", retry_after[0]):
        observed["retry_after_s"] = int(retry_after[0])
    return observed
