"""Certificates that a server showed in its handshake: whose they are, which of them count, how long they last.

    as sent        leaf ── intermediate ── cross-signed root        a stray
    what counts    leaf ── intermediate    (its issuer is trusted by ourselves)

What a server sends besides is of no importance to those who connect, and has caused false alarms before ("DST Root CA
X3"): a root, a certificate that nobody in the path names as its issuer, one that verification went past. Nothing is
verified here: that is done in the handshake.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
import ssl
from base64 import b64decode
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from monitor.model import Finding, Json
from monitor.units import clip, plain, seconds_between

_SHOWN_NAMES = 5
_CHARACTERS = 160
_DAY_S = 86400.0
# Certificates are renewed at two thirds of their life at the latest. One that lives for days only (ACME's short-lived
# ones) would be too old all its life by limits that were made for one of 90 days.
_WARN_PART, _CRIT_PART = 1 / 4, 1 / 12
_PEM = re.compile(rb"-----BEGIN (?:TRUSTED )?CERTIFICATE-----(.+?)-----END", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate. Its texts are harmless and bounded; `fingerprint` is SHA-256 in lower case hex."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    subject_der: bytes = field(repr=False)
    issuer_der: bytes = field(repr=False)

    @property
    def is_self_signed(self) -> bool:
        """Whether it names itself as its issuer; the signature is not looked at."""
        return self.subject_der == self.issuer_der

    @property
    def lifetime_days(self) -> float:
        return max(seconds_between(self.not_before, self.not_after), 0.0) / _DAY_S

    def days_left(self, now: datetime) -> float:
        """Return the days until it ends, below 0 when it has ended."""
        return seconds_between(now, self.not_after) / _DAY_S

    def is_in_force(self, now: datetime) -> bool:
        return self.not_before <= now <= self.not_after

    def is_for(self, host: str) -> bool:
        """Return whether it is for this host name or address (RFC 6125: a wildcard stands for one label)."""
        wanted = _host_key(host)
        return any(_host_key(name) == wanted or _covers(name.lower(), wanted) for name in self.names)


@dataclass(frozen=True, slots=True)
class Chain:
    """What a server sent: how many certificates, and the `path` from the leaf up by subject and issuer, without roots.

    `path` is empty when the leaf could not be read.
    """

    sent: int
    path: tuple[Certificate, ...]

    def path_at(self, now: datetime, is_verified: bool, ca_file: str | None = None) -> tuple[Certificate, ...]:
        """Return the part of the path that counts.

        Verification that succeeded went past what is not in force, and past what has a trusted issuer of its name.
        """
        is_plain = _first_to_end(self.path) is self.path[0] and all(one.not_before <= now for one in self.path)
        if not is_verified or is_plain:
            return self.path
        trusted = _trusted(ca_file)
        counted = list(self.path[:1])
        for certificate in self.path[1:]:
            if not certificate.is_in_force(now) or certificate.subject_der in trusted:
                break
            counted.append(certificate)
        return tuple(counted)


class Judgement(NamedTuple):
    """What the certificates make of the verdict at a time; `path` has those that count, none when none can be read."""

    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    path: tuple[Certificate, ...] = ()
    at: datetime = datetime.min.replace(tzinfo=UTC)

    @property
    def days_left(self) -> float | None:
        """Days until the first of them ends."""
        return _first_to_end(self.path).days_left(self.at) if self.path else None

    @property
    def observed(self) -> dict[str, Json]:
        """Bounded facts of them."""
        return _observed(self.path, self.at) if self.path else {}


def read_chain(pems: Sequence[bytes]) -> Chain:
    """Return the chain of certificates in PEM, leaf first."""
    leaf = _read(pems[0]) if pems else None
    if leaf is None:
        return Chain(len(pems), ())
    others = [found for pem in pems[1:] if (found := _read(pem))]
    path = [leaf]
    while not path[-1].is_self_signed:
        issuers = [other for other in others if other.subject_der == path[-1].issuer_der and not other.is_self_signed]
        if not issuers:
            break
        # Of two with one name a client takes the one that is still good.
        path.append(max(issuers, key=lambda certificate: certificate.not_after))
        others.remove(path[-1])
    return Chain(len(pems), tuple(path))


def judge_chain(
    chain: Chain,
    warn_days: float | None,
    crit_days: float | None,
    now: datetime,
    *,
    is_verified: bool = True,
    ca_file: str | None = None,
    are_defaults: bool = False,
    issuer: str | None = None,
    fingerprints: Collection[str] = (),
    fingerprints_before: Sequence[str] = (),
) -> Judgement:
    """Return what is wrong with the chain: too few days, another issuer, a certificate that is not the pinned one.

    `are_defaults`: the limits were not chosen for this certificate, so that a short-lived one has smaller ones.
    `fingerprints_before` are those seen until now; without any, nothing has changed.
    """
    if not chain.path:
        what = "missing" if not chain.sent else "one that cannot be read"
        return Judgement((Finding("certificate", "an X.509 certificate", what),))
    path = chain.path_at(now, is_verified, ca_file)
    leaf, first = path[0], _first_to_end(path)
    findings = [*_not_yet(path, now), *_wrong_issuer(path, issuer), *_wrong_pin(leaf, fingerprints)]
    warnings = _changed(leaf, fingerprints_before)
    days_left = first.days_left(now)
    for limit, part, found in ((crit_days, _CRIT_PART, findings), (warn_days, _WARN_PART, warnings)):
        if limit is None or days_left >= limit:
            continue
        if are_defaults:
            limit = min(limit, first.lifetime_days * part)
        if days_left < limit:
            found.append(_end(first, leaf, now, f"at least {_days(limit)} away"))
            break
    return Judgement(tuple(findings), tuple(warnings), path, now)


def explain_refusal(chain: Chain, host: str, now: datetime) -> tuple[Finding, ...]:
    """Return why verification for this host failed, as far as the chain itself tells; () when it does not."""
    if not chain.path:
        return ()
    leaf, top = chain.path[0], chain.path[-1]
    findings = _not_yet(chain.path, now)
    for certificate in chain.path:
        if certificate.not_after < now:
            findings.append(_end(certificate, leaf, now, "still to come"))
    if not leaf.is_for(host):
        names = _listed(leaf.names) or f"no name (subject {leaf.subject})"
        findings.append(Finding("certificate's host", plain(host, _CHARACTERS), names))
    if findings:
        return tuple(findings)
    wanted = "a trusted authority"
    if leaf.is_self_signed:
        words = f"the certificate is self-signed ({leaf.subject}), expected one of {wanted}"
        return (Finding("certificate's issuer", wanted, f"itself ({leaf.subject})", words),)
    return (Finding("certificate's issuer", wanted, f"{top.issuer}, unknown here and not sent along"),)


def observed_of(chain: Chain, now: datetime) -> dict[str, Json]:
    """Return bounded facts of a chain that was refused."""
    return _observed(chain.path, now) if chain.path else {}


def _observed(path: Sequence[Certificate], now: datetime) -> dict[str, Json]:
    leaf, first = path[0], _first_to_end(path)
    observed: dict[str, Json] = {
        "cert_subject": leaf.subject,
        "cert_issuer": leaf.issuer,
        "cert_names": _listed(leaf.names),
        "cert_not_after": _minute(leaf.not_after),
        "cert_days": round(first.days_left(now), 1),
        "cert_sha256": leaf.fingerprint,
    }
    if first is not leaf:
        observed |= {"chain_ends_with": first.subject, "chain_not_after": _minute(first.not_after)}
    return observed


def _not_yet(path: Sequence[Certificate], now: datetime) -> list[Finding]:
    return [_start(certificate, path[0], now) for certificate in path if certificate.not_before > now]


def _wrong_issuer(path: Sequence[Certificate], wanted: str | None) -> list[Finding]:
    if wanted is None or any(wanted.lower() in certificate.issuer.lower() for certificate in path):
        return []
    return [Finding("certificate's issuer", f"to contain {plain(wanted, 80)!r}", repr(path[0].issuer))]


def _wrong_pin(leaf: Certificate, pinned: Collection[str]) -> list[Finding]:
    if not pinned or leaf.fingerprint in pinned:
        return []
    return [Finding("certificate's SHA-256", " or ".join(sorted(pinned)), leaf.fingerprint)]


def _changed(leaf: Certificate, before: Sequence[str]) -> list[Finding]:
    if not before or leaf.fingerprint in before:
        return []
    return [Finding("certificate's SHA-256", f"{before[-1]} as before", f"now {leaf.fingerprint}")]


def _first_to_end(path: Sequence[Certificate]) -> Certificate:
    return min(path, key=lambda certificate: certificate.not_after)


def _label(certificate: Certificate, leaf: Certificate) -> str:
    return "the certificate" if certificate is leaf else f"{certificate.subject} in the chain"


def _start(certificate: Certificate, leaf: Certificate, now: datetime) -> Finding:
    label, when = _label(certificate, leaf), _when(certificate.not_before, now)
    return Finding(f"start of {label}", "in the past", when, f"{label} is not valid before {when}")


def _end(certificate: Certificate, leaf: Certificate, now: datetime, expected: str) -> Finding:
    label, on, days = _label(certificate, leaf), _minute(certificate.not_after), certificate.days_left(now)
    if days < 0:
        words = f"{label} expired {_days(-days, 0 if days <= -2 else 1)} ago, on {on}"
    else:
        words = f"{label} expires in {_days(days)}, on {on}, expected {expected}"
    return Finding(f"end of {label}", expected, _when(certificate.not_after, now), words)


def _when(at: datetime, now: datetime) -> str:
    days = seconds_between(now, at) / _DAY_S
    return f"{_minute(at)}, " + (f"in {_days(days)}" if days >= 0 else f"{_days(-days)} ago")


def _days(days: float, digits: int = 1) -> str:
    number = f"{days:.{digits}f}".removesuffix(".0")
    return f"{number} day" if number == "1" else f"{number} days"


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return clip(", ".join(names[:_SHOWN_NAMES]), 300) + (f" and {more} more" if more > 0 else "")


def _host_key(host: str) -> object:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        name = host.lower().rstrip(".")
        return name if name.isascii() else name.encode("idna").decode()


def _covers(pattern: str, name: object) -> bool:
    return isinstance(name, str) and pattern[:2] == "*." and "." in name and name.partition(".")[2] == pattern[2:]


@lru_cache(maxsize=10_000)
def _read(pem: bytes) -> Certificate | None:
    """Return the certificate, or None when it cannot be read. Servers show the same ones again and again."""
    try:
        found = x509.load_pem_x509_certificate(pem)
        return Certificate(
            subject=plain(found.subject.rfc4514_string(), _CHARACTERS) or "no subject",
            issuer=plain(found.issuer.rfc4514_string(), _CHARACTERS) or "no issuer",
            names=_names(found),
            not_before=found.not_valid_before_utc,
            not_after=found.not_valid_after_utc,
            fingerprint=hashlib.sha256(found.public_bytes(Encoding.DER)).hexdigest(),
            subject_der=found.subject.public_bytes(),
            issuer_der=found.issuer.public_bytes(),
        )
    except (ValueError, x509.InvalidVersion, OverflowError):
        return None


def _names(found: x509.Certificate) -> tuple[str, ...]:
    try:
        listed = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        # Then clients go by the common name.
        return tuple(plain(str(name.value), 253) for name in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError):
        return ()
    addresses = map(str, listed.get_values_for_type(x509.IPAddress))
    return tuple(plain(name, 253) for name in (*listed.get_values_for_type(x509.DNSName), *addresses))


class _Trusted:
    """The certificates that are trusted, by the names in them."""

    def __init__(self, bundle: bytes) -> None:
        # Parsing all of them would take a hundred times as long, and some roots are too odd for it.
        self._ders = b"".join(b64decode(body) for body in _PEM.findall(bundle))

    def __contains__(self, name_der: bytes) -> bool:
        return name_der in self._ders


def _trusted(ca_file: str | None) -> _Trusted:
    path = ca_file or ssl.get_default_verify_paths().cafile
    try:
        return _read_bundle(path, Path(path).stat().st_mtime_ns) if path else _Trusted(b"")
    except (OSError, ValueError):
        # What is not known to be trusted counts.
        return _Trusted(b"")


@lru_cache(maxsize=32)
def _read_bundle(path: str, _changed_at: int) -> _Trusted:
    return _Trusted(Path(path).read_bytes())
