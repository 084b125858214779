"""`AlertService`: the document's eight examples with a real checker, and what happens where none runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from monitor.alerts import AlertStatus
from monitor.config import Place
from monitor.service import (
    Alert,
    AlertCategory,
    AlertPriority,
    AlertService,
    NoChecker,
    NotDone,
    NotificationChannel,
)
from monitor.units import utc_now
from monitor.views import Views


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("service")
    (path / "checks.yaml").write_text("checks: []\n")
    (path / ".env").write_text("API_TOKEN=hunter2hunter2\n")
    return path


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[AlertService]:
    """One for all, with a checker of its own: each test speaks of another resource."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SLACK_WEBHOOK_URL", "SMTP_HOST", "WEBHOOK_URL", "GREENWALL_CONFIG", "GREENWALL_DATA"):
            patch.delenv(name, raising=False)
        with AlertService(folder / "checks.yaml", by="app", own_checker=True) as one:
            yield one


# ---- the eight examples


def test_1_database_slow_query(service: AlertService) -> None:
    alert = Alert(
        alert_type="database_slow_query",
        title="Slow Database Query on Bookings Table",
        message="Query took 5.23 seconds (threshold: 1.0s, exceeded by 423%)",
        priority=AlertPriority.HIGH,
        category=AlertCategory.DATABASE,
        resource="bookings table",
        metadata={
            "query": "SELECT * FROM bookings WHERE customer_id = ?",
            "execution_plan": "Seq Scan on bookings (50,000 rows)",
            "rows_scanned": 50000,
        },
        recommendations=[
            "✅ Add index: CREATE INDEX idx_bookings_customer_id ON bookings(customer_id)",
            "✅ Review execution plan: EXPLAIN ANALYZE SELECT ...",
            "⚠️ Current sequential scan is reading all 50k rows",
        ],
        related_logs="/var/log/postgresql/slow_queries.log",
        affected_users=15,
    )

    made = service.create_alert(alert)

    assert made.id and made.status is AlertStatus.ACTIVE
    assert (made.priority, made.category, made.affected_users) == (AlertPriority.HIGH, AlertCategory.DATABASE, 15)
    assert made.metadata["rows_scanned"] == 50000
    assert made.metadata["recommendations"][0].endswith("ON bookings(customer_id)")
    assert made.related_logs == "/var/log/postgresql/slow_queries.log"


def test_2_high_cpu_usage_with_process_details(service: AlertService) -> None:
    alert = service.create_system_alert("cpu_percent", current_value=95.3, threshold_value=80.0, resource="web-01")
    alert.metadata.update(
        {"top_processes": [{"name": "gunicorn", "cpu": 45.2, "pid": 12345}], "load_average": [8.5, 7.2, 6.1]}
    )
    enhanced = service.create_alert(alert)

    assert alert.title == "High CPU Usage - web-01"
    assert alert.message == "CPU is at 95.3% (threshold: 80%, exceeded by 19.1%)"
    assert (enhanced.id, enhanced.notification_count) == (alert.id, 2)


def test_3_application_error_with_stack_trace(service: AlertService) -> None:
    alert = service.create_application_error_alert(
        error_type="StripeAPIError",
        error_message="Card declined: insufficient_funds",
        stack_trace="Traceback...\n  File booking_service.py...\n  StripeAPIError...",
        source="booking_service",
        affected_endpoint="POST /api/v1/bookings",
        affected_users=3,
        error_count=5,
    )

    assert alert.title == "StripeAPIError in booking_service"
    assert alert.metadata["stack_trace"].splitlines()[1] == "  File booking_service.py..."
    assert alert.metadata["affected_endpoint"] == "POST /api/v1/bookings"
    assert alert.priority is AlertPriority.MEDIUM
    assert alert.metadata["recommendations"]


def test_4_memory_leak_detection(service: AlertService) -> None:
    alert = service.create_system_alert(
        "memory_percent", 97, 60, "worker-01", metadata={"growth_mb_per_hour": 120}, category=AlertCategory.SYSTEM
    )

    assert alert.priority is AlertPriority.CRITICAL
    assert alert.metadata["growth_mb_per_hour"] == 120


