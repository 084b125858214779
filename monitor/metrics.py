"""`/metrics`: the snapshot in Prometheus' exposition format, through its own client library. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from monitor import __version__
from monitor.history.snapshot import Snapshot
from monitor.model import Severity, Status

_LABELS = ["check", "group", "severity"]


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterator[Metric]:
        build = GaugeMetricFamily("greenwall_build_info", "Version of Greenwall; always 1.", labels=["version"])
        build.add_metric([__version__], 1)
        yield build
        if self._snapshot is not None:
            yield from _of_checks(self._snapshot)
            yield from _of_checker(self._snapshot)
            yield from _of_channels(self._snapshot)


def _of_checks(snapshot: Snapshot) -> Iterator[Metric]:
    up = GaugeMetricFamily("greenwall_check_up", "1 for OK and WARN, 0 for FAIL; absent for UNKNOWN.", labels=_LABELS)
    status = GaugeMetricFamily(
        "greenwall_check_status", "1 for the status that the check has.", labels=[*_LABELS, "status"]
    )
    latency = GaugeMetricFamily("greenwall_check_latency_seconds", "Latency of the last verdict.", labels=_LABELS)
    at = GaugeMetricFamily(
        "greenwall_check_verdict_timestamp_seconds", "When the last verdict was reached.", labels=_LABELS
    )
    streak = GaugeMetricFamily("greenwall_check_streak", "Verdicts of the present status in a row.", labels=_LABELS)
    for entry in snapshot.checks.values():
        labels, state = [entry.name, entry.group, entry.severity.value], entry.state
        for one in Status:
            status.add_metric([*labels, one.value], float(state.status is one))
        if state.status is not Status.UNKNOWN:
            up.add_metric(labels, float(state.status is not Status.FAIL))
        if state.latency_ms is not None:
            latency.add_metric(labels, state.latency_ms / 1000)
        if state.checked_at is not None:
            at.add_metric(labels, state.checked_at.timestamp())
        streak.add_metric(labels, state.streak)
    yield from (up, status, latency, at, streak)


def _of_checker(snapshot: Snapshot) -> Iterator[Metric]:
    checker = snapshot.checker
    yield GaugeMetricFamily(
        "greenwall_checker_heartbeat_timestamp_seconds", "Last heartbeat.", checker.heartbeat_at.timestamp()
    )
    yield GaugeMetricFamily(
        "greenwall_checker_start_timestamp_seconds", "Start of the checker.", checker.started_at.timestamp()
    )
    late = GaugeMetricFamily(
        "greenwall_checker_lateness_seconds", "How late probes began in the last minute.", labels=["of"]
    )
    for of, late_s in zip(("median", "p99", "worst"), checker.lateness_s, strict=True):
        late.add_metric([of], late_s)
    yield late
    yield GaugeMetricFamily("greenwall_checker_probes_in_flight", "Probes running or waiting.", checker.in_flight)
    yield GaugeMetricFamily(
        "greenwall_checker_probes_queued", "Probes that wait for a thread or a connection.", checker.queued
    )
    yield CounterMetricFamily("greenwall_checker_verdicts", "Verdicts since the start.", checker.results)
    yield CounterMetricFamily(
        "greenwall_checker_overruns",
        "Turns left out since the start: the probe of the turn before had not ended.",
        checker.overruns,
    )
    valid = not any("is invalid" in notice.text for notice in snapshot.notices)
    yield GaugeMetricFamily("greenwall_config_valid", "1 when checks.yaml as it stands is in use.", float(valid))
    yield GaugeMetricFamily(
        "greenwall_notices", "Troubles of Greenwall's own that the wall shows.", len(snapshot.notices)
    )
    alerts = GaugeMetricFamily("greenwall_alerts_open", "Open alerts.", labels=["severity"])
    for severity in Severity:
        alerts.add_metric([severity.value], sum(a.severity is severity for a in snapshot.alerts))
    yield alerts


def _of_channels(snapshot: Snapshot) -> Iterator[Metric]:
    configured = GaugeMetricFamily("greenwall_channel_configured", "1 when the channel can send.", labels=["channel"])
    messages = CounterMetricFamily(
        "greenwall_channel_messages", "Messages since the start, by how they ended.", labels=["channel", "end"]
    )
    waiting = GaugeMetricFamily("greenwall_channel_waiting", "What still has to be told.", labels=["channel"])
    delay = CounterMetricFamily(
        "greenwall_channel_delay_seconds", "Sum of the times from queued to sent, since the start.", labels=["channel"]
    )
    for channel in snapshot.channels:
        configured.add_metric([channel.name], float(channel.configured))
        messages.add_metric([channel.name, "sent"], channel.sent)
        messages.add_metric([channel.name, "failed"], channel.failed)
        waiting.add_metric([channel.name], channel.waiting)
        delay.add_metric([channel.name], channel.delay_s)
    yield from (configured, messages, waiting, delay)


def exposition(snapshot: Snapshot | None) -> bytes:
    """Return the text of `/metrics`; without a snapshot only the build is known."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_SnapshotCollector(snapshot))
    return generate_latest(registry)
