"""The service kind: each preset against a local server that plays the service; the key goes nowhere else."""

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme
from pydantic import ValidationError

from monitor.config import Environment
from monitor.config.kinds.service import ServiceCheck
from monitor.model import Kind, Outcome, Result, Status
from monitor.probes import Setting, run_probe
from monitor.probes.service import PRESETS
from monitor.units import utc_now
from tests.make import load
from tests.servers import Peer, Script, answer, redirect, then_silence

KEY = "sk-live-4f1d0b7c9a2e8d635b"
WELL: dict[str, Any] = {
    "anthropic": {"data": [{"type": "model", "id": "claude-x"}], "has_more": True},
    "openai": {"object": "list", "data": []},
    "hubspot": {"portalId": 12345678, "accountType": "STANDARD"},
    "sendgrid": {"scopes": ["mail.send"]},
    "stripe": {"object": "balance", "available": [{"amount": 0, "currency": "eur"}]},
    "github": {"resources": {"core": {"limit": 60, "remaining": 0}}},
    "slack": {"ok": True},
}
HEADERS = {"anthropic": f"x-api-key: {KEY}"}
REQUESTS = {
    "anthropic": "GET /v1/models?limit=1 ",
    "openai": "GET /models ",
    "hubspot": "GET /account-info/v3/details ",
    "sendgrid": "GET /v3/scopes ",
    "stripe": "GET /v1/balance ",
    "github": "GET /rate_limit ",
    "slack": "POST /auth.test ",
}
KEYLESS = ("github", "slack")


def says(service: str, **fields: Any) -> bytes:
    return answer(json.dumps(WELL[service] | fields), Content_Type="application/json")


def error(status: str, **body: Any) -> bytes:
    return answer(json.dumps(body), status, Content_Type="application/json")


def setting(service: str, key: str = KEY) -> Setting:
    return Setting(Path(), environment=Environment({PRESETS[service].variables[0]: key} if key else {}))


def probe(url: str, service: str, variable: str = KEY, **keys: Any) -> Outcome:
    check = {"name": "s", "type": "service", "service": service, "url": url, "timeout": 3} | keys
    return run_probe(ServiceCheck.model_validate(check), setting(service, variable))


def probe_peer(service: str, *scripts: bytes | Script, variable: str = KEY, **keys: Any) -> tuple[Outcome, list[bytes]]:
    with Peer(*scripts) as peer:
        return probe(peer.url, service, variable, **keys), peer.requests


def everything(outcome: Outcome) -> str:
    return json.dumps(Result(utc_now(), "s", outcome).to_json()) + repr(outcome)


# ---- up


@pytest.mark.parametrize("service", PRESETS)
def test_a_service_that_answers_as_it_does_is_ok_and_was_sent_its_key(service: str) -> None:
    seen, requests = probe_peer(service, says(service))
    assert (seen.status, seen.kind, seen.code) == (Status.OK, None, 200), seen
    assert seen.message.startswith(f"{service} answers, 200 in ")
    (request,) = requests
    assert request.decode().startswith(REQUESTS[service])
    expected = HEADERS.get(service, f"Authorization: Bearer {KEY}").lower()
    assert expected in request.decode().lower()
    assert request.endswith(b"\r\n\r\n"), "nothing is sent but the question"
    assert seen.latency_ms is not None
    assert seen.observed["with_key"] is True


@pytest.mark.parametrize("service", PRESETS)
def test_a_preset_asks_its_service_by_https(service: str) -> None:
    assert PRESETS[service].base.startswith("https://")
    assert not PRESETS[service].base.endswith("/")
    assert f"`{PRESETS[service].variables[0]}`" in (ServiceCheck.__doc__ or "")
    assert f"{PRESETS[service].base}` `{PRESETS[service].path}`" in (ServiceCheck.__doc__ or "")


def test_every_service_that_the_file_may_name_has_a_preset() -> None:
    schema = ServiceCheck.model_json_schema()["properties"]["service"]
    assert set(schema["enum"]) == set(PRESETS) == set(WELL)


@pytest.mark.parametrize("service", KEYLESS)
def test_a_service_that_needs_no_key_is_asked_without(service: str) -> None:
    seen, requests = probe_peer(service, says(service), variable="")
    assert seen.status is Status.OK, seen
    assert b"authorization" not in requests[0].lower()
    assert requests[0].split()[1] == PRESETS[service].keyless_path.encode()
    assert seen.observed["with_key"] is False


