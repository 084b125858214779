"""Which channels there are: one row for each built-in one, and how a block of `channels:` makes a further one.

    environment ─┐                       ┌─▶ Mail, Webhook, ThroughApprise …   all it needs is set, and fits
                 ├─ row: values by name ─┤
    block ───────┘                       └─▶ Unconfigured, with the reason     a status, never an exception

A new built-in channel is a row here, a function in `making`, and its keys in `config.channelblock`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from monitor.channels import making
from monitor.channels.channel import Channel, Delivering, Redact, Unconfigured
from monitor.channels.console import Console
from monitor.channels.making import Malformed, Values
from monitor.config import ChannelBlock, Environment, LoadedConfig, Remark

CONSOLE = "console"


@dataclass(frozen=True)
class Row:
    """A built-in channel. Each inner tuple is one variable: its name, then the names that are accepted for it too.

    `instead`: a variable that is not needed when that other one is set. `keys`: which variable a key of a block
    replaces. `own`: variables that a block does not take from the environment, because they belong to the receiver
    that is named there.
    """

    type: str
    needs: tuple[tuple[str, ...], ...]
    make: Callable[[str, Values, Redact], Channel]
    takes: tuple[tuple[str, ...], ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    own: tuple[str, ...] = ()

    def build(self, name: str, environment: Environment, block: ChannelBlock | None = None) -> Channel:
        """Return the channel; what the block says goes before the environment."""
        values = {names[0]: environment.get(*names) for names in (*self.needs, *self.takes)}
        given = {self.keys[key]: value.strip() for key, value in block.settings.items()} if block else {}
        if unset := tuple(missing for value in given.values() for missing in environment.expand(value)[1]):
            return Unconfigured(name, self.type, unset)
        values |= (dict.fromkeys(self.own, "") if block else {}) | given
        lacking = [names[0] for names in self.needs if not values[names[0]] and not values.get(self._stand_in(names))]
        # Of a block the key is named where the variable of that name would not do.
        for key in (key for key, one in self.keys.items() if block and one in lacking):
            if self.keys[key] in given:
                wrong = f"{key} is blank: set the variable that it is taken from"
                return Unconfigured(name, self.type, (key,), wrong)
            if self.keys[key] in self.own:
                wrong = f"missing key {key!r}: a block does not take it from the environment"
                return Unconfigured(name, self.type, wrong=wrong)
        if lacking:
            return Unconfigured(name, self.type, tuple(lacking))
        try:
            return self.make(name, values, environment.redactor())
        except Malformed as error:
            return Unconfigured(name, self.type, error.missing, str(error))

    def _stand_in(self, names: tuple[str, ...]) -> str:
        return self.instead.get(names[0], "")


def build_channels(loaded: LoadedConfig) -> dict[str, Channel]:
    """Return every channel by name, those that are not configured too. The console is always there.

    A block of `channels:` with the name of a built-in channel takes its place, but for the console.
    """
    environment = loaded.environment
    channels = {row.type: row.build(row.type, environment) for row in ROWS}
    channels |= {block.name: _from_block(block, environment) for block in loaded.config.channels}
    return channels | {CONSOLE: Console(redact=environment.redactor())}


def remarks_on(loaded: LoadedConfig, channels: Mapping[str, Channel]) -> tuple[Remark, ...]:
    """Return what is said of the file, in the order of its lines: with its blocks of `channels:` that cannot send."""
    found = [*loaded.remarks]
    for name, line in loaded.channel_lines.items():
        channel = channels[name]
        if not channel.configured:
            found.append(Remark(line, f"channel {name!r}: {channel.problem}", is_fault=not channel.missing))
    return tuple(sorted(found, key=lambda remark: remark.line))


def default_route(channels: Mapping[str, Channel], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return who is told: the wanted channels that are configured, or every one but the console; else the console."""
    names = [name for name in channels if name != CONSOLE] if wanted is None else wanted
    route = tuple(dict.fromkeys(name for name in names if name in channels and channels[name].configured))
    return route or (CONSOLE,)


def _from_block(block: ChannelBlock, environment: Environment) -> Channel:
    channel = (_APPRISE if block.type == "apprise" else _ROW[block.type]).build(block.name, environment, block)
    if block.severity and isinstance(channel, Delivering):
        return replace(channel, severities=block.severity)
    return channel


def _hook(channel_type: str, variable: str) -> Row:
    make = making.through_apprise(channel_type, variable)
    return Row(channel_type, needs=((variable,),), make=make, keys={"url": variable}, own=(variable,))


