"""The `tls` kind: a handshake, and what the certificates say. What was refused is evidence, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from monitor.config.kinds.tls import TlsCheck
from monitor.model import Json, Kind, Outcome
from monitor.probes.certificates import Chain, Judgement, explain_refusal, judge_chain, observed_of, read_chain
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.starttls import STARTTLS
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_ms, plain, utc_now

# Servers behind one name may show different certificates in turn.
_REMEMBERED = 5


def probe_tls(check: TlsCheck, setting: Setting) -> Outcome:
    """Return the verdict on the handshake and its certificates."""
    tls = tls_of(check, setting)
    upgrade = STARTTLS[check.starttls] if check.starttls else None
    try:
        with connect(check.host, check.port, check.timeout, tls, upgrade) as connection:
            return _judge(check, setting, connection, tls)
    except ProbeFailed as failure:
        return no_handshake(failure, tls.server_name or check.host)


def tls_of(check: TlsCheck, setting: Setting) -> Tls:
    return Tls(check.verify, setting.path_of(check.ca_file), check.server_name)


def no_handshake(failure: ProbeFailed, host: str) -> Outcome:
    """Return the verdict when there was no connection; refused certificates are shown, and what is wrong with them."""
    chain = read_chain(failure.chain)
    outcome = failure.outcome(observed_of(chain, utc_now()))
    findings = explain_refusal(chain, host, utc_now()) if failure.kind is Kind.TLS else ()
    if not findings:
        return outcome
    observed = dict(outcome.observed) | {"tls_error": plain(failure.message, 200)}
    told = verdict("", findings=findings, kind=Kind.TLS)
    return replace(outcome, message=told.message, findings=told.findings, observed=observed)


def _judge(check: TlsCheck, setting: Setting, connection: Connection, tls: Tls) -> Outcome:
    chain, times_ms = read_chain(connection.chain), connection.times_ms
    before = _fingerprints(setting.memory) if check.fingerprint_change else ()
    judged = judge_chain(
        chain,
        check.warn_days,
        check.crit_days,
        utc_now(),
        is_verified=check.verify,
        ca_file=tls.ca_file,
        are_defaults=check.has_default_days,
        issuer=check.issuer,
        fingerprints=check.fingerprint,
        fingerprints_before=before,
    )
    outcome = verdict(
        f"{days_of(judged)}, handshake in {format_ms(times_ms['total'])}",
        times_ms["total"],
        findings=judged.findings,
        kind=Kind.TLS,
        warnings=judged.warnings,
        warning_kind=Kind.TLS,
        phases_ms=times_ms,
        observed=tls_observed(connection) | judged.observed,
        memory=_remembered(before, chain) if check.fingerprint_change else None,
    )
    return in_time(outcome, check.warn_ms, check.crit_ms)


def days_of(judged: Judgement) -> str:
    """Return how long the certificate lasts, as a part of a sentence."""
    return f"certificate for {judged.days_left or 0:.0f} days more"


def tls_observed(connection: Connection) -> dict[str, Json]:
    """Return where the handshake was made, and how."""
    return {"address": connection.address, "tls_version": connection.tls_version, "cipher": connection.cipher}


def _fingerprints(memory: Mapping[str, Json]) -> tuple[str, ...]:
    seen = memory.get("sha256")
    return tuple(map(str, seen)) if isinstance(seen, (list, tuple)) else ()


def _remembered(before: Sequence[str], chain: Chain) -> dict[str, Json]:
    """Return the fingerprints to know the next time, the latest one last."""
    now = [chain.path[0].fingerprint] if chain.path else []
    return {"sha256": [*(one for one in before if one not in now), *now][-_REMEMBERED:]}
