"""Channels: how people are told. Called by the checker's outbox and by whoever shows what is configured.

    Alert ──compose──▶ Message ──channel.send──▶ Receipt
                          │
                          ├─ console            a line on standard output; always there
                          ├─ mail               SMTP with TLS
                          ├─ webhook            JSON by POST
                          └─ through_apprise    Telegram, Slack, Discord, Teams and more

    build_channels(config) ──▶ every channel by name      default_route(channels, wanted) ──▶ who is told

A channel that lacks something is there too and says what. Sending never raises: trouble is a Receipt, within 15 s,
without secrets. Deciding who is told of what, and when to try again, is done elsewhere.
"""

from monitor.channels.channel import Channel, Receipt
from monitor.channels.message import Message, compose
from monitor.channels.table import build_channels, default_route

__all__ = ["Channel", "Message", "Receipt", "build_channels", "compose", "default_route"]
