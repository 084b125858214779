"""What a handle knows after an exchange: phases, address, certificates, where it was redirected to."""

from __future__ import annotations

import re

import pycurl

from monitor.probes.curl.request import Request

_CERTIFICATES = 10


def phases_of(curl: pycurl.Curl, request: Request) -> dict[str, float]:
    """Return milliseconds of dns, connect, tls, ttfb and total; a phase that was not reached is left out."""
    info = curl.getinfo
    dns, connect = info(pycurl.NAMELOOKUP_TIME) * 1000, info(pycurl.CONNECT_TIME) * 1000
    phases = {"dns": dns, "total": info(pycurl.TOTAL_TIME) * 1000}
    if connect > 0:
        phases["connect"] = max(connect - dns, 0.0)
    if request.is_https:
        tls = info(pycurl.APPCONNECT_TIME) * 1000
        if tls > 0:
            phases["tls"] = max(tls - connect, 0.0)
    first = info(pycurl.STARTTRANSFER_TIME) * 1000
    # curl has a time for the first byte even when none came.
    if first > 0 and info(pycurl.RESPONSE_CODE):
        phases["ttfb"] = max(first - info(pycurl.PRETRANSFER_TIME) * 1000, 0.0)
    return phases


def harmless(url: str) -> str:
    """Return a URL for the records: its password and its query are not for them."""
    return re.sub(r"//[^/?#]*@", "//", re.split(r"[?#]", url)[0])


def chain_of(curl: pycurl.Curl) -> tuple[bytes, ...]:
    """Return the peer's certificates as PEM, leaf first, as it sent them; bounded."""
    certificates = curl.getinfo(pycurl.INFO_CERTINFO) or []
    texts = (value for fields in certificates[:_CERTIFICATES] for name, value in fields if name == "Cert")
    return tuple(text.encode() for text in texts)


def version_of(curl: pycurl.Curl) -> str:
    """Return the version of HTTP that was spoken: `1.0`, `1.1`, `2`, `3`, or an empty text."""
    return _VERSIONS.get(curl.getinfo(pycurl.INFO_HTTP_VERSION), "")


_VERSIONS = {
    pycurl.CURL_HTTP_VERSION_1_0: "1.0",
    pycurl.CURL_HTTP_VERSION_1_1: "1.1",
    pycurl.CURL_HTTP_VERSION_2_0: "2",
    30: "3",
}
