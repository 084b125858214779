"""The `tcp` kind: connect, send, and read until what is expected has come."""

from __future__ import annotations

from monitor.config.endpoint import unescape
from monitor.config.kinds.tcp import TcpCheck
from monitor.config.pattern import compile_pattern
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.textrules import shown
from monitor.probes.tls import no_handshake
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_ms, plain

_MOST_BYTES = 65536


def probe_tcp(check: TcpCheck, setting: Setting) -> Outcome:
    """Return the verdict on the connection and what came by it."""
    ca_file = str(setting.folder / check.ca_file) if check.ca_file else None
    tls = Tls(check.verify, ca_file, check.server_name) if check.tls else None
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
    answer, findings = bytearray(), _missing(check, b"")
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
        findings = _missing(check, answer)
    return bytes(answer), [], ""


def _missing(check: TcpCheck, answer: bytes | bytearray) -> list[Finding]:
    findings = []
    if check.expect_contains is not None and unescape(check.expect_contains) not in answer:
        findings.append(
            Finding("answer", f"containing {plain(check.expect_contains, 80)!r}", shown(bytes(answer[:400])))
        )
    if check.expect_matches is not None and not compile_pattern(check.expect_matches).search(_as_text(answer)):
        findings.append(Finding("answer", f"matching {plain(check.expect_matches, 80)!r}", shown(bytes(answer[:400]))))
    return findings


def _as_text(answer: bytes | bytearray) -> str:
    try:
        return answer.decode()
    except UnicodeDecodeError:
        return answer.decode("latin-1")
