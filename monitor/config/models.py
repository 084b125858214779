"""The shape of `checks.yaml`: one pydantic model per block, every key documented here.

The descriptions become the JSON Schema for editors and the tables of the README. Models are frozen;
`Config` as validated still has `None` where a check leaves a key to `global:`; `loading` fills those in.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from monitor.config.jsonpath import compile_path
from monitor.model import Category, Event, Severity
from monitor.units import parse_duration

# Nothing is waited for longer than a year.
LONGEST_S = 366 * 86400.0


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"expected a number, got {str(value).lower()}")
    return value


def _duration(value: object) -> float:
    if not isinstance(value, (str, int, float)):
        raise ValueError(f"expected a duration such as 30s or 5m, got {value!r}")
    seconds = parse_duration(value)
    if not seconds <= LONGEST_S:
        raise ValueError(f"expected at most 366 days, got {value!r}")
    return seconds


def _severity(value: object) -> Severity:
    return value if isinstance(value, Severity) else Severity.parse(str(value))


def _time_zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"expected an IANA time zone such as Asia/Kolkata or UTC, got {value!r}") from error
    return value


def _one_or_many(value: object) -> object:
    return (value,) if isinstance(value, (int, str)) else value


def _web_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(?:/\S*)?", value, re.IGNORECASE):
        raise ValueError(f"expected a URL such as http://host/path, got {value!r}")
    return value


def _clock_time(value: str) -> str:
    if not re.fullmatch(r"(?:[01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError(f'expected a time of day such as "07:30", got {value!r}')
    return value


def _json_path(value: str) -> str:
    compile_path(value)
    return value


def _name(value: str) -> str:
    if not value.strip() or value != value.strip() or not value.isprintable() or len(value) > 120:
        raise ValueError(f"expected 1 to 120 printable characters with no space around, got {value!r}")
    return value


_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w)?\s*)+$"},
    ],
    "examples": ["30s", "5m", 30],
}
_SEVERITY_SCHEMA = {
    "type": "string",
    "enum": ["P1", "P2", "P3", "P4", "critical", "high", "medium", "low"],
}

Duration = Annotated[float, BeforeValidator(_duration), Field(gt=0), WithJsonSchema(_DURATION_SCHEMA)]
Number = Annotated[float, BeforeValidator(_not_bool), Field(allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_not_bool), Field(ge=0)]
Percent = Annotated[float, BeforeValidator(_not_bool), Field(gt=0, le=100)]
SeverityField = Annotated[Severity, BeforeValidator(_severity), WithJsonSchema(_SEVERITY_SCHEMA)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
ClockTime = Annotated[str, AfterValidator(_clock_time)]
Name = Annotated[str, AfterValidator(_name)]
JsonPath = Annotated[str, AfterValidator(_json_path)]
HttpCode = Annotated[int, BeforeValidator(_not_bool), Field(ge=100, le=599)]


_CODES_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "array", "items": {"type": "integer", "minimum": 100, "maximum": 599}},
    ]
}
HttpCodes = Annotated[tuple[HttpCode, ...], BeforeValidator(_one_or_many), WithJsonSchema(_CODES_SCHEMA)]


class Block(BaseModel):
    """A block of the file: unknown keys are errors, values do not change once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


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
    workers: Count = Field(32, ge=1, le=1024, description="how many probes run at once")
    retention_days: Count = Field(90, ge=1, description="results older than this are deleted")


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
    """Keys that every check has. What the file leaves out is taken from `global:` when it is read."""

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
    def events(self) -> tuple[Event, ...]:
        """What is sent: `notify_on` and `on_fail.notify` together."""
        return tuple(dict.fromkeys((*self.notify_on, *self.on_fail.notify)))


JSON_PREDICATES = ("equals", "not_equals", "lt", "le", "gt", "ge")


class JsonRule(Block):
    """One JSONPath and what its value must be. No match, or a value of the wrong type, is a failure."""

    path: JsonPath = Field(description="JSONPath, `$` is the root")
    equals: Any = Field(None, description="equal value of the same JSON type")
    not_equals: Any = Field(None, description="any other value; still needs a match")
    lt: Number | None = Field(None, description="less than")
    le: Number | None = Field(None, description="at most")
    gt: Number | None = Field(None, description="greater than")
    ge: Number | None = Field(None, description="at least")

    @cached_property
    def limits(self) -> dict[str, Any]:
        """Predicates that the file names, `equals: null` included."""
        return {key: getattr(self, key) for key in JSON_PREDICATES if key in self.model_fields_set}

    @model_validator(mode="after")
    def _has_a_limit(self) -> JsonRule:
        if not self.limits:
            raise ValueError(f"expected one of {', '.join(JSON_PREDICATES)} beside path {self.path!r}")
        return self


Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class HttpCheck(CheckBase):
    """Ask a URL and judge the answer."""

    type: Literal["http"]
    url: WebUrl = Field(description="what to ask for")
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = Field(
        "GET", description="HTTP method"
    )
    headers: dict[str, str] = Field(default_factory=dict, description="headers to send")
    body: str | None = Field(None, description="body to send")
    expect_status: HttpCodes = Field((), description="accepted status code or codes; without it any of 200 to 299")
    expect_jsonpath: tuple[JsonRule, ...] = Field((), description="rules on the JSON answer, all must hold")
    warn_ms: Number | None = Field(None, gt=0, description="slower is WARN")
    crit_ms: Number | None = Field(None, gt=0, description="slower is FAIL")
    follow_redirects: bool = Field(True, description="go where a 3xx points, at most 5 hops")
    verify: bool = Field(True, description="https: the certificate must be valid")
    ca_file: str | None = Field(None, description="https: trust this CA bundle instead of the system's")
    max_body_bytes: Count = Field(1_000_000, ge=1, description="a longer decoded body is cut; rules on it fail")


class JobCheck(CheckBase):
    """Follow the latest run of a batch job by its status URL."""

    type: Literal["job"]
    status_url: str = Field(description="URL with `{job_id}`; answers JSON with `status`")
    job_id_file: str = Field(".last_job_id", description="file that holds the latest id, read anew each time")
    success_by: ClockTime | None = Field(None, description='today\'s run must have succeeded by "HH:MM"')
    minutes_after_start: Number | None = Field(None, gt=0, description="must succeed within this many minutes")


class HostCheck(CheckBase):
    """Measure the machine that Greenwall runs on."""

    type: Literal["host"]
    metric: Literal["cpu", "memory", "disk"] = Field(description="what to measure, in percent used")
    path: str = Field("/", description="disk: any path on the file system")
    warn_percent: Percent | None = Field(None, description="above is WARN")
    crit_percent: Percent | None = Field(None, description="above is FAIL")


Check = Annotated[HttpCheck | JobCheck | HostCheck, Field(discriminator="type")]
CHECK_MODELS: dict[str, type[CheckBase]] = {"http": HttpCheck, "job": JobCheck, "host": HostCheck}


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
