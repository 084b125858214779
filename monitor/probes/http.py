"""The `http` kind: ask a URL, judge all of the answer. Every failed assertion is a finding.

    request_of(check, setting) ─▶ fetch(request) ─▶ judge(check, setting, answer) ─▶ Outcome

The three steps are public, so that the one in the middle can run elsewhere; `probe_http` is all three, and the token
of `oauth2` before them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from monitor.config import HttpCheck
from monitor.config.credentials import OAuth2
from monitor.config.expression import compile_expression
from monitor.config.jsonpath import compiled
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.curl import Answer, FetchFailed, Request, fetch
from monitor.probes.deadline import Deadline
from monitor.probes.httpcertificate import why_refused
from monitor.probes.httprequest import request_of
from monitor.probes.httprules import check_phases
from monitor.probes.httpsecrets import without_secrets
from monitor.probes.oauth import forget_token, kept_token, read_token, token_form
from monitor.probes.reading import Reading
from monitor.probes.setting import Setting
from monitor.probes.verdict import describe, too_slow
from monitor.units import format_ms, plain

__all__ = ["fetch", "is_prompt", "judge", "kind_of", "probe_http", "request_of"]

Wrong = tuple[Kind, Finding]
# A server names the highest version that it knows, whatever it was asked by (RFC 9110, 6.2).
_SPOKEN = {"1.0": ("1.0", "1.1")}


def probe_http(check: HttpCheck, setting: Setting) -> Outcome:
    """Return the verdict on one answer: FAIL when any assertion does not hold, WARN when it is only slow."""
    request = request_of(check, setting)
    if isinstance(request, Outcome):
        return request
    if check.oauth2 is not None:
        return _with_token(check, check.oauth2, request, setting)
    return judge(check, setting, _answer_to(request))


def is_prompt(check: HttpCheck) -> bool:
    """Return whether the check is one exchange, and its request and verdict take well under a millisecond each.

    That is for answers of ordinary size. Tokens, files, searches through documents and loops over them take longer.
    """
    searches = any(compiled(rule.path).way is None for rule in check.expect_jsonpath)
    loops = check.expect is not None and compile_expression(check.expect).loops > 0
    return not (check.oauth2 or check.body_file or searches or loops)


def _answer_to(request: Request) -> Answer | FetchFailed:
    try:
        return fetch(request)
    except FetchFailed as error:
        return error


def _with_token(check: HttpCheck, client: OAuth2, request: Request, setting: Setting) -> Outcome:
    """Return the verdict on the answer to a request with a token, within one deadline with the token's own request."""
    deadline = Deadline(check.timeout)
    kept = kept_token(client)
    token = kept or _new_token(client, request, deadline)
    if isinstance(token, Outcome):
        return without_secrets(check, token)
    answer = _answer_to(_carrying(token, request, deadline))
    if kept and isinstance(answer, Answer) and answer.code == 401:
        # It may have been withdrawn before its time.
        forget_token(client)
        token = _new_token(client, request, deadline)
        if isinstance(token, Outcome):
            return without_secrets(check, token)
        answer = _answer_to(_carrying(token, request, deadline))
    return without_secrets(check, judge(check, setting, answer), token)


def _new_token(client: OAuth2, request: Request, deadline: Deadline) -> str | Outcome:
    headers, body = token_form(client)
    asked = Request(
        url=client.token_url,
        timeout_s=deadline.left_as_timeout_s,
        method="POST",
        headers=headers,
        body=body,
        follow_redirects=False,
        verify=request.verify,
        ca_file=request.ca_file,
        proxy=request.proxy,
        max_body_bytes=100_000,
    )
    return read_token(client, _answer_to(asked))


def _carrying(token: str, request: Request, deadline: Deadline) -> Request:
    headers = {**request.headers, "Authorization": f"Bearer {token}"}
    return replace(request, headers=headers, timeout_s=deadline.left_as_timeout_s)


def judge(check: HttpCheck, setting: Setting, answer: Answer | FetchFailed) -> Outcome:
    """Return the verdict on what came back, or on why nothing did."""
    if isinstance(answer, FetchFailed):
        return without_secrets(check, _unanswered(check, answer))
    reading = Reading(check, answer, setting)
    wrong = list(_wrong(check, answer, reading)) or list(_too_slow(check, answer, Status.FAIL))
    warnings = [] if wrong else [*reading.certificate.warnings, *_too_slow(check, answer, Status.WARN)]
    found = wrong or warnings
    status = Status.FAIL if wrong else Status.WARN if warnings else Status.OK
    findings = tuple(finding for _, finding in found)
    outcome = Outcome(
        status=status,
        kind=found[0][0] if found else None,
        message=describe(findings) or f"{answer.code} in {format_ms(answer.latency_ms)}",
        latency_ms=answer.latency_ms,
        phases_ms=answer.phases_ms,
        code=answer.code,
        findings=findings,
        observed=_observed(check, answer, reading, status),
        memory=reading.memory,
    )
    return without_secrets(check, outcome) if found else outcome


def _unanswered(check: HttpCheck, fetch_failed: FetchFailed) -> Outcome:
    outcome = fetch_failed.outcome()
    findings, observed = why_refused(check, fetch_failed)
    observed = {**outcome.observed, **observed}
    if not findings:
        return replace(outcome, observed=observed)
    observed["tls_error"] = plain(outcome.message, 200)
    return replace(outcome, message=describe(findings), findings=findings, observed=observed)


def _wrong(check: HttpCheck, answer: Answer, reading: Reading) -> Iterator[Wrong]:
    if not any(first <= answer.code <= last for first, last in check.accepted):
        expected = " or ".join(map(str, check.expect_status)) or "200 to 299"
        finding = Finding("status", expected, str(answer.code))
        yield kind_of(finding, answer), finding
    yield from reading.certificate.failures
    if check.http_version and answer.http_version not in _SPOKEN.get(check.http_version, (check.http_version,)):
        yield Kind.PROTOCOL, Finding("HTTP version", check.http_version, answer.http_version or "not known")
    for finding in reading.wrong_content():
        yield Kind.CONTENT, finding


def _too_slow(check: HttpCheck, answer: Answer, status: Status) -> Iterator[Wrong]:
    slow = too_slow(answer.latency_ms, check.warn_ms, check.crit_ms)
    if slow and slow[0] is status:
        yield Kind.SLOW, slow[1]
    if check.phases and status is Status.FAIL:
        for finding, measured in check_phases(answer.phases_ms, check.phases, check.keep_alive):
            yield Kind.SLOW if measured else Kind.CONTENT, finding


def kind_of(finding: Finding, answer: Answer) -> Kind:
    """Return the kind of an answer's first finding."""
    if finding.what != "status":
        return Kind.CONTENT
    return Kind.AUTH if answer.code in (401, 407) else Kind.STATUS


def _observed(check: HttpCheck, answer: Answer, reading: Reading, status: Status) -> dict[str, Json]:
    """Return bounded facts; the status line and a piece of the body only when they tell what was wrong."""
    observed: dict[str, Json] = {"address": answer.address} if answer.address else {}
    if answer.redirected_to:
        observed["final_url"] = plain(answer.redirected_to, 200)
    if check.http_version or status is Status.FAIL:
        observed["http_version"] = answer.http_version
    observed |= reading.certificate.observed
    if status is Status.FAIL:
        observed |= reading.evidence()
    return observed
