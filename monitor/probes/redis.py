"""The `redis` kind: log in, PING, then judge what INFO and the keys say."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from monitor.config.kinds.redis import KeyRule, RedisCheck
from monitor.config.redisurl import RedisUrl
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.predicates import check_value, is_number, wanted
from monitor.probes.redaction import redacted, redactor_for
from monitor.probes.redisserver import RedisRefused, RedisServer, tls_of
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed, above, failed, too_slow, unconfigured, verdict
from monitor.units import format_duration, format_ms, plain

_NUMBER = re.compile(r"-?[0-9]{1,300}(?:\.[0-9]{1,300})?(?:[eE][+-]?[0-9]{1,3})?")
_MOST_VALUE_BYTES = 10_000
_LENGTH_COMMANDS = {"list": "LLEN", "set": "SCARD", "zset": "ZCARD", "hash": "HLEN", "stream": "XLEN"}
_ROLES = {"master": "master", "slave": "replica"}
# What stands in `observed` when the server tells it, and how it is called there.
_OBSERVED = {
    "used_memory": "memory_bytes",
    "connected_clients": "connected_clients",
    "maxclients": "max_clients",
    "blocked_clients": "blocked_clients",
    "evicted_keys": "evicted_keys",
    "rejected_connections": "rejected_connections",
    "connected_slaves": "connected_replicas",
    "uptime_in_seconds": "uptime_s",
}


@dataclass
class _Seen:
    """What was found so far, each finding with its kind."""

    observed: dict[str, Json] = field(default_factory=dict)
    failures: list[tuple[Kind, Finding]] = field(default_factory=list)
    warnings: list[tuple[Kind, Finding]] = field(default_factory=list)

    def fail(self, kind: Kind, what: str, expected: str, got: str) -> None:
        self.failures.append((kind, Finding(what, expected, got)))

    def limit(self, kind: Kind, passed: tuple[Status, Finding] | None) -> None:
        """Note the limit that was passed, if any was."""
        if passed:
            status, finding = passed
            (self.failures if status is Status.FAIL else self.warnings).append((kind, finding))


def probe_redis(check: RedisCheck, setting: Setting) -> Outcome:
    """Return the verdict on a PING, and on memory, clients, replication and keys where limits are set."""
    url = check.server
    if url is None:
        return unconfigured("the URL of the server is empty: set the variable that url names, such as REDIS_URL")
    # Servers repeat the arguments of a command that they do not know.
    return redacted(redactor_for([url.password]), _ask(check, url, setting))


def _ask(check: RedisCheck, url: RedisUrl, setting: Setting) -> Outcome:
    ca_file = setting.path_of(check.ca_file)
    seen = _Seen()
    with RedisServer(url, tls_of(check.verify, ca_file, check.server_name, url), check.timeout) as server:
        try:
            server.log_in()
            if server.transport.address:
                seen.observed["address"] = plain(server.transport.address, 120)
            latency_ms = _ping(server)
            _judge_info(check, server, seen)
            for rule in check.expect_keys:
                _judge_key(rule, server, seen)
        except (ProbeFailed, RedisRefused) as error:
            elapsed_ms = server.transport.deadline.elapsed_ms
            phases = server.transport.phases_ms | {"total": elapsed_ms}
            return failed(error.kind, error.message, elapsed_ms, phases_ms=phases, observed=seen.observed)
        return _verdict(check, seen, latency_ms, server.transport.phases_ms | {"total": latency_ms})


def _ping(server: RedisServer) -> float:
    """Return how many milliseconds it took until the PONG."""
    before = server.transport.deadline.elapsed_ms
    reply = server.ask("PING")
    if reply != b"PONG":
        got = plain(reply.decode("utf-8", "replace"), 60) if isinstance(reply, bytes) else type(reply).__name__
        raise server.transport.failed(Kind.PROTOCOL, f"the answer to PING is {got!r}, expected 'PONG'")
    server.transport.phases_ms["ping"] = server.transport.deadline.elapsed_ms - before
    return server.transport.deadline.elapsed_ms


def _verdict(check: RedisCheck, seen: _Seen, latency_ms: float, phases_ms: dict[str, float]) -> Outcome:
    seen.limit(Kind.SLOW, too_slow(latency_ms, check.warn_ms, check.crit_ms))
    return verdict(
        f"PONG in {format_ms(latency_ms)}",
        latency_ms,
        findings=[finding for _, finding in seen.failures],
        kind=seen.failures[0][0] if seen.failures else Kind.CONTENT,
        warnings=[finding for _, finding in seen.warnings],
        warning_kind=seen.warnings[0][0] if seen.warnings else Kind.RESOURCE,
        phases_ms=phases_ms,
        observed=seen.observed,
    )


def _judge_info(check: RedisCheck, server: RedisServer, seen: _Seen) -> None:
    limits = (check.warn_percent, check.crit_percent, check.max_clients, check.role, check.max_lag)
    try:
        info = server.info()
    except RedisRefused as error:
        # A user that may only PING, and proxies: well, as long as nothing is wanted of the figures.
        if any(limit is not None for limit in limits):
            seen.fail(error.kind, "INFO", "figures", f"refused: {error.message}")
        return
    version = info.get("valkey_version") or info.get("redis_version")
    seen.observed |= {"version": plain(version, 40)} if version else {}
    seen.observed |= {name: number for key, name in _OBSERVED.items() if (number := _whole(info, key)) is not None}
    _judge_memory(check, info, seen)
    _judge_clients(check, info, seen)
    _judge_replication(check, info, seen)


def _judge_memory(check: RedisCheck, info: dict[str, str], seen: _Seen) -> None:
    used, most, of = _whole(info, "used_memory"), _whole(info, "maxmemory"), "maxmemory"
    if most == 0:
        most, of = _whole(info, "total_system_memory"), "the machine's memory"
    percent = 100.0 * used / most if used is not None and most else None
    if percent is not None:
        seen.observed["memory_percent"] = round(percent, 1)
    limit = check.warn_percent if check.crit_percent is None else check.crit_percent
    if limit is None:
        return
    if percent is None:
        seen.fail(Kind.CONTENT, "memory used", f"at most {limit:g} %", "not to be had from INFO")
        return
    got = f"{percent:.1f} % of {of}"
    seen.limit(
        Kind.RESOURCE, above(percent, check.warn_percent, check.crit_percent, "memory used", "{:g} %".format, got)
    )


def _judge_clients(check: RedisCheck, info: dict[str, str], seen: _Seen) -> None:
    clients = _whole(info, "connected_clients")
    if check.max_clients is None:
        return
    if clients is None:
        seen.fail(Kind.CONTENT, "connected clients", f"at most {check.max_clients}", "not to be had from INFO")
    elif clients > check.max_clients:
        seen.fail(Kind.RESOURCE, "connected clients", f"at most {check.max_clients}", str(clients))


def _judge_replication(check: RedisCheck, info: dict[str, str], seen: _Seen) -> None:
    role = _ROLES.get(info.get("role", ""), plain(info.get("role", "unknown"), 40))
    seen.observed["role"] = role
    wanted_role = "replica" if check.max_lag is not None else check.role
    if wanted_role and role != wanted_role:
        seen.fail(Kind.STATUS, "role", wanted_role, role)
    if role == "replica":
        _judge_link(check, info, seen)


def _judge_link(check: RedisCheck, info: dict[str, str], seen: _Seen) -> None:
    link, silent_s = info.get("master_link_status", "unknown"), _whole(info, "master_last_io_seconds_ago")
    seen.observed["master_link"] = plain(link, 40)
    if link != "up":
        down_s = _whole(info, "master_link_down_since_seconds")
        since = f" since {format_duration(down_s)}" if down_s is not None and down_s >= 0 else ""
        finding = (Kind.STATUS, Finding("link to the master", "up", plain(link, 40) + since))
        # Who asked for a replica wants one that replicates.
        (seen.failures if check.role or check.max_lag is not None else seen.warnings).append(finding)
        return
    if silent_s is not None and silent_s >= 0:
        seen.observed["replication_lag_s"] = silent_s
    if check.max_lag is None:
        return
    expected = f"at most {format_duration(check.max_lag)} ago"
    if silent_s is None or silent_s < 0:
        seen.fail(Kind.CONTENT, "last word from the master", expected, "not to be had from INFO")
    elif silent_s > check.max_lag:
        seen.fail(Kind.RESOURCE, "last word from the master", expected, f"{format_duration(silent_s)} ago")


def _judge_key(rule: KeyRule, server: RedisServer, seen: _Seen) -> None:
    what = f"key {plain(rule.key, 60)}"
    try:
        found = _text(server.ask("TYPE", rule.key))
        if rule.exists is not None and rule.exists != (found != "none"):
            seen.fail(Kind.CONTENT, what, "there" if rule.exists else "missing", "missing" if rule.exists else "there")
            return
        if rule.min_length is not None or rule.max_length is not None:
            _judge_length(rule, found, what, server, seen)
        if rule.limits:
            _judge_value(rule, found, what, server, seen)
    except RedisRefused as error:
        seen.fail(error.kind, what, "readable", f"refused: {error.message}")


def _judge_length(rule: KeyRule, found: str, what: str, server: RedisServer, seen: _Seen) -> None:
    limits = [f"at least {rule.min_length}"] if rule.min_length is not None else []
    limits += [f"at most {rule.max_length}"] if rule.max_length is not None else []
    expected = f"{' and '.join(limits)} entries"
    if found != "none" and found not in _LENGTH_COMMANDS:
        seen.fail(Kind.CONTENT, what, expected, f"a {plain(found, 40)}")
        return
    length = server.ask(_LENGTH_COMMANDS[found], rule.key) if found != "none" else 0
    if not isinstance(length, int):
        seen.fail(Kind.CONTENT, what, expected, "without a length")
    elif not (rule.min_length or 0) <= length <= (length if rule.max_length is None else rule.max_length):
        seen.fail(Kind.CONTENT, what, expected, f"{length} entries")


def _judge_value(rule: KeyRule, found: str, what: str, server: RedisServer, seen: _Seen) -> None:
    if found != "string":
        got = "missing" if found == "none" else f"a {plain(found, 40)}"
        seen.fail(Kind.CONTENT, what, wanted(rule.limits), got)
        return
    raw = server.ask("GETRANGE", rule.key, 0, _MOST_VALUE_BYTES)
    if not isinstance(raw, bytes) or len(raw) > _MOST_VALUE_BYTES:
        seen.fail(Kind.CONTENT, what, wanted(rule.limits), f"longer than {_MOST_VALUE_BYTES} bytes")
        return
    text = raw.decode("utf-8", "replace")
    for name, limit in rule.limits.items():
        value = _number(text) if is_number(limit) else text
        seen.failures += [(Kind.CONTENT, finding) for finding in check_value(what, value, {name: limit})]


def _number(text: str) -> int | float | str:
    """Return the number that the text is, or the text."""
    if not _NUMBER.fullmatch(text):
        return text
    return int(text) if text.lstrip("-").isdigit() else float(text)


def _whole(info: dict[str, str], key: str) -> int | None:
    text = info.get(key, "").strip()
    return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None


def _text(reply: object) -> str:
    return reply.decode("utf-8", "replace") if isinstance(reply, bytes) else "unknown"
