"""A name server answers wrongly, late or not at all: the dns kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.commands import dig
from monitor.units import format_duration


def _who(case: Case) -> str:
    resolver = case.detail("resolver")
    return f"The name server {case.code(case.where)}" if resolver else "The name servers of `/etc/resolv.conf`"


def _delegation(case: Case) -> Step:
    return Step("Follow the delegation from the root:", dig(case, "", "+trace"))


def _elsewhere(case: Case) -> Step:
    return Step("Ask another resolver (it knows public names only):", dig(case, "1.1.1.1"))


def _here(case: Case) -> Step:
    hint = "See which name servers this machine asks, and whether they answer:"
    return Step(hint, "cat /etc/resolv.conf\nresolvectl status")


_RCODES = {
    "NXDOMAIN": "The name is not known there: the record or the whole zone is gone, the domain has expired, or the "
    "resolver asks the wrong servers.",
    "SERVFAIL": "The resolver could not find out: the zone's own servers do not answer, or DNSSEC does not validate.",
    "REFUSED": "The server does not answer us for this name: we are not among those that it serves, or it does not "
    "have the zone.",
}


def rcode(case: Case) -> Advice:
    """Return the advice on an answer that says no; other failures of this kind are those of a look-up."""
    got = case.findings[0].got if case.findings else ""
    dnssec = Step(
        "Rule DNSSEC out: an answer with `+cd` where there is none without it is a signature that does not validate:",
        dig(case, None, "+cd"),
    )
    expiry = Step(
        "See whether the domain itself has expired:",
        f"whois {case.arg(case.detail('name'))} | grep -i -E 'expir|status|name server'",
    )
    extra = {"SERVFAIL": dnssec, "NXDOMAIN": expiry}.get(got)
    asked = by_hand(case)
    return Advice(
        _RCODES.get(got, f"{_who(case)} answered with an error: {case.code(got or 'no answer')}."),
        case.because,
        tuple(step for step in (asked, _elsewhere(case), extra, _delegation(case), _here(case)) if step),
        "If `+trace` finds the record, it is the resolver; if it ends at the zone's own servers without it, the record "
        "or the delegation is to be mended there.",
    )


def answers(case: Case) -> Advice:
    asked = by_hand(case)
    return Advice(
        f"{case.what} resolves, and not to what the check expects: the record was changed, an old answer is still kept "
        "somewhere, or this resolver sees another zone than others (split horizon).",
        case.because,
        tuple(
            step
            for step in (
                asked,
                _elsewhere(case),
                Step("Ask the zone's own servers, which keep nothing:", dig(case, "", "+nssearch +short")),
                _delegation(case),
                Step(
                    "If the change was meant, write the new answers into `expect`; if not, ask who may edit the zone."
                ),
            )
            if step
        ),
        "The old answer with a TTL that counts down is a kept one and goes by itself; the new one everywhere is a "
        "change of the record.",
    )


def silence(case: Case) -> Advice:
    asked = by_hand(case)
    host = case.arg(case.detail("resolver") or "RESOLVER")
    return Advice(
        f"{_who(case)} gives no answer within {format_duration(case.deadline_s)}: it is down, overloaded, or a "
        "firewall drops what goes to port 53.",
        (f"It said {case.message}{case.cite(*SEEN)}.", *case.usual_fact),
        tuple(
            step
            for step in (
                asked,
                Step("See whether TCP gets through where UDP does not:", dig(case, None, "+tcp +time=3")),
                Step("Try the port:", f"nc -vz -w 5 {host} {case.port if case.detail('resolver') else 53}"),
                _elsewhere(case),
                Step("On the name server, see whether it runs and is busy:", "ss -lunp 'sport = :53'\nuptime"),
            )
            if step
        ),
        "If another resolver answers at once, it is this one; if none does, it is the network of this machine.",
    )
