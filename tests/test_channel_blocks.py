"""Blocks of `channels:`: keys belong to types, secrets stay where they belong, and what cannot work says why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from monitor.channels import Channel, Letterhead, build_channels, compose, remarks_on, sample
from monitor.channels.incidents import Alertmanager, Opsgenie
from monitor.channels.mail import Mail
from monitor.channels.sendgrid import SendGrid
from monitor.channels.slack import SlackBot, SlackWebhook
from monitor.channels.table import ROWS
from monitor.channels.webhook import Webhook
from monitor.config import BUILT_IN_CHANNELS, ConfigError, Environment, parse_config
from monitor.config.channelblock import CHANNEL_KEYS
from monitor.model import Severity

HOOK = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


def channels(block: str = "", **variables: str) -> dict[str, Channel]:
    text = "checks: []\n" + (f"channels:\n  - {block}\n" if block else "")
    return build_channels(parse_config(text, Path("checks.yaml"), Environment(variables)))


def test_what_a_block_may_say_is_what_the_table_understands() -> None:
    assert {row.type: tuple(sorted(row.keys)) for row in ROWS} == {
        name: tuple(sorted(keys)) for name, keys in CHANNEL_KEYS.items() if name != "apprise"
    }
    assert set(BUILT_IN_CHANNELS) == {"console", *(row.type for row in ROWS)}


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("{name: x, type: email, url: 'https://a'}", "key 'url' does not belong to type 'email', which has to"),
        ("{name: x, type: sms, token: abcdefgh}", "key 'token' does not belong to type 'sms', which has to"),
        (
            "{name: x, type: pagerduty, to: a@b.c}",
            "key 'to' does not belong to type 'pagerduty', which has key, url",
        ),
        (f"{{name: x, type: slack, url: '{HOOK}', channel: '#ops'}}", "expected `url` (a webhook) or `channel`"),
        ("{name: x, type: webhook, url: 'https://a', template: '{% if %}'}", "expected a template in Jinja, line 1"),
        (
            f"{{name: x, type: webhook, url: 'https://a', template: '{{{{ {'(' * 5000}1{')' * 5000} }}}}'}}",
            "expected a template in Jinja, got one that is nested too deep",
        ),
        ("{name: x, type: fax}", "fax"),
        ("{name: x, type: sms, severity: [P9]}", "expected P1, P2, P3, P4"),
    ],
)
def test_what_does_not_belong_is_an_error_with_its_line(block: str, problem: str) -> None:
    with pytest.raises(ConfigError) as error:
        channels(block)
    assert "checks.yaml:3" in str(error.value)
    assert problem in str(error.value)


class TestMail:
    ADDRESSES = {"MAIL_TO": "a@example.org", "MAIL_FROM": "wall@example.org"}

    def test_smtp_goes_before_sendgrid_unless_it_is_told_otherwise(self) -> None:
        both = self.ADDRESSES | {"SMTP_HOST": "mail.example.org", "SENDGRID_API_KEY": "SG.0123456789"}
        assert isinstance(channels(**both)["email"], Mail)
        assert isinstance(channels(**both, EMAIL_PROVIDER="sendgrid")["email"], SendGrid)

    def test_a_key_of_sendgrid_alone_is_enough(self) -> None:
        assert isinstance(channels(**self.ADDRESSES, SENDGRID_API_KEY="SG.0123456789")["email"], SendGrid)

    @pytest.mark.parametrize(
        ("variables", "problem"),
        [
            ({"EMAIL_PROVIDER": "pigeon", "SMTP_HOST": "h"}, "EMAIL_PROVIDER: expected smtp or sendgrid, got 'pigeon'"),
            ({"EMAIL_PROVIDER": "sendgrid", "SMTP_HOST": "h"}, "not set: SENDGRID_API_KEY"),
            ({"EMAIL_PROVIDER": "smtp", "SENDGRID_API_KEY": "SG.0123456789"}, "not set: SMTP_HOST"),
            ({"SENDGRID_API_KEY": "SG.0123 456"}, "SENDGRID_API_KEY: expected printable ASCII without spaces"),
        ],
    )
    def test_what_lacks_is_said(self, variables: dict[str, str], problem: str) -> None:
        assert channels(**self.ADDRESSES, **variables)["email"].problem == problem


class TestSlack:
    def test_a_token_and_a_channel_are_the_bot(self) -> None:
        bot = channels(SLACK_BOT_TOKEN="xoxb-0123456789", SLACK_CHANNEL="#ops", SLACK_WEBHOOK_URL=HOOK)["slack"]
        assert isinstance(bot, SlackBot)
        assert bot.channel == "#ops"

    def test_the_channel_of_a_webhook_is_for_people_only(self) -> None:
        assert isinstance(channels(SLACK_CHANNEL="#ops", SLACK_WEBHOOK_URL=HOOK)["slack"], SlackWebhook)

    @pytest.mark.parametrize(
        ("variables", "missing"),
        [
            ({}, ("SLACK_WEBHOOK_URL",)),
            ({"SLACK_BOT_TOKEN": "xoxb-0123456789"}, ("SLACK_WEBHOOK_URL",)),
            ({"SLACK_CHANNEL": "#ops"}, ("SLACK_BOT_TOKEN",)),
        ],
    )
    def test_what_lacks_is_said(self, variables: dict[str, str], missing: tuple[str, ...]) -> None:
        assert channels(**variables)["slack"].missing == missing

    def test_a_block_takes_the_bot_from_the_environment_and_not_its_channel(self) -> None:
        variables = {"SLACK_BOT_TOKEN": "xoxb-0123456789", "SLACK_CHANNEL": "#ops"}
        own = channels("{name: own, type: slack, channel: '#shop'}", **variables)["own"]
        assert isinstance(own, SlackBot)
        assert (own.channel, own.token) == ("#shop", "xoxb-0123456789")
        hook = channels(f"{{name: own, type: slack, url: '{HOOK}'}}", **variables)["own"]
        assert isinstance(hook, SlackWebhook)


class TestSecretsBelongToTheirReceiver:
    def test_those_of_the_environment_do_not_go_to_another_address(self) -> None:
        variables = {"WEBHOOK_TOKEN": "t0ken-0123", "WEBHOOK_SECRET": "s3cret-0123", "ALERTMANAGER_TOKEN": "am-0123456"}
        hook = channels("{name: own, type: webhook, url: 'https://a.example/x'}", **variables)["own"]
        assert isinstance(hook, Webhook)
        assert (hook.token, hook.secret) == ("", "")
        manager = channels("{name: own, type: alertmanager, url: 'https://a.example'}", **variables)["own"]
        assert isinstance(manager, Alertmanager)
        assert manager.token == ""

    def test_those_of_a_block_are_its_own_and_shown_nowhere(self) -> None:
        block = "{name: own, type: webhook, url: 'https://a.example/x', token: '${T}', secret: '${S}'}"
        hook = channels(block, T="t0ken-0123", S="s3cret-0123")["own"]
        assert isinstance(hook, Webhook)
        assert (hook.token, hook.secret) == ("t0ken-0123", "s3cret-0123")
        assert hook.edge.redact("t0ken-0123 s3cret-0123") == "*** ***"
        assert "-0123" not in repr(hook)

    def test_the_key_of_another_team_may_go_with_the_address_of_the_environment(self) -> None:
        block = "{name: own, type: opsgenie, key: '${K}'}"
        genie = channels(block, K="genie-0123456", OPSGENIE_URL="https://api.eu.opsgenie.com")["own"]
        assert isinstance(genie, Opsgenie)
        assert (genie.key, genie.api) == ("genie-0123456", "https://api.eu.opsgenie.com")


class TestAnyChannel:
    def test_may_be_told_of_some_severities_only(self) -> None:
        own = channels("{name: own, type: alertmanager, url: 'http://a.example', severity: [P1, high]}")["own"]
        assert own.severities == (Severity.P1, Severity.P2)

    @pytest.mark.parametrize(
        ("variables", "name", "problem"),
        [
            (
                {"PAGERDUTY_ROUTING_KEY": "k", "PAGERDUTY_URL": "http://p.example"},
                "pagerduty",
                "PAGERDUTY_URL: expected",
            ),
            ({"OPSGENIE_API_KEY": "k", "OPSGENIE_URL": "opsgenie"}, "opsgenie", "malformed URL"),
            ({"ALERTMANAGER_URL": "alerts:9093"}, "alertmanager", "malformed URL"),
            ({"NTFY_URL": "https://ntfy.example.org/"}, "ntfy", "NTFY_URL: expected one with a topic"),
            ({"PUSHOVER_TOKEN": "a" * 30, "PUSHOVER_USER_KEY": "u, v"}, "pushover", "PUSHOVER_USER_KEY: expected 30"),
            ({"MATRIX_URL": "x", "MATRIX_TOKEN": "t", "MATRIX_ROOM": "#r:h"}, "matrix", "malformed URL"),
        ],
    )
    def test_a_value_that_cannot_work_is_unconfigured_with_the_reason(
        self, variables: dict[str, str], name: str, problem: str
    ) -> None:
        channel = channels(**variables)[name]
        assert not channel.configured
        assert channel.problem.startswith(problem)

    @pytest.mark.parametrize(
        ("change", "problem"),
        [
            ({"TWILIO_ACCOUNT_SID": "AC1"}, "TWILIO_ACCOUNT_SID: expected AC and 32 hexadecimal digits"),
            ({"TWILIO_FROM_NUMBER": "0155"}, ""),
            ({"TWILIO_FROM_NUMBER": "+0155-no!"}, "TWILIO_FROM_NUMBER: expected a number such as +15551234567"),
            ({"ALERT_SMS_RECIPIENTS": "+15550000001, 0155"}, "ALERT_SMS_RECIPIENTS: expected numbers such as"),
        ],
    )
    def test_telephone_numbers_are_checked(self, change: dict[str, str], problem: str) -> None:
        variables = {"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "t0ken-0123"}
        variables |= {"TWILIO_FROM_NUMBER": "+15551234567", "ALERT_SMS_RECIPIENTS": "+15550000001"}
        assert channels(**variables | change)["sms"].problem.startswith(problem)


class TestWhatIsSaidOfBlocks:
    """By `validate` and in the checker's log, where the file is read."""

    def said(self, block: str, **variables: str) -> list[tuple[str, bool]]:
        text = f"checks: []\nchannels:\n  - name: fine\n    type: webhook\n    url: http://h/\n  - {block}\n"
        loaded = parse_config(text, Path("checks.yaml"), Environment(variables))
        return [(f"{one.line}: {one.text}", one.is_fault) for one in remarks_on(loaded, build_channels(loaded))]

    @pytest.mark.parametrize(
        ("block", "problem"),
        [
            (
                "{name: x, type: slack, url: 'https://chat.example/hooks/abc'}",
                "malformed URL: it is no slack URL that Apprise knows, such as "
                "https://hooks.slack.com/services/T…/B…/…; for what only takes the same JSON write `type: webhook` "
                """with `template: '{"text": {{ text | tojson }}}'`""",
            ),
            ("{name: x, type: slack}", "missing key 'url': a block does not take it from the environment"),
            ("{name: x, type: webhook, url: 'ftp://h'}", "malformed URL: expected one such as https://host/path"),
            (
                "{name: x, type: webhook, url: 'http://h', template: '{{ alrt.title }}'}",
                "template: UndefinedError: 'alrt' is undefined (did you mean 'alert'?); it may name alert, alerts, "
                "event, html, key, short, status, subject, summary, text, version",
            ),
            (
                "{name: x, type: webhook, url: 'http://h', template: '{{ alert.titel }}'}",
                "template: UndefinedError: 'dict object' has no attribute 'titel' (did you mean 'title'?)",
            ),
        ],
    )
    def test_what_can_never_work_is_a_fault_on_its_line(self, block: str, problem: str) -> None:
        ((line, is_fault),) = self.said(block)
        assert is_fault
        assert line.startswith(f"6: channel 'x': {problem}")

    @pytest.mark.parametrize(
        ("block", "problem"),
        [
            ("{name: x, type: email}", "not set: SMTP_HOST, MAIL_TO"),
            ("{name: x, type: webhook, url: '${NOWHERE:-}'}", "url is blank: set the variable that it is taken from"),
        ],
    )
    def test_what_only_the_environment_lacks_is_none(self, block: str, problem: str) -> None:
        assert self.said(block) == [(f"6: channel 'x': {problem}", False)]

    def test_built_in_channels_that_are_not_set_up_are_no_fault_of_the_file(self) -> None:
        assert self.said("{name: y, type: webhook, url: 'http://h'}") == []
        assert self.said("{name: y, type: webhook, url: 'http://h'}", SLACK_WEBHOOK_URL="nonsense") == []


