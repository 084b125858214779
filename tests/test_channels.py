"""What a message says, which channels there are, who is told, and that nothing breaks it or gives a secret away."""

import html
import io
import json
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from html.parser import HTMLParser
from pathlib import Path

import pytest

from monitor.channels import build_channels, default_route
from monitor.channels.channel import MOST_HANGING, Edge, Receipt
from monitor.channels.console import Console
from monitor.channels.mail import Mail, to_mail
from monitor.config import BUILT_IN_CHANNELS, Environment, LoadedConfig, parse_config
from monitor.model import Kind, Severity
from tests.messages import DATABASE, message_of

OPENED = datetime(2026, 11, 21, 14, 3, 5, tzinfo=UTC)
NOW = OPENED + timedelta(seconds=2)
DB = replace(
    DATABASE,
    runbook="https://wiki.example.org/orders-db",
)
BACK = replace(DB, resolved_at=OPENED + timedelta(minutes=12), resolved_by="checker", resolution="recovered")
BY_HAND = replace(
    DB, source="manual", kind=None, severity=Severity.P2, title="orders-db: we move it", message="we move it", by="ann"
)

SMTP = {"SMTP_HOST": "mail.example.org", "MAIL_FROM": "wall@example.org", "MAIL_TO": "a@example.org"}
TOKEN = "123456789:AAEabcdefghijklmnopqrstuvwxyz012345"
SLACK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
EVERYTHING = SMTP | {
    "SMTP_USER": "wall@example.org",
    "SMTP_PASS": "correct horse",
    "TELEGRAM_BOT_TOKEN": TOKEN,
    "TELEGRAM_CHAT_ID": "-1001234",
    "SLACK_WEBHOOK_URL": SLACK,
    "DISCORD_WEBHOOK_URL": "https://discord.com/api/webhooks/12345678901/abcdefghijklmnopqrst",
    "TEAMS_WEBHOOK_URL": "https://prod-03.westus.logic.azure.com:443/workflows/643e69f83c8944/triggers/manual/paths/"
    "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu",
    "WEBHOOK_URL": "https://ops.example.org/hooks/9f8e7d6c5b4a",
    "WEBHOOK_TOKEN": "bearer-0f1e2d3c",
}
MORE = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "twilio-0f1e2d3c",
    "TWILIO_FROM_NUMBER": "+15551234567",
    "ALERT_SMS_RECIPIENTS": "+1 (555) 765-4321, +15557654322",
    "PAGERDUTY_ROUTING_KEY": "pager-0123456789abcdef",
    "OPSGENIE_API_KEY": "genie-0123456789abcdef",
    "ALERTMANAGER_URL": "http://alerts.example.org:9093",
    "NTFY_URL": "https://ntfy.example.org/greenwall",
    "PUSHOVER_TOKEN": "a" * 30,
    "PUSHOVER_USER_KEY": "u" * 30,
    "GOTIFY_URL": "https://push.example.org/gotify",
    "GOTIFY_TOKEN": "gotify-0f1e2d3",
    "MATRIX_URL": "https://matrix.example.org",
    "MATRIX_TOKEN": "matrix-0f1e2d3c",
    "MATRIX_ROOM": "#ops:example.org",
}
CHATS = tuple(name for name in BUILT_IN_CHANNELS if name != "console")


def loaded(variables: dict[str, str] | None = None, text: str = "checks: []\n") -> LoadedConfig:
    return parse_config(text, Path("checks.yaml"), Environment(variables or {}))


