"""Bodies of `POST /api/v1/alerts`: what an application says of its trouble, to reports. Everything is made plain.

{title, message, type, resource, severity, …}                          an alert as it is
{metric_name, current_value, threshold_value, resource, percentile}    a figure: priority and advice are worked out
{error_type, error_message, stack_trace, source, …}                    an error in an application
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from monitor.alerts import Report
from monitor.alerts.recommend import advised
from monitor.alerts.reports import TTL_S, application_error_report, harmless, performance_report, system_report
from monitor.model import Category, Severity
from monitor.units import parse_duration, plain, to_rfc3339
from monitor.web.bodies import SeverityWord

MOST = 500
_MOST_METADATA, _TEXT = 200, 4000
_LONGEST_TTL_S = 366 * 86_400.0
Redact = Callable[[str], str]


def _category(value: object) -> Category:
    known = {one.value: one for one in Category}
    if not isinstance(value, str) or value.upper() not in known:
        raise ValueError(f"expected {', '.join(known)}")
    return known[value.upper()]


def _duration(value: object) -> float:
    if not isinstance(value, (str, int, float)):
        raise ValueError("expected a duration such as 30s or 5m")
    seconds = parse_duration(value)
    if not 0 < seconds <= _LONGEST_TTL_S:
        raise ValueError("expected more than nothing and at most 366 days")
    return seconds


def _says_something(value: str) -> str:
    if not plain(value):
        raise ValueError("expected something that can be seen")
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _in_calendar(value: datetime) -> datetime:
    try:
        to_rfc3339(value if value.tzinfo else value.replace(tzinfo=UTC))
    except OverflowError as error:
        raise ValueError("expected a time from the year 1 to 9999 in UTC") from error
    return value


Line = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_says_something)]
Lines = Annotated[tuple[Annotated[str, Field(max_length=1000)], ...], BeforeValidator(_one_or_many)]
Names = Annotated[tuple[Line, ...], BeforeValidator(_one_or_many), Field(max_length=50)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Duration = Annotated[float, BeforeValidator(_duration)]
URL = r"^https?://[^\s/]+(?:/\S*)?$"
Url = Annotated[str, Field(max_length=2000, pattern=URL)]


class ReportBody(BaseModel):
    """What every form may say."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    resource: Line | None = None
    severity: SeverityWord | None = None
    category: Annotated[Category, BeforeValidator(_category)] | None = None
    metadata: dict[str, Any] = Field(default_factory=dict, max_length=_MOST_METADATA)
    recommendations: Annotated[Lines, Field(max_length=20)] = ()
    related_logs: str | None = Field(None, max_length=2000)
    affected_users: int | None = Field(None, ge=0, le=10**12)
    runbook: Url | None = None
    owner: Line | None = None
    group: str = Field("", max_length=120)
    tags: Names = ()
    channels: Names | None = None
    ttl: Duration | None = None
    status: Literal["firing", "resolved"] = "firing"
    starts_at: Annotated[datetime, AfterValidator(_in_calendar)] | None = None

    def identity(self) -> tuple[str, str]:
        """Return the type and the resource: what is the same alert."""
        raise NotImplementedError

    def report(self, redact: Redact) -> Report:
        """Return the report, with advice."""
        raise NotImplementedError

    def more(self, redact: Redact) -> dict[str, Any]:
        """Return what any report may say beside its figures."""
        metadata = harmless(self.metadata, lambda text: plain(redact(text), _TEXT))
        if self.starts_at:
            metadata |= {"starts_at": to_rfc3339(self.starts_at) if self.starts_at.tzinfo else str(self.starts_at)}
        said: dict[str, Any] = {
            "metadata": metadata,
            "recommendations": tuple(plain(redact(one), 1000) for one in self.recommendations),
            "related_logs": plain(redact(self.related_logs), 2000) if self.related_logs else None,
            "runbook": self.runbook,
            "owner": plain(self.owner, 120) if self.owner else None,
            "group": plain(self.group, 120),
            "tags": tuple(plain(tag, 120) for tag in self.tags),
            "channels": self.channels,
            "ttl_s": self.ttl or TTL_S,
        }
        worked_out = {"severity": self.severity, "category": self.category}
        return said | {key: value for key, value in worked_out.items() if value is not None}


class AlertReport(ReportBody):
    """An alert as it is."""

    title: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_says_something)]
    message: str = Field("", max_length=_TEXT)
    type: Line
    resource: Line

    def identity(self) -> tuple[str, str]:
        return plain(self.type, 120), plain(self.resource, 120)

    def report(self, redact: Redact) -> Report:
        type_, resource = self.identity()
        report = Report(
            type=type_,
            resource=resource,
            title=plain(redact(self.title), 200),
            message=plain(redact(self.message), 2000),
            severity=Severity.P3,
            category=Category.APPLICATION,
            affected_users=self.affected_users,
        )
        return advised(replace(report, **self.more(redact)))


class FigureReport(ReportBody):
    """A figure beyond its threshold. With a percentile, or category PERFORMANCE, it is one of performance."""

    metric_name: Line
    current_value: Finite
    threshold_value: Finite
    resource: Line
    percentile: str | None = Field(None, max_length=20)

    def identity(self) -> tuple[str, str]:
        return plain(self.metric_name, 120), plain(self.resource, 120)

    def report(self, redact: Redact) -> Report:
        figures = (self.metric_name, self.current_value, self.threshold_value, self.resource)
        more = self.more(redact) | {"affected_users": self.affected_users}
        if self.percentile or self.category is Category.PERFORMANCE:
            return performance_report(*figures, percentile=self.percentile, **more)
        return system_report(*figures, **more)


class ErrorReport(ReportBody):
    """An error in an application; its resource is its source."""

    error_type: Line
    error_message: str = Field("", max_length=_TEXT)
    stack_trace: str | None = Field(None, max_length=100_000)
    source: Line = "application"
    affected_endpoint: str | None = Field(None, max_length=500)
    error_count: int = Field(1, ge=1, le=10**12)

    def identity(self) -> tuple[str, str]:
        return plain(self.error_type, 120), plain(self.resource or self.source, 120)

    def report(self, redact: Redact) -> Report:
        return application_error_report(
            self.error_type,
            redact(self.error_message),
            redact(self.stack_trace) if self.stack_trace else None,
            self.resource or self.source,
            self.affected_endpoint,
            self.affected_users,
            self.error_count,
            **self.more(redact),
        )


def form_of(body: object) -> type[ReportBody]:
    """Return the form that these keys are meant to be."""
    keys = body if isinstance(body, dict) else {}
    if "metric_name" in keys:
        return FigureReport
    return ErrorReport if "error_type" in keys else AlertReport
