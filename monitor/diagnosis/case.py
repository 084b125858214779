"""One case that the rules look at: its evidence, and how its texts are put into Markdown and shell commands. Pure.

Texts of a target stand in code spans, where Markdown means nothing, or shell-quoted in commands: never bare.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property

from monitor.diagnosis.evidence import Evidence
from monitor.diagnosis.facts import Fact, Key, facts_of
from monitor.diagnosis.quote import Quote
from monitor.diagnosis.silence import Silence, silence_of
from monitor.diagnosis.target import Target
from monitor.diagnosis.target.look import is_loopback
from monitor.diagnosis.target.sent import filled, has_body, in_shell
from monitor.model import Finding, Json, Outcome, Result, Status
from monitor.units import format_duration, format_ms, seconds_between

SEEN = (Key.FIRST_BAD, Key.LAST_BAD)
_LIMIT = re.compile(r"<=?\s*(-?\d+(?:\.\d+)?)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
# What a walk by several steps puts before what it found.
_STEP = re.compile(r"(?:step|clean-up) .{1,80}?: ")


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
    """The evidence with what rules ask of it again and again. `part` is what to look at, where it is not the whole."""

    evidence: Evidence
    quote: Quote
    part: Target | None = None

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        return facts_of(self.evidence, self.quote.redact)

    @property
    def target(self) -> Target | None:
        return self.part or self.evidence.target

    def of(self, part: Target) -> Case:
        """Return the case as one of a part of its target: of one step of several."""
        return replace(self, part=part)

    @property
    def type(self) -> str:
        return self.target.type if self.target else ""

    def detail(self, name: str) -> str:
        """Return a part of the target by name, or an empty text."""
        return self.target.parts.get(name, "") if self.target else ""

    def observed(self, name: str) -> Json:
        """Return what the probe noted under this name at the bad verdict, or None."""
        return self.bad.outcome.observed.get(name) if self.bad else None

    def cite(self, *keys: Key) -> str:
        """Return ` (E2, E4)` for the facts that are there, or an empty text."""
        found = [f"E{fact.number}" for fact in self.facts if fact.key in keys]
        return f" ({', '.join(found)})" if found else ""

    def at(self, time: datetime) -> str:
        """Return the time as it stands on pages."""
        return self.quote.at(time)

    def code(self, text: object, limit: int = 120) -> str:
        """Return any text as a code span of one line."""
        bare = self.quote.bare(text, limit).replace("`", "'")
        return f"`{bare or '(empty)'}`"

    def arg(self, text: object, limit: int = 300) -> str:
        """Return any text as one word of a shell command, on one line."""
        return shlex.quote(self.quote.bare(text, limit))

    @property
    def name(self) -> str:
        return self.code(self.evidence.subject)

    @property
    def bad(self) -> Result | None:
        """The verdict to explain: the latest that was not OK."""
        return self.evidence.last_bad

    @property
    def silence(self) -> Silence | None:
        """What did not answer, None when something did."""
        kind = self.evidence.trouble
        if kind is None:
            return None
        outcome = self.bad.outcome if self.bad else Outcome(Status.FAIL, kind, self.evidence.message)
        return silence_of(outcome, self.evidence.target)

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
    def because(self) -> tuple[str, ...]:
        """Return what the bad verdict found, else what it said, each a sentence with its facts."""
        found = tuple(f"{self.finding(i)}{self.cite(*SEEN)}." for i in range(min(len(self.findings), 3)))
        return found or (f"It said {self.message}{self.cite(*SEEN, Key.STATUS)}.",)

    def found(self, *starts: str) -> Finding | None:
        """Return the first finding about something that begins so."""
        return next((finding for finding in self.findings if _STEP.sub("", finding.what).startswith(starts)), None)

    def says(self, *words: str) -> bool:
        """Return whether the bad verdict's message holds one of these words, whatever their case."""
        text = (self.bad.outcome.message if self.bad else self.evidence.message).lower()
        return any(word in text for word in words)

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
        """Return the status of an answer; that of a refused upgrade stands among what was observed."""
        status = self.observed("status")
        code = self.bad.outcome.code if self.bad else None
        return code or (status if isinstance(status, int) else 0)

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
    def what(self) -> str:
        """Return what the check looks at, as a code span."""
        return self.code((self.target.what if self.target else "") or self.evidence.subject, 200)

    @property
    def host(self) -> str:
        return (self.target.host if self.target else "") or "HOST"

    @property
    def machine(self) -> str:
        """Return where to look, as it stands in a sentence."""
        if self.is_local:
            return "this machine"
        return self.code(self.host) if self.target is None or self.target.host else "the machine behind it"

    @property
    def port(self) -> int:
        """Return the port; 0 where there is none."""
        return self.target.port if self.target else 80

    @property
    def where(self) -> str:
        if socket := self.detail("socket"):
            return socket
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else self.host

    @property
    def is_local(self) -> bool:
        """True when the target runs on the machine that Greenwall runs on."""
        return bool(self.target and (self.target.is_here or is_loopback(self.target.host)))

    @property
    def has_url(self) -> bool:
        """True when what the check asks speaks HTTP."""
        return bool(self.target and self.target.url)

    @property
    def url(self) -> str:
        return (self.target.url if self.target else "") or "URL"

    @property
    def url_word(self) -> str:
        """Return the URL as a word of a command; that of a job asks for its latest run."""
        url = re.sub(r"^ws", "http", self.url)
        if not self.detail("job_id_file") or "{job_id}" not in url:
            return in_shell((filled(url),), self.arg)
        before, after = url.split("{job_id}", 1)
        file = self.arg(self.detail("job_id_file"))
        return f'{self.arg(before)}"$(cat {file})"{self.arg(after) if after else ""}'

    @property
    def deadline_s(self) -> float:
        return self.target.timeout_s if self.target else 10.0

    def curl(self, options: str) -> str:
        """Return a curl command that asks what the check asks, with these options; only where there is a URL."""
        method = self.target.method if self.target else "GET"
        # Without what a step sends, nothing is to be ordered, paid or deleted.
        harmless = "OPTIONS" if self.type == "steps" and method not in ("GET", "HEAD") else method
        return self._curl(options, harmless, "GET")

    @property
    def sends(self) -> str:
        """Return the curl command that sends what the check sends, values as variables."""
        method, words = (self.target.method, self.target.sent) if self.target else ("GET", ())
        options = f"-i {in_shell(words, self.arg)}".strip()
        return self._curl(options, method, "POST" if has_body(words) else "GET")

    def _curl(self, options: str, method: str, implied: str) -> str:
        how = "" if method == implied else " -I" if method == "HEAD" else f" -X {self.arg(method)}"
        trust = f" --cacert {self.arg(self.detail('ca_file'))}" if self.detail("ca_file") else ""
        trust += " -k" if self.detail("insecure") else ""
        return f"curl -sS -m {self.deadline_s:g}{trust}{how} {options} {self.url_word}"

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
        since = self.onset_at - timedelta(minutes=5)
        # journalctl knows no other zone by name than that of its own machine.
        return Step(
            f"Read what the system logged on {self.machine} from 5 minutes before the trouble ({self.at(since)}):",
            f"journalctl --since '{since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC' -p warning --no-pager | tail -50",
        )

    @property
    def deployed(self) -> Step:
        """Return the step that looks for a deployment on the day of the onset."""
        day = f"{self.quote.local(self.onset_at - timedelta(days=1)):%Y-%m-%d}"
        return Step(
            "See in the service's repository what was deployed shortly before:", f"git log --since {day} --oneline"
        )

    @property
    def lasted(self) -> str:
        """Return how long the trouble has lasted, or did."""
        seen = self.evidence
        end = seen.since if seen.recovered and seen.since else seen.now
        return format_duration(max(seconds_between(self.onset_at, end), 0.0))
