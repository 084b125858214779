"""The webhook against a real receiver on loopback, and the chats by the requests that Apprise makes for them."""

import io
import json
import logging
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests
import responses

from monitor.channels import Channel, Message, Receipt, build_channels
from monitor.channels.channel import Edge
from monitor.channels.through_apprise import ThroughApprise, fit, target_of
from monitor.channels.web import retry_after_s
from monitor.channels.webhook import Webhook
from monitor.config import Environment, parse_config
from monitor.model import Severity
from tests.messages import DATABASE, message_of

OPENED = datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC)
DB = DATABASE
BACK = replace(DB, resolved_at=OPENED + timedelta(minutes=12), resolved_by="checker", resolution="recovered")
OPENING = message_of(DB, "first_fail", "https://wall.example.org", OPENED)
ENDING = message_of(BACK, "recovered", "https://wall.example.org", OPENED)

BOT = "123456789:AAEabcdefghijklmnopqrstuvwxyz012345"
ENVIRONMENT = {
    "TELEGRAM_BOT_TOKEN": BOT,
    "TELEGRAM_CHAT_ID": "-1001234",
    "SLACK_WEBHOOK_URL": "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
    "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/12345678901/abcdefghijklmnopqrst",
    "TEAMS_WEBHOOK_URL": "https://prod-03.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu",
}
SECRETS = (
    "AAEabcdefghijklmnopqrstuvwxyz012345",
    "TIiajkdnlazkcOXrIdevi7FQ",
    "abcdefghijklmnopqrst",
    "KODuebWbDGYFr0z0eu",
)
POSTED_TO = {
    "telegram": f"https://api.telegram.org/bot{BOT}/sendMessage",
    "slack": ENVIRONMENT["SLACK_WEBHOOK_URL"],
    "discord": ENVIRONMENT["DISCORD_WEBHOOK_URL"],
    "teams": "https://prod-03.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/invoke",
}
# What each service takes at most, by its own documentation.
LIMITS = {"telegram": 4096, "slack": 3000, "discord": 2000, "teams": 1000}
CHATS = tuple(POSTED_TO)


def channel_for(name: str, variables: dict[str, str], text: str = "checks: []\n") -> Channel:
    channel = build_channels(parse_config(text, Path("checks.yaml"), Environment(variables)))[name]
    assert channel.configured, channel.problem
    return channel


