"""Records as texts, so that what a file expects can be compared with what a server answers."""

from __future__ import annotations

import re

import dns.exception
import dns.rdata

from monitor.units import plain

# Their case is part of the data; in names it is not.
_CASE_COUNTS = {"TXT", "DNSKEY", "CAA", "NAPTR"}


def canonical(row: dns.rdata.Rdata, record: str) -> str:
    """Return the record, names without their last dot and in lower case."""
    if record == "TXT":
        return b"".join(row.strings).decode(errors="backslashreplace")  # type: ignore[attr-defined]
    text = " ".join(re.sub(r"\.$", "", part) or part for part in row.to_text().split())
    return text if record in _CASE_COUNTS else text.lower()


def canonical_expected(text: str, record: str) -> str:
    """Return what the file expects as `canonical` writes it; ValueError when no such record can be it."""
    if record == "TXT" and not text.lstrip().startswith('"'):
        return text
    try:
        return canonical(dns.rdata.from_text("IN", record, text), record)
    except (dns.exception.DNSException, ValueError) as error:
        why = plain(str(error), 80)
        raise ValueError(
            f"`expect`: {plain(text, 80)!r} is no {record} record as zone files have it ({why})"
        ) from error