def test_5_api_performance_degradation(service: AlertService) -> None:
    alert = service.create_performance_alert(
        metric_name="api_response_time_ms",
        current_value=1350,
        threshold_value=1000,
        resource="/api/bookings",
        percentile="P95",
    )

    assert alert.title == "High API Response Time (P95) - /api/bookings"
    assert (alert.priority, alert.category) == (AlertPriority.HIGH, AlertCategory.PERFORMANCE)


def test_6_service_unavailable(service: AlertService) -> None:
    alert = service.create_alert(
        Alert(
            alert_type="service_unavailable",
            title="PostgreSQL is down",
            message="connection refused on port 5432",
            priority=AlertPriority.CRITICAL,
            category=AlertCategory.AVAILABILITY,
            resource="postgresql",
            notification_channels=["console", NotificationChannel.DASHBOARD],
        )
    )

    assert alert.priority is AlertPriority.CRITICAL
    assert alert.notification_channels == ("console",)
    assert len(alert.metadata["recommendations"]) > 0


def test_7_brute_force_attack(service: AlertService) -> None:
    made = service.create_alert(
        Alert(
            alert_type="failed_logins",
            title="45 failed logins from 192.0.2.7",
            message="45 failed logins within 5 minutes",
            priority=AlertPriority.CRITICAL,
            category=AlertCategory.SECURITY,
            resource="admin login",
            metadata={"source_ip": "192.0.2.7"},
        )
    )

    assert [alert.id for alert in service.get_active_alerts(category=AlertCategory.SECURITY)] == [made.id]


def test_8_business_metric_drop(service: AlertService) -> None:
    alert = service.create_performance_alert(
        "booking_conversion_rate", 65, 100, "bookings", category=AlertCategory.BUSINESS
    )

    assert alert.title == "Low Booking Conversion Rate - bookings"
    assert (alert.category, alert.priority) == (AlertCategory.BUSINESS, AlertPriority.HIGH)


# ---- lifecycle, dedup, patterns


def test_the_same_type_and_resource_is_the_same_alert(service: AlertService) -> None:
    first, second = (service.create_system_alert("cpu_percent", 95, 80, "dedup-01") for _ in range(2))

    assert first.id == second.id
    assert second.notification_count == 2


def test_it_is_acknowledged_suppressed_and_resolved_by_somebody(service: AlertService) -> None:
    alert = service.create_system_alert("disk_percent", 95, 80, "life-01")
    known = service.acknowledge_alert(alert.id, acknowledged_by="admin@example.com", notes="Investigating")
    quiet = service.suppress_alert(alert.id, "admin@example.com", reason="maintenance", duration_hours=2)
    over = service.resolve_alert(alert.id, resolved_by="admin@example.com", resolution_notes="Added an index.")

    assert (known.status, known.acknowledged_by) == (AlertStatus.ACKNOWLEDGED, "admin@example.com")
    assert quiet.status is AlertStatus.SUPPRESSED
    assert (over.status, over.resolution_notes) == (AlertStatus.RESOLVED, "Added an index.")
    assert alert.id not in [one.id for one in service.get_active_alerts()]
    with pytest.raises(NotDone, match=r"resolved already, by admin@example\.com"):
        service.resolve(alert.id)


def test_patterns_are_as_the_document_has_them(service: AlertService) -> None:
    service.create_system_alert("cpu_percent", 95, 80, "pattern-01")
    patterns = service.get_alert_patterns(days=7)

    assert patterns["total_alerts"] >= 1
    assert patterns["type_distribution"][patterns["most_common_type"]] >= 1
    # The alert may be from the hour before, when this is read just after a full one.
    assert patterns["peak_hour"] in (utc_now().hour, (utc_now().hour - 1) % 24)
    assert len(patterns["hourly_distribution"]) == 24
    assert sum(patterns["hourly_distribution"]) == patterns["total_alerts"]
    assert "avg_resolution_time_minutes" in patterns
    assert patterns["insights"]


