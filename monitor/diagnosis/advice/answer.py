"""The target answers, but wrongly or too slowly: content, slow. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import again_and_again, by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.facts import Key
from monitor.diagnosis.themes import theme_of


def content(case: Case) -> Advice:
    if not case.has_url:
        return _other_content(case)
    theme = theme_of(case)
    answered = f"code `{case.http_code}`{case.took}" if case.http_code else "an answer"
    return Advice(
        _what_is_wrong(case) + (theme.cause if theme else ""),
        (
            f"Network, port and server work: it got {answered}{case.cite(*SEEN)}.",
            *(f"{case.finding(i)}{case.cite(*SEEN)}." for i in range(min(len(case.findings), 3))),
            *case.body_fact,
        ),
        (
            Step("See the answer as it is now:", case.curl("-i")),
            *(theme.steps if theme else ()),
            case.journal,
            case.deployed,
        ),
        content_confirm(case),
    )


def _what_is_wrong(case: Case) -> str:
    if not case.findings:
        return f"{case.code(case.url)} answers, and not with what the check expects: {case.message}."
    if case.findings[0].what == "body" and case.findings[0].expected.startswith("JSON"):
        return (
            f"{case.code(case.url)} answers with something else than the JSON that is expected: a page of a proxy, a "
            "log-in page or an error page has taken its place, or the answer was cut."
        )
    if any(f.expected == "true" and f.got == "false" for f in case.findings):
        return f"The service behind {case.code(case.url)} runs, and says itself that it is not well."
    if any(case.times_limit(i) for i in range(len(case.findings))):
        return f"The service behind {case.code(case.url)} runs, and a figure that it reports is beyond its limit."
    return f"The answer of {case.code(case.url)} has changed: a deployment, or data that it should not have."


def _other_content(case: Case) -> Advice:
    return Advice(
        f"{case.what} answers, and not with what the check expects: it has changed, something else answers in its "
        "place, or the expectation is wrong.",
        case.because,
        steps_of(by_hand(case), case.journal, case.deployed),
        content_confirm(case),
    )


def content_confirm(case: Case) -> str:
    """Return what asking by hand must show."""
    if not case.findings:
        return "Asked by hand it answers the same."
    first = case.findings[0]
    return (
        f"Asked by hand it shows {case.code(first.what)} as {case.code(first.got)} too; when the cause is mended it "
        f"meets {case.code(first.expected)} and the check turns OK within one interval."
    )


def slow(case: Case) -> Advice:
    latency, phase = case.evidence.latency, _longest_phase(case)
    limit = case.findings[0].expected if case.findings else "faster"
    theme = theme_of(case)
    took_ms = case.bad.outcome.latency_ms if case.bad else None
    times = f", {took_ms / latency.usual_ms:.1f} times the usual" if took_ms and latency.usual_ms else ""
    subject = case.code(case.where) if case.target is None or case.target.host else case.what
    return Advice(
        f"{subject} answers rightly and too slowly: {_SLOW_PHASE[phase]}"
        + (theme.cause if theme and phase in ("ttfb", "") else ""),
        (
            f"The answer came{case.took}{times}, expected {case.code(limit)}{case.cite(*SEEN, Key.LATENCY)}.",
            *((f"Most of it is {case.code(phase)}{case.cite(*SEEN)}.",) if phase else ()),
        ),
        steps_of(
            _measured(case),
            *(theme.steps if theme else ()),
            Step(f"On {case.machine}, see what it is busy with:", "uptime\ntop -b -n 1 | head -15\nvmstat 1 5"),
            case.journal,
        ),
        "Slow each time in the same phase confirms it; fast now means that it goes with load: compare with the chart "
        "of the hours before.",
    )


def _measured(case: Case) -> Step | None:
    if case.has_url and case.type != "websocket":
        return Step("Measure it five times, phase by phase:", f"for i in 1 2 3 4 5; do {case.times}; done")
    one = by_hand(case)
    if one is None or "\n" in one.command or again_and_again(case) is None:
        return one
    return Step("Measure it five times:", f"time (for i in 1 2 3 4 5; do {one.command}; done)")


_SLOW_PHASE = {
    "dns": "the name look-up takes the time, so it is the resolver of this machine.",
    "connect": "making the connection takes the time, so it is the network or a full accept queue.",
    "tls": "the TLS handshake takes the time, so its processor is busy or the chain is long.",
    "login": "the login takes the time, so the server is busy or looks up who comes (reverse DNS, LDAP).",
    "ping": "the answer to PING takes the time, so a slow command or the disk holds it up.",
    "query": "the query takes the time, so it reads much, lacks an index, or waits for a lock.",
    "ttfb": "the wait for the first byte takes the time, so the application works or waits.",
    "": "the application works or waits.",
}


def _longest_phase(case: Case) -> str:
    parts = {phase: ms for phase, ms in case.phases_ms.items() if phase in _SLOW_PHASE}
    return max(parts, key=lambda phase: parts[phase]) if parts else ""
