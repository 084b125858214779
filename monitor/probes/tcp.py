"""The `tcp` kind: connect, send, and read until what is expected has come."""

from __future__ import annotations

from monitor.config.endpoint import unescape
from monitor.config.kinds.tcp import TcpCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.textrules import check_bytes
from monitor.probes.tls import no_handshake
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_ms, plain

_MOST_BYTES = 65536


def probe_tcp(check: TcpCheck, setting: Setting) -> Outcome:
    """Return the verdict on the connection and what came by it."""
    tls = Tls(check.verify, setting.path_of(check.ca_file), check.server_name) if check.tls else None
    try:
        with connect(check.host, check.port, check.timeout, tls) as connection:
            return in_time(_talk(check, connection), check.warn_ms, check.crit_ms)
    except ProbeFailed as failure:
        return no_handshake(failure, check.server_name or check.host)


def _talk(check: TcpCheck, connection: Connection) -> Outcome:
    if check.send:
        connection.send(unescape(check.send))
    answer, findings, why = _read(check, connection) if check.wants_answer else (b"", [], "")
    times_ms = connection.times_ms
    observed: dict[str, Json] = {"address": connection.address}
    if check.tls:
        observed["tls_version"] = connection.tls_version
    if findings:
        observed |= {"answer": plain(answer[:400].decode(errors="replace"), 200), "bytes": len(answer), "ended": why}
    elif check.wants_answer:
        observed["bytes"] = len(answer)
    what = f"{len(answer)} bytes" if check.wants_answer else "connected"
    message = f"{what} in {format_ms(times_ms['total'])}"
    return verdict(message, times_ms["total"], findings=findings, phases_ms=times_ms, observed=observed)


def _read(check: TcpCheck, connection: Connection) -> tuple[bytes, list[Finding], str]:
    """Return what came, what does not hold of it, and why reading ended there."""
    answer, findings = bytearray(), _findings(check, b"")
    while findings:
        room = _MOST_BYTES - len(answer)
        if not room:
            return bytes(answer), findings, f"after {_MOST_BYTES} bytes"
        try:
            piece = connection.receive(room)
        except ProbeFailed as failure:
            if failure.kind is not Kind.TIMEOUT or not answer:
                raise
            return bytes(answer), findings, "by the deadline"
        if not piece:
            return bytes(answer), findings, "by the peer"
        answer += piece
        findings = _findings(check, bytes(answer))
    return bytes(answer), [], ""


def _findings(check: TcpCheck, answer: bytes) -> list[Finding]:
    return check_bytes("answer", answer, check.expect_contains, check.expect_matches)