class TestWhatAMessageSays:
    def test_an_opening_says_what_where_since_when_how_bad_and_why(self) -> None:
        message = message_of(DB, "first_fail", "https://wall.example.org/", NOW)
        assert message.subject == "[P1 FAIL] orders-db answers with an error"
        assert message.text.splitlines() == [
            "orders-db answers with an error",
            "",
            "Where: orders-db",
            "Since: 2026-11-21 14:03:05Z",
            "How bad: P1 (critical), DATABASE",
            "Why: status is 503, expected 200",
            "Details: https://wall.example.org/check?name=orders-db",
            "Alert: https://wall.example.org/alerts?alert=a-0123456789",
            "Silence: https://wall.example.org/silences?alert=a-0123456789",
            "Runbook: https://wiki.example.org/orders-db",
        ]

    def test_a_recovery_says_how_long_it_lasted_and_how_it_ended(self) -> None:
        message = message_of(BACK, "recovered", None, OPENED + timedelta(hours=9))
        assert message.subject == "[P1 OK] orders-db recovered after 12 m"
        assert "Since: 2026-11-21 14:03:05Z until 2026-11-21 14:15:05Z (12 m)" in message.text
        assert "How it ended: recovered" in message.text
        assert "Details" not in message.text

    def test_an_alert_that_a_person_closed_does_not_claim_that_the_target_recovered(self) -> None:
        closed = replace(BACK, resolved_by="ann", resolution="known, disk is ordered")
        message = message_of(closed, "recovered", None, NOW)
        assert message.subject == "[P1 CLOSED] orders-db closed by ann after 12 m"
        assert "How it ended: known, disk is ordered" in message.text

    def test_an_alert_sent_by_hand_says_who_sent_it(self) -> None:
        message = message_of(BY_HAND, "manual", None, NOW)
        assert message.subject == "[P2 ALERT] orders-db: we move it"
        assert "Sent by: ann" in message.text

    def test_a_missed_deadline_is_a_failure(self) -> None:
        job = replace(DB, title="nightly missed its deadline", kind=Kind.DEADLINE)
        assert message_of(job, "deadline_miss", None, NOW).subject == "[P1 FAIL] nightly missed its deadline"

    def test_a_message_that_is_sent_late_says_so(self) -> None:
        late = message_of(DB, "first_fail", None, OPENED + timedelta(hours=2, minutes=5))
        assert "Since: 2026-11-21 14:03:05Z (2 h 5 m ago)" in late.text

    def test_the_link_survives_any_name(self) -> None:
        odd = message_of(replace(DB, resource="a b/c?&#ü"), "first_fail", "http://w", NOW)
        assert "http://w/check?name=a%20b%2Fc%3F%26%23%C3%BC" in odd.text

    def test_the_facts_are_the_body_of_the_webhook(self) -> None:
        facts = message_of(replace(BACK, acknowledged_by="bo"), "recovered", None, NOW).facts
        assert json.loads(json.dumps(facts)) == {
            "version": 1,
            "key": "a-0123456789:recovered:webhook",
            "event": "recovered",
            "status": "OK",
            "alert": {
                "id": "a-0123456789",
                "type": "http",
                "title": "orders-db answers with an error",
                "message": "status is 503, expected 200",
                "resource": "orders-db",
                "severity": "P1",
                "category": "DATABASE",
                "kind": "status",
                "source": "check",
                "count": 1,
                "opened_at": "2026-11-21T14:03:05.000Z",
                "resolved_at": "2026-11-21T14:15:05.000Z",
                "url": None,
                "last_seen_at": "2026-11-21T14:03:05.000Z",
                "group": None,
                "tags": [],
                "affected_users": None,
                "recommendations": [],
                "last_time": None,
                "acknowledged_by": "bo",
                "resolved_by": "checker",
                "resolution": "recovered",
                "runbook": "https://wiki.example.org/orders-db",
                "owner": None,
                "metadata": {},
            },
        }

    @pytest.mark.parametrize("opening", ["first_fail", "deadline_miss", "manual", "rule"])
    def test_a_recovery_knows_the_message_that_it_ends(self, opening: str) -> None:
        alert = replace(BACK, opening=opening)
        ending = message_of(alert, "recovered", None, NOW).members[0].opening
        assert ending is not None
        assert ending.batch == message_of(alert, opening, None, NOW).key
        assert message_of(alert, opening, None, NOW).members[0].opening is None

    @pytest.mark.parametrize(
        ("severity", "colour"), list(zip(Severity, ["b71c1c", "d84315", "ffb300", "1565c0"], strict=True))
    )
    def test_the_colour_is_the_severity(self, severity: Severity, colour: str) -> None:
        alert = replace(BACK, severity=severity)
        assert f"background:#{colour}" in message_of(alert, "first_fail", None, NOW).html
        assert "background:#2e7d32" in message_of(alert, "recovered", None, NOW).html