def test_secrets_are_taken_out_and_odd_metadata_becomes_text(service: AlertService) -> None:
    metadata: dict[str, Any] = {"env": {"API_TOKEN": "hunter2hunter2"}, "at": Path("/x"), "nan": float("nan")}
    alert = service.create_system_alert("cpu_percent", 95, 80, "secret-01", metadata=metadata)

    assert alert.metadata["env"] == {"API_TOKEN": "***"}
    assert (alert.metadata["at"], alert.metadata["nan"]) == ("/x", None)


def test_what_is_no_alert_is_refused_at_once(service: AlertService) -> None:
    with pytest.raises(ValueError, match="finite"):
        service.create_system_alert("cpu_percent", float("nan"), 80, "x")
    with pytest.raises(ValueError, match="duration_hours"):
        service.suppress_alert("a-1", duration_hours=0)
    with pytest.raises(NotDone, match="a-none"):
        service.acknowledge("a-none")


@pytest.mark.parametrize("ttl_s", [1e12, 1e300, -1.0])
def test_a_time_to_live_that_no_calendar_has_is_refused_and_the_checker_goes_on(
    service: AlertService, ttl_s: float
) -> None:
    with pytest.raises(NotDone, match="ttl_s: expected 0 to"):
        service.create_alert(Alert("eternal", "For ever", "", "eternal-01", ttl_s=ttl_s))
    assert service.create_alert(Alert("eternal", "A century", "", f"eternal{ttl_s}", ttl_s=3e9)).id


def test_a_runbook_is_a_link_of_the_web(service: AlertService) -> None:
    with pytest.raises(NotDone, match=r"runbook: expected a URL with http:// or https://, got 'javascript:alert"):
        service.create_alert(Alert("odd", "Odd", "", "odd-02", runbook="javascript:alert(1)"))
    assert service.create_alert(Alert("odd", "Odd", "", "odd-02", runbook="https://runbooks.example/odd")).runbook


# ---- without a checker


def test_without_a_checker_it_says_so_and_the_alert_waits_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: []\n")
    place = Place.of(tmp_path / "checks.yaml", tmp_path / "data")
    alone = AlertService(place, wait_s=0.1)

    with pytest.raises(NoChecker, match=r"waits in the inbox for the next one; start `python -m monitor run`"):
        alone.create_system_alert("cpu_percent", 95, 80, "later-01")

    with AlertService(place, own_checker=True) as service:
        # It is carried out before what comes after it.
        service.create_system_alert("cpu_percent", 95, 80, "later-02")
        assert {alert.resource for alert in service.get_active_alerts()} == {"later-01", "later-02"}
    assert len(Views(place).alerts()) == 2


def test_where_a_checker_runs_no_second_one_is_started(service: AlertService) -> None:
    with AlertService(service.place, own_checker=True) as guest:
        made = guest.create_system_alert("cpu_percent", 95, 80, "guest-01")
    # The first one goes on.
    assert service.get_alert(made.id)
    assert service.create_system_alert("cpu_percent", 95, 80, "guest-01").notification_count == 2


def test_what_was_created_is_there_after_a_restart(tmp_path: Path) -> None:
    (tmp_path / "checks.yaml").write_text("checks: []\n")
    with AlertService(tmp_path / "checks.yaml", own_checker=True) as service:
        made = service.create_system_alert("cpu_percent", 95, 80, "kept-01")
    with AlertService(tmp_path / "checks.yaml", own_checker=True) as service:
        found = service.get_alert(made.id)
        assert found and found.title == made.title
        assert service.create_system_alert("cpu_percent", 95, 80, "kept-01").id == made.id


def test_bytes_that_are_no_text_do_not_lose_an_alert(service: AlertService) -> None:
    """File names and the output of programs come with lone surrogates."""
    odd = b"caf\xe9".decode("utf-8", "surrogateescape")
    told = Alert(odd, odd, odd, "odd-1", owner=odd, group=odd, tags=[odd], related_logs=odd, metadata={odd: [odd]})
    alert = service.create_alert(told)
    taken = service.acknowledge_alert(alert.id, odd, odd)

    assert alert.title.startswith("caf") and taken.acknowledged_by.startswith("caf")
