"""`/metrics`: what Prometheus reads, read by Prometheus' own parser."""

from dataclasses import replace

from prometheus_client.parser import text_string_to_metric_families

from monitor import __version__
from monitor.alerts import AlertStatus
from monitor.history.snapshot import ChannelInfo, CheckerInfo, Notice, OpenAlert, Snapshot
from monitor.metrics import exposition
from monitor.model import Severity, Status
from tests.make import at, entry, snapshot

NAMES = {
    "greenwall_build_info",
    "greenwall_check_up",
    "greenwall_check_status",
    "greenwall_check_latency_seconds",
    "greenwall_check_verdict_timestamp_seconds",
    "greenwall_check_streak",
    "greenwall_checker_heartbeat_timestamp_seconds",
    "greenwall_checker_start_timestamp_seconds",
    "greenwall_checker_lateness_seconds",
    "greenwall_checker_probes_in_flight",
    "greenwall_checker_probes_queued",
    "greenwall_checker_verdicts_total",
    "greenwall_checker_overruns_total",
    "greenwall_config_valid",
    "greenwall_notices",
    "greenwall_alerts_open",
    "greenwall_channel_configured",
    "greenwall_channel_messages_total",
    "greenwall_channel_waiting",
    "greenwall_channel_delay_seconds_total",
}


def samples(seen: Snapshot | None) -> dict[tuple[str, ...], float]:
    """Return the value of each sample by its name and the values of its labels."""
    families = text_string_to_metric_families(exposition(seen).decode())
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def of(seen: Snapshot, name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: value for key, value in samples(seen).items() if key[0] == name}


def alert(name: str, severity: Severity) -> OpenAlert:
    return OpenAlert(f"a-{name}", name, "check", "", severity, AlertStatus.ACTIVE, at(), "")


def test_every_metric_is_there_with_its_help() -> None:
    seen = replace(snapshot(entry("shop", state={"latency_ms": 5.0})), channels=(ChannelInfo("email", "email"),))
    text = exposition(seen).decode()

    assert {sample[0] for sample in samples(seen)} == NAMES
    assert all(family.documentation for family in text_string_to_metric_families(text))


def test_without_a_checker_only_the_build_is_known() -> None:
    assert samples(None) == {("greenwall_build_info", __version__): 1.0}


def test_up_is_one_for_what_answers_and_zero_for_what_fails_and_absent_for_what_nobody_knows() -> None:
    seen = snapshot(*(entry(status.value.lower(), status) for status in Status))

    assert of(seen, "greenwall_check_up") == {
        ("ok", "Services", "P2"): 1.0,
        ("warn", "Services", "P2"): 1.0,
        ("fail", "Services", "P2"): 0.0,
    }


def test_exactly_one_status_of_a_check_is_one() -> None:
    seen = snapshot(*(entry(status.value, status) for status in Status))
    statuses = of(seen, "greenwall_check_status")

    assert len(statuses) == 16
    assert {key for key, value in statuses.items() if value} == {(s.value, "Services", "P2", s.value) for s in Status}


def test_seconds_are_seconds_and_what_is_not_known_is_absent() -> None:
    never = entry("new", Status.UNKNOWN, state={"checked_at": None, "streak": 0})
    seen = snapshot(entry("shop", state={"latency_ms": 250.0, "streak": 7}), never)

    assert of(seen, "greenwall_check_latency_seconds") == {("shop", "Services", "P2"): 0.25}
    assert of(seen, "greenwall_check_verdict_timestamp_seconds") == {("shop", "Services", "P2"): at().timestamp()}
    assert of(seen, "greenwall_check_streak") == {("shop", "Services", "P2"): 7.0, ("new", "Services", "P2"): 0.0}


def test_the_checker_tells_of_itself() -> None:
    checker = CheckerInfo(
        7, at(-60), at(), lateness_s=(0.001, 0.02, 0.3), in_flight=4, queued=3, results=1234, overruns=5
    )
    got = samples(snapshot(checker=checker))

    assert got["greenwall_checker_heartbeat_timestamp_seconds",] == at().timestamp()
    assert got["greenwall_checker_start_timestamp_seconds",] == at(-60).timestamp()
    assert got["greenwall_checker_probes_in_flight",] == 4
    assert got["greenwall_checker_probes_queued",] == 3
    assert got["greenwall_checker_verdicts_total",] == 1234
    assert got["greenwall_checker_overruns_total",] == 5
    late = of(snapshot(checker=checker), "greenwall_checker_lateness_seconds")
    assert list(late.values()) == [0.001, 0.02, 0.3]


def test_open_alerts_are_counted_by_severity_zeros_included() -> None:
    seen = snapshot(alerts=(alert("a", Severity.P1), alert("b", Severity.P1), alert("c", Severity.P4)))

    assert of(seen, "greenwall_alerts_open") == {("P1",): 2.0, ("P2",): 0.0, ("P3",): 0.0, ("P4",): 1.0}


def test_an_invalid_configuration_is_seen_and_other_troubles_are_counted() -> None:
    invalid, full = (
        Notice("error", "checks.yaml is invalid: the last good one runs"),
        Notice("error", "the disk is full"),
    )

    for notices, valid in (((), 1.0), ((full,), 1.0), ((full, invalid), 0.0)):
        got = samples(snapshot(notices=notices))
        assert got["greenwall_config_valid",] == valid
        assert got["greenwall_notices",] == len(notices)


def test_names_with_quotes_and_line_breaks_come_through() -> None:
    odd = 'a "b" \\ c\nd ü'

    assert of(snapshot(entry(odd, group=odd)), "greenwall_check_up") == {(odd, odd, "P2"): 1.0}


def test_channels_say_what_went_out_what_failed_and_what_waits() -> None:
    email = ChannelInfo("email", "email", sent=7, failed=2, waiting=1, delay_s=3.5)
    seen = replace(snapshot(), channels=(email, ChannelInfo("slack", "slack", problem="not set: SLACK_WEBHOOK_URL")))

    assert of(seen, "greenwall_channel_configured") == {("email",): 1.0, ("slack",): 0.0}
    assert of(seen, "greenwall_channel_messages_total")[("email", "sent")] == 7
    assert of(seen, "greenwall_channel_messages_total")[("email", "failed")] == 2
    assert of(seen, "greenwall_channel_waiting")[("email",)] == 1
    assert of(seen, "greenwall_channel_delay_seconds_total")[("email",)] == 3.5
