"""What a verdict saw, as one clause of a fact. Pure.

Names under which a probe notes something are its own and stand bare; all that a target may have said stands quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from monitor.diagnosis.quote import Quote, verdict
from monitor.diagnosis.target import shown_url
from monitor.model import Json, Result
from monitor.units import format_ms

_SHOWN_FINDINGS = 3
_SHOWN_OBSERVED = 14


def sighting(result: Result, quote: Quote, brief: bool = False) -> str:
    seen = result.outcome
    parts = [verdict(seen.status, seen.kind), f"code {seen.code}" if seen.code else ""]
    parts += [
        f"{quote(f.what, 80)} expected {quote(f.expected, 80)} got {quote(f.got, 120)}"
        for f in seen.findings[:_SHOWN_FINDINGS]
    ]
    if brief:
        return ", ".join(part for part in parts if part)
    parts.insert(2, f"in {format_ms(seen.latency_ms)}" if seen.latency_ms is not None else "")
    parts.append(f"says {quote(seen.message, 160)}" if seen.message and not seen.findings else "")
    parts.append(f"phases {_phases(seen.phases_ms)}" if seen.phases_ms else "")
    parts.append(f"{result.attempts} attempts" if result.attempts > 1 else "")
    return ", ".join([*(part for part in parts if part), *_observed(seen.observed, quote)])


def time_of(result: Result) -> str:
    ms = result.outcome.latency_ms
    return f"in {format_ms(ms)}" if ms is not None else "no latency measured"


def _phases(phases_ms: Mapping[str, float]) -> str:
    order = ("dns", "connect", "tls", "login", "ping", "query", "ttfb", "total")
    return " ".join(f"{phase}={format_ms(phases_ms[phase])}" for phase in order if phase in phases_ms)


# How much of each is shown where it is not `_SHOWN_CHARACTERS`.
_LIMITS = {"final_url": 120, "body": 200, "top": 180, "answers": 200, "cert_names": 120, "error_agents": 160}
_LIMITS |= {"offline_agents": 160, "answer": 120, "greeting": 100, "image": 100, "steps": 300, "members": 200}
_LIMITS |= {"perfdata": 200, "seen": 160, "cert_subject": 80, "cert_issuer": 80, "extensions": 120, "tls_error": 120}
_SHOWN_CHARACTERS = 60
# A digest says nothing to anybody; that it is another one stands under the differences.
_UNTOLD = frozenset({"cert_sha256", "cipher"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,29}")


def _observed(observed: Mapping[str, Json], quote: Quote) -> Iterator[str]:
    """Yield what the probe noted. Its own names stand bare; names that a target may have given stand in the quotes."""
    there = [(name, value) for name, value in observed.items() if value not in (None, "", [], {})]
    told = [(name, value) for name, value in there if _NAME.fullmatch(name) and name not in _UNTOLD]
    for name, value in told[:_SHOWN_OBSERVED]:
        text = _as_words(quote.moment(value) if name.endswith("_at") else value)
        yield f"{name} {quote(shown_url(text) if name == 'final_url' else text, _LIMITS.get(name, _SHOWN_CHARACTERS))}"


def _as_words(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_as_words(one)}" for name, one in value.items() if one is not None)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_as_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)