def test_an_address_of_ones_own_may_have_a_path_and_a_slash_at_its_end() -> None:
    with Peer(says("github")) as peer:
        assert probe(f"{peer.url}/api/v3/", "github").status is Status.OK
        assert peer.requests[0].startswith(b"GET /api/v3/rate_limit ")


def test_an_enterprise_server_that_counts_no_requests_is_up() -> None:
    seen, _ = probe_peer("github", error("404 Not Found", message="Rate limiting is not enabled."))
    assert (seen.status, seen.code) == (Status.OK, 404)
    seen, _ = probe_peer("github", error("404 Not Found", message="Not Found"))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.STATUS)


def test_a_key_in_the_file_wins_over_the_variable() -> None:
    seen, requests = probe_peer("openai", says("openai"), variable="another-key-of-the-environment", key=KEY)
    assert seen.status is Status.OK
    assert KEY.encode() in requests[0]


def test_a_status_that_the_file_accepts_is_ok() -> None:
    refused = error("403 Forbidden", error={"type": "invalid_request_error"})
    for accepted in ([200, 403], "403", "4xx", "400-403"):
        seen, _ = probe_peer("stripe", refused, expect_status=accepted)
        assert seen.status is Status.OK, (accepted, seen)
    seen, _ = probe_peer("stripe", refused, expect_status="404-410")
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.AUTH)


# ---- no key


@pytest.mark.parametrize("service", [name for name in PRESETS if name not in KEYLESS])
def test_without_its_key_it_is_not_configured_and_says_which_variable_to_set(service: str) -> None:
    seen, requests = probe_peer(service, says(service), variable="")
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert f"set the environment variable {PRESETS[service].variables[0]}" in seen.message
    assert requests == []


def test_an_empty_key_of_the_file_is_not_configured() -> None:
    seen, _ = probe_peer("openai", says("openai"), key="")
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    text = "checks:\n- {name: s, type: service, service: openai, key: '${OPENAI_KEY_OF_SHOP:-}'}"
    (check,) = load(text).config.checks
    assert isinstance(check, ServiceCheck)
    assert check.key is not None


@pytest.mark.parametrize("key", ["two words", "a\nX-Injected: 1", "schlüssel", "a\x00b"])
def test_a_key_that_is_none_is_not_sent_and_not_shown(key: str) -> None:
    seen, requests = probe_peer("openai", says("openai"), variable=key)
    assert (seen.status, seen.kind) == (Status.UNKNOWN, Kind.UNCONFIGURED)
    assert key not in seen.message
    assert requests == []


# ---- not up


@pytest.mark.parametrize("service", PRESETS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("401 Unauthorized", Kind.AUTH),
        ("403 Forbidden", Kind.AUTH),
        ("404 Not Found", Kind.STATUS),
        ("405 Method Not Allowed", Kind.STATUS),
        ("500 Internal Server Error", Kind.STATUS),
        ("529 Overloaded", Kind.STATUS),
        ("204 No Content", Kind.STATUS),
    ],
)
def test_a_status_that_is_not_up_is_told_by_its_kind(service: str, status: str, kind: Kind) -> None:
    said = error(status, error={"type": "some_error", "message": f"key {KEY} {KEY[:10]}"}) if status[0] != "2" else b""
    seen, _ = probe_peer(service, said or b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, kind, int(status[:3])), seen
    assert f"status is {status[:3]}" in seen.message
    assert "expected 200" in seen.message
    assert KEY[:10] not in everything(seen)


@pytest.mark.parametrize("service", PRESETS)
def test_asked_too_often_is_a_warning_for_the_service_is_there(service: str) -> None:
    limited = answer('{"error": {"type": "rate_limit_error"}}', "429 Too Many Requests", Retry_After="17")
    seen, _ = probe_peer(service, limited)
    assert (seen.status, seen.kind) == (Status.WARN, Kind.RESOURCE)
    assert seen.message == f"{service}: status is 429 (rate_limit_error), asked too often, expected 200"
    assert seen.observed["retry_after_s"] == 17


