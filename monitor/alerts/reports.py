"""Reports of figures and errors: title, message, priority and advice for what only has the numbers. Pure.

    system_report("cpu_percent", 92, 80, "web-01")   High CPU Usage - web-01
                                                     CPU is at 92% (threshold: 80%, exceeded by 15.0%)
    performance_report(…, percentile="P95")          High API Response Time (P95) - /api/bookings
    application_error_report("StripeAPIError", …)    StripeAPIError in booking_service
    to_json, from_json                               as the checker's inbox carries them

Texts are made plain here, because they come from outside. Nobody resolves what an application has only told of: a
report is over when it has not come again for `TTL_S`, unless its caller says otherwise.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypedDict, Unpack

from monitor.alerts.alert import time_to_live
from monitor.alerts.figures import metric
from monitor.alerts.priority import by_overage, is_less_worse, of_error, overage_percent
from monitor.alerts.recommend import advised
from monitor.alerts.report import Report
from monitor.model import Category, Json, Kind, Severity
from monitor.units import plain

TTL_S = 86_400.0
# What whoever reports may say: that it is so, or that the alert of this type and resource is over.
Told: TypeAlias = Report | tuple[str, str]
_NAME, _MESSAGE, _TRACE = 120, 1000, 8000
# Of metadata: entries of one object or list, objects in one another, and characters of it all as JSON.
_MOST, _DEEPEST, _LONGEST = 200, 6, 64_000
_TOO_LONG = "too long to be kept"


class More(TypedDict, total=False):
    """What any report may say beside its figures. `severity` and `recommendations` are worked out without it."""

    severity: Severity
    category: Category
    recommendations: tuple[str, ...]
    metadata: Mapping[str, Json]
    related_logs: str | None
    runbook: str | None
    owner: str | None
    group: str
    tags: tuple[str, ...]
    channels: tuple[str, ...] | None
    ttl_s: float | None


class FigureMore(More, total=False):
    affected_users: int | None


def system_report(
    metric_name: str, current_value: float, threshold_value: float, resource: str, **more: Unpack[FigureMore]
) -> Report:
    """Return the report of a figure beyond its threshold; ValueError for what is no finite number.

    Its type is the name of the metric. Where less is worse, as for free space, the shortfall counts.
    """
    category = metric(metric_name).category
    kind = Kind.RESOURCE if category is Category.SYSTEM else None
    report = _of_figure(metric_name, current_value, threshold_value, resource, "")
    return _completed(replace(report, category=category, kind=kind), more)


def performance_report(
    metric_name: str,
    current_value: float,
    threshold_value: float,
    resource: str,
    percentile: str | None = None,
    **more: Unpack[FigureMore],
) -> Report:
    """Return the report of a response time, a rate or a throughput; ValueError for what is no finite number.

    `percentile` is such as `P95`. Its type is the name of the metric: P95 and P99 of one resource are one trouble.
    """
    report = _of_figure(metric_name, current_value, threshold_value, resource, plain(percentile or "", 20))
    return _completed(replace(report, kind=None if is_less_worse(metric_name) else Kind.SLOW), more)


def application_error_report(
    error_type: str,
    error_message: str,
    stack_trace: str | None = None,
    source: str = "application",
    affected_endpoint: str | None = None,
    affected_users: int | None = None,
    error_count: int = 1,
    **more: Unpack[More],
) -> Report:
    """Return the report of an error in an application: its type is the error's, its resource the `source`.

    ValueError for counts below 0. The metadata holds the end of the stack trace, where the error is.
    """
    type_, resource, endpoint = plain(error_type, _NAME), plain(source, _NAME), plain(affected_endpoint or "", 200)
    message = plain(error_message, _MESSAGE)
    impact = (
        endpoint,
        f"{error_count:,} times" if error_count > 1 else "",
        f"{affected_users:,} user{'s' if affected_users > 1 else ''} affected" if affected_users else "",
    )
    said = ", ".join(filter(None, impact))
    metadata: dict[str, Json] = {"error_type": type_, "error_message": message, "error_count": error_count}
    metadata |= {"affected_endpoint": endpoint} if endpoint else {}
    metadata |= {"stack_trace": _end_of(stack_trace)} if stack_trace else {}
    report = Report(
        type=type_,
        resource=resource,
        title=f"{type_} in {resource}",
        message=(message or "no message") + (f" ({said})" if said else ""),
        severity=of_error(error_type, affected_users, error_count),
        category=Category.APPLICATION,
        metadata=metadata,
        affected_users=affected_users,
        ttl_s=TTL_S,
    )
    return _completed(report, more)


def to_json(report: Report) -> dict[str, Json]:
    """Return the report as the checker's inbox carries it."""
    fields = {field.name: getattr(report, field.name) for field in dataclasses.fields(report)}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in fields.items()}


