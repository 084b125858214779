"""The `grpc` kind: one call of Check of grpc.health.v1, on a channel of its own.

gRPC says only that a server is unavailable; why, the shared connection finds out in the time that is left.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from monitor.config.endpoint import host_and_port
from monitor.config.kinds.grpc import GrpcCheck
from monitor.model import Finding, Json, Kind, Outcome
from monitor.probes.connection import Tls, connect
from monitor.probes.deadline import Deadline
from monitor.probes.resolve import resolve
from monitor.probes.setting import Setting
from monitor.probes.slowness import in_time
from monitor.probes.verdict import ProbeFailed, failed, unconfigured, verdict
from monitor.units import format_duration, format_ms, plain

# An answer has two bytes.
_LARGEST_ANSWER_BYTES = 65536
_OPTIONS = (
    ("grpc.enable_http_proxy", 0),
    # `grpc.enable_retries` stays on: without it a call to a peer that does not read is not ended by its deadline.
    ("grpc.service_config_disable_resolution", 1),
    # Without it a dead listener would not be seen as long as another channel's connection is open.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_receive_message_length", _LARGEST_ANSWER_BYTES),
)
_KINDS = {
    "UNAUTHENTICATED": Kind.AUTH,
    "PERMISSION_DENIED": Kind.AUTH,
    "UNIMPLEMENTED": Kind.PROTOCOL,
    "UNAVAILABLE": Kind.PROTOCOL,
    "INTERNAL": Kind.PROTOCOL,
    "UNKNOWN": Kind.PROTOCOL,
}


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: where it goes, and until when."""

    check: GrpcCheck
    setting: Setting
    deadline: Deadline
    address: str
    dns_ms: float

    @property
    def phases_ms(self) -> dict[str, float]:
        return {"dns": self.dns_ms, "total": self.deadline.elapsed_ms}


def probe_grpc(check: GrpcCheck, setting: Setting) -> Outcome:
    """Return the verdict on the server's word; UNKNOWN/unconfigured without the packages for it."""
    # Its native library writes to stderr what it makes of every broken peer.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        grpc, messages, stubs = (
            import_module(name) for name in ("grpc", "grpc_health.v1.health_pb2", "grpc_health.v1.health_pb2_grpc")
        )
    except ImportError:
        return unconfigured("grpc checks need more packages; install: pip install -r requirements-extra.txt")
    deadline = Deadline(check.timeout)
    try:
        # gRPC would take a name that does not exist for one whose server is slow.
        address = resolve(check.host, deadline)
    except ProbeFailed as failure:
        total_ms = deadline.elapsed_ms
        return failed(failure.kind, failure.message, total_ms, phases_ms={"total": total_ms})
    call = _Call(check, setting, deadline, address, deadline.elapsed_ms)
    with _channel(grpc, call) as channel:
        try:
            request = messages.HealthCheckRequest(service=check.service)
            answer = stubs.HealthStub(channel).Check(request, timeout=call.deadline.left_as_timeout_s)
        except grpc.RpcError as error:
            code, details = error.code().name, str(error.details() or "")
        else:
            return _judge(call, messages, answer.status)
    return _refused(call, code, details)


def _channel(grpc: Any, call: _Call) -> Any:
    check = call.check
    target = f"{'ipv6' if ':' in call.address else 'ipv4'}:{host_and_port(call.address, check.port)}"
    name = check.server_name or check.host
    # With keepalive the system breaks a connection off that the peer does not read from. Else it would stay open,
    # closed channel or not. The ping itself is never sent: it would be due after the deadline.
    unread_ms = max(int(check.timeout * 1000), 1000)
    keepalive = (("grpc.keepalive_time_ms", unread_ms + 10_000), ("grpc.keepalive_timeout_ms", unread_ms))
    options = (*_OPTIONS, *keepalive, ("grpc.default_authority", host_and_port(name, check.port)))
    if not check.tls:
        return grpc.insecure_channel(target, options)
    credentials = grpc.ssl_channel_credentials(_authorities(check, call.setting))
    return grpc.secure_channel(target, credentials, (*options, ("grpc.ssl_target_name_override", name)))


def _authorities(check: GrpcCheck, setting: Setting) -> bytes | None:
    """Return the certificates to trust; None leaves it to those that gRPC brings along."""
    if check.ca_file:
        return (setting.folder / check.ca_file).read_bytes()
    system = ssl.get_default_verify_paths().cafile
    return Path(system).read_bytes() if system else None


def _judge(call: _Call, messages: Any, status: int) -> Outcome:
    check, phases = call.check, call.phases_ms
    names = messages.HealthCheckResponse.ServingStatus
    said = names.Name(status) if status in names.values() else f"status {status}"
    observed: dict[str, Json] = {"address": call.address, "health": said}
    what = f"health of {plain(check.service, 100)}" if check.service else "health"
    findings = [] if said == "SERVING" else [Finding(what, "SERVING", said)]
    latency_ms = phases["total"]
    message = f"{said} in {format_ms(latency_ms)}"
    outcome = verdict(message, latency_ms, findings=findings, kind=Kind.STATUS, phases_ms=phases, observed=observed)
    return in_time(outcome, check.warn_ms, check.crit_ms)


def _refused(call: _Call, code: str, details: str) -> Outcome:
    kind, message = _KINDS.get(code, Kind.STATUS), _sentence(call.check, code, plain(details, 200))
    if code == "DEADLINE_EXCEEDED":
        kind, message = Kind.TIMEOUT, f"no answer within {format_duration(call.check.timeout)}"
    if code == "UNAVAILABLE" and call.deadline.left_s > 0:
        why = _why_unavailable(call)
        if why:
            kind, message = why.kind, why.message
    phases = call.phases_ms
    observed: dict[str, Json] = {"address": call.address, "grpc_status": code}
    return failed(kind, message, phases["total"], phases_ms=phases, observed=observed)


def _why_unavailable(call: _Call) -> ProbeFailed | None:
    """Return what keeps anybody from connecting; None when nothing does."""
    check = call.check
    ca_file = call.setting.path_of(check.ca_file)
    tls = Tls(ca_file=ca_file, server_name=check.server_name or check.host) if check.tls else None
    try:
        connect(call.address, check.port, call.deadline.left_s, tls).close()
    except ProbeFailed as failure:
        return failure
    return None


def _sentence(check: GrpcCheck, code: str, details: str) -> str:
    if code == "UNIMPLEMENTED":
        return "the server has no health service: register grpc.health.v1.Health in it"
    if code == "NOT_FOUND":
        return f"the server's health service does not know the service {plain(check.service, 100)!r}"
    if code == "UNAVAILABLE":
        return f"connected, but what answers does not speak gRPC as it should: {details}"
    return f"the call failed with {code}" + (f": {details}" if details else "")
