"""The `ssh` kind: the identification of an SSH server (RFC 4253, 4.2).

anything at all\\r\\n                      lines before it are allowed
SSH-2.0-OpenSSH_9.2p1 Debian-2\\r\\n       protocol version, software, comment
"""

from __future__ import annotations

import re

from monitor import __version__
from monitor.config.kinds.ssh import SshCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Connection, connect
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.starttls import read_line
from monitor.probes.textrules import check_text
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_ms, plain

_LINES_BEFORE = 1000
# A server that hears nothing from us complains in its log about a scan.
_OURS = f"SSH-2.0-Greenwall_{__version__}\r\n".encode()
_VERSIONS = ("2.0", "1.99")


def probe_ssh(check: SshCheck, _setting: Setting) -> Outcome:
    """Return the verdict on the server's identification."""
    try:
        with connect(check.host, check.port, check.timeout) as connection:
            connection.awaited.what = "SSH identification"
            connection.send(_OURS)
            line = _identification(connection)
            times_ms, address = connection.times_ms, connection.address
    except ProbeFailed as failure:
        return failure.outcome()
    text = line.decode(errors="replace")
    version, _, software = text.removeprefix("SSH-").partition("-")
    observed: dict[str, Json] = {
        "address": address,
        "software": plain(software, 200),
        "ssh_version": plain(version, 20),
    }
    if version not in _VERSIONS:
        wrong = Finding("version of SSH", "2.0 or 1.99", plain(version, 20) or "none")
        return verdict(
            "", times_ms["total"], findings=[wrong], kind=Kind.PROTOCOL, phases_ms=times_ms, observed=observed
        )
    outcome = verdict(
        f"{plain(software, 80) or 'SSH server'} in {format_ms(times_ms['total'])}",
        times_ms["total"],
        findings=check_text("identification", line, check.expect_contains, check.expect_matches),
        phases_ms=times_ms,
        observed=observed,
    )
    return in_time(outcome, check.warn_ms, check.crit_ms)


def _identification(connection: Connection) -> bytes:
    before = b""
    for _ in range(_LINES_BEFORE):
        try:
            line = read_line(connection)
        except ProbeFailed as failure:
            if before and failure.kind is Kind.PROTOCOL:
                # What it said last is why: "Exceeded MaxStartups", "Not allowed at this time".
                raise connection.failed(Kind.PROTOCOL, f"no SSH identification, but {_quoted(before)}") from failure
            raise
        if line + b"\r\n" == _OURS:
            raise connection.failed(Kind.PROTOCOL, "no SSH identification: only what was sent to it comes back")
        if re.match(rb"SSH-", line):
            return line
        before = line or before
    raise connection.failed(Kind.PROTOCOL, f"no SSH identification within {_LINES_BEFORE} lines")


def _quoted(line: bytes) -> str:
    return repr(plain(line.decode(errors="replace"), 80))