@dataclass
class Receiver:
    """A web server that answers everything alike, and what it was sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    manner: str = "answer"
    bodies: list[bytes] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    seen = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            seen.asked.append(dict(self.headers))
            seen.paths.append(self.path)
            {"answer": self.answer, "hang": seen.released.wait, "drip": self.drip, "hang up": lambda: None}[
                seen.manner
            ]()

        def answer(self) -> None:
            self.send_response(seen.status)
            for name, value in seen.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Endless: ")
            while not seen.released.wait(0.02):
                self.wfile.write(b"a")

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    seen.url = f"http://127.0.0.1:{server.server_port}/hooks/9f8e7d6c5b4a?key=zyxwvut"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield seen
    seen.released.set()
    server.shutdown()
    server.server_close()
    thread.join(5)


def webhook_for(receiver: Receiver, limit_s: float = 10.0, **variables: str) -> Webhook:
    channel = channel_for("webhook", {"WEBHOOK_URL": receiver.url} | variables)
    assert isinstance(channel, Webhook)
    return replace(channel, edge=replace(channel.edge, limit_s=limit_s))


class TestWebhook:
    def test_it_posts_the_facts_with_a_key_that_repeats(self, receiver: Receiver) -> None:
        channel = webhook_for(receiver, WEBHOOK_TOKEN="bearer-0f1e2d3c")
        for _ in range(2):
            assert channel.send(OPENING) == Receipt("webhook", ok=True, detail="accepted with 200")
        assert json.loads(receiver.bodies[0]) == OPENING.facts
        assert receiver.asked[0]["Content-Type"] == "application/json"
        assert receiver.asked[0]["Authorization"] == "Bearer bearer-0f1e2d3c"
        assert {asked["Idempotency-Key"] for asked in receiver.asked} == {"a-0123456789:first_fail:webhook"}
        assert receiver.paths[0] == "/hooks/9f8e7d6c5b4a?key=zyxwvut"

    def test_without_a_token_there_is_no_authorization(self, receiver: Receiver) -> None:
        assert webhook_for(receiver).send(OPENING).ok
        assert "Authorization" not in receiver.asked[0]

    def test_the_name_and_password_of_its_url_are_sent_unless_there_is_a_token(self, receiver: Receiver) -> None:
        receiver.url = receiver.url.replace("//", "//ann:p%40ss-0f1e@")
        assert webhook_for(receiver).send(OPENING).ok
        assert webhook_for(receiver, WEBHOOK_TOKEN="bearer-0f1e2d3c").send(OPENING).ok
        assert receiver.asked[0]["Authorization"] == "Basic " + b64encode(b"ann:p@ss-0f1e").decode()
        assert receiver.asked[1]["Authorization"] == "Bearer bearer-0f1e2d3c"

    def test_the_token_is_not_sent_to_the_webhooks_of_the_file(self, receiver: Receiver) -> None:
        text = f"checks: []\nchannels: [{{name: other, type: webhook, url: '{receiver.url}'}}]\n"
        assert channel_for("other", {"WEBHOOK_TOKEN": "bearer-0f1e2d3c"}, text).send(OPENING).ok
        assert "Authorization" not in receiver.asked[0]

    def test_a_password_file_does_not_replace_the_token(
        self, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
        monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        assert webhook_for(receiver, WEBHOOK_TOKEN="bearer-0f1e2d3c").send(OPENING).ok
        assert receiver.asked[0]["Authorization"] == "Bearer bearer-0f1e2d3c"

    @pytest.mark.parametrize(
        ("status", "header", "expected"),
        [
            (204, "", Receipt("webhook", ok=True, detail="accepted with 204")),
            (429, "7", Receipt("webhook", ok=False, detail="answers 429", retry_after_s=7.0)),
            (503, "120", Receipt("webhook", ok=False, detail="answers 503", retry_after_s=120.0)),
            (500, "", Receipt("webhook", ok=False, detail="answers 500")),
            (408, "", Receipt("webhook", ok=False, detail="answers 408")),
            (425, "", Receipt("webhook", ok=False, detail="answers 425")),
            (404, "", Receipt("webhook", ok=False, detail="answers 404", permanent=True)),
            (401, "", Receipt("webhook", ok=False, detail="answers 401", permanent=True)),
        ],
    )
    def test_the_answer_decides(self, receiver: Receiver, status: int, header: str, expected: Receipt) -> None:
        receiver.status, receiver.headers = status, {"Retry-After": header} if header else {}
        assert webhook_for(receiver).send(OPENING) == expected

    def test_a_redirect_is_not_followed(self, receiver: Receiver) -> None:
        receiver.status, receiver.headers = 307, {"Location": "/elsewhere"}
        receipt = webhook_for(receiver, WEBHOOK_TOKEN="bearer-0f1e2d3c").send(OPENING)
        assert not receipt.ok
        assert receipt.detail == "answers 307, a redirect, which is not followed: set the final URL"
        assert len(receiver.paths) == 1

    @pytest.mark.parametrize("manner", ["hang", "drip"])
    def test_a_receiver_that_never_ends_is_given_up_in_time(self, receiver: Receiver, manner: str) -> None:
        receiver.manner = manner
        started = time.monotonic()
        receipt = webhook_for(receiver, limit_s=0.3).send(OPENING)
        assert time.monotonic() - started < 5.0
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert receipt.detail.startswith("timeout: no ")

    def test_a_receiver_that_hangs_up_is_a_receipt_without_the_url(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        receiver.manner = "hang up"
        receipt = webhook_for(receiver).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert "9f8e7d6c5b4a" not in receipt.detail + caplog.text

    def test_a_dead_receiver_is_a_receipt_without_the_url(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        channel = channel_for("webhook", {"WEBHOOK_URL": "http://127.0.0.1:9/hooks/9f8e7d6c5b4a?key=zyxwvut"})
        receipt = channel.send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        assert "ConnectionError" in receipt.detail
        assert "127.0.0.1" in receipt.detail
        for secret in ("9f8e7d6c5b4a", "zyxwvut"):
            assert secret not in receipt.detail + caplog.text

    def test_the_log_of_a_delivery_has_no_url_even_at_debug(
        self, receiver: Receiver, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="urllib3.connectionpool")
        assert webhook_for(receiver).send(OPENING).ok
        assert "9f8e7d6c5b4a" not in caplog.text

    def test_a_key_in_any_script_is_a_valid_header(self, receiver: Receiver) -> None:
        assert webhook_for(receiver).send(replace(OPENING, key="дежурные\r\nX-Evil: 1")).ok
        assert "X-Evil" not in receiver.asked[0]

    @pytest.mark.parametrize(
        ("header", "seconds"),
        [
            *[("7", 7.0), (" 0 ", 0.0), ("999999999", 3600.0)],
            *[("Sat, 21 Nov 2026 14:05:05 GMT", 120.0), ("Sat, 21 Nov 2026 14:00:00 GMT", 0.0)],
            *[("Sun, 21 Nov 2027 14:05:05 GMT", 3600.0), ("Sat, 21 Nov 2026 14:05:05 -0000", None)],
            *[("-1", None), ("soon", None), ("9" * 5000, None), ("", None)],
        ],
    )
    def test_retry_after_is_taken_in_seconds_or_as_a_date_and_in_reason(
        self, header: str, seconds: float | None
    ) -> None:
        assert retry_after_s(header, OPENED) == seconds


@pytest.fixture
def net() -> Iterator[responses.RequestsMock]:
    """Every request of a chat ends here; any other fails."""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def accept(net: responses.RequestsMock, name: str, status: int = 200) -> None:
    body = "ok" if name == "slack" else "{}"
    net.add(responses.POST, POSTED_TO[name], body=body if status == 200 else "no", status=status)


def sent(net: responses.RequestsMock) -> dict[str, Any]:
    body = net.calls[-1].request.body
    assert body is not None
    loaded = json.loads(body)
    assert isinstance(loaded, dict)
    return loaded


def shown(name: str, body: dict[str, Any]) -> str:
    """Return all text of a chat's request that the service counts."""
    if name == "telegram":
        return str(body["text"])
    if name == "slack":
        return f"{body['attachments'][0]['title']}\n{body['attachments'][0]['text']}"
    if name == "discord":
        return str(body["content"])
    return "\n".join(block["text"] for block in body["attachments"][0]["content"]["body"])


