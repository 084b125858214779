"""Bodies of the command requests: seed 0's arguments, validated whole."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.model import Severity


def _severity(value: object) -> Severity:
    if not isinstance(value, str):
        raise ValueError("expected a severity such as P1 or critical")
    return Severity.parse(value)


SeverityWord = Annotated[Severity, BeforeValidator(_severity)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)


class HealthCheckBody(Body):
    """`endpoints`: URLs to check now; without them every http check of the configuration."""

    endpoints: list[Annotated[str, Field(max_length=2000, pattern=r"^https?://\S+$")]] | None = Field(
        None, max_length=50
    )
    timeout_seconds: float = Field(10.0, gt=0, le=60)


class DiagnoseBody(Body):
    service_name: str = Field(min_length=1, max_length=200)
    lookback_minutes: float = Field(60, gt=0, le=60 * 24 * 30)


class AlertBody(Body):
    service_name: str = Field(min_length=1, max_length=120)
    severity: SeverityWord = Severity.P3
    message: str = Field(min_length=1, max_length=2000)
    channels: list[str] | None = Field(None, max_length=20)


class StatusReportBody(Body):
    """Days are whole UTC days; without them the last 24 hours."""

    start_date: date | None = None
    end_date: date | None = None
    services: list[str] | None = None
