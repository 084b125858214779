"""What every check has, whatever it looks at; each kind is a `CheckBase` in a file of `kinds/`."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from monitor.config.fields import Block, Count, Duration, Name, SeverityField, WebUrl
from monitor.model import Category, Event, Severity


class HttpPost(Block):
    """A remedy: POST to a URL once a failure is confirmed."""

    type: Literal["http_post"]
    url: WebUrl = Field(description="where to POST")
    payload: Any = Field(None, description="JSON body; none is sent without it")
    headers: dict[str, str] = Field(default_factory=dict, description="headers to send")
    timeout: Duration = Field(10.0, description="give up after this long")
    cooldown: Duration = Field(300.0, description="least time between two runs for one check")


class OnFail(Block):
    actions: tuple[HttpPost, ...] = Field((), description="remedies to try when a failure is confirmed")
    notify: tuple[Event, ...] = Field((), description="more events to send, besides `notify_on`")


class CheckBase(Block):
    """Keys that every check has. What the file leaves out is taken from `global:` when it is read.

    A kind overrides the class variables: `example` is YAML of one check of it (README and the tests use it), and
    `trouble` the category of its failures.
    """

    example: ClassVar[str] = ""
    trouble: ClassVar[Category] = Category.APPLICATION

    # Each kind narrows it to its own word.
    type: str = Field(description="what kind of check it is")
    name: Name = Field(description="unique; what the wall shows")
    group: Name = Field("Services", description="cards of one group stand together")
    tags: tuple[str, ...] = Field((), description="words to search and filter by")
    severity: SeverityField = Field(Severity.P3, description="P1 to P4, or critical, high, medium, low")
    category: Category | None = Field(None, description="kind of trouble; chosen by the check's type without it")
    every: Duration = Field(30.0, description="how often it runs")
    timeout: Duration = Field(10.0, description="one deadline over the whole probe")
    retries: Count = Field(2, le=20, description="more probes that must agree before it gets worse (FAIL or WARN)")
    retry_backoff_s: Duration = Field(5.0, description="wait before each of those probes")
    notify_on: tuple[Event, ...] = Field(tuple(Event), description="what is sent")
    channels: tuple[str, ...] | None = Field(None, description="names of channels that are told")
    on_fail: OnFail = Field(OnFail(), description="what to do when a failure is confirmed")
    runbook: WebUrl | None = Field(None, description="link shown with every alert")
    enabled: bool = Field(True, description="false: known, but not checked")

    @property
    def target(self) -> str:
        """What it looks at, as the file has it: a URL, `host:port`, a path. It may hold secrets: show it redacted."""
        return ""

    @property
    def events(self) -> tuple[Event, ...]:
        """What is sent: `notify_on` and `on_fail.notify` together."""
        return tuple(dict.fromkeys((*self.notify_on, *self.on_fail.notify)))
