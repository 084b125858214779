"""What makes each channel of its values: checked here, so that what cannot work says so before it is needed.

Each takes a name, the values of its row in `table`, and what takes secrets out of texts. It returns the channel,
or raises Malformed, which says what is wrong without quoting a secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.headerregistry import Address
from email.utils import getaddresses
from urllib.parse import quote, urlsplit

from monitor.channels.channel import Channel, Edge, Redact, redact_also
from monitor.channels.incidents import OPSGENIE, Alertmanager, Opsgenie
from monitor.channels.mail import Mail
from monitor.channels.sendgrid import SendGrid
from monitor.channels.slack import SlackBot, SlackWebhook
from monitor.channels.sms import Sms
from monitor.channels.through_apprise import ThroughApprise, check_url
from monitor.model import Severity
from monitor.units import utc_now

Values = Mapping[str, str]
_ATOMS = r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*"
_ADDRESS = re.compile(rf"(?a:{_ATOMS})@[\w-]+(?:\.[\w-]+)*")
_PRINTABLE = re.compile(r"[\x21-\x7e]*")
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}")
_PROVIDERS = ("smtp", "sendgrid")


class Malformed(Exception):
    """A value cannot be used. `missing`: it only lacks these variables."""

    def __init__(self, wrong: str = "", missing: tuple[str, ...] = ()) -> None:
        super().__init__(wrong)
        self.missing = missing


def mail(name: str, values: Values, redact: Redact) -> Channel:
    provider = values["EMAIL_PROVIDER"].lower() or ("smtp" if values["SMTP_HOST"] else "sendgrid")
    if provider not in _PROVIDERS:
        raise Malformed(f"EMAIL_PROVIDER: expected {' or '.join(_PROVIDERS)}, got {provider[:20]!r}")
    return (_smtp if provider == "smtp" else _sendgrid)(name, values, redact)


def _smtp(name: str, values: Values, redact: Redact) -> Channel:
    if not values["SMTP_HOST"]:
        raise Malformed(missing=("SMTP_HOST",))
    user, password = values["SMTP_USER"], values["SMTP_PASS"]
    if bool(user) != bool(password):
        raise Malformed(missing=("SMTP_PASS" if user else "SMTP_USER",))
    # Most providers' user names are addresses, and the only senders that they accept.
    sender = _sender(values["MAIL_FROM"] or (user if "@" in user else ""))
    to, port = _addresses("MAIL_TO", values["MAIL_TO"]), _port(values["SMTP_PORT"] or "587")
    edge = Edge(name, redact_also(redact, password))
    return Mail(edge, values["SMTP_HOST"], port, sender, to, user, password, values["SMTP_CA_FILE"])


def _sendgrid(name: str, values: Values, redact: Redact) -> Channel:
    key = values["SENDGRID_API_KEY"]
    if not key:
        raise Malformed(missing=("SENDGRID_API_KEY",))
    _printable("SENDGRID_API_KEY", key)
    sender, to = _sender(values["MAIL_FROM"]), _addresses("MAIL_TO", values["MAIL_TO"])
    return SendGrid(Edge(name, redact_also(redact, key)), key, sender, to)


def _sender(text: str) -> Address:
    if not text:
        raise Malformed(missing=("MAIL_FROM",))
    return _addresses("MAIL_FROM", text)[0]


def _port(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise Malformed(f"SMTP_PORT: expected a number from 1 to 65535, got {text[:20]!r}")
    return int(text)


def _addresses(variable: str, text: str) -> tuple[Address, ...]:
    """Return the addresses of `a@b.c, Ann <ann@b.c>`; raise Malformed that names what is none."""
    parsed = getaddresses([text.strip(" ,")]) if text.isprintable() else []
    if not parsed or not all(_ADDRESS.fullmatch(address) for _, address in parsed):
        raise Malformed(f"{variable}: expected mail addresses with commas between them, got {text[:80]!r}")
    return tuple(Address(display_name, addr_spec=address) for display_name, address in parsed)


def slack(name: str, values: Values, redact: Redact) -> Channel:
    url, token, channel = values["SLACK_WEBHOOK_URL"], values["SLACK_BOT_TOKEN"], values["SLACK_CHANNEL"]
    # SLACK_CHANNEL alone says where a webhook posts, and is for people only.
    if token and channel:
        _printable("SLACK_BOT_TOKEN", token)
        return SlackBot(Edge(name, redact_also(redact, token)), token, channel)
    if not url:
        raise Malformed(missing=("SLACK_BOT_TOKEN",) if channel else ("SLACK_CHANNEL",))
    edge = Edge(name, redact_also(redact, url))
    if wrong := check_url(url, "slack", edge):
        raise Malformed(wrong)
    return SlackWebhook(edge, url) if url.startswith("https://") else ThroughApprise(edge, "slack", url)


def telegram(name: str, values: Values, redact: Redact) -> Channel:
    if url := values.get("url", ""):
        return _apprise(name, "telegram", url, redact)
    token, chats = values["TELEGRAM_BOT_TOKEN"], values["TELEGRAM_CHAT_ID"].replace(",", " ").split()
    targets = "/".join(quote(chat, safe="") for chat in chats)
    return _apprise(name, "telegram", f"tgram://{quote(token, safe=':')}/{targets}/", redact)


def through_apprise(channel_type: str, variable: str) -> Callable[[str, Values, Redact], Channel]:
    """Return what makes a channel of one URL."""

    def make(name: str, values: Values, redact: Redact) -> Channel:
        return _apprise(name, channel_type, values[variable], redact)

    return make


def _apprise(name: str, channel_type: str, url: str, redact: Redact) -> Channel:
    edge = Edge(name, redact_also(redact, url))
    if wrong := check_url(url, channel_type, edge):
        raise Malformed(wrong)
    return ThroughApprise(edge, channel_type, url)


def sms(name: str, values: Values, redact: Redact) -> Channel:
    account, token, sender = (values[f"TWILIO_{part}"] for part in ("ACCOUNT_SID", "AUTH_TOKEN", "FROM_NUMBER"))
    if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account):
        raise Malformed("TWILIO_ACCOUNT_SID: expected AC and 32 hexadecimal digits")
    _printable("TWILIO_AUTH_TOKEN", token)
    if not (_NUMBER.fullmatch(sender) or re.fullmatch(r"MG[0-9a-fA-F]{32}|[A-Za-z0-9 ]{1,11}", sender)):
        raise Malformed(f"TWILIO_FROM_NUMBER: expected a number such as +15551234567, got {sender[:20]!r}")
    numbers = tuple(re.sub(r"[ ()-]", "", one) for one in values["ALERT_SMS_RECIPIENTS"].split(",") if one.strip())
    for number in numbers:
        if not _NUMBER.fullmatch(number):
            raise Malformed(f"ALERT_SMS_RECIPIENTS: expected numbers such as +15551234567, got {number[:20]!r}")
    edge = Edge(name, redact_also(redact, token))
    return Sms(edge, account, token, sender, tuple(dict.fromkeys(numbers)), severities=(Severity.P1,))


def webhook(name: str, values: Values, redact: Redact) -> Channel:
    from monitor.channels.webhook import Webhook, template_problem

    url, token, secret = values["WEBHOOK_URL"], values["WEBHOOK_TOKEN"], values["WEBHOOK_SECRET"]
    _web_url(url)
    _printable("WEBHOOK_TOKEN", token)
    template = values.get("template", "")
    if template and (wrong := template_problem(template, utc_now())):
        raise Malformed(wrong)
    return Webhook(Edge(name, redact_also(redact, url, token, secret)), url, token, secret, template)


def pagerduty(name: str, values: Values, redact: Redact) -> Channel:
    from monitor.channels.pagerduty import API, PagerDuty

    key, url = values["PAGERDUTY_ROUTING_KEY"], values["PAGERDUTY_URL"] or API
    _printable("PAGERDUTY_ROUTING_KEY", key)
    _web_url(url)
    if not url.startswith("https://"):
        raise Malformed("PAGERDUTY_URL: expected one such as https://events.eu.pagerduty.com")
    return PagerDuty(Edge(name, redact_also(redact, key)), key, url)


def opsgenie(name: str, values: Values, redact: Redact) -> Channel:
    key, url = values["OPSGENIE_API_KEY"], values["OPSGENIE_URL"] or OPSGENIE
    _printable("OPSGENIE_API_KEY", key)
    _web_url(url)
    return Opsgenie(Edge(name, redact_also(redact, key)), key, url)


def alertmanager(name: str, values: Values, redact: Redact) -> Channel:
    url, token = values["ALERTMANAGER_URL"], values["ALERTMANAGER_TOKEN"]
    _web_url(url)
    _printable("ALERTMANAGER_TOKEN", token)
    return Alertmanager(Edge(name, redact_also(redact, token, urlsplit(url).password or "")), url, token)


def ntfy(name: str, values: Values, redact: Redact) -> Channel:
    scheme, host, path = _parts(values["NTFY_URL"])
    if not path.strip("/"):
        raise Malformed("NTFY_URL: expected one with a topic, such as https://ntfy.sh/TOPIC")
    token = values["NTFY_TOKEN"]
    login = f"{quote(token, safe='')}@" if token else ""
    return _apprise(name, "ntfy", f"ntfy{scheme}://{login}{host}{path}", redact_also(redact, token))


def pushover(name: str, values: Values, redact: Redact) -> Channel:
    user, token = values["PUSHOVER_USER_KEY"], values["PUSHOVER_TOKEN"]
    for variable, value in (("PUSHOVER_USER_KEY", user), ("PUSHOVER_TOKEN", token)):
        if not re.fullmatch(r"[A-Za-z0-9]{30}", value):
            raise Malformed(f"{variable}: expected 30 letters and digits")
    return _apprise(name, "pushover", f"pover://{user}@{token}/", redact)


def gotify(name: str, values: Values, redact: Redact) -> Channel:
    scheme, host, path = _parts(values["GOTIFY_URL"])
    token = quote(values["GOTIFY_TOKEN"], safe="")
    return _apprise(name, "gotify", f"gotify{scheme}://{host}{path}/{token}", redact)


def matrix(name: str, values: Values, redact: Redact) -> Channel:
    scheme, host, _path = _parts(values["MATRIX_URL"])
    token = quote(values["MATRIX_TOKEN"], safe="")
    rooms = "/".join(quote(room, safe="") for room in values["MATRIX_ROOM"].replace(",", " ").split())
    return _apprise(name, "matrix", f"matrix{scheme}://{token}@{host}/{rooms}", redact)


def _parts(url: str) -> tuple[str, str, str]:
    """Return what Apprise's URLs are made of: `s` for https, host with port, path."""
    _web_url(url)
    parts = urlsplit(url)
    return "s" if parts.scheme == "https" else "", parts.netloc, parts.path.rstrip("/")


def _web_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        fits = False
    if not fits:
        raise Malformed("malformed URL: expected one such as https://host/path")


def _printable(variable: str, text: str) -> None:
    if not _PRINTABLE.fullmatch(text):
        raise Malformed(f"{variable}: expected printable ASCII without spaces")
