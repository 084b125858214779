"""The `mqtt` kind: the few packets of MQTT 3.1.1 that a subscriber of one topic needs.

    CONNECT ─▶ CONNACK ─▶ SUBSCRIBE ─▶ SUBACK, PUBLISH … ─▶ DISCONNECT

Written here because libcurl tells no refusals apart and does not say goodbye, and the clients for Python look up and
wait by themselves, beyond the deadline. Numbers are those of the OASIS standard, chapters 2 and 3.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, field

from monitor.config.kinds.mqtt import MqttCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Connection, Tls, connect
from monitor.probes.jsonrules import Remembered, check_rules, parse_json
from monitor.probes.redaction import redacted, redactor_for
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.textrules import check_text
from monitor.probes.verdict import ProbeFailed, verdict
from monitor.units import format_duration, format_ms, plain

_CONNECT, _CONNACK, _PUBLISH, _SUBSCRIBE, _SUBACK, _DISCONNECT = 0x10, 0x20, 0x30, 0x82, 0x90, 0xE0
_CLEAN_SESSION, _HAS_PASSWORD, _HAS_USERNAME = 0x02, 0x40, 0x80
_PACKET_ID = b"\0\x01"
_READ_BYTES_IN_ALL = 1_000_000
_REFUSALS = {
    1: (Kind.PROTOCOL, "it does not speak MQTT 3.1.1"),
    2: (Kind.PROTOCOL, "it does not take this client id"),
    3: (Kind.STATUS, "it is not available"),
    4: (Kind.AUTH, "bad user name or password"),
    5: (Kind.AUTH, "not authorized"),
}


@dataclass(slots=True)
class _Talk:
    """A connection to the broker, and what was seen on it."""

    check: MqttCheck
    setting: Setting
    connection: Connection
    observed: dict[str, Json] = field(default_factory=dict)
    memory: dict[str, Json] | None = None
    read_bytes: int = 0

    def failed(self, kind: Kind, message: str) -> ProbeFailed:
        return self.connection.failed(kind, message)


def probe_mqtt(check: MqttCheck, setting: Setting) -> Outcome:
    """Return the verdict on the login, and on the messages of the topic where one is given."""
    password = check.password.get_secret_value() if check.password else ""
    return redacted(redactor_for([password]), _ask(check, setting))


def _ask(check: MqttCheck, setting: Setting) -> Outcome:
    ca_file = setting.path_of(check.ca_file)
    tls = Tls(verify=check.verify, ca_file=ca_file, server_name=check.server_name) if check.tls else None
    observed: dict[str, Json] = {}
    try:
        with connect(check.host, check.chosen_port, check.timeout, tls) as connection:
            observed["address"] = connection.address
            return _converse(_Talk(check, setting, connection, observed))
    except ProbeFailed as failure:
        return failure.outcome(observed)


def _converse(talk: _Talk) -> Outcome:
    check, connection = talk.check, talk.connection
    _log_in(talk)
    findings = _subscribe(talk, check.topic) if check.topic is not None else []
    latency_ms = connection.deadline.elapsed_ms
    phases = connection.phases_ms | {"total": latency_ms}
    _say_goodbye(connection)
    what = "message" if check.topic is not None else "logged in"
    message = f"{what} after {format_ms(latency_ms)}"
    outcome = verdict(
        message, latency_ms, findings=findings, phases_ms=phases, observed=talk.observed, memory=talk.memory
    )
    return in_time(outcome, check.warn_ms, check.crit_ms)


def _say_goodbye(connection: Connection) -> None:
    try:
        connection.send(_packet(_DISCONNECT, b""))
    except ProbeFailed:
        return  # what was to be known is known


# ---- what is sent


def _packet(first: int, body: bytes) -> bytes:
    """Return a control packet: its first byte, its length in groups of seven bits, its body."""
    length, head = len(body), bytearray([first])
    while True:
        length, group = divmod(length, 128)
        head.append(group | (0x80 if length else 0))
        if not length:
            return bytes(head) + body


def _field(data: str | bytes) -> bytes:
    raw = data.encode() if isinstance(data, str) else data
    return len(raw).to_bytes(2) + raw


def _connect_packet(check: MqttCheck) -> bytes:
    flags, payload = _CLEAN_SESSION, _field(check.client_id or f"greenwall{secrets.token_hex(6)}")
    if check.username is not None:
        flags |= _HAS_USERNAME
        payload += _field(check.username)
    if check.password is not None:
        flags |= _HAS_PASSWORD
        payload += _field(check.password.get_secret_value())
    # So long that no ping is needed before the deadline.
    keep_alive_s = min(math.ceil(check.timeout) + 60, 65535)
    return _packet(_CONNECT, _field("MQTT") + bytes([4, flags]) + keep_alive_s.to_bytes(2) + payload)


# ---- what is received


def _receive(talk: _Talk) -> tuple[int, bytes]:
    """Return first byte and body of the next packet."""
    first, length = _read(talk, 1)[0], 0
    for shift in (0, 7, 14, 21):
        group = _read(talk, 1)[0]
        length |= (group & 0x7F) << shift
        if not group & 0x80:
            break
    else:
        raise talk.failed(Kind.PROTOCOL, "what the broker sent is no MQTT packet (its length)")
    if talk.read_bytes + length > _READ_BYTES_IN_ALL:
        raise talk.failed(Kind.CONTENT, f"messages are longer than {_READ_BYTES_IN_ALL} bytes")
    return first, _read(talk, length)


def _read(talk: _Talk, count: int) -> bytes:
    raw = bytearray()
    while len(raw) < count:
        piece = talk.connection.receive(count - len(raw))
        if not piece:
            raise talk.failed(Kind.PROTOCOL, "the broker ended the connection")
        raw += piece
    talk.read_bytes += count
    return bytes(raw)


def _log_in(talk: _Talk) -> None:
    talk.connection.awaited.what = "answer to CONNECT"
    talk.connection.send(_connect_packet(talk.check))
    head = _read(talk, 2)
    if head != bytes([_CONNACK, 2]):
        raise talk.failed(Kind.PROTOCOL, f"what answered is no MQTT broker: it began with {head.hex(' ')}")
    code = _read(talk, 2)[1]
    if code:
        kind, why = _REFUSALS.get(code, (Kind.PROTOCOL, f"code {code}"))
        raise talk.failed(kind, f"the broker refuses the login: {why}")


def _subscribe(talk: _Talk, topic: str) -> list[Finding]:
    """Read until a message holds; return what did not hold of the first one when none does."""
    talk.connection.send(_packet(_SUBSCRIBE, _PACKET_ID + _field(topic) + b"\0"))
    first: list[Finding] = []
    count = 0
    while True:
        try:
            kind, body = _receive(talk)
        except ProbeFailed as failure:
            if first and failure.kind in (Kind.TIMEOUT, Kind.CONTENT):
                return first
            if failure.kind is Kind.TIMEOUT:
                raise _silence(talk) from failure
            raise
        if kind == _SUBACK:
            _check_suback(talk, body)
            continue
        if kind & 0xF0 != _PUBLISH:
            raise talk.failed(Kind.PROTOCOL, f"the broker sent a packet that is not expected here ({kind:02x})")
        count += 1
        talk.observed["messages"] = count
        findings = _judge(talk, *_message(talk, kind, body))
        if not findings:
            return []
        first = first or findings


def _silence(talk: _Talk) -> ProbeFailed:
    where = "subscribed, but no message" if "subscribed" in talk.observed else "logged in, but no answer to SUBSCRIBE"
    return talk.failed(Kind.TIMEOUT, f"{where} within {format_duration(talk.check.timeout)}")


def _check_suback(talk: _Talk, body: bytes) -> None:
    if len(body) != 3 or body[:2] != _PACKET_ID:
        raise talk.failed(Kind.PROTOCOL, "the broker's answer to the subscription cannot be read")
    if body[2] > 2:
        raise talk.failed(Kind.AUTH, "the broker refuses the subscription")
    talk.observed["subscribed"] = True


def _message(talk: _Talk, kind: int, body: bytes) -> tuple[bytes, bytes]:
    """Return topic and payload of a PUBLISH; what was asked for is QoS 0, which has no packet id."""
    end = 2 + int.from_bytes(body[:2])
    start = end + (2 if kind & 0x06 else 0)
    if len(body) < max(start, 2):
        raise talk.failed(Kind.PROTOCOL, "the broker sent a message that cannot be read")
    return body[2:end], body[start:]


def _judge(talk: _Talk, topic: bytes, payload: bytes) -> list[Finding]:
    check = talk.check
    talk.observed |= {"topic": plain(topic[:800].decode(errors="replace"), 200), "bytes": len(payload)}
    findings = check_text("message", payload, check.expect_contains, check.expect_matches)
    if check.expect_jsonpath:
        document, wrong = parse_json(payload)
        remembered = Remembered(talk.setting.memory)
        findings += [wrong] if wrong else check_rules(document, check.expect_jsonpath, remembered)
        talk.memory = remembered.memory or None
    return findings
