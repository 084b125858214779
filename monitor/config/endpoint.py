"""Field types that network kinds share: hosts, ports, bytes to send.

Host     a name or an address, without scheme and port        shop.example   10.0.0.7   ::1
Port     1 to 65535
Payload  a text with escapes, see `unescape`                  "PING\\r\\n"
HexBytes pairs of hexadecimal digits, blanks between them     "ff ff 00"
"""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?|_[\w-]{0,62}"
_NAME = re.compile(rf"(?:{_LABEL})(?:\.(?:{_LABEL}))*\.?")
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|(.?))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\"}


def _host(value: str) -> str:
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    if len(bare) <= 253 and (is_address(bare) or (_NAME.fullmatch(bare) and not re.fullmatch(r"[\d.]+", bare))):
        return bare
    raise ValueError(f"expected a host name or an address, without scheme and port, got {value!r}")


def is_address(text: str) -> bool:
    """Return whether the text is an IPv4 or IPv6 address, `fe80::1%eth0` included."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def host_and_port(host: str, port: int) -> str:
    """Return `host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def unescape(text: str) -> bytes:
    r"""Return the bytes of a text in UTF-8 with `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH` (one byte) filled in.

    Raises ValueError for any other escape.
    """
    parts, end = [], 0
    for match in _ESCAPE.finditer(text):
        parts.append(text[end : match.start()].encode())
        if match[1]:
            parts.append(bytes.fromhex(match[1]))
        elif match[2] in _ESCAPES:
            parts.append(_ESCAPES[match[2]].encode())
        else:
            raise ValueError(rf"expected one of \n \r \t \0 \\ \xHH, got {match[0]!r}")
        end = match.end()
    return b"".join([*parts, text[end:].encode()])


def _payload(value: str) -> str:
    unescape(value)
    return value


def _hex_bytes(value: str) -> str:
    try:
        bytes.fromhex(value)
    except ValueError as error:
        raise ValueError(f'expected pairs of hexadecimal digits such as "ff 0a", got {value!r}') from error
    return value


def _not_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError(f"expected a port, got {str(value).lower()}")
    return value


Host = Annotated[str, AfterValidator(_host)]
Port = Annotated[int, BeforeValidator(_not_bool), Field(ge=1, le=65535)]
Payload = Annotated[str, AfterValidator(_payload)]
HexBytes = Annotated[str, AfterValidator(_hex_bytes)]
