"""Channels: how people are told. Called by the checker's outbox and by whoever shows what is configured.

    alerts ──compose──▶ Message ──channel.send──▶ Receipt
              │  ▲         │
    wording ──┘  │         ├─ console            a line on standard output; always there
    templates ───┘         ├─ mail, sendgrid     text and HTML, threads
                           ├─ slack, sms         threads and state; the shortest form
                           ├─ webhook            JSON or a template, signed
                           ├─ incidents          PagerDuty, Opsgenie, Alertmanager: one incident for each alert
                           └─ through_apprise    Telegram, Discord, Teams, ntfy, Matrix and more

    build_channels(config) ──▶ every channel by name      default_route(channels, wanted) ──▶ who is told

A channel that lacks something is there too and says what. Sending never raises: trouble is a Receipt, within 15 s,
without secrets. Deciding who is told of what, and when to try again, is done elsewhere.
"""

from monitor.channels.channel import Channel, Receipt
from monitor.channels.message import Message, compose
from monitor.channels.preview import preview, read_templates, sample, told_of, trial_message
from monitor.channels.table import build_channels, default_route, remarks_on
from monitor.channels.wording import Letterhead, Member

__all__ = [
    "Channel",
    "Letterhead",
    "Member",
    "Message",
    "Receipt",
    "build_channels",
    "compose",
    "default_route",
    "preview",
    "read_templates",
    "remarks_on",
    "sample",
    "told_of",
    "trial_message",
]
