"""Certificates of every sort for tests: roots, intermediates, leaves, expired or not, and servers' contexts of them."""

from __future__ import annotations

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Identity:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    def signed(
        self,
        name: str,
        days: tuple[float, float] = (-30, 60),
        is_authority: bool = False,
        names: tuple[str, ...] = ("localhost", "127.0.0.1"),
        key: ec.EllipticCurvePrivateKey | None = None,
    ) -> Identity:
        """Return a certificate that this one has signed."""
        return issue(name, self, days, is_authority, names, key)

    def write(self, path: Path, *more: Identity) -> Path:
        """Write key and chain into one file, for a server."""
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(self.pem + b"".join(one.pem for one in more) + key)
        path.chmod(0o600)
        return path

    def context(self, folder: Path, *more: Identity) -> ssl.SSLContext:
        """Return the context of a server that sends this certificate, and more behind it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(folder / f"{self.fingerprint}.pem", *more))
        return context


def issue(
    name: str,
    issuer: Identity | None = None,
    days: tuple[float, float] = (-30, 60),
    is_authority: bool = False,
    names: tuple[str, ...] = ("localhost", "127.0.0.1"),
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Identity:
    """Return a certificate in force from `days[0]` to `days[1]` from now; without an issuer it signs itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days[0]))
        .not_valid_after(NOW + timedelta(days[1]))
        .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    if names and not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), critical=False)
    return Identity(builder.sign(signer, hashes.SHA256()), key)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return the context of a server with a certificate of trustme."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@dataclass(frozen=True)
class Authority:
    """A root in a file, an intermediate, and a leaf of it for localhost."""

    root: Identity
    intermediate: Identity
    leaf: Identity
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Authority:
        root = issue("Test Root", days=(-300, 3000), is_authority=True)
        intermediate = root.signed("Test Intermediate", (-200, 1000), is_authority=True)
        made = cls(root, intermediate, intermediate.signed("localhost"), folder)
        made.ca_file.write_bytes(root.pem)
        return made

    @property
    def ca_file(self) -> Path:
        return self.folder / "ca.pem"

    def context(self, leaf: Identity | None = None) -> ssl.SSLContext:
        """Return the context of a server with this leaf and the intermediate."""
        return (leaf or self.leaf).context(self.folder, self.intermediate)
