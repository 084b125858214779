"""The depth of a Redis list, or of a stream and the group that reads it."""

from __future__ import annotations

import re
from typing import Any

from monitor.config.kinds.queue import QueueCheck
from monitor.model import Json, Kind
from monitor.probes.queue.depth import Depth
from monitor.probes.redisserver import RedisRefused, RedisServer, tls_of
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed
from monitor.units import plain

# Entries that are counted one by one, where Redis does not know how many are left: after some were deleted.
_MOST_COUNTED, _AT_ONCE = 10_000, 100
# A reply of another shape than Redis gives.
_MISSHAPEN = (TypeError, LookupError, AttributeError, ValueError)


def redis_depth(check: QueueCheck, setting: Setting) -> Depth:
    """Return what waits; ProbeFailed when that is not to be had."""
    assert check.redis is not None, "it has a Redis URL"
    ca_file = setting.path_of(check.ca_file)
    tls = tls_of(check.verify, ca_file, check.server_name, check.redis)
    with RedisServer(check.redis, tls, check.timeout) as server:
        transport = server.transport
        try:
            server.log_in()
            depth = _list(check, server) if check.list else _stream(check, server)
        except RedisRefused as error:
            phases = transport.phases_ms | {"total": transport.deadline.elapsed_ms}
            raise ProbeFailed(error.kind, error.message, phases, transport.address) from error
        except _MISSHAPEN as error:
            raise transport.failed(Kind.PROTOCOL, f"not as Redis speaks ({type(error).__name__})") from error
        depth.latency_ms = transport.deadline.elapsed_ms
        depth.phases_ms = transport.phases_ms | {"total": depth.latency_ms}
        address: dict[str, Json] = {"address": plain(transport.address, 120)} if transport.address else {}
        depth.observed = address | depth.observed
        return depth


def _list(check: QueueCheck, server: RedisServer) -> Depth:
    # A list without entries does not exist. Of anything else Redis refuses to tell the length (WRONGTYPE).
    return Depth(server.ask("LLEN", check.list or ""))


def _stream(check: QueueCheck, server: RedisServer) -> Depth:
    key = check.stream or ""
    length = server.ask("XLEN", key)
    if check.consumer_group is None:
        # A stream stays when it is empty; XLEN takes a missing one for that.
        if length == 0 and server.ask("TYPE", key) != b"stream":
            raise RedisRefused(Kind.CONTENT, f"no such stream: {plain(key, 80)!r}")
        return Depth(length, None, _age(server, [_first_from(server, key, "-")]))
    group = _group(check, server)
    following = _after(group["last-delivered-id"])
    pending, lag = group["pending"], group.get("lag")
    if not isinstance(lag, int):
        lag = _count_from(check, server, key, following)
    waiting = [_first_from(server, key, following)]
    if pending:
        waiting.append(server.ask("XPENDING", key, check.consumer_group)[1] or b"")
    return Depth(
        pending + lag,
        group.get("consumers"),
        _age(server, waiting),
        observed={"pending": int(pending), "lag": lag},
    )


def _group(check: QueueCheck, server: RedisServer) -> dict[str, Any]:
    try:
        rows = server.ask("XINFO", "GROUPS", check.stream or "")
    except RedisRefused as error:
        if "no such key" in error.message:
            raise RedisRefused(Kind.CONTENT, f"no such stream: {plain(check.stream or '', 80)!r}") from error
        raise
    for row in rows:
        # A flat list of names and values.
        fields = {name.decode("ascii", "replace"): value for name, value in zip(row[::2], row[1::2], strict=True)}
        if fields.get("name") == (check.consumer_group or "").encode():
            return fields
    raise RedisRefused(Kind.CONTENT, f"no such group: {plain(check.consumer_group or '', 80)!r}")


def _after(entry: bytes) -> str:
    """Return the least id above this one. Redis before 6.2 has no other way to leave it out."""
    at_ms, _, number = entry.partition(b"-")
    return f"{int(at_ms)}-{int(number) + 1}"


def _count_from(check: QueueCheck, server: RedisServer, key: str, start: str) -> int:
    """Return how many entries there are from this id; no more are counted than decide the verdict."""
    enough = min(max(check.warn_depth or 0, check.crit_depth or 0) + 1, _MOST_COUNTED)
    count = 0
    while count < enough and (entries := server.ask("XRANGE", key, start, "+", "COUNT", _AT_ONCE)):
        count += len(entries)
        start = _after(entries[-1][0])
    return count


def _first_from(server: RedisServer, key: str, start: str) -> bytes:
    entries = server.ask("XRANGE", key, start, "+", "COUNT", 1)
    return bytes(entries[0][0]) if entries else b""


def _age(server: RedisServer, entries: list[bytes]) -> float | None:
    """Return seconds since the oldest of the entries came, by the server's own clock; 0.0 when there is none."""
    waiting = [re.fullmatch(rb"([0-9]{1,15})-[0-9]+", entry) for entry in entries if entry]
    if not waiting:
        return 0.0
    times = [int(match[1]) / 1000 for match in waiting if match]
    if len(times) < len(waiting):
        return None
    return max(int(server.ask("TIME")[0]) - min(times), 0.0)
