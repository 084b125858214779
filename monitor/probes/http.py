"""The `http` kind: ask a URL, judge status, JSON and latency. Every failed assertion is a finding."""

from __future__ import annotations

from monitor.config import HttpCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.curl import Answer, FetchFailed, Request, fetch
from monitor.probes.jsonrules import check_rules, parse_json
from monitor.probes.setting import Setting
from monitor.probes.verdict import describe, failed, too_slow
from monitor.units import format_ms, plain


def probe_http(check: HttpCheck, setting: Setting) -> Outcome:
    """Return the verdict on one answer: FAIL when any assertion does not hold, WARN when it is only slow."""
    try:
        answer = fetch(_request(check, setting))
    except FetchFailed as failed:
        return no_answer(failed)
    return _judge(check, answer)


def _request(check: HttpCheck, setting: Setting) -> Request:
    return Request(
        url=check.url,
        timeout_s=check.timeout,
        method=check.method,
        headers=check.headers,
        body=check.body,
        follow_redirects=check.follow_redirects,
        verify=check.verify,
        ca_file=str(setting.folder / check.ca_file) if check.ca_file else None,
        max_body_bytes=check.max_body_bytes,
    )


def no_answer(fetch_failed: FetchFailed) -> Outcome:
    """Return the verdict when there was no answer by the deadline."""
    observed: dict[str, Json] = {"address": fetch_failed.address} if fetch_failed.address else {}
    phases = fetch_failed.phases_ms
    return failed(fetch_failed.kind, fetch_failed.message, phases.get("total"), phases_ms=phases, observed=observed)


def _judge(check: HttpCheck, answer: Answer) -> Outcome:
    findings = [*_wrong_status(check, answer), *_wrong_content(check, answer)]
    kind = kind_of(findings[0], answer) if findings else None
    status, message = Status.FAIL, describe(findings) if findings else ""
    if not findings:
        status, kind, message, findings = _slow(check, answer)
    return Outcome(
        status=status,
        kind=kind,
        message=message or f"{answer.code} in {format_ms(answer.latency_ms)}",
        latency_ms=answer.latency_ms,
        phases_ms=answer.phases_ms,
        code=answer.code,
        findings=tuple(findings),
        observed=_observed(check, answer, status),
    )


def _wrong_status(check: HttpCheck, answer: Answer) -> list[Finding]:
    if answer.code in check.expect_status or (not check.expect_status and 200 <= answer.code <= 299):
        return []
    expected = " or ".join(map(str, check.expect_status)) or "200 to 299"
    return [Finding("status", expected, str(answer.code))]


def _wrong_content(check: HttpCheck, answer: Answer) -> list[Finding]:
    if not check.expect_jsonpath:
        return []
    if answer.cut:
        return [Finding("body", f"at most {check.max_body_bytes} bytes (max_body_bytes)", "longer")]
    document, finding = parse_json(answer.body)
    return [finding] if finding else check_rules(document, check.expect_jsonpath)


def kind_of(finding: Finding, answer: Answer) -> Kind:
    """Return the kind of an answer's first finding."""
    if finding.what != "status":
        return Kind.CONTENT
    return Kind.AUTH if answer.code in (401, 407) else Kind.STATUS


def _slow(check: HttpCheck, answer: Answer) -> tuple[Status, Kind | None, str, list[Finding]]:
    slow = too_slow(answer.latency_ms, check.warn_ms, check.crit_ms)
    if slow is None:
        return Status.OK, None, "", []
    status, finding = slow
    return status, Kind.SLOW, str(finding), [finding]


def _observed(check: HttpCheck, answer: Answer, status: Status) -> dict[str, Json]:
    """Return bounded facts; a piece of the body only when it is needed to see what was wrong."""
    observed: dict[str, Json] = {"address": answer.address} if answer.address else {}
    if answer.redirected_to:
        observed["final_url"] = plain(answer.redirected_to, 200)
    if status is Status.FAIL and answer.body:
        observed["body"] = plain(answer.body[:400].decode(errors="replace"), 200)
    return observed
