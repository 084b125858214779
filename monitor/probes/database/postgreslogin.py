"""How PostgreSQL learns that we know the password. Any peer can ask for it, and for more than it should get.

    SCRAM-SHA-256   shows nothing of it, and the server must show in turn that it knows it
    MD5             a hash, to anybody who asks, as every client gives it
    clear text      only over verified TLS, a Unix socket or loopback

https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
"""

from __future__ import annotations

import hashlib
import ipaddress

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes

from monitor.config.databaseurl import DatabaseUrl, TlsMode
from monitor.model import Kind
from monitor.probes.database.scram import Scram, ScramFailed
from monitor.probes.database.session import DatabaseFailed
from monitor.probes.stream import Transport

# What the server asks for (AuthenticationRequest).
_WELCOME, _CLEAR, _MD5, _SASL, _SASL_MORE, _SASL_END = 0, 3, 5, 10, 11, 12


class Login:
    """One login; `awaits_welcome` while the server has our proof and has not said what it thinks of it."""

    def __init__(self, url: DatabaseUrl, tls: TlsMode, transport: Transport) -> None:
        self._url, self._tls, self._transport = url, tls, transport
        self._scram = Scram(url.password, b"" if url.channel_binding == "disable" else _endpoint(transport.chain))
        self.awaits_welcome = False

    def answer(self, code: int, said: bytes) -> bytes:
        """Return what to answer to an AuthenticationRequest, b"" for nothing; DatabaseFailed or ProbeFailed."""
        if not self._url.password and code in (_CLEAR, _MD5, _SASL):
            raise DatabaseFailed(Kind.AUTH, "the server wants a password, and the URL has none")
        wrong = self._wrong_with(code)
        if wrong:
            raise self._transport.failed(Kind.PROTOCOL, wrong)
        self.awaits_welcome = code != _WELCOME
        try:
            return self._proof(code, said)
        except ScramFailed as error:
            raise self._transport.failed(Kind.PROTOCOL, str(error)) from error

    def _wrong_with(self, code: int) -> str:
        asks_without = code in (_WELCOME, _CLEAR, _MD5, _SASL_MORE) and not self._scram.is_bound
        if self._url.channel_binding == "require" and asks_without:
            return "the server does not bind the login to its certificate; channel_binding says that it must"
        if code == _WELCOME and self._scram.is_under_way:
            return "the server ended the login, and has not shown that it knows the password itself"
        if code in (_CLEAR, _MD5) and self._scram.is_under_way:
            return "the server does not keep to the order of a SCRAM login"
        if code == _CLEAR and self._is_overheard:
            return (
                "the server asks for the password in clear text, which it gets over verified TLS, a Unix socket or "
                "from its own machine only: set tls: verify (and ca_file), or scram-sha-256 in pg_hba.conf"
            )
        return ""

    @property
    def _is_overheard(self) -> bool:
        """Whether somebody else may read what is said, or be the one that it is said to."""
        if self._url.socket or self._tls == "verify":
            return False
        try:
            return not ipaddress.ip_address(self._transport.address).is_loopback
        except ValueError:
            return True

    def _proof(self, code: int, said: bytes) -> bytes:
        url, offered = self._url, said.split(b"\0")
        if code == _WELCOME:
            return b""
        if code == _CLEAR:
            return url.password.encode() + b"\0"
        if code == _MD5:
            inner = hashlib.md5((url.password + url.user).encode(), usedforsecurity=False).hexdigest()
            outer = hashlib.md5(inner.encode() + said[:4], usedforsecurity=False).hexdigest()
            return f"md5{outer}\0".encode()
        if code == _SASL and self._scram.is_among(offered):
            return self._scram.first(offered)
        if code == _SASL_MORE:
            return self._scram.final(said)
        if code == _SASL_END:
            self._scram.verify(said)
            return b""
        # Kerberos, SSPI, OAuth, and what is still to come.
        raise DatabaseFailed(
            Kind.UNCONFIGURED,
            f"the server wants a login by method {code}, which Greenwall does not have; "
            "give its user a password (scram-sha-256 in pg_hba.conf)",
        )


def _endpoint(chain: tuple[bytes, ...]) -> bytes:
    """Return the hash of the server's certificate as SCRAM binds to it (RFC 5929, 4.1); b"" when there is none."""
    try:
        leaf = x509.load_pem_x509_certificate(chain[0])
        algorithm = leaf.signature_hash_algorithm
    except (IndexError, ValueError, UnsupportedAlgorithm):
        return b""
    if algorithm is None:
        return b""
    return leaf.fingerprint(hashes.SHA256() if algorithm.name in ("md5", "sha1") else algorithm)
