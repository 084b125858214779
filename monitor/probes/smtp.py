"""The `smtp` kind: greeting, EHLO, TLS and login, as a mail client does it before it sends.

220 ─▶ EHLO ─▶ [STARTTLS ─▶ handshake ─▶ EHLO] ─▶ [AUTH] ─▶ QUIT
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from dataclasses import dataclass, field

from monitor.config.kinds.smtp import SmtpCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.certificates import Judgement, judge_chain, read_chain
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.starttls import Reply, ask, greeting_of, refused, say_hello, smtp_starttls, unexpected
from monitor.probes.textrules import check_text
from monitor.probes.tls import days_of, no_handshake, tls_observed
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_ms, plain, utc_now

_SHOWN_EXTENSIONS = 30


@dataclass(slots=True)
class _Talk:
    """What the server said."""

    greeting: Reply = field(default_factory=lambda: Reply(0, b""))
    extensions: tuple[str, ...] = ()
    code: int = 0
    is_encrypted: bool = False
    is_logged_in: bool = False


def probe_smtp(check: SmtpCheck, setting: Setting) -> Outcome:
    """Return the verdict on a session without a mail."""
    ca_file = setting.path_of(check.ca_file)
    tls = Tls(check.verify, ca_file, check.server_name)
    try:
        with connect(check.host, check.port, check.timeout, tls if check.tls else None) as connection:
            talk = _talk(check, connection, tls)
            outcome = _judge(check, connection, talk, tls)
            with suppress(ProbeFailed):
                connection.send(b"QUIT\r\n")
            return outcome
    except ProbeFailed as failure:
        return no_handshake(failure, check.server_name or check.host)


def _talk(check: SmtpCheck, connection: Connection, tls: Tls) -> _Talk:
    talk = _Talk(greeting_of(connection), is_encrypted=check.tls)
    _hello(talk, connection)
    if check.starttls == "required" or (check.starttls == "if_offered" and "STARTTLS" in talk.extensions):
        if "STARTTLS" not in talk.extensions:
            raise refused(connection, Finding("STARTTLS", "offered", "it does not offer STARTTLS"))
        smtp_starttls(connection)
        connection.start_tls(tls)
        talk.is_encrypted = True
        # What was said before was said in plain text, and does not count.
        _hello(talk, connection)
    if check.username is not None and check.password is not None:
        _log_in(talk, connection, check.username, check.password.get_secret_value())
    return talk


def _hello(talk: _Talk, connection: Connection) -> None:
    reply = say_hello(connection)
    lines = reply.text.decode(errors="replace").splitlines()[1:]
    talk.code = reply.code
    talk.extensions = tuple(plain(line, 200).upper() for line in lines[:_SHOWN_EXTENSIONS])


def _log_in(talk: _Talk, connection: Connection, username: str, password: str) -> None:
    """Log in; raise ProbeFailed with Kind.AUTH when the server does not want us, with Kind.STATUS when it cannot."""
    offered = {
        word for line in talk.extensions for word in line.replace("AUTH=", "AUTH ").split()[1:] if line[:4] == "AUTH"
    }
    together = _base64(f"\0{username}\0{password}")
    if "PLAIN" in offered:
        reply = ask(connection, f"AUTH PLAIN {together}")
    elif "LOGIN" in offered:
        reply = ask(connection, "AUTH LOGIN")
        for part in (username, password):
            if reply.code == 334:
                reply = ask(connection, _base64(part), "AUTH")
    else:
        what = f"the server offers no login by PLAIN or LOGIN (offered: {_words(offered)})"
        missing = Finding("logins that it offers", "PLAIN or LOGIN", _words(offered))
        raise connection.failed(Kind.AUTH, what, findings=[missing])
    talk.code = reply.code
    if reply.code != 235:
        said = reply.text.decode(errors="replace")
        for secret in (together, _base64(password), password):
            said = said.replace(secret, "***")
        kind = Kind.STATUS if 400 <= reply.code <= 499 else Kind.AUTH
        finding = Finding("the reply to AUTH", "235", plain(f"{reply.code} {said}", 120))
        raise unexpected(connection, kind, finding, reply.code)
    talk.is_logged_in = True


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _words(offered: set[str]) -> str:
    return plain(" ".join(sorted(offered)), 80) or "none"


def _judge(check: SmtpCheck, connection: Connection, talk: _Talk, tls: Tls) -> Outcome:
    times_ms = connection.times_ms
    judged = _certificates(check, connection, tls) if talk.is_encrypted else Judgement()
    wrong = check_text("greeting", talk.greeting.text, check.expect_contains, check.expect_matches)
    observed: dict[str, Json] = {
        "address": connection.address,
        "greeting": plain(talk.greeting.text.decode(errors="replace"), 200),
        "extensions": plain(", ".join(talk.extensions), 300),
    }
    if talk.is_encrypted:
        observed |= tls_observed(connection) | judged.observed
    parts = ["greeted", "logged in" if talk.is_logged_in else "", days_of(judged) if talk.is_encrypted else ""]
    outcome = verdict(
        f"{', '.join(filter(None, parts))}, in {format_ms(times_ms['total'])}",
        times_ms["total"],
        findings=[*wrong, *judged.findings],
        kind=Kind.CONTENT if wrong else Kind.TLS,
        warnings=judged.warnings,
        warning_kind=Kind.TLS,
        phases_ms=times_ms,
        code=talk.code,
        observed=observed,
    )
    return in_time(outcome, check.warn_ms, check.crit_ms)


def _certificates(check: SmtpCheck, connection: Connection, tls: Tls) -> Judgement:
    return judge_chain(
        read_chain(connection.chain),
        check.warn_days,
        check.crit_days,
        utc_now(),
        is_verified=check.verify,
        ca_file=tls.ca_file,
        are_defaults=check.has_default_days,
    )
