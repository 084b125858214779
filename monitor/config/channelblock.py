"""A block of `channels:`."""

from __future__ import annotations

from typing import Literal, Self

import jinja2
from pydantic import Field, field_validator, model_validator

from monitor.config.fields import Block, Count, Many, Name, OneLine, Secret, SeverityField

# Keys of each type, beside those that every channel has. What is not written comes from the environment.
CHANNEL_KEYS: dict[str, tuple[str, ...]] = {
    "email": ("to",),
    "telegram": ("url", "to", "token"),
    "slack": ("url", "channel", "token"),
    "discord": ("url",),
    "teams": ("url",),
    "sms": ("to",),
    "webhook": ("url", "token", "secret", "template"),
    "pagerduty": ("key", "url"),
    "opsgenie": ("key", "url"),
    "alertmanager": ("url", "token"),
    "ntfy": ("url", "token"),
    "pushover": ("to", "token"),
    "gotify": ("url", "token"),
    "matrix": ("url", "to", "token"),
    "apprise": ("url",),
}
_OWN = ("url", "to", "channel", "token", "key", "secret", "template")


class ChannelBlock(Block):
    """A further channel, beside those that the environment configures by itself."""

    name: Name = Field(description="unique; what checks refer to")
    type: Literal[
        "email",
        "telegram",
        "slack",
        "discord",
        "teams",
        "sms",
        "webhook",
        "pagerduty",
        "opsgenie",
        "alertmanager",
        "ntfy",
        "pushover",
        "gotify",
        "matrix",
        "apprise",
    ] = Field(description="one of " + ", ".join(f"`{name}`" for name in CHANNEL_KEYS))
    url: str | None = Field(None, description="where it is sent to; write it as ${VARIABLE} when it holds a secret")
    to: Many[str] = Field(
        (), description="recipients: mail addresses, telephone numbers, chats, rooms, Pushover's user keys"
    )
    channel: OneLine | None = Field(None, description="slack: where the bot posts, such as `#ops` or C0123456789")
    token: Secret | None = Field(None, description="what it logs in with; write it as ${VARIABLE}")
    key: Secret | None = Field(None, description="pagerduty: routing key; opsgenie: API key; write it as ${VARIABLE}")
    secret: Secret | None = Field(None, description="webhook: signs each request; write it as ${VARIABLE}")
    template: str | None = Field(
        None, max_length=20_000, description="webhook: body in Jinja; the facts as JSON without it"
    )
    severity: Many[SeverityField] = Field(
        (), description="openings that it is told of, such as `[P1, P2]`; all without it, of `sms` P1"
    )
    fallback: Name | None = Field(None, description="channel that is told, too, when this one fails; else the console")
    per_hour: Count | None = Field(None, ge=1, description="so many messages an hour; what is over it is joined")

    @field_validator("template")
    @classmethod
    def _is_a_template(cls, value: str | None) -> str | None:
        try:
            jinja2.Environment().parse(value or "")
        except jinja2.TemplateSyntaxError as error:
            raise ValueError(f"expected a template in Jinja, line {error.lineno}: {error.message}") from error
        except RecursionError as error:
            raise ValueError("expected a template in Jinja, got one that is nested too deep") from error
        return value

    @model_validator(mode="after")
    def _has_only_keys_of_its_type(self) -> Self:
        keys = CHANNEL_KEYS[self.type]
        wrong = [key for key in _OWN if key in self.model_fields_set and key not in keys]
        if wrong:
            raise ValueError(f"key {wrong[0]!r} does not belong to type {self.type!r}, which has {', '.join(keys)}")
        if "url" in self.model_fields_set and "channel" in self.model_fields_set:
            raise ValueError("expected `url` (a webhook) or `channel` (the bot), got both")
        return self

    @property
    def settings(self) -> dict[str, str]:
        """Return what is written of the keys of its type, as texts."""
        said: dict[str, str] = {}
        for key in CHANNEL_KEYS[self.type]:
            value = getattr(self, key)
            if key in self.model_fields_set and value is not None:
                said[key] = ", ".join(value) if key == "to" else getattr(value, "get_secret_value", lambda v=value: v)()
        return said
