"""SCRAM-SHA-256 (RFC 5802, RFC 7677) as PostgreSQL has it: to show that one knows the password without telling it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import stringprep
import unicodedata

MECHANISM = "SCRAM-SHA-256"
# PostgreSQL's default is 4096. A server may ask for any number, and each million costs half a second.
_MOST_ITERATIONS = 500_000


class ScramFailed(Exception):
    """The server's part is none, or it does not know the password itself."""


class Scram:
    """One login: `first()`, then `final(what the server said)`, then `verify(what it said to that)`."""

    def __init__(self, password: str) -> None:
        self._password = _prepared(password)
        self._nonce = secrets.token_urlsafe(18)
        self._expected = b""

    @property
    def _bare(self) -> str:
        return f"n=,r={self._nonce}"

    def first(self) -> bytes:
        return f"n,,{self._bare}".encode()

    def final(self, server_first: bytes) -> bytes:
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
        without_proof = f"c=biws,r={nonce}"
        signed = f"{self._bare},{said},{without_proof}".encode()
        signature = _hmac(hashlib.sha256(key).digest(), signed)
        proof = bytes(left ^ right for left, right in zip(key, signature, strict=True))
        self._expected = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()

    def verify(self, server_final: bytes) -> None:
        wanted = b"v=" + base64.b64encode(self._expected)
        if not self._expected or not hmac.compare_digest(server_final.split(b",")[0], wanted):
            raise ScramFailed("the server does not know the password itself: it is not the one that it says it is")


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _prepared(password: str) -> bytes:
    """Return the password by SASLprep (RFC 4013); what that prohibits stays as it is, as PostgreSQL does it."""
    if password.isascii():
        return password.encode()
    mapped = (" " if stringprep.in_table_c12(char) else char for char in password if not stringprep.in_table_b1(char))
    text = unicodedata.normalize("NFKC", "".join(mapped))
    prohibited = (stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c8)
    if not text or any(is_prohibited(char) for char in text for is_prohibited in prohibited):
        return password.encode()
    return text.encode()
