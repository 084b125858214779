"""Blocks of `channels:`: keys belong to types, secrets stay where they belong, and what cannot work says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.channels import Channel, build_channels
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
