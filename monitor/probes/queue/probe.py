"""Judge a queue: its depth, its consumers, the age of its oldest message."""

from __future__ import annotations

from monitor.config.kinds.queue import QueueCheck
from monitor.model import Finding, Json, Kind, Outcome, Status
from monitor.probes.predicates import show
from monitor.probes.queue.depth import Depth, is_count
from monitor.probes.queue.rabbitmq import rabbitmq_depth
from monitor.probes.redaction import redacted, redactor_for
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed, above, too_slow, unconfigured, verdict
from monitor.units import format_duration, format_ms


def probe_queue(check: QueueCheck, setting: Setting) -> Outcome:
    """Return the verdict on the depth of a queue, on the age of its oldest message and on its consumers."""
    if not check.is_configured:
        return unconfigured("the URL of the queue is empty: set the variable that url names, such as QUEUE_URL")
    return redacted(redactor_for([check.redis.password if check.redis else check.login[1]]), _ask(check, setting))


def _ask(check: QueueCheck, setting: Setting) -> Outcome:
    try:
        depth = _depth(check, setting)
    except ProbeFailed as error:
        return error.outcome()
    return _judge(check, depth)


def _depth(check: QueueCheck, setting: Setting) -> Depth:
    if check.redis is None:
        return rabbitmq_depth(check, setting)
    # redis-py is only loaded where a queue is in Redis.
    from monitor.probes.queue.redisqueue import redis_depth

    return redis_depth(check, setting)


def _judge(check: QueueCheck, depth: Depth) -> Outcome:
    failures, warnings = _depth_findings(check, depth)
    failures += _consumer_findings(check, depth)
    failures += _age_findings(check, depth)
    warning_kind = Kind.RESOURCE if warnings else Kind.SLOW
    slow = too_slow(depth.latency_ms, check.warn_ms, check.crit_ms)
    if slow and slow[0] is Status.FAIL:
        failures.append((Kind.SLOW, slow[1]))
    elif slow:
        warnings.append(slow[1])
    return verdict(
        f"{show(depth.messages)} waiting, in {format_ms(depth.latency_ms)}",
        depth.latency_ms,
        findings=[finding for _, finding in failures],
        kind=failures[0][0] if failures else Kind.CONTENT,
        warnings=warnings,
        warning_kind=warning_kind,
        phases_ms=depth.phases_ms,
        observed=depth.observed | _figures(depth),
    )


def _figures(depth: Depth) -> dict[str, Json]:
    figures = {"depth": depth.messages, "consumers": depth.consumers}
    observed: dict[str, Json] = {name: value for name, value in figures.items() if is_count(value)}  # type: ignore[misc]
    if isinstance(depth.oldest_age_s, float):
        observed["oldest_age_s"] = round(depth.oldest_age_s, 1)
    return observed


def _depth_findings(check: QueueCheck, depth: Depth) -> tuple[list[tuple[Kind, Finding]], list[Finding]]:
    messages = depth.messages
    if not isinstance(messages, int) or not is_count(messages):
        got = "missing" if messages is None else show(messages)
        return [(Kind.CONTENT, Finding("depth", "a number", got))], []
    deep = above(messages, check.warn_depth, check.crit_depth, "depth", str)
    if deep is None:
        return [], []
    status, finding = deep
    return ([(Kind.RESOURCE, finding)], []) if status is Status.FAIL else ([], [finding])


def _consumer_findings(check: QueueCheck, depth: Depth) -> list[tuple[Kind, Finding]]:
    if check.min_consumers is None:
        return []
    expected = f"at least {check.min_consumers}"
    if not isinstance(depth.consumers, int) or not is_count(depth.consumers):
        got = "missing" if depth.consumers is None else show(depth.consumers)
        return [(Kind.CONTENT, Finding("consumers", expected, got))]
    if depth.consumers < check.min_consumers:
        return [(Kind.STATUS, Finding("consumers", expected, str(depth.consumers)))]
    return []


def _age_findings(check: QueueCheck, depth: Depth) -> list[tuple[Kind, Finding]]:
    if check.max_age is None:
        return []
    expected = f"at most {format_duration(check.max_age)}"
    if not isinstance(depth.oldest_age_s, float):
        return [(Kind.CONTENT, Finding("age of the oldest message", expected, "not known: it carries no timestamp"))]
    if depth.oldest_age_s > check.max_age:
        got = format_duration(depth.oldest_age_s)
        return [(Kind.RESOURCE, Finding("age of the oldest message", expected, got))]
    return []
