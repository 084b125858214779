"""The depth of a RabbitMQ queue, by the management API."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from monitor.config.kinds.queue import QueueCheck
from monitor.model import Json, Kind
from monitor.probes.curl import Answer, Request, fetch
from monitor.probes.jsonrules import parse_json
from monitor.probes.queue.depth import Depth, is_count
from monitor.probes.setting import Setting
from monitor.probes.verdict import ProbeFailed
from monitor.units import plain

_FIELDS = {"messages": "messages", "ready": "messages_ready", "unacked": "messages_unacknowledged"}
_DEAD_STATES = ("down", "crashed", "stopped", "terminated", "minority")


def rabbitmq_depth(check: QueueCheck, setting: Setting) -> Depth:
    """Return what waits; ProbeFailed when that is not to be had."""
    answer = fetch(
        Request(
            f"{check.management}/api/queues/{quote(check.vhost, safe='')}/{quote(check.queue or '', safe='')}",
            check.timeout,
            headers={"Accept": "application/json"},
            basic=check.login,
            follow_redirects=False,
            verify=check.verify,
            ca_file=setting.path_of(check.ca_file),
            server_name=check.server_name,
        )
    )
    document = _document(check, answer)
    state = document.get("state")
    if isinstance(state, str) and state.lower() in _DEAD_STATES:
        raise ProbeFailed(Kind.STATUS, f"the queue is {plain(state, 40)}", answer.phases_ms, answer.address)
    observed: dict[str, Json] = {"address": answer.address} if answer.address else {}
    for name in ("messages_ready", "messages_unacknowledged"):
        if is_count(document.get(name)):
            observed[name] = document[name]
    return Depth(
        document.get(_FIELDS[check.counts]),
        document.get("consumers"),
        _age_of_head(document),
        answer.latency_ms,
        answer.phases_ms,
        observed,
    )


def _document(check: QueueCheck, answer: Answer) -> Mapping[str, Any]:
    def fail(kind: Kind, message: str) -> ProbeFailed:
        return ProbeFailed(kind, message, answer.phases_ms, answer.address)

    if answer.code in (401, 403):
        raise fail(Kind.AUTH, f"RabbitMQ refused the login of {plain(check.login[0], 60)!r}: status {answer.code}")
    document, finding = (None, None) if answer.cut else parse_json(answer.body)
    if answer.code == 404 and isinstance(document, Mapping) and document.get("error") == "Object Not Found":
        where = f"{plain(check.queue or '', 80)!r} in vhost {plain(check.vhost, 60)!r}"
        raise fail(Kind.CONTENT, f"no such queue: {where}")
    if not 200 <= answer.code <= 299:
        raise fail(Kind.STATUS, f"status is {answer.code}, expected 200 from RabbitMQ's management API")
    if not isinstance(document, Mapping) or "name" not in document:
        got = str(finding) if finding else "it is no queue of RabbitMQ's management API"
        raise fail(Kind.CONTENT, got if not answer.cut else f"the answer is longer than {len(answer.body)} bytes")
    return document


def _age_of_head(document: Mapping[str, Any]) -> object:
    """Return the age of the first message, 0 when none waits; None when its publisher said no time."""
    if document.get("messages_ready") == 0:
        return 0.0
    at = document.get("head_message_timestamp")
    return max(time.time() - at, 0.0) if isinstance(at, int) and is_count(at) else None