def from_json(fields: Mapping[str, Json]) -> Report:
    """Return the report; KeyError, TypeError or ValueError when it is none."""
    known = {key: value for key, value in fields.items() if key in _FIELDS}
    metadata, users = known.get("metadata") or {}, known.get("affected_users")
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata: expected an object, got {type(metadata).__name__}")
    texts: dict[str, Any] = {key: tuple(map(str, _listed(known.get(key)))) for key in ("tags", "recommendations")}
    texts["channels"] = None if known.get("channels") is None else tuple(map(str, _listed(known["channels"])))
    words: dict[str, Any] = {key: str(value) for key, value in known.items() if key in _WORDS and value is not None}
    kinds: dict[str, Any] = {"severity": Severity(str(known["severity"])), "category": Category(str(known["category"]))}
    kind = Kind(str(known["kind"])) if known.get("kind") else None
    # Pages make a link of it.
    if not words.get("runbook", "https://").startswith(("http://", "https://")):
        raise ValueError(f"runbook: expected a URL with http:// or https://, got {plain(words['runbook'], 80)!r}")
    return Report(
        **words,
        **kinds,
        **texts,
        kind=kind,
        metadata=metadata,
        affected_users=None if users is None else int(str(users)),
        ttl_s=time_to_live(known.get("ttl_s")),
    )


_FIELDS = frozenset(field.name for field in dataclasses.fields(Report))
_WORDS = frozenset(
    {"type", "resource", "title", "message", "source", "opening", "runbook", "owner", "group", "related_logs"}
)


def _listed(value: Json) -> Sequence[Json]:
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()


def harmless(values: Mapping[str, Any], clean: Callable[[str], str]) -> dict[str, Json]:
    """Return metadata as bounded JSON; `clean` is asked for each text. What JSON does not know becomes text.

    An entry for which no room is left is named without its value.
    """
    kept, left = _object(values, clean, 1), _LONGEST
    for key, value in kept.items():
        length = len(json.dumps(value))
        if length > left:
            kept[key] = _TOO_LONG
        else:
            left -= length
    return kept


def _object(values: Mapping[str, Any], clean: Callable[[str], str], depth: int) -> dict[str, Json]:
    return {plain(str(key), _NAME): _harmless(value, clean, depth) for key, value in list(values.items())[:_MOST]}


def _harmless(value: Any, clean: Callable[[str], str], depth: int) -> Json:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 2**63 else "a huge number"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return _object(value, clean, depth + 1) if depth < _DEEPEST else "…"
    if isinstance(value, (list, tuple)):
        return [_harmless(item, clean, depth + 1) for item in value[:_MOST]] if depth < _DEEPEST else "…"
    return clean(str(value))


def _of_figure(name: str, current: float, threshold: float, resource: str, percentile: str) -> Report:
    known, less = metric(name), is_less_worse(name)
    over = overage_percent(current, threshold, less_is_worse=less)
    figures: dict[str, Json] = {"metric_name": plain(name, _NAME), "current_value": current}
    figures |= {"threshold_value": threshold} | ({"percentile": percentile} if percentile else {})
    shown = f"{percentile} {known.name}" if percentile else known.name
    mark = f" ({percentile})" if percentile else ""
    return Report(
        type=plain(name, _NAME),
        resource=plain(resource, _NAME),
        title=f"{'Low' if less else 'High'} {known.title}{mark} - {plain(resource, _NAME)}",
        message=f"{shown} is at {known.shown(current)} (threshold: {known.shown(threshold)}, {_beyond(over, less)})",
        severity=by_overage(over),
        category=Category.PERFORMANCE,
        metadata=figures,
        ttl_s=TTL_S,
    )


def _beyond(over: float, less: bool) -> str:
    """Return `exceeded by 15.0%`; of a threshold of 0 there are no percent."""
    if over <= 0:
        return "not passed" if over else "reached"
    by = "" if math.isinf(over) else f" by {over:,.1f}%"
    return f"undercut{by}" if less else f"exceeded{by}"


def _completed(report: Report, more: FigureMore | More) -> Report:
    """Return the report with what its caller says, and with advice on all of it."""
    said = replace(report, **more)
    logs = plain(said.related_logs) if said.related_logs else None
    # The figures win: a key of the caller's must not say another value than the message does.
    return advised(replace(said, metadata={**said.metadata, **report.metadata}, related_logs=logs))


def _end_of(trace: str) -> str:
    """Return the last lines of a stack trace, plain but for its lines and their indentation."""
    kept = trace[-_TRACE:]
    lines = kept.splitlines()[1 if len(kept) < len(trace) else 0 :] or [kept]
    return "\n".join(" " * min(len(line) - len(line.lstrip(" ")), 40) + plain(line, 500) for line in lines)