HOSTILE = [
    "x\r\nBcc: thief@example.org\r\n\r\n<h1>",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    '"><a href="javascript:alert(1)">\'',
    "\u202eevil\x00\x1b[31m\x85\u2028",
    "\ud800 lone surrogate",
    "A" * 100_000,
    "",
]


class Tags(HTMLParser):
    """Collects what a mail program would act on."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links |= {value for name, value in attrs if name == "href" or name.startswith("on")}


class TestHostileText:
    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    @pytest.mark.parametrize("event", ["first_fail", "recovered", "manual"])
    def test_it_stays_text_and_short_in_every_form(self, text: str, event: str) -> None:
        alert = replace(
            BACK, resource=text, title=text, message=text, resolution=text, by=text, acknowledged_by=text, runbook=text
        )
        message = message_of(alert, event, "https://wall.example.org", NOW)
        assert message.subject.isprintable()
        assert len(message.subject) <= 150
        assert all(line.isprintable() for line in message.text.splitlines())
        assert len(message.text.encode()) < 500_000
        assert len(message.html.encode()) < 500_000
        seen = Tags()
        seen.feed(message.html)
        assert seen.tags <= {"html", "head", "meta", "body", "table", "tr", "td", "a"}
        wall = "https://wall.example.org/"
        pages = (f"{wall}check?name=", f"{wall}alerts?alert=a-0123456789", f"{wall}silences?alert=a-0123456789")
        assert all(str(link).startswith(pages) for link in seen.links)
        assert len(json.dumps(message.facts)) < 60_000

    @pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
    def test_it_cannot_start_a_header(self, text: str) -> None:
        alert = replace(DB, resource=text, title=text, message=text)
        message = replace(message_of(alert, "first_fail", None, NOW), subject=text)
        raw = to_mail(message, Address("Wall", "wall", "example.org"), (Address("", "a", "example.org"),)).as_bytes()
        names = [line.partition(b":")[0] for line in raw.partition(b"\n\n")[0].splitlines() if line[:1] not in b" \t"]
        assert sorted(names) == sorted(
            [b"From", b"To", b"Subject", b"Date", b"Message-ID", b"Auto-Submitted", b"MIME-Version", b"Content-Type"]
        )
        assert max(map(len, raw.splitlines())) <= 998

    def test_a_huge_message_is_cut_before_it_reaches_the_chat(self) -> None:
        text = message_of(replace(DB, message="A" * 100_000), "first_fail", "https://w", NOW).text
        assert len(text) < 1000
        assert "https://w/check?name=orders-db" in text

    def test_only_web_links_are_links(self) -> None:
        shown = message_of(replace(DB, runbook="javascript:alert(1)"), "first_fail", None, NOW).html
        assert "javascript:alert(1)" in html.unescape(shown)
        assert "href" not in shown


class TestConsole:
    def test_it_prints_one_clear_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        receipt = Console(now=lambda: NOW).send(message_of(DB, "first_fail", None, NOW))
        assert receipt == Receipt("console", ok=True, detail="printed")
        assert capsys.readouterr().out == (
            "2026-11-21 14:03:07Z ALERT [P1 FAIL] orders-db answers with an error: "
            "status is 503, expected 200 (since 14:03:05Z)\n"
        )

    def test_a_recovery_and_a_manual_alert_are_lines_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        console = Console(now=lambda: NOW + timedelta(days=1))
        console.send(message_of(BACK, "recovered", None, NOW))
        console.send(message_of(BY_HAND, "manual", None, NOW))
        assert capsys.readouterr().out.splitlines() == [
            "2026-11-22 14:03:07Z ENDED [P1 OK] orders-db recovered after 12 m (since 2026-11-21 14:03:05Z)",
            "2026-11-22 14:03:07Z ALERT [P2 ALERT] orders-db: we move it (since 2026-11-21 14:03:05Z)",
        ]

    def test_a_terminal_without_the_letters_still_gets_the_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, "stdout", out)
        assert Console().send(message_of(replace(DB, message="größer"), "first_fail", None, NOW)).ok
        out.seek(0)
        assert "gr??er" in out.read()

    def test_a_closed_standard_output_is_a_receipt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = io.TextIOWrapper(io.BytesIO())
        out.close()
        monkeypatch.setattr(sys, "stdout", out)
        receipt = Console().send(message_of(DB, "first_fail", None, NOW))
        assert not receipt.ok
        assert "standard output" in receipt.detail

    def test_it_prints_no_secret(self, capsys: pytest.CaptureFixture[str]) -> None:
        console = build_channels(loaded(EVERYTHING))["console"]
        console.send(message_of(replace(DB, message="login with correct horse failed"), "first_fail", None, NOW))
        assert "correct horse" not in capsys.readouterr().out


class TestWhichChannelsThereAre:
    def test_with_an_empty_environment_only_the_console_can_send(self) -> None:
        channels = build_channels(loaded())
        assert set(channels) == {*CHATS, "console"}
        assert [name for name, channel in channels.items() if channel.configured] == ["console"]
        assert {name: channel.missing for name, channel in channels.items()} == {
            "email": ("SMTP_HOST", "MAIL_TO"),
            "telegram": ("TELEGRAM_BOT_TOKEN", "TELEGRAM_CHAT_ID"),
            "slack": ("SLACK_WEBHOOK_URL",),
            "discord": ("DISCORD_WEBHOOK_URL",),
            "teams": ("TEAMS_WEBHOOK_URL",),
            "sms": ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "TWILIO_FROM_NUMBER", "ALERT_SMS_RECIPIENTS"),
            "webhook": ("WEBHOOK_URL",),
            "pagerduty": ("PAGERDUTY_ROUTING_KEY",),
            "opsgenie": ("OPSGENIE_API_KEY",),
            "alertmanager": ("ALERTMANAGER_URL",),
            "ntfy": ("NTFY_URL",),
            "pushover": ("PUSHOVER_TOKEN", "PUSHOVER_USER_KEY"),
            "gotify": ("GOTIFY_URL", "GOTIFY_TOKEN"),
            "matrix": ("MATRIX_URL", "MATRIX_TOKEN", "MATRIX_ROOM"),
            "console": (),
        }

    def test_an_unconfigured_channel_says_what_it_lacks_and_never_raises(self) -> None:
        message = message_of(DB, "first_fail", None, NOW)
        for name, channel in build_channels(loaded()).items():
            if name != "console":
                receipt = channel.send(message)
                assert receipt == Receipt(name, ok=False, detail=f"unconfigured: {channel.problem}", permanent=True)
                assert channel.missing[0] in receipt.detail

    def test_with_everything_set_everything_can_send(self) -> None:
        channels = build_channels(loaded(EVERYTHING | MORE))
        assert {name: channel.problem for name, channel in channels.items()} == dict.fromkeys((*CHATS, "console"), "")
        assert all(channel.configured and channel.missing == () for channel in channels.values())

    def test_the_other_names_of_variables_are_accepted(self) -> None:
        channel = build_channels(
            loaded(
                {
                    "SMTP_HOST": "smtp.example.org",
                    "SMTP_USERNAME": "me",
                    "SMTP_PASSWORD": "app-password",
                    "ALERT_EMAIL_RECIPIENTS": "a@example.org,Bo B <b@example.org>",
                    "ALERT_SENDER_EMAIL": "Greenwall <wall@example.org>",
                }
            )
        )["email"]
        assert isinstance(channel, Mail)
        assert (channel.host, channel.port, channel.user, channel.password) == (
            "smtp.example.org",
            587,
            "me",
            "app-password",
        )
        assert [str(address) for address in channel.to] == ["a@example.org", "Bo B <b@example.org>"]
        assert str(channel.sender) == "Greenwall <wall@example.org>"

    @pytest.mark.parametrize(
        ("change", "missing"),
        [
            ({"SMTP_USER": "me"}, ("SMTP_PASS",)),
            ({"SMTP_PASS": "correct horse"}, ("SMTP_USER",)),
            ({"MAIL_FROM": ""}, ("MAIL_FROM",)),
            ({"MAIL_FROM": "", "SMTP_USER": "apikey", "SMTP_PASS": "x"}, ("MAIL_FROM",)),
            ({"MAIL_FROM": "", "SMTP_USER": "me@example.org", "SMTP_PASS": "x"}, ()),
            ({"SMTP_HOST": "  "}, ("SMTP_HOST",)),
        ],
    )
    def test_mail_names_the_half_that_is_missing(self, change: dict[str, str], missing: tuple[str, ...]) -> None:
        assert build_channels(loaded(SMTP | change))["email"].missing == missing

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"SMTP_PORT": "smtp"}, "SMTP_PORT: expected a number from 1 to 65535, got 'smtp'"),
            ({"SMTP_PORT": "0"}, "SMTP_PORT: expected a number from 1 to 65535, got '0'"),
            ({"MAIL_TO": "ops@"}, "MAIL_TO: expected mail addresses with commas between them, got 'ops@'"),
            ({"MAIL_TO": "a@b.c\nBcc: d@e.f"}, "MAIL_TO: expected mail addresses"),
            ({"MAIL_FROM": "nobody"}, "MAIL_FROM: expected mail addresses"),
            ({"SLACK_WEBHOOK_URL": "https://example.org/hook"}, "malformed URL: it is no slack URL"),
            ({"SLACK_WEBHOOK_URL": "not a url"}, "malformed URL: it is no slack URL"),
            (
                {"SLACK_WEBHOOK_URL": EVERYTHING["DISCORD_WEBHOOK_URL"]},
                "wrong URL: expected one for slack, got one for Di",
            ),
            ({"TEAMS_WEBHOOK_URL": "https://example.org/"}, "malformed URL: it is no teams URL"),
            ({"TELEGRAM_BOT_TOKEN": "guess", "TELEGRAM_CHAT_ID": "1"}, "malformed URL: it is no telegram URL"),
            ({"WEBHOOK_URL": "ops.example.org/x"}, "malformed URL: expected one such as https://host/path"),
            ({"WEBHOOK_URL": "https://["}, "malformed URL: expected one such as https://host/path"),
            ({"WEBHOOK_URL": "https://h/", "WEBHOOK_TOKEN": "a\nb"}, "WEBHOOK_TOKEN: expected printable ASCII"),
        ],
    )
    def test_a_malformed_value_is_unconfigured_with_the_reason(self, change: dict[str, str], problem: str) -> None:
        channels = build_channels(loaded(SMTP | change))
        wrong = [channel for channel in channels.values() if channel.problem and not channel.missing]
        assert len(wrong) == 1
        assert wrong[0].problem.startswith(problem)
        assert not wrong[0].configured

    def test_further_channels_come_from_the_file(self) -> None:
        text = """
