"""The shape of `checks.yaml`: the file and its blocks beside the checks, every key documented here.

The descriptions become the JSON Schema for editors and the tables of the README. Models are frozen;
`Config` as validated still has defaults where a check leaves a key to `global:`; `loading` fills those in.
"""

from __future__ import annotations

from typing import Any

from pydantic import Field

from monitor.config.alerting import MaintenanceBlock, OnCallBlock, RouteBlock
from monitor.config.channelblock import ChannelBlock
from monitor.config.checkbase import Policy
from monitor.config.fields import Block, Count, Duration, Many, Name, Number, SeverityField, TimeZone, WebUrl
from monitor.config.kinds import Check
from monitor.config.remedies import ActionType
from monitor.config.ruleblock import RuleBlock
from monitor.config.schema import with_borrowing
from monitor.model import Severity


class Thresholds(Block):
    api_warn_ms: Number | None = Field(None, gt=0, description="an http answer slower than this is WARN")
    api_crit_ms: Number | None = Field(None, gt=0, description="an http answer slower than this is FAIL")


class General(Policy):
    """`global:`: what holds for every check that does not say otherwise."""

    thresholds: Thresholds = Field(Thresholds.model_construct(), description="latency limits of http checks")
    timezone: TimeZone = Field("UTC", description="zone of times on pages and of `success_by`")
    wall_url: WebUrl | None = Field(None, description="address of the wall, for links in messages")
    allow_commands: bool = Field(False, description="checks of type `command` may run programs on this machine")
    remedies: Many[ActionType] = Field(("http_post",), description="types of `on_fail.actions` that may run")
    remedies_per_hour: Count = Field(20, ge=1, le=1000, description="runs of all remedies in an hour at most")
    remedies_per_group: Count = Field(
        3, ge=1, le=1000, description="different targets of one group that remedies may act on in an hour at most"
    )
    connections: Count = Field(2000, ge=1, le=20_000, description="how many http checks are on their way at once")
    workers: Count = Field(256, ge=1, le=2048, description="how many checks of the other kinds run at once")
    retention_days: Count = Field(90, ge=1, description="results older than this are deleted")
    longest_silence: Duration = Field(7 * 86400.0, description="a silence that people make lasts at most this long")


class VantageBlock(Block):
    """`vantage:`: how Greenwall tells its own blindness from the failure of what it watches.

    When every sentinel and at least `share` of the other checks of the network get no answer at once, it is
    Greenwall's own network: their verdicts are UNKNOWN/vantage, no downtime is booked, no alert opens for them, and one
    message says that Greenwall cannot see. It ends when any sentinel answers again, and they are looked at anew.
    A failure without an answer is believed only after a fresh look at the sentinels: they should answer within
    milliseconds while all is well (the gateway, the resolver, an address that is always there).
    """

    sentinels: Many[Name] = Field(min_length=1, description="names of checks that are Greenwall's own eyesight")
    share: Number = Field(0.5, gt=0, le=1, description="so many of the other checks must fail at once, 0 to 1")
    within: Duration = Field(60.0, description="at once means within this time; a failure is held back no longer")
    severity: SeverityField = Field(Severity.P2, description="how much it matters that Greenwall cannot see")


class DiagnosisBlock(Block):
    """`diagnosis:`: the model that explains failures. Its key is OPENAI_API_KEY, never in the file."""

    model: str = Field("gpt-5-mini", description="model name, as the endpoint knows it")
    timeout: Duration = Field(60.0, description="the whole answer must be there by then")


class Config(Block):
    """`checks.yaml`."""

    general: General = Field(General.model_construct(), alias="global", description="defaults for all checks")
    demo: bool = Field(False, description="start the bundled demo service and set MOCKAPP_BASE to it")
    demo_port: Count = Field(8000, ge=1, le=65535, description="port of the demo service; a free one if taken")
    channels: tuple[ChannelBlock, ...] = Field((), description="further channels")
    routes: tuple[RouteBlock, ...] = Field((), description="who is told of which alerts; everybody of all without it")
    on_call: tuple[OnCallBlock, ...] = Field((), description="weekly rotas")
    maintenance: tuple[MaintenanceBlock, ...] = Field((), description="planned work")
    rules: tuple[RuleBlock, ...] = Field((), description="alerts on facts of checks, beside their verdicts")
    diagnosis: DiagnosisBlock = Field(DiagnosisBlock.model_construct(), description="the model that explains failures")
    vantage: VantageBlock | None = Field(None, description="how Greenwall notices that it cannot see")
    include: Many[str] = Field(
        (), description="files with more checks: a file, a folder or a pattern such as `checks.d/*.yaml`, or a list"
    )
    defaults: dict[str, Any] = Field(
        default_factory=dict, description="keys for all checks (`all:`) and for those of a type (`http:`)"
    )
    templates: dict[str, Any] = Field(default_factory=dict, description="named blocks of keys, which checks `use`")
    checks: tuple[Check, ...] = Field((), description="what is watched")

    @classmethod
    def model_json_schema(cls, *args: Any, **options: Any) -> dict[str, Any]:
        """Return the schema of the file, with what checks may borrow."""
        return with_borrowing(super().model_json_schema(*args, **options))
