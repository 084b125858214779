"""What stands for several: a group's members, agents of a registry, an outside service. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice import answer, reach, refusal
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.commands import explained, openssl
from monitor.diagnosis.facts import Key
from monitor.diagnosis.quote import verdict as in_words
from monitor.model import Status

_SHOWN = 5


# ---- group


def members(case: Case) -> Advice:
    """Return the advice on a group, whatever the kind of its worst member: look at that one."""
    bad = [member for member in case.evidence.members if member.is_bad]
    unknown = [member for member in case.evidence.members if member.status in (None, Status.UNKNOWN)]
    shown = [
        f"{case.code(one.name)} is {in_words(one.status, one.kind)}"
        + (f" since {case.at(one.since)}" if one.since else "")
        + (f": {case.code(one.message, 120)}" if one.message else "")
        + f"{case.cite(Key.MEMBERS)}."
        for one in bad[:_SHOWN]
    ]
    names = [one.name for one in bad] or [finding.what for finding in case.findings]
    worst = ", ".join(case.code(name) for name in names[:_SHOWN]) or "its members"
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    wants = f" Expected: {case.code(', '.join(case.target.expected))}." if case.target and case.target.expected else ""
    only_unknown = f" {len(unknown)} could not be judged, and may be up or down." if unknown else ""
    return Advice(
        f"A group is what its members are. These are not OK: {worst}{more}.{wants}{only_unknown}",
        (*shown, *(case.because if not shown else ())),
        tuple(Step(f"Have {case.code(name)} explained:", explained(case, name)) for name in names[:3]),
        "When they are OK, the group is, too, without a look of its own.",
    )


# ---- agents


def agents_missing(case: Case) -> Advice:
    """Return the advice on agents that are in error, offline, or too few; other refusals are those of the URL."""
    if not case.found("number of", "agent"):
        return refusal.status(case)
    who = [(state, case.observed(f"{state}_agents"), case.observed(state)) for state in ("error", "offline")]
    named = "; ".join(f"{state}: {case.code(names, 200)}" for state, names, _ in who if names)
    idle, busy = case.observed("idle"), case.observed("busy")
    figures = f" {case.code(idle)} idle and {case.code(busy)} busy are left." if idle is not None else ""
    return Advice(
        "Agents do not work as they should" + (f": {named}." if named else ": too few are there.") + figures,
        case.because,
        steps_of(
            by_hand(case),
            Step(
                "See on their machines whether they run, and their last words:",
                "systemctl --failed\npgrep -af agent\ndocker ps -a",
            ),
            Step("See what they share: a queue, a model's endpoint, a key that has expired."),
            case.journal,
            case.deployed,
        ),
        "One agent alone is that agent; all at once are what they share, or the orchestrator that keeps the registry.",
    )


def agents_busy(case: Case) -> Advice:
    busy, idle = case.observed("busy"), case.observed("idle")
    return Advice(
        "More work waits for the agents than they get done: more comes in than usual, or each piece takes longer"
        + (f" ({case.code(busy)} busy, {case.code(idle)} idle)." if busy is not None and idle is not None else ".")
        + (" None is idle." if idle == 0 else " Some are idle all the same: work does not reach them." if idle else ""),
        case.because,
        steps_of(
            by_hand(case),
            Step("Look at the oldest piece of work: one that fails again and again holds others up."),
            case.journal,
            case.deployed,
        ),
        "A depth that falls by itself was a peak; one that grows with idle agents is the way from queue to agent.",
    )


def registry(case: Case) -> Advice:
    return Advice(
        f"The registry of agents at {case.what} cannot be read as one: it has another shape, is cut, is too old, or a "
        "page of something else has taken its place.",
        case.because,
        steps_of(
            by_hand(case),
            Step(
                "If its fields have other names by now, say which: `agents_path`, `name_field`, `status_field`, "
                "`states`."
            ),
            case.deployed,
        ),
        answer.content_confirm(case),
    )


# ---- service


def _page(case: Case) -> Step | None:
    page = case.detail("page")
    if not page or case.detail("own_url"):
        return None
    return Step(f"See what {case.code(case.detail('service'))} says of itself on its status page: {case.code(page)}.")


def _variable(case: Case) -> str:
    if case.detail("own_key"):
        return "the variable that `key` of the check names"
    return case.code(case.detail("variable") or "the variable of its key")


def service_key(case: Case) -> Advice:
    forbidden = case.http_code == 403
    return Advice(
        f"{case.code(case.detail('service'))} works, and does not take our key: "
        + (
            "it may not ask for this; a restricted key needs the right to."
            if forbidden
            else "it was revoked or replaced, has expired, or is one of another account."
        ),
        (*case.because, f"The service itself answered{case.took}{case.cite(*SEEN)}."),
        steps_of(
            Step(
                f"See in the account of the service whether the key that {_variable(case)} holds is there and in force."
            ),
            Step(
                f"Make a new one, put it into {_variable(case)}, in the environment or `.env`, and let Greenwall read "
                "it again; whatever else uses the old one needs it too."
            ),
            Step("If the key is meant to have no such right, say `expect_status: [200, 403]`.") if forbidden else None,
            _page(case),
        ),
        "The next verdict with the new key is OK.",
    )


def service_down(case: Case) -> Advice:
    code = case.http_code
    cause = (
        "has a failure of its own: there is nothing to mend here but to wait, or to do without it."
        if code >= 500
        else "answers with something that it does not say when all is well."
    )
    return Advice(
        f"{case.code(case.detail('service'))} {cause}",
        case.because,
        steps_of(
            _page(case),
            by_hand(case),
            Step("See which of our services cannot do without it, and switch them to what they have in its place."),
        ),
        "An incident on its status page confirms it; none there, and it works from elsewhere: it is our way there.",
    )


def service_limited(case: Case) -> Advice:
    retry = case.observed("retry_after")
    return Advice(
        f"{case.code(case.detail('service'))} works, and is asked too often with this key: a limit of requests, or a "
        "credit, is used up" + (f"; it asks to wait {case.code(retry)} (seconds, or until then)." if retry else "."),
        case.because,
        steps_of(
            Step("See in the account of the service what is used, by which key, and the limit."),
            Step("Have what uses most of it ask less often, or raise the limit; give Greenwall a key of its own."),
            Step("Ask less often: raise `every` of this check."),
            _page(case),
        ),
        "OK after the time that it names means that it was the limit.",
    )


def service_unreachable(case: Case) -> Advice:
    """Return the advice when the service gives no answer: first whether it is the service at all."""
    kind = case.evidence.trouble
    general = {"dns": reach.dns, "connect": reach.connect, "protocol": reach.protocol}.get(
        kind.value if kind else "", reach.timeout
    )(case)
    away = [step for step in general.steps if "systemctl" not in step.command and "ss -" not in step.command]
    return Advice(
        general.cause,
        general.because,
        steps_of(_page(case), *(step for step in away if "journalctl" not in step.command)),
        "An incident on its status page, or silence from another network too, means the service; otherwise it is our "
        "way there.",
    )


def service_slow(case: Case) -> Advice:
    general = answer.slow(case)
    return Advice(
        general.cause,
        general.because,
        steps_of(_page(case), general.steps[0], Step("Measure it from another network, too.")),
        "Slow from everywhere means the service; slow from here alone, our way there.",
    )


def service_content(case: Case) -> Advice:
    return Advice(
        f"What answers for {case.code(case.detail('service'))} is not that service: a proxy's log-in page, a filter, "
        "or another address than the check means.",
        case.because,
        steps_of(
            by_hand(case),
            Step(
                "See whose certificate answers:",
                f"{openssl(case)} 2> /dev/null | openssl x509 -noout -subject -issuer",
            ),
            Step("Ask it from another network."),
        ),
        "The issuer of a company's own authority means a proxy in between.",
    )


def service_unconfigured(case: Case) -> Advice:
    return Advice(
        f"The check of {case.code(case.detail('service'))} has no key to ask with; nothing is known of the service.",
        case.because,
        steps_of(
            Step("See which variables are set, names only:", "cut -d= -f1 .env"),
            Step(f"Put a key into {_variable(case)}, in the environment or `.env`, and let Greenwall read it again."),
            _page(case),
        ),
        "The next verdict is OK or FAIL, no longer UNKNOWN.",
    )