checks: []
channels:
  - {name: oncall, type: email, to: [oncall@example.org]}
  - {name: pager, type: apprise, url: "${PAGER:-}"}
  - {name: chat, type: slack, url: "${SLACK_WEBHOOK_URL}"}
  - {name: hook, type: webhook, url: "https://ops.example.org/other"}
  - {name: group, type: telegram, to: ["-1009", "-1008"]}
  - {name: local, type: apprise, url: "json://localhost:9/x"}
  - {name: odd, type: apprise, url: "nonsense://x"}
"""
        channels = build_channels(loaded(EVERYTHING | MORE, text))
        assert {name for name, channel in channels.items() if not channel.configured} == {"pager", "odd"}
        assert channels["pager"].problem == "url is blank: set the variable that it is taken from"
        assert channels["odd"].problem.startswith("malformed URL")
        oncall = channels["oncall"]
        assert isinstance(oncall, Mail)
        assert [str(address) for address in oncall.to] == ["oncall@example.org"]

    def test_an_unresolved_variable_is_named(self) -> None:
        config = loaded(text="checks: []\nchannels: [{name: pager, type: apprise, url: null}]\n")
        block = config.config.channels[0].model_copy(update={"url": "tgram://${PAGER_TOKEN}/1"})
        config = replace(config, config=config.config.model_copy(update={"channels": (block,)}))
        assert build_channels(config)["pager"].missing == ("PAGER_TOKEN",)

    def test_no_secret_is_in_any_repr(self) -> None:
        shown = repr(build_channels(loaded(EVERYTHING | MORE)))
        for secret in ("twilio-0f", "pager-01", "genie-01", "a" * 30, "u" * 30, "gotify-0f", "matrix-0f"):
            assert secret not in shown
        for secret in ("correct horse", "AAEabc", "TIiajk", "abcdefghijklmnopqrst", "KODueb", "bearer-0f", "9f8e7d"):
            assert secret not in shown


class TestWhoIsTold:
    @pytest.mark.parametrize(
        ("wanted", "route"),
        [
            (None, ("email", "webhook")),
            (("webhook",), ("webhook",)),
            (("slack", "webhook", "webhook"), ("webhook",)),
            (("console", "email"), ("console", "email")),
            (("slack", "nobody"), ("console",)),
            ((), ("console",)),
        ],
    )
    def test_the_wanted_that_are_configured_else_the_console(
        self, wanted: tuple[str, ...] | None, route: tuple[str, ...]
    ) -> None:
        channels = build_channels(loaded(SMTP | {"WEBHOOK_URL": "https://ops.example.org/x"}))
        assert default_route(channels, wanted) == route

    def test_with_nothing_configured_it_is_the_console(self) -> None:
        assert default_route(build_channels(loaded()), None) == ("console",)


class TestTheEdge:
    def test_a_bug_in_a_channel_is_a_receipt_and_its_traceback_a_redacted_log(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        def broken() -> Receipt:
            raise RuntimeError("cannot log in with correct horse")

        edge = Edge("email", Environment({"SMTP_PASS": "correct horse"}).redactor())
        receipt = edge.cross(broken)
        assert receipt == Receipt("email", ok=False, detail="Greenwall's channel broke: RuntimeError")
        assert "cannot log in with ***" in caplog.text
        assert "correct horse" not in caplog.text

    def test_details_are_redacted_plain_and_bounded(self) -> None:
        edge = Edge("x", Environment({"API_KEY": "0123456789"}).redactor())
        receipt = edge.cross(lambda: Receipt("x", ok=False, detail="key 0123456789\r\n\x1b[31m" + "A" * 100_000))
        assert receipt.detail.startswith("key *** [31mAAA")
        assert len(receipt.detail) <= 400

    def test_a_machine_without_threads_is_tried_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_thread: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        monkeypatch.setattr(threading.Thread, "start", refuse)
        receipt = Edge("x", str).cross(lambda: Receipt("x", ok=True, detail="taken"))
        assert (receipt.ok, receipt.permanent) == (False, False)

    def test_there_is_an_end_to_deliveries_that_hang(self) -> None:
        let_go, begun = threading.Event(), []

        def hangs() -> Receipt:
            begun.append(threading.current_thread())
            let_go.wait(60)
            return Receipt("x", ok=True, detail="taken")

        edge = Edge("x", str, limit_s=0.001)
        details = [edge.cross(hangs).detail for _ in range(MOST_HANGING + 3)]
        assert len(begun) == MOST_HANGING
        assert details[MOST_HANGING:] == 3 * [f"{MOST_HANGING} deliveries hang still: it is not asked again"]
        let_go.set()
        for thread in begun:
            thread.join(60)
        edge.cross(hangs)
        assert len(begun) == MOST_HANGING + 1