class TestChats:
    @pytest.mark.parametrize("name", CHATS)
    def test_each_is_told_at_its_own_address(self, net: responses.RequestsMock, name: str) -> None:
        accept(net, name)
        assert channel_for(name, ENVIRONMENT).send(OPENING) == Receipt(name, ok=True, detail="accepted")
        assert len(net.calls) == 1
        text = shown(name, sent(net))
        assert "[P1 FAIL] orders-db answers with an error" in text.replace("\\", "")
        assert "status is 503, expected 200" in text
        assert "https://wall.example.org/check?name=orders-db" in text

    def test_in_teams_a_line_is_a_line_and_the_link_can_be_clicked(self, net: responses.RequestsMock) -> None:
        accept(net, "teams")
        message = message_of(
            replace(DB, message="a_b *c* <d>", runbook="https://w/(x)_y"), "first_fail", "https://wall", OPENED
        )
        assert channel_for("teams", ENVIRONMENT).send(message).ok
        assert sent(net)["attachments"][0]["content"]["body"][-1]["text"].split("\n\n") == [
            "Where: orders-db",
            "Since: 2026-11-21 14:03:05Z",
            "How bad: P1 (critical), DATABASE",
            "Why: status: a\\_b \\*c\\* \\<d\\>",
            "[Details](https://wall/check?name=orders-db)",
            "[Alert](https://wall/alerts?alert=a-0123456789)",
            "[Silence](https://wall/silences?alert=a-0123456789)",
            "[Runbook](https://w/%28x%29_y)",
        ]

    @pytest.mark.parametrize("name", CHATS)
    @pytest.mark.parametrize("letter", ["A", "\U0001f525"])
    def test_the_text_is_cut_to_what_the_service_takes(
        self, net: responses.RequestsMock, name: str, letter: str
    ) -> None:
        accept(net, name)
        huge = replace(OPENING, subject=letter * 1000, text=letter * 100_000)
        assert channel_for(name, ENVIRONMENT).send(huge).ok
        assert len(net.calls) == 1
        text = shown(name, sent(net))
        assert LIMITS[name] * 0.9 < len(text.encode("utf-16-le")) / 2 <= LIMITS[name]
        assert "…" in text

    @pytest.mark.parametrize("name", CHATS)
    @pytest.mark.parametrize(("status", "permanent"), [(400, True), (404, True), (429, False), (500, False)])
    def test_a_refusal_is_a_receipt_without_secrets(
        self,
        net: responses.RequestsMock,
        name: str,
        status: int,
        permanent: bool,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="apprise")
        accept(net, name, status)
        channel = channel_for(name, ENVIRONMENT)
        receipt = channel.send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, permanent)
        assert str(status) in receipt.detail
        for secret in SECRETS:
            assert secret not in f"{receipt!r} {channel!r} {caplog.text}"

    @pytest.mark.parametrize("name", CHATS)
    def test_a_dead_service_is_a_receipt_without_secrets(
        self,
        net: responses.RequestsMock,
        name: str,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        caplog.set_level(logging.DEBUG)
        trouble = requests.ConnectionError(f"Max retries exceeded with url: {POSTED_TO[name]}")
        net.add(responses.POST, POSTED_TO[name], body=trouble)
        receipt = channel_for(name, ENVIRONMENT).send(OPENING)
        assert (receipt.ok, receipt.permanent) == (False, False)
        written = capfd.readouterr()
        for secret in SECRETS:
            assert secret not in f"{receipt!r} {caplog.text} {written.out} {written.err}"

    @pytest.mark.parametrize("name", CHATS)
    def test_a_redirect_is_not_followed(self, net: responses.RequestsMock, name: str) -> None:
        net.add(responses.POST, POSTED_TO[name], status=307, headers={"Location": "https://evil.example.org/"})
        assert not channel_for(name, ENVIRONMENT).send(OPENING).ok
        assert [call.request.url for call in net.calls if "evil" in str(call.request.url)] == []

    @pytest.mark.parametrize("name", CHATS)
    def test_what_a_target_says_calls_nobody_and_hides_no_link(self, net: responses.RequestsMock, name: str) -> None:
        accept(net, name)
        nasty = "@everyone @here <!channel> <@U123> <at>boss</at> [your bank](https://evil.example.org) <b>"
        message = message_of(replace(DB, title=nasty, message=nasty), "first_fail", None, OPENED)
        assert channel_for(name, ENVIRONMENT).send(message).ok
        text = json.dumps(sent(net), ensure_ascii=False)
        for call in ("@everyone", "@here", "<!channel", "<@U123", "<at>", "](https"):
            assert call not in text

    def test_telegram_gets_html_as_text(self, net: responses.RequestsMock) -> None:
        accept(net, "telegram")
        message = message_of(replace(DB, message="<b>&</b>"), "first_fail", None, OPENED)
        assert channel_for("telegram", ENVIRONMENT).send(message).ok
        assert "&lt;b&gt;&amp;&lt;/b&gt;" in sent(net)["text"]

    def test_every_chat_id_of_telegram_is_told(self, net: responses.RequestsMock) -> None:
        accept(net, "telegram")
        channel = channel_for("telegram", ENVIRONMENT | {"TELEGRAM_CHAT_ID": "-1001, @ops_channel"})
        assert channel.send(OPENING).ok
        bodies = [json.loads(call.request.body or "{}") for call in net.calls]
        assert [str(body["chat_id"]) for body in bodies] == ["-1001", "@ops_channel"]

    def test_slack_shows_the_severity_as_colour(self, net: responses.RequestsMock) -> None:
        accept(net, "slack")
        channel = channel_for("slack", ENVIRONMENT)
        colours = []
        third = message_of(replace(DB, severity=Severity.P3), "first_fail", None, OPENED)
        for message in (OPENING, third, ENDING):
            assert channel.send(message).ok
            colours.append(sent(net)["attachments"][0]["color"])
        assert len(set(colours)) == 3

    def test_a_service_that_never_answers_is_given_up_in_time(self, receiver: Receiver) -> None:
        receiver.manner = "hang"
        url = receiver.url.replace("http://", "json://")
        text = f"checks: []\nchannels: [{{name: other, type: apprise, url: '{url}'}}]\n"
        channel = channel_for("other", {}, text)
        assert isinstance(channel, ThroughApprise)
        started = time.monotonic()
        receipt = replace(channel, edge=replace(channel.edge, limit_s=0.3)).send(OPENING)
        assert time.monotonic() - started < 5.0
        assert (receipt.ok, receipt.permanent) == (False, False)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What an application that logs everything writes. `caplog` hears loggers that no application does."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


class TestMalformedUrls:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("TELEGRAM_BOT_TOKEN", "not-a-token-t0psecret"),
            ("SLACK_WEBHOOK_URL", "slack://t0psecret"),
            ("SLACK_WEBHOOK_URL", "https://hooks.slack.com/services/t0psecret"),
            ("DISCORD_WEBHOOK_URL", "discord://t0psecret/"),
            ("TEAMS_WEBHOOK_URL", "https://x.webhook.office.com/webhookb2/t0psecret"),
        ],
    )
    def test_their_secrets_are_written_nowhere(
        self, variable: str, value: str, log: io.StringIO, capfd: pytest.CaptureFixture[str]
    ) -> None:
        environment = Environment({"TELEGRAM_CHAT_ID": "1", variable: value})
        channels = build_channels(parse_config("checks: []\n", Path("checks.yaml"), environment))
        channel = channels[variable.partition("_")[0].lower()]
        assert not channel.configured
        written = capfd.readouterr()
        assert "t0psecret" not in f"{channels!r} {channel.problem} {log.getvalue()} {written.out} {written.err}"


