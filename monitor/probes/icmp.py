"""The `icmp` kind: pings, their loss and their round trip time.

icmplib writes and reads the packets; which of them are ours, and how long they took, is told here, so that answers may
come in any order and a step of the clock changes nothing.
"""

from __future__ import annotations

import secrets
import select
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import icmplib

from monitor.config.kinds.icmp import IcmpCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.deadline import Deadline
from monitor.probes.exhaustion import EXHAUSTED
from monitor.probes.resolve import resolve
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed, above, failed, too_slow, unconfigured
from monitor.units import format_duration, format_ms, plain

_ECHO_REPLIES = {"IPv4": 0, "IPv6": 129}
_HOW_TO = (
    'pings are not permitted here: run `sysctl -w net.ipv4.ping_group_range="0 2147483647"` '
    "(keep it in /etc/sysctl.d), or give Greenwall's Python CAP_NET_RAW"
)


@dataclass(slots=True)
class _Tally:
    """What was sent when (by sequence number), and what came back."""

    deadline: Deadline
    address: str = ""
    dns_ms: float = 0.0
    pending: dict[int, float] = field(default_factory=dict)
    sent: int = 0
    rtts_ms: list[float] = field(default_factory=list)
    refusal: str = ""

    @property
    def loss_percent(self) -> float:
        return 100.0 * (self.sent - len(self.rtts_ms)) / self.sent

    @property
    def phases_ms(self) -> Mapping[str, float]:
        return {"dns": self.dns_ms, "total": self.deadline.elapsed_ms}


def probe_icmp(check: IcmpCheck, _setting: Setting) -> Outcome:
    """Return the verdict on loss first, then on the average round trip."""
    tally = _Tally(Deadline(check.timeout))
    try:
        tally.address = resolve(check.host, tally.deadline)
        tally.dns_ms = tally.deadline.elapsed_ms
        with _socket(tally.address) as sock:
            _ping(check, sock, tally)
    except icmplib.SocketPermissionError:
        return unconfigured(_HOW_TO)
    except ProbeFailed as failure:
        seen: dict[str, Json] = {"address": tally.address} if tally.address else {}
        return failed(failure.kind, failure.message, phases_ms=tally.phases_ms, observed=seen)
    return _judge(check, tally)


def _socket(address: str) -> icmplib.ICMPSocket:
    """Return a socket that needs no privileges, else one that does."""
    kind = icmplib.ICMPv6Socket if ":" in address else icmplib.ICMPv4Socket
    try:
        try:
            return kind(privileged=False)
        except icmplib.SocketPermissionError:
            return kind(privileged=True)
    except icmplib.ICMPSocketError as error:
        if isinstance(error, icmplib.SocketPermissionError):
            raise
        raise _failure(error) from error


def _failure(error: Exception) -> Exception:
    """Return the failure; what is the fault of this machine stays as it is."""
    cause = error.__context__
    if isinstance(cause, OSError) and cause.errno in EXHAUSTED:
        return cause
    if isinstance(error, icmplib.SocketBroadcastError):
        return ProbeFailed(Kind.CONNECT, "it may not be sent: a firewall of this machine, or a broadcast address")
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(error)
    return ProbeFailed(Kind.CONNECT, plain(text))


def _ping(check: IcmpCheck, sock: icmplib.ICMPSocket, tally: _Tally) -> None:
    """Send and listen until everything is answered or the time is up."""
    give_up_at = tally.deadline.ends_at
    first, number, next_at = secrets.randbits(16), secrets.randbits(16) or 1, time.monotonic()
    while (now := time.monotonic()) < give_up_at:
        is_all_sent = tally.sent == check.packets
        if is_all_sent and not tally.pending:
            return
        if not is_all_sent and now >= next_at:
            number = _send(sock, tally, number, (first + tally.sent) % 65536)
            next_at = now + check.interval
            continue
        if _is_heard(sock, (give_up_at if is_all_sent else min(next_at, give_up_at)) - now):
            _take(sock, tally, number, give_up_at - now)