def test_github_says_403_when_asked_too_often() -> None:
    limited = answer('{"message": "API rate limit exceeded"}', "403 Forbidden", X_RateLimit_Remaining="0")
    assert probe_peer("github", limited)[0].status is Status.WARN
    refused = answer('{"message": "Forbidden"}', "403 Forbidden", X_RateLimit_Remaining="12")
    assert probe_peer("github", refused)[0].kind is Kind.AUTH
    assert probe_peer("github", refused, variable="")[0].kind is Kind.STATUS


@pytest.mark.parametrize(
    ("said", "status", "kind"),
    [
        ("invalid_auth", Status.FAIL, Kind.AUTH),
        ("token_revoked", Status.FAIL, Kind.AUTH),
        ("fatal_error", Status.FAIL, Kind.STATUS),
        ("ratelimited", Status.WARN, Kind.RESOURCE),
        (f"a sentence with {KEY}", Status.FAIL, Kind.STATUS),
        (None, Status.FAIL, Kind.STATUS),
    ],
)
def test_slack_says_no_with_status_200(said: str | None, status: Status, kind: Kind) -> None:
    seen, _ = probe_peer("slack", says("slack", ok=False, error=said))
    assert (seen.status, seen.kind, seen.code) == (status, kind, 200), seen
    assert KEY not in everything(seen)


@pytest.mark.parametrize("service", PRESETS)
@pytest.mark.parametrize(
    "body",
    ["", "<!doctype html><title>Please log in</title>", "null", "[]", "{}", '{"ok": "true"}', '{"data": {}}', "{"],
)
def test_another_answer_than_the_service_gives_is_a_failure(service: str, body: str) -> None:
    seen, _ = probe_peer(service, answer(body))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT), seen


def test_an_answer_without_an_end_is_a_failure() -> None:
    seen, _ = probe_peer("openai", answer(b'{"data": [' + b"1," * 3_000_000))
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.CONTENT)
    assert "longer" in seen.message


def test_silence_is_a_timeout() -> None:
    seen, _ = probe_peer("anthropic", then_silence(b""), timeout=0.3)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.TIMEOUT)
    assert KEY not in everything(seen)


def test_slowness_is_a_warning_or_a_failure() -> None:
    assert probe_peer("stripe", says("stripe"), warn_ms=0.0001)[0].kind is Kind.SLOW
    seen, _ = probe_peer("stripe", says("stripe"), warn_ms=0.0001, crit_ms=0.0002)
    assert (seen.status, seen.kind) == (Status.FAIL, Kind.SLOW)


# ---- the key goes nowhere else


@pytest.mark.parametrize("service", PRESETS)
def test_a_redirect_is_not_followed(service: str) -> None:
    with Peer(says(service)) as elsewhere:
        seen, requests = probe_peer(service, redirect(f"{elsewhere.url}/v1/models"))
        assert elsewhere.requests == []
    assert (seen.status, seen.kind, seen.code) == (Status.FAIL, Kind.STATUS, 302)
    assert len(requests) == 1


def test_a_certificate_that_is_not_trusted_fails_before_the_key_is_sent(tmp_path: Path) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with Peer(says("stripe"), tls=context) as peer:
        seen = probe(peer.url, "stripe")
        assert (seen.status, seen.kind) == (Status.FAIL, Kind.TLS)
        assert all(KEY.encode() not in request for request in peer.requests)
        assert probe(peer.url, "stripe", ca_file=str(tmp_path / "ca.pem")).status is Status.OK
        assert probe(peer.url, "stripe", verify=False).status is Status.OK


def test_a_key_that_the_service_repeats_is_not_recorded() -> None:
    for body in ({"error": KEY}, {"error": {"code": KEY}}, {"category": KEY}, {"error": {"message": KEY}}):
        seen, _ = probe_peer("hubspot", answer(json.dumps(body), f"401 {KEY}", Retry_After=KEY))
        assert seen.kind is Kind.AUTH
        assert KEY not in everything(seen)


def test_what_the_file_says_wrongly_is_told_without_the_key() -> None:
    for wrong in ({"url": "https://user:pass@h/"}, {"url": "https://h/?key=1"}, {"key": 12}, {"service": "githup"}):
        with pytest.raises(ValidationError) as told:
            ServiceCheck.model_validate({"name": "s", "type": "service", "service": "github"} | wrong)
        assert "user:pass" not in told.value.errors()[0]["msg"]
    assert KEY not in repr(ServiceCheck(name="s", type="service", service="github", key=KEY))
