"""`/api/v1/alerts`: who may, what is taken and what is not, what becomes of it; webhooks of other programs."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from monitor.alerts import AlertEvent, on_report, opened
from monitor.checker import Checker
from monitor.config import ConfigFile, Place
from monitor.history.jsonl import read_lines
from monitor.model import Severity
from monitor.units import from_rfc3339
from monitor.views import Views
from monitor.web import Operator, make_routes
from monitor.web.adapters import ManagerBody, SentryBody, of_alertmanager, of_sentry, severity_of
from monitor.web.alertjson import rows_of
from monitor.web.reportbodies import form_of
from tests.conftest import fill_disk_under

TOKEN = "a-token-of-some-length"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ALERT = {"title": "Queue is stuck", "message": "no job for 10 minutes", "type": "queue_stuck", "resource": "jobs"}
CONFIG = """
on_call:
  - {name: night, people: {ann: console}, rota: [ann], begins: 2026-01-05}
checks: []
"""


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GREENWALL_API_TOKEN", "SENTRY_CLIENT_SECRET", "MONITOR_PASSWORD", "SLACK_WEBHOOK_URL", "SMTP_HOST"):
        monkeypatch.delenv(name, raising=False)


class House:
    """A place with a checker that only delivers, and what listens at its address."""

    def __init__(self, folder: Path) -> None:
        self.place = Place.of(folder / "checks.yaml", folder / "data")
        self.place.config.write_text(CONFIG)
        self.operator = Operator(lambda: "", lambda: 0.0)
        self.views = Views(self.place)
        self.checker = Checker(ConfigFile(self.place.config), self.place.data, start_demo=False, deliver_only=True)

    def start(self) -> None:
        self.checker.start()
        assert self.checker.ready.wait(20)

    def secret(self, name: str, value: str) -> None:
        """Set a variable as `.env` does; it is read with the file."""
        (self.place.config.parent / ".env").write_text(f"{name}={value}\n")
        self.views = Views(self.place)

    def client(self, host: str = "192.0.2.7") -> TestClient:
        app = Starlette(routes=make_routes(self.views, self.operator))
        local = "localhost" if host == "127.0.0.1" else "wall.example"
        return TestClient(app, base_url=f"http://{local}", client=(host, 50_000))

    def post(self, body: Any, path: str = "", **more: Any) -> Any:
        return self.client().post(f"/api/v1/alerts{path}", json=body, headers=BEARER | more.pop("headers", {}), **more)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """With the token, and a checker that is not started yet."""
    one = House(tmp_path)
    one.secret("GREENWALL_API_TOKEN", TOKEN)
    yield one
    one.checker.stop()


@pytest.fixture
def running(house: House) -> House:
    house.start()
    return house


# ---- who may


def test_without_the_variable_nobody_from_elsewhere_may(tmp_path: Path) -> None:
    answer = House(tmp_path).client().post("/api/v1/alerts", json=ALERT)

    assert answer.status_code == 403
    assert answer.json()["errors"][0].startswith("no GREENWALL_API_TOKEN is set: set one of 16 or more; or no MONITOR")


def test_a_token_that_is_too_short_is_none(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.secret("GREENWALL_API_TOKEN", "short")
    answer = house.client().post("/api/v1/alerts", json=ALERT, headers={"Authorization": "Bearer short"})

    assert answer.status_code == 403
    assert "has fewer than 16 characters" in answer.json()["errors"][0]


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_without_the_token_it_is_refused(house: House, headers: dict[str, str]) -> None:
    answer = house.client().post("/api/v1/alerts", json=ALERT, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert TOKEN not in answer.text


def test_a_wrong_token_is_no_guess_at_the_operators_password(house: House) -> None:
    house.operator = Operator(lambda: "open sesame", lambda: 0.0)
    for _ in range(40):
        assert (
            house.client().post("/api/v1/alerts", json=ALERT, headers={"Authorization": "Bearer x"}).status_code == 401
        )

    from tests.test_operator import FAR

    assert house.operator.log_in("open sesame", FAR)


def test_the_operator_may_without_a_token(tmp_path: Path) -> None:
    house = House(tmp_path)
    local = house.client("127.0.0.1").post("/api/v1/alerts", json=ALERT)
    house.operator = Operator(lambda: "open sesame", lambda: 0.0)
    bearer = house.client().post("/api/v1/alerts", json=ALERT, headers={"Authorization": "Bearer open sesame"})

    # Both are let in, and then there is no checker.
    assert (local.status_code, bearer.status_code) == (503, 503)


def test_a_page_of_another_site_may_not_act_as_the_operator(tmp_path: Path) -> None:
    answer = (
        House(tmp_path)
        .client("127.0.0.1")
        .post("/api/v1/alerts", json=ALERT, headers={"Origin": "http://evil.example"})
    )
    assert answer.status_code == 403


# ---- what is not taken


def test_only_json_is_read(house: House) -> None:
    plain = house.client().post("/api/v1/alerts", content=b"{}", headers=BEARER | {"Content-Type": "text/plain"})
    torn = house.client().post("/api/v1/alerts", content=b"{", headers=BEARER | {"Content-Type": "application/json"})

    assert (plain.status_code, torn.status_code) == (415, 400)


def test_too_much_is_not_read(house: House) -> None:
    assert house.post(ALERT | {"message": "x" * 1_000_001}).status_code == 413
    assert house.post([ALERT] * 501).status_code == 413


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"title": ""}, "title: expected at least 1 character, got ''"),
        ({"title": None}, "title: expected a text"),
        ({"message": 5 * [7]}, "message: expected a text"),
        ({"severity": "bad"}, "severity: expected P1, P2, P3, P4 or critical"),
        ({"category": "bad"}, "category: expected SYSTEM, DATABASE"),
        ({"affected_users": -1}, "affected_users: "),
        ({"ttl": "soon"}, "ttl: expected a duration such as 30s"),
        ({"ttl": "400d"}, "ttl: expected more than nothing and at most 366 days"),
        ({"starts_at": "0001-01-01T00:00:00+14:00"}, "starts_at: expected a time from the year 1 to 9999 in UTC"),
        ({"runbook": "javascript:alert(1)"}, "runbook: "),
        ({"status": "open"}, "status: expected 'firing' or 'resolved', got 'open'"),
        ({"tittle": "x"}, "tittle: unknown key 'tittle' (did you mean 'title'?)"),
    ],
)
def test_what_is_wrong_is_said_by_its_key(house: House, changed: dict[str, Any], said: str) -> None:
    answer = house.post(ALERT | changed)

    assert answer.status_code == 422
    assert any(error.startswith(said) for error in answer.json()["errors"]), answer.text


def test_all_that_is_wrong_in_a_list_is_said_at_once_and_nothing_is_taken(house: House) -> None:
    answer = house.post([ALERT, ALERT | {"severity": "bad"}, {"metric_name": "cpu"}, 7])

    errors = answer.json()["errors"]
    assert sorted(error.split(":")[0] for error in errors) == [
        "1.severity",
        "2.current_value",
        "2.resource",
        "2.threshold_value",
        "3.body",
    ]
    assert not list(house.place.inbox.glob("*.json"))


def test_an_infinite_figure_is_no_figure(house: House) -> None:
    body = '{"metric_name": "x", "current_value": 1e999, "threshold_value": 1, "resource": "r"}'
    answer = house.client().post("/api/v1/alerts", content=body, headers=BEARER | {"Content-Type": "application/json"})

    assert answer.status_code in (400, 422)


def test_an_unknown_channel_names_the_nearest(running: House) -> None:
    answer = running.post(ALERT | {"channels": ["consol", "night", "dashboard"]})

    assert answer.status_code == 422
    assert answer.json()["errors"] == ["channels: unknown channel 'consol' (did you mean 'console'?)"]


def test_without_a_checker_it_is_said_at_once_and_nothing_waits(house: House) -> None:
    answer = house.post(ALERT)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert not list(house.place.inbox.glob("*.json"))


# ---- what becomes of it


def test_a_report_opens_an_alert_and_the_same_again_counts_it_up(running: House) -> None:
    first = running.post(ALERT | {"severity": "critical", "metadata": {"depth": {"a": [1, None]}}, "affected_users": 3})
    second = running.post(ALERT)

    assert first.status_code == second.status_code == 202
    (opened,), (again,) = first.json()["alerts"], second.json()["alerts"]
    assert (opened["result"], opened["count"]) == ("opened", 1)
    assert (again["result"], again["count"], again["id"]) == ("counted up", 2, opened["id"])

    (listed,) = running.client().get("/api/v1/alerts").json()["alerts"]
    assert (listed["id"], listed["source"], listed["severity"], listed["status"]) == (
        opened["id"],
        "api",
        "P1",
        "ACTIVE",
    )
    assert listed["metadata"]["depth"] == {"a": [1, None]}
    assert listed["by"] == "api 192.0.2.7"


def test_resolved_ends_it_and_what_is_not_open_is_said(running: House) -> None:
    running.post(ALERT)
    answer = running.post([ALERT | {"status": "resolved"}, ALERT | {"status": "resolved", "resource": "other"}])

    assert [row["result"] for row in answer.json()["alerts"]] == ["resolved", "not open"]
    assert running.client().get("/api/v1/alerts").json() == {"alerts": [], "total": 0}
    (over,) = running.client().get("/api/v1/alerts?all=1&limit=5").json()["alerts"]
    assert over["resolution"] == "api 192.0.2.7 reports that it is over"


def test_figures_and_errors_are_worked_out(running: House) -> None:
    figure = {"metric_name": "api_response_time_ms", "current_value": 1600, "threshold_value": 1000, "resource": "/api"}
    error = {"error_type": "StripeAPIError", "error_message": "declined", "stack_trace": "Traceback\n  line 1\nE: x"}
    answer = running.post([figure | {"percentile": "P95"}, error | {"source": "booking", "error_count": 6}])

    assert answer.json()["detail"] == "2 opened"
    stripe, slow = sorted(running.client().get("/api/v1/alerts").json()["alerts"], key=lambda one: str(one["type"]))
    assert (stripe["title"], stripe["severity"], stripe["category"]) == (
        "StripeAPIError in booking",
        "P2",
        "APPLICATION",
    )
    assert stripe["metadata"]["stack_trace"] == "Traceback\n  line 1\nE: x"
    assert (slow["title"], slow["severity"]) == ("High API Response Time (P95) - /api", "P1")
    assert stripe["recommendations"] and slow["recommendations"]


def test_what_comes_from_outside_is_plain_bounded_and_without_secrets(running: House) -> None:
    running.post(
        ALERT
        | {
            "title": "a\x1b[31m\u202eb\nc",
            "message": f"the token is {TOKEN}",
            "metadata": {
                "k\x00": "v\x07" + "x" * 9000,
                "deep": {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}},
                "t": TOKEN,
            },
        }
    )

    (alert,) = running.client().get("/api/v1/alerts").json()["alerts"]
    assert alert["title"] == "a [31m b c"
    assert alert["message"] == "the token is ***"
    assert set(alert["metadata"]) == {"k", "deep", "t"}
    assert len(alert["metadata"]["k"]) == 4000 and alert["metadata"]["t"] == "***"
    assert alert["metadata"]["deep"] == {"a": {"b": {"c": {"d": {"e": "…"}}}}}
    assert TOKEN not in running.place.alerts.read_text()


def test_people_handle_it_over_http(running: House) -> None:
    identifier = running.post(ALERT).json()["alerts"][0]["id"]
    acknowledged = running.post({"note": "looking", "by": "ann"}, f"/{identifier}/acknowledge").json()
    suppressed = running.post({"for": "2h", "note": "planned"}, f"/{identifier}/suppress").json()
    resolved = running.post({"note": "mended"}, f"/{identifier}/resolve").json()
    again = running.post({}, f"/{identifier}/resolve")

    assert acknowledged["alert"]["acknowledged_by"] == "ann (api 192.0.2.7)"
    assert suppressed["alert"]["status"] == "SUPPRESSED"
    assert (resolved["alert"]["status"], resolved["alert"]["resolution"]) == ("RESOLVED", "mended")
    assert again.status_code == 409
    audit = [line["action"] for line in read_lines(running.place.audit)]
    assert audit == ["report", "acknowledge", "suppress", "resolve", "resolve"]


def test_handling_says_what_is_missing(running: House) -> None:
    identifier = running.post(ALERT).json()["alerts"][0]["id"]

    assert running.post({}, "/a-none/resolve").status_code == 404
    assert running.post({}, f"/{identifier}/suppress").json()["errors"] == ["for: missing key 'for'"]
    assert running.client().post(f"/api/v1/alerts/{identifier}/resolve", json={}).status_code == 401
    assert running.client().get("/api/v1/alerts?limit=many").status_code == 400


# ---- Alertmanager

MANAGED = {
    "status": "firing",
    "labels": {"alertname": "DiskFull", "instance": "db-1:9100", "severity": "critical", "team": "dba", "job": "node"},
    "annotations": {"summary": "Disk of db-1 is full", "description": "2 % left", "runbook_url": "https://r.example/x"},
    "startsAt": "2026-11-21T10:00:00Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
    "fingerprint": "00d3e2a1b4c5f607",
}
PAYLOAD = {
    "version": "4",
    "groupKey": "{}:{}",
    "truncatedAlerts": 0,
    "status": "firing",
    "receiver": "greenwall",
    "groupLabels": {},
    "commonLabels": {},
    "commonAnnotations": {},
    "externalURL": "http://alertmanager:9093",
    "alerts": [MANAGED],
}


def test_alertmanagers_alerts_open_and_end_each_by_its_fingerprint(running: House) -> None:
    other = MANAGED | {"fingerprint": "ffffffffffffffff", "labels": MANAGED["labels"] | {"severity": "warning"}}  # type: ignore[operator]
    both = running.post(PAYLOAD | {"alerts": [MANAGED, other]}, "/alertmanager")
    assert [row["result"] for row in both.json()["alerts"]] == ["opened", "opened"]

    over = running.post(PAYLOAD | {"alerts": [MANAGED | {"status": "resolved"}, other]}, "/alertmanager")
    assert sorted(row["result"] for row in over.json()["alerts"]) == ["counted up", "resolved"]

    (left,) = running.client().get("/api/v1/alerts").json()["alerts"]
    assert (left["type"], left["resource"], left["severity"]) == ("DiskFull", "db-1:9100 #ffffffffffffffff", "P3")
    assert (left["title"], left["message"]) == ("Disk of db-1 is full", "2 % left")
    assert (left["runbook"], left["owner"], left["by"]) == ("https://r.example/x", "dba", "alertmanager")
    assert left["metadata"]["labels"]["instance"] == "db-1:9100"
    assert left["tags"] == ["instance=db-1:9100", "job=node"]


def test_an_alert_of_alertmanagers_that_says_little_is_taken(house: House) -> None:
    body = ManagerBody.model_validate(PAYLOAD | {"alerts": [{"status": "firing", "labels": {}, "fingerprint": "a1"}]})
    (form,) = of_alertmanager(body)

    assert (form["title"], form["type"], form["resource"]) == ("alert: alert", "alert", "alert #a1")
    assert form_of(form).model_validate(form)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.P1),
        ("page", Severity.P1),
        ("warning", Severity.P3),
        ("WARN", Severity.P3),
        ("info", Severity.P4),
        ("none", Severity.P4),
        ("error", Severity.P2),
        ("P2", Severity.P2),
        ("odd", Severity.P3),
        (None, Severity.P3),
    ],
)
def test_words_of_others_for_a_severity(word: str | None, severity: Severity) -> None:
    assert severity_of(word) is severity


@pytest.mark.parametrize("changed", [{"version": "3"}, {"alerts": None}, {"alerts": [MANAGED | {"fingerprint": "/"}]}])
def test_what_is_no_webhook_of_alertmanagers_is_refused(house: House, changed: dict[str, Any]) -> None:
    assert house.post(PAYLOAD | changed, "/alertmanager").status_code == 422


# ---- Sentry

EVENT = {
    "title": "ReferenceError: heck is not defined",
    "level": "error",
    "culprit": "shop.checkout",
    "issue_id": "1117540176",
    "web_url": "https://sentry.io/organizations/x/issues/1117540176/events/1/",
    "exception": {
        "values": [
            {
                "type": "ReferenceError",
                "value": "heck is not defined",
                "stacktrace": {"frames": [{"filename": "app.js", "lineno": 7, "function": "pay"}]},
            }
        ]
    },
}
METRIC = {
    "description_text": "1000 events in the last 10 minutes",
    "description_title": "Critical: Too many errors",
    "metric_alert": {
        "alert_rule": {"id": "7", "name": "Too many errors", "projects": ["shop"], "aggregate": "count()"}
    },
    "web_url": "https://sentry.io/organizations/x/alerts/1/",
}


def _signed(body: Any, secret: str, resource: str) -> dict[str, Any]:
    raw = json.dumps(body).encode()
    signature = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
    headers = {"Sentry-Hook-Resource": resource, "Sentry-Hook-Signature": signature, "Content-Type": "application/json"}
    return {"content": raw, "headers": headers}


def test_sentrys_webhook_is_believed_by_its_signature(house: House) -> None:
    house.secret("SENTRY_CLIENT_SECRET", "of sentry")
    house.start()
    body = {"action": "triggered", "data": {"event": EVENT, "triggered_rule": "Very important"}}
    url = "/api/v1/alerts/sentry"
    forged = house.client().post(url, **_signed(body, "another", "event_alert"))
    taken = house.client().post(url, **_signed(body, "of sentry", "event_alert"))
    bare = house.client().post(url, json=body, headers=BEARER)

    assert (forged.status_code, taken.status_code, bare.status_code) == (401, 202, 401)
    (alert,) = house.client().get("/api/v1/alerts").json()["alerts"]
    assert (alert["title"], alert["message"]) == ("ReferenceError: heck is not defined", "heck is not defined")
    assert (alert["resource"], alert["severity"], alert["by"]) == ("sentry issue 1117540176", "P2", "sentry")
    assert alert["metadata"]["stack_trace"] == ["app.js:7 in pay"]
    assert alert["recommendations"]

    issue = {"action": "resolved", "data": {"issue": {"id": "1117540176", "title": "ReferenceError"}}}
    over = house.client().post(url, **_signed(issue, "of sentry", "issue"))
    assert over.json()["alerts"][0]["result"] == "resolved"


def test_without_a_secret_sentry_needs_the_token(house: House) -> None:
    body = {"action": "created", "data": {}}
    assert house.client().post("/api/v1/alerts/sentry", json=body).status_code == 401

    answer = house.post(body, "/sentry", headers={"Sentry-Hook-Resource": "installation"})
    assert (answer.status_code, answer.json()["detail"]) == (202, "nothing to do")


@pytest.mark.parametrize(
    ("action", "severity", "status"),
    [("critical", Severity.P1, "firing"), ("warning", Severity.P3, "firing"), ("resolved", Severity.P3, "resolved")],
)
def test_a_metric_alert_of_sentrys(action: str, severity: Severity, status: str) -> None:
    (form,) = of_sentry("metric_alert", SentryBody(action=action, data=METRIC))

    assert (form["type"], form["resource"], form["severity"]) == ("sentry metric alert 7", "shop", severity)
    assert (form["title"], form["status"]) == ("Critical: Too many errors", status)
    assert form_of(form).model_validate(form).runbook == METRIC["web_url"]


@pytest.mark.parametrize("resource", ["event_alert", "metric_alert", "issue", "comment", ""])
@pytest.mark.parametrize(
    "data",
    [
        {},
        {"event": None, "issue": [], "metric_alert": 7},
        {"event": {"exception": {"values": [None]}, "title": 5, "web_url": "javascript:x"}},
        {"event": {"title": "x" * 9000, "issue_id": {"a": 1}}, "description_title": "y" * 9000},
    ],
)
def test_whatever_sentry_says_makes_a_form_or_nothing(resource: str, data: dict[str, Any]) -> None:
    for form in of_sentry(resource, SentryBody(action="resolved", data=data)):
        form_of(form).model_validate(form).report(str)


# ---- what is odd


DEEP: Any = orjson.loads("[" * 1000 + "]" * 1000)


@pytest.mark.parametrize("key", ["title", "type", "severity", "category", "ttl", "affected_users", "tags", "status"])
def test_what_lies_in_itself_a_thousand_times_is_refused_by_its_key(house: House, key: str) -> None:
    answer = house.client().post(
        "/api/v1/alerts",
        content=json.dumps(ALERT)[:-1] + f', "{key}": ' + "[" * 1000 + "]" * 1000 + "}",
        headers=BEARER | {"Content-Type": "application/json"},
    )

    assert answer.status_code == 422
    assert all(error.startswith(f"{key}") for error in answer.json()["errors"])


@pytest.mark.parametrize("key", ["type", "resource", "title"])
def test_a_name_of_which_nothing_can_be_seen_is_none(house: House, key: str) -> None:
    assert house.post(ALERT | {key: "\x01\u2028"}).status_code == 422


@pytest.mark.parametrize(
    "changed",
    [
        {"labels": dict.fromkeys(("alertname", "instance", "job", "team", "severity"), " \x01")},
        {"annotations": {"summary": " ", "description": "\n", "runbook_url": "https:///nowhere"}},
        {"annotations": {"runbook_url": "https://r.example/a b"}},
        {"labels": {"alertname": "x" * 5000, "instance": "y" * 5000}, "annotations": {"summary": "z" * 5000}},
    ],
)
def test_an_odd_alert_of_alertmanagers_does_not_cost_the_others_theirs(changed: dict[str, Any]) -> None:
    body = ManagerBody.model_validate(PAYLOAD | {"alerts": [MANAGED | changed, MANAGED]})

    for form in of_alertmanager(body):
        report = form_of(form).model_validate(form).report(str)
        assert report.type and report.title and report.resource


def test_what_greenwall_told_alertmanager_does_not_come_back_as_another_alert(house: House) -> None:
    own = {"alertname": "http", "resource": "db", "source": "greenwall", "alert_id": "a-0123456789"}
    answer = house.post(PAYLOAD | {"alerts": [MANAGED | {"labels": own}]}, "/alertmanager")

    assert (answer.status_code, answer.json()["detail"]) == (202, "nothing to do")


@pytest.mark.parametrize("odd", [DEEP, {"a": DEEP}, "  ", "\x01", 1e300, True, ""])
def test_odd_values_of_sentrys_make_a_form_that_is_taken(odd: Any) -> None:
    event = dict.fromkeys((*EVENT, "event_id", "message", "environment"), odd)
    thrown = {"type": odd, "value": odd, "stacktrace": {"frames": [{"filename": odd, "lineno": odd}, odd]}}
    rule = {"id": odd, "name": odd, "projects": [odd], "aggregate": odd, "query": odd}
    bodies = {
        "event_alert": {"event": event | {"exception": {"values": [thrown]}}, "triggered_rule": odd},
        "metric_alert": {"metric_alert": {"alert_rule": rule, "title": odd}, "description_title": odd, "web_url": odd},
        "issue": {"issue": {"id": odd, "title": odd}},
    }
    for resource, data in bodies.items():
        for form in of_sentry(resource, SentryBody(action="resolved", data=data)):
            form_of(form).model_validate(form).report(str)


def test_what_ends_and_comes_back_in_one_request_is_open(running: House) -> None:
    answer = running.post([ALERT, ALERT | {"status": "resolved"}, ALERT])
    listed = running.client().get("/api/v1/alerts").json()["alerts"]

    assert [row["result"] for row in answer.json()["alerts"]] == ["opened", "resolved", "opened"]
    assert [alert["resource"] for alert in listed] == ["jobs"]

    again = running.post([ALERT | {"status": "resolved"}, ALERT])
    assert again.json()["detail"] == "1 resolved, 1 opened"
    assert running.client().get("/api/v1/alerts").json()["total"] == 1


def test_what_was_opened_within_the_millisecond_of_the_asking_was_opened() -> None:
    asked_at = from_rfc3339("2026-11-21T14:03:07.123456Z")
    report = form_of(ALERT).model_validate(ALERT).report(str)
    (event,) = on_report(report, None, None, "app", asked_at).events
    stored = AlertEvent.from_json(event.to_json())

    assert rows_of([report], [opened(stored)], asked_at)[0]["result"] == "opened"


def test_there_is_an_end_to_the_alerts_that_programs_open(running: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.checker.reporting.MOST_OPEN", 2)
    assert running.post([ALERT, ALERT | {"resource": "b"}]).status_code == 202

    third = running.post([ALERT | {"resource": "c"}])
    assert (third.status_code, third.json()["errors"]) == (
        409,
        ["2 reported alerts are open, and 2 may be: resolve some, or set `ttl`"],
    )
    assert running.post(ALERT).json()["alerts"][0]["result"] == "counted up"
    assert running.post(ALERT | {"status": "resolved"}).status_code == 202
    assert running.post([ALERT | {"resource": "c"}]).status_code == 202


def test_a_secret_at_the_place_where_a_text_is_cut_is_taken_out_as_a_whole(house: House) -> None:
    def redact(text: str) -> str:
        return text.replace("hunter2hunter2", "***")

    padded = "x" * 3993 + "hunter2hunter2"
    trace = "hunter2hunter2" + "y" * 7993
    error = {"error_type": "E", "error_message": "m", "stack_trace": trace, "metadata": {"said": padded}}
    for body in (ALERT | {"metadata": {"said": padded}}, error):
        assert "er2" not in str(form_of(body).model_validate(body).report(redact).metadata)
        assert "hun" not in str(form_of(body).model_validate(body).report(redact).metadata)


def test_a_folder_that_takes_no_command_is_said_with_what_to_do(
    running: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_disk_under("inbox", monkeypatch)
    by_hand = {"service_name": "shop", "message": "it is slow", "severity": "high"}
    answers = [
        running.post(ALERT),
        running.client("127.0.0.1").post("/api/v1/commands/monitor/alert", json=by_hand),
    ]
    assert [answer.status_code for answer in answers] == [507, 507]
    said = "/inbox: No space left on device; nothing was done. Free space there, then try again"
    assert all(answer.json()["errors"][0].endswith(said) for answer in answers)