class TestTemplatesOfWebhooks:
    def body(self, template: str, count: int) -> bytes:
        block = json.dumps({"name": "own", "type": "webhook", "url": "http://h/", "template": template})
        own = channels(block)["own"]
        assert isinstance(own, Webhook), own.problem
        now = datetime(2026, 11, 21, tzinfo=UTC)
        return own.body(compose(sample(now, count=count), "k", Letterhead("https://wall.example"), now))

    @pytest.mark.parametrize("template", ['{"text": "{{ alert.title }}"}', "{{ alert.title }}: {{ alert.tags }}"])
    def test_the_most_natural_one_works(self, template: str) -> None:
        assert b"orders-db" in self.body(template, 1)

    def test_alert_is_the_worst_of_several_and_says_that_there_are_more(self) -> None:
        template = (
            '{"text": "{{ alert.title }}", "of": {{ alert.resource | tojson }}, "tags": {{ alert.tags | tojson }}}'
        )
        one, many = json.loads(self.body(template, 1)), json.loads(self.body(template, 3))
        assert many["text"] == f"{one['text']}, and 2 more"
        assert many["of"] and isinstance(many["tags"], list)

    def test_it_counts_as_none_where_a_template_asks_whether_there_is_one_alone(self) -> None:
        template = "{% if alert %}one{% else %}{{ alerts | length }}{% endif %}"
        assert [self.body(template, count) for count in (1, 3)] == [b"one", b"3"]