PAGER = "pagerduty://0123456789abcdef0123456789abcdef@fedcba9876543210fedc/wall/checks"


class TestTheLongTail:
    def channel(self, url: str) -> Channel:
        return channel_for(
            "pager", {"PAGER": url}, "checks: []\nchannels: [{name: pager, type: apprise, url: '${PAGER}'}]\n"
        )

    def test_pagerduty_closes_the_incident_that_it_opened(self, net: responses.RequestsMock) -> None:
        net.add(responses.POST, "https://events.pagerduty.com/v2/enqueue", status=202, json={})
        channel = self.channel(PAGER)
        for message in (OPENING, ENDING):
            assert channel.send(message).ok
        opened, closed = (json.loads(call.request.body or "{}") for call in net.calls)
        assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
        assert opened["dedup_key"] == closed["dedup_key"] == "a-0123456789"

    def test_a_service_that_cannot_be_told_of_the_end_says_so(self, net: responses.RequestsMock) -> None:
        receipt = self.channel("opsgenie://0123456789abcdef-0123").send(ENDING)
        assert (receipt.ok, receipt.permanent) == (False, True)
        assert receipt.detail == "opsgenie cannot be told of a recovery through Apprise: close the incident there"
        assert len(net.calls) == 0

    def test_a_text_message_is_one_text_message(self, net: responses.RequestsMock) -> None:
        account = "AC" + "0" * 32
        url = f"https://api.twilio.com/2010-04-01/Accounts/{account}/Messages.json"
        net.add(responses.POST, url, status=201, json={})
        channel = self.channel(f"twilio://{account}:{'1' * 32}@15551234567/15557654321/15557654322")
        assert channel.send(OPENING).ok
        assert len(net.calls) == 2
        body = requests.utils.unquote(str(net.calls[0].request.body)).replace("+", " ")
        assert "[P1 FAIL] orders-db answers with an error" in body

    def test_it_does_not_wait_long_between_the_recipients_of_one_message(self) -> None:
        edge = Edge("pager", Environment().redactor())
        target = target_of("clicksend://user:0123456789@15557654321/15557654322/", edge)
        assert target is not None
        assert [service.request_rate_per_sec <= 1.0 for service in target] == [True]

    @pytest.mark.parametrize("limit", [10, 160, 1000, 4096])
    @pytest.mark.parametrize("message", [OPENING, ENDING, replace(OPENING, subject="A" * 999, text="B" * 9999)])
    def test_title_and_body_fit_together(self, limit: int, message: Message) -> None:
        title, body = fit(message, limit)
        assert title
        assert len(title) + len(body) <= max(limit, len(title) + 1)
