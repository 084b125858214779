"""The `websocket` kind: upgrade, message, messages, close.

`websockets` knows the protocol and does no I/O; the connection keeps the deadline. libcurl's own WebSockets are not
used: there the deadline ends at the connect, and a peer that pings without an end is listened to without one.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidURI, PayloadTooBig, WebSocketException
from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from monitor import __version__
from monitor.config.kinds.websocket import WebsocketCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.deadline import Deadline
from monitor.probes.redaction import redacted, redactor_for, secrets_among, secrets_of_url
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.textrules import check_text
from monitor.probes.verdict import ProbeFailed, unconfigured, verdict
from monitor.units import format_duration, format_ms, plain

_LONGEST_HEAD_BYTES = 65536
_READ_BYTES_IN_ALL = 1_000_000
# Whoever sends more of them before the expected one keeps us busy, with pings for instance.
_MOST_FRAMES = 10_000
_CHUNK_BYTES = 16384
_GOODBYE_S = 0.5
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})[ \r]")
_UNAUTHORIZED = (401, 403, 407)
# Policy violation, and what IANA lists as unauthorized and forbidden.
_CLOSED_UNAUTHORIZED = (1008, 3000, 3003)
# The package would log what is said, and thus secrets, where somebody has set DEBUG.
_SILENT = logging.Logger("websocket", logging.CRITICAL)


@dataclass(slots=True)
class _Talk:
    """A connection, the protocol's state on it, and what was seen."""

    check: WebsocketCheck
    connection: Connection
    protocol: ClientProtocol
    observed: dict[str, Json] = field(default_factory=dict)

    def flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.connection.send(data)

    def failed(self, kind: Kind, message: str) -> ProbeFailed:
        return self.connection.failed(kind, message)


def probe_websocket(check: WebsocketCheck, setting: Setting) -> Outcome:
    """Return the verdict on the upgrade and on the messages that are expected."""
    secrets = [*secrets_among(check.headers), *secrets_of_url(check.url)]
    return redacted(redactor_for(secrets), _ask(check, setting))


def _ask(check: WebsocketCheck, setting: Setting) -> Outcome:
    try:
        uri = parse_uri(check.url)
    except (InvalidURI, ValueError) as error:
        return unconfigured(f"`url` cannot be used: {plain(getattr(error, 'msg', '') or 'no WebSocket URL')}")
    ca_file = setting.path_of(check.ca_file)
    tls = Tls(verify=check.verify, ca_file=ca_file) if uri.secure else None
    observed: dict[str, Json] = {}
    try:
        with connect(uri.host, uri.port, check.timeout, tls) as connection:
            observed["address"] = connection.address
            return _converse(_Talk(check, connection, _protocol(check, uri), observed))
    except ProbeFailed as failure:
        return failure.outcome(observed)


def _protocol(check: WebsocketCheck, uri: WebSocketURI) -> ClientProtocol:
    wanted = [Subprotocol(check.subprotocol)] if check.subprotocol else None
    return ClientProtocol(uri, subprotocols=wanted, max_size=_READ_BYTES_IN_ALL, logger=_SILENT)


def _converse(talk: _Talk) -> Outcome:
    findings = _upgrade(talk)
    if not findings:
        if talk.check.send is not None:
            talk.protocol.send_text(talk.check.send.encode())
            talk.flush()
        findings = _listen(talk) if talk.check.wants_message else []
    latency_ms = talk.connection.deadline.elapsed_ms
    phases = talk.connection.phases_ms | {"total": latency_ms}
    _say_goodbye(talk)
    what = "answered" if talk.check.wants_message else "upgraded"
    message = f"{what} in {format_ms(latency_ms)}"
    outcome = verdict(message, latency_ms, findings=findings, phases_ms=phases, code=101, observed=talk.observed)
    return in_time(outcome, talk.check.warn_ms, talk.check.crit_ms)


# ---- upgrade


def _upgrade(talk: _Talk) -> list[Finding]:
    """Upgrade; return what is wrong with what was agreed. ProbeFailed when nothing was."""
    talk.connection.awaited.what = "answer to the upgrade"
    talk.protocol.send_request(_request(talk))
    talk.flush()
    head = talk.connection.read_until(b"\r\n\r\n", _LONGEST_HEAD_BYTES)
    status = _STATUS.match(head)
    if status and status[1] != b"101":
        # Its body is of no use, and may be without an end.
        raise _refused(talk, int(status[1]))
    talk.protocol.receive_data(head)
    wrong = talk.protocol.handshake_exc
    if wrong:
        said = wrong if isinstance(wrong, InvalidHandshake) else "no HTTP answer"
        raise talk.failed(Kind.PROTOCOL, f"the server does not agree to this WebSocket: {plain(str(said), 200)}")
    chosen = talk.protocol.subprotocol
    if chosen:
        talk.observed["subprotocol"] = plain(chosen, 100)
    if chosen != talk.check.subprotocol:
        return [Finding("subprotocol", talk.check.subprotocol or "none", plain(chosen or "none", 100))]
    return []


