"""`type: mqtt`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from monitor.config.assertions import JsonRules
from monitor.config.checkbase import CheckBase
from monitor.config.endpoint import Host, Port, host_and_port
from monitor.config.fields import Number, OneLine, Regex, Secret
from monitor.model import Category


def _topic(value: str) -> str:
    levels = value.split("/")
    is_filter = all(level in ("+", "#") or not set(level) & set("+#") for level in levels) and "#" not in levels[:-1]
    if not value or "\0" in value or len(value.encode()) > 65535 or not is_filter:
        raise ValueError(f"expected a topic such as plant/+/status, got {value[:100]!r}")
    return value


def _short(value: str) -> str:
    if not 1 <= len(value.encode()) <= 65535:
        raise ValueError(f"expected 1 to 65535 bytes, got {len(value.encode())}")
    return value


class MqttCheck(CheckBase):
    """Log in to an MQTT broker, and wait for a message where a topic is given.

    MQTT 3.1.1 with a clean session, which every current broker speaks. With `topic` one of the messages that come
    before the deadline must hold, retained ones first; without expectations any message will do. None at all is
    FAIL/timeout, only others FAIL/content; at most 1 MB of them are read. Nothing is published.

    A refused login or subscription is FAIL/auth. Write the password as `${VARIABLE}`.
    """

    example: ClassVar[str] = """\
- name: plant's broker
  type: mqtt
  host: broker.example
  tls: true
  username: greenwall
  password: ${MQTT_PASSWORD:-example}
  topic: plant/line-1/status
  expect_jsonpath:
    - {path: $.running, equals: true}
"""
    trouble: ClassVar[Category] = Category.AVAILABILITY

    type: Literal["mqtt"]
    host: Host = Field(description="name or address of the broker")
    port: Port | None = Field(None, description="port; without it 1883, with `tls` 8883")
    tls: bool = Field(False, description="true: encrypt from the start (mqtts)")
    verify: bool = Field(True, description="tls: the certificate must be valid")
    ca_file: str | None = Field(None, description="tls: trust this CA bundle instead of the system's")
    server_name: Host | None = Field(None, description="tls: ask for and expect this name instead of `host`")
    username: Annotated[OneLine, AfterValidator(_short)] | None = Field(None, description="user name")
    password: Secret | None = Field(None, description="password; write it as `${VARIABLE}`")
    client_id: Annotated[OneLine, AfterValidator(_short)] | None = Field(
        None, description="client id; a new random one each time without it"
    )
    topic: Annotated[str, AfterValidator(_topic)] | None = Field(
        None, description="topic to subscribe to, `+` and `#` allowed; a message must come"
    )
    expect_contains: str | None = Field(None, min_length=1, description="text that must be in a message")
    expect_matches: Regex | None = Field(None, description="regular expression (RE2) that must match in a message")
    expect_jsonpath: JsonRules = Field((), description="rules on a message in JSON, all must hold")
    warn_ms: Number | None = Field(None, gt=0, description="slower, from look-up to the end, is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")

    @model_validator(mode="after")
    def _can_hold(self) -> MqttCheck:
        if self.password is not None and self.username is None:
            raise ValueError("expected `username` beside `password`: MQTT 3.1.1 has none alone")
        if self.topic is None and (self.expect_contains or self.expect_matches or self.expect_jsonpath):
            raise ValueError("expected `topic` beside what a message must hold, got none")
        return self

    @property
    def chosen_port(self) -> int:
        return self.port or (8883 if self.tls else 1883)

    @property
    def target(self) -> str:
        return host_and_port(self.host, self.chosen_port) + (f" {self.topic}" if self.topic else "")
