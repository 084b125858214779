"""SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL has it: to show that one knows the password without telling it.

    first ─▶ what the server said ─▶ final ─▶ what it said to that ─▶ verify

Over TLS the login is bound to the server's certificate where the server can (SCRAM-SHA-256-PLUS): who stands in between
with a certificate of his own does not get through, whether it is verified or not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import struct
import unicodedata

_MECHANISM, _BINDING_MECHANISM = b"SCRAM-SHA-256", b"SCRAM-SHA-256-PLUS"
_BINDING = b"p=tls-server-end-point,,"
# PostgreSQL's default is 4096. A server may ask for any number, and each million costs half a second.
_MOST_ITERATIONS = 500_000
# What Unicode 3.2 had not assigned yet (emoji) is among it.
_PROHIBITED = (
    stringprep.in_table_a1,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


class ScramFailed(Exception):
    """The server's part is none, or it does not know the password itself."""


class Scram:
    """One login, each step once. `endpoint` is the hash of the server's certificate, if there is one (RFC 5929)."""

    def __init__(self, password: str, endpoint: bytes = b"") -> None:
        self._password, self._endpoint = _prepared(password), endpoint
        self._nonce = secrets.token_urlsafe(18)
        self._expected = b""
        self._next = "first"
        self._channel = b""

    @property
    def is_under_way(self) -> bool:
        return self._next in ("final", "verify")

    @property
    def is_bound(self) -> bool:
        return self._channel.startswith(_BINDING)

    @staticmethod
    def is_among(offered: list[bytes]) -> bool:
        return _MECHANISM in offered

    @property
    def _bare(self) -> str:
        return f"n=,r={self._nonce}"

    def first(self, offered: list[bytes]) -> bytes:
        """Return the SASLInitialResponse: the mechanism, and what is said first."""
        self._go_on("first", "final")
        binds = bool(self._endpoint) and _BINDING_MECHANISM in offered
        # `y`: we could, but it does not offer it. One that does knows then that somebody took its offer away.
        self._channel = _BINDING + self._endpoint if binds else b"y,," if self._endpoint else b"n,,"
        said = self._channel[: self._channel.index(b",,") + 2] + self._bare.encode()
        return (_BINDING_MECHANISM if binds else _MECHANISM) + b"\0" + struct.pack("!i", len(said)) + said

    def final(self, server_first: bytes) -> bytes:
        self._go_on("final", "verify")
        try:
            said = server_first.decode("ascii")
            parts = dict(part.split("=", 1) for part in said.split(","))
            salt, iterations = base64.b64decode(parts["s"], validate=True), int(parts["i"])
            nonce = parts["r"]
        except (ValueError, KeyError, binascii.Error) as error:
            raise ScramFailed("the server's part of the SCRAM login is not valid") from error
        if not nonce.startswith(self._nonce) or not 1 <= iterations <= _MOST_ITERATIONS:
            what = f"asks for {iterations} rounds of hashing" if nonce.startswith(self._nonce) else "has another nonce"
            raise ScramFailed(f"the server's part of the SCRAM login {what}, which is not accepted")
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, iterations)
        key = _hmac(salted, b"Client Key")
        without_proof = f"c={base64.b64encode(self._channel).decode()},r={nonce}"
        signed = f"{self._bare},{said},{without_proof}".encode()
        signature = _hmac(hashlib.sha256(key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        self._go_on("verify", "over")
        wanted = b"v=" + base64.b64encode(self._expected)
        if not hmac.compare_digest(server_final.split(b",")[0], wanted):
            raise ScramFailed("the server does not know the password itself: it is not the one that it says it is")

    def _go_on(self, step: str, following: str) -> None:
        if self._next != step:
            raise ScramFailed("the server does not keep to the order of a SCRAM login")
        self._next = following


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _prepared(password: str) -> bytes:
    """Return the password by SASLprep (RFC 4013); what that prohibits stays as it is, as PostgreSQL does it."""
    if password.isascii():
        return password.encode()
    # U+200B is in both tables; PostgreSQL takes it for a blank.
    blanks = "".join(" " if stringprep.in_table_c12(char) else char for char in password)
    text = unicodedata.normalize("NFKC", "".join(char for char in blanks if not stringprep.in_table_b1(char)))
    if not text or any(is_prohibited(char) for char in text for is_prohibited in _PROHIBITED) or not _has_one_way(text):
        return password.encode()
    return text.encode()


def _has_one_way(text: str) -> bool:
    """Return whether what is written from right to left does so from its first to its last character (RFC 3454, 6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