def _request(talk: _Talk) -> Request:
    request = talk.protocol.connect()
    headers = {"User-Agent": f"Greenwall/{__version__}"} | talk.check.headers
    for name, value in headers.items():
        if name in request.headers:
            del request.headers[name]
        request.headers[name] = value
    return request


def _refused(talk: _Talk, status: int) -> ProbeFailed:
    talk.observed["status"] = status
    kind = Kind.AUTH if status in _UNAUTHORIZED else Kind.STATUS
    finding = Finding("status", "101 (an upgrade to WebSocket)", str(status))
    return talk.connection.failed(kind, str(finding), findings=[finding])


# ---- messages


def _listen(talk: _Talk) -> list[Finding]:
    """Read until a message holds; return what did not hold of the first one when none does."""
    first: list[Finding] = []
    message, read, count, seen = bytearray(), 0, 0, 0
    while read < _READ_BYTES_IN_ALL:
        try:
            data = talk.connection.receive(_CHUNK_BYTES)
        except ProbeFailed as failure:
            if failure.kind is not Kind.TIMEOUT:
                raise
            break
        read += len(data)
        frames = _frames(talk, data)
        seen += len(frames)
        if seen > _MOST_FRAMES:
            raise talk.failed(Kind.PROTOCOL, f"the server sent more than {_MOST_FRAMES} frames")
        for frame in frames:
            if frame.opcode is Opcode.CLOSE:
                raise _closed(talk)
            if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            message += frame.data
            if not frame.fin:
                continue
            count += 1
            talk.observed["messages"] = count
            findings = check_text("message", bytes(message), talk.check.expect_contains, talk.check.expect_matches)
            if not findings:
                return []
            first = first or findings
            message.clear()
        _refuse_broken(talk)
    if first:
        return first
    if read < _READ_BYTES_IN_ALL:
        raise talk.failed(Kind.TIMEOUT, f"upgraded, but no message within {format_duration(talk.check.timeout)}")
    return [Finding("message", f"at most {_READ_BYTES_IN_ALL} bytes", "longer")]


def _frames(talk: _Talk, data: bytes) -> list[Frame]:
    """Return the frames that are whole with this data, and answer pings."""
    if data:
        talk.protocol.receive_data(data)
    else:
        talk.protocol.receive_eof()
    frames = [event for event in talk.protocol.events_received() if isinstance(event, Frame)]
    if not talk.protocol.parser_exc:
        talk.flush()
    return frames


def _refuse_broken(talk: _Talk) -> None:
    """Raise ProbeFailed when what came last is against the protocol."""
    broken = talk.protocol.parser_exc
    if isinstance(broken, PayloadTooBig):
        raise talk.failed(Kind.CONTENT, f"message is longer than {_READ_BYTES_IN_ALL} bytes")
    if isinstance(broken, EOFError):
        raise talk.failed(Kind.PROTOCOL, "the connection ended without a close frame")
    if broken:
        said = str(broken) if isinstance(broken, WebSocketException) else "not to be read"
        raise talk.failed(Kind.PROTOCOL, f"the server broke the protocol: {plain(said, 200)}")


def _closed(talk: _Talk) -> ProbeFailed:
    close = talk.protocol.close_rcvd
    code = close.code if close and close.code != CloseCode.NO_STATUS_RCVD else None
    talk.observed["close_code"] = code
    said = f"{code} {plain(close.reason, 120)}".strip() if close and code else "without a code"
    kind = Kind.AUTH if code in _CLOSED_UNAUTHORIZED else Kind.STATUS
    return talk.failed(kind, f"the server closed the WebSocket before such a message: {said}")


def _say_goodbye(talk: _Talk) -> None:
    """Close as the protocol has it, so that the server does not log a broken connection. It decides nothing."""
    connection = talk.connection
    connection.deadline = Deadline(min(connection.deadline.left_s, _GOODBYE_S))
    try:
        talk.protocol.send_close(CloseCode.NORMAL_CLOSURE)
        talk.flush()
        while talk.protocol.close_rcvd is None and (data := connection.receive(_CHUNK_BYTES)):
            talk.protocol.receive_data(data)
            talk.protocol.events_received()
    except (ProbeFailed, WebSocketException):
        return
