"""Slack, text messages, SendGrid, signed webhooks and incidents against real receivers on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from pathlib import Path
from typing import Any

import pytest
import responses
import trustme

from monitor.alerts import Alert, AlertEvent, Notification, What
from monitor.channels import Channel, Letterhead, Message, Receipt, build_channels, compose, trial_message
from monitor.channels.channel import Delivering, Edge
from monitor.channels.incidents import Alertmanager, Opsgenie
from monitor.channels.pagerduty import PagerDuty
from monitor.channels.sendgrid import SendGrid
from monitor.channels.slack import SlackBot, SlackWebhook
from monitor.channels.sms import Sms
from monitor.channels.webhook import Webhook, signature
from monitor.config import Environment, parse_config
from monitor.model import Severity
from tests.messages import DATABASE, message_of, notified
from tests.services import Asked, Says, Service, serving

OPENED = datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC)
WALL = "https://wall.example.org"
DB = replace(
    DATABASE,
    group="shop",
    tags=("storefront",),
    owner="team-orders",
    runbook="https://wiki.example.org/orders-db",
)
BACK = replace(DB, resolved_at=OPENED + timedelta(minutes=12), resolved_by="checker", resolution="recovered")
HELD = replace(DB, acknowledged_at=OPENED, acknowledged_by="ann")
OPENING, ENDING = message_of(DB, "first_fail", WALL, OPENED), message_of(BACK, "recovered", WALL, OPENED)
ACKNOWLEDGED = message_of(HELD, "acknowledged", WALL, OPENED)
EDGE = Edge("ops", Environment({"API_TOKEN": "t0psecret-0123"}).redactor(), limit_s=10.0)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as one:
        yield one


def many(count: int, event: str = "first_fail", channel: str = "ops") -> Message:
    alerts = [replace(DB, id=f"a-{number}", resource=f"shop-{number}") for number in range(count)]
    return compose([notified(one, event, channel) for one in alerts], "joined-1", Letterhead(WALL), OPENED)


def slack_ok(asked: Asked) -> Says:
    return Says(body={"ok": True, "channel": "C123", "ts": "1700000000.000100"})


class TestSlackWebhook:
    def test_it_has_colour_title_text_and_fields(self, service: Service) -> None:
        service.answer = lambda _asked: Says(body="ok")
        receipt = SlackWebhook(EDGE, f"{service.url}/services/T/B/x").send(OPENING)
        assert receipt == Receipt("ops", ok=True, detail="accepted")
        (shown,) = service.bodies[0]["attachments"]
        assert (shown["color"], shown["title"]) == ("#b71c1c", "[P1 FAIL] orders-db answers with an error")
        assert "Why: status is 503, expected 200" in shown["text"]
        assert {field["title"]: field["value"] for field in shown["fields"]} == {
            "Severity": "P1 (critical)",
            "Status": "FAIL",
            "Category": "DATABASE",
            "Alert": "a-0123456789",
        }

    def test_what_a_target_says_is_no_markup(self, service: Service) -> None:
        nasty = replace(DB, title="<!channel> & <https://evil.example.org|bank>", message="<@U1>")
        assert SlackWebhook(EDGE, service.url).send(message_of(nasty, "first_fail", None, OPENED)).ok
        assert "<" not in service.asked[0].body.decode()

    def test_why_slack_refuses_is_in_the_receipt(self, service: Service) -> None:
        service.answer = lambda _asked: Says(404, "no_service")
        receipt = SlackWebhook(EDGE, service.url).send(OPENING)
        assert receipt == Receipt("ops", ok=False, detail="answers 404: no_service", permanent=True)


class TestSlackBot:
    def bot(self, service: Service) -> SlackBot:
        return SlackBot(EDGE, "t0psecret-0123", "#ops", api=service.url)

    def test_the_opening_says_what_slack_calls_it(self, service: Service) -> None:
        service.answer = slack_ok
        receipt = self.bot(service).send(OPENING)
        assert receipt == Receipt("ops", ok=True, detail="accepted", reference="C123:1700000000.000100")
        (asked,) = service.asked
        assert (asked.path, asked.headers["Authorization"]) == ("/chat.postMessage", "Bearer t0psecret-0123")
        assert asked.json["channel"] == "#ops"
        assert "thread_ts" not in asked.json

    @pytest.mark.parametrize(
        ("alert", "event", "colour"),
        [(BACK, "recovered", "#2e7d32"), (HELD, "acknowledged", "#b71c1c"), (DB, "reminder-1", "#b71c1c")],
    )
    def test_what_follows_is_in_its_thread_and_turns_the_first_message(
        self, service: Service, alert: Alert, event: str, colour: str
    ) -> None:
        service.answer = slack_ok
        message = message_of(alert, event, WALL, OPENED, reference="C123:1690000000.000001")
        assert self.bot(service).send(message).ok
        posted, turned = service.asked
        assert (posted.path, posted.json["channel"]) == ("/chat.postMessage", "C123")
        assert posted.json["thread_ts"] == "1690000000.000001"
        assert (turned.path, turned.json["channel"], turned.json["ts"]) == (
            "/chat.update",
            "C123",
            "1690000000.000001",
        )
        assert turned.json["attachments"][0]["color"] == colour
        assert turned.json["attachments"][0]["title"] == message.subject

    def test_a_first_message_that_cannot_be_turned_does_not_undo_what_was_told(self, service: Service) -> None:
        service.answer = lambda asked: (
            slack_ok(asked) if "post" in asked.path else Says(body={"ok": False, "error": "message_not_found"})
        )
        receipt = self.bot(service).send(message_of(BACK, "recovered", WALL, OPENED, reference="C1:1.1"))
        assert receipt.ok
        assert receipt.detail.endswith("its first message keeps its old state: Slack: message_not_found")

    def test_a_message_that_told_of_several_is_not_turned_to_the_state_of_one(self, service: Service) -> None:
        service.answer = slack_ok
        first = Notification(DB.id, "first_fail", "ops", OPENED, batch="joined-1", reference="C1:1.1")
        over = replace(BACK, notifications={first.key: first})
        assert self.bot(service).send(message_of(over, "recovered", WALL, OPENED, channel="ops")).ok
        assert [asked.path for asked in service.asked] == ["/chat.postMessage"]
        assert service.asked[0].json["thread_ts"] == "1.1"

    @pytest.mark.parametrize(
        ("error", "permanent"),
        [("channel_not_found", True), ("invalid_auth", True), ("ratelimited", False), ("internal_error", False)],
    )
    def test_a_200_that_is_none_is_a_failure(self, service: Service, error: str, permanent: bool) -> None:
        service.answer = lambda _asked: Says(body={"ok": False, "error": error})
        receipt = self.bot(service).send(OPENING)
        assert receipt == Receipt("ops", ok=False, detail=f"Slack: {error}", permanent=permanent)

    @pytest.mark.parametrize("body", ["", "<html>", "[]", "x" * 500_000])
    def test_an_answer_that_is_not_slacks_is_tried_again(self, service: Service, body: str) -> None:
        service.answer = lambda _asked: Says(body=body)
        receipt = self.bot(service).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)

    def test_when_slack_wants_to_be_left_alone_it_is(self, service: Service) -> None:
        service.answer = lambda _asked: Says(429, {"ok": False}, {"Retry-After": "30"})
        receipt = self.bot(service).send(OPENING)
        assert (receipt.ok, receipt.permanent, receipt.retry_after_s) == (False, False, 30.0)


class TestSms:
    def channel(self, service: Service) -> Sms:
        return Sms(
            EDGE, "AC" + "0" * 32, "t0psecret-0123", "+15551234567", ("+15550000001", "+15550000002"), service.url
        )

    def test_each_number_gets_a_hundred_characters(self, service: Service) -> None:
        service.answer = lambda _asked: Says(201, {"sid": "SM1"})
        long = message_of(replace(DB, message="A" * 1000), "first_fail", WALL, OPENED)
        assert self.channel(service).send(long) == Receipt("ops", ok=True, detail="accepted for 2 of 2 numbers")
        first, second = service.asked
        assert first.path == f"/2010-04-01/Accounts/AC{'0' * 32}/Messages.json"
        login = base64.b64decode(first.headers["Authorization"].removeprefix("Basic ")).decode()
        assert login == f"AC{'0' * 32}:t0psecret-0123"
        assert (first.form["From"], first.form["To"]) == ("+15551234567", "+15550000001")
        assert second.form["To"] == "+15550000002"
        assert len(first.form["Body"]) == 100
        assert first.form["Body"].startswith("[P1 FAIL] orders-db answers with an error: AAA")
        # An ellipsis of one letter would make two messages of it.
        assert first.form["Body"].endswith("AAA...")

    def test_a_number_that_twilio_refuses_is_named_and_the_others_are_told_once(self, service: Service) -> None:
        bad = Says(400, {"code": 21211, "message": "invalid number"})
        service.answer = lambda asked: bad if asked.form["To"].endswith("2") else Says(201)
        receipt = self.channel(service).send(OPENING)
        assert receipt.ok
        assert receipt.detail.startswith("accepted for 1 of 2 numbers; +15550000002: answers 400: ")
        assert "invalid number" in receipt.detail

    def test_what_fails_for_now_is_sent_again_to_those_only_who_do_not_have_it(self, service: Service) -> None:
        answers = {"+15550000001": [Says(201)], "+15550000002": [Says(503, "", {"Retry-After": "9"}), Says(201)]}
        service.answer = lambda asked: answers[asked.form["To"]].pop(0)
        channel = self.channel(service)
        first = channel.send(OPENING)
        assert (first.ok, first.permanent, first.retry_after_s) == (False, False, 9.0)
        assert channel.send(OPENING) == Receipt("ops", ok=True, detail="accepted for 2 of 2 numbers")
        assert [asked.form["To"][-1] for asked in service.asked] == ["1", "2", "2"]

    def test_when_every_number_is_refused_nothing_was_told(self, service: Service) -> None:
        service.answer = lambda _asked: Says(401, {"message": "authenticate"})
        receipt = self.channel(service).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, True)

    def test_without_being_told_otherwise_it_is_for_p1(self) -> None:
        variables = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t0psecret-0123"}
        variables |= {"TWILIO_FROM_NUMBER": "+15551234567", "ALERT_PHONE_NUMBERS": "+15550000001"}
        text = "checks: []\nchannels: [{name: night, type: sms, severity: [P1, high], to: ['+15550000009']}]\n"
        channels = build_channels(parse_config(text, Path("checks.yaml"), Environment(variables)))
        assert channels["sms"].severities == (Severity.P1,)
        assert channels["night"].severities == (Severity.P1, Severity.P2)
        night = channels["night"]
        assert isinstance(night, Sms)
        assert night.to == ("+15550000009",)


class TestSendGrid:
    def channel(self, service: Service) -> SendGrid:
        to = (Address("", "a", "example.org"), Address("Bo", "b", "example.org"))
        return SendGrid(EDGE, "t0psecret-0123", Address("Wall", "wall", "example.org"), to, service.url)

    def test_it_is_the_same_mail(self, service: Service) -> None:
        service.answer = lambda _asked: Says(202)
        receipts = [self.channel(service).send(message) for message in (OPENING, ENDING)]
        assert [receipt.detail for receipt in receipts] == ["accepted for 2 recipients"] * 2
        opening, ending = service.asked
        assert (opening.path, opening.headers["Authorization"]) == ("/v3/mail/send", "Bearer t0psecret-0123")
        body = opening.json
        assert body["subject"] == OPENING.subject
        assert body["from"] == {"email": "wall@example.org", "name": "Wall"}
        assert body["personalizations"] == [
            {"to": [{"email": "a@example.org"}, {"email": "b@example.org", "name": "Bo"}]}
        ]
        assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
        assert ending.json["headers"]["In-Reply-To"] == body["headers"]["Message-ID"] == receipts[0].reference

    def test_what_sendgrid_refuses_is_in_the_receipt_without_the_key(self, service: Service) -> None:
        service.answer = lambda _asked: Says(403, {"errors": [{"message": "from is not verified: t0psecret-0123"}]})
        receipt = self.channel(service).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, True)
        assert "from is not verified" in receipt.detail
        assert "t0psecret" not in receipt.detail


class TestWebhookOfOnesOwn:
    def channel(self, service: Service, **more: Any) -> Webhook:
        return Webhook(EDGE, service.url, now=lambda: OPENED, **more)

    def test_the_signature_is_of_time_and_body(self, service: Service) -> None:
        assert self.channel(service, secret="hmac-0123456789").send(OPENING).ok
        (asked,) = service.asked
        stamp = asked.headers["X-Greenwall-Timestamp"]
        assert stamp == str(int(OPENED.timestamp()))
        expected = hmac.new(b"hmac-0123456789", stamp.encode() + b"." + asked.body, hashlib.sha256).hexdigest()
        assert asked.headers["X-Greenwall-Signature"] == f"sha256={expected}"
        assert signature("hmac-0123456789", stamp, asked.body + b" ") != f"sha256={expected}"

    def test_without_a_secret_there_is_no_signature(self, service: Service) -> None:
        assert self.channel(service).send(OPENING).ok
        assert "X-Greenwall-Signature" not in service.asked[0].headers

    def test_the_body_may_be_a_template(self, service: Service) -> None:
        template = '{"msg": "{{ alert.title }}", "tags": {{ alert.tags | tojson }}, "text": {{ text | tojson }}}'
        assert self.channel(service, template=template).send(OPENING).ok
        assert service.bodies == [
            {"msg": "orders-db answers with an error", "tags": ["storefront"], "text": OPENING.text}
        ]
        assert service.asked[0].headers["Content-Type"] == "application/json"

    @pytest.mark.parametrize("nasty", ['"}, "admin": true, {"', "\\", "a\nb\u2028", "{{ 7 * 7 }}", "</script>"])
    def test_what_a_target_says_cannot_break_it(self, service: Service, nasty: str) -> None:
        template = '{"msg": "{{ alert.message }}", "id": "{{ alert.id }}"}'
        alert = replace(DB, message=nasty)
        assert self.channel(service, template=template).send(message_of(alert, "first_fail", None, OPENED)).ok
        assert set(service.bodies[0]) == {"msg", "id"}
        assert service.bodies[0]["msg"].split() == nasty.replace("\u2028", " ").split()

    def test_a_text_stays_a_text(self, service: Service) -> None:
        assert self.channel(service, template='{{ status }}: "{{ alert.title }}"').send(OPENING).ok
        assert service.asked[0].body == b'FAIL: "orders-db answers with an error"'
        assert service.asked[0].headers["Content-Type"] == "text/plain; charset=utf-8"

    def test_a_template_that_breaks_is_not_tried_for_ever(self, service: Service) -> None:
        template = "{{ 1 // (99 - (alert.title if alert else '')|length) }}"
        message = message_of(replace(DB, title="x" * 99), "first_fail", None, OPENED)
        receipt = self.channel(service, template=template).send(message)
        assert (receipt.ok, receipt.permanent) == (False, True)
        assert receipt.detail.startswith("template: ZeroDivisionError")
        assert service.asked == []

    def test_a_message_of_several_lists_them(self, service: Service) -> None:
        assert self.channel(service).send(many(3)).ok
        (body,) = service.bodies
        assert (body["event"], body["status"], body["summary"]) == ("joined", "FAIL", "3 alerts: 3 open")
        assert [one["alert"]["resource"] for one in body["alerts"]] == ["shop-0", "shop-1", "shop-2"]

    @pytest.mark.parametrize(
        ("template", "problem"),
        [
            ("{{ nobody }}", "template: UndefinedError: 'nobody' is undefined"),
            ("{{ 1 / 0 }}", "template: ZeroDivisionError"),
            ('{"a": {{ alert.title }}}', "template: it begins like JSON, and what it gives is none"),
            ("{{ ''.__class__.__mro__ }}", "template: SecurityError"),
            ("{{ 'a' * 1000000000 }}", "template: SecurityError"),
            ("{% for a in range(9999) %}{{ 'x' * 99 }}{% endfor %}", "template: SecurityError: it writes more than"),
        ],
    )
    def test_one_that_cannot_work_is_said_when_it_is_read(self, template: str, problem: str) -> None:
        block = {"name": "own", "type": "webhook", "url": "http://a.example", "template": template}
        text = f"checks: []\nchannels: [{json.dumps(block)}]\n"
        channel = build_channels(parse_config(text, Path("checks.yaml"), Environment()))["own"]
        assert channel.problem.startswith(problem)


@pytest.fixture
def encrypted(ca: trustme.CA, ca_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """PagerDuty's client talks TLS only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    monkeypatch.setenv("SSL_CERT_FILE", str(ca_folder / "ca.pem"))
    with serving(context) as one:
        yield one


