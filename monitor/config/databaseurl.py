"""The URL of a database, as SQLAlchemy, Rails, Heroku and Django write it.

    postgresql://user:password@host:5432/name?sslmode=require     also postgres://, postgresql+psycopg2://, …
    mysql://user:password@host:3306/name                          also mariadb://, mysql+pymysql://, …
    sqlite:///relative/file.db     sqlite:////absolute/file.db

Whatever driver the URL names is left out: Greenwall brings its own. User, password and name may be percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

Dialect = Literal["postgresql", "mysql", "sqlite"]
TlsMode = Literal["off", "prefer", "require", "verify"]
ChannelBinding = Literal["disable", "prefer", "require"]

_DIALECTS: dict[str, Dialect] = {
    "postgres": "postgresql",
    "postgresql": "postgresql",
    "mysql": "mysql",
    "mariadb": "mysql",
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
}
_PORTS = {"postgresql": 5432, "mysql": 3306, "sqlite": 0}
# As SQLAlchemy reads it: the last `@` before the first `/` ends the password, which may hold `:` and `@`.
_FORM = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9]*)(?:\+\w+)?://"
    r"(?:(?P<user>[^/:]*)(?::(?P<password>[^/]*))?@)?"
    r"(?:\[(?P<six>[^\]/?]+)\]|(?P<host>[^/:?]*))(?::(?P<port>[^/?]*))?"
    r"(?:/(?P<name>[^?]*))?(?:\?(?P<query>.*))?",
    re.DOTALL,
)
_TLS_MODES: dict[str, TlsMode] = {
    "disable": "off",
    "disabled": "off",
    "false": "off",
    "0": "off",
    "allow": "prefer",
    "prefer": "prefer",
    "preferred": "prefer",
    "require": "require",
    "required": "require",
    "true": "require",
    "1": "require",
    "verify-ca": "verify",
    "verify_ca": "verify",
    "verify-full": "verify",
    "verify_identity": "verify",
}
_MODE_KEYS = ("sslmode", "ssl-mode", "ssl_mode", "ssl")
_CA_KEYS = ("sslrootcert", "ssl_ca", "sslca")
_VERIFY_KEYS = ("ssl_verify_cert", "ssl_verify_identity")
# They say how well a connection must be kept secret, and none of them may be left unheard.
_SECURITY = re.compile(r"ssl|tls|gssencmode|require_auth|channel_binding", re.IGNORECASE)
_HARMLESS = ("sslcompression", "sslsni", "gssencmode", "channel_binding", "ssl_min_protocol_version", "sslnegotiation")
_UNMET = re.compile(r"gssencmode=require|ssl_min_protocol_version=tlsv1\.3", re.IGNORECASE)
_BINDINGS: dict[str, ChannelBinding] = {"disable": "disable", "prefer": "prefer", "require": "require"}


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The parts of the URL. `socket` is the path of a Unix socket (for PostgreSQL its folder), `host` is empty then."""

    dialect: Dialect
    host: str = ""
    port: int = 0
    name: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    socket: str = ""
    tls: TlsMode | None = None
    ca_file: str | None = None
    options: str = ""
    channel_binding: ChannelBinding = "prefer"

    @property
    def place(self) -> str:
        """The URL without user, password and parameters."""
        if self.dialect == "sqlite":
            return f"sqlite:///{self.name}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.dialect}://{host + f':{self.port}' if host else ''}/{self.name}"


def parse_database_url(text: str) -> DatabaseUrl:
    """Return the parts of the URL; ValueError says what is expected and never repeats what may be secret."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a URL such as postgresql://user:password@host:5432/name")
    dialect = _DIALECTS.get(match["scheme"].lower())
    if dialect is None:
        raise ValueError(f"expected postgresql://, mysql://, mariadb:// or sqlite://, got {match['scheme']}://")
    if "\0" in unquote(text):
        raise ValueError("expected a URL without a NUL character (%00)")
    query = {key.lower(): value for key, value in parse_qsl(match["query"] or "", keep_blank_values=True)}
    if dialect == "sqlite":
        return _sqlite(match)
    host, socket = match["six"] or unquote(match["host"] or query.get("host", "")), query.get("unix_socket", "")
    if host.startswith("/"):
        host, socket = "", host
    if "," in host or "," in (match["port"] or ""):
        raise ValueError("expected one host, got several; write a check for each of them")
    user = unquote(match["user"] or query.get("user", ""))
    if not user:
        raise ValueError(f"expected a user name in the URL, such as {match['scheme']}://user:password@host/name")
    tls, ca_file = _tls(query)
    binding = query.get("channel_binding", "prefer")
    if binding not in _BINDINGS:
        raise ValueError(f"channel_binding: expected {', '.join(_BINDINGS)}")
    return DatabaseUrl(
        dialect,
        "" if socket else host or "localhost",
        _port(match["port"] or query.get("port", ""), dialect),
        unquote(match["name"] or query.get("dbname", "")),
        user,
        unquote(match["password"] or query.get("password", "")),
        socket,
        tls,
        ca_file,
        query.get("options", "") if dialect == "postgresql" else "",
        _BINDINGS[binding],
    )


def _sqlite(match: re.Match[str]) -> DatabaseUrl:
    name = unquote(match["name"] or "")
    if match["host"] or match["user"] or match["six"]:
        raise ValueError(
            "expected three slashes and a file, such as sqlite:///data/shop.db (four for an absolute path)"
        )
    if not name or name == ":memory:" or "\0" in name:
        raise ValueError("expected the file of a database, such as sqlite:///data/shop.db")
    return DatabaseUrl("sqlite", name=name)


def _port(text: str, dialect: Dialect) -> int:
    if not text:
        return _PORTS[dialect]
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        # What stands there may be the rest of a password with a slash in it.
        raise ValueError("expected a port from 1 to 65535; a / in a user name or password is written %2F")
    return int(text)


def _tls(query: Mapping[str, str]) -> tuple[TlsMode | None, str | None]:
    mode: TlsMode | None = None
    ca_file: str | None = None
    for key, value in query.items():
        if key in _MODE_KEYS:
            if value.lower() not in _TLS_MODES:
                raise ValueError(f"{key}: expected disable, prefer, require or verify-full")
            mode = _TLS_MODES[value.lower()]
        elif key in _CA_KEYS:
            ca_file = None if value == "system" else value
        elif key in _VERIFY_KEYS:
            mode = "verify" if value.lower() in ("1", "true", "yes") else mode
        elif _UNMET.fullmatch(f"{key}={value}") or (_SECURITY.search(key) and key not in _HARMLESS):
            raise ValueError(f"the parameter {key!r} is not supported; use tls and ca_file of the check")
    # libpq verifies by `require`, too, where it has a root certificate; `allow` and `prefer` it does not.
    if (mode == "require" and "sslrootcert" in query) or (mode is None and any(key in query for key in _CA_KEYS)):
        mode = "verify"
    return mode, ca_file
