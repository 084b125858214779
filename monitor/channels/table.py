"""Which channels there are: one row for each built-in one, and how a block of `channels:` makes a further one.

    environment ─┐                       ┌─▶ Mail, Webhook, ThroughApprise     all it needs is set, and fits
                 ├─ row: values by name ─┤
    block ───────┘                       └─▶ Unconfigured, with the reason     a status, never an exception

A new built-in channel is a row here and its name in `config.BUILT_IN_CHANNELS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import quote, urlsplit

from monitor.channels.channel import Channel, Edge, Redact, Unconfigured, redact_also
from monitor.channels.console import Console
from monitor.channels.mail import Mail
from monitor.channels.through_apprise import ThroughApprise, check_url
from monitor.config import ChannelBlock, Environment, LoadedConfig

CONSOLE = "console"
Values = Mapping[str, str]
_ATOMS = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_ADDRESS = re.compile(rf"(?a:{_ATOMS})@[\w-]+(?:\.[\w-]+)*")


@dataclass(frozen=True)
class Row:
    """A built-in channel. Each inner tuple is one variable: its name, then the names that are accepted for it too."""

    type: str
    needs: tuple[tuple[str, ...], ...]
    make: Callable[[str, Values, Redact], Channel]
    takes: tuple[tuple[str, ...], ...] = ()

    def build(self, name: str, environment: Environment, given: Values | None = None) -> Channel:
        """Return the channel; what is `given` goes before the environment."""
        values = {names[0]: environment.get(*names) for names in (*self.needs, *self.takes)} | dict(given or {})
        missing = tuple(names[0] for names in self.needs if not values[names[0]])
        return Unconfigured(name, self.type, missing) if missing else self.make(name, values, environment.redactor())


def build_channels(loaded: LoadedConfig) -> dict[str, Channel]:
    """Return every channel by name, those that are not configured too. The console is always there.

    A block of `channels:` with the name of a built-in channel takes its place, but for the console.
    """
    environment = loaded.environment
    channels = {row.type: row.build(row.type, environment) for row in ROWS}
    channels |= {block.name: _from_block(block, environment) for block in loaded.config.channels}
    return channels | {CONSOLE: Console(redact=environment.redactor())}


def default_route(channels: Mapping[str, Channel], wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return who is told: the wanted channels that are configured, or every one but the console; else the console."""
    names = [name for name in channels if name != CONSOLE] if wanted is None else wanted
    route = tuple(dict.fromkeys(name for name in names if name in channels and channels[name].configured))
    return route or (CONSOLE,)


def _mail(name: str, values: Values, redact: Redact) -> Channel:
    user, password = values["SMTP_USER"], values["SMTP_PASS"]
    if bool(user) != bool(password):
        return Unconfigured(name, "email", ("SMTP_PASS" if user else "SMTP_USER",))
    # Most providers' user names are addresses, and the only senders that they accept.
    sender_text = values["MAIL_FROM"] or (user if "@" in user else "")
    if not sender_text:
        return Unconfigured(name, "email", ("MAIL_FROM",))
    try:
        senders = _addresses("MAIL_FROM", sender_text)
        to = _addresses("MAIL_TO", values["MAIL_TO"])
        port = _port(values["SMTP_PORT"] or "587")
    except ValueError as error:
        return Unconfigured(name, "email", wrong=str(error))
    edge = Edge(name, redact_also(redact, password))
    return Mail(edge, values["SMTP_HOST"], port, senders[0], to, user, password, values["SMTP_CA_FILE"])


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"SMTP_PORT: expected a number from 1 to 65535, got {text[:20]!r}")
    return int(text)


def _addresses(variable: str, text: str) -> tuple[Address, ...]:
    """Return the addresses of `a@b.c, Ann <ann@b.c>`; raise ValueError that names what is none."""
    parsed = getaddresses([text.strip(" ,")]) if text.isprintable() else []
    if not parsed or not all(_ADDRESS.fullmatch(address) for _, address in parsed):
        raise ValueError(f"{variable}: expected mail addresses with commas between them, got {text[:80]!r}")
    return tuple(Address(display_name, addr_spec=address) for display_name, address in parsed)


def _telegram(name: str, values: Values, redact: Redact) -> Channel:
    token, chats = values["TELEGRAM_BOT_TOKEN"], values["TELEGRAM_CHAT_ID"].replace(",", " ").split()
    targets = "/".join(quote(chat, safe="") for chat in chats)
    return _through_apprise(name, "telegram", f"tgram://{quote(token, safe=':')}/{targets}/", redact)


def _chat(channel_type: str, variable: str) -> Row:
    def make(name: str, values: Values, redact: Redact) -> Channel:
        return _through_apprise(name, channel_type, values[variable], redact)

    return Row(channel_type, needs=((variable,),), make=make)


def _through_apprise(name: str, channel_type: str, url: str, redact: Redact) -> Channel:
    edge = Edge(name, redact_also(redact, url))
    wrong = check_url(url, channel_type, edge)
    return Unconfigured(name, channel_type, wrong=wrong) if wrong else ThroughApprise(edge, channel_type, url)


def _webhook(name: str, values: Values, redact: Redact) -> Channel:
    from monitor.channels.webhook import Webhook

    url, token = values["WEBHOOK_URL"], values.get("WEBHOOK_TOKEN", "")
    if not _is_web_url(url):
        return Unconfigured(name, "webhook", wrong="malformed URL: expected one such as https://host/path")
    if not re.fullmatch(r"[\x21-\x7e]*", token):
        return Unconfigured(name, "webhook", wrong="WEBHOOK_TOKEN: expected printable ASCII without spaces")
    return Webhook(Edge(name, redact_also(redact, url, token)), url, token)


def _is_web_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        return False


def _from_block(block: ChannelBlock, environment: Environment) -> Channel:
    """Return the channel of a block. A blank URL, or one whose variable is not set, means unconfigured."""
    if block.type == "email":
        return _ROW["email"].build(block.name, environment, {"MAIL_TO": ", ".join(block.to)} if block.to else None)
    url = (block.url or "").strip()
    if block.type == "telegram" and not url:
        chats = {"TELEGRAM_CHAT_ID": ",".join(block.to)} if block.to else None
        return _ROW["telegram"].build(block.name, environment, chats)
    missing = tuple(environment.expand(url)[1])
    if missing:
        return Unconfigured(block.name, block.type, missing)
    if not url:
        return Unconfigured(block.name, block.type, wrong="url is blank: set the variable that it is taken from")
    if block.type == "webhook":
        # Without WEBHOOK_TOKEN: that one is for the receiver at WEBHOOK_URL only.
        return _webhook(block.name, {"WEBHOOK_URL": url}, environment.redactor())
    return _through_apprise(block.name, block.type, url, environment.redactor())


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
        ),
        make=_mail,
    ),
    Row("telegram", needs=(("TELEGRAM_BOT_TOKEN",), ("TELEGRAM_CHAT_ID",)), make=_telegram),
    _chat("slack", "SLACK_WEBHOOK_URL"),
    _chat("discord", "DISCORD_WEBHOOK_URL"),
    _chat("teams", "TEAMS_WEBHOOK_URL"),
    Row("webhook", needs=(("WEBHOOK_URL",),), takes=(("WEBHOOK_TOKEN",),), make=_webhook),
)
_ROW = {row.type: row for row in ROWS}
