"""A mail server turns us away, does not take our login, or falls silent: the smtp kind. Pure."""

from __future__ import annotations

import re

from monitor.diagnosis.advice import reach
from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.advice.talk import read_log
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step

_MAIL_LOG = "-u 'postfix*' -u exim4 -u opensmtpd"
# The words of the probe: which step it waited for. What the server said stands behind them.
_WAITED_FOR = re.compile(r"(?:connected, but )?no (?:answer to (AUTH|EHLO|HELO|STARTTLS)|greeting)\b")


def refuses(case: Case) -> Advice:
    temporary = 400 <= case.http_code <= 499
    blocked = case.says("block", "blacklist", "spamhaus", "rbl", "denied", "not allowed", "reverse", "ptr")
    cause = (
        "it does not want to hear from this address: it stands on a block list, or has no reverse name."
        if blocked
        else "for now: too many connections, too high a load, a full disk, or greylisting."
        if temporary
        else "its configuration, or a policy against who asks."
    )
    return Advice(
        f"The mail server at {case.code(case.where)} turns us away: {cause}",
        case.because,
        steps_of(
            by_hand(case),
            read_log(case, _MAIL_LOG),
            Step(
                "If it is Postfix, see its load, its queue and whether its configuration holds:",
                "postqueue -p | tail -5\npostfix check\ndf -h /var/spool",
            ),
            Step(
                "See the reverse name of this machine's own address:", "getent hosts \"$(hostname -I | cut -d' ' -f1)\""
            )
            if blocked
            else None,
        ),
        "The log names the client and the rule by which it was refused; from another address the greeting is 220.",
    )


def login(case: Case) -> Advice:
    not_offered = case.says("offers no login")
    why = (
        "offers no login by PLAIN or LOGIN: it does so only after TLS, on another port, or its password service is off."
        if not_offered
        else "refuses the login: the password was changed, or the account is locked."
    )
    return Advice(
        f"The mail server at {case.code(case.where)} {why}",
        case.because,
        steps_of(
            by_hand(case),
            Step(f"On {case.machine}, try the account (it asks for the password):", "doveadm auth test USER"),
            read_log(case, f"{_MAIL_LOG} -u dovecot"),
            None
            if not_offered
            else Step("Put the new password into the environment or `.env`, and let Greenwall read it again."),
        ),
        "`AUTH` among what it offers after EHLO, and a login that works by hand, mean that the password in the "
        "environment is the old one.",
    )


def silent(case: Case) -> Advice:
    """Return the advice by the step that it fell silent at; before a connection it is that of every kind."""
    general = reach.timeout(case)
    waited = _WAITED_FOR.match(case.bad.outcome.message if case.bad else case.evidence.message)
    if waited is None or "connect" not in case.phases_ms:
        return general
    why, command = _SILENT_AT[waited[1] or "greeting"]
    return Advice(
        f"The mail server at {case.code(case.where)} {why}",
        general.because,
        steps_of(
            by_hand(case),
            read_log(case, f"{_MAIL_LOG} -u dovecot"),
            Step(f"On {case.machine}, look at what it waits for:", command) if command else None,
            case.journal,
        ),
        "By hand it falls silent at the same step; its log names what it waited for, when that gives up.",
    )


_RESOLVER = "cat /etc/resolv.conf\npostconf smtpd_milters smtpd_client_restrictions smtpd_helo_restrictions"
_NO_HELLO = (
    "greets and then does not answer: it waits for a look-up of our name, a milter or a policy service.",
    _RESOLVER,
)
_SILENT_AT = {
    "greeting": (
        "accepts connections and does not greet: all its processes are busy, or it looks up our address first.",
        f"postqueue -p | tail -5\nss -ltn\n{_RESOLVER}",
    ),
    "EHLO": _NO_HELLO,
    "HELO": _NO_HELLO,
    "STARTTLS": ("talks, and does not begin TLS: its TLS service, or what keeps its keys, is stuck.", ""),
    "AUTH": (
        "talks, and does not answer the login: what checks passwords (Dovecot, SASL, LDAP, a database) is stuck.",
        "systemctl status dovecot saslauthd --no-pager\npostconf smtpd_sasl_type smtpd_sasl_path",
    ),
}
