"""Blocks of `checks.yaml` about who is told and when: routes, on call, maintenance. Rules: see `ruleblock`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from monitor.config.fields import (
    Block,
    ClockTime,
    Days,
    Duration,
    Many,
    Name,
    Texts,
    TimeZone,
    Wait,
)
from monitor.config.matching import Match, Severities
from monitor.model import Severity
from monitor.occurrence import WEEK, DayTimes
from monitor.oncall import Instead, OnCall
from monitor.units import LATEST_YEAR
from monitor.windows import CronWindow, OnceWindow, Stretch, WeeklyWindow, Window


def _cron(value: str) -> str:
    try:
        CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        raise ValueError(f"expected a cron expression such as 0 3 * * 0, got {value!r}: {error}") from error
    return value


def _moment(value: object) -> object:
    """Return a moment; one without a zone is refused, because nobody could say when it is."""
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise ValueError(f"expected a time such as 2026-12-01T20:00:00+01:00, got {value!r}") from error
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError(f"expected a time with its zone such as 2026-12-01T20:00:00+01:00, got {value!s}")
    # At the ends of the calendar, zones have no time to show for it.
    if not 1 < value.year < LATEST_YEAR:
        raise ValueError(f"expected a time before the year {LATEST_YEAR}, got {value!s}")
    return value.astimezone(UTC)


def _handover(value: str) -> str:
    day, _, time = value.strip().lower().partition(" ")
    if day not in WEEK:
        raise ValueError(f"expected a day and a time such as mon 09:00, got {value!r}")
    return f"{day} {time.strip()}"


Cron = Annotated[str, AfterValidator(_cron)]
Moment = Annotated[datetime, BeforeValidator(_moment)]
GroupKey = Literal["name", "group", "tag", "severity", "type", "category", "owner"]


class Hours(Block):
    """A part of the week, such as `{days: mon-fri, from: "09:00", to: "17:00"}`."""

    days: Days = Field((), description="days on which it begins; all without it")
    begins: ClockTime = Field(alias="from", description='time of day, such as "09:00"')
    ends: ClockTime = Field(alias="to", description="time of day; when it is not after `from`, of the next day")
    timezone: TimeZone | None = Field(None, description="zone of these times; without it `global:`'s")

    def window(self, timezone: str) -> WeeklyWindow:
        return WeeklyWindow.of(self.days, self.begins, self.ends, self.timezone or timezone)


ManyHours = Many[Hours]


class EscalationBlock(Block):
    """One step: who is told, too, when nobody has acknowledged an alert after a time."""

    after: Duration = Field(description="time since the alert opened")
    channels: Texts = Field(description="channels, or names of `on_call:`")
    hours: ManyHours = Field((), description="only then; a step that falls outside waits for the next beginning")


class RouteBlock(Block):
    """Who is told of which alerts. The first route that fits is taken; `continue: true` asks those below it, too."""

    name: Name = Field(description="unique; shown with every alert that took it")
    match: Match = Field(Match.model_construct(), description="which alerts; all without it")
    hours: ManyHours = Field((), description="when the route holds; always without it")
    channels: Texts = Field(description="channels, or names of `on_call:`")
    group_by: tuple[GroupKey, ...] = Field((), description="only alerts that are alike in these are joined")
    group_wait: Wait = Field(10.0, description="what follows the first message within this time is joined in one")
    group_interval: Wait = Field(60.0, description="least time between the messages after that")
    repeat_interval: Duration | None = Field(
        None, description="tells again while nobody acknowledges; never without it"
    )
    escalate: Many[EscalationBlock] = Field((), description="who is told, too, when nobody acknowledges")
    quiet: ManyHours = Field(
        (), description="then openings wait for the end and come as one message; reminders and escalations rest"
    )
    loud: Severities = Field((Severity.P1,), description="severities that quiet hours do not hold back")
    goes_on: bool = Field(False, alias="continue", description="routes below it are asked, too")

    @field_validator("name")
    @classmethod
    def _can_be_told_from_its_groups(cls, name: str) -> str:
        if "|" in name:
            raise ValueError(f"expected a name without `|`, got {name!r}")
        return name


class InsteadBlock(Block):
    person: Name = Field(description="who is on call then")
    begins: Moment = Field(alias="from", description="with its zone, such as 2026-12-24T09:00:00+01:00")
    ends: Moment = Field(alias="until", description="with its zone")

    @model_validator(mode="after")
    def _lasts(self) -> Self:
        if self.ends <= self.begins:
            raise ValueError("expected `until` after `from`")
        return self


class OnCallBlock(Block):
    """A weekly rota. Its name stands for the channels of whoever is on call."""

    name: Name = Field(description="unique; what routes and checks name like a channel")
    people: dict[str, Texts] = Field(min_length=1, description="each person's channels")
    rota: tuple[Name, ...] = Field(min_length=1, description="people in their order, a week each")
    begins: date = Field(description="a day in the first person's week, such as 2026-01-05")
    handover: Annotated[str, AfterValidator(_handover)] = Field("mon 09:00", description="day and time of the change")
    timezone: TimeZone | None = Field(None, description="zone of the handover; without it `global:`'s")
    instead: Many[InsteadBlock] = Field((), description="who stands in for a time")

    @model_validator(mode="after")
    def _knows_everybody(self) -> Self:
        for person in (*self.rota, *(one.person for one in self.instead)):
            if person not in self.people:
                raise ValueError(f"{person!r} is not among people: {', '.join(self.people)}")
        return self

    def plan(self, timezone: str) -> OnCall:
        day, time = self.handover.split(" ")
        handover = DayTimes.of((time,), (day,), self.timezone or timezone)
        instead = tuple(Instead(one.person, Stretch(one.begins, one.ends)) for one in self.instead)
        return OnCall(self.name, self.rota, handover, self.begins, instead)


class MaintenanceBlock(Block):
    """Planned work: once (`from`, `until`), weekly (`hours`) or by `cron` and `lasts`.

    Nobody is told of what opens then; its time counts as maintenance, not as down.
    """

    name: Name = Field(description="unique; shown as the reason")
    match: Match = Field(Match.model_construct(), description="which checks; all without it")
    begins: Moment | None = Field(None, alias="from", description="with its zone, such as 2026-12-01T20:00:00+01:00")
    ends: Moment | None = Field(None, alias="until", description="with its zone")
    hours: ManyHours = Field((), description='weekly, such as `{days: sun, from: "03:00", to: "05:00"}`')
    cron: Cron | None = Field(None, description="when it begins, such as `0 3 1 * *`; `lasts` says how long")
    lasts: Duration | None = Field(None, description="how long after each time of `cron`")
    timezone: TimeZone | None = Field(None, description="zone of `cron`; without it `global:`'s")
    note: str = Field("", max_length=500, description="what is done; shown with the reason")

    @model_validator(mode="after")
    def _has_one_plan(self) -> Self:
        once = self.begins is not None or self.ends is not None
        if sum((once, bool(self.hours), self.cron is not None)) != 1:
            raise ValueError("expected one of `from` with `until`, `hours`, and `cron` with `lasts`")
        if once and (self.begins is None or self.ends is None or self.ends <= self.begins):
            raise ValueError("expected `from` and a later `until`")
        if (self.cron is None) != (self.lasts is None):
            raise ValueError("expected `cron` and `lasts` together")
        return self

    def windows(self, timezone: str) -> tuple[Window, ...]:
        if self.begins and self.ends:
            return (OnceWindow(Stretch(self.begins, self.ends)),)
        if self.cron and self.lasts:
            return (CronWindow(self.cron, timedelta(seconds=self.lasts), ZoneInfo(self.timezone or timezone)),)
        return tuple(one.window(self.timezone or timezone) for one in self.hours)
