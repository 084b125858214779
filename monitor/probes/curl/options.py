"""A request as libcurl's options. Each exchange has a new connection and a full handshake unless it keeps one alive."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from urllib.parse import urlsplit

import pycurl

from monitor import __version__
from monitor.probes.curl.request import Request

_BODY_EXPECTED = {"POST", "PUT", "PATCH"}
_AGENT = f"Greenwall/{__version__}"
_WEB = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS
# libcurl reads a multiple of it before others have their turn; with its default they would wait four times as long.
_READ_AT_ONCE_BYTES = 4096
_VERSIONS = {
    "1.0": pycurl.CURL_HTTP_VERSION_1_0,
    "1.1": pycurl.CURL_HTTP_VERSION_1_1,
    "2": pycurl.CURL_HTTP_VERSION_2_0,
    "3": pycurl.CURL_HTTP_VERSION_3ONLY,
}


def prepare(curl: pycurl.Curl, request: Request, addresses: Sequence[str] = ()) -> None:
    """Set the request on a handle that is new or was reset. Without `addresses` libcurl looks the name up."""
    set_option = curl.setopt
    set_option(pycurl.URL, request.url.encode("utf-8", "surrogateescape"))
    set_option(pycurl.PROTOCOLS, _WEB)
    set_option(pycurl.TIMEOUT_MS, max(int(request.timeout_s * 1000), 1))
    # By itself curl gives up connecting after 300 s; the deadline is the only one.
    set_option(pycurl.CONNECTTIMEOUT_MS, max(int(request.timeout_s * 1000), 1))
    set_option(pycurl.NOSIGNAL, 1)
    set_option(pycurl.BUFFERSIZE, _READ_AT_ONCE_BYTES)
    if not request.keep_alive:
        set_option(pycurl.FRESH_CONNECT, 1)
        set_option(pycurl.FORBID_REUSE, 1)
    if addresses:
        # For ever in libcurl's eyes, but given anew for each exchange, which replaces it.
        set_option(pycurl.RESOLVE, [f"{name_and_port(request)}:{','.join(addresses)}"])
        set_option(pycurl.DNS_CACHE_TIMEOUT, -1)
    else:
        # Names are looked up each time, too: a cached address would hide for a minute that the resolver is down.
        set_option(pycurl.DNS_CACHE_TIMEOUT, 0)
    set_option(pycurl.USERAGENT, _AGENT)
    # Plain is asked for, since libcurl does not notice a compressed body that ends early; what comes is decoded.
    set_option(pycurl.ACCEPT_ENCODING, "identity")
    # Without it the environment's proxy would be used.
    set_option(pycurl.PROXY, request.proxy or "")
    set_option(pycurl.HTTPHEADER, _header_lines(request))
    if request.is_https:
        _prepare_tls(curl, request)
    if request.server_name and request.is_https:
        _call_it(curl, request, request.server_name)
    if request.basic is not None:
        curl.setopt(pycurl.HTTPAUTH, pycurl.HTTPAUTH_BASIC)
        curl.setopt(pycurl.USERNAME, request.basic[0].encode())
        curl.setopt(pycurl.PASSWORD, request.basic[1].encode())
    if request.http_version is not None:
        curl.setopt(pycurl.HTTP_VERSION, _VERSIONS[request.http_version])
    if request.unix_socket is not None:
        curl.setopt(pycurl.UNIX_SOCKET_PATH, request.unix_socket)
    _prepare_method(curl, request)


def name_and_port(request: Request) -> str:
    """Return `host:port` of the connection, as libcurl keys what it knows of names."""
    parts = urlsplit(request.url)
    return f"{parts.hostname}:{parts.port or (443 if request.is_https else 80)}"


def _prepare_tls(curl: pycurl.Curl, request: Request) -> None:
    # A resumed session would hide a certificate that was changed or has expired since.
    curl.setopt(pycurl.SSL_SESSIONID_CACHE, 0)
    if request.ca_file:
        curl.setopt(pycurl.CAINFO, request.ca_file)
    if not request.verify:
        curl.setopt(pycurl.SSL_VERIFYPEER, 0)
        curl.setopt(pycurl.SSL_VERIFYHOST, 0)
    if request.wants_chain:
        curl.setopt(pycurl.OPT_CERTINFO, 1)
    if request.client_cert:
        curl.setopt(pycurl.SSLCERT, request.client_cert)
        curl.setopt(pycurl.SSLKEY, request.client_key or request.client_cert)


def _call_it(curl: pycurl.Curl, request: Request, name: str) -> None:
    """Ask for `name` in TLS and verify it, but connect to the URL's host, and name that one in the request."""
    parts = urlsplit(request.url)
    port, host = parts.port or 443, parts.hostname or ""
    curl.setopt(pycurl.URL, parts._replace(netloc=f"{name}:{port}").geturl().encode())
    curl.setopt(pycurl.CONNECT_TO, [f"{name}:{port}:{f'[{host}]' if ':' in host else host}:{port}"])
    if "host" not in {header.lower() for header in request.headers}:
        lines = [*_header_lines(request), f"Host: {parts.netloc.rpartition('@')[2]}".encode()]
        curl.setopt(pycurl.HTTPHEADER, lines)


def _header_lines(request: Request) -> list[bytes]:
    """Return the headers as curl wants them: `Name;` is one without a value, `Name:` one that is not to be sent."""
    lines = [f"{name}: {value}" if value.strip() else f"{name};" for name, value in request.headers.items()]
    named = {name.lower() for name in request.headers}
    # curl would call every body a form, and wait a second before it sends a long one.
    lines += [f"{name}:" for name in ("Content-Type", "Expect") if name.lower() not in named]
    return [line.encode() for line in lines]


def _prepare_method(curl: pycurl.Curl, request: Request) -> None:
    body = request.body
    if request.method == "HEAD":
        curl.setopt(pycurl.NOBODY, 1)
        return
    if body is None and request.method in _BODY_EXPECTED:
        # Without a body there must be a Content-Length of 0, or servers answer 411.
        body = b""
    if body is not None:
        _prepare_body(curl, body.encode() if isinstance(body, str) else body)
    if request.method != ("GET" if body is None else "POST"):
        # COPYPOSTFIELDS makes it a POST; the method that was asked for stands.
        curl.setopt(pycurl.CUSTOMREQUEST, request.method)


def _prepare_body(curl: pycurl.Curl, body: bytes) -> None:
    if b"\0" not in body:
        curl.setopt(pycurl.COPYPOSTFIELDS, body)
        return
    # pycurl takes no zero bytes there; read from a file it may send anything, again too after a redirect.
    file = BytesIO(body)

    def seek(offset: int, origin: int) -> int:
        file.seek(offset, origin)
        return int(pycurl.SEEKFUNC_OK)

    curl.setopt(pycurl.POST, 1)
    curl.setopt(pycurl.POSTFIELDSIZE_LARGE, len(body))
    curl.setopt(pycurl.READFUNCTION, file.read)
    curl.setopt(pycurl.SEEKFUNCTION, seek)