ROWS = (
    Row(
        "email",
        needs=(("SMTP_HOST",), ("MAIL_TO", "ALERT_EMAIL_RECIPIENTS")),
        takes=(
            ("SMTP_PORT",),
            ("SMTP_USER", "SMTP_USERNAME"),
            ("SMTP_PASS", "SMTP_PASSWORD"),
            ("MAIL_FROM", "ALERT_SENDER_EMAIL"),
            ("SMTP_CA_FILE",),
            ("SENDGRID_API_KEY",),
            ("EMAIL_PROVIDER",),
        ),
        make=making.mail,
        instead={"SMTP_HOST": "SENDGRID_API_KEY"},
        keys={"to": "MAIL_TO"},
    ),
    Row(
        "telegram",
        needs=(("TELEGRAM_BOT_TOKEN",), ("TELEGRAM_CHAT_ID",)),
        make=making.telegram,
        instead={"TELEGRAM_BOT_TOKEN": "url", "TELEGRAM_CHAT_ID": "url"},
        keys={"url": "url", "to": "TELEGRAM_CHAT_ID", "token": "TELEGRAM_BOT_TOKEN"},
    ),
    Row(
        "slack",
        needs=(("SLACK_WEBHOOK_URL",),),
        takes=(("SLACK_BOT_TOKEN",), ("SLACK_CHANNEL",)),
        make=making.slack,
        instead={"SLACK_WEBHOOK_URL": "SLACK_CHANNEL"},
        keys={"url": "SLACK_WEBHOOK_URL", "channel": "SLACK_CHANNEL", "token": "SLACK_BOT_TOKEN"},
        own=("SLACK_WEBHOOK_URL", "SLACK_CHANNEL"),
    ),
    _hook("discord", "DISCORD_WEBHOOK_URL"),
    _hook("teams", "TEAMS_WEBHOOK_URL"),
    Row(
        "sms",
        needs=(
            ("TWILIO_ACCOUNT_SID",),
            ("TWILIO_AUTH_TOKEN",),
            ("TWILIO_FROM_NUMBER",),
            ("ALERT_SMS_RECIPIENTS", "ALERT_PHONE_NUMBERS"),
        ),
        make=making.sms,
        keys={"to": "ALERT_SMS_RECIPIENTS"},
    ),
    Row(
        "webhook",
        needs=(("WEBHOOK_URL",),),
        takes=(("WEBHOOK_TOKEN",), ("WEBHOOK_SECRET",)),
        make=making.webhook,
        keys={"url": "WEBHOOK_URL", "token": "WEBHOOK_TOKEN", "secret": "WEBHOOK_SECRET", "template": "template"},
        own=("WEBHOOK_URL", "WEBHOOK_TOKEN", "WEBHOOK_SECRET"),
    ),
    Row(
        "pagerduty",
        needs=(("PAGERDUTY_ROUTING_KEY", "PAGERDUTY_INTEGRATION_KEY"),),
        takes=(("PAGERDUTY_URL",),),
        make=making.pagerduty,
        keys={"key": "PAGERDUTY_ROUTING_KEY", "url": "PAGERDUTY_URL"},
    ),
    Row(
        "opsgenie",
        needs=(("OPSGENIE_API_KEY",),),
        takes=(("OPSGENIE_URL",),),
        make=making.opsgenie,
        keys={"key": "OPSGENIE_API_KEY", "url": "OPSGENIE_URL"},
    ),
    Row(
        "alertmanager",
        needs=(("ALERTMANAGER_URL",),),
        takes=(("ALERTMANAGER_TOKEN",),),
        make=making.alertmanager,
        keys={"url": "ALERTMANAGER_URL", "token": "ALERTMANAGER_TOKEN"},
        own=("ALERTMANAGER_URL", "ALERTMANAGER_TOKEN"),
    ),
    Row(
        "ntfy",
        needs=(("NTFY_URL",),),
        takes=(("NTFY_TOKEN",),),
        make=making.ntfy,
        keys={"url": "NTFY_URL", "token": "NTFY_TOKEN"},
        own=("NTFY_URL", "NTFY_TOKEN"),
    ),
    Row(
        "pushover",
        needs=(("PUSHOVER_TOKEN",), ("PUSHOVER_USER_KEY",)),
        make=making.pushover,
        keys={"to": "PUSHOVER_USER_KEY", "token": "PUSHOVER_TOKEN"},
    ),
    Row(
        "gotify",
        needs=(("GOTIFY_URL",), ("GOTIFY_TOKEN",)),
        make=making.gotify,
        keys={"url": "GOTIFY_URL", "token": "GOTIFY_TOKEN"},
        own=("GOTIFY_URL", "GOTIFY_TOKEN"),
    ),
    Row(
        "matrix",
        needs=(("MATRIX_URL",), ("MATRIX_TOKEN",), ("MATRIX_ROOM",)),
        make=making.matrix,
        keys={"url": "MATRIX_URL", "token": "MATRIX_TOKEN", "to": "MATRIX_ROOM"},
    ),
)
_ROW = {row.type: row for row in ROWS}
_APPRISE = _hook("apprise", "url")
