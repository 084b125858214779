"""One case that the rules look at: its evidence, and how its texts are put into Markdown and shell commands. Pure.

Texts of a target stand in code spans, where Markdown means nothing, or shell-quoted in commands: never bare.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from monitor.diagnosis.evidence import Evidence
from monitor.diagnosis.facts import Fact, Key, Quote, at, facts_of
from monitor.model import Finding, Result
from monitor.units import format_duration, format_ms, seconds_between

SEEN = (Key.FIRST_BAD, Key.LAST_BAD)
_LIMIT = re.compile(r"<=?\s*(-?\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_LOCAL = re.compile(r"localhost|127\.[\d.]+|::1|0\.0\.0\.0")


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do, and the exact command for it where there is one."""

    text: str
    command: str = ""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a rule makes of a case. Each of `because` is a sentence that ends in the facts it rests on."""

    cause: str
    because: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    confirm: str = ""


@dataclass(frozen=True)
class Case:
    """The evidence with what rules ask of it again and again."""

    evidence: Evidence
    quote: Quote

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        return facts_of(self.evidence, self.quote.redact)

    def cite(self, *keys: Key) -> str:
        """Return ` (E2, E4)` for the facts that are there, or an empty text."""
        found = [f"E{fact.number}" for fact in self.facts if fact.key in keys]
        return f" ({', '.join(found)})" if found else ""

    def code(self, text: object, limit: int = 120) -> str:
        """Return any text as a code span of one line."""
        bare = self.quote.bare(text, limit).replace("`", "'")
        return f"`{bare or '(empty)'}`"

    def arg(self, text: object) -> str:
        """Return any text as one word of a shell command, on one line."""
        return shlex.quote(self.quote.bare(text, 300))

    @property
    def name(self) -> str:
        return self.code(self.evidence.subject)

    @property
    def bad(self) -> Result | None:
        """The verdict to explain: the latest that was not OK."""
        return self.evidence.last_bad

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.bad.outcome.findings if self.bad else ()

    def finding(self, index: int) -> str:
        """Return one finding of the bad verdict as a clause of Markdown."""
        found, much = self.findings[index], self.times_limit(index)
        return f"{self.code(found.what)} is {self.code(found.got)}, expected {self.code(found.expected)}{much}"

    def times_limit(self, index: int) -> str:
        """Return `, 8.5 times the limit` where both are numbers and the value is above it."""
        found = self.findings[index]
        limit, got = _LIMIT.fullmatch(found.expected), _NUMBER.fullmatch(found.got)
        if not limit or not got or float(limit[1]) <= 0 or float(got[0]) <= float(limit[1]):
            return ""
        return f", {float(got[0]) / float(limit[1]):.1f} times the limit"

    @property
    def body_fact(self) -> tuple[str, ...]:
        body = self.bad.outcome.observed.get("body") if self.bad else None
        return (f"Its answer begins {self.code(body, 200)}{self.cite(Key.FIRST_BAD)}.",) if body else ()

    @property
    def usual_fact(self) -> tuple[str, ...]:
        usual_ms = self.evidence.latency.usual_ms
        return (
            (f"It usually answers in {format_ms(usual_ms)}{self.cite(Key.LATENCY)}.",) if usual_ms is not None else ()
        )

    @property
    def http_code(self) -> int:
        return (self.bad.outcome.code or 0) if self.bad else 0

    @property
    def phases_ms(self) -> dict[str, float]:
        return dict(self.bad.outcome.phases_ms) if self.bad else {}

    @property
    def took(self) -> str:
        """Return ` in 850 ms` of the bad verdict, or an empty text."""
        ms = self.bad.outcome.latency_ms if self.bad else None
        return f" in {format_ms(ms)}" if ms is not None else ""

    @property
    def message(self) -> str:
        """Return what the bad verdict said as a code span."""
        return self.code(self.bad.outcome.message if self.bad else self.evidence.message, 200)

    @property
    def host(self) -> str:
        return (self.evidence.target.host if self.evidence.target else "") or "HOST"

    @property
    def port(self) -> int:
        return (self.evidence.target.port if self.evidence.target else 0) or 80

    @property
    def where(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def is_local(self) -> bool:
        """True when the target runs on the machine that Greenwall runs on."""
        target = self.evidence.target
        return bool(target and (target.metric or _LOCAL.fullmatch(target.host)))

    @property
    def url(self) -> str:
        return (self.evidence.target.url if self.evidence.target else "") or "URL"

    @property
    def url_word(self) -> str:
        """Return the URL as a word of a command; that of a job asks for its latest run."""
        target = self.evidence.target
        if target is None or "{job_id}" not in self.url:
            return self.arg(self.url)
        before, after = self.url.split("{job_id}", 1)
        return f'{self.arg(before)}"$(cat {self.arg(target.job_id_file)})"{self.arg(after) if after else ""}'

    @property
    def deadline_s(self) -> float:
        return self.evidence.target.timeout_s if self.evidence.target else 10.0

    def curl(self, options: str) -> str:
        """Return a curl command that asks what the check asks, with these options."""
        method = self.evidence.target.method if self.evidence.target else "GET"
        how = {"GET": "", "HEAD": " -I"}.get(method, f" -X {method}")
        return f"curl -sS -m {self.deadline_s:g}{how} {options} {self.url_word}"

    @property
    def times(self) -> str:
        """Return a curl command that prints how long each phase takes."""
        parts = "dns %{time_namelookup} connect %{time_connect} tls %{time_appconnect} first-byte %{time_starttransfer}"
        return self.curl(f"-o /dev/null -w '{parts} total %{{time_total}} code %{{http_code}}\\n'")

    @property
    def onset_at(self) -> datetime:
        return self.evidence.onset_at or self.evidence.since or self.evidence.now

    @property
    def journal(self) -> Step:
        since = at(self.onset_at - timedelta(minutes=5))
        where = "on this machine" if self.is_local else f"on {self.code(self.host)}"
        return Step(
            f"Read what the system logged {where} from 5 minutes before the trouble:",
            f"journalctl --since '{since}' -p warning --no-pager | tail -50",
        )

    @property
    def deployed(self) -> Step:
        """Return the step that looks for a deployment on the day of the onset."""
        day = f"{self.onset_at - timedelta(days=1):%Y-%m-%d}"
        return Step(
            "See in the service's repository what was deployed shortly before:", f"git log --since {day} --oneline"
        )

    @property
    def lasted(self) -> str:
        """Return how long the trouble has lasted, or did."""
        seen = self.evidence
        end = seen.since if seen.recovered and seen.since else seen.now
        return format_duration(max(seconds_between(self.onset_at, end), 0.0))
