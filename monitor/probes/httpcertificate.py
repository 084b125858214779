"""What the certificates of an http answer make of its verdict, and why they were refused when there is no answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import urlsplit

from monitor.config import HttpCheck
from monitor.model import Finding, Json, Kind
from monitor.probes.certificates import explain_refusal, judge_chain, observed_of, read_chain
from monitor.probes.curl import Answer, FetchFailed
from monitor.probes.setting import Setting
from monitor.units import utc_now

Judged = tuple[Kind, Finding]


@dataclass(frozen=True, slots=True)
class CertificateVerdict:
    """`days` is None when no certificate was seen."""

    days: float | None = None
    failures: tuple[Judged, ...] = ()
    warnings: tuple[Judged, ...] = ()
    observed: dict[str, Json] = field(default_factory=dict)


_NONE = CertificateVerdict()


def certificate_of(
    check: HttpCheck, answer: Answer, setting: Setting, now: datetime | None = None
) -> CertificateVerdict:
    """Return what the peer's certificates say; that there are none fails only where the file names days for them."""
    if not answer.chain:
        # On a connection that was kept there was no handshake to show them.
        kept = check.keep_alive and "tls" not in answer.phases_ms
        if not check.names_days or kept:
            return _NONE
        return CertificateVerdict(failures=((Kind.TLS, Finding("certificate", "one with days left", "missing")),))
    judges = check.wants_certificate
    judgement = judge_chain(
        read_chain(answer.chain),
        check.warn_days if judges else None,
        check.crit_days if judges else None,
        now or utc_now(),
        is_verified=check.verify,
        ca_file=setting.path_of(check.ca_file),
        are_defaults=not check.names_days,
    )
    failures = tuple((Kind.TLS, finding) for finding in judgement.findings) if judges else ()
    warnings = tuple((Kind.TLS, finding) for finding in judgement.warnings)
    days = judgement.days_left
    few: dict[str, Json] = {} if days is None else {"cert_days": round(days, 1)}
    return CertificateVerdict(days, failures, warnings, judgement.observed if failures or warnings else few)


def why_refused(check: HttpCheck, failed: FetchFailed) -> tuple[tuple[Finding, ...], dict[str, Json]]:
    """Return what is wrong with certificates that were not accepted, and what they say of themselves."""
    if failed.kind is not Kind.TLS or not failed.chain:
        return (), {}
    chain = read_chain(failed.chain)
    now = utc_now()
    if failed.header_block:
        # An answer came before: they are those of another host, where a redirect led.
        return (), observed_of(chain, now)
    return explain_refusal(chain, check.server_name or _host(check.url), now), observed_of(chain, now)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
