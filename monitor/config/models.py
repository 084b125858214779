"""The shape of `checks.yaml`: the file and its blocks beside the checks, every key documented here.

The descriptions become the JSON Schema for editors and the tables of the README. Models are frozen;
`Config` as validated still has defaults where a check leaves a key to `global:`; `loading` fills those in.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from monitor.config.fields import Block, Count, Duration, Name, Number, SeverityField, TimeZone, WebUrl
from monitor.config.kinds import Check
from monitor.model import Event, Severity


class Thresholds(Block):
    api_warn_ms: Number | None = Field(None, gt=0, description="an http answer slower than this is WARN")
    api_crit_ms: Number | None = Field(None, gt=0, description="an http answer slower than this is FAIL")


class General(Block):
    """`global:`: what holds for every check that does not say otherwise."""

    every: Duration = Field(30.0, description="how often a check runs")
    timeout: Duration = Field(10.0, description="one deadline over the whole probe")
    retries: Count = Field(2, le=20, description="more probes that must agree before it gets worse (FAIL or WARN)")
    retry_backoff_s: Duration = Field(5.0, description="wait before each of those probes")
    thresholds: Thresholds = Field(Thresholds(), description="latency limits of http checks")
    severity: SeverityField = Field(Severity.P3, description="how much a failure matters")
    notify_on: tuple[Event, ...] = Field(tuple(Event), description="what is sent")
    channels: tuple[str, ...] | None = Field(
        None, description="who is told; without it every configured channel, or the console"
    )
    timezone: TimeZone = Field("UTC", description="zone of times on pages and of `success_by`")
    wall_url: WebUrl | None = Field(None, description="address of the wall, for links in messages")
    allow_commands: bool = Field(False, description="checks of type `command` may run programs on this machine")
    workers: Count = Field(32, ge=1, le=1024, description="how many probes run at once")
    retention_days: Count = Field(90, ge=1, description="results older than this are deleted")


class ChannelBlock(Block):
    """A further channel, beside those that the environment configures by itself."""

    name: Name = Field(description="unique; what checks refer to")
    type: Literal["email", "telegram", "slack", "discord", "teams", "webhook", "apprise"]
    url: str | None = Field(None, description="webhook or apprise URL; write it as ${VARIABLE}")
    to: tuple[str, ...] = Field((), description="email: recipients")


class DiagnosisBlock(Block):
    """`diagnosis:`: the model that explains failures. Its key is OPENAI_API_KEY, never in the file."""

    model: str = Field("gpt-5-mini", description="model name, as the endpoint knows it")
    timeout: Duration = Field(60.0, description="the whole answer must be there by then")


class Config(Block):
    """`checks.yaml`."""

    general: General = Field(General(), alias="global", description="defaults for all checks")
    demo: bool = Field(False, description="start the bundled demo service and set MOCKAPP_BASE to it")
    demo_port: Count = Field(8000, ge=1, le=65535, description="port of the demo service; a free one if taken")
    channels: tuple[ChannelBlock, ...] = Field((), description="further channels")
    diagnosis: DiagnosisBlock = Field(DiagnosisBlock(), description="the model that explains failures")
    checks: tuple[Check, ...] = Field((), description="what is watched")