def _send(sock: icmplib.ICMPSocket, tally: _Tally, number: int, sequence: int) -> int:
    """Send one; return the number by which its answer is known: where the kernel chooses it, that one."""
    request = icmplib.ICMPRequest(tally.address, number, sequence)
    tally.pending[sequence] = time.monotonic()
    tally.sent += 1
    try:
        sock.send(request)
    except icmplib.ICMPSocketError as error:
        raise _failure(error) from error
    return int(request.id)


def _is_heard(sock: icmplib.ICMPSocket, within_s: float) -> bool:
    """Wait until there is something to read: icmplib throws away what it reads later than it was told to wait."""
    waiting = select.poll()
    waiting.register(sock.sock, select.POLLIN)
    return bool(waiting.poll(within_s * 1000))


def _take(sock: icmplib.ICMPSocket, tally: _Tally, number: int, within_s: float) -> None:
    try:
        # A privileged socket hears the answers to everybody on this machine.
        reply = sock.receive(None, within_s)
    except icmplib.TimeoutExceeded:
        return
    except icmplib.ICMPSocketError as error:
        raise _failure(error) from error
    if reply.id != number or reply.sequence not in tally.pending:
        return
    if reply.type == _ECHO_REPLIES["IPv6" if ":" in tally.address else "IPv4"]:
        if reply.source.partition("%")[0] == tally.address.partition("%")[0]:
            tally.rtts_ms.append((time.monotonic() - tally.pending.pop(reply.sequence)) * 1000)
        return
    try:
        reply.raise_for_status()
    except (icmplib.DestinationUnreachable, icmplib.TimeExceeded) as error:
        # From a router on the way: nothing more will come for this one.
        del tally.pending[reply.sequence]
        tally.refusal = plain(f"{reply.source}: {error}", 200)
    except icmplib.ICMPError:
        return  # our own request, which loopback shows to a privileged socket


def _judge(check: IcmpCheck, tally: _Tally) -> Outcome:
    rtts, phases = tally.rtts_ms, tally.phases_ms
    observed: dict[str, Json] = {"address": tally.address, "sent": tally.sent, "received": len(rtts)}
    if tally.refusal:
        observed["refusal"] = tally.refusal
    if not rtts:
        kind = Kind.CONNECT if tally.refusal else Kind.TIMEOUT
        silence = f"no answer to {tally.sent} pings within {format_duration(check.timeout)}"
        return failed(kind, tally.refusal or silence, phases_ms=phases, observed=observed)
    average_ms = sum(rtts) / len(rtts)
    observed |= {
        "loss_percent": round(tally.loss_percent, 1),
        "rtt_ms": {"min": round(min(rtts), 2), "avg": round(average_ms, 2), "max": round(max(rtts), 2)},
    }
    status, kind_of, finding = _worst(check, tally.loss_percent, average_ms)
    message = f"{len(rtts)} of {tally.sent} answered, {format_ms(average_ms)} on average"
    return Outcome(
        status=status,
        kind=kind_of,
        message=str(finding) if finding else message,
        latency_ms=average_ms,
        phases_ms=phases,
        findings=(finding,) if finding else (),
        observed=observed,
    )


def _worst(check: IcmpCheck, loss_percent: float, average_ms: float) -> tuple[Status, Kind | None, Finding | None]:
    """Return FAIL before WARN, and loss before slowness."""
    found: list[tuple[Status, Kind, Finding]] = []
    got = f"{loss_percent:.0f} %"
    lost = above(loss_percent, check.warn_loss_percent, check.crit_loss_percent, "loss", "{:g} %".format, got)
    if lost:
        found.append((lost[0], Kind.TIMEOUT, lost[1]))
    slow = too_slow(average_ms, check.warn_ms, check.crit_ms, "average round trip")
    if slow:
        found.append((slow[0], Kind.SLOW, slow[1]))
    return min(found, key=lambda one: one[0].badness) if found else (Status.OK, None, None)
