"""`type: heartbeat`."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from cronsim import CronSim, CronSimError
from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator

from monitor.config.assertions import Body
from monitor.config.checkbase import CheckBase
from monitor.config.fields import Count, Duration, TimeZone
from monitor.model import Category
from monitor.units import format_duration


def _key(value: object) -> object:
    # What it got is not said: it may be a key with a slip in it, and messages are seen by many.
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if not isinstance(value, str):
        raise ValueError("expected a text (put it in quotes)")
    if not 8 <= len(value) <= 64:
        raise ValueError(f"expected a key of 8 to 64 characters such as a UUID, got {len(value)} of them")
    if not re.fullmatch(r"[A-Za-z0-9_-]+", value):
        raise ValueError("expected a key of letters, digits, - and _ such as a UUID, got other characters in it")
    return value


def _cron(value: str) -> str:
    hint = 'expected five fields, minute hour day month weekday, such as "30 2 * * *"'
    if len(value) > 200 or len(value.split()) != 5:
        raise ValueError(f"{hint}, got {value[:200]!r}")
    try:
        next(CronSim(value, datetime(2000, 1, 1, tzinfo=UTC)))
    except CronSimError as error:
        raise ValueError(f"{hint}, got {value!r} ({error})") from error
    except StopIteration:
        raise ValueError(f"expected a time that comes some day, got {value!r}") from None
    return " ".join(value.split())


Key = Annotated[
    SecretStr, BeforeValidator(_key), WithJsonSchema({"type": "string", "pattern": r"^(\$\{.*\}|[A-Za-z0-9_-]{8,64})$"})
]
Cron = Annotated[str, AfterValidator(_cron), WithJsonSchema({"type": "string", "examples": ["30 2 * * *"]})]


class HeartbeatCheck(CheckBase):
    """Wait for a job to say that it ran: a dead man's switch for cron jobs, backups and workers.

    The job asks for an address of Greenwall, `ADDRESS/ping/KEY`, when it has succeeded; when that does not come in
    time, it is FAIL/deadline since the moment when it was due. The addresses, answers and curl lines are those of
    healthchecks.io:

    ```sh
    curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY         # it has succeeded
    curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY/start   # it begins
    curl -fsS -m 10 --retry 5 -o /dev/null ADDRESS/ping/KEY/fail    # it has failed
    m=$(/usr/bin/certbot renew 2>&1); curl -fsS -m 10 --retry 5 --data-raw "$m" ADDRESS/ping/KEY/$?   # its exit status
    curl -fsS -m 10 --retry 5 --data-raw "step 2" ADDRESS/ping/KEY/log   # a note that changes nothing
    ```

    The deadline is `period` after the last success, or the next time of `cron` after it, and then `grace`. A fail, or
    an exit status other than 0, is FAIL/status at once, and until the next success. After a start the run must end
    within `max_run`, or within `grace` where there is no `max_run`; a run that began in time may, with `max_run`, go on
    past the deadline. Runs that overlap name themselves: `?rid=` and a UUID, the same for start and end; the newest ten
    are followed. The first 10 kB of a body are looked at, and 2,000 characters kept as evidence, without secrets of the
    environment. Pings stand in `data/pings/`, the newest hundred of each check; a check with a new name begins anew.

    The key is all that is needed to send pings, without a log-in: make it with `uuidgen` and write it as `${VARIABLE}`.
    Greenwall must be reachable for the job, with a proxy's HTTPS where others could read along. More than five pings a
    second with one key are answered with 429, which `curl --retry` tries again. Asking again cannot change what the
    pings say: `retries` is 0 here, whatever `global:` says.
    """

    example: ClassVar[str] = """\
- name: nightly backup
  type: heartbeat
  key: 3f0c9a6e-5f7b-4f5e-9a57-0a8f7b1c2d3e
  cron: "30 2 * * *"
  timezone: Europe/Berlin
  grace: 20m
  max_run: 2h
"""
    trouble: ClassVar[Category] = Category.BUSINESS
    reaches_out: ClassVar[bool] = False
    has_clock: ClassVar[bool] = True

    type: Literal["heartbeat"]
    key: Key = Field(description="8 to 64 letters, digits, `-` and `_`, no other check's; whoever knows it may ping")
    period: Duration | None = Field(None, description="longest time from one success to the next; or `cron`")
    cron: Cron | None = Field(None, description="when it runs: minute, hour, day of month, month, day of week")
    timezone: TimeZone | None = Field(
        None, description="zone of `cron`, of `at` and of the times shown; without it `global:`'s"
    )
    grace: Duration = Field(300.0, description="how much later than due it may come")
    max_run: Duration | None = Field(None, description="longest time from start to end; without it `grace`")
    first_ping_within: Duration | None = Field(
        None, description="the first ping comes within this of its being new; without it nothing is due before it"
    )
    methods: Literal["any", "post"] = Field(
        "any", description="post: answer GET and HEAD with 405, as programs that preview links send them"
    )
    expect_body: Body | None = Field(
        None, description="what a success's body must hold; otherwise it is a fail, of kind content"
    )
    retries: Count = Field(0, le=20, description="more verdicts that must agree; `global:` does not count here")

    @property
    def target(self) -> str:
        return f"pings at {self.cron}" if self.cron else f"a ping each {format_duration(self.period or 0)}"

    @property
    def run_limit_s(self) -> float:
        """The longest time that a run may take."""
        return self.grace if self.max_run is None else self.max_run

    @model_validator(mode="before")
    @classmethod
    def _judged_once(cls, values: Any) -> Any:
        return {"retries": 0} | values if isinstance(values, dict) else values

    @model_validator(mode="after")
    def _has_one_schedule(self) -> HeartbeatCheck:
        if (self.period is None) is (self.cron is None):
            raise ValueError(f"expected one of period and cron, got {'both' if self.cron else 'none'}")
        return self
