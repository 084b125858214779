"""A certificate ends soon, has ended, is for another name, or no handshake came about: tls of every kind. Pure."""

from __future__ import annotations

from monitor.diagnosis.case import SEEN, Advice, Case, Step
from monitor.diagnosis.commands import openssl
from monitor.model import Status


def tls(case: Case) -> Advice:
    if case.found("end of"):
        return _ends(case)
    if case.found("certificate's host"):
        return _other_name(case)
    if case.found("certificate's SHA-256"):
        return _another_one(case)
    if case.found("certificate's issuer"):
        return _not_trusted(case)
    if case.found("start of"):
        return _not_yet(case)
    offers_none = case.says("does not start tls", "does not offer starttls", "does not offer tls")
    return _no_starttls(case) if offers_none else _no_handshake(case)


def _show(case: Case) -> Step:
    return Step(
        "See whose certificate it is, for which names and until when:",
        f"{openssl(case)} 2> /dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName",
    )


def _chain(case: Case) -> Step:
    return Step("See the chain and the verdict on it:", f"{openssl(case, ' -showcerts')} | grep -E 's:|i:|Verif'")


def _renewal(case: Case) -> Step:
    return Step(
        f"If certbot keeps it on {case.machine}, see why it was not renewed (a dry run changes nothing):",
        "certbot certificates\ncertbot renew --dry-run\nsystemctl list-timers --all | grep -i -E 'certbot|acme|lego'",
    )


def _served(case: Case) -> Step:
    name = case.detail("server_name") or case.host
    return Step(
        f"Compare with the file on {case.machine} (the path is that of certbot): one that is newer there than what is "
        "served was not loaded, and the server wants a reload:",
        f"openssl x509 -noout -enddate -in /etc/letsencrypt/live/{case.arg(name)}/fullchain.pem",
    )


def _ends(case: Case) -> Advice:
    found = case.found("end of")
    is_over = found is not None and found.got.endswith("ago")
    in_chain = not case.found("end of the certificate")
    which = "A certificate of the chain" if in_chain else "The certificate"
    cause = (
        f"{which} at {case.code(case.where)} has expired: clients refuse it."
        if is_over
        else f"{which} at {case.code(case.where)} ends soon and was not renewed: that fails, or nobody set it up."
    )
    return Advice(
        cause + (" It is that of the authority: the server must send a newer chain." if in_chain else ""),
        case.because,
        (_show(case), _renewal(case), _served(case), *((_chain(case),) if in_chain else ())),
        "When `notAfter` has moved on, the next verdict is OK; as long as the file is newer than what the port shows, "
        "it only was not loaded.",
    )


def _other_name(case: Case) -> Advice:
    name = case.detail("server_name") or case.host
    return Advice(
        f"The certificate at {case.code(case.where)} is not for {case.code(name)}: the wrong virtual host answers, the "
        "name was added after the certificate was made, or the check asks by another name.",
        case.because,
        (
            _show(case),
            Step("See what is shown to those who ask for no name:", f"{openssl(case, asks_for_name=False)} | head -12"),
            Step("If the check goes by an address, name in it what the certificate is for: `server_name`."),
        ),
        f"{case.code(name)} among the names (`subjectAltName`) of the right certificate ends it.",
    )


def _another_one(case: Case) -> Advice:
    is_pinned = bool(case.bad and case.bad.status is Status.FAIL)
    return Advice(
        f"The certificate at {case.code(case.where)} is not the one that is known: it was renewed, or somebody else "
        "answers in the server's place.",
        case.because,
        (
            _show(case),
            Step(
                "Compare its fingerprint with that of the file on the server:",
                f"{openssl(case)} 2> /dev/null | openssl x509 -noout -fingerprint -sha256",
            ),
            Step(
                "If it was renewed, write the new fingerprint into the check."
                if is_pinned
                else "If it was renewed, there is nothing to do: it is known from now on."
            ),
            Step("If nobody renewed it, compare from another network before anything secret is sent there."),
        ),
        "The same fingerprint on the server itself means that it was renewed; another one means that something stands "
        "in between.",
    )


def _not_trusted(case: Case) -> Advice:
    return Advice(
        f"The certificate at {case.code(case.where)} comes from nobody that is trusted here: the server does not send "
        "its intermediate certificate, it is of its own making, or a company's own authority made it.",
        case.because,
        (
            _chain(case),
            _show(case),
            Step("For an authority of one's own, name its certificates in the check: `ca_file`."),
        ),
        "`unable to get local issuer` means that the server must send its whole chain (`fullchain.pem`); `self-signed` "
        "that it is of its own making.",
    )


def _not_yet(case: Case) -> Advice:
    return Advice(
        f"The certificate at {case.code(case.where)} is not valid yet: a clock is wrong, or it was put in place too "
        "early.",
        case.because,
        (Step("Rule out a wrong clock on this machine:", "date -u\ntimedatectl"), _show(case)),
        "`notBefore` in the future by a right clock confirms it.",
    )


def _no_starttls(case: Case) -> Advice:
    protocol = case.detail("starttls") or "its protocol"
    return Advice(
        f"{case.code(case.where)} does not offer TLS within {case.code(protocol)}: it is switched off there, lacks its "
        "certificate, or something on the way takes the offer out.",
        case.because,
        (
            Step("Ask for it by hand:", f"{openssl(case)} | head -30"),
            Step(f"On {case.machine}, look for what it says of its certificate and key when it starts:"),
            case.journal,
        ),
        "If it is offered on the server itself and not from here, something in between takes it out.",
    )


def _no_handshake(case: Case) -> Advice:
    return Advice(
        f"The TLS handshake with {case.code(case.where)} fails: most often a certificate that has expired, is for "
        "another name, or comes without its chain.",
        (f"The port accepts connections; TLS then failed: {case.message}{case.cite(*SEEN)}.",),
        (
            _show(case),
            _chain(case),
            Step("Rule out a wrong clock on this machine:", "date -u"),
            Step("If certbot keeps it, see why it was not renewed:", "certbot certificates\ncertbot renew --dry-run"),
        ),
        f"`notAfter` in the past means expired; no {case.code(case.host)} among the names means the wrong certificate; "
        "`unable to get local issuer` means that the server does not send its intermediate certificate.",
    )
