"""What every check has, whatever it looks at; each kind is a `CheckBase` in a file of `kinds/`."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from pydantic import AliasChoices, ConfigDict, Field, model_validator

from monitor.config.fields import (
    Block,
    ClockTimes,
    Count,
    Days,
    Duration,
    Many,
    Name,
    Percent,
    SeverityField,
    TimeZone,
    WebUrl,
)
from monitor.config.remedies import OnFail
from monitor.model import Category, Event, Severity, Subject
from monitor.occurrence import DayTimes
from monitor.units import format_duration


def _with_older_name(schema: dict[str, Any]) -> None:
    """Let the JSON Schema accept `retry_backoff_s`, too."""
    wait = schema["properties"]["retry_interval"]
    schema["properties"]["retry_backoff_s"] = wait | {"title": "Retry Backoff S", "deprecated": True}


class Policy(Block):
    """How often a check runs, when it is believed and who is told: `global:` says it for all, a check for itself."""

    model_config = ConfigDict(json_schema_extra=_with_older_name)

    every: Duration = Field(30.0, description="how often a check runs")
    timeout: Duration = Field(10.0, description="one deadline over the whole probe")
    retries: Count = Field(2, le=20, description="more probes that must agree before it gets worse (FAIL or WARN)")
    retry_interval: Duration = Field(
        5.0,
        # Files from before it had this name hold as they are.
        validation_alias=AliasChoices("retry_interval", "retry_backoff_s"),
        description="wait before each of those probes; `retry_backoff_s` is its older name",
    )
    fail_after: Count = Field(1, ge=1, le=100, description="rounds in a row that must fail before a check is FAIL")
    recover_after: Count = Field(1, ge=1, le=100, description="rounds in a row that must be well before FAIL is over")
    flap_detection: bool = Field(True, description="a check that flaps is one alert, told once, until it is stable")
    flap_low: Percent = Field(20.0, description="percent of change below which a check no longer flaps")
    flap_high: Percent = Field(30.0, description="percent of change from which on a check flaps")
    severity: SeverityField = Field(
        Severity.P3, description="how much a failure matters: P1 to P4, or critical, high, medium, low"
    )
    notify_on: Many[Event] = Field(
        (Event.FIRST_FAIL, Event.RECOVERED, Event.DEADLINE_MISS),
        description="what is sent: `first_fail`, `recovered`, `deadline_miss`, `warn`",
    )
    channels: Many[str] | None = Field(
        None, description="names of channels that are told; without it every configured one, or the console"
    )

    @property
    def retry_backoff_s(self) -> float:
        """The older name of `retry_interval`."""
        return self.retry_interval


class CheckBase(Policy):
    """Keys that every check has. What the file leaves out is taken from `global:` when it is read.

    A kind overrides the class variables: `example` is YAML of one check of it (README and the tests use it), and
    `trouble` the category of its failures. `reaches_out`: the network stands between Greenwall and what it looks at.
    `is_computed`: it is judged from other checks, whose verdicts are confirmed already. `has_clock`: it knows times of
    its own, so that `timezone` stands without `at`, too.
    """

    example: ClassVar[str] = ""
    trouble: ClassVar[Category] = Category.APPLICATION
    reaches_out: ClassVar[bool] = True
    is_computed: ClassVar[bool] = False
    has_clock: ClassVar[bool] = False

    # Each kind narrows it to its own word.
    type: str = Field(description="what kind of check it is")
    name: Name = Field(description="unique; what the wall shows")
    group: Name = Field("Services", description="cards of one group stand together")
    tags: Many[str] = Field((), description="words to search and filter by")
    category: Category | None = Field(None, description="kind of trouble; chosen by the check's type without it")
    at: ClockTimes = Field((), description='instead of `every`: the time of day, or a list of them, such as "07:30"')
    days: Days = Field((), description="days of `at`, such as `mon-fri`, `weekend` or `[mon, thu]`; all without it")
    timezone: TimeZone | None = Field(None, description="zone of `at`; without it `global:`'s")
    depends_on: Many[Name] = Field((), description="checks without which this one cannot be well")
    on_fail: OnFail = Field(OnFail.model_construct(), description="what to do when a failure is confirmed")
    runbook: WebUrl | None = Field(None, description="link shown with every alert")
    owner: Name | None = Field(None, description="who to ask: a person or a team, shown with every alert")
    enabled: bool = Field(True, description="false: known, but not checked")

    @model_validator(mode="after")
    def _runs_every_or_at(self) -> Self:
        written = self.model_fields_set
        if self.at and "every" in written:
            raise ValueError("expected one of every and at, got both")
        alone = [key for key in ("days", "timezone") if key in written and not (key == "timezone" and self.has_clock)]
        if alone and not self.at:
            raise ValueError(f"{alone[0]}: expected `at` beside it, got none")
        return self

    def times(self, timezone: str) -> DayTimes | None:
        """Return its times of day, in `timezone` unless it names its own; None when it runs every so often."""
        return DayTimes.of(self.at, self.days, self.timezone or timezone) if self.at else None

    @property
    def interval_s(self) -> float:
        """The time from one turn to the next; of times of day the longest."""
        times = self.times("UTC")
        return times.longest_s if times else self.every

    @property
    def schedule(self) -> str:
        """When it runs: `every 30 s`, `at 07:30 mon-fri`, with its zone if it names one."""
        times = self.times("UTC")
        if times is None:
            return f"every {format_duration(self.every)}"
        return f"{times.words}, {self.timezone}" if self.timezone else times.words

    @property
    def target(self) -> str:
        """What it looks at, as the file has it: a URL, `host:port`, a path. It may hold secrets: show it redacted."""
        return ""

    @property
    def subject(self) -> Subject:
        """What routes, rules and silences look at."""
        category = self.category or self.trouble
        return Subject(self.name, self.type, self.group, self.tags, self.severity, category, self.owner or "")

    @property
    def events(self) -> tuple[Event, ...]:
        """What is sent: `notify_on` and `on_fail.notify` together."""
        return tuple(dict.fromkeys((*self.notify_on, *self.on_fail.notify)))