class TestPagerDuty:
    def channel(self, encrypted: Service) -> PagerDuty:
        encrypted.answer = lambda asked: Says(202, {"status": "success", "dedup_key": asked.json["dedup_key"]})
        return PagerDuty(EDGE, "t0psecret-0123", api=encrypted.url)

    def test_one_incident_is_opened_acknowledged_and_resolved(self, encrypted: Service) -> None:
        channel = self.channel(encrypted)
        for message in (OPENING, ACKNOWLEDGED, ENDING):
            assert channel.send(message) == Receipt("ops", ok=True, detail="accepted", reference=DB.id)
        assert [body["event_action"] for body in encrypted.bodies] == ["trigger", "acknowledge", "resolve"]
        assert {body["dedup_key"] for body in encrypted.bodies} == {DB.id}
        assert {body["routing_key"] for body in encrypted.bodies} == {"t0psecret-0123"}
        payload = encrypted.bodies[0]["payload"]
        assert (payload["summary"], payload["source"]) == (OPENING.subject, "orders-db")
        assert (payload["severity"], payload["component"]) == ("critical", "orders-db")
        assert encrypted.bodies[0]["links"] == [{"href": f"{WALL}/alerts?alert={DB.id}", "text": "Greenwall"}]

    @pytest.mark.parametrize(
        ("status", "permanent", "wait_s"), [(400, True, None), (429, False, 7.0), (503, False, 7.0), (401, True, None)]
    )
    def test_it_is_asked_once(self, encrypted: Service, status: int, permanent: bool, wait_s: float | None) -> None:
        channel = self.channel(encrypted)
        header = {"Retry-After": "7"} if wait_s else {}
        encrypted.answer = lambda _asked: Says(status, {"message": "no"}, header)
        receipt = channel.send(OPENING)
        assert (receipt.ok, receipt.permanent, receipt.retry_after_s) == (False, permanent, wait_s)
        assert len(encrypted.asked) == 1

    def test_a_dead_service_is_a_passing_failure_without_the_key(
        self, closed_port: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        receipt = PagerDuty(EDGE, "t0psecret-0123", api=f"https://127.0.0.1:{closed_port}").send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert receipt.detail.startswith("ConnectError")
        assert "t0psecret" not in receipt.detail + caplog.text

    def test_a_test_leaves_no_incident_open(self, encrypted: Service) -> None:
        channel = self.channel(encrypted)
        assert channel.send(trial_message("ops", "ann", Letterhead(WALL), OPENED)).ok
        assert [body["event_action"] for body in encrypted.bodies] == ["trigger", "resolve"]


class TestOpsgenie:
    def test_one_alert_is_opened_acknowledged_and_closed_by_its_alias(self, service: Service) -> None:
        service.answer = lambda _asked: Says(202, {"result": "Request will be processed"})
        channel = Opsgenie(EDGE, "t0psecret-0123", api=service.url)
        for message in (OPENING, ACKNOWLEDGED, ENDING):
            assert channel.send(message).ok
        assert [asked.path for asked in service.asked] == [
            "/v2/alerts",
            f"/v2/alerts/{DB.id}/acknowledge?identifierType=alias",
            f"/v2/alerts/{DB.id}/close?identifierType=alias",
        ]
        assert {asked.headers["Authorization"] for asked in service.asked} == {"GenieKey t0psecret-0123"}
        body = service.bodies[0]
        assert (body["alias"], body["priority"], body["message"]) == (DB.id, "P1", OPENING.subject)


class TestAlertmanager:
    def test_an_alert_is_open_until_it_is_over(self, service: Service) -> None:
        channel = Alertmanager(EDGE, service.url + "/", token="t0psecret-0123")
        for message in (OPENING, ENDING):
            assert channel.send(message).ok
        assert {asked.path for asked in service.asked} == {"/api/v2/alerts"}
        ((opened,), (closed,)) = service.bodies
        assert opened["labels"] == closed["labels"]
        assert (opened["labels"]["alertname"], opened["labels"]["resource"]) == ("http", "orders-db")
        assert (opened["startsAt"], opened["endsAt"]) == ("2026-11-21T14:03:05.000Z", "2100-01-01T00:00:00.000Z")
        assert closed["endsAt"] == "2026-11-21T14:15:05.000Z"
        assert opened["annotations"]["summary"] == DB.title
        assert opened["generatorURL"] == f"{WALL}/alerts?alert={DB.id}"

    def test_one_whose_severity_was_raised_does_not_stay_open_with_its_old_one(self, service: Service) -> None:
        events = (
            AlertEvent(OPENED, What.OPENED, DB.id, data={"severity": "P3"}),
            AlertEvent(OPENED, What.RAISED, DB.id, data={"severity": "P1"}),
        )
        raised = message_of(replace(DB, events=events), "raised-P1", WALL, OPENED)
        assert Alertmanager(EDGE, service.url).send(raised).ok
        old, new = service.bodies[0]
        assert (old["labels"]["priority"], new["labels"]["priority"]) == ("P3", "P1")
        assert old["endsAt"] < new["endsAt"]


class TestThroughApprise:
    def told(self, **variables: str) -> Receipt:
        name = next(iter(variables)).partition("_")[0].lower()
        channel = build_channels(parse_config("checks: []\n", Path("checks.yaml"), Environment(variables)))[name]
        assert channel.configured, channel.problem
        return channel.send(OPENING)

    def test_ntfy_is_told_on_its_topic(self, service: Service) -> None:
        service.answer = lambda _asked: Says(body={"id": "1"})
        assert self.told(NTFY_URL=f"{service.url}/greenwall", NTFY_TOKEN="tk_0123456789abcdef0123456789abcde").ok
        (asked,) = service.asked
        assert asked.headers["Authorization"] == "Bearer tk_0123456789abcdef0123456789abcde"
        assert (asked.json["topic"], asked.json["title"]) == ("greenwall", OPENING.subject)
        assert "status is 503, expected 200" in asked.json["message"]

    def test_gotify_is_told_under_its_path(self, service: Service) -> None:
        service.answer = lambda _asked: Says(body={"id": 1})
        assert self.told(GOTIFY_URL=f"{service.url}/push", GOTIFY_TOKEN="gotify-0123456").ok
        (asked,) = service.asked
        assert (asked.path, asked.headers["X-Gotify-Key"]) == ("/push/message", "gotify-0123456")
        assert asked.json["title"] == OPENING.subject

    def test_matrix_is_told_in_its_room(self, service: Service) -> None:
        service.answer = lambda _asked: Says(body={"room_id": "!ops:example.org", "user_id": "@wall:example.org"})
        receipt = self.told(MATRIX_URL=service.url, MATRIX_TOKEN="matrix-0123456", MATRIX_ROOM="#ops:example.org")
        assert receipt.ok, receipt.detail
        assert all(asked.headers["Authorization"] == "Bearer matrix-0123456" for asked in service.asked)
        assert OPENING.subject in service.asked[-1].body.decode()

    def test_pushover_is_told(self) -> None:
        with responses.RequestsMock() as net:
            net.add(responses.POST, "https://api.pushover.net/1/messages.json", json={"status": 1})
            assert self.told(PUSHOVER_TOKEN="a" * 30, PUSHOVER_USER_KEY="u" * 30).ok
            assert "orders-db" in str(net.calls[0].request.body)


class TestWhatChannelsAreLike:
    def test_incidents_are_told_one_by_one_and_of_acknowledgements(self, service: Service) -> None:
        bot = SlackBot(EDGE, "t", "#ops")
        pager, genie = PagerDuty(EDGE, "k"), Opsgenie(EDGE, "k")
        manager, hook = Alertmanager(EDGE, service.url), Webhook(EDGE, service.url)
        channels: tuple[Channel, ...] = (bot, pager, genie, manager, hook)
        assert [channel.joins for channel in channels] == [True, False, False, False, True]
        assert [channel.wants_acknowledged for channel in channels] == [True, True, True, False, False]

    def test_incidents_of_a_message_of_several_are_all_opened(self, service: Service) -> None:
        assert Opsgenie(EDGE, "k", api=service.url).send(many(3)).ok
        assert [body["alias"] for body in service.bodies] == ["a-0", "a-1", "a-2"]

    @pytest.mark.parametrize("make", [SlackWebhook, Webhook])
    def test_credentials_do_not_follow_a_redirect(self, service: Service, make: type[Delivering]) -> None:
        service.answer = lambda _asked: Says(302, headers={"Location": f"{service.url}/elsewhere"})
        receipt = make(EDGE, service.url)  # type: ignore[call-arg]
        assert receipt.send(OPENING).detail == "answers 302, a redirect, which is not followed: set the final URL"
        assert len(service.asked) == 1
