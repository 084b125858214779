"""A mail server turns us away, or does not take our login: the smtp kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.advice.reach import steps_of
from monitor.diagnosis.advice.talk import read_log
from monitor.diagnosis.byhand import by_hand
from monitor.diagnosis.case import Advice, Case, Step

_MAIL_LOG = "-u 'postfix*' -u exim4 -u opensmtpd"


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
    return Advice(
        f"The mail server at {case.code(case.where)} refuses the login: the password was changed, the account is "
        "locked, or it offers no login by PLAIN or LOGIN here.",
        case.because,
        steps_of(
            by_hand(case),
            Step(f"On {case.machine}, try the account (it asks for the password):", "doveadm auth test USER"),
            read_log(case, f"{_MAIL_LOG} -u dovecot"),
            Step("Put the new password into the environment or `.env`, and let Greenwall read it again."),
        ),
        "`AUTH` among what it offers after EHLO, and a login that works by hand, mean that the password in the "
        "environment is the old one.",
    )
