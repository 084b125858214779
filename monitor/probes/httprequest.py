"""What an http check asks: its request from its keys, or why it cannot be asked."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlencode, urlsplit

import idna
import orjson

from monitor.config import HttpCheck
from monitor.config.expression import compile_expression
from monitor.model import Outcome
from monitor.probes.curl import Request
from monitor.probes.setting import Setting
from monitor.probes.verdict import unconfigured

_LONGEST_FILE_BYTES = 50_000_000
# What may stand in a URL as it is; `%` is kept, for what is escaped already.
_IN_URL = "!#$%&'()*+,/:;=?@[]~"
_FORM = "application/x-www-form-urlencoded"


def request_of(check: HttpCheck, setting: Setting) -> Request | Outcome:
    """Return what to ask, or UNKNOWN/unconfigured when a file that it needs is not there.

    The same each time, unless the check has a `body_file`. The token of `oauth2` is not in it: `probe_http` adds it.
    """
    for key, path in (("client_cert", check.client_cert), ("client_key", check.client_key)):
        if path and not (setting.folder / path).is_file():
            return unconfigured(f"{key}: there is no file {path!r}; write it there, or name the right one")
    try:
        content_type, body = _body(check, setting)
    except OSError as error:
        return unconfigured(f"body_file: {check.body_file!r} cannot be read ({error.strerror or error})")
    return Request(
        url=_url(check),
        timeout_s=check.timeout,
        method=check.method,
        headers=_headers(check, content_type),
        body=body,
        follow_redirects=check.follow_redirects,
        max_redirects=check.max_redirects,
        verify=check.verify,
        ca_file=setting.path_of(check.ca_file),
        server_name=check.server_name,
        basic=(check.basic.username, check.basic.password.get_secret_value()) if check.basic else None,
        client_cert=setting.path_of(check.client_cert),
        client_key=setting.path_of(check.client_key),
        proxy=check.proxy,
        keep_alive=check.keep_alive,
        http_version=check.http_version,
        max_body_bytes=check.max_body_bytes,
        wants_chain=wants_chain(check),
    )


def wants_chain(check: HttpCheck) -> bool:
    """Return whether certificates are looked at, and there may be some."""
    may_be_https = check.url[:6].lower() == "https:" or check.follow_redirects
    return may_be_https and (check.wants_certificate or _looks_at(check, "cert_days"))


def _looks_at(check: HttpCheck, name: str) -> bool:
    return check.expect is not None and name in compile_expression(check.expect).variables


def _headers(check: HttpCheck, content_type: str) -> dict[str, str]:
    headers = dict(check.headers)
    if content_type and not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = content_type
    if check.bearer:
        headers["Authorization"] = f"Bearer {check.bearer.get_secret_value()}"
    return headers


def _body(check: HttpCheck, setting: Setting) -> tuple[str, bytes | str | None]:
    """Return the Content-Type that a body has by its nature, and the body."""
    if "json_" in check.model_fields_set:
        return "application/json", orjson.dumps(check.json_)
    if check.form is not None:
        return _FORM, urlencode(check.form)
    if check.body_file:
        with (setting.folder / check.body_file).open("rb") as file:
            return "", file.read(_LONGEST_FILE_BYTES)
    return "", check.body


def _url(check: HttpCheck) -> str:
    url, _, _ = check.url.partition("#")
    if check.query:
        joint = "" if url.endswith(("?", "&")) else "&" if "?" in url else "?"
        url += joint + urlencode(check.query)
    return url if url.isascii() else _in_ascii(url)


def _in_ascii(url: str) -> str:
    """Return the URL with its host in Punycode and the rest percent-encoded, as browsers send it."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        name = host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")
    except ValueError:
        # libcurl says what is wrong with it.
        return url
    user, at, _ = parts.netloc.rpartition("@")
    # `port` would read it as a number, and lose what is none.
    port = parts.netloc.rpartition("@")[2].rpartition("]")[2].partition(":")[2]
    where = f"{quote(user, safe=_IN_URL)}{at}{f'[{name}]' if ':' in name else name}{f':{port}' if port else ''}"
    path, query = quote(parts.path, safe=_IN_URL), quote(parts.query, safe=_IN_URL)
    return SplitResult(parts.scheme, where, path, query, "").geturl()
